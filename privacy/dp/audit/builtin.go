package audit

import (
	"errors"
	"fmt"
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
	"discrete-laplace":    laplacePair,
	"discrete-gaussian":   gaussianPair(account.DiscreteGaussian, func(r noise.Ratio) (noise.Law, error) { return noise.NewDiscreteGaussian(r) }),
	"rounded-gaussian":    gaussianPair(account.RoundedGaussian, func(r noise.Ratio) (noise.Law, error) { return noise.NewRoundedGaussian(r) }),
	"staircase":           staircasePair,
	"exponential":         exponentialPair,
	"noisy-max":           noisyMaxPair,
	"sparse-vector":       sparsePair,
	"partition-selection": partitionPair,
	"threshold":           thresholdPair,
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
	law, err := noise.LaplaceFor(nano(s.Claim.Epsilon), s.Sensitivity)
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	return released(law, s.Moves), "scale " + law.Scale().Rat().RatString(), nil
}

func staircasePair(s Setting) (Pair, string, error) {
	law, err := noise.NewStaircase(noise.Ratio{Num: uint64(nano(s.Claim.Epsilon)), Den: 1e9}, s.Sensitivity)
	if err != nil {
		return Pair{}, "", unfitting(err)
	}
	return released(law, s.Moves), fmt.Sprintf("steps of %d, flat for %d", law.Sensitivity(), law.Flat()), nil
}

// nano is ε in 10⁻⁹, rounded down.
func nano(epsilon float64) int64 { return int64(math.Floor(min(epsilon, 1e6) * 1e9)) }

// unfitting is a mechanism's refusal of what a claim asks for.
func unfitting(err error) error {
	if bad, ok := errors.AsType[*noise.Error](err); ok {
		return &Error{Member: "epsilon", Rule: "must be one that the mechanism can keep at this sensitivity: " + bad.Member + " " + bad.Rule}
	}
	return err
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
