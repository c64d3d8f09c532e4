package files

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/json/lines"
	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
)

// opened is the files of a table, looked at once for a question, so that each reading finds the same or fails.
type opened struct {
	name  string
	files []table.Source
}

// open looks for the files of a table, of which these columns will be read.
func (e *Engine) open(name string, columns []string) (*opened, error) {
	t, ok := e.o.Tables[name]
	if !ok {
		return nil, &Error{name, ErrTable}
	}
	o := &opened{name: name}
	paths, err := e.expand(t)
	if err != nil {
		return nil, &Error{name, err}
	}
	for _, p := range paths {
		var src table.Source
		switch format(t.Format, p) {
		case CSV:
			src, err = csv.File(p, t.CSV)
		case Lines:
			src, err = lines.File(p, lines.Options{Columns: columns, Sample: -1})
		case Parquet:
			src, err = parquet.File(p)
		default:
			err = ErrFiles
		}
		if err != nil {
			return nil, o.fail(err)
		}
		o.files = append(o.files, src)
	}
	return o, nil
}

// sources are the columns of the table that scans read, each once.
func sources(scans ...*relation.Scan) []string {
	var out []string
	for _, s := range scans {
		for _, f := range s.Fields {
			if !slices.Contains(out, f.Source) {
				out = append(out, f.Source)
			}
		}
	}
	return out
}

// fail leaves out of an error where in a file something is.
func (o *opened) fail(err error) error { return &Error{o.name, readError(err)} }

// readError is the error of this package that a reader's one is.
func readError(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, ErrTable, ErrFiles, ErrChanged} {
		if errors.Is(err, known) {
			return known
		}
	}
	return ErrDamaged
}

// reader begins to read a file.
func (o *opened) reader(ctx context.Context, i int, columns []string) (table.Reader, error) {
	r, err := o.files[i].Open(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range columns {
		if !slices.ContainsFunc(r.Columns(), func(c table.Column) bool { return c.Name == name }) {
			r.Close()
			return nil, ErrTable
		}
	}
	s, err := table.Select(o.name, r, columns)
	if err != nil {
		r.Close()
		return nil, err
	}
	if l, ok := s.(interface{ Lenient() }); ok {
		l.Lenient()
	}
	return s, nil
}

// chunks gives the chunks of all files, one after the other, to many workers.
type chunks struct {
	o       *opened
	columns []string

	mu   sync.Mutex
	next int // file to be opened
	now  *reading
	err  error // why there are no more
}

// reading is an open file; it is closed when it is at its end and nobody reads a chunk of it.
type reading struct {
	r     table.Reader
	users int
}

// take is the next chunk, or [io.EOF].
func (c *chunks) take(ctx context.Context) (*reading, table.Chunk, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil {
		if c.now == nil {
			if c.next == len(c.o.files) {
				c.err = io.EOF
				break
			}
			r, err := c.o.reader(ctx, c.next, c.columns)
			if err != nil {
				c.err = err
				break
			}
			c.next++
			c.now = &reading{r: r, users: 1}
		}
		chunk, err := c.now.r.Next(ctx)
		if err == nil {
			c.now.users++
			return c.now, chunk, nil
		}
		if err != io.EOF {
			c.err = err
		}
		c.done(c.now)
		c.now = nil
	}
	return nil, table.Chunk{}, c.err
}

// stop makes take give nothing more.
func (c *chunks) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = io.EOF
	}
	if c.now != nil {
		c.done(c.now)
		c.now = nil
	}
}

// done is called with mu held.
func (c *chunks) done(r *reading) {
	if r.users--; r.users == 0 {
		if err := r.r.Close(); err != nil && c.err == nil {
			c.err = err
		}
	}
}

func (c *chunks) give(r *reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done(r)
}
