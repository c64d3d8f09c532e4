package pld

import "math"

// laplace is the loss of the Laplace mechanism with sensitivity over scale eps: half its mass at eps, exp(-eps)/2 at -eps and between a
// density of exp((loss-eps)/2)/4 (Sommer and others 2019, section 4).
type laplace struct{ eps float64 }

func (l laplace) bounds() (float64, float64)                { return -l.eps, l.eps }
func (l laplace) infinite() float64                         { return 0 }
func (l laplace) pitch() (float64, float64, bool)           { return 0, l.eps, false }
func (l laplace) reach(down, up float64) (float64, float64) { return -l.eps, l.eps }
func (l laplace) massError(lo, hi float64) float64          { return 32 * unit }
func (l laplace) lossError(lo, hi float64) float64          { return 8 * unit * l.eps }

func (l laplace) cumulant(theta, _ float64) float64 {
	// ∫ e^(cx) over [-ε, ε] is 2·sinh(cε)/c for c = θ + 1/2
	c := math.Abs(theta + 0.5)
	area := math.Log(2 * l.eps)
	if c*l.eps > 1e-8 {
		area = c*l.eps + math.Log(-math.Expm1(-2*c*l.eps)/c)
	}
	return addExp(addExp(theta*l.eps, -(theta+1)*l.eps)-math.Ln2, area-l.eps/2-2*math.Ln2)
}

func (l laplace) fill(lo, hi float64, to *sink) {
	to.atom(l.eps, -math.Ln2)
	to.atom(-l.eps, -l.eps-math.Ln2)
	edges := to.edges(-l.eps, l.eps, l.eps*math.Tanh(to.theta*l.eps/2))
	for n, j := range edges[1:] {
		i := edges[n]
		a, b := to.at(i), to.at(j)
		c, d := max(a, -l.eps), min(b, l.eps)
		w := d - c
		if !(w > 0) {
			continue
		}
		// Mass under the other distribution is exp(-(c + w/2)) times as much: the piece acts as an atom at its middle.
		p := 0.5 * math.Exp((c-l.eps)/2+to.theta*a-to.lambda) * math.Expm1(w/2)
		to.split(i, j, p, upper(c-a+w/2, b-a))
	}
}
