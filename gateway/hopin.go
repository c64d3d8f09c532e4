package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/hop"
)

// HopRules are how a configuration takes hop statements in. The zero value takes those of pinned peers for agents that
// configuration lists, within [MaxHops].
type HopRules struct {
	Max     int                              // gateways that a message may come through, this one included; 0: [MaxHops]
	Skew    time.Duration                    // between clocks; 0: 5 s
	Callers map[flow.AgentID]identity.Grant  // agents of other domains, as configuration knows them
	Others  map[flow.DomainID]identity.Grant // by domain, whom its agents are taken for that are not among Callers; absent: they are refused
}

const hopSkew = 5 * time.Second

func (r HopRules) most() int { return min(orDefault(r.Max, MaxHops), hop.MaxHop) }

// carried is a call that a gateway of another domain vouched for by a hop statement.
type carried struct {
	*hop.Statement
	request hop.Request // the body is filled in once it is read

	mu   sync.Mutex // guards the fields below
	held bool       // the statement is for this request and no other, and was not seen before
	kept bool       // that it was seen is durable
}

var (
	errHopTwice  = errors.New("there is more than one hop statement")
	errHopPeer   = errors.New("the connection shows no gateway's certificate")
	errHopAgent  = errors.New("the hop statement names another agent than the credential")
	errHopNobody = errors.New("the hop statement names an agent that is not configured")
	errHopWider  = errors.New("the request claims more than the hop statement says")
	errHopAgain  = errors.New("the hop statement was seen before")
	errHopMany   = errors.New("too many hop statements to remember")
	errHopLabels = errors.New("too many labels to remember of one trace")
	errHopUnpin  = errors.New("the sender's domain is no peer any more")
	errHopVouch  = errors.New("a token does not let this domain's gateways vouch for its holder")
)

// hopRefusal is by [RuleHop], with the statement's own rule as its place.
func hopRefusal(err error) *Refusal {
	place := flow.Path(hop.Header)
	if e, ok := errors.AsType[*hop.Error](err); ok {
		place += flow.Path("/" + string(e.Rule))
	}
	return refuse(RuleHop, place, err, "What the gateway before this one says of the call is not believed.")
}

// sender says who a request is from: by a credential, or, where another domain's gateway carries it, by that gateway's
// word. Nothing of the word is believed but over a connection that shows a certificate of that domain's gateways. The error
// is a [*Refusal] about a statement, else one of package identity.
func (g *Gateway) sender(ctx context.Context, s *Snapshot, r *http.Request) (identity.Caller, *carried, error) {
	if outer, _ := ctx.Value(authorityKey{}).(*Authority); outer != nil && outer.hop != nil {
		c, err := s.stillCarried(ctx, r, outer.hop)
		return c, outer.hop, err
	}
	said := r.Header.Values(hop.Header)
	if len(said) == 0 {
		c, err := s.Identity.Authenticate(ctx, r)
		return c, nil, err
	}
	peer, err := s.Identity.Gateway(r)
	switch {
	case err != nil: // a stranger's word is nobody's, however good it looks
		return identity.Caller{}, nil, refuse(RuleIdentity, hop.Header, errors.Join(errHopPeer, err), "A hop statement is believed of gateways of other domains alone, over a connection that shows their certificate.")
	case len(said) > 1:
		return identity.Caller{}, nil, hopRefusal(errHopTwice)
	}
	st, err := hop.Verify(said[0], s.Peers, hop.Expect{
		Issuer: peer.Domain, Audience: s.Domain, Now: g.now(), Skew: orDefault(s.Hops.Skew, hopSkew), MaxHops: s.Hops.most(),
	})
	if err != nil {
		return identity.Caller{}, nil, hopRefusal(err)
	}
	c, err := s.carriedCaller(ctx, r, st)
	if err != nil {
		return identity.Caller{}, nil, err
	}
	target := r.RequestURI
	if len(target) == 0 || target[0] != '/' {
		target = r.URL.RequestURI()
	}
	return c, &carried{Statement: st, request: hop.Request{Method: r.Method, Target: target}}, nil
}

