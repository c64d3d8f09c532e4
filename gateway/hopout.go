package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/privacy/vault"
)

// onward is what this gateway says to the gateway of another domain about a call that goes there.
type onward struct {
	g      *Gateway
	s      *Snapshot
	a      *Authority
	f      flow.Flow
	limits hop.Limits
}

type onwardKey struct{}

// Onward remembers in a context what goes along with calls to the recipient of a flow, where that is of a peer's domain and
// reached by one of its gateways: a hop statement, made for the very bytes that [Upstream.SendTo] sends, and the caller's
// capability. The caller's credential never goes along. Passed is the message that goes; nil for a call that is none, such as one
// that opens a stream.
func (g *Gateway) Onward(ctx context.Context, s *Snapshot, a *Authority, f flow.Flow, passed *Passed) (context.Context, error) {
	if !s.toPeer(&f) {
		return ctx, nil
	}
	o := &onward{g: g, s: s, a: a, f: f}
	if passed != nil {
		o.f.Hop, o.limits = passed.Event.Flow.Hop, passed.let
	} else {
		var err error
		if o.limits, err = g.letThrough(s, a, f, nil, flow.Terms{}); err != nil {
			return ctx, err
		}
	}
	return context.WithValue(ctx, onwardKey{}, o), nil
}

// toPeer reports whether a flow goes from this domain to one whose gateways this one speaks to.
func (s *Snapshot) toPeer(f *flow.Flow) bool {
	return f.From.Domain == s.Domain && f.To.Domain != s.Domain && s.Peers.Pinned(f.To.Domain)
}

var (
	errHopKey     = errors.New("the domain has no key that signs")
	errHopCounted = errors.New("a token is counted in another domain than the one that is called")
)

// vouch adds to a request what goes along with it. It does nothing for an address that is none of the peer's gateways.
func (u *Upstream) vouch(req *http.Request, body []byte) error {
	o, _ := req.Context().Value(onwardKey{}).(*onward)
	if o == nil {
		return nil
	}
	if u.Peers == nil || u.Domain != o.f.To.Domain {
		return o.alone()
	}
	if u.Handoff != nil {
		u.Handoff.put(req, o)
		return nil
	}
	conf, err := o.s.Peers.Via(o.f.To.Domain, req.URL)
	switch {
	case err != nil:
		return refuse(RuleUpstream, "", err, "The domain behind the gateway cannot be reached at the moment.")
	case conf == nil:
		return o.alone()
	}
	signer, kid := o.s.Peers.Own()
	if signer == nil {
		return refuse(RuleInternal, "", errHopKey, "The gateway cannot vouch for this call, so it did not happen.")
	}
	opening, err := HopOpening(o.g.keys, o.s.Domain, o.f.To.Domain, o.f.ID)
	if err != nil {
		return refuse(RuleInternal, "", err, "The gateway cannot vouch for this call, so it did not happen.")
	}
	st := &hop.Statement{
		ID: hop.NewID(), Issuer: o.s.Domain, Audience: o.f.To.Domain, IssuedAt: o.g.now(),
		Request: hop.RequestOf(req.Method, req.URL.RequestURI(), body),
		Agent:   o.f.From.Agent, Hop: o.f.Hop, Record: opening.Commitment(),
		Purpose: o.f.Purpose, Criticality: o.f.Task.Criticality, Limits: o.limits,
	}
	if st.Next() > o.s.Hops.most() {
		return refuse(RuleLoop, "", nil, "The call has come through %d gateways; it may come through no more.", o.s.Hops.most())
	}
	if err := o.capability(req, st); err != nil {
		return err
	}
	text, err := hop.Sign(signer, kid, st)
	if err != nil {
		return refuse(RuleInternal, "", err, "The gateway cannot vouch for this call, so it did not happen.")
	}
	req.Header.Set(hop.Header, text)
	return nil
}

// alone lets a call go to where no gateway is, unless it was to be counted there.
func (o *onward) alone() error {
	if o.a == nil || o.a.Chain == nil {
		return nil
	}
	for i := range o.a.Chain.Links {
		if at := o.a.Chain.Links[i].Grant.Counted; at != "" && at != o.s.Domain {
			return refuse(RuleCapability, "", errHopCounted, "The capability can be used for calls to the domain that counts it alone, by way of its gateway.")
		}
	}
	return nil
}

// capability passes the caller's tokens on, which are public, and no proof: it was for other bytes. What is counted in this
// domain was counted here and stays; what is counted elsewhere goes there and nowhere else.
func (o *onward) capability(req *http.Request, st *hop.Statement) error {
	if o.a == nil || o.a.Chain == nil {
		return nil
	}
	for i := range o.a.Chain.Links {
		switch o.a.Chain.Links[i].Grant.Counted {
		case "", o.f.To.Domain:
		case o.s.Domain:
			return nil
		default:
			return refuse(RuleCapability, "", errHopCounted, "The capability can be used for calls to the domain that counts it alone.")
		}
	}
	hash := o.a.Chain.Leaf().Hash
	st.Capability = &hash
	req.Header.Set(HeaderCapability, o.a.tokens.String())
	return nil
}

// HopOpening returns what the commitment to a flow is opened with, which a hop statement for another domain holds. The salt
// comes from the keyring, so that it is the same whenever it is asked for and is kept nowhere; commitments for two domains,
// or of two flows, have nothing in common.
func HopOpening(keys *vault.Keyring, own, to flow.DomainID, id flow.ID) (hop.Opening, error) {
	sealed, err := keys.Deterministic("hop", string(own), string(to)).Seal([]byte(id), nil)
	if err != nil {
		return hop.Opening{}, err
	}
	return hop.Opening{Flow: id, Salt: sha256.Sum256(sealed)}, nil
}

// TraceFor returns the traceparent of a call: the one that it came with; else, where it crosses between this gateway and a
// peer's, one that begins here, since the hops of a call are found by their trace.
func (g *Gateway) TraceFor(ctx context.Context, s *Snapshot, a *Authority, f *flow.Flow, traceparent string) string {
	if traceparent != "" || a.carried() == nil && !s.toPeer(f) {
		return traceparent
	}
	if ids, followed := spanOf(ctx); followed { // in the trace that began with it, as its sender would name that
		if f.From.Domain != s.Domain {
			permuteTrace(&ids.Trace, g.border(s.Domain, f.From.Domain).trace.Forward)
		}
		return "00-" + hex.EncodeToString(ids.Trace[:]) + "-" + hex.EncodeToString(ids.Span[:]) + "-00"
	}
	var b [24]byte
	for b == [24]byte{} {
		_, _ = rand.Read(b[:]) // never fails
	}
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-00"
}
