package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

// seedName is that of the key by which what is kept of the rules is proven.
const seedName = "gateway/governance"

var (
	errBegin      = errors.New("governance begins when the gateway is started with it; restart it")
	errLooseFiles = errors.New("the rule set has files that nothing in it refers to")
	errTests      = errors.New("policy tests of the rule set fail")
	errMeanwhile  = errors.New("other rules came into force while the gateway started; start it again")
)

// ErrUngoverned is the error of a gateway that is to run by a version of the rules alone, where none is in force.
var ErrUngoverned = errors.New("no version of the rules is in force")

// InForce returns the configuration by which a gateway runs where c says that its state lies: that of the version in force, and whatever the file on disk
// says. Ruled is false where none is: then c is returned, and if it has governance, as one rule set that no later change on disk gets into. Proposals that
// were approved and whose date has come are put in force first. Of c, where its state lies is needed alone: see [config.LoadPlace].
func InForce(ctx context.Context, c *config.Config, opt Options) (_ *config.Config, ruled bool, err error) {
	return inForce(ctx, c, opt, true)
}

// inForce is InForce, and puts in force what is due only if apply says so: where secrets may be missing that the gateway has, it could not be built.
func inForce(ctx context.Context, c *config.Config, opt Options, apply bool) (_ *config.Config, ruled bool, err error) {
	for {
		k, err := kept(ctx, c, opt)
		if err != nil {
			return nil, false, err
		}
		if !k.ruled {
			c, err = whole(c)
			return c, false, err
		}
		next, err := ruledBy(c, k.rules)
		if err != nil {
			return nil, true, fmt.Errorf("version %d of the rules, which is in force: %w", k.version.Version, err)
		}
		if !k.due || !apply {
			return next, true, nil
		}
		more, err := applyDue(ctx, next, opt)
		if err != nil {
			return nil, true, err
		}
		if !more {
			return next, true, nil
		}
	}
}

// keptRules is what a store says of the rules before it is opened for work.
type keptRules struct {
	version governance.Version
	rules   change.RuleSet
	ruled   bool
	due     bool // something may have to be put in force
}

func kept(ctx context.Context, c *config.Config, opt Options) (k keptRules, err error) {
	if c.Store.Postgres == nil {
		if _, err := os.Stat(c.Path(c.Data)); errors.Is(err, os.ErrNotExist) {
			return k, nil
		}
	}
	if err := os.MkdirAll(c.Path(c.Data), 0o700); err != nil {
		return k, fmt.Errorf("making the data directory: %w", err)
	}
	db, err := openDB(ctx, c, opt.Store)
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begun, err := governance.Begun(ctx, db)
	if err != nil || !begun {
		return k, err
	}
	keys, err := Keyring(ctx, c)
	if err != nil {
		return k, err
	}
	k.version, k.rules, k.ruled, err = governance.InForce(ctx, db, keys.Seed(seedName))
	if k.ruled = k.ruled && k.version.Governed; err == nil && k.ruled {
		k.due, err = governance.Waiting(ctx, db)
	}
	return k, err
}

// ruledBy loads rules at the place of another configuration.
func ruledBy(place *config.Config, rs change.RuleSet) (*config.Config, error) {
	next, err := config.LoadOver(place.File(), rs.Files)
	if err != nil {
		return nil, err
	}
	return next.At(place)
}

// whole returns a configuration with governance as one that is read from memory alone.
func whole(c *config.Config) (*config.Config, error) {
	if !c.Governance.On() {
		return c, nil
	}
	files, err := c.RuleFiles()
	if err != nil {
		return nil, err
	}
	return ruledBy(c, change.RuleSet{Files: files})
}

// applyDue puts in force what is due while no gateway runs, and reports whether anything was.
func applyDue(ctx context.Context, c *config.Config, opt Options) (more bool, err error) {
	st, err := OpenState(ctx, c, opt.Store)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	o, err := st.office(ctx, c, func(next *config.Config) (*gateway.Snapshot, error) { return Snapshot(next, opt.Models) }, nil)
	if err != nil {
		return false, err
	}
	return st.Apply(ctx, o)
}

// Rules is who takes proposals for a state, with the version in force running; c is the configuration that it was opened by.
func (st *State) Rules(ctx context.Context, c *config.Config, m Models) (*governance.Office, error) {
	return st.office(ctx, c, func(next *config.Config) (*gateway.Snapshot, error) { return Offline(next, m) }, nil)
}

