package table

import (
	"context"
	"slices"
)

// Select makes r give these columns alone, in this order, whether or not it is a [Selector]. It must be called before the first
// Next, and returns the reader to use. The error is an [*Error] that names a column r does not have, or one that was named twice.
func Select(table string, r Reader, names []string) (Reader, error) {
	all := r.Columns()
	at := make([]int, 0, len(names))
	for i, name := range names {
		n := slices.IndexFunc(all, func(c Column) bool { return c.Name == name })
		if n < 0 {
			return nil, &Error{Table: table, Column: name, Why: "is not a column of the table"}
		}
		if slices.Contains(names[:i], name) {
			return nil, &Error{Table: table, Column: name, Why: "is named twice"}
		}
		at = append(at, n)
	}
	if s, ok := r.(Selector); ok {
		return r, s.Select(names)
	}
	columns := make([]Column, len(at))
	for i, n := range at {
		columns[i] = all[n]
	}
	return &selected{Reader: r, at: at, columns: columns}, nil
}

// selected leaves columns out behind a reader that gives all.
type selected struct {
	Reader
	at      []int
	columns []Column
}

func (s *selected) Columns() []Column { return s.columns }

func (s *selected) Read(ctx context.Context, c Chunk, b *Batch) error {
	if err := s.Reader.Read(ctx, c, b); err != nil {
		return err
	}
	b.Select(s.at)
	return nil
}
