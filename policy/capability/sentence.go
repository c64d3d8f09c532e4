package capability

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Sentence tells what a grant admits, for a person, every bound and what is not bounded. Text that could surprise a terminal
// is quoted.
func Sentence(g Grant) string { return sentence(&g, "", -1) }

// String tells what the link admits, for a person.
func (l *Link) String() string { return sentence(&l.Grant, "", l.Depth) }

// String tells what each link admits, for a person, one line each, root first. The last line is what all of them admit.
func (vd *Verified) String() string {
	var lines []string
	for i := range vd.Links {
		lines = append(lines, sentence(&vd.Links[i].Grant, vd.Issuer, vd.Links[i].Depth))
	}
	return strings.Join(lines, "\n")
}

const dateForm = "2006-01-02 15:04:05 UTC"

// sentence writes one; without a depth it cannot say how many more times the token may be handed on.
func sentence(g *Grant, issuer flow.DomainID, depth int) string {
	var b strings.Builder
	b.WriteString(shown(g.Agent))
	if issuer != "" {
		b.WriteString(" of " + shown(string(issuer)))
	}
	b.WriteString(" may, ")
	if !g.NotBefore.IsZero() {
		b.WriteString("from " + g.NotBefore.UTC().Format(dateForm) + " ")
	}
	b.WriteString("until " + g.Expires.UTC().Format(dateForm))
	b.WriteString(", send to " + list(g.Recipients, "or", "anybody", "nobody"))
	b.WriteString(" for " + list(g.Purposes, "or", "any purpose", "no purpose"))
	if g.Tasks != nil {
		b.WriteString(" in " + list(g.Tasks, "or", "", "no task"))
	}
	b.WriteString(": " + strings.Join(g.clauses(depth), "; "))
	return b.String()
}

// clauses are the parts of a sentence behind the colon.
func (g *Grant) clauses(depth int) []string {
	all := []string{levelsClause(g.Levels)}
	if g.Criticality != nil {
		all = append(all, "criticality at most "+g.Criticality.String())
	}
	if g.Tools != nil {
		all = append(all, "calls "+toolsClause(g.Tools))
	}
	if g.Datasets != nil {
		all = append(all, "reads "+datasetsClause(g.Datasets))
	}
	if g.Techniques != nil {
		all = append(all, "computes by "+list(g.Techniques, "or", "", "no technique"))
	}
	if g.Counted != "" {
		all = append(all, "counted at "+shown(string(g.Counted))+": "+countsClause(g))
	}
	if g.Audience != nil {
		all = append(all, "presented at "+list(g.Audience, "or", "", "no domain"))
	}
	if len(g.Via) > 0 {
		all = append(all, "vouched for by gateways of "+list(g.Via, "or", "", ""))
	}
	if len(g.Names) > 0 {
		all = append(all, "known to policies as "+list(g.Names, "and", "", ""))
	}
	return append(append(all, g.handedOn(depth)), g.unbounded()...)
}

func (g *Grant) handedOn(depth int) string {
	left := g.MaxDepth - depth
	switch {
	case depth < 0:
		return "handed on down to depth " + strconv.Itoa(g.MaxDepth)
	case left <= 0:
		return "not handed on"
	case left == 1:
		return "handed on at most once more"
	}
	return fmt.Sprintf("handed on at most %d more times", left)
}

// unbounded names what the grant leaves to policy alone.
func (g *Grant) unbounded() []string {
	var free []string
	for _, f := range []struct {
		name string
		free bool
	}{
		{"tasks", g.Tasks == nil}, {"criticality", g.Criticality == nil}, {"tools", g.Tools == nil}, {"datasets", g.Datasets == nil},
		{"techniques", g.Techniques == nil}, {"cost", g.Cost == nil}, {"uses", g.Uses == nil}, {"audience", g.Audience == nil},
	} {
		if f.free {
			free = append(free, f.name)
		}
	}
	if free == nil {
		return nil
	}
	return []string{"not bounded: " + strings.Join(free, ", ")}
}

