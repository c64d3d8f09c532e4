package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/table"
)

// Opened is a table in a file, by the name under which it is listed.
type Opened struct {
	Name string
	Open func() (table.Source, error)
}

// Files is the source whose assets are tables in files; name says what they are together.
func Files(name string, files []Opened) Source { return &fileSource{name, files} }

type fileSource struct {
	name  string
	files []Opened
}

func (s *fileSource) Name() string { return s.name }

func (s *fileSource) server() catalog.Server {
	c := catalog.Server{Type: "local", Path: s.name}
	if len(s.files) == 1 {
		c.Path = s.files[0].Name
	}
	return c
}

func (s *fileSource) survey(ctx context.Context, o Options, give func(*draft) error) error {
	for _, f := range s.files {
		d := &draft{Asset: Asset{Name: f.Name, Kind: File}, name: stem(f.Name)}
		if err := d.read(ctx, f.Open, o); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.failed(err)
		}
		if err := give(d); err != nil {
			return err
		}
	}
	return nil
}

// stem is a file's name without folder and endings.
func stem(name string) string {
	name = filepath.Base(name)
	if i := strings.IndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}

// failed says of an asset that it could not be read.
func (d *draft) failed(err error) {
	d.Failed, d.Why, d.values, d.Sampled = true, d.guarded(err).Error(), nil, 0
	d.distinct = nil
}

var errLate = errors.New("could not be looked at")

// within runs what looks at one asset, which gets so much time.
func within(ctx context.Context, what string, most time.Duration, look func(context.Context) error) error {
	inner, stop := context.WithTimeout(ctx, most)
	defer stop()
	err := look(inner)
	if err != nil && inner.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w within %s", what, errLate, most)
	}
	return err
}

var errHeadless = errors.New("its first row holds values where names of columns are expected: add a header")

// read samples a file from its first row to its last.
func (d *draft) read(ctx context.Context, open func() (table.Source, error), o Options) error {
	d.judge = o.names()
	src, err := open()
	if err != nil {
		return err
	}
	defer src.Close()
	return within(ctx, d.Asset.Name, o.Each, func(ctx context.Context) error {
		r, err := src.Open(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		if r, err = d.readable(ctx, r); err != nil {
			return err
		}
		s := newSampler(o)
		err = table.Each(ctx, r, func(_ int, b *table.Batch) error {
			s.batch(b)
			return nil
		}, table.Options{})
		rows := s.sorted()
		values := d.lines && d.areValues(rows) || !d.lines && (d.repeated(rows) || d.belongs(rows, err == nil))
		switch {
		case values && (err != nil || !d.lines):
			d.Columns, d.at = nil, nil
			return cmp.Or(err, fmt.Errorf("%s: %w", d.Asset.Name, errHeadless))
		case err != nil:
			return err
		}
		d.Rows, d.Exact = s.seen, true
		if values {
			d.collapse(rows)
		} else {
			d.fill(rows)
		}
		return nil
	})
}

// belongs reports whether the columns are called by what would stand among the rows. Of a file that could not be read to its end few
// rows are there to compare with, or none: then it is enough that the names may stand for people.
func (d *draft) belongs(rows []kept, whole bool) bool {
	names := make([]string, len(d.Columns))
	for i, c := range d.Columns {
		names[i] = c.Name
	}
	if (!whole || len(rows) == 0) && d.judge.members(names) {
		return true
	}
	return d.judge.header(names, func(i int) (below []string) {
		for _, r := range rows {
			if len(below) == maxCompared || d.at[i] < 0 {
				break
			}
			if c := r.cells[d.at[i]]; c.text != "" {
				below = append(below, c.text)
			}
		}
		return below
	})
}

// repeated reports whether most columns are called like one of their own values: then the first row is one of values, too.
func (d *draft) repeated(rows []kept) bool {
	found := 0
	for i, c := range d.Columns {
		if at := d.at[i]; at >= 0 && slices.ContainsFunc(rows, func(r kept) bool { return r.cells[at].text == c.Name }) {
			found++
		}
	}
	return 2*found > len(d.Columns)
}

// readable lists the columns, and leaves those out that hold no single values: it returns a reader of the others.
func (d *draft) readable(ctx context.Context, r table.Reader) (table.Reader, error) {
	columns := r.Columns()
	d.lines = !slices.ContainsFunc(columns, func(c table.Column) bool { return c.Type != table.Mixed })
	if !d.lines && headless(columns) {
		return nil, fmt.Errorf("%s: %w", d.Asset.Name, errHeadless)
	}
	for i, c := range columns {
		d.Columns = append(d.Columns, Column{Name: c.Name, Type: logical(c.Type), Logical: logical(c.Type), Required: c.Required})
		d.at = append(d.at, i)
	}
	for {
		c, err := r.Next(ctx)
		e, ok := errors.AsType[*table.Error](err)
		s, selects := r.(table.Selector)
		if !ok || e.Row != 0 || !selects {
			return &begun{Reader: r, chunk: c, err: err}, nil
		}
		var names []string
		for i := range d.Columns {
			switch f := &d.Columns[i]; {
			case f.Name == e.Column:
				f.Why, d.at[i] = e.Why, -1
			case d.at[i] >= 0:
				d.at[i] = len(names)
				names = append(names, f.Name)
			}
		}
		if len(names) == len(r.Columns()) || len(names) == 0 {
			return nil, err
		}
		if err := s.Select(names); err != nil {
			return nil, err
		}
	}
}

// begun is a reader whose first chunk was found already.
type begun struct {
	table.Reader
	chunk table.Chunk
	err   error
	given bool
}

func (b *begun) Next(ctx context.Context) (table.Chunk, error) {
	if !b.given {
		b.given = true
		return b.chunk, b.err
	}
	return b.Reader.Next(ctx)
}
