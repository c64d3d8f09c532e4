// Package lines reads and writes tables as JSON lines: one object on each line, its members the columns.
//
// What a cell's change does not touch leaves as it came: the order of members, white space, escapes, the digits of numbers. What no
// column of the written table names does not leave at all. A member that is not there is a null without spelling, and stays away;
// one that is null stays null.
package lines

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

// Options say what of a file is read. The zero value is a good choice.
type Options struct {
	Columns []string // read: columns beyond those found: names of members, or JSON Pointers (RFC 6901) to members of objects further down
	Sample  int      // read: rows looked at for names of members; 0: 1000; negative: none, Columns are all there are
	MaxRow  int      // bytes of the longest line; 0: 16 MiB

	chunk int // bytes of a chunk; 0: the usual
}

const (
	defaultSample = 1000
	mostColumns   = 16384
)

type source struct {
	in    *file.Input
	o     Options
	shape *shape
}

// File returns the table in a file of JSON lines, which is compressed if its name ends in ".gz". Its columns are the members of the
// first rows, in the order in which they appear, and those that the options name. A found member with a named column within it is
// none. The error is a [*table.Error], as are all from here.
func File(path string, o Options) (table.Source, error) {
	if o.MaxRow <= 0 {
		o.MaxRow = file.DefaultRow
	}
	if o.Sample == 0 {
		o.Sample = defaultSample
	}
	in, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{in: in, o: o}
	named, err := newShape(path, o.Columns)
	if err != nil {
		return nil, err
	}
	found, err := s.sample(named)
	if err != nil {
		return nil, err
	}
	if s.shape, err = newShape(path, append(found, o.Columns...)); err != nil {
		return nil, err
	}
	return s, nil
}

// Find implements [table.Finder]: it adds JSON Pointers to members that the first rows have.
func (s *source) Find(names []string) error {
	var wanted []string
	for _, name := range names {
		listed := slices.ContainsFunc(s.shape.columns, func(c table.Column) bool { return c.Name == name })
		if strings.HasPrefix(name, "/") && !listed && !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	o := s.o
	o.Columns = wanted
	if o.Sample < 0 {
		o.Sample = defaultSample
	}
	looked, err := newShape(s.Name(), wanted)
	if err != nil {
		return err
	}
	there, err := (&source{in: s.in, o: o}).present(looked)
	if err != nil || len(there) == 0 {
		return err
	}
	columns := append(slices.Clone(s.o.Columns), there...)
	named, err := newShape(s.Name(), columns)
	if err != nil {
		return err
	}
	found, err := s.sample(named)
	if err != nil {
		return err
	}
	shape, err := newShape(s.Name(), append(found, columns...))
	if err == nil {
		s.shape, s.o.Columns = shape, columns
	}
	return err
}

// present returns the columns of a shape that one of the first rows has.
func (s *source) present(looked *shape) (names []string, err error) {
	r, err := s.open(looked)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	seen := make([]bool, len(looked.columns))
	var b table.Batch
	for rows := 0; rows < s.o.Sample; rows += b.Rows {
		c, err := r.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err == nil {
			err = r.Read(context.Background(), c, &b)
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			for j, c := range b.Row(i) {
				seen[j] = seen[j] || !absent(&c)
			}
		}
	}
	for i, c := range looked.columns {
		if seen[i] {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

func (s *source) Name() string { return s.in.Name() }

func (s *source) Close() error { return nil }

func (s *source) Fingerprint() string {
	if d := s.in.Digest(); d != "" {
		return d + ";lines"
	}
	return ""
}

// sample returns the names of top-level members of the first rows that hold or are none of the named columns.
func (s *source) sample(named *shape) (found []string, err error) {
	if s.o.Sample < 0 {
		return nil, nil
	}
	r, err := s.open(named)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	seen := map[string]bool{}
	d := json.Borrow()
	defer d.Return()
	for rows := 0; rows < s.o.Sample; {
		p, err := r.cutter.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, r.broken(err, 0)
		}
		err = r.each(p, d, func(int, []byte, bool) error {
			if rows++; rows > s.o.Sample {
				return errEnough
			}
			for n := range d.Children(0) {
				name := string(d.Key(n))
				if seen[name] {
					continue
				}
				seen[name] = true
				if len(seen) > mostColumns {
					return &table.Error{Table: s.Name(), Why: "has too many different members for a table"}
				}
				if named.root.find(name) == nil {
					found = append(found, pointer(name))
				}
			}
			return nil
		})
		p.Release()
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return found, nil
}

var errEnough = errors.New("enough rows are sampled")

func (s *source) Open(ctx context.Context) (table.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.open(s.shape)
}

func (s *source) open(shape *shape) (*reader, error) {
	stream, err := s.in.Stream()
	if err != nil {
		return nil, err
	}
	text, _, marked, err := file.Decode(stream, file.UTF8, false)
	if err != nil {
		stream.Close()
		return nil, &table.Error{Table: s.Name(), Why: "reading: " + err.Error(), Err: err}
	}
	r := &reader{name: s.Name(), stream: stream, shape: shape, most: s.o.MaxRow, marked: marked}
	r.cutter = file.NewCutter(text, ends{}, s.o.chunk, s.o.MaxRow, stream.Consumed)
	return r, nil
}

// pointer is the column's name for a member of the whole object: the member's own, unless it looks like a pointer or is empty.
func pointer(name string) string {
	if name != "" && name[0] != '/' {
		return name
	}
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
