package audit_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// Another reason, such as missing witnesses, stops releases and nothing else, as long as it lasts.
func TestWhatHoldsReleases(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	var held atomic.Bool // the log asks from goroutines of its own as well
	why := errors.New("too few witnesses")
	l := openLog(t, db, audit.Options{Hold: func() error {
		if held.Load() {
			return why
		}
		return nil
	}})
	add := func(o flow.Outcome) error {
		return db.Update(t.Context(), func(tx store.Tx) error {
			ev := event(1)
			ev.Outcome = o
			_, err := l.Append(tx, ev, audit.Private{})
			return err
		})
	}
	if err := add(flow.Released); err != nil {
		t.Fatal(err)
	}
	held.Store(true)
	if err := add(flow.Released); !errors.Is(err, why) {
		t.Errorf("released: error %v, want %v", err, why)
	}
	if err := l.Healthy(); !errors.Is(err, why) {
		t.Errorf("healthy: %v, want %v", err, why)
	}
	if err := add(flow.Refused); err != nil {
		t.Errorf("a refusal is not on record: %v", err)
	}
	held.Store(false)
	if err := add(flow.Released); err != nil {
		t.Errorf("after that: %v", err)
	}
}
