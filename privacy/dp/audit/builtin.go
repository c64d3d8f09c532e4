package audit

import (
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Setting is how a built-in mechanism is set up for an audit.
type Setting struct {
	Claim       Claim
	Sensitivity int64 // how far one unit moves the answer, as declared; 0 means 1
	Moves       int64 // how far it really does; 0 means as declared. More shows how an audit finds what is declared too low
}

// builtins make a mechanism of scrim's, with the noise that its claim needs, on two neighbours. What they return beside it are
// its parameters in words.
var builtins = map[string]func(s Setting) (Pair, string, error){
	"discrete-laplace":  laplacePair,
	"discrete-gaussian": gaussianPair(account.DiscreteGaussian, func(r noise.Ratio) (noise.Law, error) { return noise.NewDiscreteGaussian(r) }),
	"rounded-gaussian":  gaussianPair(account.RoundedGaussian, func(r noise.Ratio) (noise.Law, error) { return noise.NewRoundedGaussian(r) }),
}

// BuiltIns are the names of [BuiltIn].
func BuiltIns() []string {
	var names []string
	for name := range builtins {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// BuiltIn is one of scrim's mechanisms on two neighbouring datasets, with its parameters in words. It returns an [Error] for a
// name that there is not, or for a setting that the mechanism cannot have.
func BuiltIn(name string, s Setting) (Pair, string, error) {
	build := builtins[name]
	if build == nil {
		return Pair{}, "", &Error{Member: "mechanism", Rule: "must be one that scrim has"}
	}
	if err := s.Claim.check(); err != nil {
		return Pair{}, "", err
	}
	if s.Sensitivity == 0 {
		s.Sensitivity = 1
	}
	if s.Moves == 0 {
		s.Moves = s.Sensitivity
	}
	switch {
	case s.Sensitivity < 1 || s.Sensitivity > noise.MaxScale:
		return Pair{}, "", &Error{Member: "sensitivity", Rule: "must be at least 1 and at most 2⁵²"}
	case s.Moves < 1 || s.Moves > noise.Limit:
		return Pair{}, "", &Error{Member: "moves", Rule: "must be at least 1 and less than 2⁶²"}
	}
	return build(s)
}

func laplacePair(s Setting) (Pair, string, error) {
	if s.Claim.Epsilon < 1e-9 {
		return Pair{}, "", &Error{Member: "epsilon", Rule: "must be at least 10⁻⁹"}
	}
	scale := new(big.Rat).Quo(new(big.Rat).SetInt64(s.Sensitivity), decimal(s.Claim.Epsilon))
	law, err := noise.NewDiscreteLaplace(upward(scale))
	if err != nil {
		return Pair{}, "", &Error{Member: "epsilon", Rule: "must be such that sensitivity/ε is at least 1/64 and at most 2⁵²"}
	}
	return released(law, s.Moves), "scale " + law.Scale().Rat().RatString(), nil
}

func gaussianPair(kind account.Kind, make func(noise.Ratio) (noise.Law, error)) func(s Setting) (Pair, string, error) {
	return func(s Setting) (Pair, string, error) {
		if s.Claim.Delta == 0 {
			return Pair{}, "", &Error{Member: "delta", Rule: "must be more than 0: no Gaussian noise gives δ = 0"}
		}
		sigma, _, err := account.Calibrate([]account.Mechanism{{Kind: kind, Sensitivity: float64(s.Sensitivity)}}, "sigma", s.Claim.Epsilon, s.Claim.Delta)
		if err != nil {
			return Pair{}, "", err
		}
		r := upward(new(big.Rat).SetFloat64(sigma))
		law, err := make(r)
		if err != nil {
			return Pair{}, "", &Error{Member: "epsilon", Rule: "must be such that σ is at least 1/64 and at most 2⁵²"}
		}
		return released(law, s.Moves), "σ " + strconv.FormatFloat(number(r), 'g', 6, 64), nil
	}
}

// released is a number and another that is so far from it, both answered as scrim answers.
func released(law noise.Law, moves int64) Pair {
	return Pair{
		A: draws(func(s *noise.Source) int64 { return noise.Release(s, 0, law) }),
		B: draws(func(s *noise.Source) int64 { return noise.Release(s, moves, law) }),
	}
}

// decimal is the shortest decimal number that reads as x, which is what was written.
func decimal(x float64) *big.Rat {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(x, 'g', -1, 64))
	return r
}

// upward is r as a [noise.Ratio]: r itself where it fits, otherwise the next multiple of 2⁻ᵏ above it that does.
func upward(r *big.Rat) noise.Ratio {
	if r.Num().BitLen() <= 62 && r.Denom().BitLen() <= 62 {
		return noise.Ratio{Num: r.Num().Uint64(), Den: r.Denom().Uint64()}
	}
	whole := new(big.Int).Quo(r.Num(), r.Denom()).BitLen()
	k := uint(max(0, 60-whole))
	up := new(big.Int).Lsh(r.Num(), k)
	up.Add(up, r.Denom()).Sub(up, big.NewInt(1)).Quo(up, r.Denom())
	if !up.IsUint64() {
		return noise.Ratio{Num: math.MaxUint64, Den: 1} // refused by every law
	}
	return noise.Ratio{Num: up.Uint64(), Den: 1 << k}
}
