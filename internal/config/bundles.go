package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/policy/domain"
)

// Publish is a bundle that this domain asks others to keep to.
type Publish struct {
	Name     string                    `yaml:"name" doc:"Its name: lower-case letters, digits and dashes." required:"true" pattern:"bundle"`
	Policies []string                  `yaml:"policies" doc:"Cedar files or globs. They only forbid."`
	Labels   map[flow.Label]LabelLimit `yaml:"labels" keys:"label" doc:"Limits of classes of data and of everything below them."`
	Datasets []string                  `yaml:"datasets" doc:"Datasets of this domain's data contracts: labels of their columns, and purposes, techniques and retention. Whoever has a dataset of the same name is held to that."`
	Defaults BundleDefaults            `yaml:"defaults" doc:"What holds for every agent and dataset of those who subscribe."`
	Life     Duration                  `yaml:"life" doc:"How long a signature counts. It is made anew when a quarter of that is over." default:"30d" min:"5m"`
	To       []flow.DomainID           `yaml:"to" doc:"Peers that may read it. Absent: every peer."`
}

// LabelLimit is a limit of a class of data.
type LabelLimit struct {
	Tier   *flow.Tier  `yaml:"tier" doc:"It shows no more than data of this tier does, and no exception of policy lifts that."`
	Level  *flow.Level `yaml:"level" doc:"The most revealing level. One that a class's family does not have counts as masked."`
	Retain Duration    `yaml:"retain" doc:"How long recipients may keep it, at most." min:"0s"`
}

// BundleDefaults hold for every agent and dataset of whoever subscribes.
type BundleDefaults struct {
	Capability  string            `yaml:"capability" doc:"required: agents call by a capability or are refused." enum:"required"`
	Criticality *flow.Criticality `yaml:"criticality" doc:"The highest criticality that an agent's tasks may claim."`
	Retain      Duration          `yaml:"retain" doc:"How long recipients may keep data of a dataset, at most." min:"0s"`
	Epsilon     Exact             `yaml:"epsilon" doc:"The most that all answers about a dataset may cost, ε."`
	Pad         Duration          `yaml:"pad" doc:"Answers about a dataset leave at multiples of no less than this." min:"0s" max:"10m"`
}

// Subscribe is a bundle of a peer that this domain is held to.
type Subscribe struct {
	Domain flow.DomainID `yaml:"domain" doc:"The peer that publishes it." required:"true" pattern:"id"`
	Bundle string        `yaml:"bundle" doc:"Its name there." required:"true" pattern:"bundle"`
	Every  Duration      `yaml:"every" doc:"How often the peer is asked for it." default:"5m" min:"1s"`
	MaxAge Duration      `yaml:"max_age" doc:"How long it counts after the peer was last heard of it. Absent: until its own end, which comes first in any case." min:"0s"`
	Late   string        `yaml:"late" doc:"What holds while it does not count: none came yet, or its time is over. masked: what is not public leaves the domain masked at most, and no question or table is answered across domains. dropped: nothing but what is public leaves the domain. stop: nothing shows at all. The last version that was taken holds beside it." default:"masked" enum:"masked dropped stop"`
	Refuse bool          `yaml:"refuse_unknown" doc:"A version that names agents, roles, purposes, classes or datasets that are not known here is refused. Absent: what is not known has no effect, and scrim bundle drift tells it."`
}

// ID is how the bundle is called here.
func (s *Subscribe) ID() string { return string(s.Domain) + "/" + s.Bundle }

// bundles checks what is published and what is subscribed to.
func (v *validator) bundles() {
	if (len(v.c.Publish) > 0 || len(v.c.Subscribe) > 0) && v.c.Domain != "" && !domain.ValidName(v.c.Domain) {
		v.wrong("domain", "lower-case letters, digits, dots, dashes and underscores, for it stands in what is signed", "a domain of this name can have no bundles")
	}
	if len(v.c.Publish) > 32 || len(v.c.Subscribe) > 32 {
		v.wrong("publish", "", "a domain publishes at most 32 bundles, and subscribes to at most 32")
	}
	names := map[string]bool{}
	for i := range v.c.Publish {
		p, at := &v.c.Publish[i], fmt.Sprintf("publish/%d", i)
		if names[p.Name] && p.Name != "" {
			v.wrong(at+"/name", "", "another bundle has the same name")
		}
		names[p.Name] = true
		if time.Duration(p.Life) > bundle.MaxLife {
			v.wrong(at+"/life", "", "a bundle counts for at most 366 days")
		}
		for _, l := range slices.Sorted(maps.Keys(p.Labels)) {
			if !v.c.loaded.taxonomy.Known(l) {
				v.wrong(at+"/labels/"+string(l), "classes of your own go under taxonomy", "no such class of data")
			}
		}
		if !v.look() {
			continue
		}
		v.content(p, at)
	}
	if v.c.Mode == Learn && len(v.c.Subscribe) > 0 {
		v.wrong("subscribe", "set mode to enforce, or subscribe to nothing", "learn mode enforces nothing, so no bundle of a peer would be kept to")
	}
	seen := map[string]bool{}
	for i := range v.c.Subscribe {
		s, at := &v.c.Subscribe[i], fmt.Sprintf("subscribe/%d", i)
		if seen[s.ID()] {
			v.wrong(at, "", "the bundle is listed twice")
		}
		seen[s.ID()] = true
		if s.Domain == v.c.Domain && s.Domain != "" {
			v.wrong(at+"/domain", "what holds in this domain stands in its own policies", "a domain does not subscribe to its own bundle")
		}
	}
}

