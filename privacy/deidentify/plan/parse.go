package plan

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/flow"
)

const maxPlan = 1 << 20 // bytes

// Parse reads a plan. Name appears in mistakes. The error is [Mistakes].
func Parse(name string, raw []byte) (*Plan, error) {
	if len(raw) > maxPlan {
		return nil, Mistakes{{File: name, Message: "the plan is larger than 1 MiB"}}
	}
	root, err := document(name, raw)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: name, places: map[string]place{}}
	p := &Plan{Name: name, places: d.places}
	d.plan(root, p)
	p.check(d)
	if len(d.mistakes) > 0 {
		return nil, d.mistakes.sorted()
	}
	return p, nil
}

// document parses YAML to its one mapping.
func document(name string, raw []byte) (*yaml.Node, error) {
	var doc, second yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	err := dec.Decode(&doc)
	switch {
	case err != nil && err != io.EOF:
		return nil, Mistakes{syntaxMistake(name, err)}
	case err == io.EOF || len(doc.Content) != 1 || isNull(doc.Content[0]):
		return nil, Mistakes{{File: name, Line: 1, Column: 1, Message: "the plan is empty", Hint: "it begins with version: 1 and columns:"}}
	}
	if err := dec.Decode(&second); err != io.EOF {
		return nil, Mistakes{{File: name, Line: max(second.Line, 1), Column: 1, Message: "there is more than one document in the file"}}
	}
	return doc.Content[0], nil
}

var parserLine = regexp.MustCompile(`line ([0-9]{1,9}): `)

