package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

// Headers in which a caller shows a capability, and proves for this call that it is its own (docs/spec/capabilities.md).
const (
	HeaderCapability = "Scrim-Capability"
	HeaderProof      = "Scrim-Proof"
)

// Requirement says whose calls come by a capability or not at all.
type Requirement uint8

// The requirements.
const (
	RequireNever   Requirement = iota // a capability narrows where it is shown
	RequireForeign                    // callers of other domains
	RequireAlways
)

// CapabilityRules are how a configuration takes capabilities. By the zero value none is taken: who shows one is refused.
type CapabilityRules struct {
	Verifier *capability.Verifier // nil: none is taken
	Options  capability.Options   // of the verifier that [CapabilityRules.Believe] makes
	Required Requirement
	Nonce    bool                            // a proof names a nonce that this gateway gave lately
	Callers  map[flow.AgentID]identity.Grant // whom one can be shown for in place of a credential
}

// Believe takes the capabilities whose roots the anchors know.
func (c *CapabilityRules) Believe(anchors capability.Anchors) {
	c.Verifier = capability.NewVerifier(anchors, c.Options)
}

// Authority is by what right a call comes, beside who its caller is. It bounds what the caller may do and get, and never
// adds to it. Nil stands for none: the caller's own grant is all there is. It is safe for concurrent use.
type Authority struct {
	Chain  *capability.Verified // as the configuration that looked at it last verified it; nil: no capability is shown
	tokens capability.Chain
	hop    *carried // the word of another domain's gateway, by which the call came; nil: it came by none
	right  *right   // what follows from the chain; nil without
	*showing
}

// showing is the one time that a capability is shown, whatever configurations look at it.
type showing struct {
	proof, method, target string

	mu     sync.Mutex       // guards the fields below
	proven bool             // by the holder
	taken  capability.Proof // what proved it
	kept   bool             // that it was taken is durable
	keeper *Message         // whose transaction makes it durable; nil: none does yet
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

// Identify says who sent a request and by what right. Every door asks it first. The error is a [*Refusal] that is not on
// record yet; the authority is worth nothing until [Gateway.Prove] let it through.
//
// A capability beside a credential must be one of the credential's own agent, or of an agent below it. In place of a
// credential, it is the root's agent who calls, with what configuration grants that agent.
func (g *Gateway) Identify(ctx context.Context, s *Snapshot, r *http.Request) (identity.Caller, *Authority, error) {
	caller, carried, err := g.sender(ctx, s, r)
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return identity.Caller{}, nil, refused
	}
	absent := errors.Is(err, identity.ErrNoCredential) || err == nil && caller.Anonymous
	if err == nil && !caller.Anonymous && carried == nil {
		isProven(ctx)
	}
	if err != nil && !absent { // a credential that is not accepted is never taken for the absence of one
		return identity.Caller{}, nil, notBelieved(err)
	}
	a, lacks := g.shown(ctx, s, r, carried)
	switch {
	case lacks != nil:
		return identity.Caller{}, nil, lacks
	case a != nil && a.Chain != nil:
		if caller, a, err = g.byChain(s, a, caller, absent); err == nil && absent && carried == nil {
			caller.Party.Attested, err = s.Identity.Attested(ctx, r, a.Chain.Leaf().Holder) // who proves to be the holder, or is refused by Prove
			if err != nil {
				return identity.Caller{}, nil, notBelieved(err)
			}
		}
		return caller, a, err
	case err != nil:
		return identity.Caller{}, nil, notBelieved(err)
	case s.Requires(caller.Party):
		return identity.Caller{}, nil, s.lacking("capability_required", errNoCapability, "Show a capability in Scrim-Capability, and a proof for this call in Scrim-Proof.")
	}
	return caller, a, nil
}

