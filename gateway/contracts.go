package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/contract"
)

// Contracts are what domains agreed on, as far as flows depend on it. It must be safe for concurrent use and quick: every message
// asks.
type Contracts interface {
	// InForce returns the contracts that bind a flow at a time, in an order that stays. What was ended is not among them from the
	// moment on at which its end is on record.
	InForce(f *flow.Flow, at time.Time) []*contract.Contract
}

// bound returns the contracts that bind a flow now.
func (g *Gateway) bound(f *flow.Flow) Agreed {
	if g.contracts == nil || !f.CrossesDomain() {
		return nil
	}
	return g.contracts.InForce(f, g.now())
}

// Agreed are the contracts that bind a flow.
type Agreed []*contract.Contract

// Names is what policies see of contracts: the id of each, and its name behind the other domain's, so that no peer can give a
// contract the name of another's.
func (a Agreed) Names(own flow.DomainID) (names []string) {
	for _, c := range a {
		if c.Name != "" { // see [contract.Contract.Unnamed]
			names = append(names, c.ID(), string(c.Other(own).Domain)+":"+c.Name)
		}
	}
	return names
}

// IDs returns the id of each.
func (a Agreed) IDs() (ids []string) {
	for _, c := range a {
		ids = append(ids, c.ID())
	}
	return ids
}

// Meet takes away what a contract does not let show.
func (a Agreed) Meet(tax *flow.Taxonomy, from flow.DomainID, leaves []flow.Leaf, terms []flow.LeafTerms) {
	for _, c := range a {
		for i := range terms {
			t := &terms[i]
			class, _ := tax.Class(leaves[i].Label)
			if less := c.Limit(from, class, &leaves[i], t.Treatment); less != t.Treatment {
				t.Treatment, t.By, t.Reason = less, flow.ByContract, "the contract between the two domains lets no more show"
			}
		}
	}
}

// Duties adds the duties of contracts to those of policy.
func (a Agreed) Duties(from flow.DomainID, d flow.Duties) flow.Duties {
	for _, c := range a {
		d = c.Duties(from, d)
	}
	return d
}

// contractPins says by which contracts something was decided, and which of them policies saw.
func (g *Gateway) contractPins(s *Snapshot, f *flow.Flow) string {
	bound := g.bound(f)
	return strings.Join(append(bound.IDs(), bound.Names(s.Domain)...), " ")
}

// stillBound reports whether the contracts that a flow was decided by are those that bind it now, and policies would see the same of
// them. Within a transaction that answers for as long as the transaction lasts.
func (g *Gateway) stillBound(m *Message, by []string) bool {
	bound := g.bound(&m.Query.Flow)
	return slices.Equal(bound.IDs(), by) && slices.Equal(bound.Names(m.Snapshot.Domain), m.Query.Contracts)
}