func (st *State) office(ctx context.Context, c *config.Config, build func(*config.Config) (*gateway.Snapshot, error), event func(flow.Event)) (*governance.Office, error) {
	r := &rulebook{place: c, build: build}
	o, err := governance.New(governance.Options{
		DB: st.DB, Journal: st.Log, Seed: st.Keys.Seed(seedName), Domain: c.Domain, FlowID: gateway.NewFlowID, Check: r.check, Reveals: r.reveals, Fixed: r.fixed, Event: event,
	})
	if err != nil {
		return nil, err
	}
	v, rs, ok, err := governance.InForce(ctx, st.DB, st.Keys.Seed(seedName))
	if err != nil || !ok || !v.Governed {
		return o, err
	}
	next, err := ruledBy(c, rs)
	if err != nil {
		return nil, fmt.Errorf("version %d of the rules, which is in force: %w", v.Version, err)
	}
	o.Run(v, rs, governance.Checked{Rules: next.ChangeRules(), Governed: true, PolicyHash: v.PolicyHash, ConfigHash: v.ConfigHash})
	return o, o.Verify(ctx)
}

// Apply puts in force what is due while no gateway runs, in order, and reports whether anything was.
func (st *State) Apply(ctx context.Context, o *governance.Office) (any bool, err error) {
	for {
		due, err := o.Due(ctx)
		if err != nil || len(due) == 0 {
			return any, err
		}
		if err := st.apply(ctx, o, due[0]); err != nil {
			return any, err
		}
		any = true
	}
}

