package config

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
)

// Governance says how the rules that decide are changed. It is on where approvers are.
type Governance struct {
	Approvers []RuleApprover `yaml:"approvers" doc:"Who may approve and reject changes of the rules, at least two. Absent: rules change when files do."`
	Required  int            `yaml:"required" doc:"People behind a change that may reveal more, its author among them if they are an approver. One that provably reveals no more needs one approval." default:"2" min:"2" max:"20"`
	Roles     []string       `yaml:"roles" doc:"Roles of approvers: among the people behind a change that may reveal more, somebody holds each." pattern:"id"`
	Expire    Duration       `yaml:"expire" doc:"How long a proposal waits for its approvals." default:"30d" min:"1m"`
	Review    Review         `yaml:"review" doc:"When somebody has to look again at what is in force, though nobody proposes a change."`
}

// RuleApprover has a credential of their own for changes of the rules.
type RuleApprover struct {
	Name   string   `yaml:"name" doc:"As the log says who proposed, approved and rejected." required:"true" pattern:"id"`
	SHA256 string   `yaml:"sha256" doc:"SHA-256 of the credential; \"scrim policy approve --new-credential\" makes both." required:"true" pattern:"sha256"`
	Roles  []string `yaml:"roles" doc:"What the approver answers for, such as privacy or security." pattern:"id"`
}

// Review is how often somebody looks again.
type Review struct {
	Policies Duration `yaml:"policies" doc:"How long policies stay in force without somebody saying that they looked at them." default:"180d" min:"1d"`
	Budgets  Duration `yaml:"budgets" doc:"Likewise the budgets of datasets." default:"180d" min:"1d"`
}

// On reports whether rules are changed by proposals alone.
func (g Governance) On() bool { return len(g.Approvers) > 0 }

// ChangeRules returns who must agree on a change.
func (c *Config) ChangeRules() change.Rules {
	g := c.Governance
	r := change.Rules{Required: g.Required, Roles: slices.Clone(g.Roles), Expire: time.Duration(g.Expire)}
	for _, a := range g.Approvers {
		one := change.Approver{Name: a.Name, Roles: slices.Clone(a.Roles)}
		if n, err := hex.Decode(one.SHA256[:], []byte(a.SHA256)); err != nil || n != len(one.SHA256) {
			continue // no credential fits; the configuration was checked for it
		}
		r.Approvers = append(r.Approvers, one)
	}
	return r
}

// governance checks that approvers are people of their own.
func (v *validator) governance() {
	g := v.c.Governance
	_, written := v.c.loaded.places["governance"]
	if len(g.Approvers) < 2 {
		if written {
			v.wrong("governance", "list at least two under governance.approvers, or leave governance out", "a change that reveals more needs two people, and there are %d approvers", len(g.Approvers))
		}
		return
	}
	var all []person
	roles := map[string]bool{}
	for _, a := range g.Approvers {
		all = append(all, person{a.Name, a.SHA256})
		for _, r := range a.Roles {
			roles[r] = true
		}
	}
	v.people("governance/approvers", "scrim policy approve --new-credential", all)
	if g.Required > len(g.Approvers) {
		v.wrong("governance/required", "", "more people are required than there are approvers")
	}
	for i, r := range g.Roles {
		if !roles[r] {
			v.wrong(fmt.Sprintf("governance/roles/%d", i), "", "no approver has the role, so that nothing could be approved")
		}
	}
}

// placeKeys are those that say where a gateway's state lies. They belong to the machine and not to the rules: they are read from the file on disk
// whatever version is in force.
//
// The admin address is among them for the commands that call a gateway there; [Config.At] does not take it over.
var placeKeys = []string{"version", "domain", "data", "store", "keys", "admin"}

// LoadPlace reads from a file what says where a gateway's state lies, and looks at nothing else of it: it may be full of mistakes elsewhere. What is
// returned is good for opening a store, and for [Config.At].
func LoadPlace(file string) (*Config, error) {
	raw, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	root, err := document(file, raw)
	if err != nil {
		return nil, err
	}
	part := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: root.Line, Column: root.Column}
	if root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if slices.Contains(placeKeys, root.Content[i].Value) {
				part.Content = append(part.Content, root.Content[i], root.Content[i+1])
			}
		}
	}
	d := &decoder{file: file, places: map[string]place{}}
	c := &Config{}
	d.structure(part, reflect.ValueOf(c).Elem(), "")
	c.loaded = loaded{file: file, dir: filepath.Dir(file), places: d.places, cardKeys: map[flow.AgentID][]byte{}, compared: map[string]bool{}, content: map[string][]byte{}}
	v := &validator{c: c, mistakes: d.mistakes}
	c.complete()
	v.store()
	v.mistakes.sort()
	if len(v.mistakes) > 0 {
		return nil, v.mistakes
	}
	return c, nil
}

// At returns the configuration with its state where another has it. The domain is the same, or it is a mistake: a log belongs to one.
func (c *Config) At(place *Config) (*Config, error) {
	if place.Domain != c.Domain {
		p := place.loaded.places["domain"]
		return nil, Mistakes{{File: place.loaded.file, Line: p.line, Column: p.column, Message: "the rules in force are those of another domain", Hint: "a domain cannot be renamed; begin another with a data directory of its own"}}
	}
	next := *c
	next.Data, next.Store, next.Keys = place.Data, place.Store, place.Keys
	return &next, nil
}
