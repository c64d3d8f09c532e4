package offer

import (
	"context"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/contract"
)

// Side is what a draft says of one of the two domains: its agents and what it gives.
type Side struct {
	Agents     []flow.AgentID            `json:"agents,omitempty"` // absent: all
	Levels     map[flow.Label]flow.Level `json:"levels"`
	Datasets   map[string][]string       `json:"datasets,omitempty"` // an empty list: all columns
	Techniques []string                  `json:"techniques,omitempty"`
	Cost       *flow.Cost                `json:"cost,omitempty"`
	RetainDays *int                      `json:"retain_days,omitempty"`
	Notify     []string                  `json:"notify,omitempty"`
}

// Draft is an offer as people write it.
type Draft struct {
	Name      string         `json:"name,omitempty"` // of a counter-offer, "": as it was, and it cannot be another
	Purposes  []flow.Purpose `json:"purposes"`
	NotBefore time.Time      `json:"not_before,omitzero"` // zero: now; of a counter-offer: as it was
	Expires   time.Time      `json:"expires,omitzero"`    // of a counter-offer, zero: as it was
	Ours      Side           `json:"ours"`
	Theirs    Side           `json:"theirs"`
}

func (s *Side) party(d flow.DomainID) contract.Party {
	p := contract.Party{Domain: d, Agents: s.Agents, Gives: contract.Gives{
		Levels: s.Levels, Techniques: s.Techniques, Cost: s.Cost, Notify: s.Notify,
	}}
	if s.Datasets != nil {
		p.Gives.Datasets = map[string][]string{}
		for name, columns := range s.Datasets {
			if len(columns) == 0 {
				columns = nil
			}
			p.Gives.Datasets[name] = columns
		}
	}
	if s.RetainDays != nil {
		d := time.Duration(*s.RetainDays) * 24 * time.Hour
		p.Gives.Retain = &d
	}
	return p
}

// fill puts a draft into an offer.
func (d *Draft) fill(c *contract.Contract, own, peer flow.DomainID) {
	c.Purposes = d.Purposes
	if !d.NotBefore.IsZero() {
		c.NotBefore = d.NotBefore.UTC().Truncate(time.Second)
	}
	if !d.Expires.IsZero() {
		c.Expires = d.Expires.UTC().Truncate(time.Second)
	}
	c.Parties = [2]contract.Party{d.Ours.party(own), d.Theirs.party(peer)}
	if own > peer {
		c.Parties[0], c.Parties[1] = c.Parties[1], c.Parties[0]
	}
}

// Propose makes a first offer to a peer. It is on record and kept when it returns, and sent by [Book.Run].
func (b *Book) Propose(ctx context.Context, peer flow.DomainID, d Draft) (Entry, error) {
	if !b.opt.Domains.Pinned(peer) {
		return Entry{}, ErrNoPeer
	}
	now := b.opt.Clock().UTC().Truncate(time.Second)
	c := &contract.Contract{Negotiation: contract.NewNegotiation(), Version: 1, Name: d.Name, NotBefore: now}
	d.fill(c, b.opt.Domain, peer)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.offer(ctx, peer, c)
}

// Counter answers the peer's last offer with a narrower one. The error is [ErrTurn], or a [*contract.Error] that says where it is
// not narrower.
func (b *Book) Counter(ctx context.Context, negotiation string, d Draft) (Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, err := b.turn(negotiation)
	if err != nil {
		return Entry{}, err
	}
	next := e.Signed.Contract.Next()
	if d.Name != "" && d.Name != next.Name {
		return Entry{}, &contract.Error{Rule: contract.RuleAnother, Place: "name"}
	}
	d.fill(next, b.opt.Domain, e.Peer)
	if err := next.Check(); err != nil {
		return Entry{}, err
	}
	if err := next.Answers(e.Signed.Contract); err != nil {
		return Entry{}, err
	}
	return b.offer(ctx, e.Peer, next)
}

func (b *Book) offer(ctx context.Context, peer flow.DomainID, c *contract.Contract) (Entry, error) {
	signer, err := b.signer()
	if err != nil {
		return Entry{}, err
	}
	if !b.opt.Clock().Before(c.Expires) {
		return Entry{}, &contract.Error{Rule: contract.RuleTime, Place: "exp"}
	}
	signed, err := contract.Offer(c, signer)
	if err != nil {
		return Entry{}, err
	}
	e := &Entry{peer, Offered, signed, b.opt.Clock(), sendSigned}
	if err := b.put(ctx, e, b.opt.Domain, fmt.Sprintf("contract offered, version %d", c.Version)); err != nil {
		return Entry{}, err
	}
	b.rouse()
	return *e, nil
}

