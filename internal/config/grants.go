package config

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// CapabilityGrant is what agents of the domain may get a capability for.
type CapabilityGrant struct {
	Name        string                `yaml:"name" doc:"What it is called when it is asked for, and what policies see in context.capabilities." required:"true" pattern:"id"`
	Agents      []flow.AgentID        `yaml:"agents" doc:"Agents of this domain that may have it." required:"true"`
	Audience    []flow.DomainID       `yaml:"audience" doc:"Domains at whose gateways it may be shown. Absent: at any."`
	Recipients  []string              `yaml:"recipients" doc:"Whom flows may go to: domain/agent, or domain/* for all of a domain. Absent: anybody that policy permits."`
	Purposes    []flow.Purpose        `yaml:"purposes" doc:"What for, within what the agent may claim. Absent: all that it may."`
	Tasks       []flow.TaskID         `yaml:"tasks" doc:"In which tasks. Absent: in any."`
	Criticality *flow.Criticality     `yaml:"criticality" doc:"The highest that may be claimed. Absent: the agent's."`
	Levels      map[string]flow.Level `yaml:"levels" keys:"cover" doc:"The most that may show, by class of data and all below it, such as person: tokenized. The longest that fits counts, * stands for all, and what none fits is dropped. Absent: policy alone decides."`
	Datasets    []GrantedDataset      `yaml:"datasets" doc:"Datasets and columns. Absent: those that policy permits."`
	Techniques  []string              `yaml:"techniques" doc:"Techniques on datasets, such as aggregate. Absent: those that policy permits."`
	Tools       []GrantedTool         `yaml:"tools" doc:"Tools and skills that may be called. Absent: those that policy permits."`
	Uses        *int                  `yaml:"uses" doc:"How many flows there may be under it, those of sub-agents counted. Needs counted." min:"0"`
	Epsilon     Decimal               `yaml:"epsilon" doc:"The most that questions under it may cost, ε, as a decimal number. Needs counted."`
	Delta       Decimal               `yaml:"delta" doc:"The most that questions under it may cost, δ. Needs epsilon."`
	Counted     flow.DomainID         `yaml:"counted" doc:"The domain whose gateway counts uses and costs." pattern:"id"`
	Via         []flow.DomainID       `yaml:"via" doc:"Domains whose gateways may vouch for the holder towards the next gateway, since they change messages. Absent: this domain. An empty list: none."`
	Lifetime    Duration              `yaml:"lifetime" doc:"How long it is good for." default:"10m" min:"1s"`
	Depth       *int                  `yaml:"depth" doc:"How many times it may be handed on. Absent: 3." min:"0" max:"8"`
}

// GrantedDataset is a dataset with the columns that may be asked about.
type GrantedDataset struct {
	Name    string   `yaml:"name" doc:"The dataset." required:"true"`
	Columns []string `yaml:"columns" doc:"Its columns. Absent: all."`
}

// GrantedTool is a tool or skill, and what its arguments may be.
type GrantedTool struct {
	Name      string            `yaml:"name" doc:"agent/tool, or agent/* for all of an agent." required:"true"`
	Arguments []GrantedArgument `yaml:"arguments" doc:"What each argument may be. An argument that is not listed is refused. Absent: any arguments."`
	Others    bool              `yaml:"others" doc:"Arguments that are not listed may be anything."`
}

// GrantedArgument bounds one argument: exactly one of Equal, OneOf, Min or Max, Prefix, Under and Any.
type GrantedArgument struct {
	Name     string   `yaml:"name" doc:"The argument." required:"true"`
	Equal    *string  `yaml:"equal" doc:"This text."`
	OneOf    []string `yaml:"one_of" doc:"One of these texts."`
	Min      *int     `yaml:"min" doc:"A number, at least this."`
	Max      *int     `yaml:"max" doc:"A number, at most this."`
	Prefix   string   `yaml:"prefix" doc:"A text that begins so."`
	Under    string   `yaml:"under" doc:"This path, or one under it."`
	Any      bool     `yaml:"any" doc:"Anything, but it must be there."`
	Optional bool     `yaml:"optional" doc:"It may be left out."`
}

// Decimal is a number with at most twelve places behind the point, kept exactly.
type Decimal struct {
	pico int64 // in units of 10⁻¹²
	set  bool
}

