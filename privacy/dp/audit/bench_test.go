package audit_test

import (
	"context"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

func BenchmarkThreshold200k(b *testing.B) {
	pair, _, err := audit.BuiltIn("discrete-laplace", audit.Setting{Claim: audit.Claim{Epsilon: 1}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := audit.Threshold(context.Background(), pair, audit.Claim{Epsilon: 1}, audit.ThresholdOptions{Samples: 200_000}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFitMillion(b *testing.B) {
	all, err := audit.Samplers()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := audit.Fit(context.Background(), all[0].Law, all[0].Draw, audit.FitOptions{Samples: 1_000_000}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOneRunOf100kCanaries(b *testing.B) {
	for b.Loop() {
		if _, err := audit.OneRun(audit.Guesses{Canaries: 100_000, Guessed: 100_000, Right: 75_000}, 1e-5, 0.05); err != nil {
			b.Fatal(err)
		}
	}
}