// stillCarried is sender for a call that was taken in before: what can have changed since is the configuration.
func (s *Snapshot) stillCarried(ctx context.Context, r *http.Request, h *carried) (identity.Caller, error) {
	if !s.Peers.Pinned(h.Issuer) {
		return identity.Caller{}, hopRefusal(errHopUnpin)
	}
	if r.TLS != nil {
		if peer, err := s.Identity.Gateway(r); err != nil || peer.Domain != h.Issuer {
			return identity.Caller{}, hopRefusal(errors.Join(errHopPeer, err))
		}
	}
	return s.carriedCaller(ctx, r, h.Statement)
}

// carriedCaller is the agent that a statement names: the credential's, where there is one beside the gateway's certificate,
// which must be the same; else as configuration knows it. It may claim no more than the statement says.
func (s *Snapshot) carriedCaller(ctx context.Context, r *http.Request, st *hop.Statement) (identity.Caller, error) {
	c, err := s.Identity.Authenticate(ctx, r)
	switch {
	case errors.Is(err, identity.ErrGateway):
		grant, ok := s.carries(st.Issuer, st.Agent)
		if !ok {
			return identity.Caller{}, hopRefusal(errHopNobody)
		}
		c = identity.Caller{Party: grant.Party, Purposes: slices.Clone(grant.Purposes), Criticality: grant.Criticality, Gateway: st.Issuer}
		c.Party.Attested = false
		c.TokenRoot = "hop:" + string(st.Issuer) + "/" + string(st.Agent)
	case err != nil:
		return identity.Caller{}, err
	case c.Anonymous || c.Gateway != st.Issuer || c.Party.Domain != st.Issuer || c.Party.Agent != st.Agent:
		return identity.Caller{}, hopRefusal(errHopAgent)
	}
	if !claimsWithin(r.Header, st) {
		return identity.Caller{}, hopRefusal(errHopWider)
	}
	c.Default, c.Criticality = "", min(c.Criticality, st.Criticality)
	c.Purposes = slices.DeleteFunc(slices.Clone(c.Purposes), func(p flow.Purpose) bool { return p != st.Purpose })
	return c, nil
}

// carries returns what an agent of another domain is granted where its domain's gateway vouches for it.
func (s *Snapshot) carries(d flow.DomainID, agent flow.AgentID) (identity.Grant, bool) {
	if g, ok := s.Hops.Callers[agent]; ok && g.Party.Domain == d {
		return g, true
	}
	g, ok := s.Hops.Others[d]
	if _, taken := s.Agents[agent]; taken || !ok || g.Party.Domain != d {
		return identity.Grant{}, false // a name that means another agent here is not theirs
	}
	return g, true
}

// claimsWithin reports whether what the headers claim is no more than the statement says.
func claimsWithin(h http.Header, st *hop.Statement) bool {
	for _, p := range h.Values(identity.HeaderPurpose) {
		if p != "" && flow.Purpose(p) != st.Purpose {
			return false
		}
	}
	for _, v := range h.Values(identity.HeaderCriticality) {
		if v == "" {
			continue
		}
		if c, err := flow.ParseCriticality(v); err != nil || c > st.Criticality {
			return false
		}
	}
	return true
}

// holds checks, once the body is read, that the statement is for this request, speaks of the capability that came along,
// lets the sender's domain vouch for its holder, and is new. What is asked once is not asked again.
func (g *Gateway) hopHolds(s *Snapshot, a *Authority, body []byte) error {
	h := a.hop
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held {
		return nil
	}
	var last *[32]byte
	if a.Chain != nil {
		if !a.Chain.Vouched(h.Issuer) {
			return hopRefusal(errHopVouch)
		}
		last = &a.Chain.Leaf().Hash
	}
	if err := h.For(hop.RequestOf(h.request.Method, h.request.Target, body), last); err != nil {
		return hopRefusal(err)
	}
	if err := g.hops.claim(h.Statement, g.now(), orDefault(s.Hops.Skew, hopSkew)); err != nil {
		return err
	}
	h.held = true
	return nil
}
