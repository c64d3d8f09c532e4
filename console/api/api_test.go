package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

const policies = `
@id("open-for-clerk")
@reason("clerks write letters")
permit (principal == Agent::"clerk", action == Action::"open", resource in DataClass::"person/contact");
`

// office is a gateway with its admin API.
type office struct {
	*gatewaytest.Rig
	token  flow.Secret
	server *httptest.Server
	dir    string
}

func open(t *testing.T) *office {
	t.Helper()
	o := &office{dir: t.TempDir()}
	metrics := api.NewMetrics()
	o.Rig = gatewaytest.New(t, gatewaytest.Setup{
		Policy: policies,
		Agents: []*gateway.Agent{
			{Party: flow.Party{Agent: "clerk", Domain: gatewaytest.Own}}, {Party: flow.Party{Agent: "guest", Domain: gatewaytest.Own}},
		},
		Hooks: gateway.Hooks{Event: metrics.Event},
	})
	var err error
	if o.token, err = api.Token(o.dir); err != nil {
		t.Fatal(err)
	}
	o.server = httptest.NewServer(api.New(api.Options{
		Ledger: o.ledger(), Token: o.token, Snapshot: o.Snapshot, Metrics: metrics,
		Erasures: erasure.New(erasure.Options{DB: o.DB, Journal: o.Log, Vault: o.Vault, Keys: o.Keys, Domain: gatewaytest.Own}),
		Reload:   func(context.Context, string) error { return errors.New("scrim.yaml:1:1: nothing is right") },
		Verify:   func(ctx context.Context) (audit.Report, error) { return o.Log.Verify(ctx) },
		Ready:    func(context.Context) error { return nil },
	}))
	t.Cleanup(o.server.Close)
	return o
}

func (o *office) ledger() api.Ledger {
	return api.Ledger{DB: o.DB, Journal: o.Log, Vault: o.Vault, Keys: o.Keys}
}

// ask calls the API and returns status and body.
func (o *office) ask(t *testing.T, method, path, body string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, o.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.token.Expose())
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// mint returns a token for an address, given to another domain.
func (o *office) mint(t *testing.T, address string) string {
	t.Helper()
	ctx := t.Context()
	class, _ := flow.DefaultTaxonomy().Class("person/contact/email")
	b := o.Vault.Begin()
	defer b.Discard()
	token, err := b.Token(ctx, vault.Scope{
		Recipient: gatewaytest.Other, Group: "purpose:billing", Class: class, Origin: flow.Catalogued,
		Subject: o.Vault.Subject("patient", "MRN-1"), Param: flow.TokenReversible, Task: "task",
	}, address)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.DB.Update(ctx, b.Flush); err != nil {
		t.Fatal(err)
	}
	b.Keep()
	return token
}

func TestOnlyTheOperatorGetsIn(t *testing.T) {
	o := open(t)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set(name, value)
			if name == "Host" {
				r.Host = value
			}
		}
	}
	for _, c := range []struct {
		name   string
		path   string
		change func(*http.Request)
		want   int
	}{
		{"the operator", "/metrics", header("X", ""), http.StatusOK},
		{"nobody in particular", "/metrics", header("Authorization", ""), http.StatusUnauthorized},
		{"a wrong token", "/metrics", header("Authorization", "Bearer no"), http.StatusUnauthorized},
		{"the token without a scheme", "/metrics", header("Authorization", o.token.Expose()), http.StatusUnauthorized},
		{"a probe", "/-/healthz", header("Authorization", ""), http.StatusOK},
		{"another probe", "/-/readyz", header("Authorization", ""), http.StatusOK},
		{"a rebound name", "/metrics", header("Host", "evil.example"), http.StatusForbidden},
		{"a rebound name on a probe", "/-/healthz", header("Host", "evil.example:7071"), http.StatusForbidden},
		{"localhost", "/metrics", header("Host", "localhost:7071"), http.StatusOK},
		{"another origin", "/metrics", header("Origin", "http://evil.example"), http.StatusForbidden},
		{"no origin at all", "/metrics", header("Origin", "null"), http.StatusForbidden},
		{"a link from a page", "/metrics", header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
	} {
		if got, body := o.ask(t, http.MethodGet, c.path, "", c.change); got != c.want {
			t.Errorf("%s got %d %s, want %d", c.name, got, body, c.want)
		}
	}
}

func TestATokenFileIsItsOwnersAlone(t *testing.T) {
	o := open(t)
	again, err := api.Token(o.dir)
	if err != nil || !again.Equal(o.token.Expose()) {
		t.Errorf("Token() again = another one, error %v; want the same", err)
	}
	name := filepath.Join(o.dir, api.TokenFile)
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the token file = %v, error %v; want 0600", info.Mode(), err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Token(o.dir); !errors.Is(err, api.ErrLax) {
		t.Errorf("Token() of a file that others can read: error = %v, want ErrLax", err)
	}
}