func (st *State) apply(ctx context.Context, o *governance.Office, p change.Proposal) error {
	rs, err := o.Approved(ctx, p.ID)
	if errors.Is(err, change.ErrState) {
		return nil // somebody ended it meanwhile
	}
	if err != nil {
		return err
	}
	next, err := o.Come(ctx, p, rs)
	if settled, err := o.Settle(ctx, p, err); settled || err != nil {
		return err
	}
	err = st.DB.Update(ctx, func(tx store.Tx) error {
		rc, err := st.Log.Append(tx, next.Event, audit.Private{})
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

// RuledBy returns the configuration by which a stopped gateway would decide: that of the version in force, at the place of c, or c itself if there is none.
func (st *State) RuledBy(ctx context.Context, c *config.Config) (*config.Config, error) {
	begun, err := governance.Begun(ctx, st.DB)
	if err != nil || !begun {
		return c, err
	}
	v, rs, ok, err := governance.InForce(ctx, st.DB, st.Keys.Seed(seedName))
	if err != nil || !ok || !v.Governed {
		return c, err
	}
	return ruledBy(c, rs)
}

// rulebook says what becomes of rule sets at the place of a configuration.
type rulebook struct {
	place *config.Config
	build func(*config.Config) (*gateway.Snapshot, error)
}

func (r *rulebook) check(_ context.Context, rs change.RuleSet) (governance.Checked, error) {
	c, err := ruledBy(r.place, rs)
	if err != nil {
		return governance.Checked{}, err
	}
	if files, err := c.RuleFiles(); err != nil || (change.RuleSet{Files: files}).Digest() != rs.Digest() {
		return governance.Checked{}, errors.Join(err, errLooseFiles)
	}
	snap, err := r.build(c)
	if err != nil {
		return governance.Checked{}, err
	}
	if _, err := streamPlans(c); err != nil {
		return governance.Checked{}, err
	}
	results, err := policy.RunTests(snap.Policy, c.PolicyFS())
	if err != nil {
		return governance.Checked{}, err
	}
	var bad []string
	for _, t := range results {
		if !t.Passed {
			bad = append(bad, t.Failure)
		}
	}
	if len(bad) > 0 {
		return governance.Checked{}, fmt.Errorf("%w: %s", errTests, strings.Join(bad, "; "))
	}
	return governance.Checked{Rules: c.ChangeRules(), Governed: c.Governance.On(), PolicyHash: snap.Policy.Hash(), ConfigHash: snap.ConfigHash}, nil
}

func (r *rulebook) fixed(old, now change.RuleSet) error {
	a, err := ruledBy(r.place, old)
	if err != nil {
		return err
	}
	b, err := ruledBy(r.place, now)
	if err != nil {
		return err
	}
	return fixed(a, b)
}

// ruling is how the rules of a running gateway change.
type ruling struct {
	office  *governance.Office
	waiting []api.WaitingRules // guarded by the gateway's mu

	searching bool       // the log was not searched to its end yet for rules that came into force later
	ends      chan error // why the gateway has to end; room for one

	drifting sync.Mutex
	drift    Drift // guarded by drifting
}

// openRules makes the office of a gateway that was opened by c, and begins governance where c has it and none is.
func (r *Gateway) openRules(ctx context.Context, c *config.Config, snap *gateway.Snapshot) error {
	o, err := r.office(ctx, c, func(next *config.Config) (*gateway.Snapshot, error) {
		return Snapshot(next, r.opt.Models)
	}, r.metrics.Event)
	if err != nil {
		return err
	}
	r.ruling.office = o
	if v, _, ok := o.Running(); ok { // the store was not open all the time since its rules were read
		files, err := c.RuleFiles()
		if err != nil {
			return err
		}
		if v.Digest != (change.RuleSet{Files: files}).Digest() {
			return errMeanwhile
		}
	} else if c.Governance.On() {
		files, err := c.RuleFiles()
		if err != nil {
			return err
		}
		v, err := o.Begin(ctx, change.RuleSet{Files: files}, governance.Checked{Rules: c.ChangeRules(), Governed: true, PolicyHash: snap.Policy.Hash(), ConfigHash: snap.ConfigHash})
		if err != nil {
			return err
		}
		r.log.Warn("governance begins: what lies on disk is adopted, and changes by proposal from now on", "version", v.Version, "digest", v.Digest.String())
	}
	looking, done := context.WithTimeout(ctx, searchTime)
	defer done()
	switch err := o.VerifyNewest(looking); {
	case errors.Is(err, governance.ErrTampered): // rules of before, that somebody put back
		return err
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		r.ruling.searching = true
	}
	r.metrics.Gauge("scrim_rules_version", "Version of the rules in force; 0: they are what lies on disk.", func() float64 {
		v, _, _ := o.Running()
		return float64(v.Version)
	})
	r.metrics.Gauge("scrim_rules_drift", "Files on disk that differ from the rules in force; -1: those on disk cannot be read.", func() float64 { return r.Drift().gauge() })
	r.metrics.Gauge("scrim_rules_open", "Proposals of other rules that are under way.", func() float64 {
		all, _ := o.Proposals(context.Background(), false) // an error shows elsewhere
		return float64(len(all))
	})
	r.metrics.Gauge("scrim_reviews_due", "Policies, budgets and contracts that somebody should look at again.", func() float64 { return float64(len(r.reviewsDue(context.Background()))) })
	r.look()
	return nil
}

// Governing is who takes proposals for a running gateway.
func (r *Gateway) Governing() *governance.Office { return r.ruling.office }

// ruled reports whether rules change by proposal alone.
func (r *Gateway) ruled() bool {
	v, _, ok := r.ruling.office.Running()
	return ok && v.Governed
}

// next returns the configuration that is to be in force now. With governance it is that of the version in force, which another gateway on the same
// database may have put there; what lies on disk is only compared with it.
func (r *Gateway) next(ctx context.Context, old *config.Config) (next *config.Config, done func(), err error) {
	if !r.ruled() {
		if next, err = config.Load(old.File()); err == nil && next.Governance.On() {
			err = errBegin
		}
		return next, func() {}, err
	}
	r.lookHeld(old)
	v, rs, ok, err := governance.InForce(ctx, r.DB, r.Keys.Seed(seedName))
	switch {
	case err != nil:
		return nil, nil, err
	case !ok || !v.Governed:
		return nil, nil, governance.ErrBehind
	}
	if next, err = ruledBy(old, rs); err != nil {
		return nil, nil, err
	}
	return next, func() {
		r.ruling.office.Run(v, rs, governance.Checked{Rules: next.ChangeRules(), Governed: true, PolicyHash: v.PolicyHash, ConfigHash: v.ConfigHash})
	}, nil
}

// searchTime is for how long a start waits until the log was searched for rules that came into force after those that are kept. A longer log is searched
// while the gateway runs, which ends if any are found.
const searchTime = 2 * time.Second

// ruleTime is how often proposals are looked at whose date may have come.
const ruleTime = 10 * time.Second

// tend puts proposals in force when they are due, and compares what lies on disk, until ctx is done.
func (r *Gateway) tend(ctx context.Context) {
	tick := time.NewTicker(ruleTime)
	defer tick.Stop()
	if r.ruling.searching {
		if err := r.ruling.office.VerifyNewest(ctx); err != nil && ctx.Err() == nil {
			r.fault(err)
			if errors.Is(err, governance.ErrTampered) {
				r.ruling.ends <- err
				return
			}
		}
	}
	for n, skip, left := 0, 0, 0; ; n++ {
		if left > 0 {
			left--
		} else if err := r.ApplyRules(ctx); err == nil {
			skip = 0
		} else if ctx.Err() == nil {
			r.fault(err)
			skip = afterFault(skip)
			left = skip
		}
		if n%6 == 0 {
			r.look()
		}
		if n%8640 == 0 { // each day
			r.remind(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// afterFault is how many looks at what is due are left out after one more fault: up to two minutes. Whoever approves something has all of it tried at once.
func afterFault(skip int) int { return min(2*skip+1, 11) }

// ApplyRules puts in force what is due. Rules in which something is wrong end, with the reason on the log, and the rules before stay; what needs a restart waits
// for it. After any other fault the proposal stays approved, and nothing that comes after it is put in force before it.
func (r *Gateway) ApplyRules(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var waits []api.WaitingRules
	among := func(all []api.WaitingRules, id string) bool {
		return slices.ContainsFunc(all, func(w api.WaitingRules) bool { return w.Proposal == id })
	}
	for {
		due, err := r.ruling.office.Due(ctx)
		if err != nil {
			return err
		}
		due = slices.DeleteFunc(due, func(p change.Proposal) bool { return among(waits, p.ID) })
		if len(due) == 0 {
			r.ruling.waiting = waits
			return nil
		}
		id := due[0].ID
		waited, err := r.applyHeld(ctx, due[0])
		if err != nil {
			r.ruling.waiting = append(waits, api.WaitingRules{Proposal: id, Why: err.Error()})
			return fmt.Errorf("proposal %s is not in force yet; it stays approved, and is tried again: %w", id, err)
		}
		if waited != nil {
			waits = append(waits, api.WaitingRules{Proposal: id, Why: waited.Error(), Restart: true})
			if !among(r.ruling.waiting, id) {
				r.log.Warn("rules that were approved wait for a restart of the gateway", "proposal", id, "why", waited)
			}
		}
	}
}

// waitingRules are the proposals that were due when it was last looked, and did not come into force.
func (r *Gateway) waitingRules() []api.WaitingRules {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ruling.waiting)
}

// wrongRules is what is wrong with rules themselves: to try them again does not help.
type wrongRules struct{ error }

func (w wrongRules) Unwrap() error { return w.error }

// wrongBudgets marks an error of declaring budgets that their rules are to blame for, and not what keeps the ledger.
func wrongBudgets(err error) error {
	for _, rule := range []error{budget.ErrPlan, budget.ErrUnit, budget.ErrBlocks, budget.ErrRefresh, budget.ErrScope, budget.ErrAmount, budget.ErrDeclared} {
		if errors.Is(err, rule) {
			return wrongRules{err}
		}
	}
	return err
}

// applyHeld puts one proposal in force, or returns why it waits for a restart.
func (r *Gateway) applyHeld(ctx context.Context, p change.Proposal) (waits, err error) {
	o, old := r.ruling.office, r.config.Load()
	rs, err := o.Approved(ctx, p.ID)
	if errors.Is(err, change.ErrState) {
		return nil, nil // somebody ended it meanwhile
	}
	if err != nil {
		return nil, err
	}
	coming, err := o.Come(ctx, p, rs)
	if settled, err := o.Settle(ctx, p, err); settled || err != nil {
		return nil, err
	}
	next, err := ruledBy(old, rs)
	if err != nil {
		err = wrongRules{err}
	} else {
		if waits := fixed(old, next); waits != nil {
			return waits, nil
		}
		err = r.adopt(ctx, next, "proposal "+p.ID, coming)
	}
	if errors.Is(err, change.ErrState) {
		return nil, nil // as above
	}
	if _, wrong := errors.AsType[wrongRules](err); err != nil && (!wrong || ctx.Err() != nil) {
		return nil, err // it is not the proposal's fault
	}
	if err != nil {
		r.log.Error("rules that were approved cannot be put in force; those before stay", "proposal", p.ID, "error", err)
		return nil, o.Fail(ctx, p.ID, err.Error())
	}
	v := coming.Made()
	r.lookHeld(next)
	r.log.Info("rules in force", "version", v.Version, "digest", v.Digest.String(), "proposal", p.ID)
	return nil, nil
}

// LoadRuled reads the configuration at a file as [config.Load] does. If there are rules in force where it says that state lies, it returns those instead,
// even if the rest of the file is wrong, and ruled is true. What is due is put in force by [Open].
func LoadRuled(ctx context.Context, file string, opt Options) (c *config.Config, ruled bool, err error) {
	c, wrong := config.Load(file)
	if wrong != nil {
		if c, err = config.LoadPlace(file); err != nil {
			return nil, false, wrong // which says more
		}
	}
	next, ruled, err := inForce(ctx, c, opt, false)
	switch {
	case err != nil && (wrong == nil || ruled):
		return nil, ruled, err
	case wrong != nil && !ruled:
		return nil, false, wrong
	}
	return next, ruled, nil
}
