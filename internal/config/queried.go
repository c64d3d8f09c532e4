package config

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Queried returns a dataset as questions in SQL see it; nil if none can be asked about it.
func (c *Config) Queried(name string) *query.Dataset { return c.loaded.queried[name] }

// FormalDataset reports whether rows of a dataset leave through the ledger alone.
func (c *Config) FormalDataset(name string) bool {
	d := c.Datasets[name]
	if d.Formal != nil {
		return *d.Formal
	}
	if c.loaded.catalog != nil {
		for _, contract := range c.loaded.catalog.Contracts() {
			if of, ok := contract.Dataset(name); ok {
				return of.Formal
			}
		}
	}
	return true // rows that left beside the ledger would make its claim void
}

// queried checks what configuration says of questions in SQL about a dataset, and builds what they are bound to.
func (v *validator) queried(name string, d *Dataset) {
	at := "datasets/" + name
	if d.Formal != nil && !*d.Formal && v.contractOf(name).Formal {
		v.wrong(at+"/formal", "", "the data contract has it formal")
	}
	if !d.Asked() {
		if len(d.Tables) > 0 {
			v.wrong(at+"/tables", "say under source where they lie", "the dataset has no source")
		}
		return
	}
	if len(d.Tables) == 0 {
		v.wrong(at, "list its tables", "a dataset with a source needs tables, with columns and whose each row is")
		return
	}
	before := len(v.mistakes)
	v.source(at+"/source", &d.Source)
	v.costs(at+"/sql", d)
	b := &queriedTables{v: v, d: d, name: name}
	out := &query.Dataset{
		Name: name, Unit: d.Unit.Name, Window: time.Duration(d.Unit.Window), Origin: d.Blocks.From, Formal: v.c.FormalDataset(name), Limits: v.queryLimits(at+"/limits", name, d.Limits),
	}
	for _, table := range slices.Sorted(maps.Keys(d.Tables)) {
		t := d.Tables[table]
		out.Tables = append(out.Tables, b.table(at+"/tables/"+table, table, &t))
	}
	b.references(at, out)
	b.naming(at, out)
	if !slices.ContainsFunc(out.Tables, func(t query.Table) bool { return !t.Public }) {
		v.wrong(at+"/tables", "", "all tables are public, so there is nobody to protect and nothing to ask")
	}
	if err := out.Check(); err != nil && len(v.mistakes) == before {
		v.wrong(at, "", "%s", strings.TrimPrefix(err.Error(), "the question: ")) // what is said here of names is this file's own
	}
	if v.c.loaded.queried == nil {
		v.c.loaded.queried = map[string]*query.Dataset{}
	}
	v.c.loaded.queried[name] = out
}

func (v *validator) contractOf(name string) catalog.Dataset { return v.c.contractOf(name) }

func (c *Config) contractOf(name string) catalog.Dataset {
	if c.loaded.catalog != nil {
		for _, contract := range c.loaded.catalog.Contracts() {
			if of, ok := contract.Dataset(name); ok {
				return of
			}
		}
	}
	return catalog.Dataset{}
}

func (v *validator) source(at string, s *Source) {
	ways := 0
	for _, given := range []bool{s.SQLite != "", s.Postgres != nil, s.Files != "", s.DuckDB != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		v.wrong(at, "", "one of sqlite, postgres, files and duckdb is expected")
	}
	if p := s.Postgres; p != nil {
		if (p.Env == "") == (p.File == "") {
			v.wrong(at+"/postgres", "the URL holds a password, so it does not belong in this file", "either env or file is expected")
		}
		v.secret(at+"/postgres", p.Env, p.File)
	}
	if s.DuckDB != nil && len(s.DuckDB.Command) == 0 {
		v.wrong(at+"/duckdb/command", "such as [scrim-duckdb]", "the program is missing")
	}
	if s.DuckDB != nil && (s.DuckDB.Database == "") == (s.DuckDB.Dir == "") {
		v.wrong(at+"/duckdb", "", "either database or dir is expected")
	}
}

