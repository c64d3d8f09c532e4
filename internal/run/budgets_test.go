package run_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// drawing is an MCP server whose tool draws something new for every call.
func drawing(t *testing.T) (url string, draws *atomic.Int64) {
	t.Helper()
	draws = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID json.RawMessage `json:"id"`
		}
		if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&call) != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"draw %d"}]}}`, call.ID, draws.Add(1))
	}))
	t.Cleanup(s.Close)
	return s.URL, draws
}

const budgetsYAML = `version: 1
domain: clinic
purposes: {study: {}}
agents:
  - {id: lab, keys: [{sha256: %s}], purposes: [study]}
  - id: stats
    mcp: {url: %q}
    questions:
      - {tool: count, dataset: stays, cost: [{mech: laplace, scale: 4}]}
datasets:
  stays: {unit: {name: patient}, epsilon: %s, delta: 1e-6, pad: 4s, versions: {from: 2026-01-01T00:00:00Z}}
schemas:
  - {file: count.json, agent: stats, tool: count, direction: request}
`

var budgetsFiles = map[string]string{
	"count.json": `{"type":"object","properties":{"ward":{"type":"string","x-scrim-label":"public"}}}`,
	"policies/10.cedar": policies + `
@id("counts")
permit (principal == Agent::"lab", action == Action::"aggregate", resource == Dataset::"stays") when { context.purpose == Purpose::"study" };
`,
}

// count asks a question and returns what came back.
func count(t *testing.T, addr, key, ward string) string {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"ward":"` + ward + `"}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/mcp/stats", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + key, "Mcp-Protocol-Version": "2025-06-18", "Scrim-Criticality": "routine"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestBudgetsAsConfigured(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	url, draws := drawing(t)
	file := lay(t, fmt.Sprintf(budgetsYAML, digest, url, "1"), budgetsFiles)
	g, addr, stop := serve(t, load(t, file), run.Options{})
	for i, ward := range []string{"a", "b", "a"} {
		if body := count(t, addr, key.Expose(), ward); !strings.Contains(body, "draw") {
			t.Fatalf("question %d: %s", i, body)
		}
	}
	show := func(g *run.Gateway) api.BudgetView {
		t.Helper()
		all, err := api.ShowBudgets(t.Context(), g.Budgets.Spending(), api.BudgetScope{})
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0]
	}
	if v := show(g); draws.Load() != 2 || v.Standings[0].Filters[0].Spent != "0.5" || v.Standings[0].More[0].Count < 2 {
		t.Errorf("%d draws, %+v", draws.Load(), v.Standings[0])
	}
	forecast, err := api.ForecastBudgets(t.Context(), g.Budgets.Spending(), api.Forecast{Over: 24 * 3600 * 1e9})
	if err != nil || forecast[0].Charges != 2 || forecast[0].Until == nil || forecast[0].More < 2 {
		t.Errorf("forecast %+v, %v", forecast, err)
	}

	admin, err := g.Admin()
	if err != nil {
		t.Fatal(err)
	}
	token, err := api.ReadToken(g.Config().Path(g.Config().Data))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/metrics", nil)
	req.Header.Set("Authorization", "Bearer "+token.Expose())
	rec := httptest.NewRecorder()
	admin.ServeHTTP(rec, req)
	if got := rec.Body.String(); !strings.Contains(got, `scrim_budget_epsilon_left{dataset="stays"} 0.5`) {
		t.Errorf("the metrics do not tell what is left: %.300s", got)
	}

	// A larger plan gives nothing back: the ledger's stays. A smaller one counts at once.
	for _, epsilon := range []string{"50", "0.75"} {
		if err := os.WriteFile(file, []byte(fmt.Sprintf(budgetsYAML, digest, url, epsilon)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := g.Reload(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		want := map[string]api.Amount{"50": "1", "0.75": "0.75"}[epsilon]
		if v := show(g); v.Standings[0].Epsilon != want || v.Epsilon != "1" || v.Standings[0].Filters[0].Spent != "0.5" {
			t.Errorf("after a plan of %s: %+v", epsilon, v.Standings[0])
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	// A restart remembers what was spent and what was answered.
	g, addr, _ = serve(t, load(t, file), run.Options{})
	if body := count(t, addr, key.Expose(), "b"); !strings.Contains(body, "draw 2") || draws.Load() != 2 {
		t.Errorf("after a restart: %s", body)
	}
	if v := show(g); v.Standings[0].Filters[0].Spent != "0.5" {
		t.Errorf("after a restart: %+v", v.Standings[0])
	}
	refused := ""
	for i := range 40 {
		if refused = count(t, addr, key.Expose(), fmt.Sprint("c", i)); !strings.Contains(refused, "draw") {
			break
		}
	}
	if !strings.Contains(refused, "has no room for this one") {
		t.Errorf("when all is spent: %s", refused)
	}
	kinds := map[string]int{}
	for e, err := range g.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Outcome == flow.Budgeted {
			kinds[e.Event.Flow.Method]++
		}
		if strings.HasPrefix(e.Event.Reason, "budget ") {
			kinds["refused"]++
		}
	}
	if kinds["declared"] < 2 || kinds["reserved"] < 2 || kinds["reserved"] != kinds["committed"] || kinds["refused"] != 1 {
		t.Errorf("on record are %v", kinds)
	}
}

// A question is charged in learn mode too: what is told cannot be taken back when the mode ends.
func TestLearnModeChargesToo(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	url, _ := drawing(t)
	g, addr, _ := serve(t, load(t, lay(t, fmt.Sprintf(budgetsYAML, digest, url, "1"), budgetsFiles)), run.Options{Learn: true})
	if body := count(t, addr, key.Expose(), "a"); !strings.Contains(body, "draw") {
		t.Fatal(body)
	}
	all, err := api.ShowBudgets(t.Context(), g.Budgets.Spending(), api.BudgetScope{})
	if err != nil || all[0].Standings[0].Filters[0].Spent != "0.25" {
		t.Errorf("%+v, %v", all, err)
	}
}
