package noise

import (
	"math"
	"math/big"
)

const (
	nano  = 1_000_000_000
	femto = 1_000_000_000_000_000
)

// LaplaceFor returns the discrete Laplace law under which an integer (or a vector) of L1 sensitivity Δ is released with ε of at most epsilonNano/10^9: of
// scale Δ/ε, exactly where its terms fit, else rounded towards more noise by less than one part in 2^50.
// Ask [DiscreteLaplace.EpsilonNano] what it costs. It returns [ErrParams] unless both are positive and the scale is in range.
func LaplaceFor(epsilonNano, sensitivity int64) (DiscreteLaplace, error) {
	r, err := ratioFor("epsilon", epsilonNano, sensitivity)
	if err != nil {
		return DiscreteLaplace{}, err
	}
	return NewDiscreteLaplace(r)
}

// EpsilonNano is what the law costs at an L1 sensitivity: Δ/scale in units of 10^−9, rounded up; math.MaxInt64 if it does not fit, or if the
// sensitivity is negative.
func (d DiscreteLaplace) EpsilonNano(sensitivity int64) int64 {
	return nanoUp(big.NewInt(sensitivity), d.scale, 1)
}

// GaussianFor returns the discrete Gaussian under which an integer vector is released with ρ-zCDP for ρ at most rhoNano/10^9. The sensitivity is given as its
// square, Δ², so that √(l₀)·l∞ stays an integer: σ = Δ/√(2ρ), rounded towards more noise by less than one part in 2^50 where it is not rational.
func GaussianFor(rhoNano, sensitivitySquared int64) (DiscreteGaussian, error) {
	if err := checkCost("rho", rhoNano, sensitivitySquared); err != nil { // before 2ρ may wrap
		return DiscreteGaussian{}, err
	}
	if rhoNano > math.MaxInt64/2 {
		return DiscreteGaussian{}, refuse("rho", "is too large")
	}
	r, err := rootFor("rho", 2*rhoNano, sensitivitySquared)
	if err != nil {
		return DiscreteGaussian{}, err
	}
	return NewDiscreteGaussian(r)
}

// RhoNano is what the law costs: Δ²/(2σ²) in units of 10^−9, rounded up; math.MaxInt64 if it does not fit.
func (d DiscreteGaussian) RhoNano(sensitivitySquared int64) int64 {
	return nanoUp(big.NewInt(sensitivitySquared), d.sigma, -2)
}

// RoundedGaussianFor returns the rounded Gaussian under which an integer vector is released with μ-GDP for μ² at most mu2Nano/10^9: σ = Δ/μ.
func RoundedGaussianFor(mu2Nano, sensitivitySquared int64) (RoundedGaussian, error) {
	r, err := rootFor("mu2", mu2Nano, sensitivitySquared)
	if err != nil {
		return RoundedGaussian{}, err
	}
	return NewRoundedGaussian(r)
}

// Mu2Nano is what the law costs: μ² = Δ²/σ² in units of 10^−9, rounded up; math.MaxInt64 if it does not fit.
func (d RoundedGaussian) Mu2Nano(sensitivitySquared int64) int64 {
	return nanoUp(big.NewInt(sensitivitySquared), d.sigma, 2)
}

// RhoNano is the same cost as zCDP: Δ²/(2σ²), rounded up.
func (d RoundedGaussian) RhoNano(sensitivitySquared int64) int64 {
	return nanoUp(big.NewInt(sensitivitySquared), d.sigma, -2)
}

// nanoUp is ⌈10^9·s/r^power⌉ for power 1 or 2, and for −2 half of that for 2.
func nanoUp(s *big.Int, r Ratio, power int) int64 {
	if s.Sign() < 0 || r.Num == 0 {
		return math.MaxInt64
	}
	n := new(big.Int).Mul(s, big.NewInt(nano))
	d := big.NewInt(1)
	for i := 0; i < max(power, -power); i++ {
		n.Mul(n, new(big.Int).SetUint64(r.Den))
		d.Mul(d, new(big.Int).SetUint64(r.Num))
	}
	if power < 0 {
		d.Lsh(d, 1)
	}
	if n.Add(n, d).Sub(n, one).Quo(n, d); !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

func checkCost(member string, cost, sensitivity int64) error {
	if cost <= 0 {
		return refuse(member, "must be positive")
	}
	if sensitivity <= 0 {
		return refuse("sensitivity", "must be positive")
	}
	return nil
}

// ratioFor is sensitivity·10^9/cost, rounded up.
func ratioFor(member string, cost, sensitivity int64) (Ratio, error) {
	if err := checkCost(member, cost, sensitivity); err != nil {
		return Ratio{}, err
	}
	r := big.NewRat(sensitivity, cost)
	r.Mul(r, big.NewRat(nano, 1))
	return ratioAbove(member, r)
}

// ratioAbove is r itself if its terms are below 2^62, else the least n/2^j ≥ r with the largest j for which n is below 2^61.
func ratioAbove(member string, r *big.Rat) (Ratio, error) {
	if r.Num().BitLen() <= 61 && r.Denom().BitLen() <= 61 {
		return Ratio{r.Num().Uint64(), r.Denom().Uint64()}, nil
	}
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	if whole.BitLen() > 53 {
		return Ratio{}, refuse(member, "asks for noise wider than 2^52 at this sensitivity")
	}
	j := uint(60 - whole.BitLen())
	n := new(big.Int).Lsh(r.Num(), j)
	n.Add(n, r.Denom()).Sub(n, one).Quo(n, r.Denom())
	return Ratio{n.Uint64(), 1 << j}, nil
}

// rootFor is √(square·10^9/cost), rounded up.
func rootFor(member string, cost, square int64) (Ratio, error) {
	if err := checkCost(member, cost, square); err != nil {
		return Ratio{}, err
	}
	r := big.NewRat(square, cost)
	r.Mul(r, big.NewRat(nano, 1))
	n, d := new(big.Int).Sqrt(r.Num()), new(big.Int).Sqrt(r.Denom())
	if new(big.Int).Mul(n, n).Cmp(r.Num()) == 0 && new(big.Int).Mul(d, d).Cmp(r.Denom()) == 0 {
		return ratioAbove(member, new(big.Rat).SetFrac(n, d))
	}
	// n is the least integer with (n/2^j)² ≥ r: ⌊√v⌋+1 for v = ⌊r·4^j⌋, because (⌊√v⌋+1)² ≥ v+1 > r·4^j.
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	if whole.BitLen() > 105 {
		return Ratio{}, refuse(member, "asks for noise wider than 2^52 at this sensitivity")
	}
	j := uint(60 - (whole.BitLen()+1)/2)
	v := new(big.Int).Lsh(r.Num(), 2*j)
	v.Quo(v, r.Denom()).Sqrt(v).Add(v, one)
	return Ratio{v.Uint64(), 1 << j}, nil
}
