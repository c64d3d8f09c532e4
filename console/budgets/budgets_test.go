package budgets_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/budgets"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store/storetest"
)

const (
	formToken = "token-of-the-form"
	hostile   = "cl<script>alert(1)</script>\"'\u202eaims"
)

// house is the pages over a ledger; the header Role says who asks.
type house struct {
	*httptest.Server
	ledger   *budget.Ledger
	acts     []page.Act
	entries  []audit.Entry
	governed bool

	mu  sync.Mutex
	now time.Time // which the ledger's goroutine looks at once a second
}

func (h *house) clock() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now }

func (h *house) later(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.now = h.now.Add(d) }

func open(t testing.TB) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}
	seed := sha256.Sum256([]byte("a ledger of tests"))
	var err error
	h.ledger, err = budget.Open(t.Context(), storetest.Open(t, budget.Schema()), budget.Options{
		Signer: ed25519.NewKeyFromSeed(seed[:]), Clock: h.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.ledger.Close(context.Background()) })
	f := page.New(page.Options{
		Domain: "home", Version: "1", Login: "/login",
		Identify: func(r *http.Request) page.Who {
			var who page.Who
			if who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) == nil {
				who.Name, who.Form = "ann", flow.NewSecret(formToken)
			}
			return who
		},
		Record: func(_ context.Context, a page.Act) error { h.acts = append(h.acts, a); return nil },
	})
	budgets.Add(f, budgets.Options{
		Spending: &api.Spending{Ledger: h.ledger}, Clock: h.clock, Governed: func() bool { return h.governed },
		Recent: recent.New(recent.Options{
			Rows: func(context.Context) (int64, error) { return int64(len(h.entries)), nil },
			Entries: func(_ context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
				return func(yield func(audit.Entry, error) bool) {
					for _, e := range h.entries[q.From-1:] {
						if !yield(e, nil) {
							return
						}
					}
				}
			},
		}),
	})
	h.Server = httptest.NewServer(f)
	t.Cleanup(h.Server.Close)
	return h
}

