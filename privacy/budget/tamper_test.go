package budget_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

// populate writes a ledger with every kind of entry.
func populate(t *testing.T, change ...func(*budget.Options)) *house {
	t.Helper()
	h := open(t, append([]func(*budget.Options){func(o *budget.Options) { o.Slice = 4 }}, change...)...)
	b := patients(nano, 1e9)
	b.Blocks = budget.Blocks{Kind: budget.BlocksHash, Count: 2}
	h.declare(t, b)
	must(t, h.Replan(t.Context(), "claims", budget.Plan{Epsilon: nano - 1, Delta: 1e9}))
	must(t, h.SetQuota(t.Context(), agent1, &budget.Plan{Epsilon: nano / 2}))
	for _, k := range []string{"k1", "k2", "k3"} {
		must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(nano / 100), Key: k, Request: digest(k)}, "answer to "+k))
	}
	r, err := h.reserve(budget.Charge{Scope: agent1, Cost: pure(nano / 100), Key: "k4", Request: digest("k4")})
	must(t, err)
	must(t, r.Release(t.Context()))
	must(t, h.spend(budget.Charge{Scope: agent2, Cost: pure(nano / 1000), Lease: time.Minute}, ""))
	_, err = h.reserve(budget.Charge{Scope: agent2, Cost: pure(nano / 100), Key: "k5", Request: digest("k5")})
	must(t, err)
	must(t, h.Close(t.Context()))
	return h
}

