package account

import "math"

// epsilonOf is the least ε known for the composition at that δ, rounded up, and by which method.
func epsilonOf(spec []Mechanism, delta float64) (float64, string, error) {
	for i := range spec {
		slack, _ := spec[i].slackExact().Float64()
		delta -= up(slack) * float64(spec[i].count())
	}
	if !(down(delta) > 0) {
		return math.Inf(1), "rdp", nil
	}
	delta = down(delta)
	f := func(t float64) float64 {
		alpha := 1 + math.Exp(t)
		sum := rdpPrice(alpha, delta)
		for i := range spec {
			sum += spec[i].rdp(alpha) * float64(spec[i].count())
		}
		return -sum
	}
	return math.Max(0, -f(argmax(f, -4, 10))), "rdp", nil
}
