package query

import (
	"math"
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// exactSensitivity bounds the sensitivity at which discrete Laplace noise is accounted by its own losses; beyond it counts as any
// mechanism of its ε, of which it is post-processing.
const exactSensitivity = 1 << 10

// laplaceMechanism describes the noise to the accountant, never better than it is: the decay is rounded up to a float64.
func laplaceMechanism(d noise.DiscreteLaplace, l1 int64) account.Mechanism {
	if l1 > exactSensitivity {
		return account.Mechanism{Kind: account.Pure, Epsilon: nanos(d.EpsilonNano(l1))}
	}
	s := d.Scale()
	a := floatFrom(new(big.Rat).Inv(s.Rat()), 1)
	return account.Mechanism{Kind: account.DiscreteLaplace, A: a, Sensitivity: float64(l1)}
}

// gaussianMechanism describes the noise in units of the L2 sensitivity, rounded down.
func gaussianMechanism(d noise.RoundedGaussian, square *big.Int) account.Mechanism {
	v := d.Sigma().Rat()
	v.Mul(v, v).Quo(v, new(big.Rat).SetInt(square))
	f, _ := v.Float64()
	f = math.Sqrt(f)
	for range 4 { // two roundings: at most so many steps
		if x := new(big.Rat).SetFloat64(f); x.Mul(x, x).Cmp(v) <= 0 {
			break
		}
		f = math.Nextafter(f, 0)
	}
	return account.Mechanism{Kind: account.RoundedGaussian, Sigma: math.Nextafter(f, 0)} // the accountant reads its shortest decimal
}

// floatFrom is a float64 not below x (side 1) or not above it (side −1), also as the shortest decimal that reads as it.
func floatFrom(x *big.Rat, side int) float64 {
	f, exact := x.Float64()
	if exact {
		return f
	}
	towards := math.Inf(side)
	f = math.Nextafter(f, towards)
	return math.Nextafter(f, towards)
}

// charge computes the cost.
//
// Of Laplace noise it is [account.VectorOf], with δ that of the selection alone, and ε the exact sum. Of Gaussian noise it is
// [account.Batch] at the δ of noise and selection together; (ε, δ) as asked for holds as well, because μ was made of it, and counts where
// the batch's rounding is above it. ε of the noise alone is what the terms left for it.
func (pr *Priced) charge(epsilon int64) error {
	var err error
	spec := pr.spec
	if pr.selection != nil {
		s := pr.chosen
		spec = append(spec, account.Mechanism{Kind: account.PartitionSelection, L0: pr.groups, Epsilon: nanos(s.epsilon), Delta: femtos(s.delta)})
		pr.spec = spec
	}
	if pr.noise == LaplaceNoise {
		if pr.cost, err = account.VectorOf(spec...); err != nil {
			return priceless(err)
		}
		pr.cost.Epsilon = pr.chosen.epsilon
		for i, m := range pr.plan.Measures {
			l1, _ := pr.norms(m)
			pr.cost.Epsilon += pr.laws[i].Law.(noise.DiscreteLaplace).EpsilonNano(l1.Int64())
		}
		return nil
	}
	delta := pr.terms.Delta + pr.chosen.delta
	if delta >= wholeDelta {
		return &TermsError{"delta", "of noise and selection together must be below 1"}
	}
	if pr.cost, err = account.Batch(spec, femtos(delta)); err != nil {
		return priceless(err)
	}
	if asked := epsilon + pr.chosen.epsilon; pr.cost.Epsilon > asked {
		pr.cost.Epsilon, pr.cost.Delta = asked, delta
	}
	return nil
}

// priceless hides the accountant's words, which are about mechanisms nobody chose.
func priceless(error) error {
	return &TermsError{"epsilon", "is too small or too large for the cost of this question to be known"}
}
