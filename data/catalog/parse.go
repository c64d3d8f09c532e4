package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// ParseSchema compiles a JSON Schema. Name appears in mistakes, usually the file's.
//
// The error is [Mistakes], all of them. A keyword that is not known is passed over, as JSON Schema has it; in a
// schema of our own one that begins with "x-scrim-" is a mistake. A foreign schema's unknown labels count as
// [flow.Unlabelled], and its x-scrim-field is passed over.
func ParseSchema(name string, raw []byte, opt SchemaOptions) (*Schema, error) {
	if opt.Taxonomy == nil {
		opt.Taxonomy = flow.DefaultTaxonomy()
	}
	opt.MaxDepth = cmp.Or(opt.MaxDepth, 64)
	opt.MaxStates = cmp.Or(opt.MaxStates, 20_000)
	opt.Contracts = slices.Clone(opt.Contracts)
	p := &schemaParser{name: name, opt: opt, memo: map[int]*node{}}
	if err := p.doc.Parse(raw, nil, json.Limits{Depth: 2*opt.MaxDepth + 16}); err != nil {
		return nil, p.syntaxMistake(raw, err)
	}
	p.findAnchors()
	root := p.schema(0, 0)
	p.findCircles()
	if len(p.mistakes) > 0 {
		return nil, p.sorted()
	}
	s, err := compile(name, []*node{root}, opt)
	if err != nil {
		return nil, Mistakes{{File: name, Message: err.Error()}}
	}
	if ms := s.checkSubjects(); len(ms) > 0 {
		return nil, ms
	}
	return s, nil
}

type schemaParser struct {
	name     string
	opt      SchemaOptions
	doc      json.Doc
	memo     map[int]*node // by the index of the subschema in doc
	anchors  map[string]int
	id       string // $id of the root
	mistakes Mistakes
}

func (p *schemaParser) syntaxMistake(raw []byte, err error) error {
	m := Mistake{File: p.name, Message: "not a JSON document"}
	if e, ok := errors.AsType[*json.Error](err); ok {
		m.Message = e.Err.Error()
		head := string(raw[:min(max(e.Offset, 0), len(raw))])
		m.Line = 1 + strings.Count(head, "\n")
		m.Column = len(head) - strings.LastIndexByte(head, '\n')
	}
	return Mistakes{m}
}

