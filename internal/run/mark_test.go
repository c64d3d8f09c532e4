package run_test

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// What a restore writes is taken by every database: the mark, a freeze once however often it is made, the ledger's horizon, and that nobody is kept.
func TestWhatARestoreWrites(t *testing.T) {
	db, now := storetest.Open(t, run.Schemas()...), time.Unix(1795833862, 0).UTC()
	stays := freeze.Target{Kind: freeze.Dataset, Name: "stays"}
	for range 2 {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			if err := freeze.FreezeIn(tx, stays, freeze.Restore, "restored", now); err != nil {
				return err
			}
			if err := ledger.SetBack(tx, now, time.Minute); err != nil {
				return err
			}
			if err := backup.Purge(tx); err != nil {
				return err
			}
			return backup.Mark{At: now, Made: now, ID: "x", Rows: 3, Until: 5, People: -1}.Write(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := run.LastRestore(t.Context(), db)
	if err != nil || r.ID != 2 || r.Rows != 3 || r.Until != 5 || !r.Waits() {
		t.Errorf("LastRestore() = %+v, %v", r, err)
	}
	n := 0
	if err := db.View(t.Context(), func(tx store.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM freeze_entries WHERE until = 0").Scan(&n)
	}); err != nil || n != 1 {
		t.Errorf("%d freezes, %v; want one", n, err)
	}
	if err := run.AnswerFor(t.Context(), db, "the disk broke"); err != nil {
		t.Error(err)
	}
}
