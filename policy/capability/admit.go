package capability

import (
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Request is one flow that somebody wants to cause under a capability, as the gateway knows it, never as the capability says it.
//
// What a link bounds has to be stated: a request without a purpose, task, recipient or tool is outside every link that
// bounds that. Only what concerns tables may be left out: a flow that touches no dataset and uses no technique is
// within each bound on them.
type Request struct {
	At          time.Time     // the clock; zero: nothing is admitted
	Audience    flow.DomainID // the domain whose gateway asks
	From        flow.Party
	To          flow.Party
	Purpose     flow.Purpose
	Criticality flow.Criticality
	Task        flow.TaskID
	Tool        string   // "agent/tool"; empty: no tool or skill is named
	NoTool      bool     // it is a call of the protocol that uses no tool, such as a handshake or a list: no link need admit one
	Arguments   []byte   // the JSON object of the tool's arguments, as sent; empty: none
	Dataset     string   // empty: none is touched
	Columns     []string // of the dataset; nil: all
	Technique   string   // empty: none
}

// Admits reports whether every link admits the request: nil, or an *[Error] with [RuleNotGranted], [RuleAudience],
// [RuleExpired] or [RuleEarly] that names the first link that does not.
func (vd *Verified) Admits(r Request) error {
	args, ok := r.arguments(vd)
	if !ok {
		return broken(RuleNotGranted, "arguments")
	}
	if len(vd.Links) == 0 || r.At.IsZero() {
		return broken(RuleNotGranted, "time")
	}
	if err := vd.Presentable(r.Audience); err != nil {
		return err
	}
	root := vd.Links[0].Grant.Agent
	if r.From.Domain != vd.Issuer || r.From.Agent == "" || root != string(r.From.Agent) && !strings.HasPrefix(root, string(r.From.Agent)+"/") {
		return broken(RuleNotGranted, "agent").at(0)
	}
	for i := range vd.Links {
		g := &vd.Links[i].Grant
		switch {
		case !g.Expires.After(r.At):
			return broken(RuleExpired, "exp").at(i)
		case g.NotBefore.After(r.At.Add(vd.skew)):
			return broken(RuleEarly, "nbf").at(i)
		}
		if m := g.refuses(&r, args); m != "" {
			return broken(RuleNotGranted, m).at(i)
		}
	}
	return nil
}

// refuses returns the first member of the grant that does not admit the request, or "".
func (g *Grant) refuses(r *Request, args []member) string {
	switch {
	case g.Recipients != nil && !admitsRecipient(g.Recipients, r.To):
		return "recipients"
	case g.Purposes != nil && (r.Purpose == "" || !slices.Contains(g.Purposes, r.Purpose)):
		return "purposes"
	case g.Tasks != nil && (r.Task == "" || !slices.Contains(g.Tasks, r.Task)):
		return "tasks"
	case g.Criticality != nil && r.Criticality > *g.Criticality:
		return "criticality"
	case r.Technique != "" && g.Techniques != nil && !slices.Contains(g.Techniques, r.Technique):
		return "techniques"
	case r.Dataset != "" && g.Datasets != nil && !admitsColumns(g.Datasets, r.Dataset, r.Columns):
		return "datasets"
	case g.Tools == nil, r.NoTool:
		return ""
	}
	bound, ok := argumentsOf(g.Tools, r.Tool)
	if !ok {
		return "tools"
	}
	if !bound.admit(args) {
		return "arguments"
	}
	return ""
}

func admitsRecipient(recipients []string, to flow.Party) bool {
	if to.Domain == "" || to.Agent == "" {
		return false
	}
	name := string(to.Domain) + "/" + string(to.Agent)
	return slices.Contains(recipients, name) || slices.Contains(recipients, string(to.Domain)+"/*")
}

func admitsColumns(sets map[string][]string, dataset string, columns []string) bool {
	has, ok := sets[dataset]
	return ok && within(has, columns)
}

// arguments reads the request's arguments where a link looks at any.
func (r *Request) arguments(vd *Verified) ([]member, bool) {
	if len(r.Arguments) == 0 {
		return nil, true
	}
	for i := range vd.Links {
		if bound, ok := argumentsOf(vd.Links[i].Grant.Tools, r.Tool); ok && len(bound) > 0 {
			return parseArguments(string(r.Arguments))
		}
	}
	return nil, true
}

// admit checks arguments in closed-world mode: what is not named is refused, unless "*" is.
func (a Arguments) admit(args []member) bool {
	if len(a) == 0 {
		return true
	}
	missing := 0 // required arguments that were not seen yet
	for name, c := range a {
		if name != unnamed && !c.Optional {
			missing++
		}
	}
	for i := range args {
		c, named := a[args[i].name]
		if !named || args[i].name == unnamed { // an argument that is really called "*" has no name here
			if !a.open() {
				return false
			}
			continue
		}
		if !c.admits(&args[i].value) {
			return false
		}
		if !c.Optional {
			missing--
		}
	}
	return missing == 0
}

// Level returns the most that may show of a label: the least of what the links admit.
func (vd *Verified) Level(l flow.Label) flow.Level {
	if len(vd.Links) == 0 {
		return flow.Dropped
	}
	level := flow.Raw
	for i := range vd.Links {
		if levels := vd.Links[i].Grant.Levels; levels != nil {
			level = lesser(level, levelOf(levels, l))
		}
	}
	return level
}

// Meet returns the most revealing treatment of a leaf of the class that shows no more than t and no more than the links
// let be shown. It is idempotent, and what a chain leaves of a treatment its children leave at most.
func (vd *Verified) Meet(class flow.Class, t flow.Treatment) flow.Treatment {
	return Within(class, t, vd.Level(class.Label))
}

// Within returns the most revealing treatment that shows no more than t and no more than the level. A level that the class's
// family does not have counts as masked; one that brings t down gets the class's own parameter.
func Within(class flow.Class, t flow.Treatment, level flow.Level) flow.Treatment {
	if !class.Family.Has(level) {
		level = flow.Masked
	}
	if class.Family.Has(t.Level) && !t.Level.Reveals(level) {
		return t
	}
	if !class.Family.Has(t.Level) && level != flow.Dropped {
		level = flow.Masked
	}
	return class.Resolve(flow.Treatment{Level: level})
}
