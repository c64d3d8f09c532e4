package policy

import (
	"github.com/scrimhq/scrim/flow"
)

// Asked is the answer of the policies for one level.
type Asked struct {
	Level     flow.Level
	Allowed   bool            // by the policies
	Capped    bool            // allowed, but above the tier's cap without an exception
	Permits   []flow.PolicyID // whose conditions hold
	Forbids   []flow.PolicyID // whose conditions hold
	Errors    []flow.PolicyID // that could not be evaluated
	Exception flow.PolicyID   // the permit that lifts the tier's cap to this level
}

// Explanation tells how one leaf came by its terms.
type Explanation struct {
	Flow       flow.Flow
	Leaf       flow.Leaf
	Class      flow.Class
	Asked      []Asked        // most revealing level first
	Policy     flow.Treatment // what the policies permit
	Cap        flow.Level     // what tier and criticality admit without an exception
	Result     flow.LeafTerms
	Duties     flow.Duties
	Shadow     *flow.LeafTerms // what would hold with the shadow policies; nil: there are none
	PolicyHash string
}

// Explain returns how the leaf comes by its terms: each level asked, and what answered.
func (s *Set) Explain(q Query, leaf flow.Leaf) (Explanation, error) { return Explanation{}, nil }

// String returns the explanation as aligned plain text of several lines.
func (e Explanation) String() string { return "" }
