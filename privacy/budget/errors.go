package budget

import (
	"errors"
	"fmt"
	"strings"
)

// Rules. Each comes as an [*Error] that names the place; errors.Is finds the rule.
var (
	ErrExhausted = errors.New("privacy budget is exhausted")
	ErrConflict  = errors.New("key was used for another request")
	ErrPending   = errors.New("charge with this key has no answer yet")
	ErrLost      = errors.New("charge with this key stays charged, and its answer is lost")

	ErrUnknown   = errors.New("dataset has no budget")
	ErrScope     = errors.New("scope is not valid")
	ErrAmount    = errors.New("amount is not valid")
	ErrUnit      = errors.New("privacy unit is not valid")
	ErrBlocks    = errors.New("blocks are not valid")
	ErrRefresh   = errors.New("budget cannot be refreshed")
	ErrPlan      = errors.New("plan is not valid")
	ErrRefill    = errors.New("plan would refill the budget")
	ErrDeclared  = errors.New("dataset was declared otherwise")
	ErrClock     = errors.New("clock went back")
	ErrState     = errors.New("reservation is over")
	ErrBegun     = errors.New("reservation has begun and stays charged")
	ErrSeal      = errors.New("answer cannot be kept")
	ErrOptions   = errors.New("options are not valid")
	ErrNewer     = errors.New("ledger was written by a newer program")
	ErrChain     = errors.New("chain of entries is broken")
	ErrSignature = errors.New("signature of a chain's head is not valid")
	ErrRollback  = errors.New("ledger is older than what was witnessed")
	ErrSums      = errors.New("sums are not those of the entries")
	ErrCaps      = errors.New("caps are not those of the plan")
	ErrClosed    = errors.New("ledger is closed")
)

// Error says which rule was broken and where. It holds nothing of any data, and two ledgers with the same declared costs give
// the same errors.
type Error struct {
	Rule  error  // one of the errors of this package
	Scope Scope  // whose; its Level says how far down
	Block int64  // of a dataset in blocks
	What  string // the member or circumstance, in this package's own words
	Cause error  // what was found out further down, if anything
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Rule.Error())
	if e.Scope.Dataset != "" {
		fmt.Fprintf(&b, ": %s", e.Scope)
		if e.Block != 0 {
			fmt.Fprintf(&b, ", block %d", e.Block)
		}
	}
	if e.What != "" {
		b.WriteString(": " + e.What)
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the rule and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Rule}
	}
	return []error{e.Rule, e.Cause}
}
