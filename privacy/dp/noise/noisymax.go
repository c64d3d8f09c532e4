package noise

import "math/big"

// NoisyMax chooses the candidate whose score is highest after exponential noise of a scale, as permute-and-flip (McKenna, Sheldon 2020), which has the same
// law (Ding, Kifer, Sayed, Steinke, Wang, Xiao, Zhang 2021) and can be drawn exactly: each candidate stands up with probability
// exp(−(best−score)/scale), and one of those standing is taken at random. The best always stands.
//
// If one unit moves each score by at most Δ, the choice is ε-differentially private for ε = 2Δ/scale; for Δ/scale if all scores move in the same direction.
// Proof by the noisy maximum: fix the noise of all others; candidate i wins if its noise is at least M − scoreᵢ, M being the best of
// the others; that difference moves by at most 2Δ (by at most Δ in the second case, where M and the score move the same way by at most Δ each), and
// the tail exp(−max(a,0)/scale) of the noise by at most exp(|change|/scale). Its expected score is never below that of the exponential mechanism at
// the same ε (McKenna, Sheldon 2020).
//
// Unlike [Exponential] it is not of ε-bounded range: it costs ε²/2 of zCDP as whatever is ε-differentially private does, not ε²/8.
type NoisyMax struct{ scale Ratio }

// NewNoisyMax returns the mechanism of that scale, or [ErrParams]: 1/64 ≤ scale ≤ 2^52.
func NewNoisyMax(scale Ratio) (NoisyMax, error) {
	r, err := checkScale("scale", scale)
	return NoisyMax{r}, err
}

// NoisyMaxFor returns the mechanism whose ε at that score sensitivity is at most epsilonNano/10^9, for scores that may move in any direction: scale = 2Δ/ε.
func NoisyMaxFor(epsilonNano, sensitivity int64) (NoisyMax, error) {
	if err := checkCost("epsilon", epsilonNano, sensitivity); err != nil { // before 2Δ may wrap
		return NoisyMax{}, err
	}
	if sensitivity > 1<<61 {
		return NoisyMax{}, refuse("sensitivity", "is too large")
	}
	r, err := ratioFor("epsilon", epsilonNano, 2*sensitivity)
	if err != nil {
		return NoisyMax{}, err
	}
	return NewNoisyMax(r)
}

// Scale is exactly what is sampled, in lowest terms.
func (m NoisyMax) Scale() Ratio { return m.scale }

// EpsilonNano is what a choice costs at that score sensitivity: 2Δ/scale in units of 10^−9, rounded up.
func (m NoisyMax) EpsilonNano(sensitivity int64) int64 {
	d := big.NewInt(sensitivity)
	return nanoUp(d.Lsh(d, 1), m.scale, 1)
}

// Choose returns the place of the chosen candidate; scores must be between 1 and [MaxCandidates] many, else [ErrParams]. Each
// candidate costs the same draws whether it stands or not.
func (m NoisyMax) Choose(s *Source, scores []int64) (int, error) {
	if m.scale.Num == 0 {
		panic(noLaw)
	}
	if len(scores) == 0 || len(scores) > MaxCandidates {
		return 0, refuse("scores", "must be between 1 and 2^20 many")
	}
	best := scores[0]
	for _, v := range scores {
		best = max(best, v)
	}
	at, standing := 0, uint64(0)
	for i, v := range scores {
		g := uint64(best) - uint64(v)
		stands := bernoulliGap(s, g, m.scale) || g == 0
		// The k-th that stands replaces the choice with probability 1/k, which leaves a uniform one.
		takes := s.Below(standing+1) == 0
		if stands {
			standing++
			if takes {
				at = i
			}
		}
	}
	return at, nil
}

// Probabilities are the probabilities of the candidates, for auditors: pᵢ·Σ_k P(k others stand)/(k+1). Time grows with the cube of their number.
func (m NoisyMax) Probabilities(scores []int64) []*big.Float {
	if len(scores) == 0 {
		return nil
	}
	best := scores[0]
	for _, v := range scores {
		best = max(best, v)
	}
	p := make([]*big.Float, len(scores))
	for i, v := range scores {
		p[i] = expOver(uint64(best)-uint64(v), m.scale)
	}
	all := make([]*big.Float, len(scores))
	for i := range scores {
		counts := []*big.Float{unity()} // counts[k]: k others stand
		for j := range scores {
			if j == i {
				continue
			}
			counts = append(counts, new(big.Float).SetPrec(massBits))
			for k := len(counts) - 1; k >= 0; k-- {
				counts[k] = mul(counts[k], sub(unity(), p[j]))
				if k > 0 {
					counts[k].Add(counts[k], mul(counts[k-1], p[j]))
				}
			}
		}
		sum := new(big.Float).SetPrec(massBits)
		for k, c := range counts {
			sum.Add(sum, quo(c, new(big.Float).SetInt64(int64(k+1))))
		}
		all[i] = mul(p[i], sum)
	}
	return all
}
