package exposure_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// house is a memory with what it needs.
type house struct {
	*exposure.Memory
	t     testing.TB
	db    store.DB
	vault *vault.Vault
	keys  *vault.Keyring
	s     *exposure.Settings
	now   time.Time
}

func open(t testing.TB, s *exposure.Settings) *house {
	t.Helper()
	h := &house{t: t, s: s, now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	var err error
	if h.db, err = store.Open(t.Context(), filepath.Join(dir, "data"), []store.Schema{vault.Schema(), exposure.Schema()}, store.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.db.Close() })
	keys, err := vault.OpenKeyring(t.Context(), filepath.Join(dir, "keys"), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.keys = keys
	if h.vault, err = vault.New(h.db, keys, vault.Options{Domain: "hospital", Erased: exposure.Erase, Clock: func() time.Time { return h.now }}); err != nil {
		t.Fatal(err)
	}
	if s.Taxonomy == nil {
		s.Taxonomy = flow.DefaultTaxonomy()
	}
	if s.Rules == nil {
		s.Rules = exposure.Presets()["combinations"]
	}
	h.reopen()
	return h
}

// reopen is a memory that knows what is in the store alone.
func (h *house) reopen() {
	h.t.Helper()
	var err error
	if h.Memory, err = exposure.Open(h.t.Context(), h.db, h.vault, h.keys, exposure.Options{Clock: func() time.Time { return h.now }}); err != nil {
		h.t.Fatal(err)
	}
}

// piece is one value of a message.
type piece struct {
	subject string // "": unknown
	label   flow.Label
	value   string
	at      flow.Treatment // that policy lets through; zero: raw
	need    *flow.Treatment
	fits    func(flow.Treatment) bool
}

// sent is a message on its way.
type sent struct {
	h      *house
	look   *exposure.Look
	batch  *vault.Batch
	leaves []flow.Leaf
	terms  []flow.LeafTerms
	places []int
}

// begin takes a message as far as to its record.
func (h *house) begin(to exposure.To, pieces ...piece) (*sent, error) {
	h.t.Helper()
	m := &sent{h: h, batch: h.vault.Begin()}
	var values []exposure.Value
	for i, p := range pieces {
		leaf := flow.Leaf{Label: p.label, Origin: flow.Catalogued, Need: p.need}
		if p.subject != "" {
			leaf.Subject = h.vault.Subject("patient", p.subject)
		}
		if p.at == (flow.Treatment{}) {
			p.at.Level = flow.Raw
		}
		m.leaves, m.terms = append(m.leaves, leaf), append(m.terms, flow.LeafTerms{Treatment: p.at})
		values = append(values, exposure.Value{Leaf: i, Scalar: deidentify.Scalar{Kind: deidentify.String, Text: p.value}, Fits: p.fits})
	}
	var err error
	if m.look, err = h.Begin(context.Background(), h.s, to, m.batch, m.leaves, m.terms, values); err != nil {
		return m, err
	}
	if m.look != nil {
		before := slices.Clone(m.terms)
		m.places = m.look.Coarsen()
		for i := range m.terms {
			if was := m.look.Before(i); slices.Contains(m.places, i) && !reflect.DeepEqual(was, before[i]) {
				h.t.Errorf("Before(%d) = %v, want %v", i, was, before[i])
			} else if !slices.Contains(m.places, i) && !reflect.DeepEqual(m.terms[i], before[i]) {
				h.t.Errorf("the terms of place %d are %v, which were %v, and Coarsen does not say so", i, m.terms[i], before[i])
			}
		}
	}
	return m, nil
}

func (m *sent) commit() error {
	defer m.batch.Discard()
	err := m.h.db.Update(context.Background(), func(tx store.Tx) error {
		if err := m.batch.Flush(tx); err != nil {
			return err
		}
		if m.look == nil {
			return nil
		}
		return m.look.Commit(tx)
	})
	if err == nil {
		m.batch.Keep()
		if m.look != nil {
			m.look.Keep()
		}
	}
	return err
}

// send shows a message to an agent and returns what is left of it, as the gateway does: a conflict is a new try.
func (h *house) send(to exposure.To, pieces ...piece) []flow.Treatment {
	h.t.Helper()
	for range 8 {
		m, err := h.begin(to, pieces...)
		if err == nil {
			err = m.commit()
		}
		if errors.Is(err, vault.ErrConflict) {
			continue
		}
		if err != nil {
			h.t.Fatal(err)
		}
		out := make([]flow.Treatment, len(m.terms))
		for i := range m.terms {
			out[i] = m.terms[i].Treatment
			fam := flow.Attribute
			if c, _ := h.s.Taxonomy.Class(pieces[i].label); c.Family != fam {
				fam = c.Family
			}
			was := pieces[i].at
			if was == (flow.Treatment{}) {
				was.Level = flow.Raw
			}
			if fam.Reveals(out[i], was) {
				h.t.Errorf("%s went from %s to %s, which shows more", pieces[i].label, was, out[i])
			}
		}
		return out
	}
	h.t.Fatal("conflict without end")
	return nil
}

var (
	raw    = flow.Treatment{Level: flow.Raw}
	masked = flow.Treatment{Level: flow.Masked}
	year   = flow.Treatment{Level: flow.Generalized, Param: "year"}
	zip3   = flow.Treatment{Level: flow.Generalized, Param: "prefix:3"}
	decade = flow.Treatment{Level: flow.Generalized, Param: "decade"}
)

func born(s string) piece   { return piece{subject: s, label: "person/birth-date", value: "1957-03-14"} }
func sex(s string) piece    { return piece{subject: s, label: "person/gender", value: "female"} }
func postal(s string) piece { return piece{subject: s, label: "location/postal", value: "97701"} }

func to(agent string) exposure.To {
	return exposure.To{Domain: "insurer", Agent: flow.AgentID(agent), Task: flow.TaskID("task of " + agent)}
}
