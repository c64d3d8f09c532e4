package freeze_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// journal keeps what was recorded; it fails where it is told to.
type journal struct {
	mu   sync.Mutex
	rows []string
	fail error
}

func (j *journal) Append(_ store.Tx, ev flow.Event, _ audit.Private) (flow.Receipt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return flow.Receipt{}, j.fail
	}
	j.rows = append(j.rows, ev.Flow.Method+" "+ev.Reason)
	return flow.Receipt{}, nil
}

func open(t testing.TB, db store.DB, j *journal) *freeze.List {
	t.Helper()
	l, err := freeze.Open(t.Context(), freeze.Options{DB: db, Journal: j, Domain: "hospital", FlowID: func() flow.ID { return "f-1" }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func target(t testing.TB, s string) freeze.Target {
	t.Helper()
	out, err := freeze.Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}

// A freeze is of exactly what it names: an agent by its name with all that was derived from it, and nobody whose name begins alike.
func TestWhomAFreezeIsAbout(t *testing.T) {
	party := func(agent, domain string) flow.Party {
		return flow.Party{Agent: flow.AgentID(agent), Domain: flow.DomainID(domain)}
	}
	for _, c := range []struct {
		frozen string
		flow   flow.Flow
		want   bool
	}{
		{"agent:intake", flow.Flow{From: party("intake", "hospital")}, true},
		{"agent:intake", flow.Flow{To: party("intake", "lab")}, true},
		{"agent:intake", flow.Flow{From: party("intake/billing", "hospital")}, true},
		{"agent:intake", flow.Flow{From: party("intake-2", "hospital")}, false},
		{"agent:intake/billing", flow.Flow{From: party("intake", "hospital")}, false},
		{"agent:intake@lab", flow.Flow{From: party("intake", "hospital")}, false},
		{"agent:intake@lab", flow.Flow{From: party("intake/x", "lab")}, true},
		{"agent:intake", flow.Flow{From: party("other", "hospital"), Chain: []flow.Party{party("intake", "hospital"), party("other", "hospital")}}, true},
		{"domain:lab", flow.Flow{From: party("x", "hospital"), To: party("y", "lab")}, true},
		{"domain:lab", flow.Flow{From: party("x", "hospital"), To: party("lab", "hospital")}, false},
		{"domain:lab", flow.Flow{From: party("x", "hospital"), Capability: &flow.Capability{Issuer: "lab"}}, true},
		{"dataset:intake", flow.Flow{From: party("intake", "hospital")}, false},
		{"domain:lab", flow.Flow{}, false},
	} {
		l := open(t, storetest.Open(t, freeze.Schema()), &journal{})
		if l.Flow(&c.flow) {
			t.Errorf("%s: a flow is frozen before anything is", c.frozen)
		}
		if _, err := l.Freeze(t.Context(), target(t, c.frozen), freeze.Operator, ""); err != nil {
			t.Fatal(err)
		}
		if got := l.Flow(&c.flow); got != c.want {
			t.Errorf("%s: flow %+v frozen = %t, want %t", c.frozen, c.flow, got, c.want)
		}
	}
}

// What is not on record is not in force, and what is in force stays so until its end is on record.
func TestNoRecordNoFreezeAndNoThaw(t *testing.T) {
	j := &journal{fail: errors.New("disk is full")}
	l := open(t, storetest.Open(t, freeze.Schema()), j)
	lab, agent := target(t, "domain:lab"), flow.Party{Agent: "x", Domain: "lab"}
	if _, err := l.Freeze(t.Context(), lab, freeze.Operator, ""); !errors.Is(err, j.fail) || l.Party(agent) {
		t.Errorf("Freeze() error = %v, frozen: %t, want the journal's and not", err, l.Party(agent))
	}
	j.fail = nil
	if _, err := l.Freeze(t.Context(), lab, freeze.Operator, "why"); err != nil || !l.Party(agent) {
		t.Errorf("Freeze() error = %v, frozen: %t", err, l.Party(agent))
	}
	j.fail = errors.New("disk is full")
	if _, err := l.Thaw(t.Context(), lab, ""); !errors.Is(err, j.fail) || !l.Party(agent) {
		t.Errorf("Thaw() error = %v, frozen: %t, want the journal's and still", err, l.Party(agent))
	}
}

// Many freeze and thaw the same at once; what is stored in the end is what is in force, and the record tells each change once.
func TestManyFreezeAtOnce(t *testing.T) {
	db, j := storetest.Open(t, freeze.Schema()), &journal{}
	l := open(t, db, j)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				one := target(t, fmt.Sprint("agent:a", i%3))
				if _, err := l.Freeze(t.Context(), one, freeze.Operator, ""); err != nil {
					t.Error(err)
				}
				if _, err := l.Thaw(t.Context(), one, ""); err != nil && !errors.Is(err, freeze.ErrNotFrozen) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := l.Freeze(t.Context(), target(t, "agent:last"), freeze.Alarm, "a burst"); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(open(t, db, j).All()), fmt.Sprint(l.All()); got != want || l.Count() != 1 {
		t.Errorf("stored is %s, in force %s", got, want)
	}
	state := map[string]bool{}
	for _, row := range j.rows {
		_, what, _ := strings.Cut(row, ": ")
		if now := strings.HasPrefix(row, "freeze"); state[what] == now {
			t.Fatalf("%q is on record twice in a row", row)
		}
		state[what] = !state[what]
	}
	past, err := l.Past(t.Context(), 5)
	if err != nil || len(past) != 5 || past[0].Until.IsZero() {
		t.Errorf("Past() = %v, %v", past, err)
	}
}

func TestWhatCannotBeFrozen(t *testing.T) {
	for _, s := range []string{"", "agent", "agent:", "agent:a@", "agent:@lab", "domain:", "robot:x", "agent:a\nb", "agent:a\u202eb", "dataset:" + strings.Repeat("x", 300)} {
		if got, err := freeze.Parse(s); !errors.Is(err, freeze.ErrTarget) {
			t.Errorf("Parse(%q) = %v, %v, want ErrTarget", s, got, err)
		}
	}
	l := open(t, storetest.Open(t, freeze.Schema()), &journal{})
	if _, err := l.Freeze(t.Context(), target(t, "domain:hospital"), freeze.Operator, ""); !errors.Is(err, freeze.ErrOwn) {
		t.Errorf("the own domain: error = %v, want ErrOwn", err)
	}
	if _, err := l.Freeze(t.Context(), target(t, "agent:x"), freeze.Operator, "two\nlines"); !errors.Is(err, freeze.ErrReason) {
		t.Errorf("a reason of two lines: error = %v, want ErrReason", err)
	}
	if _, err := l.Thaw(t.Context(), target(t, "agent:x"), ""); !errors.Is(err, freeze.ErrNotFrozen) {
		t.Errorf("Thaw() error = %v, want ErrNotFrozen", err)
	}
}

// What is written can be read, and means the same.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"agent:intake", "agent:a@b@c", "agent:x/y@lab", "domain:lab.example", "dataset:stays", "agent:é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := freeze.Parse(s)
		if err != nil {
			return
		}
		if got.String() != s {
			t.Errorf("Parse(%q).String() = %q", s, got)
		}
	})
}

func BenchmarkFlowWhileAHundredAreFrozen(b *testing.B) {
	l := open(b, storetest.Open(b, freeze.Schema()), &journal{})
	for i := range 100 {
		if _, err := l.Freeze(b.Context(), target(b, fmt.Sprint("agent:a", i)), freeze.Operator, ""); err != nil {
			b.Fatal(err)
		}
	}
	f := flow.Flow{From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "prior-auth", Domain: "insurer"}}
	for b.Loop() {
		if l.Flow(&f) {
			b.Fatal("frozen")
		}
	}
}
