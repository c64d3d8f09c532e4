package insight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/insight"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/store"
)

const (
	formToken = "token-of-the-form"
	canary    = "MRN-canary-7d1f4c02b9e84a6f"
	hostile   = "x<script>alert(1)</script>\"'\u202ey"
)

// house is the pages over a real gateway; the headers Role and Name say who asks.
type house struct {
	*httptest.Server
	*gatewaytest.Rig
	graph  *lineage.Graph
	rules  erasure.Rules
	acts   []page.Act
	said   bytes.Buffer // by any log
	urls   []string
	bodies []string
	bad    bool // counting again finds something
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{Rig: gatewaytest.New(t, gatewaytest.Setup{Policy: `@id("p") permit (principal, action in Action::"upto_raw", resource);`, Tables: []store.Schema{lineage.Schema(), trace.Schema(), alarm.Schema(), usefulness.Schema()}})}
	h.graph = lineage.New(h.DB, lineage.Options{})
	slog.SetDefault(slog.New(slog.NewTextHandler(&h.said, nil)))
	office := erasure.New(erasure.Options{DB: h.DB, Journal: h.Log, Vault: h.Vault, Keys: h.Keys, Domain: gatewaytest.Own, Rules: func() erasure.Rules { return h.rules }})
	f := page.New(page.Options{
		Domain: "home", Version: "1", Login: "/login",
		Identify: func(r *http.Request) page.Who {
			var who page.Who
			if who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) == nil {
				who.Name, who.Form = r.Header.Get("Name"), flow.NewSecret(formToken)
			}
			return who
		},
		Record: func(_ context.Context, a page.Act) error { h.acts = append(h.acts, a); return nil },
	})
	insight.Add(f, insight.Options{
		Ledger:   api.Ledger{DB: h.DB, Journal: h.Log, Vault: h.Vault, Keys: h.Keys},
		Snapshot: h.Snapshot, Erasures: office,
		Lineage: &api.Lineage{Domain: gatewaytest.Own, Graph: h.graph, Tracer: trace.New(trace.Options{
			DB: h.DB, Domain: gatewaytest.Own, Graph: h.graph, Entries: h.Log.Entries, Open: func(audit.Entry) (trace.Decision, error) { return trace.Decision{}, nil },
		})},
		Recent: recent.New(recent.Options{Entries: h.Log.Entries, Rows: h.Log.Rows}),
		Verify: func(context.Context, report.Files) (insight.Verified, error) {
			if h.bad {
				return insight.Verified{Wrong: "figures: they do not add up"}, nil
			}
			return insight.Verified{OK: true, Entries: 3}, nil
		},
		Scores: []insight.Score{{ID: "later", Title: "A score that came later", Made: "by hand", Not: "much", Of: func(context.Context) (insight.Figures, error) {
			return insight.Figures{Columns: []string{"Who"}, Rows: [][]insight.Cell{{{Text: hostile, Link: "javascript:alert(1)"}}}}, nil
		}}},
		Fault: func(err error) { fmt.Fprintln(&h.said, err) },
	})
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.urls = append(h.urls, r.URL.String())
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Server.Close)
	return h
}

func (h *house) ask(t *testing.T, method, path, role string, form url.Values) (int, string, http.Header) {
	t.Helper()
	return h.askAs(t, "ann", method, path, role, form)
}

func (h *house) askAs(t *testing.T, name, method, path, role string, form url.Values) (int, string, http.Header) {
	t.Helper()
	req, _ := http.NewRequest(method, h.URL+path, strings.NewReader(form.Encode()))
	req.Header.Set("Role", role)
	req.Header.Set("Name", name)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	h.bodies = append(h.bodies, string(b)+fmt.Sprint(res.Header))
	return res.StatusCode, string(b), res.Header
}

func with(kv ...string) url.Values {
	v := url.Values{"form_token": {formToken}}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return v
}

