package pld

import "math"

// A law is the distribution of a privacy loss in one direction. Laws are comparable, so that equal ones can be counted together.
type law interface {
	// bounds returns the least and the largest finite loss, or infinities.
	bounds() (inf, sup float64)
	// infinite is the probability that the loss is infinite.
	infinite() float64
	// cumulant is about ln E[exp(θL); L ≤ hi], for hi as reach has it for up. It steers where one looks, no bound rests on it.
	cumulant(theta, up float64) float64
	// pitch returns a spacing that is worth keeping to: losses are offset + spacing·integer if exact; otherwise, if spacing
	// is not 0, atoms lie there.
	pitch() (offset, spacing float64, exact bool)
	// reach returns a range of losses with P(L < lo) ≤ exp(-down) and P(L > hi, L finite) ≤ exp(-up).
	reach(down, up float64) (lo, hi float64)
	// fill puts the law between lo and hi, as reach gave them, into a sink.
	fill(lo, hi float64, to *sink)
	// massError bounds by what part a computed mass may fall short, lossError by what amount a loss may, both within lo and hi.
	massError(lo, hi float64) float64
	lossError(lo, hi float64) float64
}

// A sink takes masses on the grid offset + h·integer, tilted by exp(θ·loss - lambda) and folded into a power of two of buckets.
//
// Folding adds what lies a whole window away; sums of folded masses are circular convolutions, and what they add to the window is
// never negative. So folding overstates.
type sink struct {
	h, offset     float64
	theta, lambda float64
	s, t          float64 // further tilts, for bounds of what lies above the window and below: not used if 0
	high, low     float64 // the losses where these tilts are 1, about the law's ends: no tilt overflows
	fine          float64 // buckets farther away from the centre than fine·h grow with their distance
	max           int64   // the largest index that was put
	step          int64   // an exact law's spacing over h; 0 if the law is not exact here

	buf     []float64
	sumS    float64 // of masses times exp(s·(loss - high))
	sumT    float64 // of masses times exp(-t·(loss - low))
	width2  float64 // sum of masses times their buckets' widths squared, over h²
	edgeBuf []int64
}

func (k *sink) at(i int64) float64 { return k.offset + k.h*float64(i) }

func (k *sink) put(i int64, mass float64) {
	if !(mass > 0) {
		return
	}
	k.buf[i&int64(len(k.buf)-1)] += mass
	k.max = max(k.max, i)
	if k.s > 0 {
		k.sumS += mass * math.Exp(k.s*(k.at(i)-k.high))
	}
	if k.t > 0 {
		k.sumT += mass * math.Exp(-k.t*(k.at(i)-k.low))
	}
}

// split puts an atom at a loss on the grid points i and j around it such that its mass and its mass under the other
// distribution, exp(-loss) times as much, both stay. That is the least pessimistic measure on these two points
// (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022, "Connect the Dots", section 4). Mass is tilted at i's loss, and up is
// the part that goes to j.
func (k *sink) split(i, j int64, mass, up float64) {
	up = min(1, up)
	k.width2 += mass * float64(j-i) * float64(j-i)
	k.put(i, mass*(1-up))
	k.put(j, mass*up*math.Exp(k.theta*k.h*float64(j-i)))
}

// upper is the part of an atom that lies d above the lower of two grid points width apart that goes to the upper.
func upper(d, width float64) float64 {
	if d <= 0 {
		return 0
	}
	return min(1, math.Expm1(-d)/math.Expm1(-width)*(1+8*unit))
}

// atom puts a mass whose logarithm, untilted, is given.
func (k *sink) atom(loss, logMass float64) {
	i := int64(math.Floor((loss - k.offset) / k.h))
	a := k.at(i)
	k.split(i, i+1, math.Exp(logMass+k.theta*a-k.lambda), upper(loss-a, k.h))
}

// edges returns indices of grid points such that the first is at most lo, the last at least hi. Between, they
// are one apart near the centre and farther apart with distance: a bucket of width w overstates by its mass times w²/8, so
// what grows with distance adds in proportion to the variance.
func (k *sink) edges(lo, hi, centre float64) []int64 {
	first, last := int64(math.Floor((lo-k.offset)/k.h)), int64(math.Ceil((hi-k.offset)/k.h))
	if last <= first {
		last = first + 1
	}
	c := min(max(int64(math.Round((centre-k.offset)/k.h)), first), last)
	width := func(d int64) int64 {
		w := int64(1)
		for float64(d) > 2*k.fine*float64(w) {
			w *= 2
		}
		return w
	}
	out := k.edgeBuf[:0]
	for i := c; i > first; {
		i = max(first, i-width(c-i))
		out = append(out, i)
	}
	for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
		out[a], out[b] = out[b], out[a]
	}
	out = append(out, c)
	for i := c; i < last; {
		i = min(last, i+width(i-c))
		out = append(out, i)
	}
	k.edgeBuf = out
	return out
}

// addExp returns ln(e^a + e^b).
func addExp(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(a, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
