package account

import "math"

// Batch returns the cost of mechanisms that are all declared before the first of them runs: as [VectorOf], with the least Epsilon that
// is known for that Delta in place of the sum. δ is in (0, 1). What is spent by a Batch must be charged whole and at once: its ε is no
// sum of parts, and says nothing about mechanisms that are chosen by the answers of others.
func Batch(spec []Mechanism, delta float64) (Vector, error) {
	v, err := VectorOf(spec...)
	if err != nil {
		return Vector{}, err
	}
	if !(delta > 0 && delta < 1) {
		return Vector{}, refuse("delta", "must be above 0 and below 1")
	}
	e, _, err := Epsilon(spec, delta)
	if err != nil {
		return Vector{}, err
	}
	if n := ceilNano(e); n < v.Epsilon && !math.IsInf(e, 1) {
		v.Epsilon, v.Delta = n, ceil(ratOf(delta), femto)
	}
	return v, nil
}
