package stream

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// clock is the column that says when a row of a table was.
type clock struct {
	source string
	typ    relation.Type
}

// timeName is what the time of a row is called while it is looked at. Compiled relations have no name like it.
const timeName = "stream_time"

// times finds the tables whose rows have a time.
func (p *Plan) times(d *query.Dataset, q *query.Plan) error {
	private := map[string]*query.Table{}
	split := map[string]bool{} // tables of the source that the dataset has by several names, with different times
	for i := range d.Tables {
		if t := &d.Tables[i]; !t.Public {
			source := cmp.Or(t.Source, t.Name)
			if same := private[source]; same != nil && clockOf(same) != clockOf(t) {
				split[source] = true
			}
			private[source] = t
		}
	}
	p.clocks = map[string]clock{}
	for s := range scans(q.Relation.In) {
		t := private[s.Table]
		switch {
		case split[s.Table]: // narrowed by one of them, a unit of the other's time would be in steps outside of its window
			return &Error{"sql", "reads table " + t.Name + ", which the dataset has by another name with another time", nil}
		case t == nil, t.Via != nil && t.Time == "": // public; or whose it is, and when, the row says that it refers to
			continue
		case t.Time == "" && p.Unit.Window > 0:
			return &Error{"sql", "reads table " + t.Name + ", whose rows have no time, and a unit of the dataset lies within a window", nil}
		case t.Time == "":
			continue
		}
		c := clockOf(t)
		p.clocks[s.Table] = c
		if c.source == "" || c.typ.Kind != relation.Time && c.typ.Kind != relation.Date {
			return &Error{"sql", "reads table " + t.Name + ", whose time column is no time", nil}
		}
		if day := 24 * time.Hour; c.typ.Kind == relation.Date && (p.Every%day != 0 || p.From.Unix()%86400 != 0) {
			return &Error{"every", "is whole days from midnight UTC, since rows of table " + t.Name + " have dates", nil}
		}
	}
	if len(p.clocks) == 0 {
		return &Error{"sql", "reads no table whose rows have a time; say in the table which column it is", nil}
	}
	return nil
}

// clockOf is what tells the time of a table's rows; zero where nothing does.
func clockOf(t *query.Table) clock {
	for _, c := range t.Columns {
		if c.Name == t.Time {
			return clock{cmp.Or(c.Source, c.Name), c.Type}
		}
	}
	return clock{}
}

// reads is what the dataset declares of a table that the stream is made of, as far as it is: whose a row is, when it was, and how columns are read.
type reads struct {
	Table   string
	Public  bool
	Unit    []string // of the source, as all names here
	Refers  string
	To      [2]string
	Time    string
	Clock   relation.Type
	Columns []string
	Types   []relation.Type
}

// declared is what a stream's relation is built of beside its SQL. What the dataset says of other columns and tables is not in it.
func declared(d *query.Dataset, scans []relation.Scan) []reads {
	tables := map[string]*query.Table{}
	for i := range d.Tables {
		tables[d.Tables[i].Name] = &d.Tables[i]
	}
	source := func(t *query.Table, column string) string {
		if t != nil {
			for _, c := range t.Columns {
				if c.Name == column {
					return cmp.Or(c.Source, c.Name)
				}
			}
		}
		return column
	}
	var all []reads
	for _, s := range scans {
		for i := range d.Tables {
			t := &d.Tables[i]
			if cmp.Or(t.Source, t.Name) != s.Table {
				continue
			}
			c := clockOf(t)
			one := reads{Table: s.Table, Public: t.Public, Time: c.source, Clock: c.typ}
			for _, u := range t.Unit {
				one.Unit = append(one.Unit, source(t, u))
			}
			if v := t.Via; v != nil {
				to := tables[v.Table]
				one.Refers, one.To = source(t, v.Column), [2]string{v.Table, source(to, v.To)}
				if to != nil {
					one.To[0] = cmp.Or(to.Source, to.Name)
				}
			}
			for _, f := range s.Fields {
				one.Columns, one.Types = append(one.Columns, f.Source), append(one.Types, f.Type)
			}
			all = append(all, one)
		}
	}
	return all
}

