package audit

import (
	"context"
	"fmt"
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Sampler is one of scrim's own, with the law that it must follow.
type Sampler struct {
	Mechanism  string
	Parameters string
	Law        Law
	Draw       func() Draw
}

// draws makes a Draw of a function that answers once, each goroutine with a source of its own.
func draws(one func(s *noise.Source) int64) func() Draw {
	return tries(func(s *noise.Source) (int64, error) { return one(s), nil })
}

// tries is draws of a function that may fail.
func tries(one func(s *noise.Source) (int64, error)) func() Draw {
	return func() Draw {
		s := noise.NewSource()
		return func(_ context.Context, dst []int64) (err error) {
			for i := range dst {
				if dst[i], err = one(s); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// wide is a scale at which noise on fixed-point sums is: a sum of amounts to the cent, or to the millionth.
const wide = 1 << 40

// Samplers are all kinds of noise and choice that package noise has, each with narrow, odd and wide parameters.
func Samplers() ([]Sampler, error) {
	var all samplers
	for _, scale := range []noise.Ratio{{Num: 1, Den: 4}, {Num: 1, Den: 1}, {Num: 10, Den: 3}, {Num: 1000, Den: 7}, {Num: wide, Den: 1}, {Num: 1<<62 - 1, Den: 1<<20 + 1}} {
		parameters := fmt.Sprintf("scale %d/%d", scale.Num, scale.Den)
		laplace, err := noise.NewDiscreteLaplace(scale)
		law, wrong := DiscreteLaplaceLaw(number(scale))
		all.add("discrete Laplace", parameters, law, laplace.Sample, err, wrong)

		geometric, err := noise.NewGeometric(scale)
		law, wrong = GeometricLaw(1 / number(scale))
		all.add("geometric", parameters, law, geometric.Sample, err, wrong)
	}
	for _, sigma := range []noise.Ratio{{Num: 1, Den: 3}, {Num: 1, Den: 1}, {Num: 17, Den: 5}, {Num: 1001, Den: 1}, {Num: wide, Den: 1}, {Num: 1<<62 - 1, Den: 1<<20 + 1}} {
		parameters := fmt.Sprintf("σ %d/%d", sigma.Num, sigma.Den)
		discrete, err := noise.NewDiscreteGaussian(sigma)
		law, wrong := DiscreteGaussianLaw(number(sigma) * number(sigma))
		all.add("discrete Gaussian", parameters, law, discrete.Sample, err, wrong)

		rounded, err := noise.NewRoundedGaussian(sigma)
		law, wrong = RoundedGaussianLaw(number(sigma))
		all.add("rounded Gaussian", parameters, law, rounded.Sample, err, wrong)
	}
	for _, c := range []struct {
		epsilon noise.Ratio
		width   int64
	}{{noise.Ratio{Num: 1, Den: 2}, 1}, {noise.Ratio{Num: 3, Den: 1}, 7}, {noise.Ratio{Num: 1, Den: 10}, 1_000_000}} {
		staircase, err := noise.NewStaircase(c.epsilon, c.width)
		law, wrong := StaircaseLaw(number(c.epsilon), c.width, staircase.Flat())
		all.add("staircase", fmt.Sprintf("ε %d/%d, sensitivity %d", c.epsilon.Num, c.epsilon.Den, c.width), law, staircase.Sample, err, wrong)
	}
	all.choices()
	law, wrong := TableLaw(0, []float64{1, 1, 1, 1, 1, 1, 1})
	all.add("uniform", "below 7", law, func(s *noise.Source) int64 { return int64(s.Below(7)) }, nil, wrong)
	law, wrong = TableLaw(0, []float64{1, 1})
	all.add("coin", "fair", law, func(s *noise.Source) int64 { return int64(s.Coin()) }, nil, wrong)
	return all.list, all.err
}

// number is a ratio to the last digit of a float64.
func number(r noise.Ratio) float64 {
	x, _ := new(big.Rat).SetFrac(new(big.Int).SetUint64(r.Num), new(big.Int).SetUint64(r.Den)).Float64()
	return x
}

type samplers struct {
	list []Sampler
	err  error
}

func (s *samplers) add(mechanism, parameters string, law Law, sample func(*noise.Source) int64, errs ...error) {
	s.make(mechanism, parameters, law, draws(sample), errs...)
}

func (s *samplers) make(mechanism, parameters string, law Law, draw func() Draw, errs ...error) {
	for _, err := range errs {
		if err != nil && s.err == nil {
			s.err = fmt.Errorf("%s, %s: %w", mechanism, parameters, err)
		}
	}
	s.list = append(s.list, Sampler{mechanism, parameters, law, draw})
}
