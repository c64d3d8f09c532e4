package audit_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// A decision and what it charges go on record in one transaction; anybody with the public key can verify the journal.
func Example() {
	dir, err := os.MkdirTemp("", "scrim")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := store.Open(ctx, dir, []store.Schema{audit.Schema()}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	journal, err := audit.Open(ctx, db, "scrim.dev/log/hospital.example", private, audit.Options{})
	if err != nil {
		log.Fatal(err)
	}

	var receipt flow.Receipt
	err = db.Update(ctx, func(tx store.Tx) error {
		// … charge the budget here …
		receipt, err = journal.Append(tx, flow.Event{Flow: flow.Flow{ID: "f1", Purpose: "billing"}, Outcome: flow.Released}, audit.Private{})
		return err
	})
	if err != nil {
		log.Fatal(err) // nothing may be released
	}
	fmt.Println("on record as entry", receipt.Seq)

	if err := journal.Close(ctx); err != nil {
		log.Fatal(err)
	}
	report, err := audit.Verify(ctx, db, filepath.Join(dir, "log"), "scrim.dev/log/hospital.example", public)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Entries, "entry fits,", report.Covered, "in the log")
	// Output:
	// on record as entry 1
	// 1 entry fits, 1 in the log
}
