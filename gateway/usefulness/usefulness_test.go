package usefulness_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

const visits = `{"type":"object","properties":{
	"day":{"type":"string","x-scrim-label":"health/visit-date","x-scrim-droppable":true},
	"ssn":{"type":"string","x-scrim-label":"government-id/ssn","x-scrim-droppable":true},
	"code":{"type":"string","x-scrim-label":"health/diagnosis","x-scrim-droppable":true}}}`

const rules = `
@id("days") @generalize("year") permit (principal, action in Action::"upto_generalized", resource in DataClass::"health/visit-date");
@id("codes") @exception("a test") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis");
`

// rig is a gateway that sent something to agents of another domain, who can call it.
type rig struct {
	t *testing.T
	*gatewaytest.Rig
	srv *httptest.Server

	mu  sync.Mutex // guards now
	now time.Time
}

func open(t *testing.T) *rig {
	r := &rig{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }
	party := func(name string) flow.Party { return flow.Party{Agent: flow.AgentID(name), Domain: gatewaytest.Other} }
	setup := gatewaytest.Setup{
		Policy: rules, NoSync: true, Clock: clock, Tables: []store.Schema{usefulness.Schema(), freeze.Schema()},
		Agents:  []*gateway.Agent{{Party: flow.Party{Agent: "records", Domain: gatewaytest.Own}}, {Party: party("payer")}, {Party: party("lab")}},
		Callers: map[string]identity.Grant{"scrim_payer": {Party: party("payer")}, "scrim_lab": {Party: party("lab")}},
		Schemas: []gatewaytest.Schema{{Kind: catalog.Data, Owner: "payer", Direction: flow.Request, JSON: visits}},
	}
	r.Rig = gatewaytest.New(t, setup)
	r.srv = httptest.NewServer(r.Door(usefulness.New(usefulness.Options{Gateway: r.Gateway, DB: r.DB, Keys: r.Keys, Clock: clock})))
	t.Cleanup(r.srv.Close)
	return r
}

