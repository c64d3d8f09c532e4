package pld

import "math"

// erfcx is exp(x²)·erfc(x) for x ≥ 0, within a relative 2^-44.
func erfcx(x float64) float64 {
	if x < 5 {
		return math.Exp(x*x) * math.Erfc(x)
	}
	// The continued fraction of Laplace, from its tail: 1/√π · 1/(x + (1/2)/(x + (2/2)/(x + …))). At x ≥ 5 forty terms leave less than 2^-60.
	f := x
	for k := 40; k >= 1; k-- {
		f = x + float64(k)/2/f
	}
	return 1 / (math.Sqrt(math.Pi) * f)
}

// tail is e^τ·P(Z > z) for a standard normal Z.
func tail(z, tau float64) float64 {
	if z >= 0 {
		return 0.5 * erfcx(z/math.Sqrt2) * math.Exp(tau-z*z/2)
	}
	return math.Exp(tau) * 0.5 * math.Erfc(z/math.Sqrt2)
}

// Nodes and weights of Gauss and Legendre on [0, 1].
var (
	nodes3   = [3]float64{0.1127016653792583114820734600217600389, 0.5, 0.8872983346207416885179265399782399611}
	weights3 = [3]float64{5.0 / 18, 8.0 / 18, 5.0 / 18}
	nodes5   = [5]float64{0.04691007703066800360118656085030351743717404461873, 0.23076534494715845448184278964989559751635, 0.5,
		0.7692346550528415455181572103501044024836, 0.9530899229693319963988134391496964825628259553813}
	weights5 = [5]float64{0.118463442528094543757132020359958681321630001106208, 0.2393143352496832340206457574178190964561477766715707, 64.0 / 225,
		0.2393143352496832340206457574178190964561477766715707, 0.118463442528094543757132020359958681321630001106208}
)

const sqrt2Pi = 2.50662827463100050241576528481104525

// interval is e^τ·P(a < Z < b) for a standard normal Z and a ≤ b, each possibly infinite.
//
// Its relative error is at most (40 + 4·z²)·u, z the end nearer to zero or zero if it lies between, or where that is
// larger that of the narrow case at its own z. Narrow intervals are integrated by five nodes: for a width w with w(|z|+1) ≤ 1/4
// the remainder (5!)⁴/(11·(10!)³)·w¹⁰·max|φ⁽¹⁰⁾|/φ is below 2^-55, and by three for 1/64, likewise. Wider ones are differences of
// tails, whose quotient is then below e^-0.2, so that cancellation costs less than a factor of six.
func interval(a, b, tau float64) float64 {
	if b <= 0 {
		a, b = -b, -a
	}
	if a < 0 && b-a > 0.2 {
		return math.Exp(tau) * (1 - 0.5*math.Erfc(-a/math.Sqrt2) - 0.5*math.Erfc(b/math.Sqrt2))
	}
	w := b - a
	switch near := w * (max(math.Abs(a), math.Abs(b)) + 1); {
	case near <= 1.0/64:
		var sum float64
		for i, t := range nodes3 {
			z := a + w*t
			sum += weights3[i] * math.Exp(tau-z*z/2)
		}
		return w / sqrt2Pi * sum
	case near <= 0.25:
		var sum float64
		for i, t := range nodes5 {
			z := a + w*t
			sum += weights5[i] * math.Exp(tau-z*z/2)
		}
		return w / sqrt2Pi * sum
	}
	if math.IsInf(b, 1) {
		return tail(a, tau)
	}
	return tail(a, tau) - tail(b, tau)
}