func TestTokensOpenByPolicyAndOnRecord(t *testing.T) {
	o := open(t)
	const address = "jane@example.com"
	token := o.mint(t, address)
	openFor := func(agent, token string) (api.Opening, int) {
		t.Helper()
		status, body := o.ask(t, http.MethodPost, "/api/v1/token/open", fmt.Sprintf(`{"token":%q,"as":%q,"criticality":"low"}`, token, agent))
		var out api.Opening
		if status == http.StatusOK {
			if err := json.Unmarshal([]byte(body), &out); err != nil {
				t.Fatal(err)
			}
		}
		return out, status
	}
	if out, _ := openFor("clerk", token); out.Value != address || out.Label != "person/contact/email" || out.MintedFor != gatewaytest.Other {
		t.Errorf("clerk got %+v, want the address", out)
	}
	if out, _ := openFor("guest", token); out.Value != "" || out.Label != "" || out.Reason != "no policy permits opening" {
		t.Errorf("guest got %+v, want nothing and the reason", out)
	}
	if out, _ := openFor("clerk", "no-token"); out.Value != "" || out.Reason == "" {
		t.Errorf("an unknown token gave %+v, want nothing and the reason", out)
	}
	if _, status := openFor("nobody", token); status != http.StatusNotFound {
		t.Errorf("an unknown agent got %d, want 404", status)
	}
	_, journal := o.ask(t, http.MethodGet, "/api/v1/log/entries", "")
	if n := strings.Count(journal, "token/open"); n != 3 {
		t.Errorf("%d openings are on record, want 3:\n%s", n, journal)
	}
	if strings.Contains(journal, address) || strings.Contains(journal, token) {
		t.Error("the journal holds a value or a token")
	}
}

func TestNoRecordNoOpening(t *testing.T) {
	o := open(t)
	token := o.mint(t, "jane@example.com")
	if err := o.Log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := api.OpenToken(t.Context(), o.ledger(), o.Snapshot(), api.OpenRequest{Token: token, As: "clerk"})
	if !errors.Is(err, audit.ErrClosed) || out.Value != "" {
		t.Errorf("OpenToken() = %+v, error %v; want ErrClosed and nothing", out, err)
	}
}

