package workload

import (
	"fmt"
	"math"
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Plan decides what is measured and with which noise, such that all of it is μ-GDP for μ² = mu2 at most and the weighted sum of variances
// is least: exactly the least of all Gaussian mechanisms for units of one cell, and the least that a descent finds otherwise. It returns
// [ErrTooMuch] or [ErrBudget] by declared facts alone.
//
// With θ_A = n_A²/σ_A² the sum of variances is Σ v_A/θ_A and, for one cell, μ²/Most² is Σ p_A·θ_A, where p_A = Π_{i∈A}(1 − 1/n_i) and v_A = p_A·Σ_{S⊇A}
// w_S/Π_{j∈S∖A} n_j². By Cauchy and Schwarz the least is at θ_A ∝ √(v_A/p_A), and is (Σ √(v_A·p_A))²·Most²/μ².
func Plan(w Workload, u Unit, mu2 *big.Rat) (*Strategy, error) {
	sets, err := w.check()
	if err != nil {
		return nil, err
	}
	if u.Groups < 1 || u.Most < 1 || u.Most > noise.Limit || mu2.Sign() <= 0 {
		return nil, fmt.Errorf("bounds of a unit and a budget are above 0: %w", ErrBudget)
	}
	w.Queries = append([]Query(nil), w.Queries...)
	w.Domain = append([]int(nil), w.Domain...)
	all := set(1)<<len(w.Domain) - 1
	if n := w.cells(all); n <= MostNumbers { // else it is more than that, and how many is not known
		u.Groups = min(u.Groups, int64(n))
	}
	s := &Strategy{w: w, unit: u, sets: sets, at: map[set]int{}}
	for i, a := range sets {
		s.at[a] = i
	}
	theta := s.shape()
	target, _ := mu2.Float64()
	most := float64(u.Most)
	scale := target / (most * most * s.worst(theta)) * (1 - 1e-12)
	for range 20 {
		if err := s.draw(theta, scale); err != nil {
			return nil, err
		}
		if s.mu2 = s.sensitivity(); s.mu2.Cmp(mu2) <= 0 {
			return s, nil
		}
		scale *= 1 - 1e-9 // a rounding too many
	}
	return nil, ErrBudget
}

// draw makes the laws: σ_A = n_A/√(scale·θ_A), rounded up to 40 bits.
func (s *Strategy) draw(theta []float64, scale float64) error {
	s.laws = make([]noise.RoundedGaussian, len(s.sets))
	for i, a := range s.sets {
		sigma := float64(s.w.cells(a)) / math.Sqrt(scale*theta[i])
		if !(sigma >= 1 && sigma < noise.MaxScale) {
			return fmt.Errorf("noise of a deviation below 1 or above 2^52: %w", ErrBudget)
		}
		mantissa, exp := math.Frexp(sigma) // sigma = mantissa·2^exp
		n := uint64(math.Ceil(mantissa * (1 << 40)))
		r := noise.Ratio{Num: n, Den: 1}
		if exp <= 40 {
			r.Den = 1 << (40 - exp)
		} else {
			r.Num <<= exp - 40
		}
		var err error
		if s.laws[i], err = noise.NewRoundedGaussian(r); err != nil {
			return fmt.Errorf("%w: %w", ErrBudget, err)
		}
	}
	return nil
}

// fraction is how many bits behind the point the interval arithmetic of sensitivities has.
const fraction = 128

// sensitivity is the bound on vᵀKv of the package comment, with outward rounding.
func (s *Strategy) sensitivity() *big.Rat {
	size := 1 << len(s.w.Domain)
	low, high := make([]*big.Int, size), make([]*big.Int, size)
	for t := range size {
		low[t], high[t] = new(big.Int), new(big.Int)
	}
	for i, a := range s.sets {
		// n_A/σ_A², by which Π over A of n_i−1 or −1 is still to be multiplied
		v := s.laws[i].Sigma().Rat()
		v.Mul(v, v).Quo(big.NewRat(int64(s.w.cells(a)), 1), v)
		n := new(big.Int).Lsh(v.Num(), fraction)
		n.Quo(n, v.Denom())
		low[a].Set(n)
		high[a].Add(n, big.NewInt(1))
	}
	x, y := new(big.Int), new(big.Int)
	for i, d := range s.w.Domain {
		for t := range size {
			if !set(t).has(i) {
				continue
			}
			without := t &^ (1 << i)
			// agreeing in i: f(without) + (n−1)·f(with); not: f(without) − f(with)
			x.Set(low[t])
			y.Set(high[t])
			n := big.NewInt(int64(d - 1))
			low[t].Mul(low[t], n).Add(low[t], low[without])
			high[t].Mul(high[t], n).Add(high[t], high[without])
			low[without].Sub(low[without], y)
			high[without].Sub(high[without], x)
		}
	}
	off := new(big.Int)
	for t := range size - 1 {
		if !s.possible(set(t)) {
			continue
		}
		for _, k := range []*big.Int{low[t], high[t]} {
			if x.Abs(k).Cmp(off) > 0 {
				off.Set(x)
			}
		}
	}
	g := big.NewInt(s.unit.Groups)
	sum := new(big.Int).Mul(g, x.Sub(g, big.NewInt(1)))
	sum.Mul(sum, off).Add(sum, y.Mul(g, high[size-1]))
	most := big.NewInt(s.unit.Most)
	sum.Mul(sum, most).Mul(sum, most)
	return new(big.Rat).SetFrac(sum, new(big.Int).Lsh(big.NewInt(1), fraction))
}

// possible is whether two cells can agree in T and in nothing else.
func (s *Strategy) possible(t set) bool {
	for i, n := range s.w.Domain {
		if !t.has(i) && n == 1 {
			return false
		}
	}
	return true
}
