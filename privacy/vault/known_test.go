package vault_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// What one message teaches a task is one row, is there after a restart, and is listed once though two batches wrote it.
func TestRememberedValuesOfAMessageAreOneRow(t *testing.T) {
	h := open(t, vault.Options{})
	h.send(t, func(b *vault.Batch) {
		for i := range 20 {
			if err := mustTask(t, b, "t").Remember(fmt.Sprintf("value %d", i), "person/name", "agent"); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n := h.rows(t, "vault_known"); n != 1 {
		t.Errorf("20 values take %d rows, want 1", n)
	}
	first, second := h.Begin(), h.Begin()
	for _, b := range []*vault.Batch{first, second} {
		if err := mustTask(t, b, "t").Remember("of both", "person/name", "agent"); err != nil {
			t.Fatal(err)
		}
	}
	lost := errors.New("lost")
	if err := h.db.Update(t.Context(), func(tx store.Tx) error { return errors.Join(first.Flush(tx), lost) }); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	for _, b := range []*vault.Batch{first, second} {
		if err := h.commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	h.restart(t)
	b := h.Begin()
	defer b.Discard()
	known := mustTask(t, b, "t").Known()
	if len(known) != 21 || !slices.Contains(known, vault.KnownValue{Text: "value 7", Label: "person/name"}) || !slices.Contains(known, vault.KnownValue{Text: "of both", Label: "person/name"}) {
		t.Errorf("after a restart the task knows %d values, want 21: %v", len(known), known)
	}
}
