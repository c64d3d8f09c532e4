package querytest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Table is a table of a source.
type Table struct {
	Source  string
	Columns []query.Column
	// Rows has a cell for each column: nil, int64, bool or text. Numbers with places are decimal text, dates are YYYY-MM-DD, times RFC 3339.
	Rows [][]any

	declared *query.Table
	owners   []string // of each row, as [filler.owner] names them; "": nobody
}

// Name is what the source calls a column.
func Name(c query.Column) string {
	if c.Source != "" {
		return c.Source
	}
	return c.Name
}

// Database is what a source holds.
type Database []*Table

// Options say what a database holds.
type Options struct {
	Units int  // how many there are; 0: 10
	Typed bool // every cell is of its column's kind, for databases that insist on it
}

// Random makes a database up. One of its units has the most rows, in the most groups, with the most extreme values.
func Random(rng *rand.Rand, d *query.Dataset, o Options) Database {
	if o.Units == 0 {
		o.Units = 10
	}
	g := &filler{rng: rng, d: d, typed: o.Typed}
	var db Database
	for i := range d.Tables {
		db = append(db, g.table(&d.Tables[i], o.Units))
	}
	return db
}

type filler struct {
	rng   *rand.Rand
	d     *query.Dataset
	typed bool
	heavy bool // the row is of the unit with the extreme values
}

const nobody = -1

func (g *filler) table(t *query.Table, units int) *Table {
	out := &Table{Source: t.Source, Columns: t.Columns, declared: t}
	if t.Public || t.Via != nil {
		n := 6
		if t.Via != nil {
			n = 6 * units
		}
		for range n {
			g.heavy = false
			out.Rows, out.owners = append(out.Rows, g.row(t, nobody)), append(out.owners, "")
		}
		return out
	}
	for u := range units {
		n := g.rng.IntN(4)
		if g.heavy = u == 0; g.heavy {
			n = 12 + g.rng.IntN(12)
		}
		for range n {
			row := g.row(t, u)
			out.Rows, out.owners = append(out.Rows, row), append(out.owners, g.owner(t, row, u))
		}
	}
	g.heavy = false
	for range g.rng.IntN(3) {
		out.Rows, out.owners = append(out.Rows, g.row(t, nobody)), append(out.owners, "")
	}
	g.rng.Shuffle(len(out.Rows), func(i, j int) {
		out.Rows[i], out.Rows[j] = out.Rows[j], out.Rows[i]
		out.owners[i], out.owners[j] = out.owners[j], out.owners[i]
	})
	return out
}

// owner names the unit that a row belongs to: where units are bounded in time, by the window that the row lies in.
func (g *filler) owner(t *query.Table, row []any, unit int) string {
	name := fmt.Sprint("unit ", unit)
	if g.d.Window == 0 {
		return name
	}
	i := slices.IndexFunc(t.Columns, func(c query.Column) bool { return strings.EqualFold(c.Name, t.Time) })
	when := relation.Field{Type: t.Columns[i].Type}.Read(row[i])
	if when.Null {
		return ""
	}
	at := big.NewInt(when.Int)
	if when.Kind == relation.Date {
		at.Mul(at, big.NewInt(86_400_000_000))
	}
	if !g.d.Origin.IsZero() {
		at.Sub(at, big.NewInt(g.d.Origin.UnixMicro()))
	}
	// Euclid's division rounds down, since the divisor is above zero.
	return fmt.Sprint(name, " in window ", at.Div(at, big.NewInt(g.d.Window.Microseconds())))
}

func (g *filler) row(t *query.Table, unit int) []any {
	row := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		at := slices.IndexFunc(t.Unit, func(n string) bool { return strings.EqualFold(n, c.Name) })
		switch {
		case at == 0 && t.Via == nil && !t.Public:
			row[i] = g.unitCell(c, unit)
		case at > 0 && t.Via == nil && !t.Public:
			row[i] = g.unitCell(c, 0) // together with the first they tell units apart
		case g.isKey(t, c):
			row[i] = g.keyCell(c, unit)
		default:
			row[i] = g.cell(c)
		}
	}
	return row
}

