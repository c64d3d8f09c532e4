package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// place is where something stands in a file. The zero place is the file as a whole.
type place struct{ line, column int }

// decoder fills structs from YAML nodes, and notes everything that does not fit. The rules are in the fields' tags:
//
//	yaml      the key
//	required  must be there and not be empty
//	default   taken when the key is absent
//	enum      the values allowed, with blanks between them
//	pattern   a name in patterns; keys: the same for the keys of a map
//	min, max  least and greatest value
//	secret    nothing written within is ever repeated in a mistake, not even a key
//	doc       what it is, for the JSON Schema
//
// The JSON Schema is made from the same tags.
type decoder struct {
	file     string
	mistakes Mistakes
	places   map[string]place // by path, such as "agents/0/id"
	secret   int              // how many secret fields the current value lies in
}

func (d *decoder) wrong(n *yaml.Node, hint, format string, args ...any) {
	d.mistakes = append(d.mistakes, Mistake{File: d.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// placed is implemented by structs that remember where they stand.
type placed interface{ setPlace(place) }

func (c *Credential) setPlace(p place) { c.place = p }
func (e *EnvVar) setPlace(p place)     { e.place = p }
func (s *SecretText) setPlace(p place) { s.place = p }

// structure fills a struct. N is nil where the file has nothing, so that defaults are filled in.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	given := map[string]*yaml.Node{}
	if n != nil {
		if n.Kind != yaml.MappingNode {
			d.wrong(n, "such as "+example(v.Type()), "keys with values are expected here")
			return
		}
		if p, ok := v.Addr().Interface().(placed); ok {
			p.setPlace(place{n.Line, n.Column})
		}
		given = d.keys(n, v.Type())
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		at := join(path, key)
		if f.Tag.Get("secret") != "" {
			d.secret++
		}
		d.field(n, given[key], f, v.Field(i), at)
		if f.Tag.Get("secret") != "" {
			d.secret--
		}
	}
}

func (d *decoder) field(parent, n *yaml.Node, f reflect.StructField, v reflect.Value, path string) {
	if n != nil {
		d.places[path] = place{n.Line, n.Column}
		if isNull(n) && (v.Kind() == reflect.Struct || v.Kind() == reflect.Slice || v.Kind() == reflect.Map || v.Kind() == reflect.Pointer) && v.Type() != timeType {
			n = nil // a key whose block is commented out
		}
	}
	switch {
	case n != nil:
		d.value(n, v, f.Tag, path)
	case v.Kind() == reflect.Struct && v.Type() != timeType && !isText(v):
		d.structure(nil, v, path)
	case f.Tag.Get("default") != "":
		d.scalar(&yaml.Node{Kind: yaml.ScalarNode, Value: f.Tag.Get("default"), Tag: defaultTag(v)}, v)
	case f.Tag.Get("required") != "" && parent != nil:
		d.wrong(parent, f.Tag.Get("doc"), "%s is missing", f.Tag.Get("yaml"))
	}
}

// isText reports whether a value is written as one text, whatever it is made of.
func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func defaultTag(v reflect.Value) string {
	if v.Kind() == reflect.Int {
		return "!!int"
	}
	return "!!str"
}

// keys returns the values of a mapping by key, and notes keys that are unknown or given twice.
func (d *decoder) keys(n *yaml.Node, t reflect.Type) map[string]*yaml.Node {
	var known []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			known = append(known, key)
		}
	}
	given := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.wrong(k, "", "a key is expected")
		case k.Value == "<<":
			d.wrong(k, "write it out", "merge keys are not read")
		case !slices.Contains(known, k.Value):
			d.wrong(k, nearHint(k.Value, known), "unknown key%s", d.shown(k.Value))
		case given[k.Value] != nil:
			d.wrong(k, "", "key %q is given twice", k.Value)
		default:
			given[k.Value] = v
		}
	}
	return given
}

// shown repeats a key or id, if it can be one and nothing secret stands here.
func (d *decoder) shown(s string) string {
	if d.secret > 0 || !patterns["id"].re.MatchString(s) {
		return ""
	}
	return " " + strconv.Quote(s)
}

var timeType = reflect.TypeFor[time.Time]()

