package catalog

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nested is where a column stands in the tree of a dataset's properties.
type nested struct {
	node   *yaml.Node
	parent string // the column that it lies in; "": the dataset
	name   string // within it
	items  bool   // it lies in what the parent's list holds
}

// nests returns where the columns of a dataset stand. Raw is its object.
func nests(raw *yaml.Node) map[string]nested {
	all := map[string]nested{}
	var walk func(n *yaml.Node, parent, prefix string, items bool)
	walk = func(n *yaml.Node, parent, prefix string, items bool) {
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
			walk(prop, column, column+".", false)
			if of := member(prop, "items"); of != nil {
				walk(of, column, column+".", true)
			}
		}
	}
	walk(raw, "", "", false)
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
		if _, stays := columns[place.parent]; !ok || place.parent != "" && !stays {
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
		var direct, listed []*yaml.Node
		for _, column := range children[parent] {
			place, f := at[column], columns[column]
			e.field(place.node, before[column], f, place.name, d.Unit, outer)
			write(place.node, column, f.Governance)
			if place.items {
				listed = append(listed, place.node)
			} else {
				direct = append(direct, place.node)
			}
		}
		setList(into, "properties", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: direct})
		items := member(into, "items")
		if items == nil && len(listed) > 0 {
			items = mapping()
			setText(items, "logicalType", "object")
			set(into, "items", items)
		}
		if items != nil {
			setList(items, "properties", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: listed})
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
			return nested{parent: column[:i], name: column[i+1:], items: parent.Logical == "array"}
		}
	}
	return nested{name: column}
}
