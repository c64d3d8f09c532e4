package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	stdjson "encoding/json"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/hop"
)

// carried returns the statement that the call came by; nil if it came by none.
func (a *Authority) carried() *carried {
	if a == nil {
		return nil
	}
	return a.hop
}

// digest stands for the limits of the statement; "" for none.
func (h *carried) digest() string {
	if h == nil {
		return ""
	}
	raw, err := stdjson.Marshal(h.Limits)
	if err != nil {
		return rand.Text() // like no other
	}
	sum := sha256.Sum256(raw)
	return " hop " + hex.EncodeToString(sum[:])
}

// Continue says of a call which hop of which chain it is, and holds it to what the hops before let through: one that another
// gateway carried here comes after that gateway's record; one of an agent of the domain comes after the call by which, in
// the same trace, that agent was called, and is for that call's purpose, or for none, and no more critical.
//
// An agent that does not pass the trace on begins a chain of its own. It has no more data for that: what hops before it let
// through is all that it was sent.
func (g *Gateway) Continue(s *Snapshot, a *Authority, f *flow.Flow) {
	if h := a.carried(); h != nil {
		f.Hop, f.Parent = h.Next(), h.Record.Parent()
		return
	}
	if f.From.Domain != s.Domain {
		return
	}
	t := g.trailOf(s, f.Trace, f.From.Agent)
	if t == nil {
		return
	}
	f.Hop, f.Parent = t.Hop, t.Parent
	if f.Purpose != t.Purpose || t.Several {
		f.Purpose = ""
	}
	f.Task.Criticality = min(f.Task.Criticality, t.Criticality)
}

// hopLimits are those that hops before this one set for a flow: what the statement says that it came by, for the flow itself
// and for its answer; and for whatever else leaves the domain, what its sender was called under.
func (g *Gateway) hopLimits(s *Snapshot, a *Authority, f *flow.Flow) (limits hop.Limits, bound bool) {
	if h := a.carried(); h != nil {
		limits, bound = h.Limits, true
	}
	if f.From.Domain != s.Domain || f.To.Domain == s.Domain {
		return limits, bound
	}
	t := g.trailOf(s, f.Trace, f.From.Agent)
	switch {
	case t == nil:
		return limits, bound
	case !bound:
		return t.limits(), true
	}
	return limits.Meet(t.limits(), s.Taxonomy), true
}

// HopLimits returns the limits that hops before this one set for what an agent of the domain sends, and whether there are any.
func (g *Gateway) HopLimits(s *Snapshot, f flow.Flow) (hop.Limits, bool) {
	return g.hopLimits(s, nil, &f)
}

const byHop = "a gateway before this one let no more through"

// meetHops narrows terms to what hops before this one let through. What came by the statement itself is as that hop made it: to
// show it as it came shows no more than was let through, and to mask what is masked already would only take the rest of it away.
func (g *Gateway) meetHops(s *Snapshot, a *Authority, f *flow.Flow, leaves []flow.Leaf, terms *flow.Terms) {
	limits, bound := g.hopLimits(s, a, f)
	if !bound {
		return
	}
	terms.Duties.Retain = min(terms.Duties.Retain, limits.Retain)
	if a.carried() != nil && f.Direction == flow.Request && f.From.Domain != s.Domain && f.To.Domain == s.Domain {
		return
	}
	for i := range leaves {
		most, ok := limits.Of(leaves[i].Label)
		if !ok {
			continue
		}
		class, _ := s.Taxonomy.Class(leaves[i].Label)
		t := &terms.Leaves[i]
		met := class.Family.Meet(t.Treatment, most)
		if met.Level == flow.Generalized && !class.Generalizes(met.Param) {
			met = flow.Treatment{Level: flow.Masked} // another domain's idea of the class
		}
		if class.Family.Reveals(t.Treatment, met) {
			t.Treatment, t.By, t.Reason = met, flow.ByHop, byHop
		}
	}
}