func (d *decoder) value(n *yaml.Node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.wrong(n, "write it out", "anchors and aliases are not read")
		return
	}
	switch {
	case isText(v):
		d.checked(n, v, tag)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), tag, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, tag, path)
	case v.Kind() == reflect.Map:
		d.dictionary(n, v, tag, path)
	default:
		d.checked(n, v, tag)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "", "a list is expected")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := join(path, strconv.Itoa(i))
		d.places[at] = place{item.Line, item.Column}
		d.value(item, v.Index(i), tag, at)
	}
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "", "keys with values are expected here")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, item := n.Content[i], n.Content[i+1]
		if p := patterns[tag.Get("keys")]; k.Kind != yaml.ScalarNode || !p.fits(k.Value) {
			d.wrong(k, p.hint, "not %s", p.what)
			continue
		}
		key := reflect.ValueOf(k.Value).Convert(v.Type().Key())
		if v.MapIndex(key).IsValid() {
			d.wrong(k, "", "key%s is given twice", d.shown(k.Value))
			continue
		}
		at := join(path, k.Value)
		d.places[at] = place{k.Line, k.Column}
		elem := reflect.New(v.Type().Elem()).Elem()
		if isNull(item) && elem.Kind() == reflect.Struct {
			d.structure(nil, elem, at)
		} else {
			d.value(item, elem, "", at)
		}
		v.SetMapIndex(key, elem)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// checked decodes one scalar and holds it against the tag.
func (d *decoder) checked(n *yaml.Node, v reflect.Value, tag reflect.StructTag) {
	if !d.scalar(n, v) {
		return
	}
	if v.Kind() == reflect.String {
		d.checkText(n, v.String(), tag)
	}
	if v.CanInt() {
		d.checkRange(n, v, tag)
	}
}

func (d *decoder) checkText(n *yaml.Node, s string, tag reflect.StructTag) {
	if enum := strings.Fields(tag.Get("enum")); len(enum) > 0 && !slices.Contains(enum, s) {
		d.wrong(n, nearHint(s, enum), "one of %s is expected", strings.Join(enum, ", "))
		return
	}
	if s == "" {
		if tag.Get("required") != "" {
			d.wrong(n, tag.Get("doc"), "%s is empty", tag.Get("yaml"))
		}
		return
	}
	if p, ok := patterns[tag.Get("pattern")]; ok && !p.fits(s) {
		d.wrong(n, p.hint, "not %s", p.what)
	}
}

func (d *decoder) checkRange(n *yaml.Node, v reflect.Value, tag reflect.StructTag) {
	for _, name := range []string{"min", "max", "enum"} {
		text := tag.Get(name)
		if text == "" {
			continue
		}
		bound := reflect.New(v.Type()).Elem()
		d.scalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text, Tag: "!!int"}, bound)
		switch {
		case name == "min" && v.Int() < bound.Int():
			d.wrong(n, "", "it must be at least %s", text)
		case name == "max" && v.Int() > bound.Int():
			d.wrong(n, "", "it must be at most %s", text)
		case name == "enum" && v.Int() != bound.Int():
			d.wrong(n, "", "it must be %s", text)
		}
	}
}

// scalar decodes one scalar, and reports whether it could.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value) bool {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.wrong(n, "", "%s is expected", kindWord(v))
		return false
	}
	if v.Type() == timeType {
		t, err := time.Parse(time.RFC3339, n.Value)
		if err != nil {
			d.wrong(n, "such as 2027-01-31T00:00:00Z", "a time is expected")
			return false
		}
		v.Set(reflect.ValueOf(t.UTC()))
		return true
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(n.Value)); err != nil {
			d.wrong(n, "", "%s", err) // the types of this package and of flow say what is expected, not what was given
			return false
		}
		return true
	}
	switch v.Kind() {
	case reflect.String:
		if n.Tag == "!!str" {
			v.SetString(n.Value)
			return true
		}
		d.wrong(n, "put it in quotes", "a text is expected")
		return false
	case reflect.Bool:
		if n.Tag == "!!bool" {
			v.SetBool(strings.EqualFold(n.Value, "true"))
			return true
		}
	case reflect.Int:
		if i, err := strconv.ParseInt(n.Value, 10, 32); n.Tag == "!!int" && err == nil {
			v.SetInt(i)
			return true
		}
	}
	d.wrong(n, "", "%s is expected", kindWord(v))
	return false
}

func kindWord(v reflect.Value) string {
	switch {
	case v.Type() == timeType:
		return "a time"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.Kind() == reflect.Int:
		return "a whole number"
	}
	return "a text"
}

// example shows the keys that a block takes.
func example(t reflect.Type) string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && len(keys) < 3 {
			keys = append(keys, key+": …")
		}
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "/" + key
}
