package inventory

import (
	"maps"
	"slices"
	"strings"
)

const (
	maxPlaces = 2000 // of one schema
	maxDepth  = 12   // of places, and of references followed to reach one
)

// places lists what a JSON Schema declares, as columns under a name. Schemas come from strangers: what refers to itself, or fans out
// without end, is cut off, and what is no schema declares nothing.
type places struct {
	root    map[string]any
	columns []Column
	byName  map[string]int
	steps   int
}

func schemaColumns(schema any, under string) []Column {
	root, _ := schema.(map[string]any)
	p := &places{root: root, byName: map[string]int{}}
	p.place(root, under, true, 0)
	return p.columns
}

// place notes one place with what lies within.
func (p *places) place(schema map[string]any, name string, required bool, depth int) {
	if p.steps++; p.steps > 10*maxPlaces || depth > maxDepth || len(p.columns) >= maxPlaces {
		return
	}
	at, ok := p.byName[name]
	if !ok {
		at = len(p.columns)
		p.byName[name] = at
		p.columns = append(p.columns, Column{Name: name, Required: required})
	}
	for _, s := range p.parts(schema, map[string]bool{}) {
		p.typed(&p.columns[at], s)
		p.members(s, name, depth)
	}
}

// parts are the schema and those that hold beside it, each reference followed once.
func (p *places) parts(schema map[string]any, followed map[string]bool) []map[string]any {
	if p.steps++; schema == nil || p.steps > 10*maxPlaces {
		return nil
	}
	all := []map[string]any{schema}
	if ref, ok := schema["$ref"].(string); ok && !followed[ref] && len(followed) < maxDepth {
		followed[ref] = true
		all = append(all, p.parts(p.resolve(ref), followed)...)
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := schema[key].([]any)
		for _, s := range list {
			m, _ := s.(map[string]any)
			all = append(all, p.parts(m, followed)...)
		}
	}
	return all
}

// resolve follows a reference within the schema. Others lead nowhere.
func (p *places) resolve(ref string) map[string]any {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	at := p.root
	for _, step := range strings.Split(path, "/") {
		at, _ = at[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)].(map[string]any)
	}
	return at
}

func (p *places) typed(c *Column, s map[string]any) {
	word, _ := s["type"].(string)
	if list, ok := s["type"].([]any); ok {
		for _, v := range list {
			if w, _ := v.(string); w != "null" && word == "" {
				word = w
			}
		}
	}
	format, _ := s["format"].(string)
	if !slices.Contains([]string{"string", "number", "integer", "boolean", "object", "array"}, word) || c.Type != "" {
		return
	}
	c.Type, c.Logical = word, word
	if word == "string" && plausible(format) && len(format) < 40 {
		c.Type = "string " + format
		switch format {
		case "date":
			c.Logical = "date"
		case "date-time":
			c.Logical = "timestamp"
		}
	}
}

func (p *places) members(s map[string]any, name string, depth int) {
	required, _ := s["required"].([]any)
	properties, _ := s["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		m, _ := properties[key].(map[string]any)
		p.place(m, name+"."+strings.ReplaceAll(key, ".", "_"), slices.Contains(required, any(key)), depth+1)
	}
	if items, ok := s["items"].(map[string]any); ok {
		for _, m := range p.parts(items, map[string]bool{}) {
			p.members(m, name, depth+1)
		}
	}
}
