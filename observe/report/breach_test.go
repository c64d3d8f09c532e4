package report_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

const visits = `{"type":"object","properties":{
	"id":{"type":"string","x-scrim-label":"health/record-number","x-scrim-subject":"/id","x-scrim-droppable":true},
	"day":{"type":"string","x-scrim-label":"health/visit-date","x-scrim-subject":"/id","x-scrim-droppable":true},
	"code":{"type":"string","x-scrim-label":"health/diagnosis","x-scrim-subject":"/id","x-scrim-droppable":true}}}`

const rules = `
@id("days") @generalize("year") permit (principal, action in Action::"upto_generalized", resource in DataClass::"health/visit-date");
@id("codes") @exception("a test") permit (principal == Agent::"payer", action in Action::"upto_raw", resource in DataClass::"health/diagnosis");
`

// ward is a gateway whose agent sends visits of patients to two agents of another domain.
type ward struct {
	t *testing.T
	*gatewaytest.Rig

	mu  sync.Mutex
	now time.Time
}

func openWard(t *testing.T) *ward {
	w := &ward{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	party := func(a string, d flow.DomainID) *gateway.Agent {
		return &gateway.Agent{Party: flow.Party{Agent: flow.AgentID(a), Domain: d}}
	}
	setup := gatewaytest.Setup{
		Policy: rules, NoSync: true, Agents: []*gateway.Agent{party("records", gatewaytest.Own), party("payer", gatewaytest.Other), party("lab", gatewaytest.Other)},
		Clock: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
	}
	for _, owner := range []flow.AgentID{"payer", "lab"} {
		setup.Schemas = append(setup.Schemas, gatewaytest.Schema{Kind: catalog.Data, Owner: owner, Direction: flow.Request, JSON: visits})
	}
	w.Rig = gatewaytest.New(t, setup)
	return w
}

// send sends visits, each of one patient, in one message.
func (w *ward) send(to flow.AgentID, ids ...string) string {
	w.t.Helper()
	var parts []string
	for _, id := range ids {
		code := `,"code":"E11.9"`
		if strings.HasSuffix(id, "-") { // nothing was found
			code = ""
		}
		parts = append(parts, fmt.Sprintf(`{"data":{"id":%q,"day":"2026-02-11"%s}}`, id, code))
	}
	table, ok := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	if !ok {
		w.t.Fatal("no such table")
	}
	s := w.Snapshot()
	f := flow.Flow{
		ID: gateway.NewFlowID(), From: flow.Party{Agent: "records", Domain: gatewaytest.Own}, To: flow.Party{Agent: to, Domain: gatewaytest.Other},
		Purpose: "payment", Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{Criticality: flow.Critical},
	}
	p, err := w.Pass(context.Background(), &gateway.Message{
		Snapshot: s, Table: table, Owner: to, Query: policy.Query{Flow: f}, Schemas: s.Catalog.Schemas(catalog.Data, to, "", flow.Request),
		Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[` + strings.Join(parts, ",") + `]}}}`),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(p.Body)
}

func (w *ward) sleep(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *ward) source() report.Source {
	return report.Source{DB: w.DB, Domain: gatewaytest.Own, Inputs: w.Keys.AEAD("journal"), Vault: w.Vault}
}

func (w *ward) breach(q report.BreachQuery) *report.Breach {
	w.t.Helper()
	if q.Until.IsZero() {
		q.Until = w.now.Add(time.Minute)
	}
	b, err := report.BreachOf(w.t.Context(), w.source(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// lines are what a report says, one line for each thing that was shown.
func lines(b *report.Breach) (all []string) {
	for _, r := range b.Recipients {
		for _, s := range r.Shown {
			all = append(all, fmt.Sprintf("%s %s %s: %d of %d, %d unknown, by %v", r.Agent, s.Label, s.Level, s.Values, s.Subjects, s.Nobody, s.Policies))
		}
	}
	return all
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintln(got) != fmt.Sprintln(want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A report says who saw how many people's what, at which level, under which policy; a person twice is one, and what was not shown is not told.
func TestWhoSawWhat(t *testing.T) {
	w := openWard(t)
	if body := w.send("payer", "p1", "p2"); strings.Contains(body, "p1") || !strings.Contains(body, "E11.9") || !strings.Contains(body, `"2026"`) {
		t.Fatalf("the message became %s", body)
	}
	w.sleep(time.Hour)
	second := w.now
	w.send("payer", "p2", "p3")
	w.send("lab", "p3")
	all := w.breach(report.BreachQuery{})
	same(t, "all", lines(all),
		"lab health/visit-date generalized: 1 of 1, 0 unknown, by [days]",
		"payer health/diagnosis raw: 4 of 3, 0 unknown, by [codes]",
		"payer health/visit-date generalized: 4 of 3, 0 unknown, by [days]",
	)
	if all.Subjects != 3 || all.Bounds != 0 || all.Recipients[1].Flows != 2 || fmt.Sprint(all.Recipients[1].Purposes) != "[payment]" || all.Recipients[0].Shown[0].Hash == "" || all.Named != nil {
		t.Errorf("the report is %+v", all)
	}
	same(t, "the second hour", lines(w.breach(report.BreachQuery{Since: second, Agent: "payer", Domain: gatewaytest.Other})),
		"payer health/diagnosis raw: 2 of 2, 0 unknown, by [codes]",
		"payer health/visit-date generalized: 2 of 2, 0 unknown, by [days]",
	)
	same(t, "the first", lines(w.breach(report.BreachQuery{Until: second})),
		"payer health/diagnosis raw: 2 of 2, 0 unknown, by [codes]",
		"payer health/visit-date generalized: 2 of 2, 0 unknown, by [days]",
	)
	same(t, "another domain", lines(w.breach(report.BreachQuery{Domain: "elsewhere"})))
	ref := w.Vault.Subject("", "p3")
	one := w.breach(report.BreachQuery{Of: &ref})
	same(t, "one person", lines(one),
		"lab health/visit-date generalized: 1 of 1, 0 unknown, by [days]",
		"payer health/diagnosis raw: 1 of 1, 0 unknown, by [codes]",
		"payer health/visit-date generalized: 1 of 1, 0 unknown, by [days]",
	)
	if _, err := report.BreachOf(t.Context(), w.source(), report.BreachQuery{Since: second, Until: second.Add(-time.Hour)}); err == nil {
		t.Error("a time that ends before it begins is taken")
	}
}

// People are told by references alone, and which of a message's people a value is about is told exactly.
func TestPeopleAreReferences(t *testing.T) {
	w := openWard(t)
	w.send("payer", "p1", "p2")
	w.send("lab", "p2")
	b := w.breach(report.BreachQuery{Subjects: true})
	if len(b.Named) != 2 {
		t.Fatalf("named are %+v, want two", b.Named)
	}
	seen := map[int]int{}
	for _, n := range b.Named {
		seen[len(n.Seen)]++
	}
	if seen[2] != 1 || seen[3] != 1 { // one of payer alone, one of both
		t.Errorf("named are %+v", b.Named)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"p1", "p2", "E11.9", "2026-02-11"} {
		if strings.Contains(string(raw), `"`+secret) {
			t.Errorf("the report holds %q", secret)
		}
	}
	ref := flow.SubjectRef(unhex(t, b.Named[0].Subject))
	one := w.breach(report.BreachQuery{Of: &ref, Subjects: true})
	if len(one.Named) != 1 || fmt.Sprint(one.Named[0]) != fmt.Sprint(b.Named[0]) {
		t.Errorf("of one person: %+v, want %+v", one.Named, b.Named[0])
	}
}

