package governance

import (
	"context"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
)

// Coming is a version that is about to come into force. Event goes on record and Put runs in one transaction, after which the gateway must decide by Rules;
// then [Office.Run] is called with what Made returns.
type Coming struct {
	Rules change.RuleSet
	Event flow.Event

	o        *Office
	proposal change.Proposal
	before   Version
	version  Version
	events   []flow.Event
	checked  Checked
}

// Unfit is why rules that were approved cannot be put in force.
type Unfit struct{ Why error }

// Error implements error.
func (u *Unfit) Error() string { return "the rules cannot be put in force: " + u.Why.Error() }

// Unwrap returns the cause.
func (u *Unfit) Unwrap() error { return u.Why }

// Come prepares a proposal's coming into force. Its rules are built once more; an [Unfit] says why they cannot be.
func (o *Office) Come(ctx context.Context, p change.Proposal, rs change.RuleSet) (*Coming, error) {
	v, _, rules := o.running()
	if p.State != change.Approved || rs.Digest() != p.Digest {
		return nil, change.ErrState
	}
	if v.Digest != p.Base {
		return nil, change.ErrStale
	}
	if err := p.Agreed(rules.Rules); err != nil {
		return nil, err
	}
	c, err := o.opt.Check(ctx, rs)
	if err != nil {
		return nil, &Unfit{err}
	}
	n := Version{
		Version: v.Version + 1, Digest: p.Digest, Proposal: p.ID, By: []string{p.Author}, Reason: p.Reason, Since: o.now(), PolicyHash: c.PolicyHash, ConfigHash: c.ConfigHash,
		Governed: c.Governed,
	}
	for _, a := range p.Approvals {
		n.By = append(n.By, a.By)
	}
	what, text := "active", fmt.Sprintf("version %d of the rules is in force", n.Version)
	if !c.Governed {
		what, text = "ended", text+", and governance ends with it"
	}
	ev := o.event(text, flow.Rules{What: what, Proposal: p.ID, Version: n.Version, Digest: p.Digest.String(), Base: p.Base.String(), By: p.Author})
	ev.PolicyHash, ev.ConfigHash = c.PolicyHash, c.ConfigHash
	return &Coming{Rules: rs, Event: ev, o: o, proposal: p, before: v, version: n, checked: c}, nil
}

// Put makes the version that in force, in the transaction of its event's receipt. Everything is looked at again in it: the proposal as it is kept, who
// approved it by the rules in force, and what is in force. Proposals that were made on the base before are stale from then on.
func (c *Coming) Put(tx store.Tx, rc flow.Receipt) error {
	o := c.o
	_, _, rules := o.running()
	n, err := o.turn(tx)
	if err != nil {
		return err
	}
	if n != c.before.Version {
		return ErrBehind
	}
	p, err := o.keys.proposal(tx, c.proposal.ID)
	switch {
	case err != nil:
		return err
	case p.State != change.Approved || p.Digest != c.version.Digest:
		return change.ErrState
	case p.Base != c.before.Digest:
		return change.ErrStale
	}
	if err := p.Agreed(rules.Rules); err != nil {
		return err
	}
	if err := p.End(change.Active, fmt.Sprintf("it is version %d", c.version.Version)); err != nil {
		return err
	}
	if err := o.keys.putProposal(tx, p); err != nil {
		return err
	}
	c.version.Row, c.version.Reference = rc.Seq, c.Event.Flow.ID
	if err := o.keys.putVersion(tx, c.version); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE governance_state SET version = ? WHERE id = 1", c.version.Version); err != nil {
		return err
	}
	return c.stale(tx)
}

// stale ends the proposals that were made on other rules than those that come.
func (c *Coming) stale(tx store.Tx) error {
	c.events = nil
	open, err := c.o.keys.proposals(tx, false)
	if err != nil {
		return err
	}
	for _, p := range open {
		if p.Base == c.version.Digest && c.version.Governed {
			continue // it was made on the same rules, when they were in force before
		}
		if err := p.End(change.Stale, fmt.Sprintf("version %d came into force first", c.version.Version)); err != nil {
			return err
		}
		ev := c.o.about(p, "stale", "", "a proposal is stale: "+p.Ended)
		if _, err := c.o.opt.Journal.Append(tx, ev, audit.Private{}); err != nil {
			return err
		}
		c.events = append(c.events, ev)
		if err := c.o.keys.putProposal(tx, p); err != nil {
			return err
		}
	}
	if len(c.events) == 0 {
		return nil
	}
	return c.o.keys.dropRules(tx)
}

// Made is called after the transaction: the version is that which the gateway runs.
func (c *Coming) Made() Version {
	c.o.Run(c.version, c.Rules, c.checked)
	c.o.told(c.events...)
	return c.version
}

// Settle ends or reopens a proposal that [Office.Come] refused, if that is what the refusal means; settled says that it was. Other errors are returned.
func (o *Office) Settle(ctx context.Context, p change.Proposal, why error) (settled bool, err error) {
	_, unfit := errors.AsType[*Unfit](why)
	switch {
	case why == nil:
		return false, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case unfit:
		err = o.Fail(ctx, p.ID, why.Error())
	case errors.Is(why, change.ErrMissing):
		err = o.Reopen(ctx, p.ID, why)
	case errors.Is(why, change.ErrStale):
		err = o.settle(ctx, p.ID, "stale", func(p *change.Proposal, _ Checked) error {
			return p.End(change.Stale, "other rules came into force first")
		})
	default:
		return false, why
	}
	return err == nil, err
}

