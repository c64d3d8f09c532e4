package wire

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// Shapes are written one place a line:
//
//	Message                             a shape; "Meta = Metadata" gives the place itself a role
//	  messageId = MessageID:id          a place, its role, and the check it is held to
//	  role = Protocol(ROLE_USER|…)      a place that holds one of these words
//	  parts/* : Part                    any element of parts has the shape
//	  + Common                          the places of another shape as well
//	  ? action : Other                  an object that has the member is of the other shape instead
//
// {} is a member of any name, ~1 a slash within a name. What stands between declared places is a [Structure].
type shape struct {
	role  Role
	check check
	rules []rule
}

type rule struct {
	path  []string
	role  Role
	check check
	shape string // instead of a role
	when  string // the shape holds for an object that has this member
}

// parseShapes reads the notation. The tables are constants of this package, so that a mistake is the programmer's: it panics.
func parseShapes(texts ...string) map[string]*shape {
	shapes := make(map[string]*shape)
	var at *shape
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		text := strings.TrimSpace(line)
		switch {
		case text == "":
		case line[0] != ' ' && line[0] != '\t':
			name, role, _ := strings.Cut(text, " = ")
			if shapes[name] != nil {
				panic("wire: shape given twice: " + name)
			}
			at = &shape{role: Structure}
			if role != "" {
				at.role, at.check = parseRole(role)
			}
			shapes[name] = at
		default:
			at.rules = append(at.rules, parseRule(text))
		}
	}
	return shapes
}

func parseRule(text string) rule {
	if name, ok := strings.CutPrefix(text, "+ "); ok {
		return rule{shape: name}
	}
	if text, ok := strings.CutPrefix(text, "? "); ok {
		member, name, ok := strings.Cut(text, " : ")
		if !ok {
			panic("wire: not a rule: " + text)
		}
		return rule{when: member, shape: name}
	}
	if path, name, ok := strings.Cut(text, " : "); ok {
		return rule{path: splitPath(path), shape: name}
	}
	path, role, ok := strings.Cut(text, " = ")
	if !ok {
		panic("wire: not a rule: " + text)
	}
	r := rule{path: splitPath(path)}
	r.role, r.check = parseRole(role)
	return r
}

func splitPath(path string) []string {
	names := strings.Split(path, "/")
	for i := range names {
		names[i] = strings.ReplaceAll(names[i], "~1", "/")
	}
	return names
}

var checkNames = []string{"bool", "int", "number", "unit", "id", "rpcid", "name", "version", "time", "pixels", "media", "mediarange", "extension", "traceparent", "visible"}

func parseRole(text string) (Role, check) {
	var c check
	name, words, hasWords := strings.Cut(text, "(")
	if hasWords {
		c.words = strings.Split(strings.TrimSuffix(words, ")"), "|")
	} else {
		name, c.name, _ = strings.Cut(text, ":")
		if c.name != "" && !slices.Contains(checkNames, c.name) {
			panic("wire: no such check: " + text)
		}
	}
	role := slices.Index(roleNames[:], name)
	if role < 0 {
		panic("wire: no such role: " + text)
	}
	if checked := c.name != "" || c.words != nil; checked != Role(role).checked() {
		panic("wire: fixed vocabulary and ids need a check, and nothing else has one: " + text)
	}
	return Role(role), c
}

// compile makes the table whose root has the shape.
func compile(shapes map[string]*shape, root string) *Table {
	t := &Table{places: []place{{role: Unknown}}}
	t.add(shapes, shapes[root], "", root)
	return t
}

// add adds a place of the shape and all below it, and returns its state.
func (t *Table) add(shapes map[string]*shape, sh *shape, path, name string) json.State {
	if sh == nil {
		panic("wire: no such shape: " + name)
	}
	s := t.leaf(sh.role, sh.check, path)
	t.fill(shapes, s, sh)
	return s
}

func (t *Table) fill(shapes map[string]*shape, s json.State, sh *shape) {
	for _, r := range sh.rules {
		if r.when != "" {
			path := t.places[s].path
			to := t.add(shapes, shapes[r.shape], path, r.shape)
			t.places[s].variants = append(t.places[s].variants, variant{r.when, to})
			continue
		}
		if r.path == nil {
			included := shapes[r.shape]
			if included == nil {
				panic("wire: no such shape: " + r.shape)
			}
			t.fill(shapes, s, included)
			continue
		}
		at := s
		for _, name := range r.path[:len(r.path)-1] {
			next := t.child(at, name)
			if next == 0 {
				next = t.leaf(Structure, check{}, join(t.places[at].path, name))
				t.link(at, name, next)
			}
			at = next
		}
		last := r.path[len(r.path)-1]
		path := join(t.places[at].path, last)
		if t.child(at, last) != 0 {
			panic("wire: place declared twice: " + path)
		}
		if r.shape != "" {
			t.link(at, last, t.add(shapes, shapes[r.shape], path, r.shape))
		} else {
			t.link(at, last, t.leaf(r.role, r.check, path))
		}
	}
}

// leaf adds a declared place and, for the root of a subtree, its inside.
func (t *Table) leaf(role Role, c check, path string) json.State {
	s := json.State(len(t.places))
	t.places = append(t.places, place{role: role, check: c, path: path, root: true})
	if role.subtree() {
		t.places[s].inner = s + 1
		t.places = append(t.places, place{role: role, path: path, inner: s + 1})
	}
	return s
}

func (t *Table) child(at json.State, name string) json.State {
	switch p := &t.places[at]; name {
	case "*":
		return p.element
	case "{}":
		return p.named
	default:
		return p.members[name]
	}
}

func (t *Table) link(at json.State, name string, to json.State) {
	p := &t.places[at]
	switch name {
	case "*":
		p.element = to
	case "{}":
		p.named = to
		t.places[to].anyName = true
	default:
		if p.members == nil {
			p.members = make(map[string]json.State)
		}
		p.members[name] = to
	}
}

func join(path, name string) string {
	name = strings.ReplaceAll(name, "/", "~1")
	if path == "" {
		return name
	}
	return path + "/" + name
}
