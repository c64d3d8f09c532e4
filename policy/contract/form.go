package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// The members of the payload, in the order of their names: with sorted lists, whole numbers and plain ASCII that is the canonical
// form of RFC 8785, and a payload that is written in any other way is refused.
type body struct {
	Expires     int64       `json:"exp"`
	Name        string      `json:"name"`
	NotBefore   int64       `json:"nbf"`
	Negotiation string      `json:"negotiation"`
	Parties     []partyBody `json:"parties"`
	Previous    string      `json:"previous,omitempty"`
	Purposes    []string    `json:"purposes"`
	Version     int         `json:"version"`
}

type partyBody struct {
	Agents *[]string `json:"agents,omitempty"`
	Domain string    `json:"domain"`
	Gives  givesBody `json:"gives"`
}

type givesBody struct {
	Cost       *costBody            `json:"cost,omitempty"`
	Datasets   *map[string][]string `json:"datasets,omitempty"` // of each the columns; "*": all
	Levels     map[string]string    `json:"levels"`
	Notify     *[]string            `json:"notify,omitempty"`
	Retain     *int64               `json:"retain,omitempty"` // seconds
	Techniques *[]string            `json:"techniques,omitempty"`
}

type costBody struct {
	Delta   int64 `json:"delta_pico"`
	Epsilon int64 `json:"epsilon_nano"`
}

// bytes are what is signed.
func (c *Contract) bytes() []byte {
	if c.payload != nil {
		return c.payload
	}
	b := body{
		Expires: c.Expires.Unix(), Name: c.Name, NotBefore: c.NotBefore.Unix(), Negotiation: c.Negotiation, Previous: c.Previous,
		Purposes: sorted(c.Purposes), Version: c.Version,
	}
	for i := range c.Parties {
		b.Parties = append(b.Parties, c.Parties[i].body())
	}
	slices.SortFunc(b.Parties, func(x, y partyBody) int { return strings.Compare(x.Domain, y.Domain) })
	return encode(b)
}

func (p *Party) body() partyBody {
	g := givesBody{Levels: map[string]string{}}
	for l, level := range p.Gives.Levels {
		g.Levels[string(l)] = level.String()
	}
	if p.Gives.Datasets != nil {
		all := map[string][]string{}
		for name, columns := range p.Gives.Datasets {
			if all[name] = sorted(columns); columns == nil {
				all[name] = []string{"*"}
			}
		}
		g.Datasets = &all
	}
	if p.Gives.Techniques != nil {
		list := sorted(p.Gives.Techniques)
		g.Techniques = &list
	}
	if len(p.Gives.Notify) > 0 {
		list := sorted(p.Gives.Notify)
		g.Notify = &list
	}
	if c := p.Gives.Cost; c != nil {
		g.Cost = &costBody{Delta: c.DeltaPico, Epsilon: c.EpsilonNano}
	}
	if r := p.Gives.Retain; r != nil {
		s := int64(*r / time.Second)
		g.Retain = &s
	}
	out := partyBody{Domain: string(p.Domain), Gives: g}
	if p.Agents != nil {
		list := sorted(p.Agents)
		out.Agents = &list
	}
	return out
}

func sorted[T ~string](list []T) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, string(s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // plain structs always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decode reads one value strictly; that there is no other spelling of it is for the caller to see.
func decode(raw []byte, into any) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil {
		return false
	}
	_, err := dec.Token()
	return errors.Is(err, io.EOF)
}

