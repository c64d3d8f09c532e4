package audit_test

import (
	"errors"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// Another reason, such as missing witnesses, stops releases and nothing else, as long as it lasts.
func TestWhatHoldsReleases(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	var why error
	l := openLog(t, db, audit.Options{Hold: func() error { return why }})
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
	why = errors.New("too few witnesses")
	if err := add(flow.Released); !errors.Is(err, why) {
		t.Errorf("released: error %v, want %v", err, why)
	}
	if err := l.Healthy(); !errors.Is(err, why) {
		t.Errorf("healthy: %v, want %v", err, why)
	}
	if err := add(flow.Refused); err != nil {
		t.Errorf("a refusal is not on record: %v", err)
	}
	why = nil
	if err := add(flow.Released); err != nil {
		t.Errorf("after that: %v", err)
	}
}
