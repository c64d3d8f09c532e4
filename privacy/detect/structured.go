package detect

import (
	"context"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
)

// FindJSON returns what is in the strings, numbers and member names of a JSON document; positions are bytes of src, escapes and all.
// The names around a value that nothing else labels count ([Prior]). Besides that of a ctx that is done its error is a [*json.Error],
// and with an error come no findings.
func (e *Engine) FindJSON(ctx context.Context, src []byte, limits json.Limits, known *KnownSet) ([]Finding, error) {
	d := new(json.Doc)
	if err := d.Parse(src, nil, limits); err != nil {
		return nil, err
	}
	var out, memory []Finding
	var room [5]string
	for n := range d.Nodes {
		node := &d.Nodes[n]
		if node.KeyStart >= 0 {
			found, err := e.AppendForms(ctx, memory[:0], string(d.Key(n)), known)
			if err != nil {
				return nil, err
			}
			out = inSource(out, found, src, int(node.KeyStart)+1)
			memory = found
		}
		var value string
		var found []Finding
		var err error
		at := int(node.Start)
		switch node.Kind {
		case json.String:
			value = d.Text(n)
			at++
			found, err = e.Find(ctx, value, known)
		case json.Number:
			value = string(d.Raw(n))
			found, err = e.AppendForms(ctx, nil, value, known)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if l, ok := Prior(value, MemberNames(d, n, room[:0])...); ok {
			_, more := e.cover(nil, found, 0, value, cell{0, len(value)}, l, fromMember)
			found = merged(found, more)
		}
		out = inSource(out, found, src, at)
	}
	return out, nil
}

// inSource appends findings of a string's content, as they stand in the source, where its content begins at.
func inSource(out, found []Finding, src []byte, at int) []Finding {
	read := 0
	to := func(n int) int {
		for read < n {
			if src[at] != '\\' {
				at++
				read++
				continue
			}
			if src[at+1] != 'u' {
				at += 2
				read++
				continue
			}
			r := unit(src[at:])
			if at += 6; utf16.IsSurrogate(r) {
				r = utf16.DecodeRune(r, unit(src[at:]))
				at += 6
			}
			read += utf8.RuneLen(r)
		}
		return at
	}
	for _, f := range found {
		f.Start = to(f.Start)
		f.End = to(f.End)
		out = append(out, f)
	}
	return out
}

// unit is the code unit that an escape with four digits spells.
func unit(b []byte) (r rune) {
	for _, x := range b[2:6] {
		r = r<<4 | rune(hexDigit(x))
	}
	return r
}

// pairName are the members that name what a sibling called one of pairValue holds.
var (
	pairName  = []string{"key", "name", "field", "label", "type", "attribute", "property", "system"}
	pairValue = map[string]bool{"value": true, "val": true, "v": true, "values": true, "text": true, "content": true}
)

// MemberNames appends the names around a value, nearest first, as [Prior] takes them: a sibling that names it ({"key": "email",
// "value": …}), its own, and those of the objects around it. An element of an array has an empty name.
func MemberNames(d *json.Doc, n int, names []string) []string {
	for at, steps := n, 0; at > 0 && steps < 3; at, steps = int(d.Nodes[at].Parent), steps+1 {
		if d.Nodes[at].KeyStart < 0 {
			names = append(names, "")
			continue
		}
		own := string(d.Key(at))
		if pairValue[strings.ToLower(own)] {
			if said := sibling(d, at); said != "" {
				names = append(names, said)
				continue
			}
		}
		names = append(names, own)
	}
	return names
}

// sibling returns what the object says that its value is.
func sibling(d *json.Doc, n int) string {
	parent := int(d.Nodes[n].Parent)
	if int(d.Nodes[parent].Next)-parent > 64 {
		return "" // a pair has few members
	}
	for child := range d.Children(parent) {
		if child == n || d.Nodes[child].Kind != json.String || d.Nodes[child].End-d.Nodes[child].Start > 66 {
			continue
		}
		key := strings.ToLower(string(d.Key(child)))
		if !slices.Contains(pairName, key) {
			continue
		}
		said := d.Text(child)
		if _, ok := HintLabel(said); ok {
			return said
		}
	}
	return ""
}
