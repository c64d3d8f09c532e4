package impact_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// journal is rows as a gateway writes them, without a gateway.
type journal struct {
	t    testing.TB
	db   store.DB
	keys *vault.Keyring
	seq  int64
	now  time.Time
}

func openJournal(t testing.TB) *journal {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "data"), []store.Schema{audit.Schema(), impact.Schema()}, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	keys, err := vault.OpenKeyring(t.Context(), filepath.Join(dir, "keyset.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &journal{t: t, db: db, keys: keys, now: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
}

// written is a row to be written.
type written struct {
	ev     flow.Event
	inputs *gateway.Inputs // nil: nothing is sealed
	as     flow.ID         // that they are sealed for; "": the flow's own
}

// decision is what a gateway records of leaves that a set decides; change may alter the terms, as what is beside policy does.
func (j *journal) decision(set *policy.Set, q policy.Query, leaves []flow.Leaf, change func([]flow.LeafTerms)) written {
	j.t.Helper()
	j.seq++
	j.now = j.now.Add(time.Second)
	q.Flow.ID = flow.ID(fmt.Sprintf("flow-%d", j.seq))
	terms, err := set.Decide(q, leaves)
	if err != nil {
		j.t.Fatal(err)
	}
	if change != nil {
		change(terms.Leaves)
	}
	ev := flow.Event{
		Time: j.now, Flow: q.Flow, Outcome: flow.Released, PolicyHash: set.Hash(), ConfigHash: "c", Levels: flow.CountLevels(leaves, terms.Leaves), Bytes: 812,
		Took: 300 * time.Microsecond, NoSubject: len(leaves),
	}
	return written{ev: ev, inputs: &gateway.Inputs{Query: q, Leaves: leaves, Terms: terms.Leaves}}
}

func (j *journal) write(all ...written) {
	j.t.Helper()
	seal := j.keys.AEAD("journal")
	err := j.db.Update(context.Background(), func(tx store.Tx) error {
		var last int64
		if err := tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&last); err != nil {
			return err
		}
		for i := range all {
			w := &all[i]
			raw, err := json.Marshal(w.ev)
			if err != nil {
				return err
			}
			var sealed []byte
			if w.inputs != nil {
				plain, err := gateway.EncodeInputs(*w.inputs)
				if err != nil {
					return err
				}
				if sealed, err = seal.Seal(plain, []byte(cmp.Or(w.as, w.ev.Flow.ID))); err != nil {
					return err
				}
			}
			last++
			if _, err := tx.Exec("INSERT INTO audit_entries (seq, flow, parent, event, sealed, proof) VALUES (?, ?, '', ?, ?, ?)", last, string(w.ev.Flow.ID), raw, sealed, []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *journal) source() impact.Source {
	return impact.Source{DB: j.db, Inputs: j.keys.AEAD("journal")}
}

func (j *journal) compare(src impact.Source, old, next impact.Side, opt impact.Options) *impact.Impact {
	j.t.Helper()
	out, err := impact.Compare(j.t.Context(), src, old, next, opt)
	if err != nil {
		j.t.Fatal(err)
	}
	if got := out.Decided + sum(out.Not); got != out.Decisions {
		j.t.Errorf("of %d decisions %d are accounted for", out.Decisions, got)
	}
	if got := out.Flows.Same + out.Flows.Open + out.Flows.Close + out.Flows.Mixed; got != out.Decided {
		j.t.Errorf("of %d flows %d are accounted for", out.Decided, got)
	}
	return out
}

func sum(m map[impact.Reason]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// set loads policies over a small hospital.
func set(t testing.TB, change func(*policy.Entities), policies string) *policy.Set {
	t.Helper()
	e := policy.Entities{
		Agents: []flow.Party{
			{Agent: "records", Domain: "hospital", Roles: []flow.Role{"clinic"}}, {Agent: "payer", Domain: "insurer", Roles: []flow.Role{"claims"}},
			{Agent: "lab", Domain: "lab"},
		},
		Purposes:    map[flow.Purpose][]flow.Purpose{"care": nil, "payment": nil, "research": nil},
		RoleParents: map[flow.Role][]flow.Role{"clinic": nil, "claims": nil},
		Fields: []policy.Field{
			{Name: "visits/day", Dataset: "visits", Label: "health/visit-date"}, {Name: "visits/code", Dataset: "visits", Label: "health/diagnosis"},
			{Name: "visits/name", Dataset: "visits", Label: "person/name"},
		},
	}
	if change != nil {
		change(&e)
	}
	s, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(policies)}}, policy.Options{Entities: e})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func side(s *policy.Set) impact.Side {
	return impact.Side{Policy: s, Settings: map[string]string{}}
}
