package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

// Authority is by what right a call comes, beside who its caller is. It bounds what the caller may do and get, and never
// adds to it. Nil stands for none: the caller's own grant is all there is.
type Authority struct {
	Chain  *capability.Verified
	tokens capability.Chain
	hop    *carried // the word of another domain's gateway, by which the call came; nil: it came by none
	proven bool     // [Gateway.Prove] let it through
}

// Invocation is a call as far as its right to happen depends on it, once its message was read.
type Invocation struct {
	Body []byte    // as it was sent; of gRPC, the message without what frames it; nil: none
	Flow flow.Flow // from whom, to whom, why and for what task
}

type authorityKey struct{}

// WithAuthority remembers in a context by what right a request came, for [Gateway.Identify]: where it is looked at again by
// another configuration, and where it goes on as requests of this gateway's own making, such as the parts of a joint one. Its
// proof is about the bytes that came, and holds once.
func WithAuthority(ctx context.Context, a *Authority) context.Context {
	if a == nil {
		return ctx
	}
	return context.WithValue(ctx, authorityKey{}, a)
}

// Headers in which a caller shows a capability, and proves for this call that it is its own (docs/spec/capabilities.md).
const (
	HeaderCapability = "Scrim-Capability"
	HeaderProof      = "Scrim-Proof"
)

// Identify says who sent a request and by what right. Every door asks it first. The error is a [*Refusal] that is not on
// record yet; the authority is worth nothing until [Gateway.Prove] let it through.
func (g *Gateway) Identify(ctx context.Context, s *Snapshot, r *http.Request) (identity.Caller, *Authority, error) {
	caller, carried, err := g.sender(ctx, s, r)
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return identity.Caller{}, nil, refused
	}
	if err != nil {
		return identity.Caller{}, nil, notBelieved(err)
	}
	a, _ := ctx.Value(authorityKey{}).(*Authority)
	if a == nil && carried != nil {
		a = &Authority{hop: carried}
	}
	return caller, a, nil
}

// Prove holds a call to its authority: that it is the caller's, as [Gateway.Holds] says, and that it admits the call. The
// error is a [*Refusal] by [RuleCapability] that is not on record yet. A nil authority bounds nothing.
func (g *Gateway) Prove(ctx context.Context, s *Snapshot, a *Authority, in Invocation) error {
	return g.Holds(ctx, s, a, in.Body)
}

// Holds checks that whoever sent the body is the holder of the authority. What is asked once is not asked again, of the
// same call. The error is as with [Gateway.Prove], which a door must ask too before anything goes on by it.
func (g *Gateway) Holds(ctx context.Context, s *Snapshot, a *Authority, body []byte) error {
	if a == nil || a.proven {
		return nil
	}
	if a.hop != nil {
		if err := g.hopHolds(a, body); err != nil {
			return err
		}
	}
	a.proven = true
	return nil
}
