package pld

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func TestTransformIsTheFourierTransform(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 4; n <= 256; n *= 2 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		z := make([]complex128, n/2)
		pack(z, x)
		tr := newTransform(n)
		tr.forward(z)
		shift := 0
		for 1<<shift < n/2 {
			shift++
		}
		for s := range z {
			k := 0
			for b := range shift {
				k |= s >> b & 1 << (shift - 1 - b)
			}
			var want complex128
			for i, v := range x {
				want += complex(v, 0) * cmplx.Exp(complex(0, -2*math.Pi*float64(i)*float64(k)/float64(n)))
			}
			got := z[s]
			if s == 0 {
				got = complex(real(z[0]), 0)
			}
			if cmplx.Abs(got-want) > 1e-11 {
				t.Fatalf("n %d: coefficient %d = %v, want %v", n, k, got, want)
			}
		}
		var alt float64
		for i, v := range x {
			alt += v * float64(1-2*(i%2))
		}
		if math.Abs(imag(z[0])-alt) > 1e-11 {
			t.Fatalf("n %d: coefficient %d = %v, want %v", n, n/2, imag(z[0]), alt)
		}
		tr.inverse(z)
		back := make([]float64, n)
		unpack(back, z)
		for i, v := range back {
			if math.Abs(v-x[i]) > 1e-13 {
				t.Fatalf("n %d: came back as %v at %d, was %v", n, v, i, x[i])
			}
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	tr := newTransform(1 << 18)
	z := make([]complex128, 1<<17)
	z[0] = 1
	for b.Loop() {
		tr.forward(z)
		tr.inverse(z)
	}
}
