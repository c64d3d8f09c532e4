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
	return func() Draw {
		s := noise.NewSource()
		return func(_ context.Context, dst []int64) error {
			for i := range dst {
				dst[i] = one(s)
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
	for _, err := range errs {
		if err != nil && s.err == nil {
			s.err = fmt.Errorf("%s, %s: %w", mechanism, parameters, err)
		}
	}
	s.list = append(s.list, Sampler{mechanism, parameters, law, draws(sample)})
}
