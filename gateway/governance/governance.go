// Package governance keeps the rules that decide as versions: which is in force, what is proposed in its place, who agreed.
//
// Every step is one transaction: the state of a proposal and the entry of the log that says so. Steps follow each other, however many gateways share the
// database. Who could write to the database alone brings nothing into force: rows carry proofs, rule sets are sealed under their digest, and the version
// in force is the one that its entry of the journal names. What is decided here is package policy/change; docs/spec/governance.md tells the story.
package governance

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is what is kept of versions and proposals.
func Schema() store.Schema { return store.Schema{Name: "gateway/governance", FS: migrations} }

// Errors a caller may act on, beside those of package change.
var (
	ErrProposal = errors.New("there is no such proposal")
	ErrVersion  = errors.New("there is no such version")
	ErrTampered = errors.New("what is kept of the rules was changed by somebody else; nothing of it is put in force")
	ErrBehind   = errors.New("another gateway put other rules in force; reload this one")
	ErrMany     = errors.New("too many proposals are under way; withdraw or reject some")
	ErrSame     = errors.New("the rules that are proposed are those in force")
	ErrReason   = errors.New("a reason of at most 500 printable characters is needed")
	ErrNone     = errors.New("no rules are in force yet; governance begins when a gateway is started with it")
	ErrBegun    = errors.New("governance has begun already")
	ErrDate     = errors.New("the effective date is more than a year away")
	ErrGone     = errors.New("the rule set is not there")
	ErrAuthor   = errors.New("a proposal is withdrawn by its author, or by the operator if the operator made it")
)

const (
	mostOpen  = 32 // proposals under way: each has up to 32 MiB of rules
	mostShown = 1000
	mostText  = 500 // of a reason, in bytes
	farthest  = 366 * 24 * time.Hour
)

// Journal is the part of the evidence that is written and read here.
type Journal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
	Entries(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error]
}

// Checked is what is known of a rule set that could be put in force.
type Checked struct {
	Rules      change.Rules // who must agree while it is in force
	Governed   bool         // it has a governance section; false: governance would end with it
	PolicyHash string       // as events would have it
	ConfigHash string
}

// Options of an office. All but Reveals, Fixed, Clock and Event are needed.
type Options struct {
	DB      store.DB
	Journal Journal
	Seed    [32]byte // that of the keyring under the name of this package's schema
	Domain  flow.DomainID
	FlowID  func() flow.ID

	// Check builds what would decide by a rule set, and throws it away. Its error is told to whoever proposes: it names places, never values.
	Check func(ctx context.Context, rs change.RuleSet) (Checked, error)
	// Reveals reports whether a set may reveal more than another, and why it says so; nil: every one may.
	Reveals func(ctx context.Context, old, now change.RuleSet) (bool, []string)
	// Fixed says what of a set cannot come into force while a gateway runs by another; nil: everything can.
	Fixed func(old, now change.RuleSet) error

	Clock func() time.Time // nil: time.Now
	Event func(flow.Event) // what was recorded, for metrics; nil: nobody is told
}

// Office takes proposals, approvals and objections. It is safe for concurrent use.
type Office struct {
	opt  Options
	keys keys

	mu      sync.Mutex // guards the fields below
	version Version    // that this gateway runs; zero: none
	rules   change.RuleSet
	checked Checked
}

// New returns an office. Nothing is in force for it before [Office.Begin] or [Office.Run].
func New(opt Options) (*Office, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	k, err := newKeys(opt.Seed)
	if err != nil {
		return nil, err
	}
	return &Office{opt: opt, keys: k}, nil
}

func (o *Office) now() time.Time { return o.opt.Clock().UTC() }

// Running returns the version that this gateway runs and its rules; ok is false if none is.
func (o *Office) Running() (v Version, rs change.RuleSet, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.version, o.rules, o.version.Version > 0
}

func (o *Office) running() (Version, change.RuleSet, Checked) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.version, o.rules, o.checked
}

