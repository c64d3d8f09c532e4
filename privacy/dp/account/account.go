// Package account says what privacy loss a mechanism costs, in every measure that the ledger and its filters know, and the way back:
// how much noise a wanted guarantee takes.
//
// A [Mechanism] is described by its parameters alone, never by data. [VectorOf] gives its cost for sums that are decided step by
// step, [Batch] the tighter cost of a set of mechanisms that is declared before the first of them runs. [RhoCap], [RDPCap] and
// [Mu2Cap] say how much of each measure a guarantee (ε, δ) has room for. [Row.Answer] answers one question of a golden file.
//
// # Rounding
//
// Floating point is used for accounting only and never for noise or answers. A cost is rounded up, a cap, a count and what noise
// may be left out are rounded down. A function whose result is a float64 returns a bound on the safe side: its arithmetic errs by
// less than the margin that its comment states, and that margin is added. Parameters mean the shortest decimal that reads as the
// same float64, so that 0.1 is a tenth.
//
// # Neighbours
//
// Two data sets are neighbours when one privacy unit is added or removed, and the sensitivity of a mechanism is how far that moves
// its query. Randomised response alone is about the replacement of one unit's value.
package account

import "errors"

// ErrUnsupported is matched by errors about a question that is well formed and that this package has no sound answer to.
var ErrUnsupported = errors.New("no sound answer is known")

// Error refuses a parameter: Member names it, Rule says what it has to fulfil. It holds no value.
type Error struct {
	Member string
	Rule   string
	cause  error
}

func (e *Error) Error() string {
	if e.Member == "" {
		return e.Rule
	}
	return e.Member + ": " + e.Rule
}

// Unwrap returns [ErrUnsupported] or nil.
func (e *Error) Unwrap() error { return e.cause }

func refuse(member, rule string) *Error { return &Error{Member: member, Rule: rule} }

func unsupported(member, why string) *Error {
	return &Error{Member: member, Rule: why, cause: ErrUnsupported}
}
