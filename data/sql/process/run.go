package process

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

var _ relation.Engine = (*Engine)(nil)

// natives are the program's words for what columns hold, in those of the dialect.
var natives = map[Native]dialect.Native{
	NativeInteger: dialect.Integer, NativeDecimal: dialect.Decimal, NativeFloat: dialect.Float, NativeText: dialect.Text, NativeTruth: dialect.Truth,
	NativeDate: dialect.Date, NativeTimestamp: dialect.Timestamp, NativeInstant: dialect.Instant,
}

// tables is the dialect of an engine: a table of files is a view, whose name may have dots.
type tables struct {
	dialect.Dialect
	files bool
}

// Table implements [dialect.Dialect].
func (d tables) Table(name string) (string, error) {
	if d.files {
		return d.Identifier(name)
	}
	return d.Dialect.Table(name)
}

// Run implements [relation.Engine]: what columns hold is asked first, which reads no row.
func (e *Engine) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	have, err := e.columns(ctx)
	if err != nil {
		return err
	}
	s, err := dialect.Emit(tables{dialect.DuckDB(), e.opt.Database == ""}, q, func(table, column string) (dialect.Native, error) {
		native, ok := natives[have[table][column]]
		if !ok {
			return 0, fmt.Errorf("table %q has no column %q that could be read", table, column)
		}
		return native, nil
	})
	if err != nil {
		return err
	}
	ask := Statement{SQL: s.SQL, Args: s.Args(seed), Columns: make([]relation.Kind, s.Width())} // zero is Number, of which the rest is
	for i, k := range s.Keys {
		if k == relation.Text {
			ask.Columns[2+i] = k
		}
	}
	c, row := s.Collect(), make([]any, s.Width())
	err = e.Ask(ctx, ask, func(values []relation.Value) error {
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
		return err
	}
	return c.Each(yield)
}
