package policy

import (
	"maps"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"

	"github.com/scrimhq/scrim/flow"
)

// Annotated returns what the annotations of a policy in force lay on recipients, and why; false if there is none of this name. A Retain of 0 says
// that the policy says nothing of it.
func (s *Set) Annotated(id flow.PolicyID) (duties flow.Duties, reason string, ok bool) {
	r := s.enforced.rules[cedar.PolicyID(id)]
	if r == nil {
		return flow.Duties{}, "", false
	}
	return flow.Duties{Retain: r.retain, Notify: slices.Clone(r.notify), Basis: slices.Clone(r.basis)}, r.reason, true
}

// Names are the policies in force, in order.
func (s *Set) Names() []flow.PolicyID {
	names := make([]flow.PolicyID, 0, len(s.enforced.rules))
	for id := range maps.Keys(s.enforced.rules) {
		names = append(names, flow.PolicyID(id))
	}
	slices.Sort(names)
	return names
}
