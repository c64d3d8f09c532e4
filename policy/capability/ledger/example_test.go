package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

// A chain that a verifier has accepted is asked about, and charged where the flow is recorded.
func Example() {
	dir, err := os.MkdirTemp("", "scrim")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := store.Open(ctx, dir, []store.Schema{ledger.Schema()}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	led, err := ledger.Open(ctx, db, ledger.Options{Domain: "hospital.example"})
	if err != nil {
		log.Fatal(err)
	}

	twice := int64(2)
	vd := &capability.Verified{Issuer: "hospital.example", Links: []capability.Link{{ // comes from Verifier.Verify
		ID: "0197-root", Hash: sha256.Sum256([]byte("what was signed")),
		Grant: capability.Grant{Uses: &twice, Counted: "hospital.example", Expires: time.Now().Add(time.Hour)},
	}}}
	for range 3 {
		if err := led.Revoked(vd, "task-1"); err != nil {
			log.Fatal(err)
		}
		err := db.Update(ctx, func(tx store.Tx) error { return led.Charge(tx, vd, capability.Proof{}, 1, flow.Cost{}) })
		fmt.Println(err, errors.Is(err, ledger.ErrSpent))
	}
	denial := ledger.Denial{Kind: ledger.OfToken, Name: "0197-root", Until: time.Now().Add(24 * time.Hour)}
	if _, err := led.Revoke(ctx, []ledger.Denial{denial}, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(led.Revoked(vd, "task-1"))
	// Output:
	// <nil> false
	// <nil> false
	// link 0: capability is used up: by flows before this one true
	// link 0: capability is revoked: token, by hospital.example
}
