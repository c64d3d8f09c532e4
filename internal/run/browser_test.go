package run_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/internal/browsertest"
	"github.com/scrimhq/scrim/internal/loopback"
)

// TestAChangeOfTheRulesInABrowser is a steward who edits a policy and proposes it, an admin who is no approver and gets nowhere, and an approver by
// their credential; then the rules are in force.
func TestAChangeOfTheRulesInABrowser(t *testing.T) {
	h := houseOf(t)
	admin, err := loopback.Free()
	if err != nil {
		t.Fatal(err)
	}
	h.write("scrim.yaml", h.yaml("127.0.0.1:0")+"admin: "+admin+"\n")
	g := h.open()
	con, err := g.Console()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, con, func(net.Addr, net.Addr) { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-ready
	link := func(role page.Role) string {
		path, err := con.Link(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		return "http://" + admin + path
	}
	b := browsertest.Open(t, browsertest.Options{Base: "http://" + admin, Planted: []string{"secret of ann", "secret of bob"}})
	b.Login(link(page.Steward))
	b.Go("/policies/files/policies/home.cedar")
	b.Type("As it is in force", "permit (principal")
	b.Press("Make a draft of it")
	b.See("These rules cannot decide")
	b.Look("console-draft-wrong")
	b.Press("policies/home.cedar, line 1, column ") // a link to the line, to which the focus goes
	b.Wait(`location.hash === "#line-1" && document.activeElement.id === "line-1"`)
	b.Wait(`document.getElementById(document.activeElement.getAttribute("aria-describedby")).innerText.startsWith("column ")`)
	b.Wait(`(() => { const r = document.activeElement.getBoundingClientRect(); return r.top >= document.querySelector(".top").getBoundingClientRect().bottom && r.bottom <= innerHeight })()`)
	b.Type("policies/home.cedar", strings.TrimSpace(widePolicy))
	b.Press("Keep and check")
	b.See("What opens and closes")
	b.Look("console-draft")
	b.Type("Reason", "the contract changed")
	b.Type("Approver's credential", "secret of ann")
	b.Press("Propose")
	b.Wait(`location.pathname.startsWith("/policies/proposals/")`)
	b.See("the contract changed")
	b.Look("console-proposal")
	proposal := b.Value(`location.pathname`)
	b.Press("Log out")
	b.See("One-time code")

	// A role is nobody's second pair of eyes.
	b.Login(link(page.Admin))
	b.Go(proposal)
	b.Expect("status of 4")
	b.Press("Approve these rules")
	b.Wait(`document.querySelector("[role=alert]")`)
	b.Go(proposal)
	if text := b.Text(); strings.Contains(text, "It is in force") {
		t.Fatal("an admin who is no approver put rules in force")
	}
	b.Type("Approver's credential", "secret of ann") // the author, once more
	b.Press("Approve these rules")
	b.Wait(`document.querySelector("[role=alert]")`)
	b.Go(proposal)
	if text := b.Text(); strings.Contains(text, "It is in force") {
		t.Fatal("one person put rules in force that need two")
	}
	b.Type("Approver's credential", "secret of bob")
	b.Press("Approve these rules")
	b.See("It is in force")
	b.Go("/policies/files/policies/home.cedar")
	b.Wait(`document.querySelector("textarea").value.includes("upto_raw")`)
	b.Go("/policies/history")
	b.Look("console-history")
	b.Quiet()
}
