// Package audit tests mechanisms of differential privacy from outside, by their answers.
//
// Four kinds of test, each with a false-alarm rate that its caller states and that holds exactly, not asymptotically:
//
//   - [Fit] compares the answers of a sampler with its exact distribution. It says that a sampler is wrong; it cannot say
//     that one is right beyond the precision that the number of answers gives ([Fitted.Detects]).
//   - [Threshold] looks at a mechanism as a black box on two neighbouring datasets and gives a lower bound on ε. A bound
//     above what the mechanism claims refutes the claim. A bound below it proves nothing, neither that the claim holds nor
//     that other datasets, other events or longer conversations leak no more. [Worst] chooses among declared pairs.
//   - [OneRun] bounds ε from a single run with many canaries (Steinke, Nasr, Jagielski 2023).
//   - [Sensitivity] runs a question without noise on declared neighbours and compares with what is declared: no statistics,
//     and it finds what most bugs are, a contribution that nobody bounded.
//
// An audit can refute a guarantee and never establish one. Guarantees come from proofs; audits find where code and proof
// have parted.
package audit

import (
	"fmt"
	"math"
)

// Claim is what a mechanism promises: (ε, δ)-differential privacy.
type Claim struct {
	Epsilon float64 // at least 0
	Delta   float64 // in [0, 1)
}

func (c Claim) check() error {
	switch {
	case !(c.Epsilon >= 0) || math.IsInf(c.Epsilon, 0):
		return &Error{Member: "epsilon", Rule: "must be a finite number that is at least 0"}
	case !(c.Delta >= 0 && c.Delta < 1):
		return &Error{Member: "delta", Rule: "must be at least 0 and less than 1"}
	}
	return nil
}

// Error is a parameter, or an answer of an audited program, that breaks a rule. It holds no data.
type Error struct {
	Member string // which parameter or part of an answer
	Rule   string // what must hold
}

func (e *Error) Error() string { return fmt.Sprintf("audit: %s %s", e.Member, e.Rule) }

func checkRate(member string, alpha float64) error {
	if !(alpha > 0 && alpha < 1) {
		return &Error{Member: member, Rule: "must be more than 0 and less than 1"}
	}
	return nil
}
