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
func (g *Gateway) bound(f *flow.Flow) []*contract.Contract {
	if g.contracts == nil || !f.CrossesDomain() {
		return nil
	}
	return g.contracts.InForce(f, g.now())
}

// named is what policies see of contracts: the id of each, and its name behind the other domain's, so that no peer can give
// a contract the name of another's.
func named(own flow.DomainID, bound []*contract.Contract) (names []string) {
	for _, c := range bound {
		names = append(names, c.ID(), string(c.Other(own).Domain)+":"+c.Name)
	}
	return names
}

func idsOf(bound []*contract.Contract) (ids []string) {
	for _, c := range bound {
		ids = append(ids, c.ID())
	}
	return ids
}

// meetContracts takes away what a contract does not let show.
func meetContracts(tax *flow.Taxonomy, from flow.DomainID, bound []*contract.Contract, leaves []flow.Leaf, terms []flow.LeafTerms) {
	for _, c := range bound {
		for i := range terms {
			t := &terms[i]
			class, _ := tax.Class(leaves[i].Label)
			if less := c.Limit(from, class, &leaves[i], t.Treatment); less != t.Treatment {
				t.Treatment, t.By, t.Reason = less, flow.ByContract, "the contract between the two domains lets no more show"
			}
		}
	}
}

// dutiesUnder adds the duties of contracts to those of policy.
func dutiesUnder(from flow.DomainID, bound []*contract.Contract, d flow.Duties) flow.Duties {
	for _, c := range bound {
		d = c.Duties(from, d)
	}
	return d
}

// contractPins says by which contracts something was decided.
func (g *Gateway) contractPins(f *flow.Flow) string {
	return strings.Join(idsOf(g.bound(f)), " ")
}

// stillBound reports whether the contracts that a flow was decided by are those that bind it now. Within a transaction that
// answers for as long as the transaction lasts.
func (g *Gateway) stillBound(f *flow.Flow, by []string) bool {
	return slices.Equal(idsOf(g.bound(f)), by)
}
