// Package facade puts an existing store behind the gateway: an MCP server, and the same over REST, with tools for tables
// that a data contract describes.
//
// A facade is an inner server ([gateway.Inner]): what is asked of it and what it answers take the road of every message,
// so that levels, tokens, exposure and the journal are what they are for any server. What the road cannot see is what a
// question reveals by being asked: a filter on a column is an answer about it. So a column can be compared and ordered
// by only where the caller would be shown it as it is, or, for equality, by tokens that it was given; the order of rows
// says nothing of a key that is kept back; and a page's cursor opens for nobody but its caller.
package facade

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// Table is one table that callers may ask about.
type Table struct {
	Name    string   // in tools and addresses
	Source  string   // in the source; "": what the contract says, else Name
	Dataset string   // of a contract; "": Name
	Key     []string // none: what the contract says
}

// Options are what a facade is made of; zero numbers have the defaults named.
type Options struct {
	Server    flow.AgentID
	Tables    []Table
	Contracts []*catalog.Contract
	Taxonomy  *flow.Taxonomy // nil: the default one
	Source    Source
	Rows      int           // of one answer, at most; 100
	Bytes     int           // of one answer's values, at most; 256 KiB
	Cells     int           // of one answer, at most; 2,000. Each is decided and recorded
	Limit     time.Duration // of one reading; 5 s
}

// Facade is the server. It is immutable and safe for concurrent use.
type Facade struct {
	opt    Options
	tables []*table
}

// table is a table with the columns that are exposed.
type table struct {
	Table
	key     []int
	columns []column
}

// column is a column as callers see it.
type column struct {
	name   string
	source Column
	field  catalog.Field
	class  flow.Class
	named  bool // a number that names something is a text to callers: it can have a token
	prose  bool // what stands in it is looked at word by word
}

// operation is what a tool does with its table.
type operation string

const (
	get    operation = "get"
	list   operation = "list"
	search operation = "search"
)

var operations = []operation{get, list, search}

// ErrContract is wrapped by errors about tables that no contract describes as configured.
var ErrContract = errors.New("the data contract does not describe the table")

// New makes a facade of tables. The error wraps [ErrContract].
func New(o Options) (*Facade, error) {
	if o.Taxonomy == nil {
		o.Taxonomy = flow.DefaultTaxonomy()
	}
	o.Rows, o.Bytes, o.Cells = or(o.Rows, 100), or(o.Bytes, 256<<10), or(o.Cells, 2000)
	o.Limit = or(o.Limit, 5*time.Second)
	f := &Facade{opt: o}
	for _, t := range o.Tables {
		one, err := newTable(t, o)
		if err != nil {
			return nil, err
		}
		f.tables = append(f.tables, one)
	}
	return f, nil
}

func or[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

func newTable(t Table, o Options) (*table, error) {
	wrong := func(format string, args ...any) (*table, error) {
		return nil, fmt.Errorf("table %s: %s: %w", t.Name, fmt.Sprintf(format, args...), ErrContract)
	}
	t.Dataset = cmp.Or(t.Dataset, t.Name)
	d, ok := dataset(o.Contracts, t.Dataset)
	if !ok {
		return wrong("there is no dataset %q", t.Dataset)
	}
	if d.Formal {
		return wrong("the dataset is formal, so its rows leave through the ledger alone")
	}
	t.Source = cmp.Or(t.Source, d.PhysicalName, d.Name)
	declared := len(t.Key) == 0
	one := &table{}
	for _, f := range d.Fields {
		kind, ok := kinds[f.Logical]
		if !ok || strings.Contains(f.Column, ".") { // objects and lists are no single values
			continue
		}
		class, _ := o.Taxonomy.Class(f.Label)
		source := cmp.Or(f.PhysicalName, f.Column)
		if declared && f.Key {
			t.Key = append(t.Key, f.Column)
		}
		if strings.ContainsRune(source, 0) || strings.ContainsRune(t.Source, 0) {
			return wrong("a name holds a NUL")
		}
		one.columns = append(one.columns, column{
			name: f.Column, source: Column{source, kind}, field: f, class: class,
			named: kind == Integer && class.Family == flow.Identifier, prose: kind == Text && (class.Label.Within("text") || class.Label == "health/note"),
		})
	}
	if len(t.Key) == 0 {
		return wrong("it has no key")
	}
	one.Table = t
	for _, name := range t.Key {
		i := slices.IndexFunc(one.columns, func(c column) bool { return c.name == name })
		if i < 0 {
			return wrong("it has no column %q, which is to be its key", name)
		}
		one.key = append(one.key, i)
	}
	return one, nil
}

// kinds are those of the standard's logical types that are single values.
var kinds = map[string]Kind{"": Text, "string": Text, "integer": Integer, "number": Number, "boolean": Truth, "date": Date, "timestamp": Moment, "time": Text}

func dataset(all []*catalog.Contract, name string) (catalog.Dataset, bool) {
	for _, c := range all {
		if d, ok := c.Dataset(name); ok {
			return d, true
		}
	}
	return catalog.Dataset{}, false
}

// leaf is a column as policy sees it.
func (c *column) leaf() flow.Leaf {
	return flow.Leaf{Path: "/**", Label: c.field.Label, Field: c.field.Name, Origin: flow.Catalogued}
}

func (t *table) leaves() []flow.Leaf {
	out := make([]flow.Leaf, len(t.columns))
	for i := range t.columns {
		out[i] = t.columns[i].leaf()
	}
	return out
}

func (t *table) column(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
}

// tool is the name of a table's tool.
func (t *table) tool(op operation) string { return t.Name + "_" + string(op) }

// named finds the table and operation of a tool.
func (f *Facade) named(tool string) (*table, operation) {
	for _, op := range operations {
		name, ok := strings.CutSuffix(tool, "_"+string(op))
		if !ok {
			continue
		}
		if i := slices.IndexFunc(f.tables, func(t *table) bool { return t.Name == name }); i >= 0 {
			return f.tables[i], op
		}
	}
	return nil, ""
}

// Web is one of the facade's tables as a service has it, by the operations that are named.
func (f *Facade) Web(name, list, get string) WebTable {
	w := WebTable{List: list, Get: get}
	for _, t := range f.tables {
		if t.Name != name {
			continue
		}
		w.Name = t.Source
		for i := range t.columns {
			w.Columns = append(w.Columns, t.columns[i].source)
		}
		if w.Key = t.columns[t.key[0]].source.Name; len(t.key) > 1 {
			w.Get = "" // it takes a key of one column
		}
	}
	return w
}

// Check reads a row of each table, and reports those that are not as the contract says. No value is in its error.
func (f *Facade) Check(ctx context.Context) error {
	var errs []error
	for _, t := range f.tables {
		q := &Query{Table: t.Source, Limit: 1, Bytes: f.opt.Bytes}
		for i := range t.columns {
			q.Columns = append(q.Columns, t.columns[i].source)
		}
		if _, _, err := f.opt.Source.Select(ctx, q); err != nil {
			errs = append(errs, fmt.Errorf("table %s: %w", t.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Close closes the source.
func (f *Facade) Close() error { return f.opt.Source.Close() }