func (h *house) declare(t testing.TB, dataset string) {
	t.Helper()
	err := h.ledger.Declare(t.Context(), budget.Budget{Dataset: dataset, Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1_000_000_000, Delta: 1_000_000_000}})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) spend(t testing.TB, s budget.Scope, epsilonNano int64) {
	t.Helper()
	cost, err := account.VectorOf(account.Mechanism{Kind: "laplace", Scale: 1e9 / float64(epsilonNano)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.ledger.Reserve(t.Context(), budget.Charge{Scope: s, Cost: cost})
	if err == nil {
		err = r.Begin()
	}
	if err == nil {
		err = r.Commit(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) ask(t testing.TB, method, path, role string, form url.Values) (int, string) {
	t.Helper()
	body := ""
	if form != nil {
		body = form.Encode()
	}
	req, _ := http.NewRequest(method, h.URL+path, strings.NewReader(body))
	req.Header.Set("Role", role)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func (h *house) model(t testing.TB, path string, into any) {
	t.Helper()
	status, body := h.ask(t, "GET", "/api/v1"+path, "viewer", nil)
	if status != 200 {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutADatasetThePageSaysHowToDeclareOne(t *testing.T) {
	h := open(t)
	status, body := h.ask(t, "GET", "/budgets", "viewer", nil)
	if status != 200 || !strings.Contains(body, "datasets:") || !strings.Contains(body, "epsilon: 3") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := h.ask(t, "GET", "/budgets/none", "viewer", nil); status != 404 {
		t.Errorf("a dataset that nobody declared: %d", status)
	}
}

func TestABudgetBurnsDownStepByStepAndSaysWhoSpentIt(t *testing.T) {
	h := open(t)
	h.declare(t, "claims")
	insurer := budget.Scope{Dataset: "claims", Domain: "insurer.example", Workflow: "review", Agent: "a1"}
	lab := budget.Scope{Dataset: "claims", Domain: "lab.example"}
	for range 3 {
		h.later(24 * time.Hour)
		h.spend(t, insurer, 200_000_000)
	}
	h.later(24 * time.Hour)
	h.spend(t, lab, 100_000_000)
	var m budgets.Dataset
	h.model(t, "/budgets/claims", &m)
	last := -1.0
	for i, p := range m.Points {
		if i > 0 && p.Left > last {
			t.Errorf("ε left rose from %v to %v", last, p.Left)
		}
		last = p.Left
	}
	if len(m.Points) != 5 || m.Points[0].Left != 1 || fmt.Sprintf("%.6f", last) != fmt.Sprintf("%.6f", m.Standing.Left) || m.Points[4].Charges != 4 {
		t.Errorf("points: %+v, left %v", m.Points, m.Standing.Left)
	}
	if !m.Standing.Claims || m.Forecast == nil || m.Forecast.Until == nil || m.Forecast.Charges != 4 {
		t.Errorf("standing %+v, forecast %+v", m.Standing, m.Forecast)
	}
	shares := map[string]float64{}
	for _, c := range m.Consumers {
		shares[c.Scope.String()] = c.Share
	}
	if len(shares) != 4 || shares["claims/lab.example"] > .15 || shares["claims/insurer.example/review/a1"] < .85 {
		t.Errorf("shares: %v", shares)
	}
	h.later(time.Hour)
	if err := h.ledger.Replan(t.Context(), "claims", budget.Plan{Epsilon: 900_000_000, Delta: 1_000_000_000}); err != nil {
		t.Fatal(err)
	}
	h.model(t, "/budgets/claims", &m)
	if p := m.Points[len(m.Points)-1]; !p.Replan || p.Plan != .9 {
		t.Errorf("after the re-plan: %+v", p)
	}
	_, body := h.ask(t, "GET", "/budgets/claims?domain=lab.example", "viewer", nil)
	if !strings.Contains(body, "no quota") || !strings.Contains(body, "It carries no claim") {
		t.Errorf("a consumer's page does not say that it carries no claim: %s", body)
	}
}

func TestWhatIsTakenBackIsLeftAgain(t *testing.T) {
	h := open(t)
	h.declare(t, "claims")
	s := budget.Scope{Dataset: "claims", Domain: "insurer.example"}
	cost, _ := account.VectorOf(account.Mechanism{Kind: "laplace", Scale: 2})
	r, err := h.ledger.Reserve(t.Context(), budget.Charge{Scope: s, Cost: cost})
	if err != nil {
		t.Fatal(err)
	}
	h.later(time.Minute)
	if err := r.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	var m budgets.Dataset
	h.model(t, "/budgets/claims", &m)
	if n := len(m.Points); n != 3 || m.Points[1].Left > .51 || m.Points[2].Left != 1 {
		t.Errorf("points %+v", m.Points)
	}
	var e budgets.Entries
	h.model(t, "/budgets/claims/entries", &e)
	if len(e.Entries) != 3 || e.Entries[0].Kind != "released" || e.Entries[2].Kind != "declared" {
		t.Errorf("entries %+v", e.Entries)
	}
}

func TestNamesThatAreMarkupAreText(t *testing.T) {
	h := open(t)
	h.declare(t, hostile)
	h.spend(t, budget.Scope{Dataset: hostile, Domain: flow.DomainID("d<img src=x onerror=alert(1)>"), Workflow: "w\"><b>", Agent: "a'"}, 950_000_000)
	h.entries = append(h.entries, audit.Entry{Seq: 1, Event: flow.Event{
		Time: h.clock(), Outcome: flow.Refused, Reason: "budget " + budget.ErrExhausted.Error() + ": " + hostile + "/d", Flow: flow.Flow{ID: "f<i>", From: flow.Party{Agent: "<u>", Domain: "x"}},
	}})
	for _, path := range []string{"/budgets", "/budgets/" + url.PathEscape(hostile), "/budgets/" + url.PathEscape(hostile) + "/entries"} {
		status, body := h.ask(t, "GET", path, "admin", nil)
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, bad := range []string{"<script>alert", "<img src", "<b>", "<i>", "<u>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %s", path, bad)
			}
		}
	}
	var o budgets.Overview
	h.model(t, "/budgets", &o)
	if len(o.Alarms) != 1 || o.Alarms[0].State != "warn" || len(o.Refusals) != 1 {
		t.Errorf("alarms %+v, refusals %+v", o.Alarms, o.Refusals)
	}
	var m budgets.Dataset
	h.model(t, "/budgets/"+url.PathEscape(hostile), &m)
	if len(m.Refusals) != 1 {
		t.Errorf("refusals of the dataset: %+v", m.Refusals)
	}
}

func TestAPlanIsForAdminsNeedsItsFormAndNeverRefills(t *testing.T) {
	h := open(t)
	h.declare(t, "claims")
	with := func(kv ...string) url.Values {
		v := url.Values{"form_token": {formToken}}
		for i := 0; i < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return v
	}
	for _, c := range []struct {
		role   string
		form   url.Values
		status int
	}{
		{"approver", with("epsilon", "0.5", "delta", "1e-6"), 403},
		{"admin", url.Values{"epsilon": {"0.5"}}, 403},
		{"admin", with("epsilon", "0.5x"), 422},
		{"admin", with("epsilon", "1e-999999999"), 422},
		{"admin", with("epsilon", "0.0000000001"), 422},
		{"admin", with("epsilon", ""), 422},
		{"admin", with("epsilon", "2", "delta", "1e-6"), 422},
		{"admin", with("epsilon", "0.5", "delta", "0.000001"), 303},
		{"admin", with("epsilon", "0.9", "delta", "1e-6"), 422},
	} {
		if status, body := h.ask(t, "POST", "/budgets/claims/plan", c.role, c.form); status != c.status {
			t.Errorf("%s %v: %d, want %d: %s", c.role, c.form, status, c.status, body)
		}
	}
	if status, body := h.ask(t, "POST", "/budgets/claims/quota", "admin", with("domain", "lab.example", "epsilon", "0.25", "delta", "1e-7")); status != 303 {
		t.Errorf("a quota: %d %s", status, body)
	}
	var m budgets.Dataset
	h.model(t, "/budgets/claims?domain=lab.example", &m)
	if m.Standing.Epsilon != "0.25" || m.Epsilon != "1" {
		t.Errorf("quota %+v, claim %s", m.Standing, m.Epsilon)
	}
	for _, a := range h.acts {
		if a.About != "claims" || a.Who.Name != "ann" {
			t.Errorf("recorded: %+v", a)
		}
	}
	if len(h.acts) < 2 {
		t.Errorf("recorded: %+v", h.acts)
	}
	h.governed = true
	if status, body := h.ask(t, "POST", "/budgets/claims/plan", "admin", with("epsilon", "0.1", "delta", "1e-6")); status != 422 || !strings.Contains(body, "proposals") {
		t.Errorf("where rules change by proposals: %d %s", status, body)
	}
}

func TestTheLedgerIsVerifiedByAButton(t *testing.T) {
	h := open(t)
	h.declare(t, "claims")
	form := url.Values{"form_token": {formToken}}
	if status, _ := h.ask(t, "POST", "/budgets/verify", "viewer", form); status != 403 {
		t.Errorf("a viewer: %d", status)
	}
	status, body := h.ask(t, "POST", "/budgets/verify", "steward", form)
	if status != 200 || !strings.Contains(body, "Every hash, sum and cap is as the entries say") {
		t.Errorf("%d %s", status, body)
	}
}

func TestConsumersComePageByPage(t *testing.T) {
	h := open(t)
	h.declare(t, "claims")
	for i := range 230 {
		if err := h.ledger.SetQuota(t.Context(), budget.Scope{Dataset: "claims", Domain: flow.DomainID(fmt.Sprintf("d%03d.example", i))}, &budget.Plan{Epsilon: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	seen, path := map[string]bool{}, "/budgets/claims"
	for n := 0; path != "" && n < 9; n++ {
		var m budgets.Dataset
		h.model(t, path, &m)
		for _, c := range m.Consumers {
			if seen[c.Name] {
				t.Errorf("%s comes twice", c.Name)
			}
			seen[c.Name] = true
		}
		path = m.Next
	}
	if len(seen) != 230 {
		t.Errorf("%d consumers, want 230", len(seen))
	}
}
