package audit

import "math"

// Guesses is what a one-run audit saw.
//
// The auditor makes m canaries and puts each into the dataset or leaves it out by a fair coin of its own, all independent of
// each other and of everything else. The mechanism runs once. Who guesses sees its output, and the canaries, but not the
// coins; it guesses for r of them whether they were in, and abstains for the rest. v guesses are right. Which they are may depend on the output;
// how many, only if δ is 0: the theorem for δ > 0 is about at most r guesses, whatever the output.
type Guesses struct {
	Canaries int // m
	Guessed  int // r, at most m
	Right    int // v, at most r
}

func (g Guesses) check(delta float64) error {
	switch {
	case g.Canaries < 1 || g.Canaries > maxTrials:
		return &Error{Member: "m", Rule: "must be at least 1 and at most 10⁸"}
	case g.Guessed < 0 || g.Guessed > g.Canaries:
		return &Error{Member: "r", Rule: "must be at least 0 and at most m"}
	case g.Right < 0 || g.Right > g.Guessed:
		return &Error{Member: "v", Rule: "must be at least 0 and at most r"}
	case !(delta >= 0 && delta < 1):
		return &Error{Member: "delta", Rule: "must be at least 0 and less than 1"}
	}
	return nil
}

// OneRunPValue is a bound on the probability that v or more of r guesses are right if the mechanism is (ε, δ)-DP.
//
// Steinke, Nasr, Jagielski, "Privacy Auditing with One (1) Training Run" (2023, arXiv 2305.08846), corollary 5.4 in the form
// of appendix D: with W ~ Binomial(r, e^ε/(1+e^ε)) it is P[W ≥ v] + 2mδ·max over 1 ≤ i ≤ v of P[v > W ≥ v−i]/i.
func OneRunPValue(g Guesses, claim Claim) (float64, error) {
	if err := claim.check(); err != nil {
		return 0, err
	}
	if err := g.check(claim.Delta); err != nil {
		return 0, err
	}
	return oneRun(g, claim), nil
}

func oneRun(g Guesses, claim Claim) float64 {
	right, wrong := 1/(1+math.Exp(-claim.Epsilon)), 1/(1+math.Exp(claim.Epsilon))
	p := atLeast(g.Right, g.Guessed, right, wrong)
	if claim.Delta > 0 && g.Right > 0 {
		p += 2 * float64(g.Canaries) * claim.Delta * steepest(g, right, wrong)
	}
	return min(1, p)
}

// steepest is the greatest mean of the i probabilities just below v.
//
// The probabilities rise to the mode and fall after it. Below the mode means only fall as i grows, so that i = 1 is best;
// above, they grow until the window has passed the mode, and the search may stop once the next probability is less than
// the mean.
func steepest(g Guesses, p, q float64) float64 {
	mode := min(int(float64(g.Guessed+1)*p), g.Guessed)
	mass := make([]float64, g.Right) // of 0 … v−1
	begin := min(mode, g.Right-1)
	mass[begin] = pmf(begin, g.Guessed, p, q)
	for k := begin; k > 0 && mass[k] > 0; k-- {
		mass[k-1] = mass[k] * (float64(k) / float64(g.Guessed-k+1) * q / p)
	}
	for k := begin; k+1 < g.Right && mass[k] > 0; k++ {
		mass[k+1] = mass[k] * (float64(g.Guessed-k) / float64(k+1) * p / q)
	}
	best, sum := 0.0, 0.0
	for i := 1; i <= g.Right; i++ {
		sum += mass[g.Right-i]
		best = max(best, sum/float64(i))
		if g.Right-i < mode && mass[g.Right-i] < sum/float64(i) {
			break
		}
	}
	return best
}

// OneRun is a lower bound on ε: with confidence 1 − alpha, over the coins and the mechanism, a mechanism whose δ is at most
// delta has an ε above it. It is 0 if the guesses show nothing. Each ε whose p-value is below alpha is refuted, and with it
// every smaller one, because (ε, δ)-DP implies (ε′, δ)-DP for each ε′ > ε. The bound is within 1e-9 of the greatest refuted ε.
func OneRun(g Guesses, delta, alpha float64) (float64, error) {
	if err := g.check(delta); err != nil {
		return 0, err
	}
	if err := checkRate("alpha", alpha); err != nil {
		return 0, err
	}
	alpha *= 1 - slack
	refuted := func(epsilon float64) bool { return oneRun(g, Claim{epsilon, delta}) < alpha }
	if !refuted(0) {
		return 0, nil
	}
	lo, hi := 0.0, 1.0
	for refuted(hi) && hi < 64 {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1e-10*max(1, hi) {
		mid := lo + (hi-lo)/2
		if refuted(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo, nil
}
