package verify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Policy is whom a checker believes: the keys of logs, and which witnesses must have cosigned.
// The zero Policy believes nobody.
type Policy struct {
	Keys      []Key
	Witnesses []Witness
	Quorum    *Group           // nil: no witness is needed
	MaxAge    time.Duration    // cosignatures that are older do not count; 0: any age
	Now       func() time.Time // nil: time.Now
}

// Group is a witness, or members of which at least Need must have cosigned.
type Group struct {
	Name    string
	Witness *Witness // nil: a group
	Need    int
	Members []*Group
}

func (g *Group) met(signed func(Witness) bool) bool {
	if g.Witness != nil {
		return signed(*g.Witness)
	}
	have := 0
	for _, m := range g.Members {
		if m.met(signed) {
			have++
		}
	}
	return have >= g.Need
}

// AddWitness adds one. A key counts once, whatever it is called.
func (p *Policy) AddWitness(w Witness) error {
	for _, other := range p.Witnesses {
		if other.Public.Equal(w.Public) {
			return errors.New("two witnesses have one key")
		}
	}
	p.Witnesses = append(p.Witnesses, w)
	return nil
}

// Require asks for need cosignatures of the policy's witnesses, whichever.
func (p *Policy) Require(need int) error {
	if need < 0 || need > len(p.Witnesses) {
		return fmt.Errorf("%d of %d witnesses cannot be demanded", need, len(p.Witnesses))
	}
	if need == 0 {
		p.Quorum = nil
		return nil
	}
	g := &Group{Name: fmt.Sprintf("%d of %d witnesses", need, len(p.Witnesses)), Need: need}
	for i := range p.Witnesses {
		g.Members = append(g.Members, &Group{Name: p.Witnesses[i].Name, Witness: &p.Witnesses[i]})
	}
	p.Quorum = g
	return nil
}

const maxPolicyLines = 1024

// ParsePolicy reads a trust policy in the form of c2sp.org/tlog-policy.
func ParsePolicy(text string) (Policy, error) {
	p := policyParser{named: map[string]*Group{}, member: map[string]bool{}}
	lines := strings.Split(text, "\n")
	if len(lines) > maxPolicyLines {
		return Policy{}, errors.New("policy has too many lines")
	}
	for i, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return Policy{}, fmt.Errorf("policy, line %d: control character", i+1)
		}
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.line(words); err != nil {
			return Policy{}, fmt.Errorf("policy, line %d: %w", i+1, err)
		}
	}
	if !p.decided {
		return Policy{}, errors.New("policy has no quorum line")
	}
	return p.Policy, nil
}

type policyParser struct {
	Policy
	named   map[string]*Group
	member  map[string]bool // names that are members of a group already
	decided bool
}

func (p *policyParser) line(words []string) error {
	switch kind, rest := words[0], words[1:]; {
	case kind == "log" && (len(rest) == 1 || len(rest) == 2):
		return p.log(rest[0])
	case kind == "witness" && (len(rest) == 2 || len(rest) == 3):
		return p.witness(rest[0], rest[1])
	case kind == "group" && len(rest) >= 3:
		return p.group(rest[0], rest[1], rest[2:])
	case kind == "quorum" && len(rest) == 1:
		return p.quorum(rest[0])
	}
	return errors.New("it is no log, witness, group or quorum line")
}

func (p *policyParser) log(vkey string) error {
	key, err := ParseKey(vkey)
	if err != nil {
		return err
	}
	for _, k := range p.Keys {
		if k.Public.Equal(key.Public) {
			return errors.New("two logs have one key")
		}
	}
	p.Keys = append(p.Keys, key)
	return nil
}

func (p *policyParser) witness(name, vkey string) error {
	w, err := ParseWitness(vkey)
	if err != nil {
		return err
	}
	if err := p.AddWitness(w); err != nil {
		return err
	}
	return p.name(&Group{Name: name, Witness: &w})
}

func (p *policyParser) group(name, need string, members []string) error {
	g := &Group{Name: name}
	for _, m := range members {
		known := p.named[m]
		if known == nil {
			return fmt.Errorf("%q is not defined above", m)
		}
		if p.member[m] {
			return fmt.Errorf("%q is a member twice", m)
		}
		p.member[m] = true
		g.Members = append(g.Members, known)
	}
	switch need {
	case "any":
		g.Need = 1
	case "all":
		g.Need = len(members)
	default:
		n, err := strconv.Atoi(need)
		if err != nil || strconv.Itoa(n) != need || n < 1 || n > len(members) {
			return fmt.Errorf("%q is not any, all or a number from 1 to %d", need, len(members))
		}
		g.Need = n
	}
	return p.name(g)
}

func (p *policyParser) name(g *Group) error {
	if g.Name == "none" || p.named[g.Name] != nil {
		return fmt.Errorf("%q is taken", g.Name)
	}
	p.named[g.Name] = g
	return nil
}

func (p *policyParser) quorum(name string) error {
	if p.decided {
		return errors.New("there is a second quorum line")
	}
	p.decided = true
	if name == "none" {
		return nil
	}
	if p.Quorum = p.named[name]; p.Quorum == nil {
		return fmt.Errorf("%q is not defined above", name)
	}
	return nil
}
