package continual

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
)

// Method is how the noise of the steps is correlated.
type Method string

// Methods, which docs/spec/dp-continual.md describes. The running sum of a long stream has the least error by [SquareRoot] with a wide band; [Tree]
// keeps a few numbers only, and its error grows with the logarithm of the horizon whatever the band.
const (
	Tree       Method = "tree"        // binary tree with the combination of Honaker, from below
	SquareRoot Method = "square-root" // banded square root of the matrix that sums
)

// Contribution bounds how one privacy unit moves the stream; whoever prepares the values holds it. An event moves one step: Steps is 1. A
// user-day, where a step is an hour, moves up to 24: Steps is 24, and Apart 1.
type Contribution struct {
	Steps int   `json:"steps"` // in how many steps of an epoch one unit has a part, at most
	Apart int   `json:"apart"` // how far one of them is from the next, at least; 1: they may follow one another
	Keys  int   `json:"keys"`  // how many values of one step one unit moves, at most
	Most  int64 `json:"most"`  // by how much it moves each, at most, in the unit of the values
}

// Params describe a stream, once and for all. They are public, and no field has a default but those that say so.
type Params struct {
	Method       Method       `json:"method"`
	Keys         int          `json:"keys"`             // values of one step, each with a running sum of its own
	Horizon      int          `json:"horizon"`          // steps of the first epoch; each further epoch has twice as many as the one before
	Epochs       int          `json:"epochs,omitempty"` // how many there may be; 0: 1, so the stream ends with its horizon
	Rho          int64        `json:"rho"`              // nano-ρ of zCDP that one epoch costs, at most
	Contribution Contribution `json:"contribution"`
	Band         int          `json:"band,omitempty"`   // coefficients of the square root that are kept, which is also the noise kept per value; 0: 1024
	Window       int          `json:"window,omitempty"` // the widest sliding window, in steps; 0: none
}

// Bounds of parameters. With them no sum of the exact arithmetic overflows.
const (
	mostKeys    = 1 << 16
	mostSteps   = 1 << 24 // of one epoch
	mostBand    = 1 << 20
	mostMoved   = 1 << 40 // of Contribution.Most
	mostRho     = 1_000_000_000_000
	mostKept    = 1 << 26 // numbers of noise kept between steps
	defaultBand = 1024

	mostScale  = 40 // fractional bits of noise and coefficients
	leastScale = 12
	mostSigma  = 1 << 46 // of one draw, in units of 2^−scale
)

// ErrParams is what every [*ParamError] is.
var ErrParams = errors.New("parameters of the stream are not valid")

// ParamError names the member that breaks a rule, and the rule.
type ParamError struct{ Member, Rule string }

// Error implements error.
func (e *ParamError) Error() string { return fmt.Sprintf("%v: %s %s", ErrParams, e.Member, e.Rule) }

// Unwrap returns [ErrParams].
func (e *ParamError) Unwrap() error { return ErrParams }

// check returns the parameters with their defaults, or a [*ParamError].
func (p Params) check() (Params, error) {
	if p.Epochs == 0 {
		p.Epochs = 1
	}
	if p.Band == 0 && p.Method == SquareRoot {
		p.Band = defaultBand
	}
	c := p.Contribution
	for _, rule := range []struct {
		holds        bool
		member, says string
	}{
		{p.Method == Tree || p.Method == SquareRoot, "method", "is tree or square-root"},
		{p.Keys >= 1 && p.Keys <= mostKeys, "keys", "is from 1 to 65536"},
		{p.Horizon >= 1 && p.Horizon <= mostSteps, "horizon", "is from 1 to 2^24 steps"},
		{p.Epochs >= 1 && p.Epochs <= 24 && p.Horizon <= mostSteps>>max(0, min(p.Epochs, 24)-1), "epochs", "is from 1 on, and the last has at most 2^24 steps"},
		{p.Rho >= 1 && p.Rho <= mostRho, "rho", "is from 1 nano to 1000"},
		{c.Steps >= 1 && c.Steps <= mostSteps, "contribution.steps", "is from 1 to 2^24"},
		{c.Apart >= 1 && c.Apart <= mostSteps, "contribution.apart", "is from 1 to 2^24"},
		{c.Keys >= 1 && c.Keys <= p.Keys, "contribution.keys", "is from 1 to keys"},
		{c.Most >= 1 && c.Most <= mostMoved, "contribution.most", "is from 1 to 2^40"},
		{p.Band >= 0 && p.Band <= mostBand && (p.Band == 0) == (p.Method != SquareRoot), "band", "is from 1 to 2^20, and of square-root alone"},
		{p.Band <= mostKept/max(1, min(p.Keys, mostKeys)), "band", "times keys is at most 2^26"},
		{p.Window >= 0 && p.Window <= mostSteps, "window", "is from 0 to 2^24"},
	} {
		if !rule.holds {
			return Params{}, &ParamError{rule.member, rule.says}
		}
	}
	return p, nil
}

