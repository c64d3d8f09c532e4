package exposure

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/flow"
)

// Bounds of a file of rules.
const (
	maxRuleFile = 1 << 20
	maxRules    = 256
	maxElements = 16
	maxAny      = 64
	maxPrefixes = 4096
	maxCount    = 100
	maxText     = 512
)

// ErrRules is wrapped by the errors of [ParseRules] and [NewRules].
var ErrRules = errors.New("exposure rules are not valid")

//go:embed rules/combinations.yaml
var combinations []byte

//go:embed rules/safe-harbor.yaml
var safeHarbor []byte

// Presets are the rules that are shipped, by name: combinations, for the usual quasi-identifiers, and safe-harbor, for what HIPAA's
// Safe Harbor method takes out of each record.
var Presets = sync.OnceValue(func() map[string]*Rules {
	all := map[string]*Rules{}
	for name, raw := range map[string][]byte{"combinations": combinations, "safe-harbor": safeHarbor} {
		r, err := ParseRules(raw, flow.DefaultTaxonomy())
		if err != nil {
			panic(name + ": " + err.Error()) // the file beside this one is at fault
		}
		all[name] = r
	}
	return all
})

// ruleFile is a file of rules as it is written.
type ruleFile struct {
	Rules  []ruleText   `yaml:"rules"`
	Refine []refineText `yaml:"refine"`
}

type ruleText struct {
	Name   string        `yaml:"name"`
	Source string        `yaml:"source"`
	Of     []elementText `yaml:"of"`
	Allow  int           `yaml:"allow"`
	Known  []flow.Label  `yaml:"known"`
}

type elementText struct {
	Name  string    `yaml:"name"`
	Any   []anyText `yaml:"any"`
	Count int       `yaml:"count"`
}

type anyText struct {
	Label flow.Label `yaml:"label"`
	To    string     `yaml:"to"`
}

type refineText struct {
	Label    flow.Label `yaml:"label"`
	Prefixes []string   `yaml:"prefixes"`
	As       flow.Label `yaml:"as"`
}

// ParseRules reads a file of rules (YAML) strictly. The error wraps [ErrRules] and names the place, not what stands there.
func ParseRules(raw []byte, t *flow.Taxonomy) (*Rules, error) {
	if len(raw) > maxRuleFile {
		return nil, fmt.Errorf("%w: the file is larger than 1 MiB", ErrRules)
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	var f ruleFile
	if err := dec.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: the file is empty", ErrRules)
		}
		return nil, fmt.Errorf("%w: %s", ErrRules, lineOf(err))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: there is more than one document", ErrRules)
	}
	var rules []Rule
	for i := range f.Rules {
		r, err := f.Rules[i].rule()
		if err != nil {
			return nil, fmt.Errorf("%w: rules[%d]%w", ErrRules, i, err)
		}
		rules = append(rules, r)
	}
	var refine []Refinement
	for _, x := range f.Refine {
		refine = append(refine, Refinement(x))
	}
	return NewRules(rules, refine, t)
}

// lineOf keeps the line of a YAML error and leaves out what it cites.
func lineOf(err error) string {
	text := err.Error()
	if i := strings.Index(text, "line "); i >= 0 {
		rest := text[i+len("line "):]
		if n := len(rest) - len(strings.TrimLeft(rest, "0123456789")); n > 0 {
			return "line " + rest[:n] + " is not as rules are written: names of fields, lists and texts"
		}
	}
	return "this is not YAML as rules are written"
}

func (t *ruleText) rule() (Rule, error) {
	r := Rule{Name: t.Name, Source: t.Source, Allow: t.Allow, Known: t.Known}
	for j, e := range t.Of {
		out := Element{Name: e.Name, Count: e.Count}
		for k, a := range e.Any {
			to, err := parseTo(a.To)
			if err != nil {
				return Rule{}, fmt.Errorf(".of[%d].any[%d].to: %w", j, k, err)
			}
			out.Any = append(out.Any, Alternative{Label: a.Label, To: to})
		}
		r.Of = append(r.Of, out)
	}
	return r, nil
}

var errTo = errors.New("masked, dropped, keep:N or a generalisation such as year, bucket:10 or prefix:3 is expected")

// parseTo reads the level at which a piece does not count.
func parseTo(s string) (flow.Treatment, error) {
	switch s {
	case "masked":
		return flow.Treatment{Level: flow.Masked}, nil
	case "dropped":
		return flow.Treatment{}, nil
	case "":
		return flow.Treatment{}, errTo
	}
	for _, l := range []flow.Level{flow.Generalized, flow.Masked} {
		if p, err := flow.ParseParam(l, s); err == nil && !strings.HasPrefix(s, "shift:") {
			return flow.Treatment{Level: l, Param: p}, nil
		}
	}
	return flow.Treatment{}, errTo
}

