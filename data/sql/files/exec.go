package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
)

// errFull is that the memory is taken; errBroken that this package is wrong.
var (
	errFull   = errors.New("memory is taken")
	errBroken = errors.New("the question could not be computed")
)

// exec is one question at work.
type exec struct {
	engine *Engine
	seed   *relation.Seed
	texts  *texts
	tables map[string]*opened
	held   atomic.Int64 // bytes
	below  atomic.Int64 // of them: what is not kept rows of the bounds
	kept   atomic.Int64 // of them: what stays for all readings, texts and groups
}

// openAll looks at the files of all tables, those of each once: what is read twice is then compared.
func (x *exec) openAll(r relation.Rel) error {
	x.texts.bytes = func(n int64) {
		x.held.Add(n)
		x.below.Add(n)
		x.kept.Add(n)
	}
	x.tables = map[string]*opened{}
	scans := map[string][]*relation.Scan{}
	for _, s := range relation.Scans(r) {
		scans[s.Table] = append(scans[s.Table], s)
	}
	for name, of := range scans {
		var err error
		if x.tables[name], err = x.engine.open(name, sources(of...)); err != nil {
			return err
		}
	}
	return nil
}

// take counts memory that is about to be used.
func (x *exec) take(n int64) error {
	if x.held.Add(n) > x.engine.o.Memory {
		return errFull
	}
	return nil
}

// sink takes batches, from many workers at once, each with its own worker. It keeps nothing of a batch.
type sink func(w *worker, b *batch) error

// workers runs f once for each worker, and returns the first error.
func (x *exec) workers(ctx context.Context, f func(ctx context.Context, w *worker) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var first atomic.Pointer[error]
	for i := range x.engine.o.Workers {
		wg.Go(func() {
			w := &worker{id: i, texts: recent{all: x.texts}}
			if err := guarded(func() error { return f(ctx, w) }); err != nil {
				first.CompareAndSwap(nil, &err)
				cancel()
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// guarded makes an error of a panic: whatever is wrong with a file or with this package, the other questions go on.
func guarded(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errBroken
		}
	}()
	return f()
}

// run sends the rows of a relation to a sink.
func (x *exec) run(ctx context.Context, r relation.Rel, to sink) error {
	switch r := r.(type) {
	case *relation.Scan:
		return x.scan(ctx, r, to)
	case *relation.Filter:
		where, err := x.compile(r.Where, r.In.Columns())
		if err != nil {
			return err
		}
		return x.run(ctx, r.In, filter(where, to))
	case *relation.Project:
		steps := make([]step, len(r.Cols))
		for i, c := range r.Cols {
			var err error
			if steps[i], err = x.compile(c.Expr, r.In.Columns()); err != nil {
				return err
			}
		}
		return x.run(ctx, r.In, func(w *worker, b *batch) error {
			out := &batch{n: b.n, cols: make([]vec, len(steps))}
			for i, s := range steps {
				out.cols[i] = s(w, b)
			}
			return to(w, out)
		})
	case *relation.Join:
		return x.join(ctx, r, to)
	case *relation.Union:
		return x.union(ctx, r, to)
	case *relation.Fold:
		return x.fold(ctx, r, to)
	}
	return fmt.Errorf("no relation: %w", relation.ErrShape)
}

func filter(where step, to sink) sink {
	return func(w *worker, b *batch) error {
		is := where(w, b)
		rows := make([]int32, 0, b.n)
		for i, v := range is.v {
			if v == 1 && (is.null == nil || !is.null[i]) {
				rows = append(rows, int32(i))
			}
		}
		switch len(rows) {
		case 0:
			return nil
		case b.n:
			return to(w, b)
		}
		return to(w, w.keep(b, rows))
	}
}

// union sends one arm after the other, its columns in the order of the first.
func (x *exec) union(ctx context.Context, u *relation.Union, to sink) error {
	names := u.Columns()
	for _, arm := range u.Arms {
		cols := arm.Columns()
		at := make([]int, len(names))
		for i, c := range names {
			at[i] = place(cols, c.Name)
		}
		err := x.run(ctx, arm, func(w *worker, b *batch) error {
			out := &batch{n: b.n, cols: make([]vec, len(at))}
			for i, j := range at {
				out.cols[i] = b.cols[j]
			}
			return to(w, out)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// place is where a column is; the tree has been checked.
func place(cols []relation.Column, name string) int {
	for i, c := range cols {
		if c.Name == name {
			return i
		}
	}
	panic("files: a column that was checked is not there")
}

func places(cols []relation.Column, names []string) []int {
	out := make([]int, len(names))
	for i, n := range names {
		out[i] = place(cols, n)
	}
	return out
}

// scan reads the files of a table.
func (x *exec) scan(ctx context.Context, s *relation.Scan, to sink) error {
	o, names := x.tables[s.Table], sources(s)
	from := &chunks{o: o, columns: names}
	defer from.stop()
	at := make([]int, len(s.Fields))
	for i, f := range s.Fields {
		at[i] = slices.Index(names, f.Source)
	}
	err := x.workers(ctx, func(ctx context.Context, w *worker) error {
		var rows table.Batch
		for {
			r, chunk, err := from.take(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return o.fail(err)
			}
			err = x.chunk(ctx, w, s, at, r.r, chunk, &rows, to)
			from.give(r)
			if err != nil {
				return err
			}
		}
	})
	return err
}

// chunk makes columns of a chunk and sends them on.
func (x *exec) chunk(ctx context.Context, w *worker, s *relation.Scan, at []int, r table.Reader, chunk table.Chunk, rows *table.Batch, to sink) error {
	defer w.release(w.mark())
	c := cells{fields: s.Fields, at: at, float: make([]bool, len(at))}
	columns := r.Columns()
	for i, j := range at {
		c.float[i] = columns[j].Type == table.Float
	}
	var b *batch
	if by, ok := parquet.ByColumn(r); ok {
		var err error
		if b, err = c.columns(ctx, w, by, chunk, rows); err != nil {
			return &Error{s.Table, readError(err)}
		}
	} else {
		if err := r.Read(ctx, chunk, rows); err != nil {
			return &Error{s.Table, readError(err)}
		}
		b = &batch{n: rows.Rows, cols: make([]vec, len(at))}
		for i := range at {
			b.cols[i] = c.column(w, rows, i)
		}
	}
	if b.n == 0 {
		return nil
	}
	if x.held.Load() > x.engine.o.Memory {
		return errFull
	}
	return to(w, b)
}
