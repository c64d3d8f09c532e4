package audit

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// choices adds what chooses and decides to the samplers.
func (s *samplers) choices() {
	scores := []int64{10, 9, 7, 7, 0, -3}
	base := noise.Ratio{Num: 3, Den: 4}
	exponential, err := noise.NewExponential(base.Num, uint(bits.Len64(base.Den)-1))
	law, wrong := exponentialLaw(scores, number(base))
	s.make("exponential mechanism", "base 3/4, scores 10 9 7 7 0 −3", law, chosen(exponential, scores), err, wrong)

	scale := noise.Ratio{Num: 5, Den: 2}
	highest, err := noise.NewNoisyMax(scale)
	law, wrong = noisyMaxLaw(scores, number(scale))
	s.make("noisy maximum", "scale 5/2, scores 10 9 7 7 0 −3", law, tries(func(src *noise.Source) (int64, error) {
		i, err := highest.Choose(src, scores)
		return int64(i), err
	}), err, wrong)

	values := []int64{0, 3, 1, 5, 4, 6}
	o := noise.SparseOptions{Sensitivity: 1, Positives: 1, Threshold: 5, ThresholdScale: noise.Ratio{Num: 3, Den: 2}, QueryScale: noise.Ratio{Num: 5, Den: 2}}
	law, wrong = sparseLaw(values, o.Threshold, number(o.ThresholdScale), number(o.QueryScale))
	s.make("sparse vector", "scales 3/2 and 5/2, values 0 3 1 5 4 6, threshold 5", law, tries(firstAbove(o, values)), wrong)

	p := noise.PartitionOptions{EpsilonNano: 700_000_000, DeltaFemto: 10_000_000_000_000, PerUnit: 2}
	partitions, err := noise.NewPartitions(p)
	for _, units := range []int64{1, 4, 9} {
		keep := keepProbability(0.7/2, 0.01/2, units)
		law, wrong = TableLaw(0, []float64{1 - keep, keep})
		s.add("partition selection", fmt.Sprintf("ε 0.7, δ 0.01, 2 a unit; %d units", units), law, func(src *noise.Source) int64 {
			return int64(indicator(partitions.Keep(src, units)))
		}, err, wrong)
	}
}

// candidates are scores of which one unit moves each by so much, some up and some down: the first is worst on a and best on b. There
// are so many that what the first candidate's own score weighs shows twice, in its weight and in the sum of all.
func candidates(moves int64) (a, b []int64) {
	const others = 20
	a, b = []int64{0}, []int64{moves}
	for range others {
		a, b = append(a, moves), append(b, 0)
	}
	return a, b
}

func exponentialPair(s Setting) (Pair, string, error) {
	law, err := noise.ExponentialFor(nano(s.Claim.Epsilon), s.Sensitivity)
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	a, b := candidates(s.Moves)
	x, y := law.Base()
	return Pair{A: chosen(law, a), B: chosen(law, b)}, fmt.Sprintf("base %.9g, %d candidates", math.Ldexp(float64(x), -int(y)), len(a)), nil
}

func noisyMaxPair(s Setting) (Pair, string, error) {
	law, err := noise.NoisyMaxFor(nano(s.Claim.Epsilon), s.Sensitivity)
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	a, b := candidates(s.Moves)
	choose := func(scores []int64) func() Draw {
		return tries(func(src *noise.Source) (int64, error) {
			i, err := law.Choose(src, scores)
			return int64(i), err
		})
	}
	return Pair{A: choose(a), B: choose(b)}, fmt.Sprintf("scale %s, %d candidates", law.Scale().Rat().RatString(), len(a)), nil
}

// sparsePair is a stream in which one unit moves all values down and one up.
func sparsePair(s Setting) (Pair, string, error) {
	o, err := noise.SparseFor(nano(s.Claim.Epsilon), noise.SparseOptions{Sensitivity: s.Sensitivity, Positives: 1, Threshold: s.Sensitivity})
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	a, b := candidates(s.Moves)
	slices.Reverse(a)
	slices.Reverse(b)
	return Pair{A: tries(firstAbove(o, a)), B: tries(firstAbove(o, b))},
		fmt.Sprintf("scales %.6g and %.6g, 1 positive of %d", number(o.ThresholdScale), number(o.QueryScale), len(a)), nil
}

// partitionPair is partitions of so many units that one more makes the most of ε, and of one more: all those that the one unit is in. The
// answer is how many of them are shown.
func partitionPair(s Setting) (Pair, string, error) {
	p, err := noise.NewPartitions(noise.PartitionOptions{EpsilonNano: nano(s.Claim.Epsilon), DeltaFemto: femto(s.Claim.Delta), PerUnit: s.Sensitivity})
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	if s.Moves > 1024 {
		return Pair{}, "", &Error{Member: "moves", Rule: "must be at most 1024 partitions"}
	}
	units := int64(1) // half of where it is certain, by symmetry the last that is multiplied by e^ε
	if c := p.Certain(); c > 3 {
		units = c/2 - 1
	}
	kept := func(units int64) func() Draw {
		return draws(func(src *noise.Source) int64 {
			shown := int64(0)
			for range s.Moves {
				shown += int64(indicator(p.Keep(src, units)))
			}
			if shown == 0 {
				return Absent
			}
			return shown
		})
	}
	return Pair{A: kept(units), B: kept(units + 1)}, fmt.Sprintf("kept for certain from %d units, %d a unit", p.Certain(), s.Sensitivity), nil
}

