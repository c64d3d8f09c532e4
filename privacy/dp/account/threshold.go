package account

import "math"

// A threshold hides that a partition exists: the noisy count of one that a single unit makes passes with probability at most the δ of
// each partition, 1 − (1 − δ)^{1/l0}, since a unit touches at most l0 of them and their noise is independent.

// partitionLogs returns the logarithms of the δ of each partition and of its complement.
func partitionLogs(delta float64, l0 int64) (log, complement float64) {
	complement = math.Log1p(-delta) / float64(l0)
	return math.Log(-math.Expm1(complement)), complement
}

// laplaceThreshold is the least threshold for Laplace noise of scale b = l0·linf/ε, rounded up: a noisy count linf + Lap(b) exceeds T with
// probability ½e^{−(T−linf)/b} for T ≥ linf.
func laplaceThreshold(l0 int64, linf, epsilon, delta float64) float64 {
	b := float64(l0) * linf / epsilon
	log, complement := partitionLogs(delta, l0)
	if log+math.Ln2 <= 0 {
		return up(linf - b*(log+math.Ln2))
	}
	return roundUp(linf+b*(complement+math.Ln2), linf+b) // below the mean, P(linf + Lap ≤ T) = ½e^{(T−linf)/b}
}

// laplaceThresholdDelta is the δ of a threshold, rounded up.
func laplaceThresholdDelta(l0 int64, linf, epsilon, threshold float64) float64 {
	b := float64(l0) * linf / epsilon
	x := (threshold - linf) / b
	var none float64 // ln of the probability that one partition stays hidden
	if x >= 0 {
		none = math.Log1p(-math.Exp(-x) / 2)
	} else {
		none = x - math.Ln2
	}
	return math.Min(1, up(-math.Expm1(float64(l0)*none)))
}

// gaussianThreshold is the least threshold for Gaussian noise, rounded up: linf + σ·Φ⁻¹(1 − δ of each partition).
func gaussianThreshold(l0 int64, linf, sigma, delta float64) float64 {
	log, complement := partitionLogs(delta, l0)
	return roundUp(linf+sigma*upperQuantile(log, complement), linf+sigma)
}

func gaussianThresholdDelta(l0 int64, linf, sigma, threshold float64) float64 {
	x := (threshold - linf) / sigma
	return math.Min(1, up(-math.Expm1(float64(l0)*logPhi(x))))
}

// roundUp moves x up by a relative 1e-12 of the greater of both.
func roundUp(x, size float64) float64 { return x + 1e-12*math.Max(math.Abs(x), size) }

// logPhi is ln Φ(x).
func logPhi(x float64) float64 {
	if x > 0 {
		return math.Log1p(-math.Erfc(x/math.Sqrt2) / 2)
	}
	return -x*x/2 - math.Log(2*math.Pi)/2 + math.Log(mills(-x))
}

// upperQuantile is the x with ln(1 − Φ(x)) = log, where complement is ln(1 − e^log).
func upperQuantile(log, complement float64) float64 {
	f := func(x float64) bool { return logPhi(-x) <= log }
	if log > -0.7 {
		f = func(x float64) bool { return logPhi(x) >= complement }
	}
	lo, hi := -1.0, 1.0
	for f(lo) {
		lo *= 2
	}
	for !f(hi) {
		hi *= 2
	}
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if f(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// keepProbability is the largest probability with which a partition of n units may be kept by an (ε, δ)-differentially private choice where
// a unit touches l0 partitions: the recurrence π(n+1) = min(e^ε π(n) + δ, 1 − e^{−ε}(1 − π(n) − δ), 1) with π(0) = 0 in its closed form, with
// ε/l0 and δ/l0 for each partition (Desfontaines, Voss, Gipson and Mandayam 2022, theorem 1). It is within a relative 1e-13.
func keepProbability(n, l0 int64, epsilon, delta float64) float64 {
	if n <= 0 {
		return 0
	}
	e := epsilon / float64(l0)
	d := delta / float64(l0)
	log := math.Log(d)
	// π rises as δ(e^{nε} − 1)/(e^ε − 1) up to n1, then 1 − π falls as geometric.
	rising := func(k float64) float64 { return math.Exp(log+(k-1)*e) * math.Expm1(-k*e) / math.Expm1(-e) }
	n1 := 1 + math.Floor((math.Log((-math.Expm1(-e)+2*d*math.Exp(-e))/(1+math.Exp(-e)))-log)/e)
	n1 = math.Max(1, n1)
	k := float64(n)
	if k <= n1 {
		return math.Min(1, rising(k))
	}
	m := k - n1
	at := math.Min(1, rising(n1))
	p := -math.Expm1(-m*e)*(1+d/math.Expm1(e)) + math.Exp(-m*e)*at
	return math.Min(1, p)
}