// byChain is the caller who shows a capability.
func (g *Gateway) byChain(s *Snapshot, a *Authority, caller identity.Caller, absent bool) (identity.Caller, *Authority, error) {
	var err error
	if absent {
		caller, err = s.holder(a)
	} else {
		err = s.fits(a, caller)
	}
	if err != nil {
		return identity.Caller{}, nil, err
	}
	if expires := a.Chain.Leaf().Grant.Expires; caller.Expires.IsZero() || expires.Before(caller.Expires) {
		caller.Expires = expires
	}
	caller.TokenRoot += " under " + a.right.record.Tokens[0]
	return caller, a, nil
}

var (
	errNoCapability = errors.New("no capability is shown")
	errNoProof      = errors.New("no proof is shown")
	errTwice        = errors.New("a header is there more than once")
	errNotTaken     = errors.New("no capability is taken")
	errOtherAgent   = errors.New("the capability is another agent's than the credential")
	errUnknown      = errors.New("the capability's agent is not configured")
	errUnproven     = errors.New("the holder of the capability proved nothing yet")
)

// shown reads, verifies and looks up the capability that a request shows, or that it goes on by; nil if there is none, and no
// word of another gateway.
func (g *Gateway) shown(ctx context.Context, s *Snapshot, r *http.Request, word *carried) (*Authority, error) {
	if outer, _ := ctx.Value(authorityKey{}).(*Authority); outer != nil {
		return g.again(s, outer)
	}
	shown, proofs := r.Header.Values(HeaderCapability), r.Header.Values(HeaderProof)
	switch {
	case len(shown) > 1 || len(proofs) > 1:
		return nil, s.lacking("capability_invalid", errTwice, "Scrim-Capability and Scrim-Proof may be there once each.")
	case len(shown) == 0 && len(proofs) == 1:
		return nil, s.lacking("capability_required", errNoCapability, "There is a proof, but no capability that it would be for.")
	case len(shown) == 0 && word == nil:
		return nil, nil
	case len(shown) == 0:
		return &Authority{hop: word, showing: &showing{}}, nil
	}
	if s.Capability.Verifier == nil || g.ledger == nil {
		return nil, s.lacking("capability_invalid", errNotTaken, "This gateway takes no capabilities.")
	}
	tokens, err := capability.ParseChain(shown[0])
	if err != nil {
		return nil, s.invalid(err)
	}
	g.giveNonce(ctx, s)
	return g.verified(s, &Authority{tokens: tokens, hop: word, showing: &showing{proof: first(proofs), method: r.Method, target: targetOf(s, r)}})
}

// again looks at an authority by a configuration that may be another one.
func (g *Gateway) again(s *Snapshot, a *Authority) (*Authority, error) {
	if a.Chain == nil {
		return &Authority{hop: a.hop, showing: a.showing}, nil
	}
	if s.Capability.Verifier == nil || g.ledger == nil {
		return nil, s.lacking("capability_invalid", errNotTaken, "This gateway takes no capabilities.")
	}
	return g.verified(s, &Authority{tokens: a.tokens, hop: a.hop, showing: a.showing})
}

