package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// ruledHouse is a directory with a governed configuration, to which more is added.
func ruledHouse(t *testing.T, more string) (file string, write func(more string)) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "scrim.yaml")
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	sum := func(s string) string { d := sha256.Sum256([]byte(s)); return hex.EncodeToString(d[:]) }
	write = func(more string) {
		t.Helper()
		text := fmt.Sprintf("version: 1\ndomain: own\ndata: ./data\nlisten: 127.0.0.1:0\nagents:\n  - {id: front, domain: own, keys: [{sha256: %s}]}\n  - {id: guest, domain: other, keys: [{sha256: %s}]}\n"+
			"governance:\n  approvers:\n    - {name: ann, sha256: %s}\n    - {name: bob, sha256: %s}\n", sum("a"), sum("b"), sum("secret of ann"), sum("secret of bob")) + more
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(more)
	return file, write
}

func openRuled(t *testing.T, file string) *Gateway {
	t.Helper()
	opt := Options{Store: store.Options{NoSync: true}}
	c, _, err := LoadRuled(t.Context(), file, opt)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(t.Context(), c, opt)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func proposed(t *testing.T, g *Gateway, file string) change.Proposal {
	t.Helper()
	files, err := config.RuleFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	o := g.Governing()
	v, _, _ := o.Running()
	p, err := o.Propose(t.Context(), governance.Draft{Base: v.Digest, Rules: change.RuleSet{Files: files}, Reason: "a test", Credential: flow.NewSecret("secret of ann")})
	if err == nil {
		p, err = o.Approve(t.Context(), p.ID, p.Digest, flow.NewSecret("secret of bob"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// An approver says no while rules are being put in force: what the ledger of budgets was told goes back.
func TestWhatIsNotPutInForceLeavesQuotas(t *testing.T) {
	const datasets = "datasets: {stays: {epsilon: 3, unit: {name: patient}, quotas: [{domain: other, epsilon: %d}]}}\n"
	file, write := ruledHouse(t, fmt.Sprintf(datasets, 1))
	g := openRuled(t, file)
	defer func() { _ = g.Close() }()
	ctx, o := t.Context(), g.Governing()
	quota := func() int64 {
		t.Helper()
		all, err := g.Budgets.Ledger.Remaining(ctx, budget.Scope{Dataset: "stays", Domain: "other"}, budget.Range{})
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		return all[len(all)-1].Plan.Epsilon // the dataset itself comes first
	}
	before := quota()
	write(fmt.Sprintf(datasets, 2))
	p := proposed(t, g, file)
	rs, err := o.RuleSet(ctx, p.Digest)
	if err != nil {
		t.Fatal(err)
	}
	coming, err := o.Come(ctx, p, rs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Reject(ctx, p.ID, "no", flow.NewSecret("secret of ann")); err != nil {
		t.Fatal(err)
	}
	next, err := ruledBy(g.Config(), rs)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	err = g.adopt(ctx, next, "test", coming)
	g.mu.Unlock()
	if !errors.Is(err, change.ErrState) || quota() != before {
		t.Errorf("adopt: %v; the quota is %d, want %d", err, quota(), before)
	}
}

// Where the store was not held all the time, a gateway does not say that it decides by rules by which it does not.
func TestStartWithRulesOfBeforeIsRefused(t *testing.T) {
	file, write := ruledHouse(t, "")
	g := openRuled(t, file)
	old := g.Config()
	write("limits: {body: 1000000}\n")
	proposed(t, g, file)
	if err := g.ApplyRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	opt := Options{Store: store.Options{NoSync: true}}
	g, err := open(t.Context(), old, opt, nil, func(c *config.Config) (*gateway.Snapshot, error) { return Snapshot(c, opt.Models) })
	if !errors.Is(err, errMeanwhile) {
		t.Errorf("open by version 1 while 2 is in force: %v", err)
	}
	if err == nil {
		_ = g.Close()
	}
}

// What may be agreed on without a person, how long anything is kept: on a stopped gateway, too, the rules in force say it and not the file on disk.
func TestStateOfAStoppedGatewayIsOpenedByTheRulesInForce(t *testing.T) {
	file, write := ruledHouse(t, "")
	if err := openRuled(t, file).Close(); err != nil {
		t.Fatal(err)
	}
	write("terms: {rate: 7}\n")
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	st, err := OpenState(t.Context(), c, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	if got := st.bounds.Load().Rate; got == 7 || c.Terms.Rate != 7 {
		t.Errorf("the state is opened with a rate of %d, which nobody approved", got)
	}
}

func TestNobodyLearnsByThemselvesWhereRulesAreApproved(t *testing.T) {
	file, _ := ruledHouse(t, "")
	opt := Options{Store: store.Options{NoSync: true}, Governed: true}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), c, opt); !errors.Is(err, ErrUngoverned) {
		t.Errorf("a start by rules in force alone, where there are none: %v", err)
	}
	if err := openRuled(t, file).Close(); err != nil {
		t.Fatal(err)
	}
	opt.Learn = true
	if _, err := Open(t.Context(), c, opt); !errors.Is(err, ErrLearnGoverned) {
		t.Errorf("learn mode by a flag: %v", err)
	}
}

// Somebody who can write to the database deletes the newest version and puts the one before in its place. Rows that are left prove themselves; the
// log knows better.
func TestRulesThatWerePutBackAreNotStarted(t *testing.T) {
	file, write := ruledHouse(t, "")
	g := openRuled(t, file)
	write("limits: {body: 1000000}\n")
	proposed(t, g, file)
	ctx := context.Background()
	if err := g.ApplyRules(ctx); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"DELETE FROM governance_versions WHERE version = 2", "UPDATE governance_state SET version = 1"} {
		if err := g.DB.Update(ctx, func(tx store.Tx) error { _, err := tx.Exec(statement); return err }); err != nil {
			t.Fatal(err)
		}
	}
	g.ruling.searching = true // a log that was too long to be searched at the start
	admin, err := g.Admin()
	if err != nil {
		t.Fatal(err)
	}
	g.config.Load().Admin = "127.0.0.1:0"
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, admin, nil) }()
	select {
	case err := <-ended:
		if !errors.Is(err, governance.ErrTampered) {
			t.Errorf("the gateway ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the gateway goes on by rules that somebody put back")
	}
	opt := Options{Store: store.Options{NoSync: true}}
	c, _, err := LoadRuled(ctx, file, opt)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := Open(ctx, c, opt); !errors.Is(err, governance.ErrTampered) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("the gateway starts by version 1: %v", err)
		if err == nil {
			_ = g.Close()
		}
	}
}

// cutOff is a database that is away for a while.
type cutOff struct {
	store.DB
	err error
}

func (c *cutOff) Update(ctx context.Context, fn func(store.Tx) error) error {
	if c.err != nil {
		return c.err
	}
	return c.DB.Update(ctx, fn)
}

func (c *cutOff) View(ctx context.Context, fn func(store.Tx) error) error {
	if c.err != nil {
		return c.err
	}
	return c.DB.View(ctx, fn)
}

// A database that is away, or a time that is up, is not the fault of what people approved: it comes into force when that is over.
func TestFaultThatPassesLeavesAProposalApproved(t *testing.T) {
	const settings = "datasets: {stays: {epsilon: 3, unit: {name: patient}, quotas: [{domain: other, epsilon: %d}]}}\ncontracts: [claims.yaml]\nlineage: {datasets: [{namespace: lake, name: claims, dataset: claims}]}\n"
	file, write := ruledHouse(t, fmt.Sprintf(settings, 1))
	contract := "apiVersion: v3.1.0\nkind: DataContract\nid: claims\nversion: 1.0.0\nstatus: active\nschema: [{name: claims, properties: [{name: dx, tags: ['label:health/diagnosis']}]}]\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "claims.yaml"), []byte(contract), 0o600); err != nil {
		t.Fatal(err)
	}
	g := openRuled(t, file)
	defer func() { _ = g.Close() }()
	ctx, o := t.Context(), g.Governing()
	budgets := &cutOff{DB: storetest.Open(t, budget.Schema())}
	other, err := budget.Open(ctx, budgets, budget.Options{Writer: "test", Signer: g.Keys.Signer("budget"), Seal: g.Keys.AEAD("budget")})
	if err != nil {
		t.Fatal(err)
	}
	graph := &cutOff{DB: g.DB}
	own := g.Budgets.Ledger
	g.Budgets.Ledger, g.Lineage = other, lineage.New(graph, lineage.Options{})
	defer func() {
		g.Budgets.Ledger = own
		if err := other.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for i, c := range []struct {
		name string
		db   *cutOff
		err  error
	}{
		{"budgets cannot be reached", budgets, errors.New("connection refused")},
		{"the time for budgets is up", budgets, context.DeadlineExceeded},
		{"the graph cannot be reached", graph, errors.New("connection refused")},
	} {
		write(fmt.Sprintf(settings, i+2))
		p := proposed(t, g, file)
		before, _, _ := o.Running()
		c.db.err = c.err
		for range 2 {
			if err := g.ApplyRules(ctx); !errors.Is(err, c.err) || !strings.Contains(err.Error(), p.ID) {
				t.Errorf("%s: error = %v", c.name, err)
			}
			kept, err := o.Proposal(ctx, p.ID)
			now, _, _ := o.Running()
			if err != nil || kept.State != change.Approved || now.Version != before.Version {
				t.Fatalf("%s: it is %s (%s) and version %d is in force, %v", c.name, kept.State, kept.Ended, now.Version, err)
			}
		}
		s, err := g.APIRules().Status(ctx)
		if err != nil || len(s.Waiting) != 1 || s.Waiting[0].Proposal != p.ID || s.Waiting[0].Restart || !strings.Contains(s.Waiting[0].Why, c.err.Error()) {
			t.Errorf("%s: the status says %+v, %v", c.name, s.Waiting, err)
		}
		c.db.err = nil
		if err := g.ApplyRules(ctx); err != nil {
			t.Fatalf("%s, and is over: %v", c.name, err)
		}
		kept, err := o.Proposal(ctx, p.ID)
		if s, wrong := g.APIRules().Status(ctx); err != nil || wrong != nil || kept.State != change.Active || len(s.Waiting) != 0 {
			t.Errorf("%s, and is over: it is %s (%s), %+v waits, %v", c.name, kept.State, kept.Ended, s.Waiting, errors.Join(err, wrong))
		}
	}
}

// What is wrong with the rules themselves ends a proposal, wherever it is found.
func TestFaultOfTheRulesEndsAProposal(t *testing.T) {
	const datasets = "datasets: {stays: {epsilon: 3, unit: {name: %s}}}\n"
	file, write := ruledHouse(t, fmt.Sprintf(datasets, "patient"))
	g := openRuled(t, file)
	defer func() { _ = g.Close() }()
	fails := func(name, why string) {
		t.Helper()
		p := proposed(t, g, file)
		if err := g.ApplyRules(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p, err := g.Governing().Proposal(t.Context(), p.ID)
		if err != nil || p.State != change.Failed || !strings.Contains(p.Ended, why) {
			t.Errorf("%s: it is %s (%s), %v", name, p.State, p.Ended, err)
		}
	}
	write(fmt.Sprintf(datasets, "visit"))
	fails("a budget that was declared otherwise", budget.ErrDeclared.Error())
	write(fmt.Sprintf(datasets, "patient") + "limits: {body: 1000000}\n")
	build := g.build
	g.build = func(*config.Config) (*gateway.Snapshot, error) { return nil, errors.New("nothing can be made of it") }
	fails("what cannot be built", "nothing can be made of it")
	g.build = build
}

func TestFaultsAreTriedAgainLessAndLess(t *testing.T) {
	var all []int
	skip := 0
	for range 6 {
		skip = afterFault(skip)
		all = append(all, skip)
	}
	if got := fmt.Sprint(all); got != "[1 3 7 11 11 11]" {
		t.Errorf("looks that are left out after each fault: %s", got)
	}
}