var errDecimal = errors.New("a decimal number such as 0.5 is expected, of at most twelve places and not over 1000000")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Decimal) UnmarshalText(b []byte) error {
	whole, part, _ := strings.Cut(string(b), ".")
	if len(whole) == 0 || len(whole) > 7 || len(part) > 12 || strings.Trim(whole+part, "0123456789") != "" {
		return errDecimal
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", 12-len(part)), 10, 64)
	if err != nil || n > 1_000_000*1_000_000_000_000 {
		return errDecimal
	}
	*d = Decimal{n, true}
	return nil
}

// Cost is ε and δ in the units of the ledger. What is finer than a unit is rounded down: a cap is a promise to spend no more.
func Cost(epsilon, delta Decimal) flow.Cost {
	return flow.Cost{EpsilonNano: epsilon.pico / 1000, DeltaPico: delta.pico}
}

func (g *CapabilityGrant) cost() *flow.Cost {
	if !g.Epsilon.set {
		return nil
	}
	c := Cost(g.Epsilon, g.Delta)
	return &c
}

// Terms is the grant as a capability has it, without what depends on who asks and when.
func (g *CapabilityGrant) Terms(own flow.DomainID) capability.Grant {
	out := capability.Grant{
		Names: []string{g.Name}, Audience: g.Audience, Recipients: g.Recipients, Purposes: g.Purposes, Tasks: g.Tasks, Criticality: g.Criticality,
		Techniques: g.Techniques, Cost: g.cost(), Counted: g.Counted, Via: g.Via, MaxDepth: 3,
	}
	if g.Levels != nil {
		out.Levels = map[flow.Label]flow.Level{}
		for l, level := range g.Levels {
			out.Levels[flow.Label(l)] = level
		}
	}
	if g.Via == nil {
		out.Via = []flow.DomainID{own}
	}
	if g.Uses != nil {
		n := int64(*g.Uses)
		out.Uses = &n
	}
	if g.Depth != nil {
		out.MaxDepth = *g.Depth
	}
	if g.Datasets != nil {
		out.Datasets = map[string][]string{}
		for _, d := range g.Datasets {
			out.Datasets[d.Name] = d.Columns
		}
	}
	if g.Tools != nil {
		out.Tools = map[string]capability.Arguments{}
		for _, t := range g.Tools {
			out.Tools[t.Name] = t.arguments()
		}
	}
	return out
}

func (t *GrantedTool) arguments() capability.Arguments {
	out := capability.Arguments{}
	if t.Others && t.Arguments != nil {
		out["*"] = capability.Constraint{Kind: capability.Wildcard}
	}
	for _, a := range t.Arguments {
		out[a.Name] = a.constraint()
	}
	return out
}

func (a *GrantedArgument) constraint() capability.Constraint {
	c := capability.Constraint{Optional: a.Optional}
	switch {
	case a.Equal != nil:
		c.Kind, c.Values = capability.Exactly, []capability.Scalar{capability.Text(*a.Equal)}
	case a.OneOf != nil:
		c.Kind = capability.Among
		for _, v := range a.OneOf {
			c.Values = append(c.Values, capability.Text(v))
		}
	case a.Min != nil || a.Max != nil:
		c.Kind = capability.InRange
		if a.Min != nil {
			c.Min = &capability.Edge{Value: float64(*a.Min)}
		}
		if a.Max != nil {
			c.Max = &capability.Edge{Value: float64(*a.Max)}
		}
	case a.Prefix != "":
		c.Kind, c.Text = capability.StartsOn, a.Prefix
	case a.Under != "":
		c.Kind, c.Text = capability.UnderPath, a.Under
	}
	return c
}

// kinds counts the ways in which an argument is bounded.
func (a *GrantedArgument) kinds() (n int) {
	for _, is := range []bool{a.Equal != nil, a.OneOf != nil, a.Min != nil || a.Max != nil, a.Prefix != "", a.Under != "", a.Any} {
		if is {
			n++
		}
	}
	return n
}

// grants notes what does not fit together in the grants.
func (v *validator) grants(agents map[flow.AgentID]int) {
	seen := map[string]bool{}
	for i := range v.c.Capabilities.Grants {
		g, at := &v.c.Capabilities.Grants[i], "capabilities/grants/"+strconv.Itoa(i)
		if seen[g.Name] {
			v.wrong(at+"/name", "", "the name is used twice")
		}
		seen[g.Name] = true
		for n, id := range g.Agents {
			if a, ok := agents[id]; !ok || !v.c.Own(v.c.Agents[a]) {
				v.wrong(at+"/agents/"+strconv.Itoa(n), "", "there is no agent of this domain of that name")
			}
		}
		if (g.Uses != nil || g.Epsilon.set) && g.Counted == "" {
			v.wrong(at, "counted: "+string(v.c.Domain), "uses and costs need a domain that counts them")
		}
		if g.Delta.set && !g.Epsilon.set {
			v.wrong(at+"/delta", "", "delta needs epsilon")
		}
		v.checkGrantedTools(g, at)
		if len(v.mistakes) == 0 {
			v.checkTerms(g, at)
		}
	}
}

func (v *validator) checkGrantedTools(g *CapabilityGrant, at string) {
	for n, t := range g.Tools {
		for m := range t.Arguments {
			if a := &t.Arguments[m]; a.kinds() != 1 {
				v.wrong(at+"/tools/"+strconv.Itoa(n)+"/arguments/"+strconv.Itoa(m), "", "exactly one of equal, one_of, min or max, prefix, under and any is expected")
			}
		}
	}
}

// checkTerms has the capability's own rules look at the grant.
func (v *validator) checkTerms(g *CapabilityGrant, at string) {
	terms := g.Terms(v.c.Domain)
	for _, id := range g.Agents {
		terms.Agent = string(id)
	}
	terms.Expires = time.Unix(0, 0).Add(time.Duration(g.Lifetime))
	if err := terms.Valid(); err != nil {
		v.wrong(at, "", "%v", err)
	}
}

// GrantNames are the names of all grants, sorted.
func (c *Config) GrantNames() []string {
	names := map[string]bool{}
	for _, g := range c.Capabilities.Grants {
		names[g.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
