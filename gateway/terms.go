package gateway

import (
	"errors"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

var errTerms = errors.New("terms do not match leaves")

// Terms decides the leaves of a flow: by policy, and then by everything outside it, which only narrows. A message is changed by
// what it says, and who asks for terms before sending is told nothing else. With an error come zero terms, which forbid everything.
func (g *Gateway) Terms(s *Snapshot, a *Authority, q policy.Query, leaves []flow.Leaf) (flow.Terms, error) {
	bound := g.bound(&q.Flow)
	q.Contracts = bound.Names(s.Domain)
	q.Capabilities = a.Names()
	terms, err := s.Policy.Decide(q, leaves)
	if err != nil {
		return flow.Terms{}, refuse(RulePolicy, "", err, "The gateway's policy could not decide this flow, so it did not happen.")
	}
	if len(terms.Leaves) != len(leaves) {
		return flow.Terms{}, refuse(RuleInternal, "", errTerms, "The gateway could not decide this flow, so it did not happen.")
	}
	s.Governed(&q.Flow, "", leaves, terms.Leaves)
	s.Governed(&q.Flow, "", leaves, terms.Shadow)
	bound.Meet(s.Taxonomy, q.Flow.From.Domain, leaves, terms.Leaves)
	bound.Meet(s.Taxonomy, q.Flow.From.Domain, leaves, terms.Shadow)
	terms.Duties = bound.Duties(q.Flow.From.Domain, terms.Duties)
	terms.Contracts = bound.IDs()
	g.meetHops(s, a, &q.Flow, leaves, &terms)
	a.meet(s.Taxonomy, leaves, terms.Leaves)
	a.meet(s.Taxonomy, leaves, terms.Shadow)
	terms.Duties, _ = s.Retained(leaves, terms.Leaves, terms.Duties)
	return terms, nil
}
