package exposure

import (
	"slices"
	"sync"

	"github.com/scrimhq/scrim/flow"
)

// Rule is a combination of pieces that together single a person out.
type Rule struct {
	Name   string
	Source string // where one reads that they do
	Of     []Element
	Allow  int          // how many of the pieces an audience may hold finer than stated; 0: all but one
	Known  []flow.Label // the rule says nothing of a subject of whom one of these was shown raw: who it is, policy has told
}

// Element is one piece of a combination. It is held if so many different values of its labels were shown at a finer level than stated.
type Element struct {
	Name  string
	Any   []Alternative
	Count int // different values; 0: one
}

// Alternative is a label by which a piece may come, and the level at which it does not count.
type Alternative struct {
	Label flow.Label // and all labels within it
	To    flow.Treatment
}

// Refinement gives values a narrower label for the rules alone: a diagnosis that is rare, for example.
type Refinement struct {
	Label    flow.Label // whose values
	Prefixes []string   // by which they begin, in lower case
	As       flow.Label // within Label
}

// Rules are what an audience may not hold together. They are immutable and safe for concurrent use.
type Rules struct {
	rules   []Rule
	refine  []Refinement
	pieces  int      // of all rules
	byLabel sync.Map // flow.Label → *role
	counts  sync.Map // shownAs → []bool: of the label's parts, for which it counts
}

// role is what a label is to the rules.
type role struct {
	parts []part
	known bool
}

// part is that values of the label are a piece of a rule.
type part struct {
	rule, element int
	to            flow.Treatment
}

// Rules returns the rules, in the order in which they are looked at. The slice is not to be changed.
func (r *Rules) Rules() []Rule { return r.rules }

// Refinements returns which values have narrower labels. The slice is not to be changed.
func (r *Rules) Refinements() []Refinement { return r.refine }

// roleOf returns what the label is to the rules; nil: nothing.
func (r *Rules) roleOf(l flow.Label) *role {
	if x, ok := r.byLabel.Load(l); ok {
		return x.(*role)
	}
	x := &role{}
	for i := range r.rules {
		rule := &r.rules[i]
		x.known = x.known || slices.ContainsFunc(rule.Known, l.Within)
		for j := range rule.Of {
			for _, a := range rule.Of[j].Any {
				if l.Within(a.Label) { // the first alternative that fits
					x.parts = append(x.parts, part{rule: i, element: j, to: a.To})
					break
				}
			}
		}
	}
	for i := range r.refine {
		if l.Within(r.refine[i].Label) && len(x.parts) == 0 { // it may get a label that has parts
			x.known = true
		}
	}
	if len(x.parts) == 0 && !x.known {
		x = nil
	}
	r.byLabel.Store(l, x) // labels are those of the taxonomy and of configured schemas
	return x
}

// shownAs is a label at a level. There are as many as policies and rules name.
type shownAs struct {
	label flow.Label
	at    flow.Treatment
}

// counting reports for each part of a label whether values that are shown at a level count for it.
func (r *Rules) counting(role *role, fam flow.Family, label flow.Label, at flow.Treatment) []bool {
	k := shownAs{label, at}
	if x, ok := r.counts.Load(k); ok {
		return x.([]bool)
	}
	out := make([]bool, len(role.parts))
	for i, p := range role.parts {
		out[i] = finer(fam, at, p.to)
	}
	r.counts.Store(k, out)
	return out
}

// refined returns the label of a value to the rules.
func (r *Rules) refined(l flow.Label, value string) flow.Label {
	for i := range r.refine {
		f := &r.refine[i]
		if !l.Within(f.Label) {
			continue
		}
		for _, p := range f.Prefixes {
			if begins(value, p) {
				return f.As
			}
		}
	}
	return l
}

// begins reports whether a value begins with a prefix, which is in lower case. Codes are written with and without dots, spaces and capitals.
func begins(value, prefix string) bool {
	i := 0
	next := func(p byte) bool {
		for ; i < len(value); i++ {
			c := value[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			if skipped(c) {
				continue
			}
			i++
			return c == p
		}
		return false
	}
	for k := range len(prefix) {
		if !skipped(prefix[k]) && !next(prefix[k]) {
			return false
		}
	}
	return true
}

func skipped(c byte) bool { return c <= ' ' || c == '.' || c == '-' }

// allowed is how many pieces of a rule may be held.
func (r *Rule) allowed() int {
	if r.Allow > 0 {
		return r.Allow
	}
	return len(r.Of) - 1
}

func (e *Element) count() int { return max(e.Count, 1) }

// Concerns reports whether the rules have anything to say about a label.
func (s *Settings) Concerns(l flow.Label) bool { return s.Rules.roleOf(l) != nil }
