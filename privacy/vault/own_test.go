package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

func TestWhatASubjectsKeySealedGoesWithIt(t *testing.T) {
	h := open(t, vault.Options{})
	anna, berta := h.Subject("patient", "1"), h.Subject("patient", "2")
	var sealed [][]byte
	h.send(t, func(b *vault.Batch) {
		owns, err := b.Own(t.Context(), []flow.SubjectRef{anna, berta})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range owns {
			sealed = append(sealed, o.Seal([]byte("salt"), []byte("of event 1")))
		}
		if s := fmt.Sprintf("%v %+v", owns[0], owns); bytes.Contains([]byte(s), anna[:]) || len(s) > 60 {
			t.Errorf("a key prints as %q", s)
		}
	})
	h.restart(t)
	for i, s := range []flow.SubjectRef{anna, berta} {
		if got, err := openOwn(t, h, s, sealed[i], []byte("of event 1")); err != nil || string(got) != "salt" {
			t.Errorf("Open() = %q, %v, want the salt", got, err)
		}
	}
	for name, open := range map[string]func() ([]byte, error){
		"another subject's": func() ([]byte, error) { return openOwn(t, h, berta, sealed[0], []byte("of event 1")) },
		"another event's":   func() ([]byte, error) { return openOwn(t, h, anna, sealed[0], []byte("of event 2")) },
		"nothing":           func() ([]byte, error) { return openOwn(t, h, anna, nil, nil) },
	} {
		if _, err := open(); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("Open() of %s error = %v, want ErrSealed", name, err)
		}
	}
	if err := h.Erase(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	if _, err := openOwn(t, h, anna, sealed[0], []byte("of event 1")); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("Open() after the erasure error = %v, want ErrNoKey", err)
	}
	h.send(t, func(b *vault.Batch) { // a new key of the same subject opens nothing old
		if _, err := b.Own(t.Context(), []flow.SubjectRef{anna}); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := openOwn(t, h, anna, sealed[0], []byte("of event 1")); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("Open() with a later key error = %v, want ErrSealed", err)
	}
	if _, err := openOwn(t, h, berta, sealed[1], []byte("of event 1")); err != nil {
		t.Errorf("Open() of somebody else error = %v, want nil", err)
	}
}

// A message that began before the erasure must not put anything on record under the key that is gone, nor bring the key back.
func TestOwnKeyErasedWhileAMessageIsUnderWayIsAConflict(t *testing.T) {
	for name, known := range map[string]bool{"of a subject that is new": false, "of one that was there": true} {
		t.Run(name, func(t *testing.T) {
			h := open(t, vault.Options{})
			anna := h.Subject("patient", "1")
			own := func(b *vault.Batch) {
				if _, err := b.Own(t.Context(), []flow.SubjectRef{anna}); err != nil {
					t.Fatal(err)
				}
			}
			if known {
				h.send(t, own)
			}
			b := h.Begin()
			defer b.Discard()
			own(b)
			if err := h.Erase(t.Context(), anna); err != nil {
				t.Fatal(err)
			}
			err := h.db.Update(t.Context(), func(tx store.Tx) error { return b.Flush(tx) })
			if !errors.Is(err, vault.ErrConflict) {
				t.Fatalf("Flush() error = %v, want ErrConflict", err)
			}
			if _, err := openOwn(t, h, anna, nil, nil); !errors.Is(err, vault.ErrNoKey) {
				t.Errorf("the key is back: %v", err)
			}
		})
	}
}

func openOwn(t *testing.T, h *house, s flow.SubjectRef, sealed, ad []byte) ([]byte, error) {
	t.Helper()
	o, err := h.Own(t.Context(), s)
	if err != nil {
		return nil, err
	}
	return o.Open(sealed, ad)
}

func TestOwnRefusesTheUnknown(t *testing.T) {
	h := open(t, vault.Options{})
	b := h.Begin()
	if _, err := b.Own(t.Context(), []flow.SubjectRef{{}}); !errors.Is(err, vault.ErrScope) {
		t.Errorf("Own() of nobody error = %v, want ErrScope", err)
	}
	b.Discard()
	if _, err := b.Own(t.Context(), nil); !errors.Is(err, vault.ErrDone) {
		t.Errorf("Own() of a batch that is done error = %v, want ErrDone", err)
	}
}

// A person whose number is written with white space around it is the same person; names of our own are exact.
func TestASubjectIsOneHoweverItIsPadded(t *testing.T) {
	h := open(t, vault.Options{})
	for _, padded := range []string{" MRN-1", "MRN-1 ", "MRN-1\u00a0", "\tMRN-1\r\n"} {
		if h.Subject("patient", padded) != h.Subject("patient", "MRN-1") {
			t.Errorf("%q is another subject", padded)
		}
		if h.Subject("scrim/answer", padded) == h.Subject("scrim/answer", "MRN-1") {
			t.Errorf("%q is the same name", padded)
		}
	}
	if h.Subject("patient", "MRN-1") == h.Subject("patient", "MRN-2") {
		t.Error("two patients are one subject")
	}
}
