package capability

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Narrower reports whether the child admits nothing that the parent does not: nil, or an *[Error] with [RuleWidened] and
// the member that widens. A child that leaves out what its parent bounds widens, as does one that keeps no limit for
// what the parent counts.
func Narrower(parent, child *Grant) error {
	if m := widens(parent, child); m != "" {
		return broken(RuleWidened, m)
	}
	return nil
}

// widens returns the first member in which the child is not within the parent, in the package's own words.
func widens(p, c *Grant) string {
	switch {
	case c.Agent != p.Agent && !isChildAgent(p.Agent, c.Agent):
		return "agent"
	case c.Names != nil:
		return "names"
	case !within(p.Audience, c.Audience):
		return "audience"
	case !recipientsWithin(p.Recipients, c.Recipients):
		return "recipients"
	case !within(p.Purposes, c.Purposes):
		return "purposes"
	case !within(p.Tasks, c.Tasks):
		return "tasks"
	case p.Criticality != nil && (c.Criticality == nil || *c.Criticality > *p.Criticality):
		return "criticality"
	case !levelsWithin(p.Levels, c.Levels):
		return "levels"
	case !datasetsWithin(p.Datasets, c.Datasets):
		return "datasets"
	case !within(p.Techniques, c.Techniques):
		return "techniques"
	case p.Cost != nil && (c.Cost == nil || c.Cost.EpsilonNano > p.Cost.EpsilonNano || c.Cost.DeltaPico > p.Cost.DeltaPico):
		return "cost"
	case p.Uses != nil && (c.Uses == nil || *c.Uses > *p.Uses):
		return "uses"
	case p.Counted != "" && c.Counted != p.Counted:
		return "counted"
	case !subset(p.Via, c.Via): // nil is none here
		return "via"
	}
	return widensTools(p, c)
}

func widensTools(p, c *Grant) string {
	switch {
	case !toolsWithin(p.Tools, c.Tools):
		return "tools"
	case c.NotBefore.Before(p.NotBefore):
		return "not_before"
	case c.Expires.After(p.Expires):
		return "expires"
	case c.MaxDepth > p.MaxDepth:
		return "max_depth"
	}
	return ""
}

// isChildAgent reports whether the name is the parent's with one more word.
func isChildAgent(parent, child string) bool {
	word, ok := strings.CutPrefix(child, parent+"/")
	return ok && isWord(word)
}

// within is subset for lists of which nil bounds nothing.
func within[S comparable](parent, child []S) bool {
	return parent == nil || child != nil && subset(parent, child)
}

func subset[S comparable](parent, child []S) bool {
	if len(parent)*len(child) <= 256 {
		return !slices.ContainsFunc(child, func(s S) bool { return !slices.Contains(parent, s) })
	}
	has := make(map[S]struct{}, len(parent)) // long lists must not cost their product
	for _, s := range parent {
		has[s] = struct{}{}
	}
	for _, s := range child {
		if _, ok := has[s]; !ok {
			return false
		}
	}
	return true
}

func recipientsWithin(parent, child []string) bool {
	if parent == nil {
		return true
	}
	if child == nil {
		return false
	}
	has := make(map[string]struct{}, len(parent))
	for _, s := range parent {
		has[s] = struct{}{}
	}
	for _, s := range child {
		if _, ok := has[s]; ok {
			continue
		}
		if _, ok := has[everyone(s)]; !ok {
			return false
		}
	}
	return true
}

// everyone returns the pattern for all names beside this one: "insurer/*" for "insurer/prior-auth".
func everyone(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first + "/*"
}

// everyLabel is the key of a grant's levels that stands for every label that has no nearer one.
const everyLabel flow.Label = "*"

// levelOf returns what the levels admit for a label.
func levelOf(levels map[flow.Label]flow.Level, l flow.Label) flow.Level {
	for a := range l.Ancestors() {
		if level, ok := levels[a]; ok {
			return level
		}
	}
	return levels[everyLabel]
}

// levelsWithin compares at each label that either names: between those, both are constant. Where neither names "*", what
// lies under none is dropped by both.
func levelsWithin(parent, child map[flow.Label]flow.Level) bool {
	if parent == nil {
		return true
	}
	if child == nil {
		return false
	}
	for l := range both(maps.Keys(parent), maps.Keys(child)) {
		if !levelWithin(levelOf(parent, l), levelOf(child, l)) {
			return false
		}
	}
	return true
}

