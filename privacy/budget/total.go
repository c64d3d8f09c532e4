package budget

import (
	"math"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// checkCost refuses what is no cost: a negative component, a cost of nothing that is not said to be free, and one that leaves
// out what every cost has. A vector whose Rho was forgotten would be free by zCDP.
func checkCost(v account.Vector, free bool) error {
	if err := v.Valid(); err != nil {
		return &Error{Rule: ErrAmount, What: "the cost", Cause: err}
	}
	if free != (v == account.Vector{}) {
		if free {
			return &Error{Rule: ErrAmount, What: "the charge is said to be free and has a cost"}
		}
		return &Error{Rule: ErrAmount, What: "the cost is zero, and the charge is not said to be free"}
	}
	c := components(v)
	names := [11]string{"Epsilon", "Delta", "Rho", "RDP of order 2", "RDP of order 4", "RDP of order 8", "RDP of order 16", "RDP of order 32", "RDP of order 64", "Mu2", "Slack"}
	basic := v.Epsilon > 0 || v.Delta > 0
	for i := 2; i < 10; i++ {
		switch {
		case c[i] == 0 && v.Epsilon > 0, c[i] == 0 && v.Delta > 0 && v.Slack == 0:
			return &Error{Rule: ErrAmount, What: "the cost has an Epsilon or a Delta and no " + names[i] + "; Infinite says that there is no such bound"}
		case c[i] > 0 && !basic:
			return &Error{Rule: ErrAmount, What: "the cost has a " + names[i] + " and neither Epsilon nor Delta; Infinite says that there is no such bound"}
		}
	}
	if v.Slack > 0 && v.Delta == 0 {
		return &Error{Rule: ErrAmount, What: "the cost has a Slack and no Delta"}
	}
	return nil
}

// total is a sum of vectors from which one can be taken away again: Infinite components are counted beside the finite sum.
type total struct {
	finite   [11]int64
	infinite [11]int64
}

// vector is the sum, with Infinite wherever an infinite component is in it.
func (t *total) vector() account.Vector {
	c := t.finite
	for i, n := range t.infinite {
		if n > 0 {
			c[i] = account.Infinite
		}
	}
	return vectorOf(c)
}

// add adds n times v and reports whether there was room; if not, nothing is changed. Neither a sum nor a count ever passes
// Infinite−1, so nothing wraps and nothing saturates: what does not fit is refused before.
func (t *total) add(v account.Vector, n int64) bool {
	s := *t
	for i, x := range components(v) {
		to, by := &s.finite[i], x
		if x == account.Infinite {
			to, by = &s.infinite[i], 1
		}
		switch {
		case by == 0:
			continue
		case n > (math.MaxInt64-1-*to)/by: // what is left is never negative
			return false
		}
		*to += by * n
	}
	*t = s
	return true
}

// sub takes n times v away, which was added before. It reports whether it can have been.
func (t *total) sub(v account.Vector, n int64) bool {
	s := *t
	for i, x := range components(v) {
		to, by := &s.finite[i], x
		if x == account.Infinite {
			to, by = &s.infinite[i], 1
		}
		switch {
		case by == 0:
			continue
		case n > *to/by:
			return false
		}
		*to -= by * n
	}
	*t = s
	return true
}

const sumsVersion = 1

// bytes is the stored form: version, eleven finite sums, eleven counts.
func (t *total) bytes() []byte {
	w := writer{make([]byte, 0, 64)}
	w.raw([]byte{sumsVersion})
	w.ints(t.finite[:]...)
	w.ints(t.infinite[:]...)
	return w.b
}

func parseTotal(b []byte) (t total, err error) {
	if len(b) > 0 && b[0] > sumsVersion {
		return total{}, &Error{Rule: ErrNewer, What: "version of a sum"}
	}
	if len(b) == 0 || b[0] != sumsVersion {
		return total{}, &Error{Rule: ErrSums, What: "a sum is not readable"}
	}
	r := reader{b: b[1:]}
	r.ints(t.finite[:])
	r.ints(t.infinite[:])
	for i := range t.finite {
		r.bad = r.bad || t.finite[i] < 0 || t.infinite[i] < 0 || t.finite[i] == math.MaxInt64
	}
	if r.bad || len(r.b) != 0 {
		return total{}, &Error{Rule: ErrSums, What: "a sum is not readable"}
	}
	return t, nil
}