// Content is what a bundle that is published says by this configuration; false where there is none of this name.
func (c *Config) Content(name string) (*bundle.Content, bool) {
	out, ok := c.loaded.published[name]
	return out, ok
}

// content reads what a bundle says.
func (v *validator) content(p *Publish, at string) {
	c := v.c
	out := &bundle.Content{Defaults: bundle.Defaults{
		Capability: p.Defaults.Capability == "required", Criticality: p.Defaults.Criticality, Retain: time.Duration(p.Defaults.Retain).Truncate(time.Second),
		Epsilon: nanoOf(p.Defaults.Epsilon), Pad: time.Duration(p.Defaults.Pad).Truncate(time.Millisecond),
	}}
	for i, pattern := range p.Policies {
		out.Policies += v.publishedPolicies(fmt.Sprintf("%s/policies/%d", at, i), pattern)
	}
	for _, l := range slices.Sorted(maps.Keys(p.Labels)) {
		lim := p.Labels[l]
		out.Labels = append(out.Labels, bundle.Label{Label: l, Tier: lim.Tier, Level: lim.Level, Retain: time.Duration(lim.Retain).Truncate(time.Second)})
	}
	for i, name := range p.Datasets {
		d, ok := c.contracted(name)
		if !ok {
			v.wrong(fmt.Sprintf("%s/datasets/%d", at, i), "list the contract under contracts", "no data contract describes the dataset")
			continue
		}
		out.Datasets = append(out.Datasets, publishedDataset(d))
	}
	slices.SortFunc(out.Datasets, func(a, b bundle.Dataset) int { return strings.Compare(a.Name, b.Name) })
	if err := out.Check(); err != nil {
		v.wrong(at, "docs/spec/bundles.md says what a bundle can hold", "%s", err)
		return
	}
	if c.loaded.published == nil {
		c.loaded.published = map[string]*bundle.Content{}
	}
	c.loaded.published[p.Name] = out
}

func nanoOf(x Exact) int64 {
	n, ok := x.In(NanoPlaces)
	if !ok {
		return -1 // refused by the check
	}
	return n
}

// publishedPolicies reads policies to be published, one file after another.
func (v *validator) publishedPolicies(at, pattern string) (text string) {
	names, err := v.glob(pattern)
	if err != nil || len(names) == 0 {
		v.wrong(at, "paths start from the directory of this file", "no file matches")
		return ""
	}
	for _, name := range names {
		raw, ok := v.read(at, v.absolute(name))
		if !ok {
			continue
		}
		text += strings.TrimRight(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n") + "\n"
	}
	return text
}

// contracted returns a dataset of the data contracts.
func (c *Config) contracted(name string) (catalog.Dataset, bool) {
	for _, k := range c.Catalog().Contracts() {
		if d, ok := k.Dataset(name); ok {
			return d, true
		}
	}
	return catalog.Dataset{}, false
}

func publishedDataset(d catalog.Dataset) bundle.Dataset {
	out := bundle.Dataset{
		Name: d.Name, Purposes: slices.Compact(slices.Sorted(slices.Values(d.Governance.Purposes))),
		Techniques: slices.Compact(slices.Sorted(slices.Values(d.Governance.Techniques))), Retain: d.Governance.Retention.Truncate(time.Second),
	}
	for _, f := range d.Fields {
		if f.Label != flow.Unlabelled && f.Label != "" {
			out.Columns = append(out.Columns, bundle.Column{Name: f.Column, Labels: []flow.Label{f.Label}})
		}
	}
	slices.SortFunc(out.Columns, func(a, b bundle.Column) int { return strings.Compare(a.Name, b.Name) })
	return out
}
