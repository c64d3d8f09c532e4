package catalog

import (
	"bytes"
	stdjson "encoding/json"
)

// AppendSchema appends the JSON Schema of one row of the dataset, in which every column is named by x-scrim-field: what a tool or a skill that
// hands out such rows can be bound to, so that labels, subjects and bounds of use come from the contract.
func (d *Dataset) AppendSchema(dst []byte) []byte {
	columns := map[string]Field{}
	for _, f := range d.Fields {
		columns[f.Column] = f
	}
	root := map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": d.Name, "type": "object"}
	if d.Description != "" {
		root["description"] = d.Description
	}
	at := map[string]map[string]any{"": root}
	for _, f := range d.Fields { // what lies around a column comes before it
		place := outermost(f.Column, columns)
		around, ok := at[place.parent]
		if !ok {
			around, place = root, nested{name: f.Column}
		}
		one := f.schema()
		at[f.Column] = one
		if items, ok := one["items"].(map[string]any); ok {
			at[f.Column] = items
		}
		within, _ := around["properties"].(map[string]any)
		if within == nil {
			within = map[string]any{}
			around["properties"], around["type"] = within, "object"
		}
		within[place.name] = one
		if f.Required {
			must, _ := around["required"].([]string)
			around["required"] = append(must, place.name)
		}
	}
	var b bytes.Buffer
	enc := stdjson.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil { // maps and texts always encode
		panic("catalog: writing a schema: " + err.Error())
	}
	return append(dst, b.Bytes()...)
}

// jsonTypes are the types of JSON, and formats, of the standard's logical types.
var jsonTypes = map[string][2]string{
	"string": {"string"}, "date": {"string", "date"}, "timestamp": {"string", "date-time"}, "time": {"string", "time"},
	"number": {"number"}, "integer": {"integer"}, "boolean": {"boolean"}, "object": {"object"}, "array": {"array"},
}

func (f *Field) schema() map[string]any {
	one := map[string]any{"x-scrim-field": f.Name}
	if f.Description != "" {
		one["description"] = f.Description
	}
	t := jsonTypes[f.Logical]
	switch {
	case t[0] == "":
	case f.Required:
		one["type"] = t[0]
	default:
		one["type"] = []string{t[0], "null"}
	}
	if t[1] != "" {
		one["format"] = t[1]
	}
	if t[0] == "array" {
		one["items"] = map[string]any{"x-scrim-field": f.Name}
	}
	return one
}
