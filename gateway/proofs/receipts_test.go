package proofs_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// A row that was changed in the database before its tree is published gets no promise: its hash is not the one in the tree, and the log would have
// signed what it cannot keep.
func TestNoPromiseOfARowThatWasChanged(t *testing.T) {
	db, key := storetest.Open(t, audit.Schema()), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	l, err := audit.Open(t.Context(), db, "scrim.dev/log/hospital", key, audit.Options{Dir: t.TempDir(), Publish: time.Hour, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	update := func(do func(tx store.Tx) error) {
		t.Helper()
		if err := db.Update(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error {
		_, err := l.Append(tx, flow.Event{Flow: flow.Flow{ID: "f1"}, Outcome: flow.Refused, Reason: "one"}, audit.Private{})
		return err
	})
	h := &proofs.Handler{Journal: l, Signer: key, MergeDelay: time.Second}
	wait := time.Now().Add(time.Minute)
	for l.Sequenced() < 1 && time.Now().Before(wait) {
		time.Sleep(time.Millisecond)
	}
	if a, err := h.Receipts(t.Context(), "f1", nil); err != nil || len(a.Records) != 1 || a.Records[0].Promise == "" || a.Records[0].Proof != "" {
		t.Fatalf("Receipts() = %+v, %v, want a promise and no proof yet", a, err)
	}
	update(func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE audit_entries SET payload = ? WHERE seq = 1", bytes.Repeat([]byte{7}, 32))
		return err
	})
	if a, err := h.Receipts(t.Context(), "f1", nil); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Receipts() of a changed row = %+v, %v, want ErrTampered", a, err)
	}
}
