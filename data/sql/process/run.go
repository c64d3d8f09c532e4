package process

import (
	"context"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

var _ relation.Engine = (*Engine)(nil)

// Run implements [relation.Engine] with a statement in DuckDB's dialect.
func (e *Engine) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	columns, err := e.known(ctx)
	if err != nil {
		return err
	}
	source, whole := e.source.exact(relation.Scans(q.In))
	s, err := dialect.Emit(dialect.DuckDB(), q, func(table, column string) (dialect.Native, error) {
		if whole[[2]string{table, column}] {
			return dialect.Integer, nil
		}
		return native(columns, table, column)
	})
	if err != nil {
		return err
	}
	kinds := make([]relation.Kind, s.Width()) // numbers, but keys of text
	for i, k := range s.Keys {
		if k == relation.Text {
			kinds[2+i] = k
		}
	}
	c := s.Collect(yield)
	row := make([]any, len(kinds))
	err = e.statement(ctx, source, Statement{SQL: s.SQL, Args: s.Args(seed), Columns: kinds}, func(values []relation.Value) error {
		for i, v := range values {
			switch {
			case v.Null:
				row[i] = nil
			case v.Kind == relation.Text:
				row[i] = v.Text
			default:
				row[i] = v.Int
			}
		}
		return c.Row(row)
	})
	if err != nil {
		if c.Stopped() == nil {
			e.forget() // what went wrong may be that a file changed
		}
		return err
	}
	return c.End()
}

// known are the columns that there were when it was asked last.
func (e *Engine) known(ctx context.Context) (map[string]map[string]Native, error) {
	e.mu.Lock()
	columns := e.columnsOf
	e.mu.Unlock()
	if columns != nil {
		return columns, nil
	}
	columns, err := e.columns(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.columnsOf = columns
	e.mu.Unlock()
	return columns, nil
}

func (e *Engine) forget() {
	e.mu.Lock()
	e.columnsOf = nil
	e.mu.Unlock()
}

var natives = map[Native]dialect.Native{
	NativeInteger: dialect.Integer, NativeDecimal: dialect.Decimal, NativeFloat: dialect.Float, NativeText: dialect.Text, NativeTruth: dialect.Truth,
	NativeDate: dialect.Date, NativeTimestamp: dialect.Timestamp, NativeInstant: dialect.Instant,
}

var errColumn = errors.New("holds no numbers, text, truth values, dates or times")

func native(columns map[string]map[string]Native, table, column string) (dialect.Native, error) {
	of, ok := columns[table][column]
	if !ok {
		return 0, fmt.Errorf("there is no column %q of a table %q", column, table)
	}
	n, ok := natives[of]
	if !ok {
		return 0, fmt.Errorf("column %q of table %q %w", column, table, errColumn)
	}
	return n, nil
}

// exact is the source with those columns of text files read as whole numbers that name somebody or refer to a row by one. The dialect takes no text
// for them, since how DuckDB rounds "1.5" would let two units be one.
func (s Source) exact(scans []*relation.Scan) (Source, map[[2]string]bool) {
	whole := map[[2]string]bool{}
	s.Tables = append([]Table(nil), s.Tables...)
	for i := range s.Tables {
		t := &s.Tables[i]
		if t.Format == Parquet {
			continue
		}
		for _, scan := range scans {
			for _, f := range scan.Fields {
				if at := [2]string{t.Name, f.Source}; scan.Table == t.Name && f.Exact && f.Type.Kind == relation.Number && f.Type.Places == 0 && !whole[at] {
					whole[at] = true
					t.Integers = append(t.Integers, f.Source)
				}
			}
		}
	}
	return s, whole
}
