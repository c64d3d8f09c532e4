package pld

import "errors"

// Composed is a composition of mechanisms. It is safe for concurrent use.
type Composed struct {
	terms []Term
}

var errUnfinished = errors.New("composition is not built yet")

// Compose prepares the composition of all terms. It returns an [Error] for a count below zero, more than [MaxTerms] terms, or more than [MaxCount] runs.
func Compose(terms []Term, o Options) (*Composed, error) {
	if len(terms) > MaxTerms {
		return nil, &Error{"terms", "are at most 2^14"}
	}
	var total int64
	for _, t := range terms {
		if t.Count < 0 || t.Count > MaxCount-total {
			return nil, &Error{"count", "is at least 0, and at most 2^40 in sum"}
		}
		total += t.Count
	}
	return &Composed{terms: append([]Term(nil), terms...)}, nil
}

// Epsilon returns the least ε that the composition is known to have at this δ: +Inf if there is none, never less than 0.
// A δ of 0 asks for the pure ε. It returns an [Error] unless 0 ≤ δ < 1.
func (c *Composed) Epsilon(delta float64) (Bound, error) {
	if !(delta >= 0 && delta < 1) {
		return Bound{}, &Error{"delta", "is at least 0 and below 1"}
	}
	return Bound{}, errUnfinished
}

// Delta returns the least δ that the composition is known to have at this ε. It returns an [Error] unless 0 ≤ ε ≤ 10^9.
func (c *Composed) Delta(epsilon float64) (Bound, error) {
	if !(epsilon >= 0 && epsilon <= maxTarget) {
		return Bound{}, &Error{"epsilon", "is at least 0 and at most 10^9"}
	}
	return Bound{}, errUnfinished
}
