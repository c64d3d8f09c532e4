package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// Defaults are what agents and datasets of this domain have of which nothing else is said.
type Defaults struct {
	Agents   AgentDefaults   `yaml:"agents" doc:"Of agents of this domain; those of others have what is written about them."`
	Datasets DatasetDefaults `yaml:"datasets" doc:"Of datasets, those of data contracts included."`
}

// AgentDefaults are keys of an agent that does not have them.
type AgentDefaults struct {
	Roles          []flow.Role       `yaml:"roles" doc:"Roles of an agent without any."`
	Purposes       []flow.Purpose    `yaml:"purposes" doc:"Purposes of an agent that has none and no default purpose."`
	DefaultPurpose flow.Purpose      `yaml:"default_purpose" doc:"The purpose of its calls that claim none."`
	Criticality    *flow.Criticality `yaml:"criticality" doc:"The highest criticality that its tasks may claim."`
	Capability     string            `yaml:"capability" doc:"required: its calls come by a capability or are refused." enum:"required"`
	Limits         AgentLimit        `yaml:"limits" doc:"What it may do when it calls."`
}

// DatasetDefaults are keys of a dataset that does not have them.
type DatasetDefaults struct {
	Epsilon    Exact          `yaml:"epsilon" doc:"The claim's ε."`
	Delta      Exact          `yaml:"delta" doc:"The claim's δ. It goes with epsilon: a dataset that has an ε of its own takes over none."`
	Pad        *Duration      `yaml:"pad" doc:"Answers leave a multiple of this time after the question came." min:"20ms" max:"10m"`
	Formal     *bool          `yaml:"formal" doc:"Rows leave through the ledger alone."`
	Unit       string         `yaml:"unit" doc:"What the privacy unit is." pattern:"id"`
	Labels     []flow.Label   `yaml:"labels" doc:"Labels that every column of a data contract has which has none: it is decided as unlabelled and as each of these, all of them together."`
	Purposes   []flow.Purpose `yaml:"purposes" doc:"What a dataset of a data contract may be used for."`
	Techniques []string       `yaml:"techniques" doc:"In which ways other than value by value: aggregate, extract, synthesize, match, compute, score, train."`
	Retain     Duration       `yaml:"retain" doc:"How long recipients may keep data of it." min:"0s"`
}

// Origin says where something comes from that is not written where it holds.
type Origin struct {
	Value string
	From  string // "defaults", or the bundle
}

// took notes where something was taken over from.
func (c *Config) took(at, value, from string) {
	if c.loaded.origins == nil {
		c.loaded.origins = map[string]Origin{}
	}
	c.loaded.origins[at] = Origin{value, from}
}

const fromDefaults = "defaults"

// written reports whether the file has something at a place.
func (c *Config) written(at string) bool {
	_, ok := c.loaded.places[at]
	return ok
}

// inherit gives an agent of this domain what it does not have of its own.
func (c *Config) inherit(a *Agent, at string) {
	d := &c.Defaults.Agents
	if a.Domain != c.Domain {
		return
	}
	if len(d.Roles) > 0 && !c.written(at+"/roles") {
		a.Roles = slices.Clone(d.Roles)
		c.took(at+"/roles", join2(a.Roles), fromDefaults)
	}
	if !c.written(at+"/purposes") && !c.written(at+"/default_purpose") && (len(d.Purposes) > 0 || d.DefaultPurpose != "") {
		a.Purposes, a.DefaultPurpose = slices.Clone(d.Purposes), d.DefaultPurpose
		c.took(at+"/purposes", join2(a.Purposes), fromDefaults)
		if a.DefaultPurpose != "" {
			c.took(at+"/default_purpose", string(a.DefaultPurpose), fromDefaults)
		}
	}
	if d.Criticality != nil && !c.written(at+"/criticality") {
		a.Criticality = *d.Criticality
		c.took(at+"/criticality", a.Criticality.String(), fromDefaults)
	}
	if d.Capability != "" && a.Capability == "" {
		a.Capability = d.Capability
		c.took(at+"/capability", a.Capability, fromDefaults)
	}
	for _, l := range []struct {
		key      string
		own, def *int
	}{
		{"rate", &a.Limits.Rate, &d.Limits.Rate}, {"flows", &a.Limits.Flows, &d.Limits.Flows}, {"streams", &a.Limits.Streams, &d.Limits.Streams}, {"events", &a.Limits.Events, &d.Limits.Events},
	} {
		if *l.def > 0 && *l.own == 0 {
			*l.own = *l.def
			c.took(at+"/limits/"+l.key, fmt.Sprint(*l.own), fromDefaults)
		}
	}
	for _, l := range []struct {
		key      string
		own, def *Size
	}{{"bytes", &a.Limits.Bytes, &d.Limits.Bytes}, {"body", &a.Limits.Body, &d.Limits.Body}} {
		if *l.def > 0 && *l.own == 0 {
			*l.own = *l.def
			c.took(at+"/limits/"+l.key, fmt.Sprint(int64(*l.own)), fromDefaults)
		}
	}
}

