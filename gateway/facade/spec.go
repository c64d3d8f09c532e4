package facade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Spec is what an OpenAPI file says of a service, as far as a facade uses it: operations that read, with their
// parameters and what they answer.
type Spec struct {
	operations map[string]*endpoint
	ids        map[string]int // how many operations have an id, whatever they do
}

// endpoint is one operation.
type endpoint struct {
	path    string
	inPath  []string
	inQuery map[string]bool
	answer  *yaml.Node // the schema of its answer; nil: it has none
	node    *yaml.Node
	spec    *specReader
}

// SpecError says what is wrong with an OpenAPI file, and where.
type SpecError struct {
	Line, Column int
	Why          string
}

// Error implements error.
func (e *SpecError) Error() string {
	return fmt.Sprintf("OpenAPI file, line %d, column %d: %s", e.Line, e.Column, e.Why)
}

// Bounds of an OpenAPI file.
const (
	maxSpecNodes = 200_000
	maxSpecDepth = 64
	maxRefs      = 32 // of references that lead to references
)

type specReader struct {
	root  *yaml.Node
	nodes int
}

func specError(n *yaml.Node, why string) error {
	if n == nil {
		return &SpecError{1, 1, why}
	}
	return &SpecError{n.Line, n.Column, why}
}

// ParseOpenAPI reads an OpenAPI file, 3.0 or 3.1, in YAML or JSON. Nothing outside the file is read, and the servers that
// it names are not called: where the service lies is the configuration's word. The error is a [*SpecError].
func ParseOpenAPI(raw []byte) (*Spec, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, &SpecError{lineOf(err), 1, "it is no YAML or JSON"}
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &SpecError{1, 1, "an OpenAPI document is expected"}
	}
	r := &specReader{root: doc.Content[0]}
	if err := r.sound(r.root, 0); err != nil {
		return nil, err
	}
	if v := r.text(r.root, "openapi"); !strings.HasPrefix(v, "3.0") && !strings.HasPrefix(v, "3.1") {
		return nil, specError(r.root, "its version is not 3.0 or 3.1")
	}
	s := &Spec{operations: map[string]*endpoint{}, ids: map[string]int{}}
	paths := r.member(r.root, "paths")
	if paths == nil || paths.Kind != yaml.MappingNode {
		return nil, specError(r.root, "it has no paths")
	}
	for i := 0; i+1 < len(paths.Content); i += 2 {
		if err := r.path(s, paths.Content[i], paths.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func lineOf(err error) int {
	line := 1
	if _, after, ok := strings.Cut(err.Error(), "line "); ok {
		_, _ = fmt.Sscan(strings.TrimSuffix(strings.Fields(after)[0], ":"), &line) // no number: the first line
	}
	return line
}

// sound refuses aliases, by which a short file is a long one, keys that are there twice, and what is too large or deep.
func (r *specReader) sound(n *yaml.Node, depth int) error {
	r.nodes++
	switch {
	case depth > maxSpecDepth:
		return specError(n, fmt.Sprintf("it is nested more than %d deep", maxSpecDepth))
	case r.nodes > maxSpecNodes:
		return specError(n, fmt.Sprintf("it has more than %d values", maxSpecNodes))
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return specError(n, "anchors and aliases are not read; write it out")
	}
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if seen[child.Value] {
				return specError(child, "a key is there twice")
			}
			seen[child.Value] = true
		}
		if err := r.sound(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *specReader) raw(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// member is the value of a key, behind references.
func (r *specReader) member(n *yaml.Node, key string) *yaml.Node {
	v, err := r.behind(r.raw(n, key))
	if err != nil {
		return nil
	}
	return v
}

func (r *specReader) text(n *yaml.Node, key string) string {
	if v := r.raw(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

var errRefs = errors.New("a reference leads nowhere, out of the file, or round in a circle")

// behind follows references within the file.
func (r *specReader) behind(n *yaml.Node) (*yaml.Node, error) {
	for range maxRefs {
		ref := r.raw(n, "$ref")
		if ref == nil {
			return n, nil
		}
		path, ok := strings.CutPrefix(ref.Value, "#/")
		if !ok {
			return nil, errRefs
		}
		at := r.root
		for part := range strings.SplitSeq(path, "/") {
			at = r.raw(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
		if at == nil {
			return nil, errRefs
		}
		n = at
	}
	return nil, errRefs
}

// path takes the reading operation of a path.
func (r *specReader) path(s *Spec, name, item *yaml.Node) error {
	item, err := r.behind(item)
	if err != nil {
		return specError(name, err.Error())
	}
	for i := 0; item != nil && i+1 < len(item.Content); i += 2 { // one id in two places, whatever the method
		if id := r.text(item.Content[i+1], "operationId"); id != "" {
			s.ids[id]++
		}
	}
	op := r.member(item, "get")
	id := r.text(op, "operationId")
	if id == "" {
		return nil
	}
	e := &endpoint{path: name.Value, inQuery: map[string]bool{}, node: op, spec: r}
	for _, from := range []*yaml.Node{r.member(item, "parameters"), r.member(op, "parameters")} {
		if from == nil {
			continue
		}
		for _, p := range from.Content {
			p, err := r.behind(p)
			if err != nil {
				return specError(from, err.Error())
			}
			switch r.text(p, "in") {
			case "path":
				e.inPath = append(e.inPath, r.text(p, "name"))
			case "query":
				if r.text(p, "required") == "true" {
					e.inQuery[r.text(p, "name")] = true
				} else if _, ok := e.inQuery[r.text(p, "name")]; !ok {
					e.inQuery[r.text(p, "name")] = false
				}
			}
		}
	}
	answer := r.member(r.member(op, "responses"), "200")
	e.answer = r.member(r.member(r.member(answer, "content"), "application/json"), "schema")
	s.operations[id] = e
	return nil
}

// named finds a reading operation.
func (s *Spec) named(id string) (*endpoint, error) {
	e := s.operations[id]
	switch {
	case e == nil:
		return nil, fmt.Errorf("the OpenAPI file has no operation %q that reads (GET)", id)
	case s.ids[id] > 1:
		return nil, fmt.Errorf("the OpenAPI file has two operations %q", id)
	case !soundPath(e.path):
		return nil, specError(e.node, "its path is not one below the service's address: want /names/{key}, without dots alone, escapes, a query or a fragment")
	case e.answer == nil:
		return nil, specError(e.node, "the operation says of no JSON what it answers with status 200")
	}
	return e, nil
}

// soundPath reports whether a path stays below the address that it is written after, whoever reads it.
func soundPath(path string) bool {
	parts, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(parts, "/"), "/") {
		if part == "" && parts != "" || strings.Trim(part, ".") == "" && part != "" {
			return false
		}
	}
	return !strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\%?#"<>|^`+"`", r) })
}

// rows finds the list in the schema of an answer: the answer itself, or its only list.
func (e *endpoint) rows() (member string, item *yaml.Node, err error) {
	r := e.spec
	if items := r.member(e.answer, "items"); items != nil {
		return "", items, nil
	}
	props := r.member(e.answer, "properties")
	for i := 0; props != nil && i+1 < len(props.Content); i += 2 {
		one, err := r.behind(props.Content[i+1])
		if err != nil {
			return "", nil, specError(props.Content[i], err.Error())
		}
		if items := r.member(one, "items"); items != nil && r.member(items, "properties") != nil {
			if item != nil {
				return "", nil, specError(e.answer, "the answer has more than one list")
			}
			member, item = props.Content[i].Value, items
		}
	}
	if item == nil {
		return "", nil, specError(e.answer, "the answer has no list of objects")
	}
	return member, item, nil
}

// has reports whether an object's schema has a member of the kind.
func (e *endpoint) has(item *yaml.Node, c Column) error {
	p := e.spec.member(e.spec.member(item, "properties"), c.Name)
	if p == nil {
		return specError(item, fmt.Sprintf("the answer has no member %q", c.Name))
	}
	want := map[Kind][]string{
		Text: {"string", "integer", "number", "boolean"}, Integer: {"integer"}, Number: {"number", "integer"}, Truth: {"boolean"}, Date: {"string"}, Moment: {"string"},
	}[c.Kind]
	types := e.spec.raw(p, "type")
	if types == nil {
		return specError(p, fmt.Sprintf("the member %q has no type", c.Name))
	}
	all := []*yaml.Node{types}
	if types.Kind == yaml.SequenceNode {
		all = types.Content
	}
	for _, t := range all {
		if t.Value != "null" && !slices.Contains(want, t.Value) {
			return specError(t, fmt.Sprintf("the member %q is of another type than the data contract says", c.Name))
		}
	}
	return nil
}
