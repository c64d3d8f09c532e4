package policy

import (
	"fmt"
	"slices"
	"time"

	cedar "github.com/cedar-policy/cedar-go"

	"github.com/scrimhq/scrim/flow"
)

// rung is one level of a ladder with what answered for it.
type rung struct {
	level     flow.Level
	ans       answer
	allowed   bool
	exception *rule         // the permit that lifts the tier's cap to here
	outer     flow.PolicyID // what others ask for, that keeps it from being allowed
}

// verdict is what policies and tier say of one leaf, before its need. It is immutable once made: the cache shares it.
type verdict struct {
	class    flow.Class
	cap      flow.Level
	rungs    []rung         // raw, second, masked
	permits  flow.Treatment // by the policies alone
	admits   flow.Treatment // by the policies within the tier's cap
	policies []flow.PolicyID
	reason   string // why not more than permits; or the permits' own words
	duties   flow.Duties
	handle   time.Duration // the shortest of those that a determining permit asks for; 0: none
}

// judge asks every level of the label's family for a leaf seen as one resource.
func (s *Set) judge(x *index, v *view, q *Query, leaf flow.Leaf, resource cedar.Entity) verdict {
	class, _ := s.snap.tax.Class(leaf.Label)
	out := verdict{class: class, cap: tierCap(class, q)}
	m, top := x.ask(v, resource, actLevels), s.ceiling(class, q, resource)
	for _, l := range class.Family.Levels() {
		if l == flow.Dropped {
			continue
		}
		r := rung{level: l, ans: m.to(levelAction(l))}
		if r.allowed = r.ans.allowed(); r.allowed && top.above(l) {
			r.allowed, r.outer = false, top.by
		}
		if r.allowed {
			r.exception = exceptionTo(leaf, r.ans.permits)
		}
		out.rungs = append(out.rungs, r)
	}
	first := slices.IndexFunc(out.rungs, func(r rung) bool { return r.allowed })
	within := slices.IndexFunc(out.rungs, func(r rung) bool {
		return r.allowed && (!r.level.Reveals(out.cap) || r.exception != nil)
	})
	out.decide(first, within)
	out.duties = s.retain(out.duties, class.Label, resource)
	return out
}

// tierCap is the most revealing level without an exception. Restricted data is raw at a critical task for an attested
// recipient, or where a person approved.
func tierCap(class flow.Class, q *Query) flow.Level {
	if class.Tier == flow.Restricted && q.Flow.Task.Criticality == flow.Critical && (q.Flow.To.Attested || q.Approved) {
		return flow.Raw
	}
	return flow.TierCap(class.Tier, q.Flow.Task.Criticality, class.Family)
}

// exceptionTo returns the permit that lifts the tier's cap for a leaf, nil if there is none.
func exceptionTo(leaf flow.Leaf, permits []*rule) *rule {
	for _, p := range permits {
		if p.lifts(leaf) {
			return p
		}
	}
	return nil
}

// decide fills in the outcome: top is the first rung that policies allow, within the first one that the tier admits too.
func (v *verdict) decide(top, within int) {
	denied := v.rungs
	if top >= 0 {
		denied = v.rungs[:top]
		v.permits = v.treatment(v.rungs[top])
		v.policies = ids(v.rungs[top].ans.permits)
	}
	if within >= 0 {
		r := v.rungs[within]
		v.admits = v.treatment(r)
		v.policies = ids(r.ans.permits)
		for _, p := range r.ans.permits {
			v.handle = shorter(v.handle, p.handle)
		}
		if v.class.Tier != flow.Public {
			v.duties = dutiesOf(r.ans.permits)
		}
	}
	for _, r := range denied {
		for _, id := range ids(r.ans.forbids, r.ans.failed) {
			if !slices.Contains(v.policies, id) {
				v.policies = append(v.policies, id)
			}
		}
		if r.outer != "" && !slices.Contains(v.policies, r.outer) {
			v.policies = append(v.policies, r.outer)
		}
	}
	v.reason = v.why(top)
}

