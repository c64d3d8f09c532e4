package policy

import (
	cedar "github.com/cedar-policy/cedar-go"

	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// mostReasons bounds what [Widens] tells.
const mostReasons = 32

// Widens says what keeps the policies of next from being known to permit no more than those of old do. None: whatever is asked of both, next shows
// no leaf at a more revealing level or parameter, keeps it no longer, opens no token, answers no question and lets out no table that old
// would not, and none of what old asks of whoever receives something is missing (TestWhatDoesNotWidenNeverRevealsMore). Duties are compared leaf by
// leaf. Shadow policies, which are not enforced, do not count.
//
// It does not find out everything that is narrower: conditions are compared as they are written, and entities and taxonomy must be the same but
// for titles. What it cannot follow is told as a reason.
func Widens(old, next *Set) []string {
	if why := entitiesDiffer(old.snap, next.snap); len(why) > 0 {
		return why
	}
	w := &widening{snap: next.snap, old: permitsAndForbids(old.enforced), next: permitsAndForbids(next.enforced), bySig: map[string][]*shape{}}
	for _, sh := range w.next.all() {
		w.bySig[sh.sig] = append(w.bySig[sh.sig], sh)
	}
	w.classes = append(next.snap.tax.All(), flow.Class{}) // the last of a label that nothing is known of
	w.permits()
	w.forbids()
	w.failures()
	w.parameters()
	w.duties()
	w.carried(old, next)
	w.uses(old, next)
	w.outside(old, next)
	slices.Sort(w.why)
	w.why = slices.Compact(w.why)
	if n := len(w.why) - mostReasons; n > 0 {
		w.why = append(w.why[:mostReasons], fmt.Sprintf("and %d more", n))
	}
	return w.why
}

// entitiesDiffer compares what policies are evaluated against. A class that became stricter may still open: it then wins over another that a
// detector found in the same place and of which less would be shown.
func entitiesDiffer(old, next *snapshot) (why []string) {
	differ := func(what string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			why = append(why, what+" changed")
		}
	}
	differ("classes of the taxonomy", untitled(old.tax), untitled(next.tax))
	differ("agents, or their domains, roles or attestation,", partiesOf(old), partiesOf(next))
	differ("roles", old.roles, next.roles)
	differ("fields of the catalog", unused(old), unused(next))
	differ("datasets", old.formal, next.formal)
	if len(why) == 0 {
		differ("purposes", named(old), named(next))
	}
	return why
}

// unused are the fields without what they may be used for.
func unused(sn *snapshot) map[string]Field {
	out := maps.Clone(sn.fields)
	for name, f := range out {
		f.Use = Use{}
		out[name] = f
	}
	return out
}

// named are all entities but those that data contracts say more of.
func named(sn *snapshot) cedar.EntityMap {
	out := maps.Clone(sn.static)
	maps.DeleteFunc(out, func(id cedar.EntityUID, _ cedar.Entity) bool { return id.Type == typeField || id.Type == typeDataset })
	return out
}

func untitled(t *flow.Taxonomy) []flow.Class {
	all := t.All()
	for i := range all {
		all[i].Title, all[i].DPV = "", ""
	}
	return all
}

func partiesOf(sn *snapshot) map[flow.AgentID]flow.Party {
	out := make(map[flow.AgentID]flow.Party, len(sn.agents))
	for id, k := range sn.agents {
		p := k.party
		p.Roles = slices.Sorted(slices.Values(p.Roles))
		out[id] = p
	}
	return out
}

// widening is a comparison of two sets.
type widening struct {
	snap      *snapshot
	old, next rulesOf
	bySig     map[string][]*shape // of next
	classes   []flow.Class
	why       []string
}

type rulesOf struct{ permits, forbids []*shape }

func (r rulesOf) all() []*shape { return slices.Concat(r.permits, r.forbids) }

func permitsAndForbids(x *index) (out rulesOf) {
	for _, id := range slices.Sorted(maps.Keys(x.rules)) {
		if sh := shapeOf(x.rules[id]); sh.forbid {
			out.forbids = append(out.forbids, sh)
		} else {
			out.permits = append(out.permits, sh)
		}
	}
	return out
}