// letThrough is what the next hop is told that this one lets through: of each label that the message has, the most that shows;
// of restricted labels, whether or not the message has them, what policy gives where nothing but the label is known, so that
// nobody learns from it what the message held; and never more than hops before this one said.
func (g *Gateway) letThrough(s *Snapshot, a *Authority, f flow.Flow, leaves []flow.Leaf, terms flow.Terms) (hop.Limits, error) {
	out := hop.Limits{Retain: terms.Duties.Retain, Levels: map[flow.Label]flow.Treatment{}}
	for i := range leaves {
		label, t := leaves[i].Label, terms.Leaves[i].Treatment
		class, known := s.Taxonomy.Class(label)
		if class.Tier == flow.Restricted || !known {
			continue
		}
		if old, ok := out.Levels[label]; !ok || class.Family.Reveals(t, old) {
			out.Levels[label] = t
		}
	}
	restricted := g.hops.restrictedOf(s.Taxonomy)
	usual, err := g.Terms(s, a, policy.Query{Flow: f}, restricted)
	if err != nil {
		return hop.Limits{}, err
	}
	for i := range restricted {
		out.Levels[restricted[i].Label] = usual.Leaves[i].Treatment
	}
	out = out.Trim()
	if before, bound := g.hopLimits(s, a, &f); bound {
		out = out.Meet(before, s.Taxonomy)
	}
	out, ok := out.Within(hop.MaxLevels, s.Taxonomy)
	if !ok {
		return hop.Limits{}, refuse(RuleInternal, "", errHopMany, "The gateway cannot say what it let through, so the call did not happen.")
	}
	return out, nil
}

// generic is a leaf of each restricted class of a taxonomy, of which nothing else is known.
type generic struct {
	of     *flow.Taxonomy
	leaves []flow.Leaf
}

// restrictedOf returns such leaves, which are not to be changed.
func (m *hopMemory) restrictedOf(tax *flow.Taxonomy) []flow.Leaf {
	if g := m.generic.Load(); g != nil && g.of == tax {
		return g.leaves
	}
	g := &generic{of: tax}
	for _, c := range tax.All() {
		if c.Tier == flow.Restricted {
			g.leaves = append(g.leaves, flow.Leaf{Label: c.Label})
		}
	}
	m.generic.Store(g)
	return g.leaves
}

// enter puts a call among those under way, and refuses one that comes from another domain to an agent that is already part of
// what led to it: the chain has come back to where it was. Who means to call back begins a trace of its own.
func (g *Gateway) enter(ctx context.Context, m *Message) error {
	e, f := entryOf(ctx), &m.Query.Flow
	if e == nil || f.Trace == "" || f.Direction != flow.Request || m.Snapshot.Peers == nil {
		return nil
	}
	var parts []flow.AgentID
	for _, p := range []flow.Party{f.From, f.To} {
		if p.Domain == m.Snapshot.Domain {
			parts = append(parts, p.Agent)
		}
	}
	h := &g.hops
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.Authority.carried() != nil {
		for other, at := range h.open[trailKey{f.Trace, f.To.Agent}] {
			if other != e && at < f.Hop {
				return refuse(RuleLoop, "", nil, "The call has come back to an agent that it went out from; it goes round in a circle.")
			}
		}
	}
	for _, agent := range parts {
		k := trailKey{f.Trace, agent}
		if h.open[k] == nil {
			h.open[k] = map[*entry]int{}
		}
		if _, there := h.open[k][e]; !there {
			h.open[k][e] = f.Hop
			e.parts = append(e.parts, k)
		}
	}
	return nil
}

// leave takes a call out again. E's lock is not held.
func (m *hopMemory) leave(e *entry) {
	if len(e.parts) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range e.parts {
		if delete(m.open[k], e); len(m.open[k]) == 0 {
			delete(m.open, k)
		}
	}
	e.parts = nil
}
