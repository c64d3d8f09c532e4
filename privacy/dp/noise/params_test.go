package noise

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

// What is returned costs at most what was asked, and not less than a billionth of that less; the exact parameters say so too.
func TestHelpersRoundTowardsMoreNoise(t *testing.T) {
	s := NewSource()
	pick := func(bits uint64) int64 { return int64(s.Below(1<<s.Below(bits))) + 1 }
	made := 0
	for range 3000 {
		cost, sens := pick(40), pick(50)
		lap, err := LaplaceFor(cost, sens)
		gau, err2 := GaussianFor(cost, sens)
		rou, err3 := RoundedGaussianFor(cost, sens)
		for _, e := range []error{err, err2, err3} {
			if e != nil && !errors.Is(e, ErrParams) {
				t.Fatal(e)
			}
		}
		for _, row := range []struct {
			name string
			err  error
			cost int64
			r    Ratio
			want float64
		}{
			{"Laplace", err, lap.EpsilonNano(sens), lap.Scale(), float64(sens) / float64(cost) * nano},
			{"Gaussian", err2, gau.RhoNano(sens), gau.Sigma(), math.Sqrt(float64(sens) / float64(cost) * nano / 2)},
			{"rounded Gaussian", err3, rou.Mu2Nano(sens), rou.Sigma(), math.Sqrt(float64(sens) / float64(cost) * nano)},
		} {
			if row.err != nil {
				continue
			}
			made++
			if row.cost > cost || row.cost < cost-1 {
				t.Fatalf("%s for %d at sensitivity %d costs %d", row.name, cost, sens, row.cost)
			}
			if f, _ := row.r.Rat().Float64(); math.Abs(f/row.want-1) > 1e-14 {
				t.Fatalf("%s for %d at sensitivity %d has scale %g, want %g", row.name, cost, sens, f, row.want)
			}
		}
	}
	if made < 1000 {
		t.Errorf("only %d laws were made", made)
	}
}

func TestHelpersAreExactWhereTheyCanBe(t *testing.T) {
	if r := must(LaplaceFor(300_000_000, 7)).Scale(); r != (Ratio{70, 3}) {
		t.Errorf("7/0.3 = %v", r)
	}
	if r := must(GaussianFor(500_000_000, 9)).Sigma(); r != (Ratio{3, 1}) {
		t.Errorf("3/√(2·0.5) = %v", r)
	}
	if r := must(RoundedGaussianFor(250_000_000, 1)).Sigma(); r != (Ratio{2, 1}) {
		t.Errorf("1/√0.25 = %v", r)
	}
	if r := must(RoundedGaussianFor(250_000_000, 4)).RhoNano(4); r != 125_000_000 {
		t.Errorf("ρ = %d", r)
	}
}

func TestHelpersRefuse(t *testing.T) {
	for _, row := range [][2]int64{{0, 1}, {-1, 1}, {1, 0}, {1, -1}, {math.MinInt64, math.MinInt64}, {math.MaxInt64, 1}, {1, math.MaxInt64}} {
		_, err := LaplaceFor(row[0], row[1])
		_, err2 := GaussianFor(row[0], row[1])
		_, err3 := RoundedGaussianFor(row[0], row[1])
		widest := row == [2]int64{1, math.MaxInt64} // √ of it is a σ in range
		if !errors.Is(err, ErrParams) || !widest && (!errors.Is(err2, ErrParams) || !errors.Is(err3, ErrParams)) {
			t.Errorf("%v: %v, %v, %v", row, err, err2, err3)
		}
	}
}

// What is doubled on the way to a law is refused before it wraps: −2^62−1 doubled is nearly 2^63, a ρ of four billion.
func TestNegativeParametersDoNotWrapIntoLaws(t *testing.T) {
	for _, low := range []int64{-1, -1 << 62, -1<<62 - 1, -1<<62 - 1<<40, -1<<63 + 1, -1 << 63} {
		for _, other := range []int64{1, 1 << 20, 1 << 40, 1 << 62, math.MaxInt64} {
			_, ofRho := GaussianFor(low, other)
			_, ofSquare := GaussianFor(other, low)
			_, ofMu := RoundedGaussianFor(low, other)
			_, ofEpsilon := NoisyMaxFor(low, other)
			_, ofScore := NoisyMaxFor(other, low)
			_, ofBase := ExponentialFor(other, low)
			for i, err := range []error{ofRho, ofSquare, ofMu, ofEpsilon, ofScore, ofBase} {
				if !errors.Is(err, ErrParams) {
					t.Errorf("%d beside %d, helper %d: %v, want it refused", low, other, i, err)
				}
			}
		}
	}
}