func (w *widening) reason(format string, args ...any) {
	w.why = append(w.why, fmt.Sprintf(format, args...))
}

// permits: whatever a permit of next permits, one of old permitted.
func (w *widening) permits() {
	for _, p := range w.next.permits {
		for a := action(1); a <= actExtract; a <<= 1 {
			if p.covers&a != 0 && !slices.ContainsFunc(w.old.permits, func(q *shape) bool { return q.covers&a != 0 && w.opensNoMore(p, q) }) {
				w.reason("policy %s permits what no policy permitted before, or not so", p.id)
				break
			}
		}
	}
}

// opensNoMore reports whether q of old holds wherever p holds, and lifts the tier's cap there if p does.
func (w *widening) opensNoMore(p, q *shape) bool {
	return w.implies(p, q) && (!p.exception || q.exception && p.exactResource == q.exactResource)
}

// forbids: whatever one of old forbids, one of next forbids.
func (w *widening) forbids() {
	for _, f := range w.old.forbids {
		for a := action(1); a <= actExtract; a <<= 1 {
			if f.covers&a != 0 && !slices.ContainsFunc(w.next.forbids, func(g *shape) bool { return g.covers&a != 0 && w.implies(f, g) }) {
				w.reason("policy %s forbade what no policy forbids any more, or not so", f.id)
				break
			}
		}
	}
}

// failures: a policy that cannot be evaluated denies what it covers, so one that may fail has to stay as it is.
func (w *widening) failures() {
	for _, r := range w.old.all() {
		if r.sound {
			continue
		}
		covered := action(0)
		for _, s := range w.bySig[r.sig] {
			covered |= s.covers
		}
		if r.covers&^covered != 0 {
			w.reason("policy %s may be one that cannot be evaluated, and denied what it covers then; it is not there any more as it was", r.id)
		}
	}
}

// parameters: of the permits that hold, the strictest parameter counts, so that one less of them may show more.
func (w *widening) parameters() {
	for _, level := range []flow.Level{flow.Masked, flow.Tokenized, flow.Generalized} {
		act := levelAction(level)
		cover := func(all []*shape) []*shape {
			return slices.DeleteFunc(slices.Clone(all), func(s *shape) bool { return s.covers&act == 0 })
		}
		old, next := cover(w.old.permits), cover(w.next.permits)
		for _, c := range w.classes {
			if c.Family.Has(level) {
				w.parametersOf(&c, level, old, next)
			}
		}
	}
}

func (w *widening) parametersOf(c *flow.Class, level flow.Level, old, next []*shape) {
	unasked := c.Resolve(flow.Treatment{Level: level})
	shows := func(s *shape) (t flow.Treatment, asked bool) {
		p, asked := s.param(c.Family, level)
		if !asked {
			return unasked, false
		}
		return c.Resolve(flow.Treatment{Level: level, Param: p}), true
	}
	for _, q := range old {
		was, asked := shows(q)
		if !asked {
			continue
		}
		kept := slices.ContainsFunc(w.bySig[q.sig], func(s *shape) bool {
			t, asked := shows(s)
			return asked && !s.forbid && s.covers&levelAction(level) != 0 && !c.Family.Reveals(t, was)
		})
		if kept {
			continue
		}
		for _, s := range next {
			if t, _ := shows(s); c.Family.Reveals(t, was) && !apart(w.snap, s.tree.Resource, q.tree.Resource) {
				w.reason("policy %s held %s to %s, and policy %s does not", q.id, c.Label, was, s.id)
				break
			}
		}
	}
	for _, s := range next {
		t, asked := shows(s)
		if !asked || !c.Family.Reveals(t, unasked) {
			continue
		}
		if !slices.ContainsFunc(old, func(q *shape) bool { _, asked := shows(q); return asked && w.implies(s, q) }) {
			w.reason("policy %s shows %s as %s, which is more than by default", s.id, c.Label, t)
		}
	}
}