// syntaxMistake keeps the place of the parser's message, and of its reason only what quotes nothing of the file.
func syntaxMistake(name string, err error) Mistake {
	m := Mistake{File: name, Line: 1, Column: 1, Message: "not valid YAML"}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if at := parserLine.FindStringSubmatch(text); at != nil {
		m.Line, _ = strconv.Atoi(at[1])
		text = text[strings.Index(text, at[0])+len(at[0]):]
		if strings.HasPrefix(text, "did not find expected") {
			m.Line++ // the parser, unlike the scanner, counts from 0
		}
	}
	if !strings.ContainsAny(text, "'\"`") {
		m.Message += ": " + text
	}
	if strings.Contains(text, "cannot start any token") {
		m.Hint = "indent with spaces, not with tabs"
	}
	return m
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// field is a key of a mapping and what it fills.
type field struct {
	key string
	to  any
}

// decoder fills fields from YAML nodes, and notes everything that does not fit, and where everything stands.
type decoder struct {
	file     string
	mistakes Mistakes
	places   map[string]place // by path, such as "columns/age/hierarchy"
}

func (d *decoder) wrong(n *yaml.Node, hint, format string, args ...any) {
	d.mistakes = append(d.mistakes, Mistake{File: d.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// at notes a mistake at a place that was read, or at the nearest one above it.
func (d *decoder) at(path, hint, format string, args ...any) {
	d.mistakes = append(d.mistakes, mistakeAt(d.file, d.places, path, hint, fmt.Sprintf(format, args...)))
}

func mistakeAt(file string, places map[string]place, path, hint, message string) Mistake {
	for {
		if p, ok := places[path]; ok || path == "" {
			return Mistake{File: file, Line: p.line, Column: p.column, Message: message, Hint: hint}
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
}

func (d *decoder) plan(n *yaml.Node, p *Plan) {
	var version int
	var rest string
	d.fields(n, "", []field{
		{"version", &version}, {"columns", &p.Columns}, {"rest", &rest}, {"privacy", &p.Privacy}, {"suppression", &p.Suppression},
		{"recoding", &p.Recoding}, {"metric", &p.Metric}, {"uncovered", &p.Uncovered}, {"suppressed", &p.Suppressed}, {"subject", &p.Subject},
		{"population", &p.Population}, {"risk", &p.Risk}, {"stream", &p.Stream},
	})
	if version != 1 {
		d.at("version", "write version: 1", "the version of the plan is missing or not 1")
	}
	if rest != "" && rest != "drop" {
		d.at("rest", "columns that are to stay are named with technique: keep", "what a plan does not name is left out: rest can only be drop")
	}
}

func (c *Column) fields() []field {
	return []field{
		{"role", &c.Role}, {"technique", &c.Technique}, {"label", &c.Label}, {"subject", &c.Subject},
		{"hierarchy", &c.Hierarchy}, {"intervals", &c.Intervals}, {"prefix", &c.Prefix}, {"dates", &c.Dates},
		{"origin", &c.Origin}, {"bottom", &c.Bottom}, {"top", &c.Top}, {"least", &c.Least}, {"most", &c.Most}, {"weight", &c.Weight},
		{"keep", &c.Keep}, {"value", &c.Value}, {"locale", &c.Locale}, {"days", &c.Days}, {"width", &c.Width}, {"edges", &c.Edges},
		{"names", &c.Names}, {"lower", &c.Lower}, {"to", &c.To}, {"steps", &c.Steps}, {"bits", &c.Bits}, {"alphabet", &c.Alphabet},
		{"luhn", &c.Luhn}, {"scale", &c.Scale}, {"unit", &c.Unit}, {"shape", &c.Shape}, {"floor", &c.Floor}, {"ceiling", &c.Ceiling},
		{"salt", &c.Salt}, {"public", &c.Public}, {"bytes", &c.Bytes},
	}
}

func (m *Model) fields() []field {
	return []field{
		{"model", &m.Model}, {"k", &m.K}, {"column", &m.Column}, {"kind", &m.Kind}, {"l", &m.L}, {"c", &m.C}, {"t", &m.T},
		{"distance", &m.Distance}, {"hierarchy", &m.Hierarchy}, {"least", &m.Least}, {"most", &m.Most},
	}
}

func (r *Risk) fields() []field {
	return []field{
		{"threshold", &r.Threshold}, {"at-risk", &r.AtRisk}, {"highest", &r.Highest}, {"average", &r.Average},
		{"unique", &r.Unique}, {"journalist", &r.Journalist},
	}
}

func (s *Stream) fields() []field {
	return []field{
		{"model", &s.Model}, {"z", &s.Z}, {"window", &s.Window}, {"capacity", &s.Capacity}, {"k", &s.K}, {"l", &s.L}, {"column", &s.Column},
		{"delay", &s.Delay}, {"within", &s.Within}, {"clusters", &s.Clusters}, {"recent", &s.Recent}, {"reuse", &s.Reuse},
	}
}

// fields fills what a mapping has, and notes keys that are unknown or given twice.
func (d *decoder) fields(n *yaml.Node, path string, known []field) {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.key
	}
	d.mapping(n, path, func(k, v *yaml.Node, at string) {
		for _, f := range known {
			if f.key == k.Value {
				d.value(v, f.to, at)
				return
			}
		}
		d.wrong(k, nearHint(k.Value, names), "unknown key%s", shown(k.Value))
	})
}

// mapping calls each with every key and value of a mapping.
func (d *decoder) mapping(n *yaml.Node, path string, each func(k, v *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "", "keys with values are expected here")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || isNull(k):
			d.wrong(k, "", "a key is expected")
		case k.Value == "<<" && k.Tag == "!!merge":
			d.wrong(k, "write it out", "merge keys are not read")
		case seen[k.Value]:
			d.wrong(k, "", "key%s is given twice", shown(k.Value))
		case v.Kind == yaml.AliasNode || v.Anchor != "" || k.Anchor != "":
			d.wrong(v, "write it out", "anchors and aliases are not read")
		default:
			seen[k.Value] = true
			at := k.Value
			if path != "" {
				at = path + "/" + k.Value
			}
			d.places[at] = place{k.Line, k.Column}
			each(k, v, at)
		}
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// shown repeats a key if it looks like one.
func shown(s string) string {
	if !plainWord.MatchString(s) {
		return ""
	}
	return " " + strconv.Quote(s)
}

// value decodes one node into what it fills.
func (d *decoder) value(n *yaml.Node, to any, path string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.wrong(n, "write it out", "anchors and aliases are not read")
		return
	}
	switch to := to.(type) {
	case *[]Column:
		d.mapping(n, path, func(k, v *yaml.Node, at string) {
			c := Column{Name: k.Value}
			d.fields(v, at, c.fields())
			*to = append(*to, c)
		})
	case *[]Model:
		d.list(n, path, func(v *yaml.Node, at string) {
			var m Model
			d.fields(v, at, m.fields())
			*to = append(*to, m)
		})
	case *Population:
		d.fields(n, path, []field{{"size", &to.Size}, {"file", &to.File}})
	case *Risk:
		d.fields(n, path, to.fields())
	case *Stream:
		d.fields(n, path, to.fields())
	case *[]Decimal:
		d.list(n, path, func(v *yaml.Node, at string) { *to = append(*to, Decimal("")); d.value(v, &(*to)[len(*to)-1], at) })
	case *[]int:
		d.list(n, path, func(v *yaml.Node, at string) { *to = append(*to, 0); d.value(v, &(*to)[len(*to)-1], at) })
	case *[]string:
		d.list(n, path, func(v *yaml.Node, at string) { *to = append(*to, ""); d.value(v, &(*to)[len(*to)-1], at) })
	default:
		d.scalar(n, to)
	}
}

func (d *decoder) list(n *yaml.Node, path string, each func(v *yaml.Node, at string)) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "such as [1, 2]", "a list is expected")
		return
	}
	if len(n.Content) == 0 {
		d.wrong(n, "", "the list is empty")
	}
	for i, v := range n.Content {
		at := fmt.Sprintf("%s/%d", path, i)
		d.places[at] = place{v.Line, v.Column}
		each(v, at)
	}
}

var labelForm = regexp.MustCompile(`^[a-z0-9-]{1,40}(/[a-z0-9-]{1,40}){0,6}$`)

var decimalForm = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,18})?$`)

func (d *decoder) scalar(n *yaml.Node, to any) {
	if n.Kind != yaml.ScalarNode || isNull(n) || n.Value == "" {
		d.wrong(n, "", "a value is expected")
		return
	}
	isNumber := n.Tag == "!!int" || n.Tag == "!!float"
	switch to := to.(type) {
	case *string:
		if n.Tag == "!!str" || (isNumber || n.Tag == "!!timestamp") && n.Style == 0 {
			*to = n.Value
			return
		}
		d.wrong(n, "put it in quotes", "a text is expected")
	case *flow.Label:
		if n.Tag != "!!str" || !labelForm.MatchString(n.Value) {
			d.wrong(n, "such as person/name", "not a label")
			return
		}
		*to = flow.Label(n.Value)
	case *bool:
		if n.Tag != "!!bool" {
			d.wrong(n, "", "true or false is expected")
			return
		}
		*to = strings.EqualFold(n.Value, "true")
	case *int:
		v, err := strconv.ParseInt(n.Value, 10, 31)
		if err != nil || v < 0 {
			d.wrong(n, "", "a whole number is expected")
			return
		}
		*to = int(v)
	case *int64:
		v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, 50)
		if err != nil || v < 1 {
			d.wrong(n, "", "a whole number above 0 is expected")
			return
		}
		*to = v
	case *Decimal:
		if !decimalForm.MatchString(n.Value) {
			d.wrong(n, "such as 10 or 0.25", "a number is expected")
			return
		}
		*to = Decimal(n.Value)
	case *Share:
		s, ok := parseShare(n.Value)
		if !ok {
			d.wrong(n, "such as 5% or 0.05", "a share between 0 and 1 is expected")
			return
		}
		*to = s
	case **Scalar:
		d.constant(n, to)
	}
}

func (d *decoder) constant(n *yaml.Node, to **Scalar) {
	switch {
	case n.Tag == "!!bool":
		*to = &Scalar{Kind: 'b', Text: strings.ToLower(n.Value)}
	case n.Tag == "!!int" || n.Tag == "!!float":
		if !decimalForm.MatchString(n.Value) {
			d.wrong(n, "such as 10 or 0.25", "a number is expected")
			return
		}
		*to = &Scalar{Kind: 'n', Text: n.Value}
	default:
		*to = &Scalar{Kind: 't', Text: n.Value}
	}
}
