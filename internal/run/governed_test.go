package run_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
)

// house is a directory with a governed configuration.
type house struct {
	t    *testing.T
	file string
	log  syncBuffer
}

func sum(secret string) string {
	s := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(s[:])
}

const narrowPolicy = `@id("home") permit (principal, action in Action::"upto_masked", resource) when { context.same_domain };` + "\n"
const widePolicy = `@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };` + "\n"

func houseOf(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, file: filepath.Join(t.TempDir(), "scrim.yaml")}
	h.write("scrim.yaml", h.yaml("127.0.0.1:0"))
	h.write("policies/home.cedar", narrowPolicy)
	return h
}

func (h *house) yaml(listen string) string {
	return fmt.Sprintf(`version: 1
domain: own
data: ./data
listen: %s
agents:
  - {id: front, domain: own, keys: [{sha256: %s}]}
governance:
  approvers:
    - {name: ann, sha256: %s}
    - {name: bob, sha256: %s}
`, listen, sum("a key"), sum("secret of ann"), sum("secret of bob"))
}

func (h *house) write(name, text string) {
	h.t.Helper()
	name = filepath.Join(filepath.Dir(h.file), name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// open starts a gateway on the house as scrim run does.
func (h *house) open() *run.Gateway {
	h.t.Helper()
	g, err := h.try()
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

func (h *house) try() (*run.Gateway, error) {
	opt := run.Options{Logger: slog.New(slog.NewTextHandler(&h.log, nil)), Store: store.Options{NoSync: true}}
	c, _, err := run.LoadRuled(h.t.Context(), h.file, opt)
	if err != nil {
		return nil, err
	}
	return run.Open(h.t.Context(), c, opt)
}

func (h *house) close(g *run.Gateway) {
	h.t.Helper()
	if err := g.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// propose proposes what lies on disk.
func (h *house) propose(o *governance.Office, by string, at time.Time) change.Proposal {
	h.t.Helper()
	files, err := config.RuleFiles(h.file)
	if err != nil {
		h.t.Fatal(err)
	}
	v, _, _ := o.Running()
	p, err := o.Propose(h.t.Context(), governance.Draft{Base: v.Digest, Rules: change.RuleSet{Files: files}, Reason: "the contract changed", Effective: at, Credential: flow.NewSecret("secret of " + by)})
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) approve(o *governance.Office, p change.Proposal, by string) change.Proposal {
	h.t.Helper()
	p, err := o.Approve(h.t.Context(), p.ID, p.Digest, flow.NewSecret("secret of "+by))
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func version(g *run.Gateway) int64 {
	v, _, _ := g.Governing().Running()
	return v.Version
}

func ruleSteps(t *testing.T, g *run.Gateway) string {
	t.Helper()
	var all []string
	for e, err := range g.Log.Entries(context.Background(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Rules != nil {
			all = append(all, e.Event.Rules.What)
		}
	}
	return strings.Join(all, " ")
}

func TestRulesInForceAreNotWhatLiesOnDisk(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	hash := g.Gateway.Snapshot().Policy.Hash()
	if version(g) != 1 || ruleSteps(t, g) != "adopted" {
		t.Fatalf("at the first start version %d is in force, the log says %q", version(g), ruleSteps(t, g))
	}
	// A policy on disk changes nothing, at a reload or at a start.
	h.write("policies/home.cedar", widePolicy)
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if got := g.Gateway.Snapshot().Policy.Hash(); got != hash || fmt.Sprint(g.Drift().Files) != "[policies/home.cedar]" {
		t.Errorf("after a reload the policies are %s, want %s; drift %v", got, hash, g.Drift())
	}
	h.close(g)
	// Nor does taking governance out, or breaking the file elsewhere.
	for name, text := range map[string]string{
		"without governance": strings.Split(h.yaml("127.0.0.1:0"), "governance:")[0],
		"broken":             h.yaml("127.0.0.1:0") + "nonsense: true\n",
	} {
		h.write("scrim.yaml", text)
		g := h.open()
		if got := g.Gateway.Snapshot().Policy.Hash(); got != hash || version(g) != 1 || !g.Config().Governance.On() {
			t.Errorf("%s: version %d with policies %s runs, want version 1 with %s", name, version(g), got, hash)
		}
		if name == "broken" && !strings.Contains(g.Drift().Error, "scrim.yaml:11:1") {
			t.Errorf("drift of a broken file = %+v", g.Drift())
		}
		h.close(g)
	}
	if !strings.Contains(h.log.String(), "it decides nothing until it is proposed and approved") {
		t.Error("the log says nothing of what lies on disk")
	}
}

func TestApprovedRulesComeIntoForceAndGoBack(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	defer func() { h.close(g) }()
	o := g.Governing()
	narrow := g.Gateway.Snapshot().Policy.Hash()
	h.write("policies/home.cedar", widePolicy)
	p := h.propose(o, "ann", time.Time{})
	if !p.Reveals || p.Why == "" {
		t.Errorf("a wider policy: reveals %v, %q", p.Reveals, p.Why)
	}
	p = h.approve(o, p, "bob")
	if err := g.ApplyRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	wide := g.Gateway.Snapshot().Policy.Hash()
	if version(g) != 2 || wide == narrow || len(g.Drift().Files) != 0 {
		t.Fatalf("version %d is in force, drift %v", version(g), g.Drift())
	}
	back, err := o.Back(t.Context(), 1, governance.Draft{Reason: "too wide", Credential: flow.NewSecret("secret of ann")})
	if err != nil {
		t.Fatal(err)
	}
	if back.Reveals {
		t.Errorf("going back to narrower policies needs four eyes: %s", back.Why)
	}
	h.approve(o, back, "ann")
	if err := g.ApplyRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	if version(g) != 3 || g.Gateway.Snapshot().Policy.Hash() != narrow {
		t.Errorf("after going back version %d is in force", version(g))
	}
	if got, want := ruleSteps(t, g), "adopted proposed approved active proposed approved active"; got != want {
		t.Errorf("the log says %q, want %q", got, want)
	}
}

func TestRulesThatCannotBeBuiltAreRefusedOrFail(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	defer func() { h.close(g) }()
	o := g.Governing()
	before := g.Gateway.Snapshot()
	v, rs, _ := o.Running()
	files, _ := config.RuleFiles(h.file)
	for name, c := range map[string]struct{ file, text, want string }{
		"a policy":              {"policies/home.cedar", "permit (principal, action, resource) when {", "home.cedar:1"},
		"a test that fails":     {"policies/home.test.yaml", "tests:\n  - {name: nobody sees it, to: front, label: person/name, want: raw}\n", "home.test.yaml"},
		"configuration":         {"scrim.yaml", string(files["scrim.yaml"]) + "nonsense: 1\n", "scrim.yaml:11:1"},
		"another domain":        {"scrim.yaml", strings.Replace(string(files["scrim.yaml"]), "domain: own\n", "domain: other\n", 1), "scrim.yaml:2"},
		"a file nobody needs":   {"hidden.csv", "x", "nothing in it refers to"},
		"approvers who are one": {"scrim.yaml", strings.Replace(string(files["scrim.yaml"]), sum("secret of bob"), sum("secret of ann"), 1), "two approvers who are one"},
	} {
		bad := change.RuleSet{Files: map[string][]byte{c.file: []byte(c.text)}}
		for n, content := range rs.Files {
			if n != c.file {
				bad.Files[n] = content
			}
		}
		_, err := o.Propose(t.Context(), governance.Draft{Base: v.Digest, Rules: bad, Reason: "bad", Credential: flow.NewSecret("secret of ann")})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want one with %q", name, err, c.want)
		}
	}
	// What could be built when it was proposed, and not when its date comes, fails: the rules before stay.
	secret := filepath.Join(filepath.Dir(h.file), "token")
	h.write("token", "s3cret")
	h.write("scrim.yaml", strings.Replace(h.yaml("127.0.0.1:0"), "governance:", "  - {id: back, a2a: {url: 'http://127.0.0.1:9', credential: {file: token}}}\ngovernance:", 1))
	p := h.approve(o, h.propose(o, "ann", time.Time{}), "bob")
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if err := g.ApplyRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := o.Proposal(t.Context(), p.ID)
	if err != nil || p.State != change.Failed || !strings.Contains(p.Ended, "scrim.yaml:7:") || strings.Contains(p.Ended, "s3cret") {
		t.Errorf("it is %s: %q, %v", p.State, p.Ended, err)
	}
	if g.Gateway.Snapshot() != before || version(g) != 1 || !strings.HasSuffix(ruleSteps(t, g), "approved failed") {
		t.Errorf("version %d is in force, the log says %q", version(g), ruleSteps(t, g))
	}
}

func TestDatesThatComeWhileTheGatewayIsDown(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	h.write("policies/home.cedar", widePolicy)
	p := h.approve(g.Governing(), h.propose(g.Governing(), "ann", time.Now().Add(3*time.Second)), "bob")
	h.close(g)
	time.Sleep(time.Until(p.Effective))
	g = h.open()
	defer func() { h.close(g) }()
	if version(g) != 2 || !strings.HasSuffix(ruleSteps(t, g), "active") {
		t.Errorf("version %d is in force, the log says %q", version(g), ruleSteps(t, g))
	}
}

func TestWhatIsFixedComesAtAStart(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	h.write("scrim.yaml", h.yaml("127.0.0.1:1"))
	p := h.propose(g.Governing(), "ann", time.Time{})
	if !p.Restart {
		t.Error("another address is not said to need a restart")
	}
	p = h.approve(g.Governing(), p, "bob")
	if err := g.ApplyRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	if version(g) != 1 || g.Config().Listen != "127.0.0.1:0" {
		t.Errorf("version %d runs at %s", version(g), g.Config().Listen)
	}
	h.close(g)
	g = h.open()
	defer func() { h.close(g) }()
	if version(g) != 2 || g.Config().Listen != "127.0.0.1:1" {
		t.Errorf("after a restart version %d runs at %s", version(g), g.Config().Listen)
	}
}

// Where state lies belongs to the machine: a moved directory takes its rules along.
func TestStateThatWasMovedTakesItsRulesAlong(t *testing.T) {
	h := houseOf(t)
	h.close(h.open())
	dir := filepath.Dir(h.file)
	if err := os.Rename(filepath.Join(dir, "data"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	h.write("policies/home.cedar", widePolicy)
	h.write("scrim.yaml", strings.Replace(h.yaml("127.0.0.1:0"), "./data", "./moved", 1))
	g := h.open()
	if version(g) != 1 || ruleSteps(t, g) != "adopted" || len(g.Drift().Files) != 2 {
		t.Errorf("version %d, the log says %q, drift %v", version(g), ruleSteps(t, g), g.Drift())
	}
	h.close(g)
	h.write("scrim.yaml", strings.Replace(strings.Replace(h.yaml("127.0.0.1:0"), "./data", "./moved", 1), "domain: own\n", "domain: other\n", 1))
	if _, err := h.try(); err == nil || !strings.Contains(err.Error(), "scrim.yaml:2:") {
		t.Errorf("another domain: %v", err)
	}
}

func TestEndingGovernanceIsAProposal(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	defer func() { h.close(g) }()
	h.write("scrim.yaml", strings.Split(h.yaml("127.0.0.1:0"), "governance:")[0])
	p := h.propose(g.Governing(), "ann", time.Time{})
	if !p.Reveals || p.Why != "governance would end" {
		t.Errorf("ending governance: reveals %v, %q", p.Reveals, p.Why)
	}
	h.approve(g.Governing(), p, "bob")
	if err := g.ApplyRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.write("policies/home.cedar", widePolicy)
	before := g.Gateway.Snapshot().Policy.Hash()
	if err := g.Reload(t.Context(), "test"); err != nil || g.Gateway.Snapshot().Policy.Hash() == before {
		t.Errorf("what lies on disk is not in force after governance ended: %v", err)
	}
	h.close(g)
	if g = h.open(); version(g) != 0 { // the log knows of versions, and the last of them is kept: nothing was tampered with
		t.Errorf("version %d is in force after governance ended", version(g))
	}
	h.write("scrim.yaml", h.yaml("127.0.0.1:0"))
	if err := g.Reload(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("governance begins at a reload: %v", err)
	}
	h.close(g)
	g = h.open()
	if version(g) != 3 || !strings.HasSuffix(ruleSteps(t, g), "ended adopted") {
		t.Errorf("version %d, the log says %q", version(g), ruleSteps(t, g))
	}
}

// The process ends between any two writes: what is committed is what runs.
func TestCrashAfterApprovalOrAfterTheVersionWasWritten(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	h.write("policies/home.cedar", widePolicy)
	h.approve(g.Governing(), h.propose(g.Governing(), "ann", time.Time{}), "bob")
	h.close(g) // approved, not in force
	g = h.open()
	if version(g) != 2 {
		t.Fatalf("version %d is in force after a restart", version(g))
	}
	// The version's transaction ended, and the snapshot was not swapped: another process writes it behind this one's back.
	back, err := g.Governing().Back(t.Context(), 1, governance.Draft{Reason: "too wide"})
	if err != nil {
		t.Fatal(err)
	}
	h.approve(g.Governing(), back, "ann")
	o, err := g.State.Rules(t.Context(), g.Config(), run.Models{})
	if err != nil {
		t.Fatal(err)
	}
	if any, err := g.State.Apply(t.Context(), o); err != nil || !any {
		t.Fatal(any, err)
	}
	if version(g) != 2 {
		t.Fatal("it knows already")
	}
	if _, err := g.Governing().Back(t.Context(), 1, governance.Draft{Reason: "again"}); !errors.Is(err, governance.ErrBehind) && !errors.Is(err, governance.ErrSame) {
		t.Errorf("a step by a gateway that is behind: %v", err)
	}
	if err := g.Reload(t.Context(), "test"); err != nil || version(g) != 3 {
		t.Errorf("after a reload version %d runs, %v", version(g), err)
	}
	h.close(g)
	g = h.open()
	defer func() { h.close(g) }()
	if version(g) != 3 {
		t.Errorf("after a restart version %d runs", version(g))
	}
}

func TestStoreThatWasTamperedWithIsNotStarted(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	if err := g.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE governance_versions SET body = ? WHERE version = 1", []byte(`{"version":1,"governed":false}`))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h.close(g)
	if _, err := h.try(); !errors.Is(err, governance.ErrTampered) {
		t.Errorf("the gateway starts: %v", err)
	}
}

// A date comes while the gateway is down, and what it brings cannot be built by the one that starts: the rules before run.
func TestDatesThatBringWhatCannotBeBuilt(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	h.write("token", "s3cret")
	h.write("scrim.yaml", strings.Replace(h.yaml("127.0.0.1:0"), "governance:", "  - {id: back, a2a: {url: 'http://127.0.0.1:9', credential: {file: token}}}\ngovernance:", 1))
	p := h.approve(g.Governing(), h.propose(g.Governing(), "ann", time.Now().Add(3*time.Second)), "bob")
	h.close(g)
	if err := os.Remove(filepath.Join(filepath.Dir(h.file), "token")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(p.Effective))
	opt := run.Options{Store: store.Options{NoSync: true}}
	c, ruled, err := run.LoadRuled(t.Context(), h.file, opt) // a command that looks ends nothing
	if err != nil || !ruled || len(c.Agents) != 1 {
		t.Fatalf("looking: ruled %v, %v", ruled, err)
	}
	g = h.open()
	defer func() { h.close(g) }()
	p, err = g.Governing().Proposal(t.Context(), p.ID)
	if err != nil || p.State != change.Failed || version(g) != 1 {
		t.Errorf("it is %s, version %d runs, %v", p.State, version(g), err)
	}
}

func TestReviewsAreDue(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	defer func() { h.close(g) }()
	o, ctx := g.Governing(), t.Context()
	due := func(after time.Duration) string {
		t.Helper()
		all, err := run.ReviewsDue(ctx, o, g.Config(), time.Now().Add(after))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, d := range all {
			names = append(names, d.What)
		}
		return strings.Join(names, " ")
	}
	const day = 24 * time.Hour
	if got := due(179*day) + "," + due(181*day); got != ",policies" { // there are no datasets
		t.Errorf("due are %q", got)
	}
	if err := o.Reviewed(ctx, "policies", "fine", flow.Secret{}); !errors.Is(err, change.ErrCredential) {
		t.Errorf("the operator reviews: %v", err)
	}
	if err := o.Reviewed(ctx, "policies", "fine", flow.NewSecret("secret of ann")); err != nil {
		t.Fatal(err)
	}
	if last, err := o.Reviews(ctx); err != nil || last["policies"].By != "ann" || !strings.HasSuffix(ruleSteps(t, g), "reviewed") {
		t.Errorf("reviews = %v, %v", last, err)
	}
}

// Rules of a proposal that came to nothing are gone, and what shows it says so. Other rules that are missing are no such case.
func TestShowSaysThatTheRulesOfARejectedProposalAreGone(t *testing.T) {
	h := houseOf(t)
	g := h.open()
	defer func() { h.close(g) }()
	ctx, o := t.Context(), g.Governing()
	h.write("policies/home.cedar", widePolicy)
	p := h.propose(o, "ann", time.Time{})
	s, err := api.ShowRules(ctx, g.APIRules(), api.OfRules{ID: p.ID})
	if err != nil || s.Gone || len(s.Changes) != 1 {
		t.Fatalf("a proposal under way: gone %v, %d files, %v", s.Gone, len(s.Changes), err)
	}
	if _, err := o.Reject(ctx, p.ID, "no", flow.NewSecret("secret of bob")); err != nil {
		t.Fatal(err)
	}
	s, err = api.ShowRules(ctx, g.APIRules(), api.OfRules{ID: p.ID})
	if err != nil || !s.Gone || len(s.Changes) != 0 || s.Proposal.State != change.Rejected || s.Proposal.Digest != p.Digest {
		t.Errorf("a proposal that was rejected: gone %v, %d files, it is %s, %v", s.Gone, len(s.Changes), s.Proposal.State, err)
	}
	q := h.propose(o, "ann", time.Time{})
	if err := g.DB.Update(ctx, func(tx store.Tx) error { _, err := tx.Exec("DELETE FROM governance_rules"); return err }); err != nil {
		t.Fatal(err)
	}
	for _, of := range []api.OfRules{{ID: q.ID}, {Version: 1}} {
		if s, err := api.ShowRules(ctx, g.APIRules(), of); !errors.Is(err, governance.ErrTampered) {
			t.Errorf("proposal %q, version %d, whose rules somebody deleted: gone %v, error %v", of.ID, of.Version, s.Gone, err)
		}
	}
}