// Parse reads a payload: the one spelling that it has, within bounds. The error is an [*Error].
func Parse(payload []byte) (*Contract, error) {
	if len(payload) > MaxText {
		return nil, broke(RuleSize, "")
	}
	var b body
	if !decode(payload, &b) || len(b.Parties) != 2 {
		return nil, broke(RuleForm, "")
	}
	c := &Contract{
		Negotiation: b.Negotiation, Version: b.Version, Previous: b.Previous, Name: b.Name,
		NotBefore: time.Unix(b.NotBefore, 0).UTC(), Expires: time.Unix(b.Expires, 0).UTC(),
	}
	for _, p := range b.Purposes {
		c.Purposes = append(c.Purposes, flow.Purpose(p))
	}
	for i := range b.Parties {
		p, ok := b.Parties[i].party()
		if !ok {
			return nil, broke(RuleContent, "parties")
		}
		c.Parties[i] = p
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	if !bytes.Equal(c.bytes(), payload) {
		return nil, broke(RuleForm, "")
	}
	c.payload = bytes.Clone(payload)
	c.id = c.ID()
	return c, nil
}

func (b *partyBody) party() (Party, bool) {
	p := Party{Domain: flow.DomainID(b.Domain), Gives: Gives{Levels: map[flow.Label]flow.Level{}}}
	if b.Agents != nil {
		p.Agents = []flow.AgentID{}
		for _, a := range *b.Agents {
			p.Agents = append(p.Agents, flow.AgentID(a))
		}
	}
	g := &b.Gives
	if g.Levels == nil {
		return p, false
	}
	for l, name := range g.Levels {
		level, err := flow.ParseLevel(name)
		if err != nil {
			return p, false
		}
		p.Gives.Levels[flow.Label(l)] = level
	}
	if g.Datasets != nil {
		p.Gives.Datasets = map[string][]string{}
		for name, columns := range *g.Datasets {
			if p.Gives.Datasets[name] = columns; slices.Equal(columns, []string{"*"}) {
				p.Gives.Datasets[name] = nil
			} else if columns == nil {
				return p, false
			}
		}
	}
	if g.Techniques != nil {
		p.Gives.Techniques = append([]string{}, *g.Techniques...)
	}
	if g.Notify != nil {
		p.Gives.Notify = *g.Notify
	}
	if g.Cost != nil {
		p.Gives.Cost = &flow.Cost{EpsilonNano: g.Cost.Epsilon, DeltaPico: g.Cost.Delta}
	}
	if g.Retain != nil {
		if *g.Retain < 0 || *g.Retain > int64(MaxLife/time.Second)*10 {
			return p, false
		}
		r := time.Duration(*g.Retain) * time.Second
		p.Gives.Retain = &r
	}
	return p, true
}

// Check holds a contract to its bounds. The error is an [*Error].
func (c *Contract) Check() error {
	switch {
	case len(c.Negotiation) != idLength || !word(c.Negotiation):
		return broke(RuleContent, "negotiation")
	case c.Version < 1 || c.Version > maxRounds || (c.Version == 1) != (c.Previous == ""):
		return broke(RuleContent, "version")
	case c.Previous != "" && !isID(c.Previous):
		return broke(RuleContent, "previous")
	case !word(c.Name):
		return broke(RuleContent, "name")
	case len(c.Purposes) == 0 || !list(c.Purposes, word):
		return broke(RuleContent, "purposes")
	case c.Parties[0].Domain == c.Parties[1].Domain:
		return broke(RuleContent, "parties")
	case !c.NotBefore.Before(c.Expires) || c.Expires.Sub(c.NotBefore) > MaxLife || c.NotBefore.Unix() < 0 || c.Expires.Unix() >= 1<<40:
		return broke(RuleTime, "exp")
	}
	for i := range c.Parties {
		if place := c.Parties[i].wrong(); place != "" {
			return broke(RuleContent, place)
		}
	}
	return nil
}

func (p *Party) wrong() string {
	g := &p.Gives
	switch {
	case !word(string(p.Domain)) || len(p.Domain) > 63:
		return "domain"
	case p.Agents != nil && len(p.Agents) == 0 || !list(p.Agents, word):
		return "agents"
	case len(g.Levels) > maxList || !all(maps.Keys(g.Levels), label):
		return "levels"
	case len(g.Datasets) > maxList || !all(maps.Keys(g.Datasets), word):
		return "datasets"
	case !list(g.Techniques, word):
		return "techniques"
	case !list(g.Notify, printable):
		return "notify"
	case g.Cost != nil && (g.Cost.EpsilonNano < 0 || g.Cost.DeltaPico < 0 || g.Cost.EpsilonNano >= 1<<53 || g.Cost.DeltaPico >= 1<<53):
		return "cost"
	case g.Retain != nil && *g.Retain < 0:
		return "retain"
	}
	for _, columns := range g.Datasets {
		if !list(columns, func(s string) bool { return printable(s) && s != "*" }) {
			return "datasets"
		}
	}
	return ""
}

func list[T ~string](of []T, fits func(string) bool) bool {
	return len(of) <= maxList && all(slices.Values(of), func(s T) bool { return fits(string(s)) })
}

func all[T any](of func(func(T) bool), fits func(T) bool) bool {
	for v := range of {
		if !fits(v) {
			return false
		}
	}
	return true
}

// word is what configuration takes as a name.
func word(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return true
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// printable is plain ASCII that JSON writes as it is.
func printable(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func label(l flow.Label) bool {
	return l == "*" || all(slices.Values(strings.Split(string(l), "/")), word)
}

func isID(s string) bool {
	sum, err := b64.DecodeString(s)
	return err == nil && len(sum) == 32 && !strings.ContainsAny(s, "\r\n")
}
