package account

import "math"

// Infinite is the entry of a [Vector] that says: no such bound holds. It absorbs whatever is added to it.
const Infinite = math.MaxInt64

// Orders are the fixed Rényi orders of [Vector.RDP].
var Orders = [6]int{2, 4, 8, 16, 32, 64}

// Vector is the cost of a mechanism in every measure that admission knows, each rounded up.
//
// Epsilon and Delta are one guarantee (ε, δ). Rho, RDP and Mu2 are each a guarantee of their own, beside which Slack stands: with
// Rho the mechanism is Slack-approximate ρ-zCDP (Bun and Steinke 2016, definition 8.1), and likewise for the others. The zero
// value costs nothing.
type Vector struct {
	Epsilon int64    // nano-ε
	Delta   int64    // femto-δ
	Rho     int64    // nano-ρ of zero-concentrated differential privacy
	RDP     [6]int64 // nano-ε of Rényi differential privacy at Orders
	Mu2     int64    // nano-μ² of Gaussian differential privacy: Infinite unless the mechanism is, or is dominated by, a continuous Gaussian
	Slack   int64    // femto-δ beside Rho, RDP and Mu2
}

// Add returns the cost of both, one after the other. Sums saturate at [Infinite], which absorbs; a negative entry, which no cost
// has, counts as Infinite.
func (v Vector) Add(w Vector) Vector {
	r := Vector{
		Epsilon: addInt(v.Epsilon, w.Epsilon), Delta: addInt(v.Delta, w.Delta), Rho: addInt(v.Rho, w.Rho),
		Mu2: addInt(v.Mu2, w.Mu2), Slack: addInt(v.Slack, w.Slack),
	}
	for i := range r.RDP {
		r.RDP[i] = addInt(v.RDP[i], w.RDP[i])
	}
	return r
}

// Scale returns the cost of n such mechanisms: nothing for 0, Infinite in every entry for a negative n.
func (v Vector) Scale(n int64) Vector {
	r := Vector{
		Epsilon: scaleInt(v.Epsilon, n), Delta: scaleInt(v.Delta, n), Rho: scaleInt(v.Rho, n),
		Mu2: scaleInt(v.Mu2, n), Slack: scaleInt(v.Slack, n),
	}
	for i := range r.RDP {
		r.RDP[i] = scaleInt(v.RDP[i], n)
	}
	return r
}

// Valid refuses a vector with a negative entry, with an [*Error] that names it.
func (v Vector) Valid() error {
	names := []string{"Epsilon", "Delta", "Rho", "Mu2", "Slack", "RDP", "RDP", "RDP", "RDP", "RDP", "RDP"}
	for i, x := range append([]int64{v.Epsilon, v.Delta, v.Rho, v.Mu2, v.Slack}, v.RDP[:]...) {
		if x < 0 {
			return refuse(names[i], "must not be negative")
		}
	}
	return nil
}

func addInt(a, b int64) int64 {
	if a < 0 || b < 0 || a > Infinite-b {
		return Infinite
	}
	return a + b
}

func scaleInt(a, n int64) int64 {
	switch {
	case a < 0 || n < 0:
		return Infinite
	case a == 0 || n == 0:
		return 0
	case a > Infinite/n:
		return Infinite
	}
	return a * n
}
