package governance_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// rig is a database with a journal, and offices over it.
type rig struct {
	t   *testing.T
	db  store.DB
	log *audit.Log
	*governance.Office

	mu sync.Mutex
	at time.Time
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, at: noon, db: storetest.Open(t, audit.Schema(), governance.Schema())}
	var err error
	r.log, err = audit.Open(t.Context(), r.db, "scrim.dev/log/own", ed25519.NewKeyFromSeed(make([]byte, 32)), audit.Options{Dir: t.TempDir(), MergeDelay: time.Minute, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.log.Close(context.Background()) })
	r.Office = r.office(r.db)
	return r
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }

func (r *rig) add(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.at = r.at.Add(d) }

// office is that of one more gateway on the database.
func (r *rig) office(db store.DB) *governance.Office {
	r.t.Helper()
	o, err := governance.New(governance.Options{
		DB: db, Journal: r.log, Seed: [32]byte{7}, Domain: "own", FlowID: gateway.NewFlowID, Clock: r.clock,
		Check: func(_ context.Context, rs change.RuleSet) (governance.Checked, error) { return check(rs) },
		Reveals: func(_ context.Context, old, now change.RuleSet) (bool, []string) {
			if strings.Count(string(now.Files["p.cedar"]), "permit") > strings.Count(string(old.Files["p.cedar"]), "permit") {
				return true, []string{"p.cedar permits more"}
			}
			return false, nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

// check reads "govern NAME…" or "free", and refuses what is broken.
func check(rs change.RuleSet) (governance.Checked, error) {
	words := strings.Fields(string(rs.Files[change.Main]))
	if strings.Contains(string(rs.Files["p.cedar"]), "broken") {
		return governance.Checked{}, errors.New("p.cedar:1:1: unexpected token")
	}
	c := governance.Checked{Governed: words[0] == "govern", PolicyHash: "p", ConfigHash: "c", Rules: change.Rules{Expire: 48 * time.Hour}}
	for _, n := range words[1:] {
		c.Rules.Approvers = append(c.Rules.Approvers, change.Approver{Name: n, SHA256: sha256.Sum256([]byte("secret of " + n))})
	}
	return c, nil
}

func secret(name string) flow.Secret {
	if name == change.Operator {
		return flow.Secret{}
	}
	return flow.NewSecret("secret of " + name)
}

func ruleSet(main, policy string) change.RuleSet {
	return change.RuleSet{Files: map[string][]byte{change.Main: []byte(main), "p.cedar": []byte(policy)}}
}

var first = ruleSet("govern ann bob eve", "permit")

// begun has the first rules in force.
func begun(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	c, _ := check(first)
	if _, err := r.Begin(t.Context(), first, c); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) propose(author string, rs change.RuleSet, at time.Time) change.Proposal {
	r.t.Helper()
	v, _, _ := r.Running()
	p, err := r.Propose(r.t.Context(), governance.Draft{Base: v.Digest, Rules: rs, Reason: "more for billing", Effective: at, Credential: secret(author)})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) approve(p change.Proposal, by string) change.Proposal {
	r.t.Helper()
	p, err := r.Approve(r.t.Context(), p.ID, p.Digest, secret(by))
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// come puts a proposal in force as a gateway does.
func come(r *rig, o *governance.Office, p change.Proposal) error {
	r.t.Helper()
	rs, err := o.RuleSet(r.t.Context(), p.Digest)
	if err != nil {
		return err
	}
	return comeWith(r, o, p, rs)
}

// comeWith is come of rules that were read before.
func comeWith(r *rig, o *governance.Office, p change.Proposal, rs change.RuleSet) error {
	r.t.Helper()
	next, err := o.Come(r.t.Context(), p, rs)
	if err != nil {
		return err
	}
	err = r.db.Update(r.t.Context(), func(tx store.Tx) error {
		rc, err := r.log.Append(tx, next.Event, audit.Private{})
		if err != nil {
			return err
		}
		return next.Put(tx, rc)
	})
	if err == nil {
		next.Made()
	}
	return err
}

// said returns what the log says of the rules, step by step.
func (r *rig) said() string {
	r.t.Helper()
	var all []string
	for e, err := range r.log.Entries(r.t.Context(), audit.Query{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if e.Event.Rules != nil {
			all = append(all, strings.TrimSpace(e.Event.Rules.What+" "+e.Event.Rules.By))
		}
	}
	return strings.Join(all, ", ")
}

func (r *rig) want(err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("error = %v, want %v", err, want)
	}
}

func TestWiderChangeTakesFourEyesAndIsOnTheLog(t *testing.T) {
	r, ctx := begun(t), t.Context()
	wide := ruleSet("govern ann bob eve", "permit permit")
	p := r.propose("ann", wide, time.Time{})
	if !p.Reveals || p.Why != "p.cedar permits more" {
		t.Errorf("the proposal says reveals %v, %q", p.Reveals, p.Why)
	}
	_, err := r.Approve(ctx, p.ID, p.Digest, secret("ann"))
	r.want(err, change.ErrSame)
	_, err = r.Approve(ctx, p.ID, p.Digest, flow.Secret{})
	r.want(err, change.ErrCredential)
	_, err = r.Approve(ctx, p.ID, first.Digest(), secret("bob"))
	r.want(err, change.ErrDigest)
	r.want(come(r, r.Office, p), change.ErrState)
	if p = r.approve(p, "bob"); p.State != change.Approved {
		t.Fatalf("after bob's approval it is %s", p.State)
	}
	_, err = r.Approve(ctx, p.ID, p.Digest, secret("bob"))
	r.want(err, change.ErrState)
	if err := come(r, r.Office, p); err != nil {
		t.Fatal(err)
	}
	v, rs, _ := r.Running()
	if v.Version != 2 || rs.Digest() != wide.Digest() || fmt.Sprint(v.By) != "[ann bob]" {
		t.Errorf("in force is version %d by %v", v.Version, v.By)
	}
	if err := r.Verify(ctx); err != nil {
		t.Error(err)
	}
	r.want(come(r, r.Office, p), change.ErrStale) // again
	if got, want := r.said(), "adopted operator, proposed ann, approved bob, active ann"; got != want {
		t.Errorf("the log says %s, want %s", got, want)
	}
	// Back again is a proposal of its own, and reveals less.
	back, err := r.Back(ctx, 1, governance.Draft{Reason: "too wide", Credential: secret("eve")})
	if err != nil || back.Reveals || back.Back != 1 {
		t.Fatalf("going back: %v, reveals %v", err, back.Reveals)
	}
	if err := come(r, r.Office, r.approve(back, "eve")); err != nil {
		t.Fatal(err)
	}
	if v, rs, _ := r.Running(); v.Version != 3 || rs.Digest() != first.Digest() {
		t.Errorf("after going back version %d is in force", v.Version)
	}
}

func TestDraftsThatAreRefused(t *testing.T) {
	r, ctx := begun(t), t.Context()
	good := func() governance.Draft {
		return governance.Draft{Base: first.Digest(), Rules: ruleSet("govern ann bob eve", ""), Reason: "less", Credential: secret("ann")}
	}
	for _, c := range []struct {
		name string
		make func(*governance.Draft)
		want error
	}{
		{"a stale base", func(d *governance.Draft) { d.Base = change.Digest{1} }, change.ErrStale},
		{"the rules in force", func(d *governance.Draft) { d.Rules = first }, governance.ErrSame},
		{"no reason", func(d *governance.Draft) { d.Reason = "" }, governance.ErrReason},
		{"a reason of two lines", func(d *governance.Draft) { d.Reason = "a\nb" }, governance.ErrReason},
		{"a stranger's credential", func(d *governance.Draft) { d.Credential = flow.NewSecret("x") }, change.ErrCredential},
		{"no rule set", func(d *governance.Draft) { d.Rules = change.RuleSet{} }, change.ErrRuleSet},
		{"a date in ten years", func(d *governance.Draft) { d.Effective = noon.AddDate(10, 0, 0) }, governance.ErrDate},
	} {
		d := good()
		c.make(&d)
		if _, err := r.Propose(ctx, d); !errors.Is(err, c.want) {
			t.Errorf("%s: error = %v, want %v", c.name, err, c.want)
		}
	}
	d := good()
	d.Rules = ruleSet("govern ann bob eve", "broken")
	if _, err := r.Propose(ctx, d); err == nil || !strings.Contains(err.Error(), "p.cedar:1:1") {
		t.Errorf("rules that cannot be built: error = %v, want one with the place", err)
	}
	if r.said() != "adopted operator" {
		t.Errorf("drafts that were refused are on the log: %s", r.said())
	}
}

func TestApproversAndTheEndOfGovernanceAreWiderChanges(t *testing.T) {
	for _, main := range []string{"govern ann bob", "govern ann bob eve mallory", "free"} {
		r := begun(t)
		if p := r.propose("ann", ruleSet(main, ""), time.Time{}); !p.Reveals {
			t.Errorf("a proposal of %q needs one approval, though it permits less", main)
		}
	}
	r := begun(t)
	p := r.approve(r.propose("ann", ruleSet("free", ""), time.Time{}), "bob")
	if err := come(r, r.Office, p); err != nil {
		t.Fatal(err)
	}
	v, _, ok, err := governance.InForce(t.Context(), r.db, [32]byte{7})
	if err != nil || !ok || v.Governed {
		t.Errorf("governance ended, and the store says %v, %v, %v", v.Governed, ok, err)
	}
	_, err = r.Propose(t.Context(), governance.Draft{Base: v.Digest, Rules: first, Reason: "again"})
	r.want(err, governance.ErrNone)
	c, _ := check(first)
	if v, err := r.Begin(t.Context(), first, c); err != nil || v.Version != 3 {
		t.Errorf("beginning again: version %d, %v", v.Version, err)
	}
	_, err = r.Begin(t.Context(), first, c)
	r.want(err, governance.ErrBegun)
}

func TestOfTwoProposalsOnOneBaseTheSecondIsStale(t *testing.T) {
	r := begun(t)
	a := r.approve(r.propose("ann", ruleSet("govern ann bob eve", "permit permit"), time.Time{}), "bob")
	second := ruleSet("govern ann bob eve", "permit permit permit")
	b := r.approve(r.propose("eve", second, time.Time{}), "bob")
	if err := come(r, r.Office, a); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Proposal(t.Context(), b.ID); err != nil || b.State != change.Stale || !strings.Contains(b.Ended, "version 2") {
		t.Errorf("the second is %s: %s, %v", b.State, b.Ended, err)
	}
	r.want(comeWith(r, r.Office, b, second), change.ErrStale)
	if !strings.HasSuffix(r.said(), "active ann, stale") {
		t.Errorf("the log says %s", r.said())
	}
}

func TestDatesAndAClockThatGoesBack(t *testing.T) {
	r, ctx := begun(t), t.Context()
	p := r.approve(r.propose("ann", ruleSet("govern ann bob eve", ""), noon.Add(time.Hour)), "ann")
	due := func() int {
		t.Helper()
		all, err := r.Due(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if due() != 0 {
		t.Error("it is due before its date")
	}
	r.add(time.Hour)
	if due() != 1 {
		t.Fatal("it is not due at its date")
	}
	if err := come(r, r.Office, p); err != nil {
		t.Fatal(err)
	}
	r.add(-24 * time.Hour)
	if v, _, _, err := governance.InForce(ctx, r.db, [32]byte{7}); err != nil || v.Version != 2 || due() != 0 {
		t.Errorf("with the clock back version %d is in force, %v", v.Version, err)
	}
	// What expired stays expired.
	q := r.propose("ann", first, time.Time{})
	r.add(49 * time.Hour)
	_, err := r.Approve(ctx, q.ID, q.Digest, secret("bob"))
	r.want(err, change.ErrState)
	due()
	r.add(-49 * time.Hour)
	_, err = r.Approve(ctx, q.ID, q.Digest, secret("bob"))
	r.want(err, change.ErrState)
	if q, err := r.Proposal(ctx, q.ID); err != nil || q.State != change.Expired {
		t.Errorf("it is %s, %v", q.State, err)
	}
}

func TestApproverWhoWasTakenOffCountsNoMore(t *testing.T) {
	r := begun(t)
	wide := r.approve(r.propose(change.Operator, ruleSet("govern ann bob eve", "permit permit"), noon.Add(time.Hour)), "bob")
	wide = r.approve(wide, "eve")
	if wide.State != change.Approved {
		t.Fatal(wide.State)
	}
	// While the proposal waits for its date, bob's credential is replaced by going through another proposal with the same result: same rules, other people.
	v, rs, _ := r.Running()
	c, _ := check(ruleSet("govern ann eve", "permit"))
	r.Run(v, rs, c)
	err := come(r, r.Office, wide)
	r.want(err, change.ErrMissing)
	if err := r.Reopen(t.Context(), wide.ID, err); err != nil {
		t.Fatal(err)
	}
	if p, _ := r.Proposal(t.Context(), wide.ID); p.State != change.Open || p.Ended == "" {
		t.Errorf("it is %s, %q", p.State, p.Ended)
	}
}

func TestConcurrentApprovalsAreCountedOnce(t *testing.T) {
	r := begun(t)
	p := r.propose(change.Operator, ruleSet("govern ann bob eve", "permit permit"), time.Time{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 4 {
		for _, by := range []string{"ann", "bob", "eve"} {
			wg.Go(func() {
				if _, err := r.Approve(t.Context(), p.ID, p.Digest, secret(by)); err == nil {
					mu.Lock()
					good++
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	p, err := r.Proposal(t.Context(), p.ID)
	if err != nil || good != 2 || len(p.Approvals) != 2 || p.State != change.Approved {
		t.Errorf("%d approvals were taken, %d are kept, it is %s, %v; want 2 of two people", good, len(p.Approvals), p.State, err)
	}
}

func TestTwoGatewaysOnOneDatabase(t *testing.T) {
	r := begun(t)
	other := r.office(r.db)
	v, rs, _ := r.Running()
	c, _ := check(first)
	other.Run(v, rs, c)
	p := r.approve(r.propose("ann", ruleSet("govern ann bob eve", "permit permit"), time.Time{}), "bob")
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, o := range []*governance.Office{r.Office, other} {
		wg.Go(func() { errs[i] = come(r, o, p) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("one puts it in force, not both: %v, %v", errs[0], errs[1])
	}
	behind := r.Office
	if errs[0] == nil {
		behind = other
	}
	_, err := behind.Propose(t.Context(), governance.Draft{Base: first.Digest(), Rules: ruleSet("govern ann bob eve", ""), Reason: "less", Credential: secret("ann")})
	r.want(err, governance.ErrBehind)
	if strings.Count(r.said(), "active") != 1 {
		t.Errorf("the log says %s", r.said())
	}
}

func TestWhoWritesToTheDatabaseAloneIsNoticed(t *testing.T) {
	seed := [32]byte{7}
	for name, statement := range map[string]string{
		"going back to an earlier version":      "UPDATE governance_state SET version = 1",
		"to one that never was":                 "UPDATE governance_state SET version = 9",
		"other words for the version":           "UPDATE governance_versions SET body = (SELECT body FROM governance_versions WHERE version = 1) WHERE version = 2",
		"its whole row":                         "UPDATE governance_versions SET body = (SELECT body FROM governance_versions WHERE version = 1), mac = (SELECT mac FROM governance_versions WHERE version = 1) WHERE version = 2",
		"other rules":                           "UPDATE governance_rules SET content = (SELECT content FROM governance_rules WHERE digest = ?)",
		"as if there had never been governance": "DELETE FROM governance_state",
	} {
		r := begun(t)
		p := r.approve(r.propose("ann", ruleSet("govern ann bob eve", "permit permit"), time.Time{}), "bob")
		if err := come(r, r.Office, p); err != nil {
			t.Fatal(err)
		}
		var args []any
		if strings.Contains(statement, "?") {
			d := first.Digest()
			args = []any{d[:]}
		}
		if err := r.db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(statement, args...); return err }); err != nil {
			t.Fatal(err)
		}
		if v, _, ok, err := governance.InForce(t.Context(), r.db, seed); !errors.Is(err, governance.ErrTampered) && !errors.Is(err, governance.ErrVersion) {
			t.Errorf("%s: version %d in force %v, error %v", name, v.Version, ok, err)
		}
	}
}

// Version 2 is deleted with everything that says so, but for the log.
func TestTheLogKnowsOfVersionsThatWereDeleted(t *testing.T) {
	r, ctx := begun(t), t.Context()
	p := r.approve(r.propose("ann", ruleSet("govern ann bob eve", "permit permit"), time.Time{}), "bob")
	v1, rs, _ := r.Running()
	if err := come(r, r.Office, p); err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) {
		t.Helper()
		if err := r.db.Update(ctx, func(tx store.Tx) error { _, err := tx.Exec(statement); return err }); err != nil {
			t.Fatal(err)
		}
	}
	exec("DELETE FROM governance_versions WHERE version = 2")
	exec("UPDATE governance_state SET version = 1")
	o := r.office(r.db)
	c, _ := check(first)
	o.Run(v1, rs, c)
	if err := o.VerifyNewest(ctx); !errors.Is(err, governance.ErrTampered) {
		t.Errorf("VerifyNewest = %v, want ErrTampered", err)
	}
	exec("DELETE FROM governance_versions")
	exec("DELETE FROM governance_state")
	if _, err := r.office(r.db).Begin(ctx, first, c); !errors.Is(err, governance.ErrTampered) {
		t.Errorf("Begin = %v, want ErrTampered", err)
	}
	if err := r.Verify(ctx); err != nil {
		t.Errorf("Verify of version 2 = %v", err)
	}
	v1.Row++
	o.Run(v1, rs, c)
	if err := o.Verify(ctx); !errors.Is(err, governance.ErrTampered) {
		t.Errorf("Verify with another entry = %v, want ErrTampered", err)
	}
}

func TestObjectionsEndAProposal(t *testing.T) {
	r, ctx := begun(t), t.Context()
	wide := ruleSet("govern ann bob eve", "permit permit")
	p := r.propose("ann", wide, noon.Add(time.Hour))
	_, err := r.Withdraw(ctx, p.ID, secret("bob"))
	r.want(err, governance.ErrAuthor)
	_, err = r.Withdraw(ctx, p.ID, flow.Secret{})
	r.want(err, governance.ErrAuthor)
	_, err = r.Reject(ctx, p.ID, "no", flow.Secret{})
	r.want(err, change.ErrCredential)
	p = r.approve(p, "bob")
	if _, err := r.Reject(ctx, p.ID, "the contract says otherwise", secret("eve")); err != nil {
		t.Errorf("one that waits for its date cannot be rejected: %v", err)
	}
	r.want(comeWith(r, r.Office, p, wide), change.ErrState)
	_, err = r.Approved(ctx, p.ID)
	r.want(err, change.ErrState)
	q := r.propose("ann", ruleSet("govern ann bob eve", ""), time.Time{})
	if _, err := r.Withdraw(ctx, q.ID, secret("ann")); err != nil {
		t.Error(err)
	}
	_, err = r.Withdraw(ctx, q.ID, secret("ann"))
	r.want(err, change.ErrState)
	_, err = r.Approve(ctx, "nothing", q.Digest, secret("ann"))
	r.want(err, governance.ErrProposal)
	if got := r.said(); !strings.HasSuffix(got, "rejected eve, proposed ann, withdrawn ann") {
		t.Errorf("the log says %s", got)
	}
}

func TestFailedProposalLeavesTheRules(t *testing.T) {
	r, ctx := begun(t), t.Context()
	p := r.approve(r.propose("ann", ruleSet("govern ann bob eve", ""), time.Time{}), "ann")
	if err := r.Fail(ctx, p.ID, "a secret is not there\nsecond line"); err != nil {
		t.Fatal(err)
	}
	p, err := r.Proposal(ctx, p.ID)
	if err != nil || p.State != change.Failed || strings.Contains(p.Ended, "\n") {
		t.Errorf("it is %s: %q, %v", p.State, p.Ended, err)
	}
	if v, _, _, err := governance.InForce(ctx, r.db, [32]byte{7}); err != nil || v.Version != 1 {
		t.Errorf("version %d is in force, %v", v.Version, err)
	}
	if all, _ := r.Due(ctx); len(all) != 0 {
		t.Error("it is due again")
	}
}

func TestRulesOfProposalsThatCameToNothingAreNotKept(t *testing.T) {
	r, ctx := begun(t), t.Context()
	wide, wider := ruleSet("govern ann bob eve", "permit permit"), ruleSet("govern ann bob eve", "permit permit permit")
	withdraw := func(p change.Proposal) error {
		_, err := r.Withdraw(ctx, p.ID, secret("ann"))
		return err
	}
	for state, end := range map[change.State]func(change.Proposal) error{
		change.Withdrawn: withdraw,
		change.Rejected: func(p change.Proposal) error {
			_, err := r.Reject(ctx, p.ID, "no", secret("eve"))
			return err
		},
		change.Failed: func(p change.Proposal) error { return r.Fail(ctx, p.ID, "a secret is not there") },
		change.Expired: func(change.Proposal) error {
			r.add(49 * time.Hour)
			_, err := r.Due(ctx)
			return err
		},
	} {
		p := r.propose("ann", wide, time.Time{})
		if err := end(p); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Proposal(ctx, p.ID); err != nil || got.State != state || got.Digest != p.Digest || got.Reason != p.Reason {
			t.Errorf("the record says %s, %q, %v; want %s", got.State, got.Reason, err, state)
		}
		if _, err := r.RuleSet(ctx, p.Digest); !errors.Is(err, governance.ErrGone) {
			t.Errorf("rules of a proposal that is %s: error = %v, want ErrGone", state, err)
		}
	}
	// What another needs stays: one under way, the version in force, and one before.
	a, b := r.propose("ann", wide, time.Time{}), r.propose("ann", wide, time.Time{})
	r.want(withdraw(a), nil)
	other := r.propose("ann", wider, time.Time{})
	r.want(come(r, r.Office, r.approve(b, "bob")), nil)
	if p, err := r.Proposal(ctx, other.ID); err != nil || p.State != change.Stale {
		t.Fatal(p.State, err)
	}
	_, err := r.RuleSet(ctx, other.Digest)
	r.want(err, governance.ErrGone)
	for _, n := range []int64{1, 2} {
		back, err := r.Back(ctx, n, governance.Draft{Reason: "back", Credential: secret("ann")})
		if n == 2 {
			r.want(err, governance.ErrSame)
			continue
		}
		r.want(err, nil)
		r.want(withdraw(back), nil)
	}
	for _, rs := range []change.RuleSet{first, wide} {
		if kept, err := r.RuleSet(ctx, rs.Digest()); err != nil || kept.Digest() != rs.Digest() {
			t.Errorf("rules of a version: %v", err)
		}
	}
}

// Who writes to the database can have nothing dropped by it, and no objection put off.
func TestWhatIsNotProvenDropsNoRules(t *testing.T) {
	r, ctx := begun(t), t.Context()
	r.want(come(r, r.Office, r.approve(r.propose("ann", ruleSet("govern ann bob eve", ""), time.Time{}), "ann")), nil)
	p := r.propose("ann", ruleSet("govern ann bob eve", "permit permit"), time.Time{})
	if err := r.db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE governance_versions SET body = (SELECT body FROM governance_versions WHERE version = 2) WHERE version = 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Reject(ctx, p.ID, "no", secret("bob"))
	r.want(err, nil)
	_, err = r.RuleSet(ctx, first.Digest())
	r.want(err, nil)
}

func TestProposalsUnderWayAreFew(t *testing.T) {
	r, ctx := begun(t), t.Context()
	v, _, _ := r.Running()
	var err error
	n := 0
	for ; n < 200 && err == nil; n++ {
		_, err = r.Propose(ctx, governance.Draft{Base: v.Digest, Rules: ruleSet("govern ann bob eve", fmt.Sprintf("permit permit %d", n)), Reason: "more"})
	}
	if n--; !errors.Is(err, governance.ErrMany) || n != 32 {
		t.Errorf("after %d proposals: %v, want ErrMany after 32", n, err)
	}
	all, err := r.Proposals(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Reject(ctx, all[0].ID, "no", secret("bob"))
	r.want(err, nil)
	r.propose("ann", ruleSet("govern ann bob eve", "permit permit"), time.Time{})
}
