package continual_test

import (
	"errors"
	"math"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/continual"
)

func TestParametersThatAreRefused(t *testing.T) {
	for member, change := range map[string]func(*continual.Params){
		"method":             func(p *continual.Params) { p.Method = "" },
		"keys":               func(p *continual.Params) { p.Keys = 0 },
		"horizon":            func(p *continual.Params) { p.Horizon = -1 },
		"epochs":             func(p *continual.Params) { p.Horizon, p.Epochs = 1<<23, 3 },
		"rho":                func(p *continual.Params) { p.Rho = 0 },
		"contribution.steps": func(p *continual.Params) { p.Contribution.Steps = 0 },
		"contribution.apart": func(p *continual.Params) { p.Contribution.Apart = 0 },
		"contribution.keys":  func(p *continual.Params) { p.Contribution.Keys = 2 },
		"contribution.most":  func(p *continual.Params) { p.Contribution.Most = math.MinInt64 },
		"band":               func(p *continual.Params) { p.Band = 7 },
		"window":             func(p *continual.Params) { p.Window = -1 },
	} {
		p := event(continual.Tree, 8)
		change(&p)
		_, err := p.Cost(0)
		if e, ok := errors.AsType[*continual.ParamError](err); !ok || e.Member != member || !errors.Is(err, continual.ErrParams) {
			t.Errorf("Cost() error = %v, want a ParamError of %s", err, member)
		}
	}
	p := event(continual.SquareRoot, 1<<24)
	p.Band = 1 << 11
	if _, err := p.Accuracy(0); !errors.Is(err, continual.ErrParams) {
		t.Errorf("errors that take an hour to say: Accuracy() error = %v, want ErrParams", err)
	}
	p = event(continual.SquareRoot, 1<<20)
	p.Rho, p.Contribution.Most = 1, 1<<40
	if _, err := p.Cost(0); !errors.Is(err, continual.ErrParams) {
		t.Errorf("noise beyond 64 bits: Cost() error = %v, want ErrParams", err)
	}
}

func TestCostIsWithinRhoAndHardlyBelow(t *testing.T) {
	for _, method := range []continual.Method{continual.Tree, continual.SquareRoot} {
		for _, rho := range []int64{1, 1000, 12_345_678, 500_000_000, 1_000_000_000_000} {
			p := event(method, 1000)
			p.Keys, p.Epochs, p.Rho = 10, 3, rho
			p.Contribution = continual.Contribution{Steps: 5, Apart: 7, Keys: 3, Most: 1000}
			for n := range p.Epochs {
				v, err := p.Cost(n)
				if err != nil {
					t.Fatal(err)
				}
				if v.Rho > rho || float64(v.Rho) < float64(rho)*(1-1e-6) {
					t.Errorf("%s, ρ = %d nano: Cost().Rho = %d", method, rho, v.Rho)
				}
				if v.Mu2 > 2*v.Rho || v.Mu2 < 2*v.Rho-2 || v.RDP[5] > 64*v.Rho || v.RDP[5] < 64*(v.Rho-1) || v.Epsilon != account.Infinite || v.Slack != 0 {
					t.Errorf("%s, ρ = %d nano: Cost() = %+v", method, rho, v)
				}
			}
			if _, err := p.Cost(3); !errors.Is(err, continual.ErrParams) {
				t.Errorf("Cost(3) error = %v, want ErrParams", err)
			}
		}
	}
}

// A unit in more steps costs more noise, and exactly as much as columns that do not overlap say where the band is no wider than the distance.
func TestMoreStepsOfOneUnitTakeMoreNoise(t *testing.T) {
	one := accuracy(t, bandOf(16, 1, 1))
	four := accuracy(t, bandOf(16, 4, 16))
	if !near(four.Sigma, 2*one.Sigma) {
		t.Errorf("four steps at a distance of the band: σ = %v, want twice %v", four.Sigma, one.Sigma)
	}
	close4 := accuracy(t, bandOf(16, 4, 1))
	if close4.Sigma <= four.Sigma || close4.Sigma > 4*one.Sigma {
		t.Errorf("four steps in a row: σ = %v, want between %v and %v", close4.Sigma, four.Sigma, 4*one.Sigma)
	}
}

