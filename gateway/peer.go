package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
)

// Peer is another gateway that asks this one through a hook, and what of its words is believed. It speaks for agents,
// and to servers, that configuration names; whatever else it says only chooses among what those were granted.
type Peer struct {
	Gateway flow.AgentID              // that it must prove to be; "" asks for no proof, of callers on this machine alone
	Callers map[string]identity.Grant // whom it may speak for, by the names that it has for them
	Servers map[string]flow.AgentID   // whom it may carry for, by the names that it has for them
	Keys    PeerKeys
}

// PeerKeys are the names under which a peer says what belongs to a message; an empty one is never looked for.
type PeerKeys struct {
	Caller, Tool, Purpose, Criticality, Session string
}

var errNotPeer = errors.New("the credential is another agent's")

// Admit finds out whether a request comes from the peer, and returns who it is.
func (p *Peer) Admit(ctx context.Context, g *Gateway, s *Snapshot, r *http.Request) (flow.Party, error) {
	if p.Gateway == "" {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return flow.Party{}, refuse(RuleIdentity, "", err, "Only callers on this machine may ask without a credential.")
		}
		return flow.Party{Domain: s.Domain}, nil
	}
	caller, right, err := g.Identify(ctx, s, r)
	if err == nil && right != nil { // it would be the gateway's own, which speaks for others
		return flow.Party{}, refuse(RuleCapability, "", errNotTaken, "Hooks take no capabilities.")
	}
	if err == nil && (caller.Anonymous || caller.Party.Agent != p.Gateway) {
		err = errNotPeer
	}
	if err != nil {
		return flow.Party{}, refuse(RuleIdentity, "", err, "The credential is not accepted, or there is none.")
	}
	return caller.Party, nil
}

// Caller returns the agent that the peer speaks for, with what was granted to that agent itself.
func (p *Peer) Caller(s *Snapshot, name string) (identity.Caller, error) {
	g, ok := p.Callers[name]
	if !ok || name == "" {
		return identity.Caller{}, refuse(RuleFace, "", nil, "The gateway that asks may not speak for this caller.")
	}
	if s.Requires(g.Party) {
		return identity.Caller{}, refuse(RuleCapability, "", errNoCapability, "This caller is heard by a capability alone, and hooks carry none.")
	}
	return identity.Caller{Party: g.Party, Purposes: g.Purposes, Default: g.Default, Criticality: g.Criticality}, nil
}

// Server returns the server that the peer carries for.
func (p *Peer) Server(s *Snapshot, name string) (*Agent, error) {
	a := s.Agents[p.Servers[name]]
	if name == "" || a == nil {
		return nil, refuse(RuleFace, "", nil, "The gateway that asks may not carry for this server.")
	}
	return a, nil
}
