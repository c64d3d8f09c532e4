package catalog

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File returns the name that the contract was read under.
func (c *Contract) File() string { return c.file }

// Mistake returns a mistake at the place where the contract speaks of something: name is "" for the contract, a
// dataset, or "dataset/column"; property is the customProperty or the member meant, "" for the thing itself.
func (c *Contract) Mistake(name, property, hint, format string, args ...any) Mistake {
	m := Mistake{File: c.file, Message: fmt.Sprintf(format, args...), Hint: hint}
	n := c.nodeOf(name)
	if n == nil {
		return m
	}
	m.Line, m.Column = n.Line, n.Column
	at := customValue(n, property)
	if at == nil {
		at = member(n, property)
	}
	if at == nil {
		at = member(n, "name")
	}
	if at != nil {
		m.Line, m.Column = at.Line, at.Column
	}
	return m
}

// Says reports whether the contract itself says a customProperty or member of something, rather than taking it over.
func (c *Contract) Says(name, property string) bool {
	n := c.nodeOf(name)
	return n != nil && (customValue(n, property) != nil || member(n, property) != nil)
}

// nodeOf returns where the file speaks of a dataset or a field; nil where it does not.
func (c *Contract) nodeOf(name string) *yaml.Node {
	if c.raw == nil || name == "" {
		return c.raw
	}
	dataset, column, of := strings.Cut(name, "/")
	objects := member(c.raw, "schema")
	if objects == nil {
		return nil
	}
	i := slices.IndexFunc(objects.Content, func(o *yaml.Node) bool { n := member(o, "name"); return n != nil && n.Value == dataset })
	if i < 0 {
		return nil
	}
	if !of {
		return objects.Content[i]
	}
	return nests(objects.Content[i])[column].node
}