// epoch is one run of the mechanism: what follows from the parameters, the same wherever it is computed.
type epoch struct {
	number int
	first  int64 // its first step
	steps  int

	scale   uint     // noise is a whole number of units of 2^−scale
	sigma   uint64   // of one draw, in these units
	squared *big.Int // how far in L2 one unit moves what the noise is added to, squared, in these units, squared
	exact   bool     // squared is that and not only a bound of it
	c       []int64  // coefficients of the square root, in these units
}

// epoch derives the n-th, from 0. The parameters must have been checked.
func (p Params) epoch(n int) (*epoch, error) {
	e := &epoch{number: n, first: int64(p.Horizon)*(1<<n-1) + 1, steps: p.Horizon << n, scale: mostScale}
	for {
		p.protect(e)
		sigma := leastSigma(e.squared, p.Rho)
		over := sigma.BitLen() - bits.Len(mostSigma-1)
		switch {
		case over <= 0:
			e.sigma = sigma.Uint64()
			return e, nil
		case int(e.scale)-over < leastScale:
			return nil, &ParamError{"rho", "asks for more noise than 64 bits hold; let the values have a coarser unit"}
		}
		e.scale -= uint(over)
	}
}

// protect computes what one unit moves, at the scale of e. Several values of one step, and several steps, count together: a unit adds to the
// stream a matrix D = Σ_i e_i·d_iᵀ with one row d_i for each of its steps, of L2 norm at most √keys·most, and moves C·D by
// ‖C·D‖² = Σ_ij (CᵀC)_ij·⟨d_i, d_j⟩ ≤ keys·most²·Σ_ij (CᵀC)_ij, because no entry of CᵀC is negative. The tree is such a C of zeros and ones.
func (p Params) protect(e *epoch) {
	u := p.Contribution
	switch p.Method {
	case Tree:
		var sum int
		sum, e.exact = treeSensitivity(e.steps, u.Steps, u.Apart)
		e.squared = new(big.Int).Lsh(big.NewInt(int64(sum)), 2*e.scale)
	case SquareRoot:
		e.c = squareRoot(min(p.Band, e.steps), e.scale)
		e.squared, e.exact = sensitivity(e.c, e.steps, u.Steps, u.Apart), true
	}
	e.squared.Mul(e.squared, big.NewInt(int64(u.Keys)))
	e.squared.Mul(e.squared, big.NewInt(u.Most))
	e.squared.Mul(e.squared, big.NewInt(u.Most))
}

// leastSigma returns the least whole σ with squared/(2σ²) ≤ rho·10⁻⁹.
func leastSigma(squared *big.Int, rho int64) *big.Int {
	n := new(big.Int).Mul(squared, big.NewInt(1_000_000_000))
	d := big.NewInt(2 * rho)
	q, r := n.QuoRem(n, d, new(big.Int)) // σ² ≥ squared·10⁹/(2·rho), and σ² is whole
	if r.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	root := new(big.Int).Sqrt(q)
	if new(big.Int).Mul(root, root).Cmp(q) < 0 {
		root.Add(root, big.NewInt(1))
	}
	return root
}
