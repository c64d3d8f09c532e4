package noise

import (
	"errors"
	"math"
	"testing"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// symmetric are laws at scales from narrow to wide, whole and fractional, with the width of the ranges of their fit.
var symmetric = []struct {
	scale Ratio
	step  int64
}{
	{Ratio{1, 3}, 1}, {Ratio{1, 1}, 1}, {Ratio{7, 2}, 1}, {Ratio{22, 7}, 1}, {Ratio{1000, 3}, 60}, {Ratio{1<<40 + 1, 3}, 1 << 36}, {Ratio{1 << 61, 1<<61 - 1}, 1},
}

const fitSize = 60_000

func TestSamplesFollowTheLaw(t *testing.T) {
	s := NewSource()
	for _, row := range symmetric {
		for _, law := range []Law{must(NewDiscreteLaplace(row.scale)), must(NewDiscreteGaussian(row.scale)), must(NewRoundedGaussian(row.scale))} {
			edges := edgesFor(law, row.step, fitSize)
			if len(edges) < 2 {
				t.Fatalf("%T at %v: only %d edges", law, row.scale, len(edges))
			}
			if why := fit(func() int64 { return law.Sample(s) }, law, edges, fitSize); why != "" {
				t.Errorf("%T at %v: %s", law, row.scale, why)
			}
		}
	}
	for _, law := range []Staircase{must(NewStaircase(Ratio{1, 1}, 1)), must(NewStaircase(Ratio{3, 2}, 7)), must(NewStaircase(Ratio{5, 1}, 40)), must(NewStaircase(Ratio{1, 100}, 3))} {
		step := max(law.Sensitivity()/5, int64(law.Epsilon().Den)/30, 1)
		edges := edgesFor(law, step, fitSize)
		if why := fit(func() int64 { return law.Sample(s) }, law, edges, fitSize); why != "" || len(edges) < 6 {
			t.Errorf("staircase ε = %v, Δ = %d, r = %d, %d edges: %s", law.Epsilon(), law.Sensitivity(), law.Flat(), len(edges), why)
		}
	}
	for _, scale := range []Ratio{{1, 2}, {1, 1}, {9, 4}} {
		law := must(NewGeometric(scale))
		var edges []int64
		for x := int64(1); ; x++ {
			if m, _ := law.Mass(x).Float64(); m*fitSize < 300 {
				break
			}
			edges = append(edges, x)
		}
		if why := fit(func() int64 { return law.Sample(s) }, law, edges, fitSize); why != "" {
			t.Errorf("geometric at %v: %s", scale, why)
		}
	}
}

// The staircase is narrower than discrete Laplace noise of the same ε and Δ, by far at large ε (Geng, Viswanath 2016).
func TestStaircaseIsNarrower(t *testing.T) {
	spread := func(law Law) float64 { // E|X| = 2·Σ_{x≥1} P(X ≥ x)
		sum := 0.0
		for x := int64(1); x < 400; x++ {
			f, _ := law.Tail(x).Float64()
			sum += 2 * f
		}
		return sum
	}
	for _, row := range []struct {
		eps  Ratio
		nano int64
		gain float64
	}{{Ratio{1, 1}, nano, 1.02}, {Ratio{4, 1}, 4 * nano, 1.7}, {Ratio{8, 1}, 8 * nano, 5}} {
		stairs, laplace := spread(must(NewStaircase(row.eps, 20))), spread(must(LaplaceFor(row.nano, 20)))
		if laplace < row.gain*stairs {
			t.Errorf("ε = %v: expected magnitude %g against Laplace's %g", row.eps, stairs, laplace)
		}
	}
	for _, c := range []struct {
		eps  Ratio
		sens int64
	}{{Ratio{}, 1}, {Ratio{65, 1}, 1}, {Ratio{1, 1}, 0}, {Ratio{1, 1}, -1}, {Ratio{1, 1}, 1<<40 + 1}} {
		if _, err := NewStaircase(c.eps, c.sens); !errors.Is(err, ErrParams) {
			t.Errorf("ε = %v, Δ = %d: %v", c.eps, c.sens, err)
		}
	}
}

func TestMassesAndTailsAgree(t *testing.T) {
	for _, row := range symmetric {
		for _, law := range []Law{must(NewDiscreteLaplace(row.scale)), must(NewDiscreteGaussian(row.scale)), must(NewRoundedGaussian(row.scale)), must(NewGeometric(row.scale))} {
			for _, x := range []int64{0, 1, 2, 3, -1, -2, row.step, -3 * row.step, 7 * row.step} {
				mass, tails := law.Mass(x), sub(law.Tail(x), law.Tail(x+1))
				// Tails of a wide discrete Gaussian are known to 1e-9 of themselves only; their difference is a mass of about 1/σ.
				bound := 1e-36
				if row.scale.Num > directSigma*row.scale.Den {
					bound = 1e-14
				}
				if d, _ := sub(mass, tails).Float64(); math.Abs(d) > bound {
					t.Errorf("%T at %v: P(X = %d) and the difference of tails differ by %g", law, row.scale, x, d)
				}
			}
		}
	}
}

// Beyond σ = 64 tails come from an integral: it is compared with the sum that is used below.
func TestWideTailsMatchTheirSums(t *testing.T) {
	d := must(NewDiscreteGaussian(Ratio{65, 1}))
	for _, x := range []int64{1, 2, 30, 65, 200, 450, 715} {
		ratio, _ := quo(d.Tail(x), quo(d.above(x), d.total())).Float64()
		if math.Abs(ratio-1) > 1e-9 {
			t.Errorf("P(X ≥ %d) is off by %g of itself", x, ratio-1)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	for _, r := range []Ratio{{}, {0, 1}, {1, 0}, {1, 65}, {1<<52 + 1, 1}, {1<<63 + 1, 1 << 62}, {1 << 63, 1<<63 - 1}, {math.MaxUint64, 1}} {
		_, err := NewDiscreteLaplace(r)
		_, err2 := NewDiscreteGaussian(r)
		_, err3 := NewRoundedGaussian(r)
		_, err4 := NewGeometric(r)
		for _, e := range []error{err, err2, err3, err4} {
			if wrong, ok := errors.AsType[*Error](e); !ok || !errors.Is(e, ErrParams) || wrong.Rule == "" || wrong.Member == "" {
				t.Errorf("scale %v: error = %v, want a refusal", r, e)
			}
		}
	}
	for _, r := range []Ratio{{1, 64}, {1 << 52, 1}, {1 << 63, 1 << 62}, {1<<62 - 1, 1<<62 - 2}} {
		if _, err := NewDiscreteGaussian(r); err != nil {
			t.Errorf("scale %v is refused: %v", r, err)
		}
	}
}

func TestALawWithoutConstructorPanics(t *testing.T) {
	s := NewSource()
	for name, draw := range map[string]func(){
		"DiscreteLaplace": func() { DiscreteLaplace{}.Sample(s) }, "DiscreteGaussian": func() { DiscreteGaussian{}.Sample(s) },
		"RoundedGaussian": func() { RoundedGaussian{}.Sample(s) }, "Geometric": func() { Geometric{}.Sample(s) }, "Staircase": func() { Staircase{}.Sample(s) },
		"Exponential": func() { new(Exponential).Choose(s, []int64{1}) }, "NoisyMax": func() { NoisyMax{}.Choose(s, []int64{1}) }, "Partitions": func() { new(Partitions).Keep(s, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the zero %s answered", name)
				}
			}()
			draw()
		}()
	}
}

func BenchmarkSample(b *testing.B) {
	for _, r := range []Ratio{{1, 1}, {10, 1}, {1 << 40, 7}} {
		for name, law := range map[string]Law{"discrete_laplace": must(NewDiscreteLaplace(r)), "discrete_gaussian": must(NewDiscreteGaussian(r)), "rounded_gaussian": must(NewRoundedGaussian(r)), "geometric": must(NewGeometric(r)), "staircase": must(NewStaircase(Ratio{r.Den, r.Num}, 10))} {
			b.Run(name+"/"+r.Rat().RatString(), func(b *testing.B) {
				s := NewSource()
				for b.Loop() {
					law.Sample(s)
				}
			})
		}
	}
}

func BenchmarkRelease(b *testing.B) {
	s, law := NewSource(), must(LaplaceFor(nano, 1<<20))
	for b.Loop() {
		Release(s, 1<<40, law)
	}
}

func BenchmarkChooseOf1000(b *testing.B) {
	scores := make([]int64, 1000)
	for i := range scores {
		scores[i] = int64(i % 50)
	}
	s := NewSource()
	e, m := must(ExponentialFor(nano, 1)), must(NoisyMaxFor(nano, 1))
	b.Run("exponential", func(b *testing.B) {
		for b.Loop() {
			must(e.Choose(s, scores))
		}
	})
	b.Run("noisy_max", func(b *testing.B) {
		for b.Loop() {
			must(m.Choose(s, scores))
		}
	})
}

func BenchmarkKeep(b *testing.B) {
	s, p := NewSource(), must(NewPartitions(PartitionOptions{nano, 10_000_000_000, 1}))
	for b.Loop() {
		p.Keep(s, 9)
	}
}