// Run says which version this gateway runs from now on. It is one that [InForce] returned, or [Office.Put] or [Office.Begin] made.
func (o *Office) Run(v Version, rs change.RuleSet, c Checked) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version, o.rules, o.checked = v, rs, c
}

// Begin puts the first version in force, or the first after governance had ended: what lies on disk. It is an [ErrBegun] where one is in force, and an
// [ErrTampered] where the log knows of one that is not kept any more.
func (o *Office) Begin(ctx context.Context, rs change.RuleSet, c Checked) (Version, error) {
	if err := rs.Check(); err != nil {
		return Version{}, err
	}
	known, err := o.newest(ctx, 0)
	if err != nil {
		return Version{}, err
	}
	sealed, err := o.keys.seal(rs)
	if err != nil {
		return Version{}, err
	}
	v := Version{Digest: rs.Digest(), By: []string{change.Operator}, Since: o.now(), PolicyHash: c.PolicyHash, ConfigHash: c.ConfigHash, Governed: true}
	var ev flow.Event
	err = o.opt.DB.Update(ctx, func(tx store.Tx) error {
		n, err := o.turn(tx)
		if err != nil {
			return err
		}
		if n != known {
			return ErrTampered
		}
		if n > 0 {
			if last, err := o.keys.version(tx, n); err != nil || last.Governed {
				return errors.Join(err, ErrBegun)
			}
		}
		v.Version = n + 1
		if err := putRules(tx, v.Digest, sealed); err != nil {
			return err
		}
		ev = o.event("rules on disk are adopted as version "+fmt.Sprint(v.Version), flow.Rules{What: "adopted", Version: v.Version, Digest: v.Digest.String(), By: change.Operator})
		ev.PolicyHash, ev.ConfigHash = c.PolicyHash, c.ConfigHash
		return o.put(tx, &v, &ev)
	})
	if err != nil {
		return Version{}, fmt.Errorf("beginning governance: %w", err)
	}
	o.told(ev)
	o.Run(v, rs, c)
	return v, nil
}

// turn counts a step, so that no other is taken meanwhile, and returns the version in force.
func (o *Office) turn(tx store.Tx) (version int64, err error) {
	err = tx.QueryRow("INSERT INTO governance_state (id, turn, version) VALUES (1, 1, 0) ON CONFLICT (id) DO UPDATE SET turn = governance_state.turn + 1 RETURNING version").Scan(&version)
	return version, err
}

// put makes a version that in force, and writes its entry.
func (o *Office) put(tx store.Tx, v *Version, ev *flow.Event) error {
	rc, err := o.opt.Journal.Append(tx, *ev, audit.Private{})
	if err != nil {
		return err
	}
	v.Row, v.Reference = rc.Seq, ev.Flow.ID
	if err := o.keys.putVersion(tx, *v); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE governance_state SET version = ? WHERE id = 1", v.Version)
	return err
}

