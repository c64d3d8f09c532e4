package run_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// What the pages that look back say of a gateway that answered questions until the budget was spent.
func TestPagesThatLookBack(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	url, _ := drawing(t)
	g, addr, stop := serve(t, load(t, lay(t, fmt.Sprintf(budgetsYAML, digest, url, "0.5"), budgetsFiles)), run.Options{})
	defer stop()
	for _, ward := range []string{"a", "b", "c", "d"} {
		count(t, addr, key.Expose(), ward)
	}
	admin, err := g.Admin()
	if err != nil {
		t.Fatal(err)
	}
	token, err := api.ReadToken(g.Config().Path(g.Config().Data))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) string {
		t.Helper()
		req := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token.Expose())
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		rec := httptest.NewRecorder()
		admin.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
		}
		return rec.Body.String()
	}
	// Pages say what was read so far, and begin to read the rest.
	until := func(what, path, want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			got := ask("GET", path, "")
			if strings.Contains(got, want) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s is not told: %s", what, got)
			}
		}
	}
	until("a refusal for want of budget", "/api/v1/budgets/stays", `"reason":"budget `)
	until("a spent budget", "/api/v1/budgets", `"state":"bad"`)
	until("who spent it", "/api/v1/risk", `"0.5"`)
	until("lineage", "/api/v1/lineage", "agents/")
	for _, path := range []string{"/budgets", "/budgets/stays", "/budgets/stays/entries", "/lineage", "/risk", "/reports", "/reports/usefulness", "/erasure"} {
		ask("GET", path, "")
	}
	var made struct{ ID, Link string }
	if err := json.Unmarshal([]byte(ask("POST", "/api/v1/reports", `{"kind":"budgets"}`)), &made); err != nil {
		t.Fatal(err)
	}
	until("a report", "/api/v1"+made.Link, `"state":"done"`)
	if got := ask("POST", "/api/v1"+made.Link+"/verify", "{}"); !strings.Contains(got, `"ok":true`) {
		t.Errorf("the report does not hold: %s", got)
	}
	if got := ask("POST", "/api/v1/budgets/verify", "{}"); !strings.Contains(got, `"findings":[]`) {
		t.Errorf("the ledger does not hold: %s", got)
	}
}