// append records an event.
func (h *house) append(t *testing.T, ev flow.Event) {
	t.Helper()
	ev.Time = time.Now()
	err := h.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := h.Log.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// secretless fails the test if a canary is anywhere where somebody could read it.
func (h *house) secretless(t *testing.T) {
	t.Helper()
	all := h.said.String() + strings.Join(h.urls, "\n") + strings.Join(h.bodies, "\n") + fmt.Sprintf("%+v", h.acts)
	for _, ev := range h.Events() {
		b, _ := json.Marshal(ev)
		all += string(b)
	}
	if i := strings.Index(all, canary); i >= 0 {
		t.Errorf("the identifier of a person is told: …%s…", all[max(0, i-200):min(len(all), i+100)])
	}
}

func TestEmptyPagesSayWhatToDoNext(t *testing.T) {
	h := open(t)
	for path, want := range map[string]string{
		"/lineage": "Nothing has flowed yet", "/risk": "No combination was made coarser", "/reports": "Make one", "/reports/usefulness": "Nobody said anything", "/erasure": "Ask for an erasure",
		"/lineage?search=zz": "No dataset begins like that", "/lineage?dataset=zz": "Nobody told of it", "/lineage?flow=zz": "Nobody told of it",
	} {
		if status, body, _ := h.ask(t, "GET", path, "admin", nil); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %q: %s", path, status, want, body)
		}
		if status, body, _ := h.ask(t, "GET", "/api/v1"+path, "admin", nil); status != 200 || !json.Valid([]byte(body)) {
			t.Errorf("twin of %s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/lineage?steps=65", "/lineage?direction=sideways", "/lineage?after=x", "/reports/usefulness?days=x"} {
		if status, _, _ := h.ask(t, "GET", path, "viewer", nil); status != 422 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, _ := h.ask(t, "GET", "/erasure", "steward", nil); status != 403 {
		t.Errorf("a steward at erasures: %d", status)
	}
}

func TestAddingPagesToNothing(t *testing.T) {
	f := page.New(page.Options{Identify: func(*http.Request) page.Who { return page.Who{Role: page.Admin, Token: true} }, Record: func(context.Context, page.Act) error { return nil }})
	insight.Add(f, insight.Options{})
	for _, path := range []string{"/lineage", "/risk", "/reports", "/reports/usefulness", "/erasure"} {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestLineageIsDrawnListedAndTakenAway(t *testing.T) {
	h := open(t)
	from, to := lineage.Name{Namespace: "clinic", Name: hostile}, lineage.Name{Namespace: trace.Namespace(gatewaytest.Own), Name: "mart"}
	_, err := h.graph.Tell(t.Context(), &lineage.Event{
		Type: lineage.Complete, Time: time.Now(), Producer: "https://example.com/etl",
		Run: &lineage.Run{ID: "01890a5d-ac96-774b-bcce-b302099a8057"}, Job: &lineage.Job{Name: lineage.Name{Namespace: "etl", Name: "j<i>"}},
		Inputs:  []lineage.Dataset{{Name: from}},
		Outputs: []lineage.Dataset{{Name: to, Columns: &lineage.ColumnLineage{Fields: []lineage.FieldLineage{{Field: "c<b>", Inputs: []lineage.Input{{Column: lineage.Column{Dataset: from, Field: "m<u>"}}}}}}}},
	}, lineage.Told{Agent: "etl", Domain: "d<img src=x>", Deliveries: []lineage.Delivery{{Dataset: to, Agent: "a<em>", Domain: "lab", Purpose: "p", Level: "raw", Flow: "f<s>", Count: 1, First: time.Now(), Last: time.Now()}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/lineage", "/lineage?search=" + url.QueryEscape(hostile[:3]), "/lineage?dataset=mart", "/lineage?dataset=mart&columns=true&direction=upstream", "/lineage?namespace=clinic&dataset=" + url.QueryEscape(hostile)} {
		status, body, _ := h.ask(t, "GET", path, "viewer", nil)
		if status != 200 || !strings.Contains(body, "alert(1)") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, bad := range []string{"<script>alert", "<i>", "<b>", "<u>", "<img src", "<em>", "<s>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %s", path, bad)
			}
		}
	}
	if _, body, _ := h.ask(t, "GET", "/lineage?dataset=mart", "viewer", nil); !strings.Contains(body, "<svg") {
		t.Errorf("no picture: %s", body)
	}
	for _, format := range []string{"mermaid", "svg", "json", "prov"} {
		status, body, head := h.ask(t, "GET", "/lineage/export?dataset=mart&format="+format, "viewer", nil)
		if status != 200 || len(body) == 0 || !strings.HasPrefix(head.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d, %v", format, status, head)
		}
	}
	for _, format := range []string{"exe", "openlineage"} {
		if status, _, _ := h.ask(t, "GET", "/lineage/export?dataset=mart&format="+format, "viewer", nil); status == 200 {
			t.Errorf("%s is written", format)
		}
	}
}

func TestDatasetsComePageByPage(t *testing.T) {
	h := open(t)
	for i := range 120 {
		n := lineage.Name{Namespace: "lake", Name: fmt.Sprintf("t/%03d", i/2)}
		if i%2 == 1 {
			n.Namespace = "pond"
		}
		if _, err := h.graph.Tell(t.Context(), &lineage.Event{Time: time.Now(), Producer: "https://example.com", Dataset: &lineage.Dataset{Name: n}}, lineage.Told{Agent: "a", Domain: "d"}); err != nil {
			t.Fatal(err)
		}
	}
	seen, path := map[lineage.Name]bool{}, "/lineage?search=t/"
	for n := 0; path != "" && n < 9; n++ {
		var m insight.Lineage
		_, body, _ := h.ask(t, "GET", "/api/v1"+path, "viewer", nil)
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		for _, d := range m.Found {
			if seen[d.Name] {
				t.Errorf("%v comes twice", d.Name)
			}
			seen[d.Name] = true
		}
		path = m.Next
	}
	if len(seen) != 120 {
		t.Errorf("%d datasets, want 120", len(seen))
	}
}

func TestRiskSaysHowEachFigureIsMade(t *testing.T) {
	h := open(t)
	h.append(t, flow.Event{Outcome: flow.Released, Flow: flow.Flow{ID: "f1", To: flow.Party{Agent: "a", Domain: "lab<b>"}}, Levels: []flow.LevelCount{{Label: "health<i>", Level: flow.Generalized, By: flow.ByExposure, Count: 4}}})
	h.append(t, flow.Event{Outcome: flow.Closed, Flow: flow.Flow{ID: "f2", Subject: "t<u>", To: flow.Party{Agent: "a", Domain: "lab"}}, Table: &flow.Table{K: 11, L: 2, Risk: 90, Out: 1000}})
	var m insight.Risk
	status, body, _ := h.ask(t, "GET", "/api/v1/risk", "viewer", nil)
	if err := json.Unmarshal([]byte(body), &m); status != 200 || err != nil {
		t.Fatalf("%d %s", status, body)
	}
	rows := map[string]int{}
	for _, s := range m.Scores {
		if s.Made == "" || s.Not == "" {
			t.Errorf("%s does not say how it is made, or what it is not", s.ID)
		}
		rows[s.ID] = len(s.Rows)
	}
	if rows["coarser"] != 1 || rows["tables"] != 1 || rows["later"] != 1 {
		t.Errorf("rows: %v", rows)
	}
	_, body, _ = h.ask(t, "GET", "/risk", "viewer", nil)
	for _, bad := range []string{"<script>alert", "<b>", "<i>", "<u>", `href="javascript:`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	if !strings.Contains(body, "9.0 %") || !strings.Contains(body, "/flows/f2") {
		t.Errorf("the table's figures are not there: %s", body)
	}
}

func TestAReportIsMadeTakenAwayAndCountedAgain(t *testing.T) {
	h := open(t)
	h.append(t, flow.Event{Outcome: flow.Released, Flow: flow.Flow{ID: "f1", From: flow.Party{Agent: "r", Domain: gatewaytest.Own}, To: flow.Party{Agent: "a", Domain: hostile}}, Levels: []flow.LevelCount{{Label: "health", Level: flow.Raw, Count: 4}}})
	if status, _, _ := h.ask(t, "POST", "/reports", "viewer", with("kind", "transfers")); status != 403 {
		t.Errorf("a viewer: %d", status)
	}
	if status, _, _ := h.ask(t, "POST", "/reports", "admin", url.Values{"kind": {"transfers"}}); status != 403 {
		t.Errorf("without its form: %d", status)
	}
	for _, kind := range []string{"gdpr-ropa", "dpia", "transfers", "hipaa-disclosures", "ccpa", "budgets", "breach"} {
		status, body, head := h.ask(t, "POST", "/reports", "steward", with("kind", kind, "from", "2020-01-01"))
		at := head.Get("Location")
		if status != 303 || !strings.HasPrefix(at, "/reports/made/") {
			t.Fatalf("%s: %d %s", kind, status, body)
		}
		status, body, _ = h.ask(t, "GET", at, "steward", nil)
		if status != 200 || strings.Contains(body, "<script>alert") || !strings.Contains(body, "Made ") {
			t.Errorf("%s: %d %s", kind, status, body)
		}
		if status, _, _ := h.askAs(t, "bob", "GET", at, "steward", nil); status != 404 {
			t.Errorf("%s for somebody else: %d", kind, status)
		}
		if kind == "breach" {
			continue
		}
		for _, form := range []string{"html", "csv", "json"} {
			status, body, head := h.ask(t, "GET", at+"/files/"+form, "steward", nil)
			if status != 200 || len(body) < 100 || !strings.HasPrefix(head.Get("Content-Disposition"), "attachment") {
				t.Errorf("%s of %s: %d %v", form, kind, status, head)
			}
		}
		if status, _, _ := h.askAs(t, "bob", "GET", at+"/files/csv", "steward", nil); status != 404 {
			t.Errorf("a file of %s for somebody else: %d", kind, status)
		}
		if status, body, _ := h.ask(t, "POST", at+"/verify", "steward", with()); status != 200 || !strings.Contains(body, "It holds") {
			t.Errorf("verifying %s: %d %s", kind, status, body)
		}
		h.bad = true
		if _, body, _ := h.ask(t, "POST", at+"/verify", "steward", with()); !strings.Contains(body, "It does not hold") {
			t.Errorf("a report that does not hold: %s", body)
		}
		h.bad = false
	}
	for _, a := range h.acts {
		if a.Name != "console/report" || a.About == "" {
			t.Errorf("recorded: %+v", a)
		}
	}
}

func TestWhoIsReportedOnIsToldNowhere(t *testing.T) {
	h := open(t)
	for _, kind := range []string{"subject", "hipaa-disclosures", "breach"} {
		form := with("kind", kind, "from", "2020-01-01", "unit", "patient", "value", canary)
		if status, _, _ := h.ask(t, "POST", "/reports", "approver", form); status != 403 {
			t.Errorf("%s by an approver: %d", kind, status)
		}
		status, body, head := h.ask(t, "POST", "/reports", "admin", form)
		if status != 303 {
			t.Fatalf("%s: %d %s", kind, status, body)
		}
		at := head.Get("Location")
		for _, path := range []string{at, at + "/files/html", at + "/files/csv", at + "/files/json", "/reports", "/api/v1" + at} {
			h.ask(t, "GET", path, "admin", nil)
		}
		if status, _, _ := h.askAs(t, "bob", "GET", at, "admin", nil); status != 404 {
			t.Errorf("a report about a person, for another admin: %d", status)
		}
	}
	if status, _, _ := h.ask(t, "POST", "/reports", "approver", with("kind", "breach", "from", "2020-01-01", "subjects", "true")); status != 403 {
		t.Errorf("people by their references, for an approver: %d", status)
	}
	// Mistakes repeat nothing either, and an identifier in the wrong field is on no record.
	for _, form := range []url.Values{
		with("kind", "transfers", "unit", "patient", "value", canary), with("kind", canary), with("kind", "subject", "value", canary), with("kind", "subject", "unit", "patient"),
		with("kind", "subject", "unit", "patient", "value", canary, "from", canary),
	} {
		if status, _, _ := h.ask(t, "POST", "/reports", "admin", form); status != 422 {
			t.Errorf("a mistake: %d", status)
		}
	}
	h.secretless(t)
}

func TestAnErasureTakesTwoAndNamesNobody(t *testing.T) {
	h := open(t)
	ann, sumA := erasure.NewCredential()
	bob, sumB := erasure.NewCredential()
	h.rules.Approvers = []erasure.Approver{{Name: "ann", SHA256: sumA}, {Name: "bob", SHA256: sumB}}
	person := func(c flow.Secret, value string) url.Values {
		return with("unit", "patient", "value", value, "credential", c.Expose())
	}
	if status, _, _ := h.ask(t, "POST", "/erasure", "steward", person(ann, canary)); status != 403 {
		t.Errorf("a steward: %d", status)
	}
	if status, body, _ := h.ask(t, "POST", "/erasure", "approver", with("unit", "patient", "value", canary)); status != 422 || !strings.Contains(body, "credential") {
		t.Errorf("without a credential: %d", status)
	}
	if status, body, _ := h.ask(t, "POST", "/erasure", "approver", person(ann, canary)); status != 200 || !strings.Contains(body, "Nothing is gone yet") {
		t.Fatalf("asking: %d %s", status, body)
	}
	var m insight.Erasures
	_, body, _ := h.ask(t, "GET", "/api/v1/erasure", "approver", nil)
	if err := json.Unmarshal([]byte(body), &m); err != nil || len(m.Waiting) != 1 || !m.Waiting[0].Second {
		t.Fatalf("waiting: %s", body)
	}
	at := "/erasure/" + m.Waiting[0].ID
	for name, form := range map[string]url.Values{"who asked": person(ann, canary), "another person": person(bob, "MRN-other"), "no credential at all": with("unit", "patient", "value", canary)} {
		if status, body, _ := h.ask(t, "POST", at+"/confirm", "admin", form); status != 422 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body, _ := h.ask(t, "POST", at+"/confirm", "approver", person(bob, canary)); status != 200 || !strings.Contains(body, "The person is erased") {
		t.Errorf("confirming: %d %s", status, body)
	}
	h.ask(t, "POST", "/erasure", "approver", person(bob, canary))
	_, body, _ = h.ask(t, "GET", "/api/v1/erasure", "approver", nil)
	m = insight.Erasures{}
	if err := json.Unmarshal([]byte(body), &m); err != nil || len(m.Waiting) != 1 {
		t.Fatalf("waiting: %s", body)
	}
	if status, _, head := h.ask(t, "POST", "/erasure/"+m.Waiting[0].ID+"/withdraw", "approver", with()); status != 303 || head.Get("Location") != "/erasure" {
		t.Errorf("withdrawing: %d", status)
	}
	if len(h.acts) == 0 {
		t.Error("nothing is on record")
	}
	for _, c := range []flow.Secret{ann, bob} {
		if strings.Contains(strings.Join(h.bodies, ""), c.Expose()) {
			t.Error("a credential is told")
		}
	}
	h.secretless(t)
}
