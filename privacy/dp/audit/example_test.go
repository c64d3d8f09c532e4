package audit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// A count with noise for ε = 1, whose author forgot that one person may have two rows.
func ExampleThreshold() {
	law, err := noise.LaplaceFor(1_000_000_000, 1)
	if err != nil {
		log.Fatal(err)
	}
	count := func(rows int64) func() audit.Draw {
		return func() audit.Draw {
			source := noise.NewSource()
			return func(_ context.Context, dst []int64) error {
				for i := range dst {
					dst[i] = noise.Release(source, rows, law)
				}
				return nil
			}
		}
	}
	pair := audit.Pair{A: count(100), B: count(102)} // without her, and with her
	found, err := audit.Threshold(context.Background(), pair, audit.Claim{Epsilon: 1}, audit.ThresholdOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("refuted:", found.Refuted, "ε is above 1.8:", found.Lower > 1.8)
	// Output: refuted: true ε is above 1.8: true
}

func ExampleOneRun() {
	// Of 1000 canaries 731 were guessed right; δ is 10⁻⁵.
	lower, err := audit.OneRun(audit.Guesses{Canaries: 1000, Guessed: 1000, Right: 731}, 1e-5, 0.05)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ε is at least %.2f, with confidence 0.95\n", lower)
	// Output: ε is at least 0.88, with confidence 0.95
}
