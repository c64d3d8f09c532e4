package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/policy/change"
)

// Held is a bundle that this domain is held to, as it stands.
type Held struct {
	ID     string             // "domain/bundle"
	Bundle *bundle.Bundle     // the last version that was taken; nil: none was
	Late   *bundle.Strictness // what holds beside it while it does not count; nil: it counts
}

// HeldTo returns the configuration as it is held to bundles of others: nothing in it is looser than in c. What was held before is forgotten.
func (c *Config) HeldTo(all []Held) *Config {
	base := c
	if c.loaded.free != nil {
		base = c.loaded.free
	}
	if len(all) == 0 {
		return base
	}
	next := *base
	next.loaded.free = base
	next.Agents, next.Datasets = slices.Clone(base.Agents), maps.Clone(base.Datasets)
	next.loaded.origins = maps.Clone(base.loaded.origins)
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", base.loaded.hash)
	for _, one := range all {
		digest, late := "", ""
		if b := one.Bundle; b != nil {
			digest = b.Digest().String()
			next.hold(b)
		}
		if one.Late != nil {
			late = one.Late.String()
			next.loaded.outside = append(next.loaded.outside, bundle.Late(one.ID, *one.Late))
		}
		fmt.Fprintf(h, "%s %s %s\n", one.ID, digest, late)
	}
	next.loaded.hash = hex.EncodeToString(h.Sum(nil))
	return &next
}

// WithPolicies returns the configuration with these policies in place of those on disk. It is held to nothing.
func (c *Config) WithPolicies(files map[string]string) *Config {
	next := *c.HeldTo(nil)
	set := change.RuleSet{Files: map[string][]byte{}}
	for name, text := range files {
		set.Files[name] = []byte(text)
	}
	next.loaded.policies = set.FS(".")
	return &next
}

// Outside is what policies are loaded beside: what bundles ask for, and what datasets of data contracts have by default.
func (c *Config) Outside() []policy.Outside {
	all := slices.Clip(c.loaded.outside)
	if d := c.inheritedLimits(); len(d.Datasets) > 0 {
		all = append(all, d)
	}
	return all
}

// inheritedLimits are the defaults of datasets of data contracts, as limits.
func (c *Config) inheritedLimits() policy.Outside {
	out := policy.Outside{From: fromDefaults}
	def := &c.Defaults.Datasets
	if c.loaded.catalog == nil {
		return out
	}
	for _, k := range c.loaded.catalog.Contracts() {
		for _, d := range k.Datasets {
			limits := policy.OutsideDataset{Name: d.Name}
			if _, taken := c.loaded.origins["contracts/"+d.Name+"/purposes"]; taken {
				limits.Purposes = def.Purposes
			}
			if _, taken := c.loaded.origins["contracts/"+d.Name+"/techniques"]; taken {
				limits.Techniques = def.Techniques
			}
			if _, taken := c.loaded.origins["contracts/"+d.Name+"/retain"]; taken {
				limits.Retain = time.Duration(def.Retain)
			}
			for _, f := range d.Fields {
				if f.Label == flow.Unlabelled && len(def.Labels) > 0 {
					if limits.Columns == nil {
						limits.Columns = map[string][]flow.Label{}
					}
					limits.Columns[f.Column] = def.Labels
				}
			}
			if len(limits.Columns)+len(limits.Purposes)+len(limits.Techniques) > 0 || limits.Retain > 0 {
				out.Datasets = append(out.Datasets, limits)
			}
		}
	}
	return out
}

// hold makes the configuration stricter by a bundle.
func (c *Config) hold(b *bundle.Bundle) {
	c.loaded.outside = append(slices.Clip(c.loaded.outside), b.Outside())
	id := b.ID()
	for i := range c.Agents {
		c.holdAgent(&c.Agents[i], fmt.Sprintf("agents/%d", i), id, &b.Defaults)
	}
	named := map[string]bundle.Dataset{}
	for _, d := range b.Datasets {
		named[d.Name] = d
	}
	for name, d := range c.Datasets {
		at, one := "datasets/"+name, named[name]
		for _, nano := range []int64{one.Epsilon, b.Defaults.Epsilon} {
			if own := nanoOf(d.Epsilon); nano > 0 && nano < own {
				d.Epsilon = exactNano(nano)
				c.took(at+"/epsilon", d.Epsilon.String(), id)
			}
		}
		for _, pad := range []time.Duration{one.Pad, b.Defaults.Pad} {
			if pad > time.Duration(d.Pad) {
				d.Pad = Duration(pad)
				c.took(at+"/pad", d.Pad.String(), id)
			}
		}
		c.Datasets[name] = d
	}
	if b.Defaults.Retain > 0 {
		out := policy.Outside{From: id}
		for _, name := range c.datasetNames() {
			out.Datasets = append(out.Datasets, policy.OutsideDataset{Name: name, Retain: b.Defaults.Retain})
		}
		c.loaded.outside = append(c.loaded.outside, out)
	}
}

func (c *Config) holdAgent(a *Agent, at, id string, d *bundle.Defaults) {
	if d.Capability && a.Capability == "" {
		a.Capability = "required"
		c.took(at+"/capability", a.Capability, id)
	}
	if d.Criticality != nil && *d.Criticality < a.Criticality {
		a.Criticality = *d.Criticality
		c.took(at+"/criticality", a.Criticality.String(), id)
	}
}

// datasetNames are those of data contracts and of this file.
func (c *Config) datasetNames() []string {
	names := map[string]bool{}
	for name := range c.Datasets {
		names[name] = true
	}
	if c.loaded.catalog != nil {
		for _, k := range c.loaded.catalog.Contracts() {
			for _, d := range k.Datasets {
				names[d.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// exactNano is a number of 10⁻⁹.
func exactNano(n int64) Exact {
	text := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%09d", n/1e9, n%1e9), "0"), ".")
	return Exact{digits: strconv.FormatInt(n, 10), power: -NanoPlaces, text: text}
}