// NewRules returns the rules, checked against the taxonomy. The error wraps [ErrRules] and names the place.
func NewRules(rules []Rule, refine []Refinement, t *flow.Taxonomy) (*Rules, error) {
	wrong := func(place, what string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrRules, place, fmt.Sprintf(what, args...))
	}
	if len(rules) > maxRules {
		return nil, wrong("rules", "there are more than %d", maxRules)
	}
	out := &Rules{}
	narrower := map[flow.Label]bool{}
	for i, f := range refine {
		at := fmt.Sprintf("refine[%d]", i)
		switch {
		case !t.Known(f.Label):
			return nil, wrong(at+".label", "there is no such class of data")
		case f.As == f.Label || !f.As.Within(f.Label) || len(f.As) > maxText:
			return nil, wrong(at+".as", "a label within that of the values is expected")
		case len(f.Prefixes) == 0 || len(f.Prefixes) > maxPrefixes:
			return nil, wrong(at+".prefixes", "1 to %d are expected", maxPrefixes)
		}
		narrower[f.As] = true
		g := Refinement{Label: f.Label, As: f.As}
		for j, p := range f.Prefixes {
			if p == "" || len(p) > maxText {
				return nil, wrong(fmt.Sprintf("%s.prefixes[%d]", at, j), "1 to %d bytes are expected", maxText)
			}
			g.Prefixes = append(g.Prefixes, strings.ToLower(p))
		}
		out.refine = append(out.refine, g)
	}
	names := map[string]bool{}
	for i := range rules {
		at := fmt.Sprintf("rules[%d]", i)
		r, err := checkRule(at, &rules[i], t, narrower)
		if err != nil {
			return nil, err
		}
		if names[r.Name] {
			return nil, wrong(at+".name", "another rule has the same name")
		}
		names[r.Name] = true
		out.pieces += len(r.Of)
		out.rules = append(out.rules, r)
	}
	return out, nil
}

func checkRule(at string, in *Rule, t *flow.Taxonomy, narrower map[flow.Label]bool) (Rule, error) {
	wrong := func(place, what string, args ...any) (Rule, error) {
		return Rule{}, fmt.Errorf("%w: %s%s: %s", ErrRules, at, place, fmt.Sprintf(what, args...))
	}
	r := Rule{Name: in.Name, Source: in.Source, Allow: in.Allow}
	switch {
	case r.Name == "" || len(r.Name) > 64 || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return wrong(".name", "up to 64 lower-case letters, digits and hyphens are expected")
	case len(r.Source) > maxText:
		return wrong(".source", "it is longer than %d bytes", maxText)
	case len(in.Of) == 0 || len(in.Of) > maxElements:
		return wrong(".of", "1 to %d pieces are expected", maxElements)
	case in.Allow < 0 || in.Allow >= len(in.Of) && in.Allow > 0:
		return wrong(".allow", "fewer than there are pieces are expected")
	}
	for j, k := range in.Known {
		if !t.Known(k) {
			return wrong(fmt.Sprintf(".known[%d]", j), "there is no such class of data")
		}
		r.Known = append(r.Known, k)
	}
	for j := range in.Of {
		e := &in.Of[j]
		place := fmt.Sprintf(".of[%d]", j)
		switch {
		case len(e.Name) > 64:
			return wrong(place+".name", "it is longer than 64 bytes")
		case len(e.Any) == 0 || len(e.Any) > maxAny:
			return wrong(place+".any", "1 to %d labels are expected", maxAny)
		case e.Count < 0 || e.Count > maxCount:
			return wrong(place+".count", "1 to %d is expected", maxCount)
		}
		out := Element{Name: e.Name, Count: e.Count}
		for k, a := range e.Any {
			if !t.Known(a.Label) && !narrower[a.Label] {
				return wrong(fmt.Sprintf("%s.any[%d].label", place, k), "there is no such class of data")
			}
			class, _ := t.Class(a.Label)
			if got := class.Resolve(a.To); got != a.To || class.Family.Meet(got, got) != got || a.To.Level == flow.Raw || a.To.Level == flow.Tokenized {
				return wrong(fmt.Sprintf("%s.any[%d].to", place, k), "values of this class have no such level")
			}
			out.Any = append(out.Any, a)
		}
		r.Of = append(r.Of, out)
	}
	return r, nil
}

// With returns the rules followed by others. It returns [ErrRules] if two have one name.
func (r *Rules) With(more *Rules) (*Rules, error) {
	out := &Rules{pieces: r.pieces + more.pieces, rules: append([]Rule(nil), r.rules...), refine: append([]Refinement(nil), r.refine...)}
	for i := range more.rules {
		for j := range r.rules {
			if r.rules[j].Name == more.rules[i].Name {
				return nil, fmt.Errorf("%w: two rules are called %s", ErrRules, more.rules[i].Name)
			}
		}
	}
	out.rules, out.refine = append(out.rules, more.rules...), append(out.refine, more.refine...)
	return out, nil
}
