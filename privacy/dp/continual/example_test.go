package continual_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
)

// Visits of a clinic are counted by the hour and released by the hour, for 512 hours, at a cost that the ledger takes before the first
// one: a user-day has a part in at most 24 hours, in a row.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "visits")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{budget.Schema(), continual.Schema()}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ledger, err := budget.Open(ctx, db, budget.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Seal: aead(1)}) // keys of your own
	if err != nil {
		log.Fatal(err)
	}
	defer ledger.Close(ctx)
	err = ledger.Declare(ctx, budget.Budget{
		Dataset: "clinic", Unit: budget.Unit{Name: "user-day"},
		Plan: budget.Plan{Epsilon: 3_000_000_000, Delta: 1_000_000_000}, // ε = 3, δ = 10⁻⁶
	})
	if err != nil {
		log.Fatal(err)
	}
	streams, err := continual.Open(db, continual.Options{Seal: aead(1), Charge: chargeTo(ledger, budget.Scope{Dataset: "clinic"})})
	if err != nil {
		log.Fatal(err)
	}

	params := continual.Params{
		Method: continual.SquareRoot, Band: 512, Keys: 1, Horizon: 512, Window: 24,
		Rho:          20_000_000, // 0.02
		Contribution: continual.Contribution{Steps: 24, Apart: 1, Keys: 1, Most: 1},
	}
	accuracy, err := params.Accuracy(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("off by %.0f at the end, as a root mean square\n", accuracy.Max)
	visits, err := streams.Create(ctx, "visits", params)
	if err != nil {
		log.Fatal(err)
	}
	for hour := int64(1); hour <= 48; hour++ {
		if _, err := visits.Add(ctx, hour, []int64{1_000_000}); err != nil {
			log.Fatal(err)
		}
	}
	day, err := visits.Window(ctx, 24)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("hours %d to %d: about %d million visits\n", day.From, day.Step, (day.Sums[0]+500_000)/1_000_000)

	standings, err := ledger.Remaining(ctx, budget.Scope{Dataset: "clinic"}, budget.Range{})
	if err != nil {
		log.Fatal(err)
	}
	cost, err := params.Cost(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("room for such streams:", standings[0].More(cost))
	// Output:
	// off by 288 at the end, as a root mean square
	// hours 25 to 48: about 24 million visits
	// room for such streams: 8
}

// chargeTo pays for epochs from a ledger. A charge that was made and whose commit was cut off by a crash stays charged, and that is all that
// an epoch needs.
func chargeTo(ledger *budget.Ledger, scope budget.Scope) func(context.Context, continual.Charge) error {
	return func(ctx context.Context, c continual.Charge) error {
		r, err := ledger.Reserve(ctx, budget.Charge{Scope: scope, Cost: c.Cost, Key: c.Key, Request: request(c), Label: "stream " + c.Stream})
		if errors.Is(err, budget.ErrLost) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, paid := r.Answer(); paid {
			return nil
		}
		if err := r.Begin(); err != nil {
			return err
		}
		return r.Commit(ctx, nil)
	}
}

func request(c continual.Charge) [32]byte {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers and text alone
	}
	return sha256.Sum256(text)
}
