package capability

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Term is one bound of a grant in words. No argument's value is in it: of arguments it says that there are bounds.
type Term struct {
	Name string `json:"name"` // such as "recipients"; the names are those of [Narrowing], too
	Says string `json:"says"`
}

// Narrowed is a bound that a child has and its parent has not.
type Narrowed struct {
	Name string `json:"name"`
	From string `json:"from"` // what the parent says
	To   string `json:"to"`
}

// mostSaid bounds one term in words.
const mostSaid = 512

// Outline tells every bound of a grant, for whoever may know who may do what and not which values it is about. The order is always the same.
func Outline(g Grant) []Term {
	tools := "any tool"
	if g.Tools != nil {
		tools = toolsOutline(g.Tools)
	}
	datasets := "any dataset"
	if g.Datasets != nil {
		datasets = datasetsClause(g.Datasets)
	}
	criticality := "any criticality"
	if g.Criticality != nil {
		criticality = "at most " + g.Criticality.String()
	}
	counts := "not counted"
	if g.Uses != nil || g.Cost != nil {
		counts = countsClause(&g) + ", counted at " + shown(string(g.Counted))
	}
	from := "at once"
	if !g.NotBefore.IsZero() {
		from = g.NotBefore.UTC().Format(dateForm)
	}
	all := []Term{
		{"agent", shown(g.Agent)},
		{"recipients", list(g.Recipients, "or", "anybody", "nobody")},
		{"purposes", list(g.Purposes, "or", "any purpose", "no purpose")},
		{"tasks", list(g.Tasks, "or", "any task", "no task")},
		{"levels", levelsClause(g.Levels)},
		{"criticality", criticality},
		{"tools", tools},
		{"datasets", datasets},
		{"techniques", list(g.Techniques, "or", "any technique", "no technique")},
		{"limits", counts},
		{"audience", list(g.Audience, "or", "any domain", "no domain")},
		{"vouched for by", list(g.Via, "or", "nobody", "nobody")},
		{"from", from},
		{"until", g.Expires.UTC().Format(dateForm)},
		{"depth", fmt.Sprintf("handed on down to depth %d", g.MaxDepth)},
	}
	for i := range all {
		if r := []rune(all[i].Says); len(r) > mostSaid {
			all[i].Says = string(r[:mostSaid]) + "…"
		}
	}
	return all
}

// Narrowing tells what a child admits less than its parent, bound by bound. That the child is narrower is [Narrower]'s to say.
func Narrowing(parent, child Grant) []Narrowed {
	var out []Narrowed
	before := Outline(parent)
	for i, t := range Outline(child) {
		to := t.Says
		if t.Name == "tools" && to == before[i].Says && toolsClause(parent.Tools) != toolsClause(child.Tools) {
			to += ", with narrower arguments"
		}
		if to != before[i].Says {
			out = append(out, Narrowed{t.Name, before[i].Says, to})
		}
	}
	return out
}

func toolsOutline(tools map[string]Arguments) string {
	if len(tools) == 0 {
		return "no tool"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tools)) {
		part := shown(name)
		if n := len(tools[name]); n == 1 {
			part += " (1 bound on arguments)"
		} else if n > 1 {
			part += fmt.Sprintf(" (%d bounds on arguments)", n)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