// turn returns an entry that this domain is to answer. The lock is held.
func (b *Book) turn(negotiation string) (*Entry, error) {
	e := b.entries[negotiation]
	switch {
	case e == nil:
		return nil, ErrNoNegotiation
	case e.State != Waiting:
		return nil, ErrTurn
	case !b.opt.Clock().Before(e.Signed.Contract.Expires):
		return nil, &contract.Error{Rule: contract.RuleTime, Place: "exp"}
	}
	return e, nil
}

// Accept signs what the peer offered last. The id says what was read before: if something else was offered meanwhile, the error is
// [ErrOther]. The contract is in force once the peer knows.
func (b *Book) Accept(ctx context.Context, negotiation, id string) (Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accept(ctx, negotiation, id, "contract accepted")
}

func (b *Book) accept(ctx context.Context, negotiation, id, reason string) (Entry, error) {
	e, err := b.turn(negotiation)
	if err != nil {
		return Entry{}, err
	}
	if e.Signed.Contract.ID() != id {
		return Entry{}, ErrOther
	}
	signer, err := b.signer()
	if err != nil {
		return Entry{}, err
	}
	both, err := e.Signed.Accept(signer)
	if err != nil {
		return Entry{}, err
	}
	next := &Entry{e.Peer, Accepting, both, b.opt.Clock(), sendSigned}
	if err := b.put(ctx, next, b.opt.Domain, reason); err != nil {
		return Entry{}, err
	}
	b.rouse()
	return *next, nil
}

// Withdraw ends a negotiation and whatever came of it, at once and for good.
func (b *Book) Withdraw(ctx context.Context, negotiation string) (Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[negotiation]
	if e == nil {
		return Entry{}, ErrNoNegotiation
	}
	if e.State == Ended {
		return *e, nil
	}
	next := &Entry{e.Peer, Ended, e.Signed, b.opt.Clock(), sendEnd}
	if err := b.put(ctx, next, b.opt.Domain, "contract ended"); err != nil {
		return Entry{}, err
	}
	b.rouse()
	return *next, nil
}

func (b *Book) signer() (contract.Signer, error) {
	key, kid := b.opt.Domains.Own()
	if key == nil {
		return contract.Signer{}, ErrNoKey
	}
	return contract.Signer{Domain: b.opt.Domain, Key: key, KeyID: kid}, nil
}

// Bound is what may be agreed on without a person: offers of one peer under listed names, that ask for no more than it says. A
// policy that wants a contract opens by its name, so a name that is not listed waits.
type Bound struct {
	Peer     flow.DomainID
	Names    []string
	Purposes []flow.Purpose
	Gives    map[flow.Label]flow.Level // the most that this domain gives, by label prefix
	Life     time.Duration             // from now to the end, at most
	Duties   bool                      // the other side may ask for retention and notices
}

// allows reports whether an offer of a peer stays within the bound.
func (r *Bound) allows(c *contract.Contract, own, peer flow.DomainID, now time.Time) bool {
	ours, _ := c.Party(own)
	theirs, _ := c.Party(peer)
	if r.Peer != peer || !has(r.Names, c.Name) || c.Expires.After(now.Add(r.Life)) {
		return false
	}
	for _, p := range c.Purposes {
		if !has(r.Purposes, p) {
			return false
		}
	}
	if !r.Duties && (theirs.Gives.Retain != nil || len(theirs.Gives.Notify) > 0) {
		return false
	}
	most := &contract.Contract{Purposes: c.Purposes, NotBefore: c.NotBefore, Expires: c.Expires, Parties: [2]contract.Party{{Gives: contract.Gives{Levels: r.Gives}}}}
	one := &contract.Contract{Purposes: c.Purposes, NotBefore: c.NotBefore, Expires: c.Expires, Parties: [2]contract.Party{{Gives: contract.Gives{Levels: ours.Gives.Levels}}}}
	return one.Within(most) == nil
}

func has[T comparable](list []T, v T) bool {
	for _, one := range list {
		if one == v {
			return true
		}
	}
	return false
}