func bandOf(band, steps, apart int) continual.Params {
	p := event(continual.SquareRoot, 1024)
	p.Band, p.Contribution.Steps, p.Contribution.Apart = band, steps, apart
	return p
}

// What is announced of a release is what Accuracy announces for the epoch, and adds up over epochs.
func TestDeviationAgreesWithAccuracy(t *testing.T) {
	for _, m := range []continual.Method{continual.Tree, continual.SquareRoot} {
		p := event(m, 100)
		p.Epochs, p.Window, p.Contribution.Most = 2, 250, 1000
		worst, sum := 0.0, 0.0
		for step := int64(1); step <= 100; step++ {
			d := deviation(t, p, step, 0)
			worst, sum = max(worst, d), sum+d*d
		}
		a := accuracy(t, p)
		if math.Abs(worst-a.Max) > 1e-4 || math.Abs(math.Sqrt(sum/100)-a.Mean) > 1e-4 {
			t.Errorf("%s: deviations up to %v, want %v; %v together, want %v", m, worst, a.Max, math.Sqrt(sum/100), a.Mean)
		}
		before, now := deviation(t, p, 100, 0), deviation(t, p, 164, 0)
		alone := deviation(t, p, 164, 64) // from the seam on
		if math.Abs(now*now-before*before-alone*alone+1.0/12) > 1e-6*now*now {
			t.Errorf("%s: variances %v before the seam and %v after it, want them to add up to %v", m, before*before, alone*alone, now*now)
		}
		if all := deviation(t, p, 164, 164); all != now {
			t.Errorf("%s: over all steps %v, want %v", m, all, now)
		}
		for _, bad := range []struct{ step, width int }{{0, 0}, {301, 0}, {1, -1}, {10, 251}} {
			if _, err := p.Deviation(int64(bad.step), bad.width); err == nil {
				t.Errorf("%s: Deviation(%d, %d) error = nil, want one", m, bad.step, bad.width)
			}
		}
	}
}

func deviation(t *testing.T, p continual.Params, step int64, width int) float64 {
	t.Helper()
	d, err := p.Deviation(step, width)
	if err != nil {
		t.Fatalf("Deviation(%d, %d) error = %v", step, width, err)
	}
	return d
}

// At ½-zCDP a stream is Gaussian with μ = 1, whose ε at a δ is known.
func TestCostAtADelta(t *testing.T) {
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, epsilon := range []float64{0.5, 1, 3} {
		delta := normal(-epsilon+0.5) - math.Exp(epsilon)*normal(-epsilon-0.5)
		p := event(continual.SquareRoot, 64)
		v, err := p.CostAt(0, delta)
		if err != nil {
			t.Fatal(err)
		}
		if v.Epsilon < int64(epsilon*1e9)-1000 || v.Epsilon > int64(epsilon*1.001e9) || math.Abs(float64(v.Delta)/1e15-delta) > 2e-15 {
			t.Errorf("CostAt(%v) = %d nano-ε at %d femto-δ, want %v", delta, v.Epsilon, v.Delta, epsilon)
		}
		plain, err := p.Cost(0)
		if err != nil {
			t.Fatal(err)
		}
		if v.Epsilon, v.Delta = plain.Epsilon, plain.Delta; v != plain {
			t.Errorf("CostAt() = %+v, want all else as in %+v", v, plain)
		}
	}
	for _, bad := range []float64{0, 1, -1, math.NaN(), math.Inf(1)} {
		if _, err := event(continual.Tree, 8).CostAt(0, bad); err == nil {
			t.Errorf("CostAt(%v) error = nil, want one", bad)
		}
	}
}
