package catalog

import (
	"regexp"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// keyword reads one keyword of a schema object; m is its value.
func (p *schemaParser) keyword(nd *node, key string, m, depth int) {
	if strings.HasPrefix(key, "x-scrim-") {
		p.ownKeyword(nd, key, m)
		return
	}
	if p.applicator(nd, key, m, depth) {
		return
	}
	p.assertion(nd, key, m)
}

// applicator reads the keywords that hold subschemas.
func (p *schemaParser) applicator(nd *node, key string, m, depth int) bool {
	switch key {
	case "properties":
		nd.props = map[string]*node{}
		p.named(m, depth, func(name string, _ int, sub *node) { nd.props[name] = sub })
	case "patternProperties":
		p.named(m, depth, func(name string, at int, sub *node) {
			if re := p.regexp(at, name); re != nil {
				nd.patterns = append(nd.patterns, patternNode{re, sub})
			}
		})
	case "additionalProperties", "unevaluatedProperties":
		if sub := p.schema(m, depth+1); !sub.bare && !sub.never && nd.additional == nil {
			nd.additional = sub
		}
	case "propertyNames":
		nd.names = p.schema(m, depth+1)
	case "prefixItems":
		nd.prefix = p.schemas(m, depth)
	case "items":
		if p.doc.Nodes[m].Kind == json.Array { // as drafts before 2020-12 had it
			nd.prefix = p.schemas(m, depth)
		} else {
			nd.items = p.schema(m, depth+1)
		}
	case "allOf":
		nd.all = append(nd.all, p.schemas(m, depth)...)
	case "anyOf", "oneOf":
		nd.alts = append(nd.alts, p.schemas(m, depth))
	case "then", "else":
		nd.some = append(nd.some, p.schema(m, depth+1))
	case "dependentSchemas":
		p.named(m, depth, func(_ string, _ int, sub *node) { nd.some = append(nd.some, sub) })
	case "$defs", "definitions":
		p.named(m, depth, func(string, int, *node) {})
	case "$ref":
		nd.ref = p.reference(m, depth)
	case "$dynamicRef", "$recursiveRef":
		p.wrong(m, "use $ref", "%s is not supported", key)
	case "$id":
		if at := p.doc.Nodes[m].Parent; at != 0 {
			p.wrong(m, "keep one $id, at the root", "a nested $id is not supported")
		}
	default:
		return false
	}
	return true
}

// assertion reads the keywords that restrict a value. Those not listed are passed over.
func (p *schemaParser) assertion(nd *node, key string, m int) {
	c := &nd.checks
	switch key {
	case "type":
		p.types(c, m)
	case "const":
		c.enum, c.hasEnum, c.isConst = []scalar{p.scalar(m)}, true, true
	case "enum":
		if !p.is(m, json.Array, "a list of values") {
			return
		}
		c.hasEnum = true
		for v := range p.doc.Children(m) {
			c.enum = append(c.enum, p.scalar(v))
		}
	case "format":
		c.format, _ = p.text(m)
	case "pattern":
		if s, ok := p.text(m); ok {
			c.pattern = p.regexp(m, s)
		}
	case "minLength":
		c.minLen, _ = p.count(m)
	case "maxLength":
		if n, ok := p.count(m); ok {
			c.maxLen = n
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		p.bound(c, key, m)
	case "required":
		p.required(nd, m)
	}
}

func (p *schemaParser) bound(c *checks, key string, m int) {
	f, ok := p.number(m)
	if !ok {
		return
	}
	switch key {
	case "minimum":
		c.min = &f
	case "maximum":
		c.max = &f
	case "exclusiveMinimum":
		c.overMin = &f
	case "exclusiveMaximum":
		c.underMax = &f
	case "multipleOf":
		if f <= 0 {
			p.wrong(m, "", "multipleOf must be above 0")
		}
		c.multiple = f
	}
}

func (p *schemaParser) required(nd *node, m int) {
	if !p.is(m, json.Array, "a list of names") {
		return
	}
	for v := range p.doc.Children(m) {
		if name, ok := p.text(v); ok {
			nd.required = append(nd.required, name)
		}
	}
}

func (p *schemaParser) types(c *checks, m int) {
	list := []int{m}
	if p.doc.Nodes[m].Kind == json.Array {
		list = slices.Collect(p.doc.Children(m))
	}
	for _, v := range list {
		name, ok := p.text(v)
		if !ok {
			continue
		}
		i := slices.Index(typeNames, name)
		if i < 0 {
			p.wrong(v, nearHint(name, typeNames), "not a type of JSON Schema")
			continue
		}
		c.types |= 1 << i
	}
}

func (p *schemaParser) regexp(m int, pattern string) *regexp.Regexp {
	re, err := regexp.Compile(pattern)
	if err != nil {
		p.wrong(m, "look-around and back-references are not supported (RE2)", "the pattern does not compile")
		return nil
	}
	return re
}

func (p *schemaParser) scalar(n int) scalar {
	s := scalar{kind: p.doc.Nodes[n].Kind}
	switch s.kind {
	case json.String:
		s.text = p.doc.Text(n)
	case json.Number:
		s.text = string(p.doc.Raw(n))
	}
	return s
}

var ownKeywords = []string{"x-scrim-label", "x-scrim-need", "x-scrim-droppable", "x-scrim-signed", "x-scrim-subject", "x-scrim-unit", "x-scrim-field"}

// ownKeyword reads the keywords of ours.
func (p *schemaParser) ownKeyword(nd *node, key string, m int) {
	switch key {
	case "x-scrim-label":
		if s, ok := p.text(m); ok {
			nd.label = p.label(m, s)
		}
	case "x-scrim-need":
		nd.need = p.need(m)
	case "x-scrim-droppable":
		nd.droppable = p.truth(m)
	case "x-scrim-signed":
		nd.signed = p.truth(m)
	case "x-scrim-subject":
		if s, ok := p.text(m); ok {
			nd.subject = s
			if err := checkPointer(s); err != "" {
				p.wrong(m, `"/patients/*/id" from the root, or "../id" from the value`, "%s", err)
			}
		}
	case "x-scrim-unit":
		nd.unit, _ = p.text(m)
	case "x-scrim-field":
		if s, ok := p.text(m); ok && !p.opt.Foreign {
			nd.field = p.field(m, s)
		}
	default:
		if !p.opt.Foreign {
			p.wrong(m, nearHint(key, ownKeywords), "unknown keyword %q", key)
		}
	}
}

func (p *schemaParser) label(m int, s string) flow.Label {
	if p.opt.Taxonomy.Known(flow.Label(s)) {
		return flow.Label(s)
	}
	if p.opt.Foreign {
		return flow.Unlabelled
	}
	p.wrong(m, labelHint(s, p.opt.Taxonomy), "%q is not a label of the taxonomy", s)
	return flow.Unlabelled
}

// labelHint names the nearest label, or how to add one.
func labelHint(s string, tax *flow.Taxonomy) string {
	all := tax.All()
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = string(c.Label)
	}
	if hint := nearHint(s, names); hint != "" {
		return hint
	}
	last := s[strings.LastIndexByte(s, '/')+1:]
	for _, name := range names {
		if strings.HasSuffix(name, "/"+last) {
			return "did you mean " + name + "?"
		}
	}
	return "classes of your own go under taxonomy in scrim.yaml"
}

func (p *schemaParser) field(m int, name string) *Field {
	var names []string
	for _, k := range p.opt.Contracts {
		if f, ok := k.Field(name); ok {
			return &f
		}
		for _, f := range k.Fields() {
			names = append(names, f.Name)
		}
	}
	p.wrong(m, nearHint(name, names), "no contract has the field %q", name)
	return nil
}

// need reads "level", "level(param)" or {"level": …, "param": …}.
func (p *schemaParser) need(m int) *flow.Treatment {
	level, param, at := "", "", m
	switch p.doc.Nodes[m].Kind {
	case json.String:
		var open bool
		level, param, open = strings.Cut(p.doc.Text(m), "(")
		if open && !strings.HasSuffix(param, ")") {
			p.wrong(m, "", `the need is not of the form "level" or "level(param)"`)
			return nil
		}
		param = strings.TrimSuffix(param, ")")
	case json.Object:
		for v := range p.doc.Children(m) {
			text, _ := p.text(v)
			switch string(p.doc.Key(v)) {
			case "level":
				level = text
			case "param":
				param = text
			default:
				p.wrong(v, "level and param", "unknown member of x-scrim-need")
			}
		}
	default:
		p.wrong(m, `such as "raw" or "generalized(year)"`, "a string or an object is expected")
		return nil
	}
	l, err := flow.ParseLevel(level)
	if err != nil {
		p.wrong(at, "", "%s", err)
		return nil
	}
	prm, err := flow.ParseParam(l, param)
	if err != nil {
		p.wrong(at, "", "%s", err)
		return nil
	}
	return &flow.Treatment{Level: l, Param: prm}
}

// finish checks what a node's keywords mean together, once all are read.
func (p *schemaParser) finish(nd *node, n int) {
	if nd.field != nil && nd.label == "" && nd.field.Label != flow.Unlabelled {
		nd.label = nd.field.Label
	} else if nd.field != nil && nd.label != "" {
		nd.label = p.opt.Taxonomy.Stricter(nd.label, nd.field.Label)
	}
	if nd.field != nil && nd.unit == "" {
		nd.unit = nd.field.Unit
	}
	if nd.need != nil && nd.label != "" && !nd.foreign {
		class, _ := p.opt.Taxonomy.Class(nd.label)
		if r := class.Resolve(*nd.need); r.Level != nd.need.Level {
			p.wrong(n, "", "%s has no %s: it is one of the %ss", nd.label, nd.need, class.Family)
		}
	}
	for name, sub := range nd.props {
		sibling, ok := strings.CutPrefix(sub.subject, "../")
		if !ok || strings.HasPrefix(sibling, "../") || strings.Contains(sibling, "/") || nd.ref != nil || len(nd.all)+len(nd.alts) > 0 || nd.foreign {
			continue
		}
		if _, ok := nd.props[unescapePointer(sibling)]; !ok {
			at, _ := p.doc.Member(n, "properties")
			at, _ = p.doc.Member(at, name)
			p.wrong(at, "", "x-scrim-subject points at nothing beside it")
		}
	}
}
