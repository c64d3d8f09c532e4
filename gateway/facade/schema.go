package facade

import (
	"encoding/json"
	"fmt"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// sight is what a caller may do with a column.
type sight struct {
	seen  bool // something of it is shown
	asked bool // it may be compared with any value, and ordered by
	token bool // it may be compared with tokens
}

// all is the sight of who may do everything, which is what schemas for the gateway's own use are written for.
var all = sight{true, true, true}

type object = map[string]any

// Bindings are the schemas of the facade's tools, as the catalog has them: each value is a field of a contract.
func (f *Facade) Bindings() ([]catalog.Binding, error) {
	var out []catalog.Binding
	for _, t := range f.tables {
		for _, op := range operations {
			for _, dir := range []flow.Direction{flow.Request, flow.Response} {
				schema := t.input(op, nil, f.opt.Rows)
				if dir == flow.Response {
					schema = t.output(nil)
				}
				raw, err := json.Marshal(schema)
				if err != nil {
					return nil, err
				}
				name := fmt.Sprintf("facade %s/%s", f.opt.Server, t.tool(op))
				sc, err := catalog.ParseSchema(name, raw, catalog.SchemaOptions{Taxonomy: f.opt.Taxonomy, Contracts: f.opt.Contracts})
				if err != nil {
					return nil, err
				}
				out = append(out, catalog.Binding{Schema: sc, Kind: catalog.Tool, Owner: f.opt.Server, Name: t.tool(op), Direction: dir})
			}
		}
	}
	return out, nil
}

func sightOf(sights []sight, i int) sight {
	if sights == nil {
		return all
	}
	return sights[i]
}

// value is the schema of a column's values.
func (c *column) value() object {
	kind := map[Kind]string{Text: "string", Integer: "integer", Number: "number", Truth: "boolean", Date: "string", Moment: "string"}[c.source.Kind]
	if c.named {
		kind = "string"
	}
	return object{"type": kind, "x-scrim-field": c.field.Name}
}

func public(kind string) object {
	return object{"type": kind, "x-scrim-label": string(flow.PublicData)}
}

func closed(properties object) object {
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

// ordered reports whether values of the column come before and after one another in a way that callers may ask about.
// Texts are compared by equality alone: whoever may ask what comes before a text reads it letter by letter, a hidden part too.
func (c *column) ordered() bool { return c.source.Kind != Text && c.source.Kind != Truth && !c.named }

// input is the schema of a tool's arguments. Sights nil: everything.
func (t *table) input(op operation, sights []sight, rows int) object {
	var names, order []any
	where, key := object{}, object{}
	for i := range t.columns {
		c, s := &t.columns[i], sightOf(sights, i)
		if s.seen {
			names = append(names, c.name)
		}
		if !s.asked && !s.token || c.prose {
			continue
		}
		ops := object{"eq": c.value(), "in": object{"type": "array", "items": c.value(), "maxItems": maxValues}}
		if s.asked {
			ops["null"] = public("boolean")
			if c.ordered() {
				for _, op := range []Op{Less, AtMost, Greater, AtLeast} {
					ops[opNames[op]] = c.value()
				}
			}
			order = append(order, c.name)
		}
		where[c.name] = closed(ops)
	}
	chosen := public("string")
	if len(names) > 0 {
		chosen["enum"] = names
	}
	properties := object{"columns": object{"type": "array", "items": chosen, "maxItems": len(names)}}
	if op == get {
		required := []any{}
		for _, i := range t.key {
			key[t.columns[i].name] = t.columns[i].value()
			required = append(required, t.columns[i].name)
		}
		k := closed(key)
		k["required"] = required
		properties["key"] = k
		out := closed(properties)
		out["required"] = []any{"key"}
		return out
	}
	limit := public("integer")
	limit["minimum"], limit["maximum"] = 1, rows
	properties["limit"], properties["cursor"] = limit, public("string")
	if op == search {
		properties["where"] = closed(where)
		by := public("string")
		if len(order) > 0 {
			by["enum"] = order
		}
		step := closed(object{"column": by, "descending": public("boolean")})
		step["required"] = []any{"column"}
		properties["order"] = object{"type": "array", "items": step, "maxItems": maxOrder}
	}
	return closed(properties)
}

// output is the schema of a tool's structured result.
func (t *table) output(sights []sight) object {
	row := object{}
	for i := range t.columns {
		if !sightOf(sights, i).seen {
			continue
		}
		v := t.columns[i].value()
		v["type"] = []any{v["type"], "null"}
		row[t.columns[i].name] = v
	}
	out := closed(object{"rows": object{"type": "array", "items": closed(row)}, "next": public("string"), "odd": public("integer")})
	out["required"] = []any{"rows"}
	return out
}