// scans are the tables that a relation reads.
func scans(r relation.Rel) iter.Seq[*relation.Scan] {
	return func(yield func(*relation.Scan) bool) {
		if s, ok := r.(*relation.Scan); ok {
			yield(s)
			return
		}
		for _, in := range inputs(r) {
			for s := range scans(in) {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func inputs(r relation.Rel) []relation.Rel {
	switch r := r.(type) {
	case *relation.Filter:
		return []relation.Rel{r.In}
	case *relation.Project:
		return []relation.Rel{r.In}
	case *relation.Join:
		return []relation.Rel{r.Left, r.Right}
	case *relation.Union:
		return r.Arms
	case *relation.Fold:
		return []relation.Rel{r.In}
	}
	return nil
}

// at is the question about one step: of every private table that has times, the rows that lie in it.
func (p *Plan) at(step int64) (*relation.Bounded, error) {
	b := p.relation
	var err error
	b.In, err = p.during(b.In, p.grid.begin(step), p.grid.begin(step+1))
	return &b, err
}

// during narrows every scan of a table with times to from ≤ time < until. What is above it is as it was.
func (p *Plan) during(r relation.Rel, from, until time.Time) (relation.Rel, error) {
	var err error
	down := func(in relation.Rel) relation.Rel {
		if err != nil {
			return nil
		}
		var out relation.Rel
		out, err = p.during(in, from, until)
		return out
	}
	switch r := r.(type) {
	case *relation.Scan:
		if c, ok := p.clocks[r.Table]; ok {
			return c.within(r, from, until)
		}
		return r, nil
	case *relation.Filter:
		return &relation.Filter{In: down(r.In), Where: r.Where}, err
	case *relation.Project:
		return &relation.Project{In: down(r.In), Cols: r.Cols}, err
	case *relation.Join:
		return &relation.Join{Kind: r.Kind, Left: down(r.Left), Right: down(r.Right), On: r.On}, err
	case *relation.Union:
		u := &relation.Union{}
		for _, a := range r.Arms {
			u.Arms = append(u.Arms, down(a))
		}
		return u, err
	case *relation.Fold:
		return &relation.Fold{In: down(r.In), Keys: r.Keys, Aggs: r.Aggs}, err
	}
	return nil, fmt.Errorf("narrowing a %T to a step: it is not known", r) // fail closed: a table read whole would be counted in every step
}

// within reads the time besides, filters by it, and leaves it out again. It reads time as package query does to find the window that a row's
// unit lies in, so that both are told by the same value; a time beyond the declared bounds is in no step.
func (c clock) within(s *relation.Scan, from, until time.Time) (relation.Rel, error) {
	fields := append(slices.Clone(s.Fields), relation.Field{Source: c.source, As: timeName, Type: c.typ, Exact: true})
	wide, err := relation.NewScan(s.Table, fields...)
	if err != nil {
		return nil, err
	}
	when, err := relation.NewRef(wide, timeName)
	if err != nil {
		return nil, err
	}
	side := func(op relation.CompareOp, t time.Time) (relation.Expr, error) {
		v := relation.Value{Kind: c.typ.Kind, Int: t.UnixMicro()}
		if c.typ.Kind == relation.Date {
			v.Int = t.Unix() / 86400
		}
		k, err := relation.NewConst(v, 0)
		if err != nil {
			return nil, err
		}
		return relation.NewCompare(op, when, k)
	}
	low, err := side(relation.Ge, from)
	if err != nil {
		return nil, err
	}
	high, err := side(relation.Lt, until)
	if err != nil {
		return nil, err
	}
	both, err := relation.NewAnd(low, high)
	if err != nil {
		return nil, err
	}
	rows, err := relation.NewFilter(wide, both)
	if err != nil {
		return nil, err
	}
	var cols []relation.Named
	for _, f := range s.Fields {
		ref, err := relation.NewRef(wide, f.As)
		if err != nil {
			return nil, err
		}
		cols = append(cols, relation.Named{Name: f.As, Expr: ref})
	}
	return relation.NewProject(rows, cols...)
}
