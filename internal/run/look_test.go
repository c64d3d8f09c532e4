package run_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/browsertest"
	"github.com/scrimhq/scrim/internal/run"
)

const plantedPerson = "MRN-planted-51c0e97a44d24b8e"

// Somebody logs in, looks at a budget that burned down, at lineage and at risk, has a report made, and asks for an erasure.
func TestLookingBackInABrowser(t *testing.T) {
	key, digest := identity.NewKey()
	url, _ := drawing(t)
	g, addr, stop := serve(t, load(t, lay(t, fmt.Sprintf(budgetsYAML, digest, url, "0.8"), budgetsFiles)), run.Options{})
	defer stop()
	var wg sync.WaitGroup
	for _, ward := range []string{"a", "b", "c", "d"} {
		wg.Go(func() { count(t, addr, key.Expose(), ward) })
	}
	wg.Wait()
	con, err := g.Console()
	if err != nil {
		t.Fatal(err)
	}
	link, err := con.Link(t.Context(), page.Admin)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(con)
	defer srv.Close()
	tab := browsertest.Open(t, browsertest.Options{Base: srv.URL, Planted: []string{plantedPerson}, Shots: os.Getenv("SCRIM_SHOTS")})
	tab.Login(link)
	for _, p := range []struct{ path, see, name string }{
		{"/budgets", "Refused for want of budget", "budgets"}, {"/budgets/stays", "Who spends what", "budget"}, {"/budgets/stays/entries", "line by line", "budget-entries"},
		{"/lineage", "lab", "lineage"}, {"/lineage?dataset=agents/lab/from/stats/count", "Who received it", "lineage-picture"}, {"/risk", "Privacy loss by recipient", "risk"},
		{"/reports", "Records of processing", "reports"}, {"/reports/usefulness", "useful", "usefulness"}, {"/erasure", "Waiting for confirmation", "erasure"},
	} {
		tab.Go(p.path)
		tab.See(p.see)
		tab.Look(p.name)
	}
	tab.Go("/budgets")
	tab.Press("Verify the ledger")
	tab.See("Every hash, sum and cap is as the entries say")
	tab.Look("budgets-verified")
	tab.Go("/reports")
	tab.Press("Make it")
	tab.See("All three are under one signature")
	tab.Look("report")
	tab.Press("Verify: count it again")
	tab.See("It holds")
	tab.Quiet()
}