// Whatever is changed behind the ledger's back is found, and a ledger that was changed does not open.
func TestReplayFindsEveryTampering(t *testing.T) {
	none := []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for name, c := range map[string]struct {
		rule error
		late bool // found by Replay; opening looks at answers when they are used
		does []statement
	}{
		"a sum is set to nothing":        {budget.ErrSums, false, stmts("UPDATE budget_sums SET sums = ?", none)},
		"one block's sum is another's":   {budget.ErrSums, false, stmts("UPDATE budget_sums SET sums = ? WHERE block = 1", none)},
		"a row of sums is gone":          {budget.ErrSums, false, stmts("DELETE FROM budget_sums WHERE block = 1")},
		"all sums are gone":              {budget.ErrSums, false, stmts("DELETE FROM budget_sums")},
		"a row counts fewer entries":     {budget.ErrSums, false, stmts("UPDATE budget_sums SET entries = entries - 1")},
		"a sum that is not readable":     {budget.ErrSums, false, stmts("UPDATE budget_sums SET sums = ?", []byte{1, 2})},
		"a sum of a newer form":          {budget.ErrNewer, false, stmts("UPDATE budget_sums SET sums = ?", []byte{2, 2})},
		"an entry in the middle is gone": {budget.ErrChain, false, stmts("DELETE FROM budget_entries WHERE n % 1099511627776 = 6")},
		"the first entry is gone":        {budget.ErrChain, false, stmts("DELETE FROM budget_entries WHERE n % 1099511627776 = 1")},
		"the last entry is gone":         {budget.ErrChain, false, stmts("DELETE FROM budget_entries WHERE n = (SELECT max(n) FROM budget_entries)")},
		"the end is gone, head set back": {budget.ErrSignature, false, stmts("DELETE FROM budget_entries WHERE n % 1099511627776 > 6",
			"UPDATE budget_writers SET seq = 6, hash = (SELECT hash FROM budget_entries WHERE n % 1099511627776 = 6)")},
		"two entries change places": {budget.ErrChain, false, stmts("UPDATE budget_entries SET n = 77 WHERE n % 1099511627776 = 4",
			"UPDATE budget_entries SET n = 1099511627776 + 4 WHERE n % 1099511627776 = 6", "UPDATE budget_entries SET n = 1099511627776 + 6 WHERE n = 77")},
		"a body is that of another entry":     {budget.ErrChain, false, stmts("UPDATE budget_entries SET body = (SELECT body FROM budget_entries WHERE n % 1099511627776 = 4) WHERE n % 1099511627776 = 6")},
		"an entry is moved to another writer": {budget.ErrChain, false, stmts("UPDATE budget_entries SET n = n + 1099511627776 WHERE n % 1099511627776 = 8")},
		"an entry's hash":                     {budget.ErrChain, false, stmts("UPDATE budget_entries SET hash = ? WHERE n % 1099511627776 = 5", make([]byte, 32))},
		"the last hash and the head's": {budget.ErrSignature, false, stmts("UPDATE budget_entries SET hash = ? WHERE n = (SELECT max(n) FROM budget_entries)",
			make([]byte, 32)).and("UPDATE budget_writers SET hash = ?", make([]byte, 32))},
		"an entry of a newer form":        {budget.ErrNewer, false, stmts("UPDATE budget_entries SET body = ? WHERE n % 1099511627776 = 5", []byte{9, 9})},
		"the head's signature":            {budget.ErrSignature, false, stmts("UPDATE budget_writers SET signature = ?", make([]byte, 64))},
		"the head's key":                  {budget.ErrSignature, false, stmts("UPDATE budget_writers SET signer = ?", []byte(keyOf("mallory").Public().(ed25519.PublicKey)))},
		"the head's number":               {budget.ErrSignature, false, stmts("UPDATE budget_writers SET seq = seq + 1")},
		"the head's name":                 {budget.ErrChain, false, stmts("UPDATE budget_writers SET name = 'other'")},
		"the writer is gone":              {budget.ErrChain, false, stmts("DELETE FROM budget_writers")},
		"a second writer from nowhere":    {budget.ErrSignature, false, stmts("INSERT INTO budget_writers SELECT id + 1, name, seq, hash, signer, signature FROM budget_writers")},
		"the plan of before":              {budget.ErrCaps, false, stmts("UPDATE budget_scopes SET plan = (SELECT body FROM budget_entries WHERE n % 1099511627776 = 1) WHERE level = 0")},
		"a quota is gone":                 {budget.ErrCaps, false, stmts("UPDATE budget_scopes SET plan = ? WHERE level = 3", []byte{})},
		"a budget is gone":                {budget.ErrSums, false, stmts("DELETE FROM budget_scopes WHERE level = 0")},
		"a scope goes by another name":    {budget.ErrSums, false, stmts("UPDATE budget_scopes SET agent = 'a9' WHERE agent = 'a1'")},
		"a key is forgotten":              {budget.ErrSums, false, stmts("DELETE FROM budget_keys WHERE idem = (SELECT idem FROM budget_keys ORDER BY idem DESC LIMIT 1)")},
		"a key stands for another charge": {budget.ErrSums, false, stmts("UPDATE budget_keys SET charge = (SELECT charge FROM budget_keys ORDER BY charge LIMIT 1)")},
		"a key of another request":        {budget.ErrSums, false, stmts("UPDATE budget_keys SET request = ?", make([]byte, 32))},
		"an answer is gone":               {budget.ErrSums, true, stmts("DELETE FROM budget_answers WHERE charge = (SELECT charge FROM budget_answers ORDER BY charge DESC LIMIT 1)")},
		"an answer is another":            {budget.ErrSums, true, stmts("UPDATE budget_answers SET sealed = (SELECT sealed FROM budget_answers ORDER BY sealed LIMIT 1)")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := populate(t)
			fresh, err := tryOpen(t, h.db, h.clock)
			must(t, err)
			must(t, h.db.Update(t.Context(), func(tx store.Tx) error {
				for _, s := range c.does {
					n, err := tx.Exec(s.text, s.args...)
					if err != nil || n == 0 {
						t.Fatalf("%s: %d rows, %v", s.text, n, err)
					}
				}
				return nil
			}))
			r, err := fresh.Replay(t.Context())
			must(t, err)
			found := false
			for _, f := range r.Findings {
				found = found || errors.Is(f, c.rule)
			}
			if !found {
				t.Errorf("Replay finds %v, want %v", r.Findings, c.rule)
			}
			_, err = tryOpen(t, h.db, h.clock)
			if (err == nil) != c.late {
				t.Errorf("opening: %v", err)
			}
		})
	}
}