func levelsClause(levels map[flow.Label]flow.Level) string {
	if levels == nil {
		return "every label as policy has it"
	}
	var parts []string
	for _, l := range slices.Sorted(maps.Keys(levels)) {
		if l != everyLabel {
			parts = append(parts, shown(string(l))+" "+most(levels[l]))
		}
	}
	rest := "all else "
	if parts == nil {
		rest = "every label "
	}
	return strings.Join(append(parts, rest+most(levels[everyLabel])), ", ")
}

func most(l flow.Level) string {
	if l == flow.Dropped || l == flow.Raw {
		return l.String()
	}
	return "at most " + l.String()
}

func toolsClause(tools map[string]Arguments) string {
	if len(tools) == 0 {
		return "no tool"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tools)) {
		part := shown(name)
		if len(tools[name]) > 0 {
			part += " (" + argumentsClause(tools[name]) + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func argumentsClause(args Arguments) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if name == unnamed {
			continue
		}
		c := args[name]
		part := shown(name) + " " + c.String()
		if c.Optional {
			part += " or absent"
		}
		parts = append(parts, part)
	}
	if _, open := args[unnamed]; open {
		parts = append(parts, "others as they are")
	}
	return strings.Join(parts, "; ")
}

// String tells what the constraint demands, for a person.
func (c Constraint) String() string {
	switch c.Kind {
	case Wildcard:
		return "anything"
	case Exactly, Among:
		var parts []string
		for _, s := range c.Values {
			parts = append(parts, s.String())
		}
		return strings.Join(parts, " or ")
	case InRange:
		return rangeClause(c.Min, c.Max)
	case StartsOn:
		return "beginning with " + strconv.Quote(c.Text)
	case UnderPath:
		return "at or under " + strconv.Quote(c.Text)
	}
	return "invalid"
}

// String returns the value as JSON, with what a terminal would not show escaped.
func (s Scalar) String() string {
	if s.kind == isString {
		return strconv.Quote(s.text)
	}
	return string(s.raw())
}

func rangeClause(least, most *Edge) string {
	var parts []string
	if least != nil {
		parts = append(parts, map[bool]string{false: "from ", true: "above "}[least.Open]+formatNumber(least.Value))
	}
	if most != nil {
		parts = append(parts, map[bool]string{false: "to ", true: "below "}[most.Open]+formatNumber(most.Value))
	}
	if parts == nil {
		return "any number"
	}
	return strings.Join(parts, " ")
}

func datasetsClause(sets map[string][]string) string {
	if len(sets) == 0 {
		return "no dataset"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		parts = append(parts, shown(name)+" ("+list(sets[name], "and", "all columns", "no columns")+")")
	}
	return strings.Join(parts, ", ")
}

func countsClause(g *Grant) string {
	var parts []string
	if g.Uses != nil {
		if *g.Uses == 1 {
			parts = append(parts, "1 use")
		} else {
			parts = append(parts, fmt.Sprintf("%d uses", *g.Uses))
		}
	}
	if g.Cost != nil {
		parts = append(parts, "ε "+flow.Decimal(g.Cost.EpsilonNano, 9), "δ "+flow.Decimal(g.Cost.DeltaPico, 12))
	}
	return strings.Join(parts, ", ")
}

func list[S ~string](words []S, and, all, none string) string {
	if words == nil {
		return all
	}
	if len(words) == 0 {
		return none
	}
	var parts []string
	for _, s := range words {
		parts = append(parts, shown(string(s)))
	}
	last := len(parts) - 1
	if last == 0 {
		return parts[0]
	}
	return strings.Join(parts[:last], ", ") + " " + and + " " + parts[last]
}

// shown returns a name as it is, or quoted where it is none.
func shown(s string) string {
	if isName(s) {
		return s
	}
	return strconv.Quote(s)
}