// send sends a visit to the payer and returns the reference.
func (r *rig) send() flow.ID {
	r.t.Helper()
	table, ok := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	if !ok {
		r.t.Fatal("no such table")
	}
	s := r.Snapshot()
	f := flow.Flow{
		ID: gateway.NewFlowID(), From: flow.Party{Agent: "records", Domain: gatewaytest.Own}, To: flow.Party{Agent: "payer", Domain: gatewaytest.Other},
		Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{Criticality: flow.Critical},
	}
	_, err := r.Pass(context.Background(), &gateway.Message{
		Snapshot: s, Table: table, Owner: "payer", Query: policy.Query{Flow: f}, Schemas: s.Catalog.Schemas(catalog.Data, "payer", "", flow.Request),
		Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"data":{"day":"2026-02-11","code":"E11.9","ssn":"123-45-6789"}}]}}}`),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return f.ID
}

// say posts a verdict and returns status and answer, without the reference of a refusal.
func (r *rig) say(key, body string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.srv.URL+usefulness.Path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), `,"reference"`)
	return fmt.Sprint(res.StatusCode, " ", text)
}

func verdict(ref flow.ID, member, name, verdict string) string {
	return fmt.Sprintf(`{"reference":%q,%q:%q,"verdict":%q}`, ref, member, name, verdict)
}

func (r *rig) report() (all []string) {
	r.t.Helper()
	list, err := report.UsefulnessOf(r.t.Context(), r.DB, time.Time{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, u := range list {
		all = append(all, fmt.Sprintf("%s %s by %s: %v of %d", u.Label, u.Level, u.Policies, u.Verdicts, u.Recipients))
	}
	return all
}

// A recipient's verdict is kept with how the value was shown, once for each place and label of a flow, whatever it says afterwards.
func TestVerdictsAreKeptOncePerLeaf(t *testing.T) {
	r := open(t)
	ref := r.send()
	for range 3 {
		if got := r.say("scrim_payer", verdict(ref, "label", "health/visit-date", "useful")); got != `200 {"noted":true}` {
			t.Fatalf("got %s", got)
		}
	}
	r.say("scrim_payer", verdict(ref, "label", "health/visit-date", "too-coarse"))
	r.say("scrim_payer", verdict(ref, "label", "health/diagnosis", "not-needed"))
	r.say("scrim_payer", verdict(r.send(), "path", "/params/message/parts/0/data/day", "useful")) // as the note has it
	want := []string{
		"health/diagnosis raw by codes: map[not-needed:1] of 1",
		"health/visit-date generalized by days: map[too-coarse:1 useful:1] of 1",
	}
	if got := r.report(); !slices.Equal(got, want) {
		t.Errorf("the report is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	asked := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Asked && ev.Flow.Parent != "" && strings.HasPrefix(ev.Reason, "verdict: ") {
			asked++
		}
	}
	if asked != 6 {
		t.Errorf("%d verdicts are on record, want 6", asked)
	}
}

// What a message held is not found out by verdicts: a label that it had and lost, one that it never had, and a place that is none are
// answered like one that was shown.
func TestVerdictsTellNothing(t *testing.T) {
	r := open(t)
	ref := r.send()
	for _, body := range []string{
		verdict(ref, "label", "health/visit-date", "useful"), verdict(ref, "label", "government-id/ssn", "too-coarse"), verdict(ref, "label", "person/name", "useful"),
		verdict(ref, "path", "/params/message/parts/0/data/ssn", "unusable"), verdict(ref, "path", "/no/such/place", "unusable"),
	} {
		if got := r.say("scrim_payer", body); got != `200 {"noted":true}` {
			t.Errorf("%s got %s", body, got)
		}
	}
	err := r.DB.View(t.Context(), func(tx store.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT COUNT(*) FROM usefulness_verdicts").Scan(&n); err != nil || n != 5 {
			t.Errorf("%d rows, %v: a row must be written either way, so that time tells nothing", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.report(); len(got) != 2 { // the date, and that the number was dropped
		t.Errorf("the report is %q", got)
	}
}

// Nobody but the recipient is heard, and whoever is not cannot tell a message of others from one that there never was.
func TestOnlyTheRecipientIsHeard(t *testing.T) {
	r := open(t)
	ref, none := r.send(), gateway.NewFlowID()
	theirs := r.say("scrim_lab", verdict(ref, "label", "health/visit-date", "useful"))
	if nobodys := r.say("scrim_lab", verdict(none, "label", "health/visit-date", "useful")); theirs != nobodys || !strings.HasPrefix(theirs, "400 ") {
		t.Errorf("of others it got %s, of nobody %s", theirs, nobodys)
	}
	if got := r.say("", verdict(ref, "label", "health/visit-date", "useful")); !strings.HasPrefix(got, "401 ") {
		t.Errorf("without a credential it got %s", got)
	}
	r.mu.Lock()
	r.now = r.now.Add(91 * 24 * time.Hour)
	r.mu.Unlock()
	if got := r.say("scrim_payer", verdict(ref, "label", "health/visit-date", "useful")); !strings.HasPrefix(got, "400 ") {
		t.Errorf("months later it got %s", got)
	}
	if got := r.report(); len(got) != 0 {
		t.Errorf("the report is %q, want nothing", got)
	}
}

// A recipient fills neither the table nor the journal.
func TestVerdictsAreBounded(t *testing.T) {
	r := open(t)
	ref, limited := r.send(), 0
	for i := range 400 {
		if i%50 == 0 {
			r.mu.Lock()
			r.now = r.now.Add(time.Minute)
			r.mu.Unlock()
		}
		if got := r.say("scrim_payer", verdict(ref, "path", fmt.Sprint("/made/up/", i), "useful")); got != `200 {"noted":true}` {
			t.Fatalf("got %s", got)
		}
	}
	for range 100 {
		if strings.HasPrefix(r.say("scrim_payer", verdict(ref, "path", "/x", "useful")), "429 ") {
			limited++
		}
	}
	err := r.DB.View(t.Context(), func(tx store.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT COUNT(*) FROM usefulness_verdicts").Scan(&n); err != nil || n > 256 {
			t.Errorf("%d rows of one flow, %v, want at most 256", n, err)
		}
		return nil
	})
	if err != nil || limited < 80 {
		t.Errorf("%d of 100 in a minute were refused, %v", limited, err)
	}
}

func TestWhatIsNoVerdict(t *testing.T) {
	ref := gateway.NewFlowID()
	for _, body := range []string{
		``, `[]`, `{}`, verdict("x", "label", "a", "useful"), verdict(ref, "label", "a", "great"), verdict(ref, "label", "", "useful"), verdict(ref, "other", "a", "useful"),
		fmt.Sprintf(`{"reference":%q,"label":"a","path":"/b","verdict":"useful"}`, ref), verdict(ref, "label", strings.Repeat("x", 2000), "useful"), verdict(ref, "label", "a", "useful") + "{}",
	} {
		_, err := usefulness.Parse([]byte(body))
		if r, ok := errors.AsType[*gateway.Refusal](err); !ok || r.Rule != gateway.RulePlace {
			t.Errorf("Parse(%s) error = %v, want a refusal by place", body, err)
		} else if strings.Contains(r.Error()+r.Public, "great") {
			t.Errorf("the refusal repeats what was said: %v", r)
		}
	}
}

// Whatever a stranger sends is a verdict within bounds, or a refusal.
func FuzzParse(f *testing.F) {
	f.Add([]byte(verdict("0123456789abcdefghijklmnop", "label", "health/visit-date", "useful")))
	f.Add([]byte(`{"reference":"0123456789abcdefghijklmnop","path":"/a","verdict":"unusable","verdict":"useful"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := usefulness.Parse(b)
		if err != nil {
			if _, ok := errors.AsType[*gateway.Refusal](err); !ok || got != (usefulness.Told{}) {
				t.Errorf("Parse() = %+v, %v", got, err)
			}
			return
		}
		if !slices.Contains(usefulness.Verdicts, got.Verdict) || (got.Path == "") == (got.Label == "") || len(got.Reference) != 26 {
			t.Errorf("Parse() = %+v", got)
		}
	})
}