// costs checks what questions cost.
func (v *validator) costs(at string, d *Dataset) {
	total, _ := d.Epsilon.In(NanoPlaces)
	most := total
	for _, one := range []struct {
		key  string
		x    Exact
		than int64
		over string
	}{{"most", d.SQL.Most, total, "the dataset's ε"}, {"epsilon", d.SQL.Epsilon, 0, "most"}} {
		if !one.x.Given() {
			continue
		}
		n, ok := one.x.In(NanoPlaces)
		if one.key == "epsilon" {
			one.than = most
		} else {
			most = n
		}
		switch {
		case !ok || n == 0:
			v.wrong(at+"/"+one.key, "", "it must be over 0, and a multiple of 10⁻⁹")
		case n > one.than && one.than > 0:
			v.wrong(at+"/"+one.key, "", "it is more than %s", one.over)
		}
	}
	all := v.femtoOf(d.Delta)
	for _, one := range []struct {
		key string
		x   Exact
	}{{"delta", d.SQL.Delta}, {"selection", d.SQL.Selection}} {
		if n := v.femto(at+"/"+one.key, one.x); n > all {
			v.wrong(at+"/"+one.key, "give the dataset a larger delta, or the question a smaller one", "no question like this can ever be paid for: the dataset's δ is smaller")
		}
	}
}

func (v *validator) femtoOf(x Exact) int64 {
	n, _ := x.In(FemtoPlaces)
	return n
}

const defaultMost = 64 // rows and groups that a question may ask for

func (v *validator) queryLimits(at, name string, l QueryLimits) query.Limits {
	rows, groups := v.contributed(name)
	most := func(key string, given, least int, contract int64) int64 {
		if given > 0 && given < least {
			v.wrong(at+"/"+key, "", "it is less than what a question has that says nothing")
		}
		if given == 0 && contract > 0 { // what the contract bounds needs no second bound here
			return max(min(contract, defaultMost), int64(least))
		}
		return int64(max(cmp.Or(given, defaultMost), least))
	}
	return query.Limits{
		Rows: int64(l.Rows), MostRows: most("most_rows", l.MostRows, l.Rows, rows), Groups: int64(l.Groups), MostGroups: most("most_groups", l.MostGroups, l.Groups, groups), MostCells: l.Cells,
	}
}

// queriedTables builds the tables of one dataset.
type queriedTables struct {
	v    *validator
	d    *Dataset
	name string
}

// contract is what describes a table; without a name where nothing does.
func (b *queriedTables) contract(at, name string, t *Table) catalog.Dataset {
	of := b.v.c.describes(b.name, name)
	if t.Contract != "" && of.Name == "" && b.v.look() {
		b.v.wrong(at+"/contract", "list the data contract's file under contracts", "no data contract has this dataset")
	}
	return of
}

// describes returns the dataset of a data contract that describes a table: the one that the table names, the one of its name, or, of the only
// table, the one of the dataset's name.
func (c *Config) describes(dataset, table string) catalog.Dataset {
	d := c.Datasets[dataset]
	if by := d.Tables[table].Contract; by != "" {
		return c.contractOf(by)
	}
	if of := c.contractOf(table); of.Name != "" || len(d.Tables) > 1 {
		return of
	}
	return c.contractOf(dataset)
}

// Described returns, by table, the datasets of data contracts that describe the tables of a dataset.
func (c *Config) Described(dataset string) map[string]string {
	all := map[string]string{}
	for table := range c.Datasets[dataset].Tables {
		if of := c.describes(dataset, table); of.Name != "" {
			all[table] = of.Name
		}
	}
	return all
}

