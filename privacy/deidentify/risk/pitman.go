package risk

import "math"

// estimatePitman fits Pitman's sampling formula (Hoshino 2001, "Applying Pitman's sampling formula to microdata disclosure risk
// assessment", Journal of Official Statistics 17) to the table's classes by maximum likelihood, and returns what it expects of the population.
//
// With u classes of n rows, sⱼ of them of size j, the likelihood of θ > -α, 0 ≤ α < 1 is
//
//	L = Σᵢ₌₁ᵘ⁻¹ ln(θ+iα) - Σᵢ₌₁ⁿ⁻¹ ln(θ+i) + Σⱼ sⱼ Σᵢ₌₁ʲ⁻¹ ln(i-α)
//
// and the expected number of uniques among N persons E(S₁) = N ∏ᵢ₌₁ᴺ⁻¹ (θ+α+i-1)/(θ+i) = N Γ(θ+1) Γ(θ+α+N-1) / (Γ(θ+α) Γ(θ+N)), of
// which Γ(θ+1)/Γ(θ+α) Nᵅ is the limit usually given.
//
// Newton's method, which is commonly used here, diverges on many tables. This looks for the maximum in brackets instead: for each
// α the derivative by θ falls from plus infinity at -α to below zero, so its root is bisected; what is left is a function of α
// that is searched on a grid, and by golden section around the best point. That always ends with numbers.
func estimatePitman(s Sizes, persons float64) Estimate {
	n, u := float64(s.Rows()), float64(s.Classes())
	if u >= n {
		return Estimate{By: Pitman, Note: "every row is unique: the likelihood has no maximum"}
	}
	if u < 2 {
		return Estimate{By: Pitman, Note: "a single class"}
	}
	p := pitman{n: n, u: u}
	for _, size := range s.sorted() {
		p.sizes = append(p.sizes, float64(size))
		p.counts = append(p.counts, float64(s[size]))
	}
	alpha, note := p.maximise()
	theta := p.theta(alpha)
	if theta > 1e14 {
		return Estimate{By: Pitman, Note: "the likelihood grows without end"}
	}
	expected := math.Log(persons) + riseLog(theta+alpha, persons-1) - riseLog(theta+1, persons-1)
	return share(Pitman, math.Exp(expected), persons, note)
}

type pitman struct {
	n, u          float64
	sizes, counts []float64
}

// theta returns the best θ for the α.
func (p pitman) theta(alpha float64) float64 {
	// Bisected in the logarithm of θ+α, from where the first term outweighs everything to where the rows do.
	low, high := math.Log(1e-9), math.Log(1e15)
	for range 80 {
		mid := (low + high) / 2
		if p.slope(math.Exp(mid)-alpha, alpha) > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return math.Exp((low+high)/2) - alpha
}

// slope is dL/dθ.
func (p pitman) slope(theta, alpha float64) float64 {
	rows := riseInverse(theta+1, p.n-1)
	if alpha == 0 {
		return (p.u-1)/theta - rows
	}
	return riseInverse(theta/alpha+1, p.u-1)/alpha - rows
}

// value is L.
func (p pitman) value(theta, alpha float64) float64 {
	v := -riseLog(theta+1, p.n-1)
	if alpha == 0 {
		v += (p.u - 1) * math.Log(theta)
	} else {
		v += (p.u-1)*math.Log(alpha) + riseLog(theta/alpha+1, p.u-1)
	}
	for i, size := range p.sizes {
		v += p.counts[i] * riseLog(1-alpha, size-1)
	}
	return v
}

func (p pitman) profile(alpha float64) float64 { return p.value(p.theta(alpha), alpha) }

// maximise returns the best α.
func (p pitman) maximise() (float64, string) {
	const steps = 50
	const most = 1 - 1e-6
	best, at := math.Inf(-1), 0
	for i := 0; i <= steps; i++ {
		if v := p.profile(most * float64(i) / steps); v > best {
			best, at = v, i
		}
	}
	low, high := most*float64(max(at-1, 0))/steps, most*float64(min(at+1, steps))/steps
	const golden = 0.6180339887498949
	a, b := high-golden*(high-low), low+golden*(high-low)
	va, vb := p.profile(a), p.profile(b)
	for high-low > 1e-9 {
		if va > vb {
			high, b, vb = b, a, va
			a = high - golden*(high-low)
			va = p.profile(a)
		} else {
			low, a, va = a, b, vb
			b = low + golden*(high-low)
			vb = p.profile(b)
		}
	}
	alpha := (low + high) / 2
	if at == 0 && p.profile(0) >= p.profile(alpha) {
		return 0, "α is 0, the edge of its range: classes are more even than the model expects"
	}
	return alpha, ""
}

// riseLog is ln Γ(x+m) - ln Γ(x), the logarithm of x(x+1)…(x+m-1), for x > 0, m ≥ 0, without taking the difference of large numbers.
func riseLog(x, m float64) float64 {
	var head float64
	for x < 16 && m > 0 {
		if m < 1 { // less than one factor left: small enough for the plain difference
			a, _ := math.Lgamma(x + m)
			b, _ := math.Lgamma(x)
			return head + a - b
		}
		head += math.Log(x)
		x++
		m--
	}
	y := x + m
	tail := func(v float64) float64 { i := 1 / v; return i/12 - i*i*i/360 + i*i*i*i*i/1260 }
	return head + (x-0.5)*math.Log1p(m/x) + m*math.Log(y) - m + tail(y) - tail(x)
}

// riseInverse is ψ(x+m) - ψ(x), which is 1/x + 1/(x+1) + … + 1/(x+m-1) for a whole m.
func riseInverse(x, m float64) float64 {
	var head float64
	for x < 16 && m >= 1 {
		head += 1 / x
		x++
		m--
	}
	if m < 1 && x < 16 { // m is a whole number wherever this is called, so nothing is left
		return head
	}
	y := x + m
	tail := func(v float64) float64 { i := 1 / v; i2 := i * i; return -i/2 - i2/12 + i2*i2/120 - i2*i2*i2/252 }
	return head + math.Log1p(m/x) + tail(y) - tail(x)
}
