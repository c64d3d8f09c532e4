package catalog

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nested is where a column stands in the tree of a dataset's properties.
type nested struct {
	node   *yaml.Node
	parent string // the column that it lies in; "": the dataset
	name   string // within it
	items  int    // how many lists it lies in
}

// nests returns where the columns of a dataset stand. Raw is its object.
func nests(raw *yaml.Node) map[string]nested {
	all := map[string]nested{}
	var walk func(n *yaml.Node, parent, prefix string, items int)
	walk = func(n *yaml.Node, parent, prefix string, items int) {
		list := member(n, "properties")
		if list == nil {
			return
		}
		for _, prop := range list.Content {
			name := member(prop, "name")
			if name == nil {
				continue
			}
			column := prefix + name.Value
			all[column] = nested{prop, parent, name.Value, items}
			lists := 0
			for of := prop; of != nil; of = member(of, "items") {
				walk(of, column, column+".", lists)
				lists++
			}
		}
	}
	walk(raw, "", "", 0)
	return all
}

// fields writes the columns of a dataset, those within others where they belong.
func (e *exporter) fields(n *yaml.Node, was, d Dataset) {
	at := nests(n)
	columns := map[string]Field{}
	for _, f := range d.Fields {
		columns[f.Column] = f
	}
	before := map[string]Field{}
	for _, f := range was.Fields {
		before[f.Column] = f
	}
	children := map[string][]string{}
	for _, f := range d.Fields {
		place, ok := at[f.Column]
		parent, stays := columns[place.parent]
		if !ok || place.parent != "" && (!stays || parent.Logical != before[place.parent].Logical) {
			node := place.node
			if node == nil {
				node = mapping()
			}
			place = outermost(f.Column, columns)
			place.node = node
			at[f.Column] = place
		}
		children[place.parent] = append(children[place.parent], f.Column)
	}
	var write func(into *yaml.Node, parent string, outer Governance)
	write = func(into *yaml.Node, parent string, outer Governance) {
		within := map[int][]*yaml.Node{}
		for _, column := range children[parent] {
			place, f := at[column], columns[column]
			e.field(place.node, before[column], f, place.name, d.Unit, outer)
			write(place.node, column, f.Governance)
			within[place.items] = append(within[place.items], place.node)
		}
		for lists, last := 0, slices.Max(append(slices.Collect(maps.Keys(within)), 0)); into != nil; lists++ {
			setList(into, "properties", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: within[lists]})
			items := member(into, "items")
			if items == nil && lists < last {
				items = mapping()
				setText(items, "logicalType", "object")
				set(into, "items", items)
			}
			into = items
		}
	}
	write(n, "", d.Governance)
}

// outermost returns where a column that the file does not have belongs: within the nearest column that is named by
// what comes before one of its dots.
func outermost(column string, columns map[string]Field) nested {
	for i := strings.LastIndexByte(column, '.'); i > 0; i = strings.LastIndexByte(column[:i], '.') {
		parent, ok := columns[column[:i]]
		if ok && slices.Contains([]string{"", "object", "array"}, parent.Logical) && i+1 < len(column) {
			place := nested{parent: column[:i], name: column[i+1:]}
			if parent.Logical == "array" {
				place.items = 1
			}
			return place
		}
	}
	return nested{name: column}
}