func (b *queriedTables) table(at, name string, t *Table) query.Table {
	of := b.contract(at, name, t)
	files := b.d.Source.Files != "" || b.d.Source.DuckDB != nil && b.d.Source.DuckDB.Dir != ""
	switch {
	case files && len(t.Files) == 0:
		b.v.wrong(at, "such as files: [stays-*.parquet]", "a table of a source of files needs files")
	case !files && len(t.Files) > 0:
		b.v.wrong(at+"/files", "", "files are for a source of files")
	case files && t.Table != "":
		b.v.wrong(at+"/table", "", "a table of a source of files has no other name there")
	}
	for i, f := range t.Files {
		if !filepath.IsLocal(f) {
			b.v.wrong(fmt.Sprintf("%s/files/%d", at, i), "", "it leads out of the source's directory")
		}
	}
	out := query.Table{Name: name, Source: cmp.Or(t.Table, name), Public: t.Public, Time: t.Time}
	for _, column := range slices.Sorted(maps.Keys(t.Columns)) {
		c := t.Columns[column]
		out.Columns = append(out.Columns, b.column(at+"/columns/"+column, column, &c, of, t.Public))
	}
	b.owner(at, t, of, &out)
	if i := columnOf(&out, t.Time); t.Time != "" && i < 0 {
		b.v.wrong(at+"/time", "", "there is no such column")
	} else if t.Time != "" && out.Columns[i].Type.Kind != relation.Date && out.Columns[i].Type.Kind != relation.Time {
		b.v.wrong(at+"/time", "", "the column is neither a date nor a time")
	}
	if b.d.Blocks.By == BlocksByTime && t.Time == "" && !t.Public {
		b.v.wrong(at, "name the column that says when a row was, under time", "a dataset with blocks of time needs to know when rows were")
	}
	return out
}

func columnOf(t *query.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c query.Column) bool { return c.Name == name })
}

// owner says whose the rows of a table are.
func (b *queriedTables) owner(at string, t *Table, of catalog.Dataset, out *query.Table) {
	unit := t.Unit
	switch {
	case t.Public:
		if len(unit) > 0 || t.Reference != nil {
			b.v.wrong(at, "", "a public table is nobody's: leave out unit and reference, or public")
		}
		if of.UnitColumn != "" {
			b.v.wrong(at+"/public", "", "the data contract says whom its rows are about")
		}
		return
	case t.Reference != nil && len(unit) > 0:
		b.v.wrong(at, "", "either unit or reference is expected")
		return
	case t.Reference != nil:
		r := *t.Reference
		out.Via = &query.Reference{Column: r.Column, Table: r.Table, To: r.To}
		if columnOf(out, r.Column) < 0 {
			b.v.wrong(at+"/reference/column", "list it under columns", "there is no such column")
		}
		return
	case len(unit) == 0 && of.UnitColumn != "":
		for _, c := range out.Columns {
			if c.Source == of.UnitColumn {
				unit = []string{c.Name}
			}
		}
	}
	if len(unit) == 0 {
		b.v.wrong(at, "name the columns under unit, give a reference to a table that has some, or, if it is about nobody, set public", "it does not say whose a row is: the unit is missing")
		return
	}
	for i, name := range unit {
		at := fmt.Sprintf("%s/unit/%d", at, i)
		j := columnOf(out, name)
		if j < 0 {
			b.v.wrong(at, "list it under columns", "there is no such column")
			continue
		}
		if of.UnitColumn != "" && !slices.ContainsFunc(unit, func(u string) bool {
			k := columnOf(out, u)
			return k >= 0 && out.Columns[k].Source == of.UnitColumn
		}) {
			b.v.wrong(at, "", "the data contract has another unit column")
		}
	}
	out.Unit = slices.Clone(unit)
}

// references follows each reference to the table that says whose the rows are.
func (b *queriedTables) references(at string, d *query.Dataset) {
	find := func(name string) *query.Table {
		if i := slices.IndexFunc(d.Tables, func(t query.Table) bool { return t.Name == name }); i >= 0 {
			return &d.Tables[i]
		}
		return nil
	}
	for i := range d.Tables {
		t := &d.Tables[i]
		if t.Via == nil {
			continue
		}
		at := at + "/tables/" + t.Name + "/reference"
		to := find(t.Via.Table)
		switch {
		case to == nil:
			b.v.wrong(at+"/table", "", "there is no such table")
			continue
		case to.Public:
			b.v.wrong(at+"/table", "", "that table is public, so it says of nobody whose a row is")
			continue
		}
		j, k := columnOf(t, t.Via.Column), columnOf(to, t.Via.To)
		if k < 0 {
			b.v.wrong(at+"/to", "list it under columns", "there is no such column")
		} else if j >= 0 && t.Columns[j].Type.Kind != to.Columns[k].Type.Kind {
			b.v.wrong(at, "", "the two columns are of different types")
		}
		for steps := 0; to != nil && to.Via != nil; steps++ {
			if steps > len(d.Tables) {
				b.v.wrong(at, "", "references lead round in a circle")
				break
			}
			to = find(to.Via.Table)
		}
		if to != nil {
			t.Unit = slices.Clone(to.Unit)
		}
	}
}

