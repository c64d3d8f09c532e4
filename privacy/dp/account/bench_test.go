package account_test

import (
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// hundred are a hundred unlike mechanisms.
func hundred() []account.Mechanism {
	r := rand.New(rand.NewPCG(7, 8))
	var spec []account.Mechanism
	for i := range 100 {
		m := account.Mechanism{Count: int64(1 + r.IntN(20))}
		switch i % 5 {
		case 0:
			m.Kind, m.Sigma = account.Gaussian, 20+80*r.Float64()
		case 1:
			m.Kind, m.Scale = account.Laplace, 20+80*r.Float64()
		case 2:
			m.Kind, m.A, m.Sensitivity = account.DiscreteLaplace, 0.01+0.02*r.Float64(), 2
		case 3:
			m.Kind, m.Sigma, m.Q = account.PoissonSubsampledGaussian, 1+3*r.Float64(), 0.01
		case 4:
			m.Kind, m.Epsilon, m.Delta = account.EpsilonDelta, 0.01+0.02*r.Float64(), 1e-10
		}
		spec = append(spec, m)
	}
	return spec
}

func BenchmarkEpsilonOfTenThousandGaussians(b *testing.B) {
	spec := []account.Mechanism{{Kind: account.Gaussian, Sigma: 100, Count: 10_000}}
	for b.Loop() {
		if _, _, err := account.Epsilon(spec, 1e-6); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBatchOfAHundred(b *testing.B) {
	spec := hundred()
	for b.Loop() {
		if _, err := account.Batch(spec, 1e-6); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVectorOf(b *testing.B) {
	m := account.Mechanism{Kind: account.Laplace, Scale: 10}
	for b.Loop() {
		if _, err := account.VectorOf(m); err != nil {
			b.Fatal(err)
		}
	}
}
