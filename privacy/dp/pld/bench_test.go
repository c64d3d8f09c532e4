package pld

import (
	"testing"
)

// mixed is a batch of different mechanisms of every kind, each a few times.
func mixed(tb testing.TB, n int) []Term {
	tb.Helper()
	var out []Term
	for i := range n {
		x := 1 + float64(i)/50
		var p PLD
		var err error
		switch i % 5 {
		case 0:
			p, err = Gaussian(30*x, 1)
		case 1:
			p, err = Laplace(40*x, 1)
		case 2:
			p, err = SubsampledGaussian(x, 0.01, 1)
		case 3:
			p, err = DiscreteGaussian(25*x, 1)
		default:
			p, err = DiscreteLaplace(0.02*x, 1)
		}
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, Term{p, int64(1 + i%7)})
	}
	return out
}

func BenchmarkGaussian10000(b *testing.B) {
	b.Run("transform", func(b *testing.B) {
		s := &side{parts: []part{{gaussian{0.01}, 10000}}}
		o := Options{RelTol: 1e-5, MaxBuckets: 1 << 20}
		for b.Loop() {
			p := s.plan(target{delta: 1e-6})
			s.epsilonBy(p, o, 1e-6)
		}
	})
	b.Run("public", func(b *testing.B) {
		g, _ := Gaussian(100, 1)
		for b.Loop() {
			c, _ := Compose([]Term{{g, 10000}}, Options{})
			c.Epsilon(1e-6)
		}
	})
}

func BenchmarkSubsampled10000(b *testing.B) {
	g, _ := SubsampledGaussian(2, 0.01, 1)
	for b.Loop() {
		c, _ := Compose([]Term{{g, 10000}}, Options{})
		c.Epsilon(1e-6)
	}
}

func BenchmarkHundredMechanisms(b *testing.B) {
	b.Run("mixed", func(b *testing.B) {
		terms := mixed(b, 100)
		for b.Loop() {
			c, _ := Compose(terms, Options{})
			c.Epsilon(1e-6)
		}
	})
	b.Run("subsampled", func(b *testing.B) {
		var terms []Term
		for i := range 100 {
			p, _ := SubsampledGaussian(1+float64(i)/100, 0.01, 1)
			terms = append(terms, Term{p, 10})
		}
		for b.Loop() {
			c, _ := Compose(terms, Options{})
			c.Epsilon(1e-6)
		}
	})
}