func (p *schemaParser) sorted() Mistakes {
	slices.SortStableFunc(p.mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return p.mistakes
}

// wrong notes a mistake at node n of the document.
func (p *schemaParser) wrong(n int, hint, format string, args ...any) {
	const enough = 200
	if len(p.mistakes) >= enough {
		return
	}
	head := p.doc.Src[:p.doc.Nodes[n].Start]
	line, last := 1, -1
	for i, c := range head {
		if c == '\n' {
			line, last = line+1, i
		}
	}
	p.mistakes = append(p.mistakes, Mistake{
		File: p.name, Place: string(p.doc.Pointer(n, nil)), Line: line, Column: len(head) - last,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// findCircles reports subschemas that hold for a place because they hold for it.
func (p *schemaParser) findCircles() {
	const open, done = 1, 2
	mark := make(map[*node]int, len(p.memo))
	var visit func(n *node) bool // whether a circle was found
	visit = func(n *node) bool {
		if n == nil || mark[n] == done {
			return false
		}
		if mark[n] == open {
			return true
		}
		mark[n] = open
		found := visit(n.ref)
		for _, group := range append(slices.Clone(n.alts), n.all, n.some) {
			for _, sub := range group {
				found = visit(sub) || found
			}
		}
		mark[n] = done
		return found
	}
	for _, at := range slices.Sorted(maps.Keys(p.memo)) {
		if visit(p.memo[at]) {
			p.wrong(at, "", "the schema refers to itself without going into a member or element")
		}
	}
}

func (p *schemaParser) findAnchors() {
	p.anchors = map[string]int{}
	for n, v := range p.doc.Nodes {
		if v.Kind == json.String && v.Parent >= 0 && string(p.doc.Key(n)) == "$anchor" {
			p.anchors[p.doc.Text(n)] = int(v.Parent)
		}
	}
	if n, ok := p.doc.Member(0, "$id"); ok {
		p.id, _, _ = strings.Cut(p.doc.Text(n), "#")
	}
}

// schema parses the subschema at n, once. Depth counts how deep subschemas are nested, references included.
func (p *schemaParser) schema(n, depth int) *node {
	if done, ok := p.memo[n]; ok {
		return done
	}
	nd := &node{place: string(p.doc.Pointer(n, nil)), foreign: p.opt.Foreign, checks: checks{maxLen: -1}}
	p.memo[n] = nd
	if depth > p.opt.MaxDepth {
		p.wrong(n, "", "subschemas are nested more than %d deep", p.opt.MaxDepth)
		return nd
	}
	switch p.doc.Nodes[n].Kind {
	case json.True:
		nd.bare = true
	case json.False:
		nd.never = true
	case json.Object:
		nd.bare = int(p.doc.Nodes[n].Next) == n+1
		for m := range p.doc.Children(n) {
			p.keyword(nd, string(p.doc.Key(m)), m, depth)
		}
		p.finish(nd, n)
	default:
		p.wrong(n, "", "a schema must be an object, true or false, not %s", p.doc.Nodes[n].Kind)
	}
	return nd
}

// schemas parses an array of subschemas, not empty.
func (p *schemaParser) schemas(n, depth int) []*node {
	if !p.is(n, json.Array, "a list of schemas") {
		return nil
	}
	var all []*node
	for m := range p.doc.Children(n) {
		all = append(all, p.schema(m, depth+1))
	}
	if len(all) == 0 {
		p.wrong(n, "", "the list is empty")
	}
	return all
}

// named parses an object of subschemas by name.
func (p *schemaParser) named(n, depth int, each func(name string, m int, nd *node)) {
	if !p.is(n, json.Object, "an object of schemas") {
		return
	}
	for m := range p.doc.Children(n) {
		each(string(p.doc.Key(m)), m, p.schema(m, depth+1))
	}
}

func (p *schemaParser) is(n int, k json.Kind, what string) bool {
	if got := p.doc.Nodes[n].Kind; got != k {
		p.wrong(n, "", "%s is expected, not %s", what, got)
		return false
	}
	return true
}

func (p *schemaParser) text(n int) (string, bool) {
	if !p.is(n, json.String, "a string") {
		return "", false
	}
	return p.doc.Text(n), true
}

func (p *schemaParser) truth(n int) bool {
	switch p.doc.Nodes[n].Kind {
	case json.True:
		return true
	case json.False:
	default:
		p.wrong(n, "", "true or false is expected, not %s", p.doc.Nodes[n].Kind)
	}
	return false
}

func (p *schemaParser) number(n int) (float64, bool) {
	if !p.is(n, json.Number, "a number") {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(p.doc.Raw(n)), 64)
	if err != nil {
		p.wrong(n, "", "the number is out of range")
		return 0, false
	}
	return f, true
}

func (p *schemaParser) count(n int) (int, bool) {
	if !p.is(n, json.Number, "a number") {
		return 0, false
	}
	i, err := strconv.ParseUint(string(p.doc.Raw(n)), 10, 31)
	if err != nil {
		p.wrong(n, "", "a whole number, 0 or more, is expected")
		return 0, false
	}
	return int(i), true
}

// reference resolves a $ref within the document.
func (p *schemaParser) reference(n, depth int) *node {
	ref, ok := p.text(n)
	if !ok {
		return nil
	}
	base, frag, _ := strings.Cut(ref, "#")
	if base != "" && base != p.id {
		p.wrong(n, "put the schema under $defs", "$ref points out of this file")
		return nil
	}
	at, ok := p.find(frag)
	if !ok {
		p.wrong(n, "", "$ref points at nothing")
		return nil
	}
	return p.schema(at, depth+1)
}

// find returns the index of the value that a URI fragment points at.
func (p *schemaParser) find(frag string) (int, bool) {
	frag, err := url.PathUnescape(frag)
	if err != nil {
		return 0, false
	}
	if frag == "" {
		return 0, true
	}
	if frag[0] != '/' {
		at, ok := p.anchors[frag]
		return at, ok
	}
	at := 0
	for seg := range strings.SplitSeq(frag[1:], "/") {
		next, ok := child(&p.doc, at, unescapePointer(seg))
		if !ok {
			return 0, false
		}
		at = next
	}
	return at, true
}

// child returns the member or element of n that one segment of a JSON Pointer names.
func child(d *json.Doc, n int, seg string) (int, bool) {
	switch d.Nodes[n].Kind {
	case json.Object:
		return d.Member(n, seg)
	case json.Array:
		want, err := strconv.ParseUint(seg, 10, 31)
		if err != nil {
			return 0, false
		}
		for m := range d.Children(n) {
			if uint64(d.Nodes[m].Index) == want {
				return m, true
			}
		}
	}
	return 0, false
}

func unescapePointer(seg string) string {
	if !strings.Contains(seg, "~") {
		return seg
	}
	return strings.ReplaceAll(strings.ReplaceAll(seg, "~1", "/"), "~0", "~")
}