func TestAnErasedSubjectsTokensAreDead(t *testing.T) {
	o := open(t)
	token := o.mint(t, "jane@example.com")
	status, body := o.ask(t, http.MethodPost, "/api/v1/erase/ask", `{"unit":"patient","value":"MRN-1"}`)
	var req erasure.Request
	if err := json.Unmarshal([]byte(body), &req); err != nil || status != http.StatusOK || req.ID == "" || req.Kept.Tokens != 1 {
		t.Fatalf("ask got %d %s, %v", status, body, err)
	}
	if _, err := o.Vault.Resolve(t.Context(), token); err != nil {
		t.Fatalf("the token is dead before anybody confirmed: %v", err)
	}
	if _, waiting := o.ask(t, http.MethodPost, "/api/v1/erase/waiting", `{}`); !strings.Contains(waiting, req.ID) || strings.Contains(waiting, "MRN-1") {
		t.Errorf("waiting got %s, want the request, and not for whom", waiting)
	}
	confirm := func(value string) (int, string) {
		return o.ask(t, http.MethodPost, "/api/v1/erase/confirm", fmt.Sprintf(`{"unit":"patient","value":%q,"request":%q}`, value, req.ID))
	}
	if status, body := confirm("MRN-2"); status != http.StatusUnprocessableEntity || strings.Contains(body, "MRN") {
		t.Errorf("confirming for another got %d %s, want 422", status, body)
	}
	if status, body := confirm("MRN-1"); status != http.StatusOK {
		t.Fatalf("confirm got %d %s", status, body)
	}
	if _, err := o.Vault.Resolve(t.Context(), token); !errors.Is(err, vault.ErrNoToken) {
		t.Errorf("Resolve() error = %v, want ErrNoToken", err)
	}
	if _, journal := o.ask(t, http.MethodGet, "/api/v1/log/entries", ""); !strings.Contains(journal, "a subject is erased") || strings.Contains(journal, "MRN-1") {
		t.Errorf("journal = %s, want that somebody was erased, and not who", journal)
	}
	if status, body := o.ask(t, http.MethodPost, "/api/v1/erase/withdraw", `{"request":"nothing"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("withdrawing nothing got %d %s, want 422", status, body)
	}
	if status, body := o.ask(t, http.MethodPost, "/api/v1/subject/events", `{"unit":"patient","value":"MRN-1"}`); status != http.StatusOK || strings.TrimSpace(body) != "[]" {
		t.Errorf("events of the erased got %d %s, want none", status, body)
	}
}

func TestTheJournalIsVerifiedAndShown(t *testing.T) {
	o := open(t)
	for range 5 {
		o.Refused(t.Context(), o.Snapshot(), flow.Flow{ID: gateway.NewFlowID()}, gateway.Refuse(gateway.RuleFace, nil, "no"))
	}
	status, body := o.ask(t, http.MethodPost, "/api/v1/log/verify", "")
	var v api.Verification
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != http.StatusOK || v.What != "" || v.Report.Entries != 5 {
		t.Fatalf("verify got %d %s", status, body)
	}
	if _, body := o.ask(t, http.MethodGet, "/api/v1/log/entries?last=2", ""); strings.Count(body, "\n") != 2 || !strings.HasPrefix(body, `{"seq":4,`) {
		t.Errorf("the last two entries are %s", body)
	}
	if status, _ := o.ask(t, http.MethodGet, "/api/v1/log/entries?from=x", ""); status != http.StatusBadRequest {
		t.Errorf("a query that is none got %d, want 400", status)
	}
	err := o.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE audit_entries SET event = ? WHERE seq = 3", []byte(`{}`))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, body := o.ask(t, http.MethodPost, "/api/v1/log/verify", ""); !strings.Contains(body, `"Bad":3`) {
		t.Errorf("verify of a journal that was changed got %s, want row 3", body)
	}
}

func TestAReloadThatFailsSaysWhy(t *testing.T) {
	o := open(t)
	if status, body := o.ask(t, http.MethodPost, "/-/reload", ""); status != http.StatusUnprocessableEntity || !strings.Contains(body, "scrim.yaml:1:1") {
		t.Errorf("reload got %d %s, want 422 and the place", status, body)
	}
	if status, body := o.ask(t, http.MethodPost, "/api/v1/token/open", `{"tokn":"jane@example.com"}`); status != http.StatusBadRequest || strings.Contains(body, "jane") {
		t.Errorf("a body that is not understood got %d %s, want 400 and nothing of it", status, body)
	}
}

// TestMetricsHaveClosedLists feeds words that a stranger chose, and looks for them among the labels.
func TestMetricsHaveClosedLists(t *testing.T) {
	m := api.NewMetrics()
	for _, word := range []string{"mcp/jane@example.com", "a2a/9.9", ""} {
		m.Event(flow.Event{
			Flow: flow.Flow{Protocol: word, Method: "canary", Subject: "canary", From: flow.Party{Agent: "canary"}}, Outcome: flow.Outcome("canary" + word),
			Levels: []flow.LevelCount{{Label: "person/name", Level: flow.Masked, By: flow.ByTier, Count: 2}}, Took: 3e6,
		})
		m.Event(flow.Event{Flow: flow.Flow{Protocol: word}, Outcome: flow.Refused, Reason: "canary /jane"})
		m.Event(flow.Event{Flow: flow.Flow{Protocol: "a2a/1.0"}, Outcome: flow.Refused, Reason: "policy /jane"})
	}
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := rec.Body.String()
	for _, bad := range []string{"canary", "jane", "a2a/9.9"} { // a number of the process may well be 9.9
		if strings.Contains(text, bad) {
			t.Errorf("metrics hold %q", bad)
		}
	}
	for _, want := range []string{
		`scrim_refusals_total{direction="request",protocol="a2a/1.0",rule="policy"} 3`,
		`scrim_refusals_total{direction="request",protocol="other",rule="other"} 3`,
		`scrim_leaves_total{by="tier",level="masked"} 6`, `scrim_journal_rows_total 9`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func ExampleToken() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	token, err := api.Token(dir)
	fmt.Println(token, err)
	// Output: [secret] <nil>
}

// Flows of one trace are found from any of them: an agent that was called over A2A and asked a server over MCP.
func TestFlowsOfOneTrace(t *testing.T) {
	o := open(t)
	for _, f := range []flow.Flow{
		{ID: "asked", Protocol: "a2a/1.0", Trace: "7bdb"}, {ID: "other", Protocol: "a2a/1.0", Trace: "ffff"}, {ID: "looked-up", Protocol: "mcp/2026-07-28", Trace: "7bdb"}, {ID: "plain", Protocol: "a2a/1.0"},
	} {
		if err := o.DB.Update(t.Context(), func(tx store.Tx) error {
			_, err := o.Log.Append(tx, flow.Event{Flow: f, Outcome: flow.Released}, audit.Private{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	found := func(id string) string {
		_, body := o.ask(t, http.MethodGet, "/api/v1/log/entries?trace=true&flow="+id, "")
		var ids []string
		for line := range strings.Lines(body) {
			var e api.Entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, string(e.Event.Flow.ID))
		}
		return strings.Join(ids, " ")
	}
	for id, want := range map[string]string{"asked": "asked looked-up", "looked-up": "asked looked-up", "other": "other", "plain": "plain", "nobody": ""} {
		if got := found(id); got != want {
			t.Errorf("the trace of %s has %q, want %q", id, got, want)
		}
	}
}
