package config

import (
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/exposure"
)

// Exposure is what is remembered of what other domains were shown about each subject.
type Exposure struct {
	Mode      ExposureMode               `yaml:"mode" doc:"enforce: what would single a subject out together with what its recipient's domain was shown before is made coarser. observe: it is remembered, and nothing changes. off: it is not remembered." default:"enforce" enum:"enforce observe off"`
	Presets   []string                   `yaml:"presets" doc:"Rules that are shipped: combinations, for the usual quasi-identifiers, and safe-harbor, for what HIPAA's Safe Harbor method takes out of each record. Absent: combinations. scrim exposure rules prints them."`
	Rules     string                     `yaml:"rules" doc:"File (YAML) of further rules. See docs/spec/exposure.md."`
	Audiences map[string][]flow.DomainID `yaml:"audiences" keys:"id" doc:"Domains that put together what they are shown, such as those of one group of companies, or those whose tokens are common. They are remembered as one. A domain in no audience is one of its own."`
	Daily     int                        `yaml:"daily" doc:"Facts (that a value was shown) that one agent may add in a day. Of what would be new beyond them it is shown nothing, so that no agent fills the memory of its domain." default:"20000" min:"1" max:"100000000"`
}

// ExposureMode says what the memory is for.
type ExposureMode string

// The modes.
const (
	ExposureEnforce ExposureMode = "enforce"
	ExposureObserve ExposureMode = "observe"
	ExposureOff     ExposureMode = "off"
)

// exposure checks audiences and reads the rules.
func (v *validator) exposure() {
	e := &v.c.Exposure
	presets := e.Presets
	if len(presets) == 0 {
		presets = []string{"combinations"}
	}
	rules, err := exposure.NewRules(nil, nil, v.c.loaded.taxonomy)
	if err != nil {
		return // no rules, no mistake
	}
	seen := map[string]bool{}
	for i, name := range presets {
		at := fmt.Sprintf("exposure/presets/%d", i)
		preset, ok := exposure.Presets()[name]
		switch {
		case !ok:
			v.wrong(at, "combinations or safe-harbor", "no such rules are shipped")
			continue
		case seen[name]:
			v.wrong(at, "", "the rules are listed twice")
			continue
		}
		seen[name] = true
		if rules, err = rules.With(preset); err != nil {
			v.wrong(at, "", "%v", err)
			return
		}
	}
	if e.Rules != "" && v.look() {
		if raw, ok := v.read("exposure/rules", e.Rules); ok {
			own, err := exposure.ParseRules(raw, v.c.loaded.taxonomy)
			if err == nil {
				rules, err = rules.With(own)
			}
			if err != nil {
				v.wrong("exposure/rules", "docs/spec/exposure.md says how rules are written", "%v", err)
				return
			}
		}
	}
	v.c.loaded.exposure = rules
	in := map[flow.DomainID]bool{}
	for name, domains := range e.Audiences {
		at := "exposure/audiences/" + name
		if slices.ContainsFunc(v.c.Agents, func(a Agent) bool { return string(a.Domain) == name }) && !slices.Contains(domains, flow.DomainID(name)) {
			v.wrong(at, "call it something else, or put the domain in it", "a domain that is not in it has the same name")
		}
		for i, d := range domains {
			at := fmt.Sprintf("%s/%d", at, i)
			switch {
			case d == v.c.Domain:
				v.wrong(at, "leave it out", "what this domain's own agents are shown is not remembered")
			case in[d]:
				v.wrong(at, "put both audiences together", "the domain is in an audience already")
			}
			in[d] = true
		}
	}
}

// ExposureRules are the rules in force.
func (c *Config) ExposureRules() *exposure.Rules { return c.loaded.exposure }