// inheritDatasets gives datasets what they do not have of their own.
func (c *Config) inheritDatasets() {
	def := &c.Defaults.Datasets
	for name, d := range c.Datasets {
		at := "datasets/" + name
		if !d.Epsilon.Given() && def.Epsilon.Given() {
			d.Epsilon = def.Epsilon
			c.took(at+"/epsilon", d.Epsilon.String(), fromDefaults)
			if !d.Delta.Given() && def.Delta.Given() {
				d.Delta = def.Delta
				c.took(at+"/delta", d.Delta.String(), fromDefaults)
			}
		}
		if def.Pad != nil && !c.written(at+"/pad") {
			d.Pad = *def.Pad
			c.took(at+"/pad", d.Pad.String(), fromDefaults)
		}
		if def.Formal != nil && d.Formal == nil {
			formal := *def.Formal
			d.Formal = &formal
			c.took(at+"/formal", fmt.Sprint(formal), fromDefaults)
		}
		if def.Unit != "" && !c.written(at+"/unit/name") {
			d.Unit.Name = def.Unit
			c.took(at+"/unit/name", def.Unit, fromDefaults)
		}
		c.Datasets[name] = d
	}
}

// inheriting gives datasets of a data contract what they say nothing of. The contract itself is not changed.
func (c *Config) inheriting(k *catalog.Contract) *catalog.Contract {
	d := &c.Defaults.Datasets
	if len(d.Purposes) == 0 && len(d.Techniques) == 0 && d.Retain == 0 {
		return k
	}
	next := *k
	next.Datasets = slices.Clone(k.Datasets)
	outer := catalog.Governance{Purposes: d.Purposes, Techniques: d.Techniques, Retention: time.Duration(d.Retain)}
	for i := range next.Datasets {
		one := &next.Datasets[i]
		at := "contracts/" + one.Name
		if len(one.Governance.Purposes) == 0 && len(d.Purposes) > 0 {
			c.took(at+"/purposes", join2(d.Purposes), fromDefaults)
		}
		if len(one.Governance.Techniques) == 0 && len(d.Techniques) > 0 {
			c.took(at+"/techniques", join2(d.Techniques), fromDefaults)
		}
		if one.Governance.Retention == 0 && d.Retain > 0 {
			c.took(at+"/retain", d.Retain.String(), fromDefaults)
		}
		one.Governance = one.Governance.Within(outer)
		one.Fields = slices.Clone(one.Fields)
		for j := range one.Fields {
			one.Fields[j].Governance = one.Fields[j].Governance.Within(one.Governance)
		}
	}
	return &next
}

func join2[S ~string](all []S) string {
	var out []string
	for _, s := range all {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

// defaults checks what agents and datasets take over.
func (v *validator) defaults() {
	a, d := &v.c.Defaults.Agents, &v.c.Defaults.Datasets
	for i, r := range a.Roles {
		known(v, fmt.Sprintf("defaults/agents/roles/%d", i), "role", r, v.c.Roles)
	}
	for i, p := range a.Purposes {
		known(v, fmt.Sprintf("defaults/agents/purposes/%d", i), "purpose", p, v.c.Purposes)
	}
	if p := a.DefaultPurpose; p != "" {
		known(v, "defaults/agents/default_purpose", "purpose", p, v.c.Purposes)
		if len(a.Purposes) > 0 && !slices.Contains(a.Purposes, p) {
			v.wrong("defaults/agents/default_purpose", "add it to purposes", "the default is not one of the purposes")
		}
	}
	for i, p := range d.Purposes {
		known(v, fmt.Sprintf("defaults/datasets/purposes/%d", i), "purpose", p, v.c.Purposes)
	}
	for i, t := range d.Techniques {
		if !slices.Contains(catalog.Techniques(), t) {
			v.wrong(fmt.Sprintf("defaults/datasets/techniques/%d", i), "one of "+strings.Join(catalog.Techniques(), ", "), "not a technique")
		}
	}
	for i, l := range d.Labels {
		if !v.c.loaded.taxonomy.Known(l) {
			v.wrong(fmt.Sprintf("defaults/datasets/labels/%d", i), "classes of your own go under taxonomy", "no such class of data")
		}
	}
	if d.Delta.Given() && !d.Epsilon.Given() {
		v.wrong("defaults/datasets/delta", "", "delta goes with epsilon")
	}
}

// Inherited returns what agents and datasets have that is not written about them, by place, such as "agents.intake.roles".
func (c *Config) Inherited() []Inheritance {
	var all []Inheritance
	for _, at := range slices.Sorted(maps.Keys(c.loaded.origins)) {
		o := c.loaded.origins[at]
		all = append(all, Inheritance{Place: c.shownPlace(at), Value: o.Value, From: o.From})
	}
	slices.SortStableFunc(all, func(a, b Inheritance) int { return strings.Compare(a.Place, b.Place) })
	return all
}

// Inheritance is something that is not written where it holds.
type Inheritance struct {
	Place string `json:"place"`
	Value string `json:"value"`
	From  string `json:"from"` // "defaults", or a bundle
}

// shownPlace is a place with agents by their ids.
func (c *Config) shownPlace(at string) string {
	parts := strings.Split(at, "/")
	var i int
	if parts[0] == "agents" && len(parts) > 1 {
		if _, err := fmt.Sscan(parts[1], &i); err == nil && i < len(c.Agents) {
			parts[1] = string(c.Agents[i].ID)
		}
	}
	return strings.Join(parts, ".")
}