// naming keeps columns that name a unit, or a row that another refers to, as they are: numbers beyond bounds would become one name, and so two
// units one.
func (b *queriedTables) naming(at string, d *query.Dataset) {
	as := func(t *query.Table, name string) {
		i := columnOf(t, name)
		if i < 0 || t.Columns[i].Type.Kind != relation.Number {
			return
		}
		c := &t.Columns[i]
		if given := b.d.Tables[t.Name].Columns[name]; given.Min.Given() || given.Max.Given() {
			b.v.wrong(at+"/tables/"+t.Name+"/columns/"+name, "leave out min and max", "a column that names somebody, or what rows refer to, has no bounds: numbers beyond them would all be one name")
		}
		c.Bounded, c.Type = false, relation.Widest(relation.Number, c.Type.Places)
	}
	for i := range d.Tables {
		t := &d.Tables[i]
		if t.Via == nil {
			for _, name := range t.Unit {
				as(t, name)
			}
			continue
		}
		as(t, t.Via.Column)
		for j := range d.Tables {
			if d.Tables[j].Name == t.Via.Table {
				as(&d.Tables[j], t.Via.To)
			}
		}
	}
}

// column is one column, with what a contract says of it; it is never looser than that.
func (b *queriedTables) column(at, name string, c *Column, of catalog.Dataset, public bool) query.Column {
	out := query.Column{Name: name, Source: cmp.Or(c.Column, name)}
	var field catalog.Field
	if i := slices.IndexFunc(of.Fields, func(f catalog.Field) bool { return f.Column == out.Source }); i >= 0 {
		field = of.Fields[i]
	}
	out.Type = b.columnType(at, c, field)
	b.bounds(at, c, field, &out)
	b.values(at, c, &out)
	tax := b.v.c.loaded.taxonomy
	out.Label = c.Label
	if c.Label != "" && !tax.Known(c.Label) {
		b.v.wrong(at+"/label", "list it under taxonomy", "there is no such label")
	}
	if given := field.Label; given != "" && given != flow.Unlabelled {
		if out.Label = tax.Stricter(given, c.Label); c.Label != "" && out.Label != c.Label {
			b.v.wrong(at+"/label", "leave it out", "the data contract has a stricter label")
		}
	}
	switch {
	case out.Label == "" && public:
		out.Label = flow.PublicData
	case out.Label == "":
		out.Label = flow.Unlabelled
	}
	class, _ := tax.Class(out.Label)
	out.NoKey = class.Family == flow.Identifier && (out.Label != flow.Unlabelled || out.Values == nil)
	return out
}

var kindOfType = map[ColumnType]relation.Kind{
	NumberColumn: relation.Number, TextColumn: relation.Text, TruthColumn: relation.Truth, DateColumn: relation.Date, TimeColumn: relation.Time,
}

// columnType is the kind of a column with its places. Its bounds are those that every number, date or time has.
func (b *queriedTables) columnType(at string, c *Column, field catalog.Field) relation.Type {
	said := ColumnType("")
	switch field.Logical {
	case "integer", "number":
		said = NumberColumn
	case "string", "time":
		said = TextColumn
	case "boolean":
		said = TruthColumn
	case "date":
		said = DateColumn
	case "timestamp":
		said = TimeColumn
	}
	kind := cmp.Or(c.Type, said)
	_, places := b.v.c.loaded.places[at+"/places"]
	switch {
	case kind == "":
		b.v.wrong(at, "number, text, truth, date or time", "type is missing")
	case said != "" && kind != said && !(said == TextColumn && kind != NumberColumn && kind != TruthColumn):
		b.v.wrong(at+"/type", "", "the data contract has another type")
	case kind != NumberColumn && places:
		b.v.wrong(at+"/places", "", "places are for numbers")
	case field.Logical == "integer" && c.Places > 0:
		b.v.wrong(at+"/places", "", "the data contract has whole numbers")
	case field.Logical == "number" && !places:
		b.v.wrong(at, "such as places: 2", "say how many decimal places the number has")
	}
	if kind != NumberColumn {
		return relation.Widest(kindOfType[kind], 0)
	}
	return relation.Widest(relation.Number, c.Places)
}