// duties: of the permits that hold, all duties add up, so that one less of them may ask for less.
func (w *widening) duties() {
	const passing = actLevels | actExtract
	for _, q := range w.old.permits {
		if q.covers&passing == 0 || slices.ContainsFunc(w.bySig[q.sig], func(s *shape) bool { return !s.forbid && q.covers&passing&^s.covers == 0 && asksNoLess(s, q) }) {
			continue
		}
		for _, s := range w.next.permits {
			if s.covers&passing != 0 && !asksNoLess(s, q) && !apart(w.snap, s.tree.Resource, q.tree.Resource) {
				w.reason("policy %s asked for duties, or for a reference in the data's place, and policy %s asks for less", q.id, s.id)
				break
			}
		}
	}
}

// asksNoLess reports whether s asks of a recipient all that q asks.
func asksNoLess(s, q *shape) bool {
	has := func(all, some []string) bool {
		return !slices.ContainsFunc(some, func(n string) bool { return !slices.Contains(all, n) })
	}
	return s.retain <= q.retain && has(s.notify, q.notify) && has(s.basis, q.basis) && (q.handle == 0 || 0 < s.handle && s.handle <= q.handle)
}

// carried: what a field carries can only hold it down.
func (w *widening) carried(old, next *Set) {
	for _, field := range slices.Sorted(maps.Keys(old.carried)) {
		for _, l := range old.carried[field] {
			if f := next.snap.fields[field]; l != f.Label && !slices.Contains(next.carried[field], l) {
				w.reason("field %s carried %s and does not any more", field, l)
			}
		}
	}
}

// uses: contracts may let data be used for less, unless policies ask what they let it be used for.
func (w *widening) uses(old, next *Set) {
	differ := false
	compare := func(what, name string, was, is Use) {
		differ = differ || !reflect.DeepEqual(was, is)
		if !was.admits(is) {
			w.reason("%s %s may be used for more, otherwise or longer", what, name)
		}
	}
	for name, f := range next.snap.fields {
		compare("field", name, old.snap.fields[name].Use, f.Use)
	}
	for name, u := range next.snap.uses {
		compare("dataset", name, old.snap.uses[name], u)
	}
	if !differ {
		return
	}
	for _, sh := range slices.Concat(w.old.all(), w.next.all()) {
		for _, c := range sh.tree.Conditions {
			if asksAttr(c.Body, "purposes") || asksAttr(c.Body, "techniques") || asksAttr(c.Body, "retain") {
				w.reason("policy %s asks what contracts let data be used for, and that changed", sh.id)
			}
		}
	}
}

// admits reports whether another use is the same or less.
func (u Use) admits(v Use) bool {
	return within(u.Purposes, v.Purposes) && within(u.Techniques, v.Techniques) && (u.Retain == v.Retain || v.Retain > 0 && (u.Retain == 0 || v.Retain < u.Retain))
}

// within reports whether a list allows no more than another. An empty one allows all.
func within[T comparable](was, is []T) bool {
	return len(was) == 0 || len(is) > 0 && !slices.ContainsFunc(is, func(p T) bool { return !slices.Contains(was, p) })
}

// outside: what other domains ask for only takes away, so that none of it may be missing.
func (w *widening) outside(old, next *Set) {
	for _, o := range old.snap.outside {
		if !slices.ContainsFunc(next.snap.outside, func(n Outside) bool { return reflect.DeepEqual(o, n) }) {
			w.reason("what %s asks for is missing, or is another version", o.From)
		}
	}
}

// implies reports whether q holds in every request in which p holds, whatever the action. Their effects do not count.
func (w *widening) implies(p, q *shape) bool {
	if p.sig == q.sig {
		return true
	}
	return scopeWithin(w.snap, p.tree.Principal, q.tree.Principal) && scopeWithin(w.snap, p.tree.Resource, q.tree.Resource) &&
		!slices.ContainsFunc(q.conditions, func(c string) bool { return !slices.Contains(p.conditions, c) })
}

// words joins what tells two shapes apart.
func words(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%d:%s", len(p), p)
	}
	return b.String()
}
