package budget

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

func sampleEntries() []Entry {
	plan, caps, err := Plan{Epsilon: 1e9, Delta: 1e9}.Fill()
	if err != nil {
		panic(err)
	}
	d := Budget{
		Dataset: "claims", Unit: Unit{"patient-day", 24 * time.Hour}, Plan: plan, Refresh: true, Claim: Claim{1e9, 1e9},
		Blocks: Blocks{Kind: BlocksTime, Width: 24 * time.Hour, From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
	}
	agent := Scope{Dataset: "claims", Domain: "insurer.example", Workflow: "review", Agent: "a1", Contract: "c"}
	at := time.Date(2026, 11, 27, 9, 0, 0, 1000, time.UTC)
	return []Entry{
		{Kind: Declared, At: at, Scope: Scope{Dataset: "claims"}, Count: 1, Budget: &d, Plan: &plan, Caps: caps, Most: plan.Split},
		{Kind: Quota, At: at, Scope: agent, Count: 2},
		{Kind: Reserved, At: at, ID: ID{1}, Lease: ID{2}, Scope: agent, Blocks: Range{3, 9}, Cost: account.Vector{Epsilon: 1, Mu2: account.Infinite}, Key: [32]byte{4}, Request: [32]byte{5}, Label: "how many"},
		{Kind: Reserved, At: at, ID: ID{1}, Scope: agent, Blocks: Range{0, 1}, Free: true},
		{Kind: Committed, At: at, ID: ID{1}, Scope: agent, Answer: [32]byte{6}},
		{Kind: Leased, At: at, ID: ID{7}, Scope: agent, Blocks: Range{0, 1}, Cost: account.Vector{Epsilon: 1}, Count: 64},
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, e := range sampleEntries() {
		f.Add(e.body(nil))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := parseEntry(body)
		if err != nil {
			if !errors.Is(err, ErrChain) && !errors.Is(err, ErrNewer) {
				t.Errorf("error = %v, want a rule", err)
			}
			return
		}
		if !bytes.Equal(e.body(nil), body) {
			t.Error("an entry that was read is written otherwise")
		}
	})
}

func FuzzParseTotal(f *testing.F) {
	f.Add(new(total).bytes())
	f.Add((&total{finite: [11]int64{1, 2, 3, 4}, infinite: [11]int64{9: 7}}).bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseTotal(b)
		if err != nil {
			return
		}
		before := s
		v := account.Vector{Epsilon: 5, Mu2: account.Infinite}
		if s.add(v, 3) && (!s.sub(v, 3) || s != before) {
			t.Error("what was added cannot be taken away")
		}
	})
}

func TestEntriesAreReadAsTheyWereWritten(t *testing.T) {
	for i, e := range sampleEntries() {
		got, err := parseEntry(e.body(nil))
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if !bytes.Equal(got.body(nil), e.body(nil)) || got.Cost != e.Cost || got.Scope != e.Scope || got.Key != e.Key {
			t.Errorf("entry %d is read as %+v, want %+v", i, got, e)
		}
		for j := range e.body(nil) { // cut short, it is not read
			if _, err := parseEntry(e.body(nil)[:j]); err == nil {
				t.Errorf("entry %d is read from %d bytes", i, j)
			}
		}
	}
}

// A plan whose caps are more than what follows from it, or that refills, is found even if it was signed.
func TestPlansThatDoNotFollowAreFound(t *testing.T) {
	l := &Ledger{opt: Options{}, public: make(ed25519.PublicKey, 32)}
	first := sampleEntries()[0]
	lower := func(change func(e *Entry)) []*Entry {
		a, e := first, first
		plan, d := *first.Plan, *first.Budget
		e.Count, e.Plan, e.Budget = 2, &plan, &d
		change(&e)
		return []*Entry{&a, &e}
	}
	for name, c := range map[string]struct {
		es   []*Entry
		rule error
	}{
		"none of it":            {lower(func(*Entry) {}), nil},
		"a cap of ρ":            {lower(func(e *Entry) { e.Caps.Rho += e.Caps.Rho/1000 + 3 }), ErrCaps},
		"a cap of μ²":           {lower(func(e *Entry) { e.Caps.Mu2 *= 2 }), ErrCaps},
		"a cap of ε":            {lower(func(e *Entry) { e.Caps.Epsilon++ }), ErrCaps},
		"a cap of slack":        {lower(func(e *Entry) { e.Caps.Slack++ }), ErrCaps},
		"an order's cap":        {lower(func(e *Entry) { e.Caps.RDP[5] += 1000 }), ErrCaps},
		"ε that rises":          {lower(func(e *Entry) { e.Plan.Epsilon++ }), ErrRefill},
		"shares forgotten":      {lower(func(e *Entry) { e.Most.Share[GDP]-- }), ErrRefill},
		"a claim that rises":    {lower(func(e *Entry) { e.Budget.Claim.Delta++ }), ErrDeclared},
		"another unit":          {lower(func(e *Entry) { e.Budget.Unit.Window *= 2; e.Budget.Blocks.Width *= 2 }), ErrDeclared},
		"a plan that is absurd": {lower(func(e *Entry) { e.Plan.Delta = wholeDelta }), ErrCaps},
		"a plan left out":       {lower(func(e *Entry) { e.Count = 3 }), ErrChain},
	} {
		p := newReplay(l)
		p.checkPlans(c.es)
		if err := p.report.Err(); !errors.Is(err, c.rule) || (err == nil) != (c.rule == nil) {
			t.Errorf("%s: finding = %v, want %v", name, err, c.rule)
		}
	}
}

// Sums of MACs do not depend on the order, and what is taken away was never there.
func TestSumsOfRows(t *testing.T) {
	p := newReplay(&Ledger{})
	var a, b [32]byte
	rows := [][]byte{{1}, {2}, {3}, {4}}
	for i := range rows {
		p.add(&a, rows[i])
		p.add(&b, rows[len(rows)-1-i])
	}
	if a != b {
		t.Error("the sum depends on the order")
	}
	for range 200 { // carries of every length
		p.add(&a, []byte("x"))
	}
	for range 200 {
		p.sub(&a, []byte("x"))
	}
	if a != b {
		t.Error("what was added and taken away is still in the sum")
	}
}
