package catalog

import (
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// Subject finds the value that says who value n of d is about, and reports whether there is one. Root is the node
// that the schema's own root describes, and st is n's state in the schema.
//
// The pointer of x-scrim-subject is either absolute, from the schema's root, where "*" stands for the element or
// member that n itself lies in, so that array items resolve within their own element; or begins with "../", each of
// which goes up one level from the value, so that "../id" is a sibling. Absolute pointers hold for everything
// declared within, relative ones for the value alone. Without x-scrim-subject a value with x-scrim-field is about
// the sibling that holds the unit column of the same dataset.
//
// A null, an array or an object is nobody.
func (s *Schema) Subject(d *json.Doc, root, n int, st json.State) (int, bool) {
	pointer := s.Info(st).Subject
	if pointer == "" {
		return 0, false
	}
	at, ok := root, true
	if pointer[0] == '/' {
		at, ok = absolute(d, root, n, pointer[1:])
	} else {
		at, ok = relative(d, root, n, pointer)
	}
	if !ok {
		return 0, false
	}
	switch d.Nodes[at].Kind {
	case json.Null, json.Array, json.Object:
		return 0, false
	}
	return at, true
}

func relative(d *json.Doc, root, n int, pointer string) (int, bool) {
	at := n
	for strings.HasPrefix(pointer, "../") {
		if at == root || at < 0 {
			return 0, false
		}
		at, pointer = int(d.Nodes[at].Parent), pointer[3:]
	}
	if at < 0 {
		return 0, false
	}
	for seg := range strings.SplitSeq(pointer, "/") {
		next, ok := child(d, at, unescapePointer(seg))
		if !ok {
			return 0, false
		}
		at = next
	}
	return at, true
}

func absolute(d *json.Doc, root, n int, pointer string) (int, bool) {
	at := root
	for seg := range strings.SplitSeq(pointer, "/") {
		next, ok := 0, false
		if seg == "*" {
			next, ok = toward(d, at, n)
		} else {
			next, ok = child(d, at, unescapePointer(seg))
		}
		if !ok {
			return 0, false
		}
		at = next
	}
	return at, true
}

// toward returns the child of at that n is or lies in.
func toward(d *json.Doc, at, n int) (int, bool) {
	for n > at {
		parent := int(d.Nodes[n].Parent)
		if parent == at {
			return n, true
		}
		n = parent
	}
	return 0, false
}

// checkSubjects follows each absolute pointer of our own through the schema, and reports those that lead nowhere.
func (s *Schema) checkSubjects() Mistakes {
	var ms Mistakes
	seen := map[string]bool{}
	for i := range s.states {
		p := s.states[i].info.Subject
		if !strings.HasPrefix(p, "/") || seen[p] || s.opt.Foreign {
			continue
		}
		seen[p] = true
		at := s.Root()
		for seg := range strings.SplitSeq(p[1:], "/") {
			at = s.step(at, seg)
		}
		if !s.Info(at).Declared {
			ms = append(ms, Mistake{File: s.name, Place: p, Message: "x-scrim-subject points here, where nothing is declared"})
		}
	}
	return ms
}

func (s *Schema) step(at json.State, seg string) json.State {
	if seg == "*" {
		if next := s.Element(at, len(s.states[at].prefix)); s.Info(next).Declared {
			return next
		}
		return s.states[at].byMask[len(s.states[at].byMask)-1]
	}
	return s.Member(at, []byte(unescapePointer(seg)))
}