type statement struct {
	text string
	args []any
}

type statements []statement

// stmts makes a list of one statement with arguments, or of several without.
func stmts(text string, more ...any) statements {
	if len(more) > 0 {
		if _, ok := more[0].(string); ok {
			all := statements{{text: text}}
			for _, m := range more {
				all = append(all, statement{text: m.(string)})
			}
			return all
		}
	}
	return statements{{text, more}}
}

func (s statements) and(text string, args ...any) statements { return append(s, statement{text, args}) }

// A ledger that was set back as a whole is in order by itself. Whoever saw its end knows.
func TestASetBackLedgerIsKnownByItsWitnesses(t *testing.T) {
	h := populate(t)
	r, err := h.Replay(context.Background())
	must(t, err)
	seen := r.Heads[0]
	_, err = tryOpen(t, h.db, h.clock, func(o *budget.Options) { o.Witnessed = []budget.Head{seen} })
	must(t, err)
	ahead := seen
	ahead.Seq++
	_, err = tryOpen(t, h.db, h.clock, func(o *budget.Options) { o.Witnessed = []budget.Head{ahead} })
	want(t, "a head that is not there", err, budget.ErrRollback)
	other := seen
	other.Hash[0]++
	_, err = tryOpen(t, h.db, h.clock, func(o *budget.Options) { o.Witnessed = []budget.Head{other} })
	want(t, "another history", err, budget.ErrRollback)
}

// Keys rotate: a head by an earlier key counts while it is trusted.
func TestAnEarlierKeyCountsWhileItIsTrusted(t *testing.T) {
	h := populate(t)
	later := func(o *budget.Options) { o.Signer = keyOf("later") }
	_, err := tryOpen(t, h.db, h.clock, later)
	want(t, "a key that nobody trusts", err, budget.ErrSignature)
	h, err = tryOpen(t, h.db, h.clock, later, func(o *budget.Options) { o.Trusted = append(o.Trusted, keyOf("gateway").Public().(ed25519.PublicKey)) })
	must(t, err)
	must(t, h.spend(budget.Charge{Scope: agent2, Cost: pure(1000)}, ""))
	h.again(t, later)
}

func TestOptionsThatAreNone(t *testing.T) {
	h := open(t)
	_, err := tryOpen(t, h.db, h.clock, func(o *budget.Options) { o.Signer = nil })
	want(t, "no signer", err, budget.ErrOptions)
	h = open(t, func(o *budget.Options) { o.Seal = nil })
	h.declare(t, patients(nano, 0))
	_, err = h.reserve(budget.Charge{Scope: agent1, Cost: pure(1), Key: "k"})
	want(t, "a key and nothing to seal with", err, budget.ErrSeal)
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(1)}, ""))
}

// What the journal refuses is not charged.
func TestNoRecordNoCharge(t *testing.T) {
	full := errors.New("the journal is full")
	var fail bool
	var kinds []budget.Kind
	h := open(t, func(o *budget.Options) {
		o.Journal = func(_ store.Tx, es []budget.Entry) error {
			if fail {
				return full
			}
			for _, e := range es {
				kinds = append(kinds, e.Kind)
			}
			return nil
		}
	})
	h.declare(t, patients(nano, 0))
	fail = true
	_, err := h.reserve(budget.Charge{Scope: agent1, Cost: pure(nano)})
	want(t, "a charge that is not on record", err, full)
	fail = false
	r, err := h.reserve(budget.Charge{Scope: agent1, Cost: pure(nano)})
	must(t, err)
	fail = true
	want(t, "an answer that is not on record", r.Commit(t.Context(), nil), full)
	fail = false
	must(t, r.Commit(t.Context(), nil))
	if len(kinds) != 3 || kinds[0] != budget.Declared || kinds[1] != budget.Reserved || kinds[2] != budget.Committed {
		t.Errorf("the journal has %v", kinds)
	}
	h.sound(t)
}
