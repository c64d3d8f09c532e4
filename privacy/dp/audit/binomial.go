package audit

import "math"

// Tails of the binomial distribution are sums of positive terms, begun at one probability computed by Loader's saddle-point
// form (Catherine Loader, "Fast and accurate computation of binomial probabilities", 2000) and continued by ratios. The
// relative error of a tail is below 1e-11 for n up to 10⁸; bounds are solved for a rate that is smaller by [slack], so that
// this error cannot turn into a bound that is too good.
const slack = 1e-10

// stirling is ln n! less Stirling's approximation of it.
func stirling(n float64) float64 {
	if n <= 15 {
		if n == 0 {
			return 0 // used beside factors that are left out for n = 0
		}
		g, _ := math.Lgamma(n + 1)
		return g - (n+0.5)*math.Log(n) + n - 0.5*math.Log(2*math.Pi)
	}
	const s0, s1, s2, s3, s4 = 1.0 / 12, 1.0 / 360, 1.0 / 1260, 1.0 / 1680, 1.0 / 1188
	nn := n * n
	return (s0 - (s1-(s2-(s3-s4/nn)/nn)/nn)/nn) / n
}

// deviance is x·ln(x/m) + m − x, without cancellation where x is near m.
func deviance(x, m float64) float64 {
	if x == 0 {
		return m
	}
	if d := x - m; math.Abs(d) < 0.1*(x+m) {
		v := d / (x + m)
		sum, term := d*v, 2*x*v
		v *= v
		for j := 1.0; ; j++ {
			term *= v
			next := sum + term/(2*j+1)
			if next == sum {
				return next
			}
			sum = next
		}
	}
	return x*math.Log(x/m) + m - x
}

// pmf is the probability of k successes in n trials that succeed with probability p; q is 1−p, given apart for its digits.
func pmf(k, n int, p, q float64) float64 {
	switch {
	case k < 0 || k > n:
		return 0
	case p <= 0:
		return indicator(k == 0)
	case q <= 0:
		return indicator(k == n)
	case k == 0:
		return math.Exp(float64(n) * log1m(p, q))
	case k == n:
		return math.Exp(float64(n) * log1m(q, p))
	}
	x, m, y := float64(k), float64(n), float64(n-k)
	exponent := stirling(m) - stirling(x) - stirling(y) - deviance(x, m*p) - deviance(y, m*q)
	return math.Exp(exponent) * math.Sqrt(m/(2*math.Pi*x*y))
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// log1m is ln(1−p) = ln q, by whichever has the digits.
func log1m(p, q float64) float64 {
	if p < 0.5 {
		return math.Log1p(-p)
	}
	return math.Log(q)
}

// atLeast is the probability of k or more successes in n trials.
func atLeast(k, n int, p, q float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n:
		return 0
	case float64(k) <= float64(n)*p:
		return max(0, 1-atMost(k-1, n, p, q))
	}
	if q <= 0 {
		return 1
	}
	// Beyond the mean each term is less than the one before, and so are their ratios: the rest after a term t whose
	// ratio is r < 1 is at most t·r/(1−r).
	term := pmf(k, n, p, q)
	sum, odds := term, p/q
	for i := k; i < n && term > 0; i++ {
		r := float64(n-i) / float64(i+1) * odds
		term *= r
		sum += term
		if term*r <= sum*(1-r)*1e-17 {
			break
		}
	}
	return min(1, sum)
}

// atMost is the probability of k or fewer successes in n trials.
func atMost(k, n int, p, q float64) float64 { return atLeast(n-k, n, q, p) }

// ClopperPearson gives the bounds between which the probability of success lies if k of n independent trials succeeded.
// Each is wrong with probability at most alpha, so both together hold with confidence 1 − 2·alpha. They are exact (Clopper
// and Pearson 1934): no approximation for large n. It returns an *[Error] unless 0 ≤ k ≤ n, n ≥ 1 and 0 < alpha < 1.
func ClopperPearson(k, n int, alpha float64) (lower, upper float64, err error) {
	if n < 1 || n > maxTrials {
		return 0, 0, &Error{Member: "n", Rule: "must be at least 1 and at most 10⁸"}
	}
	if k < 0 || k > n {
		return 0, 0, &Error{Member: "k", Rule: "must be at least 0 and at most n"}
	}
	if err := checkRate("alpha", alpha); err != nil {
		return 0, 0, err
	}
	return lowerBound(k, n, alpha), 1 - lowerBound(n-k, n, alpha), nil
}

const maxTrials = 100_000_000

// lowerBound is the greatest p (less a hair) for which k or more successes have probability at most alpha.
func lowerBound(k, n int, alpha float64) float64 {
	if k == 0 {
		return 0
	}
	alpha *= 1 - slack
	lo, hi := 0.0, float64(k)/float64(n)
	if k == n {
		return math.Exp(math.Log(alpha)/float64(n)) * (1 - 1e-15)
	}
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi || hi-lo <= 1e-15*hi {
			break
		}
		if atLeast(k, n, mid, 1-mid) <= alpha {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}