// Of a message about several people it is told which value is about whom.
func TestWhichOfAMessagesPeople(t *testing.T) {
	w := openWard(t)
	w.send("payer", "p1", "p2-", "p3-")
	same(t, "three people", lines(w.breach(report.BreachQuery{})),
		"payer health/diagnosis raw: 1 of 1, 0 unknown, by [codes]",
		"payer health/visit-date generalized: 3 of 3, 0 unknown, by [days]",
	)
	ref := w.Vault.Subject("", "p3-")
	same(t, "the third", lines(w.breach(report.BreachQuery{Of: &ref})), "payer health/visit-date generalized: 1 of 1, 0 unknown, by [days]")
}

// Without the keys a report says at most how many, and says that it does; an erased person is counted no more, and what was shown still is.
func TestReportsWithoutKeysAndOfTheErased(t *testing.T) {
	w := openWard(t)
	w.send("payer", "p1", "p2")
	s := w.source()
	s.Inputs, s.Vault = nil, nil
	b, err := report.BreachOf(t.Context(), s, report.BreachQuery{Until: w.now.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if b.Bounds != 1 || b.Subjects != 2 || len(b.Recipients) != 1 || b.Recipients[0].Shown[0].Values != 2 || b.Recipients[0].Shown[0].Subjects != 2 {
		t.Errorf("without keys: %+v", b)
	}
	named := w.breach(report.BreachQuery{Subjects: true}).Named
	gone := flow.SubjectRef(unhex(t, named[0].Subject))
	if err := w.DB.Update(t.Context(), func(tx store.Tx) error { return audit.EraseAbout(tx, gone) }); err != nil {
		t.Fatal(err)
	}
	if err := w.Vault.Erase(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	after := w.breach(report.BreachQuery{Subjects: true})
	for _, n := range after.Named {
		if n.Subject == named[0].Subject {
			t.Error("an erased person is named")
		}
	}
	if after.Recipients[0].Shown[0].Values != 2 {
		t.Errorf("after the erasure: %+v", after)
	}
}

// Rows that were sent long ago do not make a report slow, and clocks that were set back do not hide any.
func TestWhereAReportBegins(t *testing.T) {
	w := openWard(t)
	for range 40 {
		w.send("lab", "p1")
		w.sleep(24 * time.Hour)
	}
	since := w.now
	w.sleep(-20 * time.Hour)
	w.send("payer", "p2") // an hour of which the clock was not sure
	w.sleep(30 * time.Hour)
	w.send("payer", "p3")
	if b := w.breach(report.BreachQuery{Since: since.Add(-21 * time.Hour)}); b.Subjects != 2 || b.Entries != 2 {
		t.Errorf("the report is %+v, want two people", b)
	}
}

// A clock that was wrong for one entry neither ends a report early nor begins it late.
func TestOneWrongClockCutsNoReportShort(t *testing.T) {
	w := openWard(t)
	since := w.now
	w.send("payer", "p1")
	for _, wrong := range []time.Duration{40 * 24 * time.Hour, -40 * 24 * time.Hour} {
		w.sleep(wrong)
		w.send("lab", "p2")
		w.sleep(-wrong)
		w.send("payer", "p3")
	}
	if b := w.breach(report.BreachQuery{Since: since, Until: since.Add(time.Hour), Agent: "payer"}); b.Subjects != 2 {
		t.Errorf("the report is %+v, want two people", b)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