func (b *queriedTables) bounds(at string, c *Column, field catalog.Field, out *query.Column) {
	if out.Type.Kind == relation.Text || out.Type.Kind == relation.Truth {
		if c.Min.Given() || c.Max.Given() {
			b.v.wrong(at, "", "bounds are for numbers, dates and times")
		}
		return
	}
	lo, hi, known := contractBounds(field, out.Type)
	for _, end := range []struct {
		key   string
		given Literal
		to    *int64
		outer int64
		over  func(x, outer int64) bool
	}{
		{"min", c.Min, &out.Type.Min, lo, func(x, outer int64) bool { return x < outer }},
		{"max", c.Max, &out.Type.Max, hi, func(x, outer int64) bool { return x > outer }},
	} {
		if !end.given.Given() {
			if known {
				*end.to = end.outer
			}
			continue
		}
		x, err := parseLiteral(end.given.String(), out.Type)
		switch {
		case err != nil:
			b.v.wrong(at+"/"+end.key, "", "%s", err)
		case known && end.over(x, end.outer):
			b.v.wrong(at+"/"+end.key, "", "the data contract has narrower bounds")
		default:
			*end.to = x
		}
	}
	if c.Min.Given() != c.Max.Given() && !known {
		b.v.wrong(at, "", "min and max go together")
	}
	if out.Type.Min > out.Type.Max {
		b.v.wrong(at+"/min", "", "the least value is above the greatest")
		out.Type.Max = out.Type.Min
	}
	out.Bounded = c.Min.Given() && c.Max.Given() || known
}

// contractBounds are those of a contract, brought inward to the places of the type.
func contractBounds(field catalog.Field, t relation.Type) (lo, hi int64, known bool) {
	if !field.Bounds.Known || t.Kind != relation.Number {
		return 0, 0, false
	}
	lo, okLo := inward(field.Bounds.Min, t.Places, true)
	hi, okHi := inward(field.Bounds.Max, t.Places, false)
	return lo, hi, okLo && okHi
}

func (b *queriedTables) values(at string, c *Column, out *query.Column) {
	if len(c.Values) == 0 {
		return
	}
	if len(c.Values) > b.d.Limits.Cells {
		b.v.wrong(at+"/values", "", "there are more of them than an answer may have groups")
		return
	}
	seen := map[relation.Value]bool{}
	for i, given := range c.Values {
		at := fmt.Sprintf("%s/values/%d", at, i)
		value := relation.Value{Kind: out.Type.Kind}
		var err error
		switch out.Type.Kind {
		case relation.Text:
			value.Text = given.String()
		case relation.Truth:
			value.Int, err = parseTruth(given.String())
		default:
			value.Int, err = parseLiteral(given.String(), out.Type)
			if err == nil && (value.Int < out.Type.Min || value.Int > out.Type.Max) {
				err = errOutside
			}
		}
		switch {
		case err != nil:
			b.v.wrong(at, "", "%s", err)
		case seen[value]:
			b.v.wrong(at, "", "the value is listed twice")
		default:
			seen[value] = true
			out.Values = append(out.Values, value)
		}
	}
	if isNumeric := out.Type.Kind != relation.Text && out.Type.Kind != relation.Truth; isNumeric && !out.Bounded && len(out.Values) > 0 {
		out.Type.Min, out.Type.Max = out.Values[0].Int, out.Values[0].Int
		for _, x := range out.Values {
			out.Type.Min, out.Type.Max = min(out.Type.Min, x.Int), max(out.Type.Max, x.Int)
		}
		out.Bounded = true
	}
}

func parseTruth(s string) (int64, error) {
	switch strings.ToLower(s) {
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	return 0, errTruth
}