func (g *Gateway) verified(s *Snapshot, a *Authority) (*Authority, error) {
	var err error
	if a.Chain, err = s.Capability.Verifier.Verify(a.tokens); err != nil {
		return nil, s.invalid(err)
	}
	if err := a.Chain.Presentable(s.Domain); err != nil {
		return nil, s.invalid(err)
	}
	if err := g.ledger.Revoked(a.Chain, ""); err != nil {
		return nil, s.invalid(err)
	}
	a.right = g.rights.of(s.Domain, a.Chain)
	return a, nil
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Requires reports whether the configuration wants a capability of a caller.
func (s *Snapshot) Requires(p flow.Party) bool {
	if a := s.Agents[p.Agent]; a != nil && a.Party.Domain == p.Domain && a.Capability {
		return true
	}
	switch s.Capability.Required {
	case RequireNever:
		return false
	case RequireForeign:
		return p.Domain != s.Domain
	}
	return true
}

// holder is the caller that a capability speaks for in place of a credential.
func (s *Snapshot) holder(a *Authority) (identity.Caller, error) {
	root := a.Chain.Root().Grant.Agent
	grant, ok := s.Capability.Callers[flow.AgentID(root)]
	if !ok || grant.Party.Domain != a.Chain.Issuer {
		return identity.Caller{}, s.lacking("capability_invalid", errUnknown, "The capability names no agent that this gateway knows.")
	}
	party := grant.Party
	party.Attested = false
	return identity.Caller{Party: party, Purposes: grant.Purposes, Default: grant.Default, Criticality: grant.Criticality, TokenRoot: "capability"}, nil
}

// fits checks that a capability is one of the credential's own agent.
func (s *Snapshot) fits(a *Authority, caller identity.Caller) error {
	agent, leaf := string(caller.Party.Agent), a.Chain.Leaf().Grant.Agent
	if a.Chain.Issuer != caller.Party.Domain || leaf != agent && !strings.HasPrefix(leaf, agent+"/") {
		return s.lacking("capability_invalid", errOtherAgent, "The capability is not one of the agent that the credential names.")
	}
	return nil
}

// Known returns the caller that an agent still is where it asked for something and is not there to prove it again: one whom
// configuration lets in, by a credential or by the word of a peer that is still one, or, by an authority that still holds, its holder.
func (s *Snapshot) Known(p flow.Party, a *Authority) (identity.Caller, bool) {
	if caller, ok := s.Identity.Known(p); ok {
		return caller, !s.Requires(p) || a != nil
	}
	if grant, ok := s.carries(p.Domain, p.Agent); ok && s.Peers.Pinned(p.Domain) {
		c := identity.Caller{Party: grant.Party, Purposes: grant.Purposes, Criticality: grant.Criticality, TokenRoot: "known"}
		c.Party.Attested = false
		return c, !s.Requires(p) || a != nil
	}
	if a == nil {
		return identity.Caller{}, false
	}
	caller, err := s.holder(a)
	return caller, err == nil && caller.Party.Agent == p.Agent && caller.Party.Domain == p.Domain
}

// On puts on a flow by what right it happens, for policy and for the record.
func (a *Authority) On(f *flow.Flow) {
	if a != nil && a.right != nil {
		f.Chain, f.Capability = a.right.agents, a.right.record
	}
}

// Names are what policies see as context.capabilities.
func (a *Authority) Names() []string {
	if a == nil || a.right == nil {
		return nil
	}
	return a.right.names
}

// Limits stands for what terms depend on of the authority: two that have it in common bound what is shown alike.
func (a *Authority) Limits() string {
	limits := ""
	if a != nil && a.right != nil {
		limits = a.right.limits
	}
	return limits + a.carried().digest()
}

// Tokens is the chain as it was shown, for where it goes on or is kept.
func (a *Authority) Tokens() capability.Chain {
	if a == nil {
		return nil
	}
	return a.tokens
}

// Holder names the key that the call was proved with; "" for none. What belongs to a holder, such as a session, is not
// another's who acts for the same agent.
func (a *Authority) Holder() string {
	if a == nil || a.Chain == nil {
		return ""
	}
	return a.Chain.Leaf().Holder.String()
}

// Stored returns the authority of a call that is over, for what it asked to be told later. It needs no proof; it is verified
// and looked up as it was. Nil tokens have none.
func (g *Gateway) Stored(s *Snapshot, tokens string) (*Authority, error) {
	if tokens == "" {
		return nil, nil
	}
	if s.Capability.Verifier == nil || g.ledger == nil {
		return nil, s.lacking("capability_invalid", errNotTaken, "This gateway takes no capabilities.")
	}
	chain, err := capability.ParseChain(tokens)
	if err != nil {
		return nil, s.invalid(err)
	}
	return g.verified(s, &Authority{tokens: chain, showing: &showing{proven: true, kept: true}})
}

// targetOf is what a proof signs of an address: path and query as the caller wrote them, which is those of the public
// address where a proxy takes a part of it away.
func targetOf(s *Snapshot, r *http.Request) string {
	sent := r.RequestURI
	if !strings.HasPrefix(sent, "/") { // the whole address, as to a proxy, or a request of our own
		sent = r.URL.RequestURI()
	}
	return cmp.Or(publicPath(s.PublicURL)+sent, "/")
}
