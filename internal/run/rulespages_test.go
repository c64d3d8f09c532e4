package run_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/console/rules"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/change"
)

func governing(t *testing.T) (*run.Gateway, *desk) {
	t.Helper()
	return governingBy(t, houseOf(t))
}

func governingBy(t *testing.T, h *house) (*run.Gateway, *desk) {
	t.Helper()
	h.write("policies/"+`q"<script>x.cedar`, "// <script>alert(1)</script>\n")
	g := h.open()
	t.Cleanup(func() { h.close(g) })
	return g, newDesk(t, func(f *page.Frame) {
		rules.Add(f, rules.Options{Bench: g.Bench(), Rules: g.APIRules(), Catalog: g.Bench().Catalog, Begin: func(fn func(context.Context)) { go fn(t.Context()) }})
	})
}

func (d *desk) draft(t *testing.T, text string) string {
	t.Helper()
	status, body, h := d.ask(t, "POST", "/policies/drafts", "steward", url.Values{"file": {"policies/home.cedar"}, "text": {text}})
	if status != 303 || !strings.HasPrefix(h.Get("Location"), "/policies/drafts/") {
		t.Fatalf("draft: %d %s", status, body)
	}
	return h.Get("Location")
}

// The way of a change in the console: a draft, what it would do, a proposal, two people who are not one, and rules in force.
func TestChangeIsDraftedTriedProposedAndApprovedInTheConsole(t *testing.T) {
	g, d := governing(t)
	at := d.draft(t, widePolicy)
	_, body, _ := d.ask(t, "GET", at, "steward", nil)
	for _, want := range []string{"What opens and closes", "opens", "can reveal more", "/propose"} {
		if !strings.Contains(body, want) {
			t.Errorf("the draft's page has no %q", want)
		}
	}
	if status, _, _ := d.ask(t, "POST", at+"/replay", "steward", url.Values{}); status != 303 {
		t.Errorf("replay: %d", status)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, body, _ = d.ask(t, "GET", at+"/replay", "steward", nil); strings.Contains(body, "decided again") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the replay does not end: %s", body)
		}
	}
	d.who.Approver = "ann"
	status, body, h := d.ask(t, "POST", at+"/propose", "steward", url.Values{"reason": {"the <b>contract</b> changed"}})
	if status != 303 {
		t.Fatalf("propose: %d %s", status, body)
	}
	proposal := h.Get("Location")
	_, body, _ = d.ask(t, "GET", proposal, "steward", nil)
	if !strings.Contains(body, "upto_raw") || !strings.Contains(body, "&lt;b&gt;contract") || strings.Contains(body, "<b>contract") || !strings.Contains(body, "Missing") {
		t.Errorf("proposal: %s", body)
	}
	digest := strings.SplitN(strings.SplitN(body, `name="digest" value="`, 2)[1], `"`, 2)[0]
	if status, body, _ := d.ask(t, "POST", proposal+"/approve", "approver", url.Values{"digest": {digest}}); status != 422 || !strings.Contains(body, "cannot approve it") {
		t.Errorf("by its author: %d %s", status, body)
	}
	d.who.Approver = ""
	for credential, want := range map[string]string{"": "type an approver", "wrong-credential-5521aa": "not one of an approver", "secret of ann": "cannot approve it"} {
		status, body, _ := d.ask(t, "POST", proposal+"/approve", "approver", url.Values{"digest": {digest}, "credential": {credential}})
		if status != 422 || !strings.Contains(body, want) || strings.Contains(body, "5521aa") {
			t.Errorf("credential %q: %d %s", credential, status, body)
		}
	}
	if status, _, _ := d.ask(t, "POST", proposal+"/approve", "viewer", url.Values{"digest": {digest}, "credential": {"secret of bob"}}); status != 403 {
		t.Errorf("by a viewer: %d", status)
	}
	if status, body, _ := d.ask(t, "POST", proposal+"/approve", "approver", url.Values{"digest": {digest}, "credential": {"secret of bob"}}); status != 303 {
		t.Fatalf("approve: %d %s", status, body)
	}
	if version(g) != 2 || g.Gateway.Snapshot().Policy.Files()["home.cedar"] != widePolicy {
		t.Errorf("version %d", version(g))
	}
	if _, body, _ = d.ask(t, "GET", proposal, "viewer", nil); !strings.Contains(body, "It is in force") {
		t.Errorf("after approval: %s", body)
	}
	var names []string
	for _, a := range d.acts {
		names = append(names, a.Name)
		if strings.Contains(a.About, "secret") {
			t.Errorf("on record: %+v", a)
		}
	}
	if all := strings.Join(names, " "); !strings.HasPrefix(all, "console/draft console/replay console/propose console/approve") {
		t.Errorf("on record: %s", all)
	}
	status, _, h = d.ask(t, "POST", "/policies/rollback", "steward", url.Values{"version": {"1"}, "reason": {"it was better"}, "credential": {"secret of ann"}})
	if status != 303 || !strings.HasPrefix(h.Get("Location"), "/policies/proposals/") {
		t.Errorf("rollback: %d", status)
	}
	for _, path := range []string{"/policies", "/policies/history", "/policies/proposals", "/policies/proposals?ended=true", "/policies/files/policies/home.cedar", "/policies/files/policies/" + url.PathEscape(`q"<script>x.cedar`)} {
		status, body, _ := d.ask(t, "GET", path, "viewer", nil)
		if status != 200 || strings.Contains(body, "<script>x") || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if status, body, _ := d.ask(t, "GET", "/api/v1"+path, "viewer", nil); status != 200 || !strings.HasPrefix(body, "{") && !strings.HasPrefix(body, "[") {
			t.Errorf("twin of %s: %d", path, status)
		}
	}
}