// treatment returns a level with the strictest of the parameters that the permits of a rung ask for.
func (v *verdict) treatment(r rung) flow.Treatment {
	var t flow.Treatment
	for i, asked := 0, false; i < len(r.ans.permits); i++ {
		p, ok := r.ans.permits[i].param(v.class.Family, r.level)
		if !ok {
			continue
		}
		one := v.class.Resolve(flow.Treatment{Level: r.level, Param: p})
		if !asked {
			t, asked = one, true
		}
		t = v.class.Family.Meet(t, one) // with itself too: a parameter that the family does not have goes
	}
	if t.Level == flow.Dropped { // no permit asks for anything: the label's default
		t = v.class.Resolve(flow.Treatment{Level: r.level})
	}
	return t
}

// why says in words what kept the policies from permitting more: the level just above the one permitted is what counts.
func (v *verdict) why(top int) string {
	if top == 0 {
		return firstReason(v.rungs[0].ans.permits)
	}
	above := v.rungs[len(v.rungs)-1]
	if top > 0 {
		above = v.rungs[top-1]
	}
	switch {
	case len(above.ans.failed) > 0:
		return fmt.Sprintf("policy %s could not be evaluated", ids(above.ans.failed)[0])
	case len(above.ans.forbids) > 0:
		if words := firstReason(above.ans.forbids); words != "" {
			return words
		}
		return fmt.Sprintf("policy %s forbids more", ids(above.ans.forbids)[0])
	case above.outer != "":
		return fmt.Sprintf("policy %s forbids more", above.outer)
	case top > 0:
		if words := firstReason(v.rungs[top].ans.permits); words != "" {
			return words
		}
		return "no policy permits more than " + v.rungs[top].level.String()
	}
	return "no policy permits it"
}

// firstReason returns the words of the first rule, by id, that has some.
func firstReason(rules []*rule) string {
	var first *rule
	for _, r := range rules {
		if r.reason != "" && (first == nil || r.id < first.id) {
			first = r
		}
	}
	if first == nil {
		return ""
	}
	return first.reason
}

// meet combines what is said of one leaf seen as two resources: nothing shows that either would not show.
func (v verdict) meet(w verdict) verdict {
	f := v.class.Family
	out := v
	out.permits, out.admits = f.Meet(v.permits, w.permits), f.Meet(v.admits, w.admits)
	if out.admits != v.admits {
		out.reason = w.reason
	}
	out.policies = slices.Compact(slices.Sorted(slices.Values(slices.Concat(v.policies, w.policies))))
	out.duties = mergeDuties(v.duties, w.duties)
	out.handle = shorter(v.handle, w.handle)
	out.rungs = slices.Concat(v.rungs, w.rungs)
	return out
}

// shorter is the shorter of two lives of a reference, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// terms applies the need of the leaf, and says what set the level in the end.
func (v *verdict) terms(q *Query, need *flow.Treatment) flow.LeafTerms {
	out := flow.LeafTerms{Treatment: v.admits, Policies: v.policies, Reason: v.reason, Handle: v.handle}
	wanted := v.permits
	if need != nil {
		n := v.class.Resolve(*need)
		wanted = v.class.Family.Meet(v.permits, n)
		out.Treatment = v.class.Family.Meet(v.admits, n)
	}
	switch {
	case out.Treatment == v.permits:
		out.By = flow.ByPolicy
	case out.Treatment == wanted:
		out.By = flow.ByNeed
		out.Reason = "the recipient's task needs no more than " + out.Treatment.String()
	default:
		out.By = flow.ByTier
		out.Reason = capReason(v.class.Tier, q.Flow.Task.Criticality, v.cap)
	}
	return out
}

func capReason(t flow.Tier, c flow.Criticality, limit flow.Level) string {
	if limit == flow.Dropped {
		return fmt.Sprintf("%s data is not shown at a task of %s criticality", t, c)
	}
	return fmt.Sprintf("%s data shows at most %s at a task of %s criticality", t, limit, c)
}
