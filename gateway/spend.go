package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
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
	switch {
	case a.kept || a.keeper != nil && a.keeper != m: // parts of one request come at one time, and one of them keeps it
		p = capability.Proof{}
	default:
		a.keeper = m
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

// charged notes how a transaction with a charge ended.
func (a *Authority) charged(m *Message, durable bool) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keeper == m {
		a.kept, a.keeper = a.kept || durable, nil
	}
}

// lasting is what goes on by a right for as long as the right lasts.
type lasting struct {
	g      *Gateway
	a      *Authority // nil: of none
	flow   *flow.Flow // between whom
	ctx    context.Context
	cancel context.CancelCauseFunc
	once   sync.Once
}

type lastingKey struct{}

// While returns a context for what is done by an authority. Where that comes to last, as a stream does that [Gateway.Mark]
// puts on record as opened, the context ends with the authority: at its expiry, or as soon as a link of it is revoked. Then
// its cause is the [*Refusal] to end with, as it is when a freeze forbids the flow. A message that does not last is asked about when
// it passes. The caller must call stop.
func (g *Gateway) While(ctx context.Context, a *Authority, f flow.Flow) (bound context.Context, stop func()) {
	if a == nil || a.Chain == nil || g.ledger == nil {
		a = nil
	}
	if a == nil && g.freezes == nil {
		return ctx, func() {}
	}
	bound, cancel := context.WithCancelCause(ctx)
	l := &lasting{g: g, a: a, flow: &f, cancel: cancel}
	l.ctx = context.WithValue(bound, lastingKey{}, l)
	return l.ctx, func() {
		g.open.Delete(l)
		cancel(context.Canceled)
	}
}

// lasts says that what a context is for has come to last.
func lasts(ctx context.Context) {
	if l, _ := ctx.Value(lastingKey{}).(*lasting); l != nil {
		l.once.Do(func() {
			l.g.opened(l)
			if l.a != nil {
				go l.watch()
			}
		})
	}
}

func (l *lasting) watch() {
	chain := l.a.Chain
	expiry := time.NewTimer(chain.Leaf().Grant.Expires.Sub(l.g.now()))
	defer expiry.Stop()
	stale := time.NewTicker(staleCheck)
	defer stale.Stop()
	for {
		changes := l.g.ledger.Changes()
		if err := l.g.ledger.Revoked(chain, ""); err != nil {
			l.cancel(notAdmitted(err))
			return
		}
		select {
		case <-changes:
		case <-stale.C:
		case <-expiry.C:
			l.cancel(notAdmitted(&capability.Error{Rule: capability.RuleExpired, Link: len(chain.Links) - 1, Member: "exp"}))
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// staleCheck is how often an open stream is asked whether its issuer's list of revocations is still young enough, which
// nothing tells of.
const staleCheck = 10 * time.Second