func TestDraftsTellTheirMistakesAndTouchNoOtherFiles(t *testing.T) {
	_, d := governing(t)
	at := d.draft(t, narrowPolicy+"permit (principal, action, resurce);\n")
	if _, body, _ := d.ask(t, "GET", at, "steward", nil); !strings.Contains(body, "line 2, column ") || strings.Contains(body, "/propose\"") {
		t.Errorf("mistakes: %s", body)
	}
	for _, file := range []string{"scrim.yaml", "/etc/passwd", "../x.cedar", "policies/../../x.cedar", "policies/a/b.cedar", "policies/.cedar", "new.cedar", "policies/x.yaml", "policies/x.cedar\x00"} {
		if status, _, _ := d.ask(t, "POST", at+"/edit", "steward", url.Values{"file": {file}, "text": {"x"}}); status != 422 {
			t.Errorf("%s: %d", file, status)
		}
	}
	test := "tests:\n  - {name: nobody from outside, to: {agent: x, domain: other}, label: person/name, expect: dropped}\n  - {name: a slip, to: front, from: front, label: person/name, expect: raw}\n"
	at = d.draft(t, narrowPolicy)
	if status, body, _ := d.ask(t, "POST", at+"/edit", "steward", url.Values{"file": {"policies/new.test.yaml"}, "text": {test}}); status != 303 {
		t.Errorf("new tests: %d %s", status, body)
	}
	if _, body, _ := d.ask(t, "GET", at, "steward", nil); !strings.Contains(body, "state-good\">passed") || !strings.Contains(body, "state-bad\">failed") {
		t.Errorf("results: %s", body)
	}
	for _, path := range []string{"/policies/files/scrim.yaml", "/policies/drafts/none", "/policies/proposals/none"} {
		if status, _, _ := d.ask(t, "GET", path, "steward", nil); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, _ := d.ask(t, "GET", at, "viewer", nil); status != 403 {
		t.Error("a viewer sees a draft")
	}
}

// What is wrong with a draft stands in its text, and the list above leads there. A text cannot become part of the page.
func TestADraftHasItsMistakesInItsText(t *testing.T) {
	_, d := governing(t)
	const attack = `</textarea></code></table><script>alert("wrong-7f3c19e2")</script><img src=x onerror=alert(1)>`
	at := d.draft(t, "\n// "+attack+"\n"+strings.TrimSpace(narrowPolicy)+"\npermit (principal, action, resurce);\n  permit \u202e"+attack+";\n")
	_, body, _ := d.ask(t, "GET", at, "steward", nil)
	for _, want := range []string{
		`<a href="#line-4">policies/home.cedar, line 4, column 28</a>`, `<tr id="line-4" class="refused" tabindex="-1" aria-describedby="line-4-wrong">`,
		`permit (principal, action, <mark>resurce</mark>);`, `<ul id="line-4-wrong">`, `<tr id="line-1">`, `<tr id="line-2">`, `<a href="#line-5">`, `<mark>⟨U&#43;202E⟩</mark>`,
		`aria-describedby="mistakes" aria-invalid="true"`, ">\n\n// ", // a first newline of a textarea is none of its text
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s: %s", want, body)
		}
	}
	for _, bad := range []string{"<script>alert", "</textarea></code>", "<img src=x", "\u202e", " style=", " onerror=alert(1)>"} {
		if main := body[strings.Index(body, "<main"):strings.Index(body, "<textarea")] + body[strings.Index(body, "</textarea>"):]; strings.Contains(main, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if strings.Contains(body, "<script>alert") || strings.Count(body, "</textarea>") != strings.Count(body, "<textarea") {
		t.Error("a text ends its field")
	}
	_, body, _ = d.ask(t, "GET", "/api/v1"+at, "steward", nil)
	for _, want := range []string{`"line":4`, `"column":28`, `"message":"`, `"file":"policies/home.cedar"`} {
		if !strings.Contains(strings.ReplaceAll(body, " ", ""), want) {
			t.Errorf("the twin has no %s: %s", want, body)
		}
	}
	// What is wrong in another file has its place on that file's page.
	if status, _, _ := d.ask(t, "POST", at+"/edit", "steward", url.Values{"file": {"policies/second.cedar"}, "text": {"// nothing is wrong here\n"}}); status != 303 {
		t.Fatalf("edit: %d", status)
	}
	_, body, _ = d.ask(t, "GET", at+"?file=policies/second.cedar", "steward", nil)
	if !strings.Contains(body, `<a href="?file=policies%2Fhome.cedar#line-4">`) || strings.Contains(body, `id="line-1"`) || strings.Contains(body, "aria-invalid") {
		t.Errorf("the page of the other file: %s", body)
	}
}

// A console without a gateway describes the same pages, and says that there is nothing behind them.
func TestRulesPagesWithoutAGatewaySayWhatToDo(t *testing.T) {
	d := newDesk(t, func(f *page.Frame) {
		rules.Add(f, rules.Options{})
		playground.Add(f, playground.Options{})
	})
	for _, path := range []string{"/policies", "/policies/history", "/policies/proposals", "/policies/proposals/x", "/policies/files/x.cedar", "/playground"} {
		if status, body, _ := d.ask(t, "GET", path, "steward", nil); status != 422 || !strings.Contains(body, "scrim run") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/policies/drafts", "/policies/rollback", "/policies/review", "/policies/proposals/x/approve", "/policies/proposals/x/withdraw", "/playground"} {
		if status, body, _ := d.ask(t, "POST", path, "steward", url.Values{"version": {"1"}}); status != 422 || !strings.Contains(body, "scrim run") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Whoever proposes an edited draft counts as one of the people that a change needs. So nobody else writes into it between the look and the proposal, and
// nobody else proposes it before it is done.
func TestADraftIsChangedAndProposedByWhoeverBeganIt(t *testing.T) {
	_, d := governing(t)
	at := d.draft(t, widePolicy)
	began := d.who
	d.who.Name, d.who.Approver = "mallory-who-began-nothing", "ben"
	if status, body, _ := d.ask(t, "POST", at+"/edit", "admin", url.Values{"file": {"policies/home.cedar"}, "text": {"// planted\n"}}); status != 422 || !strings.Contains(body, "somebody else began") {
		t.Errorf("another's edit: %d %s", status, body)
	}
	if status, body, _ := d.ask(t, "POST", at+"/propose", "admin", url.Values{"reason": {"mine now"}}); status != 422 || !strings.Contains(body, "somebody else began") {
		t.Errorf("another's proposal: %d %s", status, body)
	}
	if _, body, _ := d.ask(t, "GET", at, "steward", nil); strings.Contains(body, "planted") {
		t.Error("what another wrote is in the draft")
	}
	d.who = began
	if status, body, _ := d.ask(t, "POST", at+"/propose", "steward", url.Values{"reason": {"as I looked at it"}}); status != 303 {
		t.Errorf("their own: %d %s", status, body)
	}
}

// Drafts are few: who makes many loses their own oldest, and nobody else's.
func TestDraftsOfOnePersonAreFew(t *testing.T) {
	var k draft.Keeper
	now := time.Now()
	other, err := k.Begin("bob", change.Digest{}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := k.Begin("ann", change.Digest{}, nil, now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Get(other.ID); err != nil || len(k.All(now.Add(time.Minute))) != 17 {
		t.Errorf("%v, %d drafts", err, len(k.All(now.Add(time.Minute))))
	}
	if all := k.All(now.Add(8 * 24 * time.Hour)); len(all) != 0 {
		t.Errorf("after a week: %d", len(all))
	}
	if _, err := k.Begin("ann", change.Digest{}, map[string][]byte{"a": make([]byte, 5<<20)}, now); !errors.Is(err, draft.ErrLarge) {
		t.Errorf("a large one: %v", err)
	}
}

// Another label is a draft of the contract, with all else that the file says.
func TestAnotherLabelIsADraftOfTheContract(t *testing.T) {
	h := houseOf(t)
	h.write("scrim.yaml", strings.Replace(h.yaml("127.0.0.1:0"), "governance:", "contracts: [visits.odcs.yaml]\ngovernance:", 1))
	h.write("visits.odcs.yaml", `apiVersion: v3.1.0
kind: DataContract
id: visits-7
version: 1.0.0
status: active
schema:
  - name: visits
    properties:
      - name: mail # of the patient
        logicalType: string
        customProperties: [{property: scrim.label, value: person/name}]
`)
	g, d := governingBy(t, h)
	for _, in := range []url.Values{
		{"dataset": {"visits"}, "column": {"none"}, "label": {"person/contact/email"}}, {"dataset": {"none"}, "column": {"mail"}, "label": {"person/contact/email"}},
		{"dataset": {"visits"}, "column": {"mail"}, "label": {"no/such-label"}},
	} {
		if status, _, _ := d.ask(t, "POST", "/policies/drafts/label", "steward", in); status != 422 {
			t.Errorf("%v: %d", in, status)
		}
	}
	in := url.Values{"dataset": {"visits"}, "column": {"mail"}, "label": {"person/contact/email"}}
	if status, _, _ := d.ask(t, "POST", "/policies/drafts/label", "viewer", in); status != 403 {
		t.Errorf("by a viewer: %d", status)
	}
	status, body, header := d.ask(t, "POST", "/policies/drafts/label", "steward", in)
	if status != 303 {
		t.Fatalf("%d %s", status, body)
	}
	_, body, _ = d.ask(t, "GET", header.Get("Location"), "steward", nil)
	for _, want := range []string{"visits.odcs.yaml", "person/contact/email", "of the patient", "What opens and closes"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing: %s", want, body)
		}
	}
	if label, _ := g.Gateway.Snapshot().Policy.FieldLabel("visits/mail"); label != "person/name" {
		t.Errorf("in force: %s", label)
	}
}