func TestCostsNeverWrap(t *testing.T) {
	d := must(NewDiscreteLaplace(Ratio{1, 64}))
	g := must(NewRoundedGaussian(Ratio{1, 64}))
	for _, sens := range []int64{math.MaxInt64, 1 << 40, -1} {
		if c := d.EpsilonNano(sens); c != math.MaxInt64 {
			t.Errorf("sensitivity %d costs %d", sens, c)
		}
		if c := g.Mu2Nano(sens); c != math.MaxInt64 {
			t.Errorf("sensitivity %d costs μ² of %d", sens, c)
		}
	}
	if c := (DiscreteLaplace{}).EpsilonNano(1); c != math.MaxInt64 {
		t.Errorf("a law without a constructor costs %d", c)
	}
	if c := d.EpsilonNano(1); c != 64*nano {
		t.Errorf("ε = %d", c)
	}
	if c := must(NewDiscreteLaplace(Ratio{3, 1})).EpsilonNano(1); c != 333_333_334 {
		t.Errorf("a third is rounded to %d", c)
	}
}

// The discrete Gaussian's exact divergences stay below what RhoNano says: D_α(N‖N+Δ) ≤ αρ for all orders (Canonne, Kamath, Steinke 2020).
func TestDiscreteGaussianKeepsItsRho(t *testing.T) {
	for _, row := range []struct {
		sigma Ratio
		delta int64
	}{{Ratio{1, 2}, 1}, {Ratio{1, 1}, 1}, {Ratio{5, 2}, 2}} {
		d := must(NewDiscreteGaussian(row.sigma))
		rho := float64(d.RhoNano(row.delta*row.delta)) / nano
		mass := map[int64]*big.Float{}
		for x := int64(-60); x <= 60; x++ {
			mass[x] = d.Mass(x)
		}
		for _, alpha := range []int64{2, 4, 8} {
			sum := new(big.Float).SetPrec(massBits)
			for x := -60 + row.delta; x <= 60; x++ {
				p, q := mass[x], mass[x-row.delta]
				if q.Sign() == 0 {
					continue
				}
				r, term := quo(p, q), q
				for range alpha {
					term = mul(term, r)
				}
				sum.Add(sum, term)
			}
			f, _ := sum.Float64()
			if got := math.Log(f) / float64(alpha-1); got > float64(alpha)*rho*(1+1e-9) || got < float64(alpha)*rho*0.9 {
				t.Errorf("σ = %v, Δ = %d, order %d: divergence %g, ρ says %g", row.sigma, row.delta, alpha, got, float64(alpha)*rho)
			}
		}
	}
}

// The masses of Laplace and staircase change by at most exp(ε) under each shift up to Δ, and by exactly that somewhere.
func TestPureLawsKeepTheirEpsilon(t *testing.T) {
	for _, row := range []struct {
		law  Law
		eps  float64
		sens int64
	}{
		{must(LaplaceFor(1_500_000_000, 3)), 1.5, 3}, {must(NewStaircase(Ratio{3, 2}, 3)), 1.5, 3}, {must(NewStaircase(Ratio{4, 1}, 10)), 4, 10}, {must(NewStaircase(Ratio{1, 10}, 1)), 0.1, 1},
	} {
		worst := 0.0
		for x := int64(-60); x <= 60; x++ {
			for shift := int64(1); shift <= row.sens; shift++ {
				f, _ := quo(row.law.Mass(x), row.law.Mass(x+shift)).Float64()
				worst = max(worst, math.Abs(math.Log(f)))
			}
		}
		if math.Abs(worst-row.eps) > 1e-12 {
			t.Errorf("%T: privacy loss %g, want %g", row.law, worst, row.eps)
		}
	}
}