// Verify compares the version that this gateway runs with the entry of the journal that it names. A difference is an [ErrTampered].
func (o *Office) Verify(ctx context.Context) error {
	v, _, _ := o.running()
	if v.Version == 0 {
		return nil
	}
	for e, err := range o.opt.Journal.Entries(ctx, audit.Query{From: v.Row, To: v.Row}) {
		if err != nil {
			return fmt.Errorf("reading the entry of the rules in force: %w", err)
		}
		r := e.Event.Rules
		if e.Seq == v.Row && e.Event.Flow.ID == v.Reference && r != nil && inForceBy(r.What) && r.Version == v.Version && r.Digest == v.Digest.String() {
			return nil
		}
	}
	return fmt.Errorf("%w: entry %d of the log does not say that version %d came into force", ErrTampered, v.Row, v.Version)
}

// VerifyNewest reads the log from the entry of the newest version that is kept, and returns an [ErrTampered] if a later one came into force. It takes as long
// as there are entries. Where nothing is kept there is nothing to compare: [Office.Begin] does.
func (o *Office) VerifyNewest(ctx context.Context) error {
	newest := func() (v Version, err error) {
		err = o.opt.DB.View(ctx, func(tx store.Tx) error {
			n, err := inForce(tx)
			if err == nil && n > 0 {
				v, err = o.keys.version(tx, n)
			}
			return err
		})
		return v, err
	}
	v, err := newest()
	if err != nil || v.Version == 0 {
		return err
	}
	n, err := o.newest(ctx, v.Row)
	if err != nil {
		return err
	}
	if now, err := newest(); err != nil || n > now.Version { // others may have come meanwhile
		return errors.Join(err, fmt.Errorf("%w: the log says that version %d came into force, and version %d is kept", ErrTampered, n, now.Version))
	}
	return nil
}

func inForceBy(what string) bool { return what == "active" || what == "adopted" || what == "ended" }

// newest returns the newest version that the log knows of from a row on, 0 if none.
func (o *Office) newest(ctx context.Context, from int64) (n int64, err error) {
	for e, err := range o.opt.Journal.Entries(ctx, audit.Query{From: from}) {
		if errors.Is(err, audit.ErrPruned) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reading the log: %w", err)
		}
		if r := e.Event.Rules; r != nil && inForceBy(r.What) {
			n = max(n, r.Version)
		}
	}
	return n, nil
}

// Proposal returns a proposal.
func (o *Office) Proposal(ctx context.Context, id string) (p change.Proposal, err error) {
	err = o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
		p, err = o.keys.proposal(tx, id)
		return err
	})
	return p, err
}

// Missing says what approvals a proposal still needs by the rules in force; nil: none.
func (o *Office) Missing(p change.Proposal) error {
	_, _, c := o.running()
	return p.Agreed(c.Rules)
}

// Proposals returns those under way, or the newest thousand that ended; the oldest first.
func (o *Office) Proposals(ctx context.Context, ended bool) (all []change.Proposal, err error) {
	err = o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
		all, err = o.keys.proposals(tx, ended)
		return err
	})
	return all, err
}

// Version returns a version.
func (o *Office) Version(ctx context.Context, n int64) (v Version, err error) {
	err = o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
		v, err = o.keys.version(tx, n)
		return err
	})
	return v, err
}

// History returns the versions, the newest first, at most as many as asked for; 0: a thousand.
func (o *Office) History(ctx context.Context, most int) (all []Version, err error) {
	if most <= 0 || most > mostShown {
		most = mostShown
	}
	err = o.opt.DB.View(ctx, func(tx store.Tx) error {
		n, err := inForce(tx)
		for ; err == nil && n > 0 && len(all) < most; n-- {
			var v Version
			if v, err = o.keys.version(tx, n); err == nil {
				all = append(all, v)
			}
		}
		return err
	})
	return all, err
}

// RuleSet returns the rules of a digest, of a version or of a proposal under way. Those of a proposal that ended without coming into force are an [ErrGone],
// unless another has the same.
func (o *Office) RuleSet(ctx context.Context, d change.Digest) (rs change.RuleSet, err error) {
	var sealed []byte
	err = o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
		sealed, err = rulesOf(tx, d)
		return err
	})
	if err == nil {
		rs, err = o.keys.unseal(d, sealed)
	}
	return rs, err
}

// Approved returns the rules of a proposal that is due. One that somebody ended meanwhile is a [change.ErrState].
func (o *Office) Approved(ctx context.Context, id string) (rs change.RuleSet, err error) {
	var p change.Proposal
	var sealed []byte
	err = o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
		if p, err = o.keys.proposal(tx, id); err == nil && p.State != change.Approved {
			err = change.ErrState
		}
		if err == nil {
			sealed, err = rulesOf(tx, p.Digest)
		}
		return err
	})
	if err == nil {
		rs, err = o.keys.unseal(p.Digest, sealed)
	}
	return rs, err
}