// unitCell names a unit, or nobody.
func (g *filler) unitCell(c query.Column, unit int) any {
	if unit == nobody {
		return nil
	}
	switch c.Type.Kind {
	case relation.Text:
		return fmt.Sprintf("unit %d", unit)
	case relation.Date:
		return date(c.Type.Min + int64(unit))
	case relation.Time:
		return moment(c.Type.Min + int64(unit))
	}
	return number(max(c.Type.Min, 0)+int64(unit), c.Type.Places)
}

// isKey is whether a column is one that references go from or to.
func (g *filler) isKey(t *query.Table, c query.Column) bool {
	if t.Via != nil && strings.EqualFold(t.Via.Column, c.Name) {
		return true
	}
	return slices.ContainsFunc(g.d.Tables, func(o query.Table) bool {
		return o.Via != nil && strings.EqualFold(o.Via.Table, t.Name) && strings.EqualFold(o.Via.To, c.Name)
	})
}

// keyCell is a key of the unit's own, or now and then one that others have too.
func (g *filler) keyCell(c query.Column, unit int) any {
	n := g.rng.IntN(40)
	if unit >= 0 && g.rng.IntN(4) > 0 {
		n = 4*unit + g.rng.IntN(4)
	}
	if g.rng.IntN(20) == 0 {
		return nil
	}
	if c.Type.Kind == relation.Text {
		return fmt.Sprintf("key %d", n)
	}
	return number(max(c.Type.Min, 0)+int64(n), c.Type.Places)
}

// words are text that engines have treated differently, and what public tables and columns have in common.
var words = []string{"a", "b", "A", "aB%", "b_c", "it's", `back\slash`, "über", "", "-- x"}

// garbage is nothing of what columns hold, or far from it.
var garbage = []any{"NaN", "Infinity", "-1e400", "1e400", "abc", "", "9223372036854775808", "2026-02-31", "12 ", "0x10", "true", int64(9223372036854775807), int64(-9223372036854775808)}

func (g *filler) cell(c query.Column) any {
	switch {
	case g.rng.IntN(10) == 0:
		return nil
	case !g.typed && g.rng.IntN(10) == 0:
		return garbage[g.rng.IntN(len(garbage))]
	case len(c.Values) > 0 && g.rng.IntN(8) > 0:
		return written(c.Values[g.rng.IntN(len(c.Values))], c.Type.Places)
	}
	lo, hi := c.Type.Min, c.Type.Max
	if c.Type.Kind != relation.Text && c.Type.Kind != relation.Truth && !c.Bounded {
		lo, hi = max(lo, -1000), min(hi, 1000)
	}
	switch c.Type.Kind {
	case relation.Text:
		return words[g.rng.IntN(len(words))]
	case relation.Truth:
		return g.rng.IntN(2) == 1
	}
	v := lo
	if hi > lo {
		v += g.rng.Int64N(hi - lo)
	}
	if g.heavy && g.rng.IntN(3) > 0 || g.rng.IntN(6) == 0 { // on the bounds, or beyond
		v = []int64{lo, hi, hi, hi + 1 + g.rng.Int64N(5)}[g.rng.IntN(4)]
	}
	return written(relation.Value{Kind: c.Type.Kind, Int: v}, c.Type.Places)
}

func written(v relation.Value, places int) any {
	switch v.Kind {
	case relation.Text:
		return v.Text
	case relation.Truth:
		return v.Int == 1
	case relation.Date:
		return date(v.Int)
	case relation.Time:
		return moment(v.Int)
	}
	return number(v.Int, places)
}

