package pld

import (
	"math"
	"math/bits"
)

// unit is the unit roundoff of float64.
const unit = 1.0 / (1 << 53)

// transform is a discrete Fourier transform of n real numbers, n a power of two of at least 4. It goes through n/2 complex ones.
//
// The spectrum is in bit-reversed order, since only products of spectra are taken: slot 0 holds the two real coefficients
// X[0] and X[n/2], slot s > 0 holds X[k] for k the reversal of s. The factor of a block is the same for all its elements
// (the decomposition of x^L-c into x^(L/2)-√c and x^(L/2)+√c), so the inner loop reads one factor.
type transform struct {
	n int
	w []complex128 // exp(-πi v(s)), v(s) the bits of s mirrored at the binary point
}

func newTransform(n int) *transform {
	m := n / 2
	t := &transform{n: n, w: make([]complex128, m)}
	shift := 64 - bits.Len(uint(m-1))
	for s := 0; s < m; s += 2 {
		// v is exact: a reversed integer over a power of two; it is below 1/2, and v(s+1) is half a turn of π more.
		v := float64(bits.Reverse64(uint64(s))>>shift) / float64(m)
		sin, cos := math.Sincos(math.Pi * v)
		t.w[s], t.w[s+1] = complex(cos, -sin), complex(-sin, -cos)
	}
	return t
}

// relError bounds ‖computed - exact‖₂ / ‖exact‖₂ of forward, and likewise of inverse.
//
// Each of log₂(n/2) levels is √2 times a unitary map. A computed factor is off by at most 6u (π·v rounded, sine and cosine
// within an ulp), a complex product by 2√2·u, a sum by u: together below 12u of the level's norm, which is the bound of
// Higham 2002, theorem 24.2. Packing real numbers is one more such level with a halving, counted as two.
func (t *transform) relError() float64 {
	levels := float64(bits.Len(uint(t.n)))
	e := 12 * unit * (levels + 1)
	return e / (1 - e)
}

// forward replaces x, n real numbers packed two to a slot, by its spectrum.
func (t *transform) forward(x []complex128) {
	m := t.n / 2
	for l, blocks := m/2, 1; l >= 1; l, blocks = l/2, blocks*2 {
		for s := range blocks {
			w := t.w[s]
			lo := x[2*l*s : 2*l*s+l]
			hi := x[2*l*s+l : 2*l*s+2*l]
			for j, u := range lo {
				v := hi[j] * w
				lo[j], hi[j] = u+v, u-v
			}
		}
	}
	x[0] = complex(real(x[0])+imag(x[0]), real(x[0])-imag(x[0]))
	x[1] = complex(real(x[1]), -imag(x[1]))
	for first := 2; first < m; first *= 2 {
		for s, p := first, 2*first-1; s < p; s, p = s+1, p-1 {
			z, y := x[s], conj(x[p])
			even, odd := half(z+y), z-y
			odd = complex(imag(odd)/2, -real(odd)/2) * t.w[s]
			x[s], x[p] = even+odd, conj(even-odd)
		}
	}
}

// inverse undoes forward.
func (t *transform) inverse(x []complex128) {
	m := t.n / 2
	x[0] = complex((real(x[0])+imag(x[0]))/2, (real(x[0])-imag(x[0]))/2)
	x[1] = complex(real(x[1]), -imag(x[1]))
	for first := 2; first < m; first *= 2 {
		for s, p := first, 2*first-1; s < p; s, p = s+1, p-1 {
			z, y := x[s], conj(x[p])
			even, odd := half(z+y), half(z-y)*conj(t.w[s])
			odd = complex(-imag(odd), real(odd)) // times i
			x[s], x[p] = even+odd, conj(even-odd)
		}
	}
	for l, blocks := 1, m/2; l < m; l, blocks = l*2, blocks/2 {
		for s := range blocks {
			w := conj(t.w[s])
			lo := x[2*l*s : 2*l*s+l]
			hi := x[2*l*s+l : 2*l*s+2*l]
			for j, u := range lo {
				v := hi[j]
				lo[j], hi[j] = u+v, (u-v)*w
			}
		}
	}
	scale := 1 / float64(m) // a power of two: exact
	for i, z := range x {
		x[i] = complex(real(z)*scale, imag(z)*scale)
	}
}

// pack lays n real numbers out as forward takes them, and unpack takes them from what inverse leaves.
func pack(z []complex128, x []float64) {
	for i := range z {
		z[i] = complex(x[2*i], x[2*i+1])
	}
}

func unpack(x []float64, z []complex128) {
	for i, c := range z {
		x[2*i], x[2*i+1] = real(c), imag(c)
	}
}

func half(z complex128) complex128 { return complex(real(z)/2, imag(z)/2) }

func conj(z complex128) complex128 { return complex(real(z), -imag(z)) }
