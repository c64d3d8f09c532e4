package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

// charge takes from every token of the chain what the message costs, in the transaction that records it, and makes
// durable that the proof was taken. A message that answers one that was charged costs nothing more.
func (g *Gateway) charge(tx store.Tx, m *Message) error {
	a := m.Authority
	if a == nil || a.Chain == nil {
		return nil
	}
	uses := int64(0)
	if m.Use {
		uses = 1
	}
	a.mu.Lock()
	p := a.taken
	if a.kept {
		p = capability.Proof{}
	}
	a.mu.Unlock()
	if uses == 0 && p.ID == "" && m.Cost.EpsilonNano == 0 && m.Cost.DeltaPico == 0 {
		return nil
	}
	err := g.ledger.Charge(tx, a.Chain, p, uses, m.Cost)
	if e, ok := errors.AsType[*ledger.Error](err); ok {
		return notAdmitted(e)
	}
	return err
}

// keep makes durable that the proof was taken, of a call that is answered without a message of its own on the road.
func (g *Gateway) keep(tx store.Tx, a *Authority) error {
	return g.charge(tx, &Message{Authority: a})
}

// charged notes that a transaction with a charge is durable.
func (a *Authority) charged() {
	if a != nil {
		a.mu.Lock()
		a.kept = true
		a.mu.Unlock()
	}
}

// While returns a context that ends when the authority does: at its expiry, or as soon as a link of it is revoked. Then
// its cause is the [*Refusal] to end with. It is for what lasts, such as a stream: a message is asked about when it
// passes. The caller must call stop. Without an authority it is the context that it was.
func (g *Gateway) While(ctx context.Context, a *Authority) (bound context.Context, stop func()) {
	if a == nil || a.Chain == nil || g.ledger == nil {
		return ctx, func() {}
	}
	bound, cancel := context.WithCancelCause(ctx)
	go func() {
		expiry := time.NewTimer(a.Chain.Leaf().Grant.Expires.Sub(g.now()))
		defer expiry.Stop()
		stale := time.NewTicker(staleCheck)
		defer stale.Stop()
		for {
			changes := g.ledger.Changes()
			if err := g.ledger.Revoked(a.Chain, ""); err != nil {
				cancel(notAdmitted(err))
				return
			}
			select {
			case <-changes:
			case <-stale.C:
			case <-expiry.C:
				cancel(notAdmitted(&capability.Error{Rule: capability.RuleExpired, Link: len(a.Chain.Links) - 1, Member: "exp"}))
				return
			case <-bound.Done():
				return
			}
		}
	}()
	return bound, func() { cancel(context.Canceled) }
}

// staleCheck is how often an open stream is asked whether its issuer's list of revocations is still young enough, which
// nothing tells of.
const staleCheck = 10 * time.Second