func date(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }
func moment(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// number is a number as a source would hold it.
func number(n int64, places int) any {
	if places == 0 {
		return n
	}
	sign, s := "", fmt.Sprint(n)
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for len(s) <= places {
		s = "0" + s
	}
	return sign + s[:len(s)-places] + "." + s[len(s)-places:]
}

// Neighbours are databases that have all but one unit: the one with the most rows, and others at random.
func (db Database) Neighbours(rng *rand.Rand, n int) []Database {
	rows := map[string]int{}
	for _, t := range db {
		for _, u := range t.owners {
			rows[u]++
		}
	}
	delete(rows, "")
	all := slices.SortedFunc(maps.Keys(rows), func(a, b string) int { return cmp.Or(rows[b]-rows[a], strings.Compare(a, b)) })
	var out []Database
	for i := range min(n, n*len(all)) {
		u := 0
		if i > 0 {
			u = rng.IntN(len(all))
		}
		out = append(out, db.without(all[u], i > 0 && rng.IntN(2) == 0))
	}
	return out
}

// without takes a unit out. Rows that refer to it alone go too, or stay as rows of nobody: neither may be seen.
func (db Database) without(unit string, keepReferring bool) Database {
	out := make(Database, len(db))
	for i, t := range db {
		c := *t
		c.Rows, c.owners = nil, nil
		for j, row := range t.Rows {
			if t.owners[j] == unit {
				continue
			}
			c.Rows, c.owners = append(c.Rows, row), append(c.owners, t.owners[j])
		}
		out[i] = &c
	}
	if keepReferring {
		return out
	}
	for i, t := range out {
		if t.declared.Via == nil {
			continue
		}
		before, after := db.keys(t.declared.Via), out.keys(t.declared.Via)
		at := t.column(t.declared.Via.Column)
		out[i].Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(row []any) bool {
			key := fmt.Sprint(row[at])
			return before[key] && !after[key]
		})
	}
	return out
}

// keys are the values of the column that a reference points to.
func (db Database) keys(v *query.Reference) map[string]bool {
	out := map[string]bool{}
	for _, t := range db {
		if !strings.EqualFold(t.declared.Name, v.Table) {
			continue
		}
		at := t.column(v.To)
		for _, row := range t.Rows {
			if row[at] != nil {
				out[fmt.Sprint(row[at])] = true
			}
		}
	}
	return out
}

func (t *Table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c query.Column) bool { return strings.EqualFold(c.Name, name) })
}

// Open reads the database, for [relation.Evaluate].
func (db Database) Open() relation.Opener {
	return func(_ context.Context, s *relation.Scan) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			t, at, err := db.find(s)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range t.Rows {
				cells := make([]any, len(at))
				for i, j := range at {
					cells[i] = row[j]
				}
				if !yield(cells, nil) {
					return
				}
			}
		}
	}
}

func (db Database) find(s *relation.Scan) (*Table, []int, error) {
	i := slices.IndexFunc(db, func(t *Table) bool { return t.Source == s.Table })
	if i < 0 {
		return nil, nil, fmt.Errorf("table %q is missing", s.Table)
	}
	var at []int
	for _, f := range s.Fields {
		j := slices.IndexFunc(db[i].Columns, func(c query.Column) bool { return Name(c) == f.Source })
		if j < 0 {
			return nil, nil, fmt.Errorf("a column of table %q is missing", s.Table)
		}
		at = append(at, j)
	}
	return db[i], at, nil
}

// Engine computes in memory by [relation.Evaluate].
func (db Database) Engine() relation.Engine { return memory{db} }

type memory struct{ db Database }

func (m memory) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	groups, err := relation.Evaluate(ctx, q, seed, m.db.Open(), nil)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := yield(g); err != nil {
			return err
		}
	}
	return nil
}

func (m memory) Check(_ context.Context, scans []relation.Scan) error {
	for i := range scans {
		if _, _, err := m.db.find(&scans[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m memory) Close() error { return nil }