func both[T any](a, b iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range a {
			if !yield(v) {
				return
			}
		}
		for v := range b {
			if !yield(v) {
				return
			}
		}
	}
}

// levelWithin reports whether the child's level shows no more than the parent's, whatever the label's family.
// Tokenized and generalized are of different families, and so neither is within the other.
func levelWithin(parent, child flow.Level) bool { return parent == child || parent.Reveals(child) }

// lesser returns the most that shows no more than either, whatever the label's family.
func lesser(a, b flow.Level) flow.Level {
	switch {
	case levelWithin(a, b):
		return b
	case levelWithin(b, a):
		return a
	}
	return flow.Masked
}

func datasetsWithin(parent, child map[string][]string) bool {
	if parent == nil {
		return true
	}
	if child == nil {
		return false
	}
	for name, columns := range child {
		has, ok := parent[name]
		if !ok || !within(has, columns) {
			return false
		}
	}
	return true
}

// argumentsOf returns the arguments that the tools admit for one: those under its exact name, else those under "agent/*".
func argumentsOf(tools map[string]Arguments, tool string) (Arguments, bool) {
	if a, ok := tools[tool]; ok {
		return a, true
	}
	a, ok := tools[everyone(tool)]
	return a, ok && strings.Contains(tool, "/")
}

func toolsWithin(parent, child map[string]Arguments) bool {
	if parent == nil {
		return true
	}
	if child == nil {
		return false
	}
	for name, args := range child {
		had, ok := argumentsOf(parent, name)
		if !ok || !argumentsWithin(had, args) {
			return false
		}
	}
	for name, had := range parent { // the child's "agent/*" must not reach what the parent bounds by name
		if _, named := child[name]; named {
			continue
		}
		if args, ok := argumentsOf(child, name); ok && !argumentsWithin(had, args) {
			return false
		}
	}
	return true
}

// unnamed is the key of arguments that the map does not name.
const unnamed = "*"

// open reports whether arguments that the map does not name are admitted.
func (a Arguments) open() bool {
	_, ok := a[unnamed]
	return ok || len(a) == 0
}

func argumentsWithin(parent, child Arguments) bool {
	if child.open() && !parent.open() {
		return false
	}
	for name, c := range child {
		if name == unnamed {
			continue
		}
		p, named := parent[name]
		switch {
		case !named && !parent.open():
			return false
		case !named:
			continue // the parent admits any value, or none
		case c.Optional && !p.Optional, !subsumes(&p, &c):
			return false
		}
	}
	for name, p := range parent {
		if name == unnamed {
			continue
		}
		if _, named := child[name]; !named && (!p.Optional || child.open()) {
			return false
		}
	}
	return true
}

// subsumes reports whether every value that the child admits is one that the parent admits. It follows the draft's
// section 4.5 for the kinds that are the draft's, and is conservative: pairs that are not listed are refused.
func subsumes(p, c *Constraint) bool {
	switch p.Kind {
	case Wildcard:
		return true
	case Exactly:
		return c.Kind == Exactly && subset(p.Values, c.Values)
	case Among:
		return (c.Kind == Exactly || c.Kind == Among) && subset(p.Values, c.Values)
	case InRange:
		switch c.Kind {
		case Exactly:
			return all(p, c.Values)
		case InRange:
			return tighter(p.Min, c.Min, 1) && tighter(p.Max, c.Max, -1)
		}
	case StartsOn:
		switch c.Kind {
		case Exactly, Among:
			return all(p, c.Values)
		case StartsOn, UnderPath: // what is under a path begins with it
			return strings.HasPrefix(c.Text, p.Text)
		}
	case UnderPath:
		switch c.Kind {
		case Exactly, Among:
			return all(p, c.Values)
		case UnderPath: // a prefix is not enough: it admits ways out
			return underPath(c.Text, p.Text)
		}
	}
	return false
}

func all(p *Constraint, values []Scalar) bool {
	return !slices.ContainsFunc(values, func(s Scalar) bool { return !p.admitsScalar(s) })
}

// tighter compares one end of two ranges; sign is 1 for the lower, -1 for the upper end.
func tighter(p, c *Edge, sign float64) bool {
	switch {
	case p == nil:
		return true
	case c == nil:
		return false
	case c.Value == p.Value:
		return c.Open || !p.Open
	}
	return (c.Value-p.Value)*sign > 0
}
