package show

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/internal/browsertest"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// link is a one-time link to the console of the hospital's gateway.
func (s *system) link(t *testing.T, role page.Role) string {
	t.Helper()
	path, err := s.consoles[demo.Hospital].Link(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + s.consoleAt[demo.Hospital] + path
}

// secrets are what the patients of the story would not want to be seen.
func secrets() (all []string) {
	for _, p := range patients.Generate(1, few)[:20] {
		all = append(all, p.Name, string(p.BirthDate), p.MemberNumber)
	}
	return all
}

// TestConsoleOfTheDemoInABrowser walks through the console of the hospital's gateway as a person does, after the demo's story was told.
func TestConsoleOfTheDemoInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the demo and a browser")
	}
	shots := ""
	if *update {
		shots = filepath.Join("..", "..", "..", "docs", "images")
	}
	s, err := start(t.Context(), t.TempDir(), few, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	b := browsertest.Open(t, browsertest.Options{Base: "http://" + s.consoleAt[demo.Hospital], Planted: secrets(), Shots: shots})
	if !slices.Contains(s.pages(t), "/") {
		b.Expect("404 (Not Found) http://" + s.consoleAt[demo.Hospital] + "/")
	}
	s.roles(t, b)
	b.Login(s.link(t, page.Viewer))
	if slices.Contains(s.pages(t), "/live") {
		s.watched(t, b)
	} else if _, err := s.tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Press("Log out")
	b.See("One-time code")
	b.Login(s.link(t, page.Admin))
	for _, p := range s.pages(t) {
		b.Go(p)
		b.Look("console-" + name(p))
	}
	if slices.Contains(s.pages(t), "/playground") {
		played(b)
	}
	b.Quiet()
	if got := s.entries(t); !strings.Contains(got, `"console-login"`) || !strings.Contains(got, `"console-logout"`) {
		t.Error("who came in and left is not on record")
	}
}

func name(path string) string {
	if path == "/" {
		return "overview"
	}
	return strings.Trim(path, "/")
}

// pages are those of the navigation that there are.
func (s *system) pages(t *testing.T) (all []string) {
	t.Helper()
	for _, p := range []string{"/", "/live", "/playground", "/budgets", "/catalog", "/policies", "/domains", "/capabilities", "/log", "/lineage", "/risk", "/reports", "/erasure", "/sessions"} {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.consoleAt[demo.Hospital]+p, nil)
		if s.consoles[demo.Hospital].Knows(r) {
			all = append(all, p)
		}
	}
	return all
}

func (s *system) entries(t *testing.T) string {
	t.Helper()
	c := s.gateways[demo.Hospital].Config()
	token, err := api.ReadToken(c.Path(c.Data))
	if err != nil {
		t.Fatal(err)
	}
	return string(send(t, mistake{what: "the log", method: http.MethodGet, url: "http://" + c.Admin + "/api/v1/log/entries", key: token.Expose(), status: http.StatusOK}))
}

// roles logs in as each role by a link, looks at what the navigation offers, and logs out.
func (s *system) roles(t *testing.T, b *browsertest.Tab) {
	for _, role := range []page.Role{page.Viewer, page.Steward, page.Approver, page.Admin} {
		link := s.link(t, role)
		b.Login(link)
		b.Go("/sessions")
		if role == page.Admin {
			b.See("Who is logged in to this console")
			order := b.Focus(40)
			if len(order) < 6 || !strings.HasPrefix(order[0], "Skip to content") || slices.ContainsFunc(order, func(n string) bool { return strings.HasPrefix(n, "invisible") }) {
				t.Errorf("the focus goes %q", order)
			}
		} else {
			b.See("this is for another role")
		}
		b.Press("Log out")
		b.See("One-time code")
		if role == page.Viewer {
			b.Look("console-login")
			b.Expect("status of 403")
			b.Go(link) // again, by somebody who looked over a shoulder
			b.Wait(`document.querySelector("#code").value.length > 20`)
			b.Press("Log in")
			b.See("it was used already")
		}
	}
}

// watched has a viewer watch the story happen, open one flow of it, and verify its receipt.
func (s *system) watched(t *testing.T, b *browsertest.Tab) {
	b.Go("/live")
	before := b.Value(`document.querySelectorAll("#flows tr").length`)
	if _, err := s.tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Wait(`document.querySelectorAll("#flows tr").length > ` + before + ` + 5`)
	// The story starts the hospital's gateway again, which ends every session.
	b.Expect("/live")
	b.Login(s.link(t, page.Viewer))
	b.Go("/live")
	const row = `[...document.querySelectorAll("#flows tr")].find(r => r.querySelector(".level") && r.innerText.includes("prior-auth"))`
	b.Wait(row)
	b.Go(b.Value(row + `.querySelector("a").getAttribute("href")`))
	b.See("By label")
	b.Look("console-flow")
	b.Press("Verify the receipt")
	b.See("Everything that was checked holds")
	b.Look("console-receipt")
	b.Go("/live?outcome=refused")
	b.Wait(`document.querySelector("#flows tr a")`)
	b.Go(b.Value(`document.querySelector("#flows tr a").getAttribute("href")`))
	b.See("Refused")
	b.Look("console-refusal")
}

// played has a steward paste a message and see what two recipients would see of it.
func played(b *browsertest.Tab) {
	b.Go("/playground")
	b.Type("Text, JSON, or a whole A2A or MCP message", "Zelda Quartermaine, reachable at zelda.quartermaine@mail.example, asks whether the treatment is covered.")
	b.Value(`(document.querySelector("select[name=from]").value = "intake", document.querySelector("select[name=purpose]").value = "prior-authorization", 1)`)
	b.Value(`["prior-auth", "care-coordinator"].map(a => document.querySelector("input[name=to][value=" + a + "]").click())`)
	b.Press("Show what each would see")
	b.See("What each would see")
	b.Wait(`[...document.querySelectorAll("#result pre")].some(p => !p.innerText.includes("quartermaine@mail"))`)
	b.Value(`(document.querySelector("#result").scrollIntoView(), 1)`)
	b.Look("console-playground-seen")
}