// step takes one step with the version that this gateway runs in force.
func (o *Office) step(ctx context.Context, what string, fn func(tx store.Tx, v Version, c Checked) ([]flow.Event, error)) error {
	v, _, c := o.running()
	if v.Version == 0 || !v.Governed {
		return ErrNone
	}
	var events []flow.Event
	err := o.opt.DB.Update(ctx, func(tx store.Tx) error {
		events = nil
		n, err := o.turn(tx)
		if err != nil {
			return err
		}
		if n != v.Version {
			return ErrBehind
		}
		if events, err = fn(tx, v, c); err != nil {
			return err
		}
		for _, ev := range events {
			if _, err := o.opt.Journal.Append(tx, ev, audit.Private{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	o.told(events...)
	return nil
}

func (o *Office) told(events ...flow.Event) {
	if o.opt.Event == nil {
		return
	}
	for _, ev := range events {
		o.opt.Event(ev)
	}
}

func (o *Office) event(reason string, r flow.Rules) flow.Event {
	own := flow.Party{Domain: o.opt.Domain}
	return flow.Event{
		Time: o.now(), Outcome: flow.Changed, Reason: reason, Rules: &r,
		Flow: flow.Flow{ID: o.opt.FlowID(), From: own, To: own, Protocol: "admin", Method: "rules"},
	}
}

// about is the event of a step of a proposal.
func (o *Office) about(p change.Proposal, what, by, reason string) flow.Event {
	return o.event(reason, flow.Rules{What: what, Proposal: p.ID, Version: p.Back, Digest: p.Digest.String(), Base: p.Base.String(), By: by})
}

// Draft is what somebody proposes.
type Draft struct {
	Base       change.Digest // in force, as the author saw it
	Rules      change.RuleSet
	Reason     string
	Effective  time.Time // zero: as soon as it is approved
	Credential flow.Secret

	back int64
	who  whoever // nil: whoever has the credential
}

// by is who proposes.
func (d *Draft) by() whoever {
	if d.who != nil {
		return d.who
	}
	return holder(d.Credential)
}

// Propose puts a proposal on record. Its rules were built by then, so that what is approved can be put in force; its base must be what is in force.
func (o *Office) Propose(ctx context.Context, d Draft) (change.Proposal, error) {
	p, err := o.Look(ctx, d)
	if err != nil {
		return change.Proposal{}, err
	}
	p.ID = strings.ToLower(rand.Text())
	sealed, err := o.keys.seal(d.Rules)
	if err != nil {
		return change.Proposal{}, err
	}
	err = o.step(ctx, "proposing", func(tx store.Tx, v Version, _ Checked) ([]flow.Event, error) {
		if v.Digest != p.Base {
			return nil, change.ErrStale
		}
		var open int64
		if err := tx.QueryRow("SELECT count(*) FROM governance_proposals WHERE ended = 0").Scan(&open); err != nil {
			return nil, err
		}
		if open >= mostOpen {
			return nil, ErrMany
		}
		if err := putRules(tx, p.Digest, sealed); err != nil {
			return nil, err
		}
		text := "other rules are proposed: " + p.Reason
		if p.Back > 0 {
			text = fmt.Sprintf("to go back to version %d is proposed: %s", p.Back, p.Reason)
		}
		return []flow.Event{o.about(p, "proposed", p.Author, text)}, o.keys.putProposal(tx, p)
	})
	if err != nil {
		return change.Proposal{}, err
	}
	return p, nil
}

// Look returns what a draft would be as a proposal, and keeps nothing.
func (o *Office) Look(ctx context.Context, d Draft) (change.Proposal, error) {
	v, rs, c := o.running()
	if v.Version == 0 || !v.Governed {
		return change.Proposal{}, ErrNone
	}
	who, err := d.by()(c.Rules)
	if err != nil {
		return change.Proposal{}, err
	}
	now := o.now()
	switch {
	case !goodText(d.Reason):
		return change.Proposal{}, ErrReason
	case d.Effective.Sub(now) > farthest:
		return change.Proposal{}, ErrDate
	case d.Base != v.Digest:
		return change.Proposal{}, change.ErrStale
	}
	if err := d.Rules.Check(); err != nil {
		return change.Proposal{}, err
	}
	p := change.Proposal{
		Base: d.Base, Digest: d.Rules.Digest(), Back: d.back, Author: who.Name, Reason: d.Reason, Made: now, Effective: d.Effective.UTC(), State: change.Open, Reveals: true,
	}
	if d.Effective.IsZero() {
		p.Effective = time.Time{}
	}
	if who.Name != change.Operator {
		p.Credential = who.SHA256
	}
	if p.Digest == v.Digest {
		return change.Proposal{}, ErrSame
	}
	next, err := o.opt.Check(ctx, d.Rules)
	if err != nil {
		return change.Proposal{}, fmt.Errorf("the rules that are proposed cannot be put in force: %w", err)
	}
	p.Reveals, p.Why = o.reveals(ctx, rs, d.Rules, c, next)
	p.Restart = o.opt.Fixed != nil && o.opt.Fixed(rs, d.Rules) != nil
	return p, nil
}

func (o *Office) reveals(ctx context.Context, old, now change.RuleSet, before, after Checked) (bool, string) {
	switch {
	case !after.Governed:
		return true, "governance would end"
	case !sameRules(before.Rules, after.Rules):
		return true, "who must agree would change"
	case o.opt.Reveals == nil:
		return true, "nothing shows that it reveals no more"
	}
	more, why := o.opt.Reveals(ctx, old, now)
	text := strings.Join(why, "; ")
	if len(text) > 4*mostText {
		text = strings.ToValidUTF8(text[:4*mostText], "") + "…"
	}
	return more, text
}

func sameRules(a, b change.Rules) bool {
	same := func(x, y change.Approver) bool {
		return x.Name == y.Name && x.SHA256 == y.SHA256 && slices.Equal(x.Roles, y.Roles)
	}
	return slices.EqualFunc(a.Approvers, b.Approvers, same) && a.Required == b.Required && slices.Equal(a.Roles, b.Roles) && a.Expire == b.Expire
}

func goodText(s string) bool {
	return s != "" && len(s) <= mostText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// Back proposes to go back to an earlier version.
func (o *Office) Back(ctx context.Context, version int64, d Draft) (change.Proposal, error) {
	v, err := o.Version(ctx, version)
	if err != nil {
		return change.Proposal{}, err
	}
	if d.Rules, err = o.RuleSet(ctx, v.Digest); err != nil {
		return change.Proposal{}, err
	}
	if d.Base.IsZero() {
		now, _, _ := o.running()
		d.Base = now.Digest
	}
	d.back = version
	return o.Propose(ctx, d)
}

// Approve adds an approver's yes to a proposal, which names the digest of the rules that they looked at. The proposal is [change.Approved] once enough agree.
func (o *Office) Approve(ctx context.Context, id string, digest change.Digest, credential flow.Secret) (change.Proposal, error) {
	return o.approve(ctx, id, digest, holder(credential))
}

func (o *Office) approve(ctx context.Context, id string, digest change.Digest, by whoever) (p change.Proposal, err error) {
	err = o.step(ctx, "approving", func(tx store.Tx, v Version, c Checked) ([]flow.Event, error) {
		who, err := by(c.Rules)
		if err != nil {
			return nil, err
		}
		if p, err = o.keys.proposal(tx, id); err != nil {
			return nil, err
		}
		if p.Late(c.Rules, o.now()) {
			return nil, fmt.Errorf("%w: it was open for too long", change.ErrState)
		}
		if err := p.Approve(c.Rules, who, digest, v.Digest, o.now()); err != nil {
			return nil, err
		}
		text := "a proposal is approved by " + who.Name
		if p.Agreed(c.Rules) == nil {
			p.State = change.Approved
			text += "; no more approvals are needed"
		}
		return []flow.Event{o.about(p, "approved", who.Name, text)}, o.keys.putProposal(tx, p)
	})
	return p, err
}

// Reject ends a proposal by an approver's no. One is enough, until it is in force.
func (o *Office) Reject(ctx context.Context, id, reason string, credential flow.Secret) (change.Proposal, error) {
	return o.reject(ctx, id, reason, holder(credential))
}

func (o *Office) reject(ctx context.Context, id, reason string, by whoever) (change.Proposal, error) {
	if !goodText(reason) {
		return change.Proposal{}, ErrReason
	}
	return o.end(ctx, id, by, func(p *change.Proposal, who change.Approver) (flow.Event, error) {
		if who.Name == change.Operator {
			return flow.Event{}, change.ErrCredential
		}
		return o.about(*p, "rejected", who.Name, "a proposal is rejected: "+reason), p.End(change.Rejected, "by "+who.Name+": "+reason)
	})
}

// Withdraw ends a proposal by its author.
func (o *Office) Withdraw(ctx context.Context, id string, credential flow.Secret) (change.Proposal, error) {
	return o.withdraw(ctx, id, holder(credential))
}

func (o *Office) withdraw(ctx context.Context, id string, by whoever) (change.Proposal, error) {
	return o.end(ctx, id, by, func(p *change.Proposal, who change.Approver) (flow.Event, error) {
		if who.Name != p.Author || who.Name != change.Operator && change.Digest(who.SHA256) != p.Credential {
			return flow.Event{}, ErrAuthor
		}
		return o.about(*p, "withdrawn", who.Name, "a proposal is withdrawn"), p.End(change.Withdrawn, "by "+who.Name)
	})
}

func (o *Office) end(ctx context.Context, id string, by whoever, how func(*change.Proposal, change.Approver) (flow.Event, error)) (p change.Proposal, err error) {
	err = o.step(ctx, "ending a proposal", func(tx store.Tx, _ Version, c Checked) ([]flow.Event, error) {
		who, err := by(c.Rules)
		if err != nil {
			return nil, err
		}
		if p, err = o.keys.proposal(tx, id); err != nil {
			return nil, err
		}
		ev, err := how(&p, who)
		if err != nil {
			return nil, err
		}
		return []flow.Event{ev}, o.keys.putEnded(tx, p)
	})
	return p, err
}

// Due returns the approved proposals whose date has come, in the order in which they come into force, and ends those that were open for too long. Whatever
// the clock says later, what ended has ended.
func (o *Office) Due(ctx context.Context) ([]change.Proposal, error) {
	v, _, c := o.running()
	if v.Version == 0 || !v.Governed {
		return nil, nil
	}
	var open []change.Proposal
	err := o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
		open, err = o.keys.proposals(tx, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	var due []change.Proposal
	for _, p := range open {
		switch now := o.now(); {
		case p.Late(c.Rules, now):
			err = o.settle(ctx, p.ID, "expired", func(p *change.Proposal, c Checked) error {
				if !p.Late(c.Rules, now) {
					return change.ErrState
				}
				return p.End(change.Expired, "approvals did not come in time")
			})
			if err != nil {
				return nil, err
			}
		case p.State == change.Approved && p.Due(now):
			due = append(due, p)
		}
	}
	slices.SortFunc(due, change.Order)
	return due, nil
}

// Fail ends a proposal that could not be put in force. The rules before stay.
func (o *Office) Fail(ctx context.Context, id, why string) error {
	why = cut(why)
	return o.settle(ctx, id, "failed", func(p *change.Proposal, _ Checked) error { return p.End(change.Failed, why) })
}

// Reopen asks for approvals again where those that were given count no more.
func (o *Office) Reopen(ctx context.Context, id string, why error) error {
	return o.settle(ctx, id, "reopened", func(p *change.Proposal, c Checked) error {
		if p.State != change.Approved || p.Agreed(c.Rules) == nil {
			return change.ErrState
		}
		p.State, p.Ended = change.Open, cut(why.Error())
		return nil
	})
}

// settle takes a step that nobody asked for.
func (o *Office) settle(ctx context.Context, id, what string, how func(*change.Proposal, Checked) error) error {
	return o.step(ctx, what, func(tx store.Tx, _ Version, c Checked) ([]flow.Event, error) {
		p, err := o.keys.proposal(tx, id)
		if err == nil {
			err = how(&p, c)
		}
		if err != nil {
			return nil, err
		}
		return []flow.Event{o.about(p, what, "", "a proposal is "+what+": "+p.Ended)}, o.keys.putEnded(tx, p)
	})
}

func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 4*mostText {
		s = strings.ToValidUTF8(s[:4*mostText], "") + "…"
	}
	return cmp.Or(s, "no reason is known")
}
