package account_test

import (
	"errors"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

func TestCostsOfOneMechanism(t *testing.T) {
	const none = account.Infinite
	for _, c := range []struct {
		name string
		m    account.Mechanism
		want account.Vector // RDP is compared apart
	}{
		{"a tenth is a tenth", account.Mechanism{Kind: account.Laplace, Scale: 10}, account.Vector{Epsilon: 100_000_000, Rho: 5_000_000, Mu2: none}},
		{"ten tenths are one", account.Mechanism{Kind: account.Laplace, Scale: 10, Count: 10}, account.Vector{Epsilon: 1_000_000_000, Rho: 50_000_000, Mu2: none}},
		{"a third is rounded up", account.Mechanism{Kind: account.Laplace, Scale: 3}, account.Vector{Epsilon: 333_333_334, Rho: 55_555_556, Mu2: none}},
		{"Gaussian", account.Mechanism{Kind: account.Gaussian, Sigma: 10}, account.Vector{Epsilon: none, Rho: 5_000_000, Mu2: 10_000_000}},
		{"rounded Gaussian", account.Mechanism{Kind: account.RoundedGaussian, Sigma: 10, Sensitivity: 2}, account.Vector{Epsilon: none, Rho: 20_000_000, Mu2: 40_000_000}},
		{"discrete Gaussian has no exact μ", account.Mechanism{Kind: account.DiscreteGaussian, Sigma: 10}, account.Vector{Epsilon: none, Rho: 5_000_000, Mu2: none}},
		{"a δ stands beside", account.Mechanism{Kind: account.EpsilonDelta, Epsilon: 1, Delta: 1e-6, Count: 2}, account.Vector{Epsilon: 2_000_000_000, Delta: 2_000_000_000, Rho: 1_000_000_000, Slack: 2_000_000_000, Mu2: none}},
		{"δ of a threshold is slack", account.Mechanism{Kind: account.GaussianThreshold, Sigma: 10, L0: 4, ThresholdDelta: 1e-9}, account.Vector{Epsilon: none, Delta: 1_000_000, Rho: 20_000_000, Mu2: 40_000_000, Slack: 1_000_000}},
		{"noise of a threshold by its guarantee", account.Mechanism{Kind: account.GaussianThreshold, Epsilon: 1, NoiseDelta: 1e-6, ThresholdDelta: 1e-9}, account.Vector{Epsilon: 1_000_000_000, Delta: 1_001_000_000, Rho: 28_014_482, Mu2: 56_028_964, Slack: 1_000_000}},
		{"bounded range", account.Mechanism{Kind: account.Exponential, Epsilon: 1}, account.Vector{Epsilon: 1_000_000_000, Rho: 125_000_000, Mu2: none}},
	} {
		got, err := account.VectorOf(c.m)
		if err != nil {
			t.Fatalf("%s: VectorOf() error = %v", c.name, err)
		}
		got.RDP = c.want.RDP
		if got != c.want {
			t.Errorf("%s: VectorOf() = %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestSumsSaturate(t *testing.T) {
	near := account.Vector{Epsilon: account.Infinite - 1, Delta: 1, Rho: account.Infinite}
	got := near.Add(account.Vector{Epsilon: 2, Delta: 2, Rho: 0})
	if got.Epsilon != account.Infinite || got.Delta != 3 || got.Rho != account.Infinite {
		t.Errorf("Add() = %+v, want Infinite, 3 and Infinite", got)
	}
	if got := near.Scale(2); got.Epsilon != account.Infinite || got.Delta != 2 {
		t.Errorf("Scale(2) = %+v, want Infinite and 2", got)
	}
	if got := near.Scale(0); got != (account.Vector{}) {
		t.Errorf("Scale(0) = %+v, want nothing", got)
	}
	if got := (account.Vector{Epsilon: -5}).Add(account.Vector{Epsilon: 1}); got.Epsilon != account.Infinite {
		t.Errorf("Add() of a negative cost = %d, want Infinite", got.Epsilon)
	}
	var e *account.Error
	if err := (account.Vector{Slack: -1}).Valid(); !errors.As(err, &e) || e.Member != "Slack" {
		t.Errorf("Valid() = %v, want an error about Slack", err)
	}
}

func TestCaps(t *testing.T) {
	// ε = 3, δ = 1e-6: ρ = 0.18506984065…; a 37th Gaussian of σ = 10 fits and a 38th does not.
	rho, err := account.RhoCap(3_000_000_000, 1_000_000_000)
	if err != nil || rho < 185_069_839 || rho > 185_069_840 {
		t.Errorf("RhoCap() = %d, %v, want 185069840 or one less", rho, err)
	}
	mu2, err := account.Mu2Cap(3_000_000_000, 1_000_000_000)
	if err != nil || mu2/10_000_000 != 41 {
		t.Errorf("Mu2Cap() = %d, %v, want room for 41 of μ² = 0.01", mu2, err)
	}
	if cap, err := account.RDPCap(2, 1_000_000_000, 1); err != nil || cap != 0 {
		t.Errorf("RDPCap(2) at δ = 1e-15 = %d, %v, want 0: no room", cap, err)
	}
	for _, bad := range [][2]int64{{0, 1}, {-1, 1}, {1, -1}, {1, 1e15}, {1e15 + 1, 1}} {
		if _, err := account.RhoCap(bad[0], bad[1]); err == nil {
			t.Errorf("RhoCap(%d, %d) error = nil", bad[0], bad[1])
		}
		if _, _, err := account.BasicCap(bad[0], bad[1]); err == nil {
			t.Errorf("BasicCap(%d, %d) error = nil", bad[0], bad[1])
		}
	}
}