// thresholdPair is a partition that only one unit is in, and nobody else: it may be shown with probability δ.
func thresholdPair(s Setting) (Pair, string, error) {
	law, err := noise.LaplaceFor(nano(s.Claim.Epsilon), s.Sensitivity)
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	least, err := noise.ThresholdFor(law, s.Sensitivity, 1, femto(s.Claim.Delta))
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	return Pair{
		A: draws(func(*noise.Source) int64 { return Absent }),
		B: draws(func(src *noise.Source) int64 {
			if v := noise.Release(src, s.Moves, law); v >= least {
				return v
			}
			return Absent
		}),
	}, fmt.Sprintf("scale %s, shown from %d", law.Scale().Rat().RatString(), least), nil
}

// femto is δ in 10⁻¹⁵, rounded down.
func femto(delta float64) int64 { return int64(math.Floor(delta * 1e15)) }

// chosen makes draws from the exponential mechanism.
func chosen(e noise.Exponential, scores []int64) func() Draw {
	return tries(func(s *noise.Source) (int64, error) {
		i, err := e.Choose(s, scores)
		return int64(i), err
	})
}

// firstAbove is which value is the first that a sparse vector finds above its threshold, or how many there are if none is.
func firstAbove(o noise.SparseOptions, values []int64) func(*noise.Source) (int64, error) {
	return func(s *noise.Source) (int64, error) {
		sparse, err := noise.NewSparse(s, o)
		if err != nil {
			return 0, err
		}
		for i, v := range values {
			above, err := sparse.Above(v)
			if err != nil || above {
				return int64(i), err
			}
		}
		return int64(len(values)), nil
	}
}

// exponentialLaw is the law of a candidate with probability ∝ base^(best − score) (Ilvento 2020).
func exponentialLaw(scores []int64, base float64) (Law, error) {
	best := scores[0]
	for _, s := range scores {
		best = max(best, s)
	}
	var weights []float64
	for _, s := range scores {
		weights = append(weights, math.Pow(base, float64(best-s)))
	}
	return TableLaw(0, weights)
}

// noisyMaxLaw is the law of the highest of scores with exponential noise added, by the definition and not by how it is drawn:
// candidate i wins if its noise is t and all others stay below it, P = ∫ e^(−t/s)/s·Π (1 − e^(−(tᵢ + scoreᵢ − scoreⱼ)⁺/s)) dt. The product
// is a sum over sets of others of ±e^(−…), whose integral from where all factors are positive is elementary.
func noisyMaxLaw(scores []int64, scale float64) (Law, error) {
	if len(scores) > 16 {
		return Law{}, &Error{Member: "scores", Rule: "must be at most 16"}
	}
	probabilities := make([]float64, len(scores))
	for i, own := range scores {
		begin := 0.0 // below this the product is 0: another's score alone is higher
		var others []float64
		for j, other := range scores {
			if j != i {
				begin = max(begin, float64(other-own)/scale)
				others = append(others, float64(own-other)/scale)
			}
		}
		for set := range 1 << len(others) {
			exponent, size, sign := 0.0, 1.0, 1.0
			for j, gap := range others {
				if set>>j&1 == 1 {
					exponent, size, sign = exponent+gap, size+1, -sign
				}
			}
			probabilities[i] += sign * math.Exp(-exponent-size*begin) / size
		}
	}
	return TableLaw(0, probabilities)
}

// sparseLaw is the law of the first value that is above the noisy threshold, by summing over the threshold's noise.
func sparseLaw(values []int64, threshold int64, thresholdScale, queryScale float64) (Law, error) {
	ofThreshold, err := DiscreteLaplaceLaw(thresholdScale)
	if err != nil {
		return Law{}, err
	}
	ofQuery, err := DiscreteLaplaceLaw(queryScale)
	if err != nil {
		return Law{}, err
	}
	probabilities := make([]float64, len(values)+1)
	reach := int64(50 * thresholdScale)
	for rho := -reach; rho <= reach; rho++ {
		left := ofThreshold.Probability(rho)
		for i, v := range values {
			above := ofQuery.upper(threshold + rho - v)
			probabilities[i] += left * above
			left *= 1 - above
		}
		probabilities[len(values)] += left
	}
	return TableLaw(0, probabilities)
}

// keepProbability is the greatest probability with which a partition of so many units may be kept, by the recursion of Desfontaines,
// Voss, Gipson, Mandayam 2020 (theorem 1).
func keepProbability(epsilon, delta float64, units int64) float64 {
	keep := 0.0
	for range units {
		keep = min(math.Exp(epsilon)*keep+delta, 1-math.Exp(-epsilon)*(1-keep-delta), 1)
	}
	return keep
}
