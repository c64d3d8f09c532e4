package policy

import (
	"iter"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"

	"github.com/scrimhq/scrim/flow"
)

// index finds the few rules whose scope can match a request, by the entity that the principal scope names and the one
// that the resource scope names. Cedar alone would evaluate every policy at every request.
type index struct {
	rules map[cedar.PolicyID]*rule
	by    map[cedar.EntityUID]map[cedar.EntityUID][]*rule // principal, resource; zero: any
	size  int
	used  contextUse
	cuts  []uint8 // of all rules, ordered
}

func newIndex(rules []*rule) *index {
	x := &index{
		rules: make(map[cedar.PolicyID]*rule, len(rules)), size: len(rules),
		by: make(map[cedar.EntityUID]map[cedar.EntityUID][]*rule),
	}
	for _, r := range rules {
		x.rules[cedar.PolicyID(r.id)] = r
		sub := x.by[r.principal]
		if sub == nil {
			sub = make(map[cedar.EntityUID][]*rule)
			x.by[r.principal] = sub
		}
		sub[r.resource] = append(sub[r.resource], r)
		x.used = x.used.plus(r.used)
		x.cuts = append(x.cuts, r.cuts...)
	}
	slices.Sort(x.cuts)
	x.cuts = slices.Compact(x.cuts)
	return x
}

// candidates are the rules to evaluate for one request. They implement [cedar.PolicyIterator].
type candidates []*rule

// All yields each candidate's condition, under the rule's own id.
func (c candidates) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range c {
			if !yield(cedar.PolicyID(r.id), r.when) {
				return
			}
		}
	}
}

// find appends the rules whose scope can match and that cover one of the actions. Each rule stands in one bucket, and an
// entity is not its own ancestor, so no rule is appended twice.
func (x *index) find(out candidates, principal, resource cedar.Entity, acts action) candidates {
	one := func(p cedar.EntityUID) {
		sub := x.by[p]
		if len(sub) == 0 {
			return
		}
		take := func(r cedar.EntityUID) {
			for _, c := range sub[r] {
				if c.covers&acts != 0 {
					out = append(out, c)
				}
			}
		}
		take(cedar.EntityUID{})
		take(resource.UID)
		for r := range resource.Parents.All() {
			take(r)
		}
	}
	one(cedar.EntityUID{})
	one(principal.UID)
	for p := range principal.Parents.All() {
		one(p)
	}
	return out
}

// matched are the rules whose scope and conditions hold for one request, and those that could not be evaluated.
type matched struct {
	hold   []*rule
	failed []*rule
}

// ask evaluates the candidates for a request, whatever the action.
func (x *index) ask(v *view, resource cedar.Entity, acts action) (m matched) {
	v.resource = resource
	v.found = x.find(v.found[:0], v.principal, resource, acts)
	if len(v.found) == 0 {
		return m
	}
	_, diag := cedar.Authorize(v.found, v, cedar.Request{
		Principal: v.principal.UID, Action: cedar.EntityUID{Type: typeAction}, Resource: resource.UID, Context: v.context,
	})
	for _, why := range diag.Reasons {
		m.hold = append(m.hold, x.rules[why.PolicyID])
	}
	for _, why := range diag.Errors {
		m.failed = append(m.failed, x.rules[why.PolicyID])
	}
	return m
}

// answer is what policies say to one action.
type answer struct {
	permits, forbids, failed []*rule
}

func (m matched) to(a action) (ans answer) {
	for _, r := range m.hold {
		switch {
		case r.covers&a == 0:
		case r.forbid:
			ans.forbids = append(ans.forbids, r)
		default:
			ans.permits = append(ans.permits, r)
		}
	}
	for _, r := range m.failed {
		if r.covers&a != 0 {
			ans.failed = append(ans.failed, r)
		}
	}
	return ans
}

// allowed reports whether the action is permitted. A policy that could not be evaluated denies what it covers: Cedar
// itself would skip it, and a forbid that is skipped opens.
func (a answer) allowed() bool {
	return len(a.permits) > 0 && len(a.forbids) == 0 && len(a.failed) == 0
}

func ids(groups ...[]*rule) (out []flow.PolicyID) {
	for _, rules := range groups {
		for _, r := range rules {
			if !slices.Contains(out, r.id) {
				out = append(out, r.id)
			}
		}
	}
	slices.Sort(out)
	return out
}

// view is one request's entities: those of the snapshot, with recipient, sender and resource as the flow has them.
// It belongs to one goroutine.
type view struct {
	static    cedar.EntityMap
	principal cedar.Entity
	from      cedar.Entity
	resource  cedar.Entity
	context   cedar.Record
	asked     cedar.RecordMap // what context holds
	score     uint8           // in context, if policies ask
	found     candidates      // reused from one leaf to the next
}

// Get implements [cedar.EntityGetter].
func (v *view) Get(id cedar.EntityUID) (cedar.Entity, bool) {
	switch id {
	case v.principal.UID:
		return v.principal, true
	case v.resource.UID:
		return v.resource, true
	case v.from.UID:
		return v.from, true
	}
	e, ok := v.static[id]
	return e, ok
}
