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
	for _, law := range []Law{DiscreteLaplace{}, DiscreteGaussian{}, RoundedGaussian{}, Geometric{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the zero %T gave a sample", law)
				}
			}()
			law.Sample(NewSource())
		}()
	}
}

func BenchmarkSample(b *testing.B) {
	for _, r := range []Ratio{{1, 1}, {10, 1}, {1 << 40, 7}} {
		for name, law := range map[string]Law{"discrete_laplace": must(NewDiscreteLaplace(r)), "discrete_gaussian": must(NewDiscreteGaussian(r)), "rounded_gaussian": must(NewRoundedGaussian(r)), "geometric": must(NewGeometric(r))} {
			b.Run(name+"/"+r.Rat().RatString(), func(b *testing.B) {
				s := NewSource()
				for b.Loop() {
					law.Sample(s)
				}
			})
		}
	}
}
