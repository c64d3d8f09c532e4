package catalog

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

func mapping() *yaml.Node  { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }
func sequence() *yaml.Node { return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"} }

// oneScalar is one value. Without a tag it is what it looks like.
func oneScalar(value, tag string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: strings.ToValidUTF8(value, "\uFFFD")}
}

// clone copies a node with all it holds.
func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, v := range n.Content {
		c.Content[i] = clone(v)
	}
	return &c
}

// set puts a value at a key, in the place of the one that is there.
func set(m *yaml.Node, key string, v *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = v
			return
		}
	}
	m.Content = append(m.Content, oneScalar(key, "!!str"), v)
}

func remove(m *yaml.Node, key string) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content = slices.Delete(m.Content, i, i+2)
			return
		}
	}
}

// setNode sets the value, or removes the key where there is none.
func setNode(m *yaml.Node, key string, v *yaml.Node) {
	if v == nil {
		remove(m, key)
		return
	}
	set(m, key, v)
}

// setList sets a list, or removes the key where the list is empty.
func setList(m *yaml.Node, key string, list *yaml.Node) {
	old := member(m, key)
	switch {
	case len(list.Content) == 0:
		remove(m, key)
	case old != nil && old.Kind == yaml.SequenceNode:
		old.Content = list.Content // with its comments and its style
	default:
		set(m, key, list)
	}
}

// setScalar sets a value unless it is there already; "" removes the key.
func setScalar(m *yaml.Node, key, value, tag string) {
	if value == "" {
		if old := member(m, key); old != nil && old.Value != "" {
			remove(m, key)
		}
		return
	}
	if old := member(m, key); old == nil || old.Kind != yaml.ScalarNode || old.Value != value {
		set(m, key, oneScalar(value, tag))
	}
}

func setText(m *yaml.Node, key, value string) { setScalar(m, key, value, "!!str") }

// customValue returns the value of a customProperty, or nil.
func customValue(m *yaml.Node, name string) *yaml.Node {
	if list := member(m, "customProperties"); list != nil {
		for _, entry := range list.Content {
			if n := member(entry, "property"); n != nil && n.Value == name {
				return member(entry, "value")
			}
		}
	}
	return nil
}

// setCustom sets a customProperty, or removes it where there is no value.
func setCustom(m *yaml.Node, name string, v *yaml.Node) {
	list := member(m, "customProperties")
	if list == nil {
		if v == nil {
			return
		}
		list = sequence()
		set(m, "customProperties", list)
	}
	i := slices.IndexFunc(list.Content, func(entry *yaml.Node) bool {
		n := member(entry, "property")
		return n != nil && n.Value == name
	})
	switch {
	case i >= 0 && v == nil:
		list.Content = slices.Delete(list.Content, i, i+1)
	case i >= 0:
		set(list.Content[i], "value", v)
	case v != nil:
		list.Content = append(list.Content, property(name, v))
	}
	if len(list.Content) == 0 {
		remove(m, "customProperties")
	}
}

func property(name string, v *yaml.Node) *yaml.Node {
	entry := mapping()
	setText(entry, "property", name)
	set(entry, "value", v)
	return entry
}

// others sets the customProperties that are not ours. One that stays keeps its description.
func others(m *yaml.Node, was, now []Property) {
	if reflect.DeepEqual(was, now) {
		return
	}
	list := member(m, "customProperties")
	if list == nil {
		list = sequence()
		set(m, "customProperties", list)
	}
	var ours, theirs []*yaml.Node
	for _, entry := range list.Content {
		if n := member(entry, "property"); n != nil && strings.HasPrefix(n.Value, "scrim.") && n.Value != foundProperty {
			ours = append(ours, entry)
		} else {
			theirs = append(theirs, entry)
		}
	}
	for _, p := range now {
		i := slices.IndexFunc(was, func(o Property) bool { return reflect.DeepEqual(o, p) })
		if i >= 0 && i < len(theirs) {
			ours = append(ours, theirs[i])
			continue
		}
		var v yaml.Node
		if err := v.Encode(p.Value); err != nil {
			continue // what YAML cannot say: a channel or a function
		}
		ours = append(ours, property(p.Name, &v))
	}
	list.Content = ours
	if len(ours) == 0 {
		remove(m, "customProperties")
	}
}

func textOrNil(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return oneScalar(s, "!!str")
}

func truthOrNil(b bool) *yaml.Node {
	if !b {
		return nil
	}
	return oneScalar("true", "!!bool")
}

func listOrNil(texts []string) *yaml.Node {
	if len(texts) == 0 {
		return nil
	}
	list := sequence()
	list.Style = yaml.FlowStyle
	for _, s := range texts {
		list.Content = append(list.Content, oneScalar(s, "!!str"))
	}
	return list
}

func periodOrNil(d time.Duration) *yaml.Node {
	if d == 0 {
		return nil
	}
	return oneScalar(periodText(d), "!!str")
}

func dayOrNil(t time.Time) *yaml.Node {
	if t.IsZero() {
		return nil
	}
	return oneScalar(t.UTC().Format(time.DateOnly), "!!str")
}
