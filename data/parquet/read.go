package parquet

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go/format"

	"github.com/scrimhq/scrim/data/table"
	tablefile "github.com/scrimhq/scrim/data/table/file"
)

// source is a file that is opened once for each reading.
type source struct {
	in *tablefile.Input
}

func (s *source) Name() string        { return s.in.Name() }
func (s *source) Fingerprint() string { return s.in.Digest() }
func (s *source) Close() error        { return nil }

func (s *source) Open(ctx context.Context) (table.Reader, error) {
	f, err := os.Open(s.Name())
	if err != nil {
		return nil, tablefile.Fail(s.Name(), "opening", err)
	}
	stat, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, tablefile.Fail(s.Name(), "opening", err)
	}
	r := &reader{in: s.in, open: f, stat: stat, file: file{name: s.Name(), f: f, size: stat.Size()}, row: 1}
	if err := r.begin(); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// file is an open file.
type file struct {
	name string
	f    io.ReaderAt
	size int64
	meta *format.FileMetaData
}

func (f *file) fail(row int64, c *column, err error) error {
	e := &table.Error{Table: f.name, Row: row, Why: err.Error()}
	if c != nil {
		e.Column = c.Name
	}
	return e
}

// begin reads the footer.
func (r *reader) begin() (err error) {
	if r.meta, err = footer(r.f, r.size); err != nil {
		return r.fail(0, nil, err)
	}
	if r.columns, r.leaves, err = columnsOf(r.meta); err != nil {
		return r.fail(0, nil, err)
	}
	if len(r.columns) == 0 {
		return r.fail(0, nil, errors.New("has no columns"))
	}
	left := r.meta.NumRows
	for i := range r.meta.RowGroups {
		n := r.meta.RowGroups[i].NumRows
		if n < 0 || n > left {
			return r.fail(0, nil, errRows)
		}
		left -= n
	}
	if left != 0 {
		return r.fail(0, nil, errRows)
	}
	return nil
}

var errRows = errors.New("is damaged: its row groups have other numbers of rows than it says")

// reader reads row groups, large ones in pieces.
type reader struct {
	file
	in      *tablefile.Input
	open    *os.File
	stat    os.FileInfo // when it was opened
	columns []column
	leaves  int

	group int    // of the row group to be read next
	now   *group // the one that chunks are cut from
	row   int64  // number of the next row
	begun bool

	lenient bool
}

// group is a row group, shared by its chunks.
type group struct {
	rows, given int64
	step        int64
	pages       [][]page // by column
	codec       []format.CompressionCodec
	dicts       []dict
	kept        []kept
	bytes       int64
}

// dict is read by the first chunk that needs it.
type dict struct {
	page  *page
	once  sync.Once
	cells []table.Cell
	err   error

	onceNumbers sync.Once
	numbers     []int64
	errNumbers  error
}

// piece is a chunk: rows of a row group.
type piece struct {
	g    *group
	from int64
}

func (r *reader) Columns() []table.Column {
	out := make([]table.Column, len(r.columns))
	for i := range r.columns {
		out[i] = r.columns[i].Column
	}
	return out
}

// Select implements [table.Selector]: columns that are not named are not read, whatever they hold.
func (r *reader) Select(names []string) error {
	var picked []column
	for _, name := range names {
		i := slices.IndexFunc(r.columns, func(c column) bool { return c.Name == name })
		if i < 0 {
			return &table.Error{Table: r.name, Column: name, Why: "is not a column of the table"}
		}
		picked = append(picked, r.columns[i])
	}
	r.columns = picked
	return nil
}

func (r *reader) Next(ctx context.Context) (table.Chunk, error) {
	if !r.begun {
		for i := range r.columns {
			if c := &r.columns[i]; c.why != "" {
				return table.Chunk{}, r.fail(0, c, errors.New(c.why))
			}
		}
		r.begun = true
	}
	for r.now == nil || r.now.given == r.now.rows {
		if err := ctx.Err(); err != nil {
			return table.Chunk{}, err
		}
		if r.group == len(r.meta.RowGroups) {
			return table.Chunk{}, r.end()
		}
		var err error
		if r.now, err = r.next(&r.meta.RowGroups[r.group]); err != nil {
			return table.Chunk{}, err
		}
		r.group++
	}
	g := r.now
	n := min(g.step, g.rows-g.given)
	c := table.Chunk{First: r.row, Rows: int(n), Bytes: g.bytes * n / max(g.rows, 1), Data: piece{g, g.given}}
	g.given += n
	r.row += n
	return c, nil
}

const (
	mostCells  = 1 << 18
	chunkBytes = 8 << 20
)

// next looks where the pages of a row group lie.
func (r *reader) next(rg *format.RowGroup) (*group, error) {
	g := &group{rows: rg.NumRows, dicts: make([]dict, len(r.columns)), kept: make([]kept, len(r.columns))}
	if g.rows < 0 || len(rg.Columns) != r.leaves {
		return nil, r.fail(r.row, nil, errors.New("is damaged: a row group has other columns than the schema"))
	}
	budget, dictionaries, plain := mostPages, int64(0), int64(0)
	for i := range r.columns {
		c := &r.columns[i]
		md := &rg.Columns[c.leaf].MetaData
		if rg.Columns[c.leaf].FilePath != "" {
			return nil, r.fail(r.row, c, errors.New("lies in another file"))
		}
		d, pages, err := r.pagesOf(c, md, g.rows, &budget)
		if err != nil {
			return nil, r.fail(r.row, c, err)
		}
		if d != nil {
			dictionaries += int64(d.header.UncompressedPageSize)
		}
		for j := range pages {
			plain += int64(pages[j].header.UncompressedPageSize)
		}
		g.dicts[i].page = d
		g.pages = append(g.pages, pages)
		g.codec = append(g.codec, md.Codec)
		g.bytes += md.TotalCompressedSize
	}
	if dictionaries > 8*mostDictionary {
		return nil, r.fail(r.row, nil, errors.New("has a row group whose dictionaries are larger than is read"))
	}
	g.step = max(mostCells/int64(max(len(r.columns), 1)), 1)
	if g.rows > 0 {
		if perRow := plain/g.rows + 1; perRow > 0 {
			g.step = max(min(g.step, chunkBytes/perRow), 1)
		}
	}
	return g, nil
}

// end is reached when all rows were given: the file is then read once more as a whole, for what identifies it, and must not have
// changed while it was read.
func (r *reader) end() error {
	s, err := r.in.Stream()
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	now, err := r.open.Stat()
	named, err2 := os.Stat(r.name)
	if err != nil || err2 != nil || !os.SameFile(now, named) || now.Size() != r.size || !now.ModTime().Equal(r.stat.ModTime()) {
		return &table.Error{Table: r.name, Why: table.ErrChanged.Error(), Err: table.ErrChanged}
	}
	return io.EOF
}

func (r *reader) Read(ctx context.Context, c table.Chunk, b *table.Batch) error {
	p := c.Data.(piece)
	width := len(r.columns)
	b.First, b.Rows, b.Width, b.Drop, b.Tape = c.First, c.Rows, width, nil, nil
	if n := c.Rows * width; cap(b.Cells) < n {
		b.Cells = make([]table.Cell, n)
	} else {
		b.Cells = b.Cells[:n]
	}
	text := arena{b: b.Arena[:0]}
	for i := range r.columns {
		if err := ctx.Err(); err != nil {
			return err
		}
		if row, err := r.column(p, i, b, i, &text); err != nil {
			return r.fail(c.First+row, &r.columns[i], err)
		}
	}
	b.Arena = text.b
	return nil
}

// Close implements [table.Reader].
func (r *reader) Close() error { return r.open.Close() }

// arena is memory for text, in blocks that are not moved.
type arena struct {
	b     []byte
	total int
}

// keep makes the text that put appends last, in room for at least n bytes.
func (a *arena) room(n int) error {
	if a.total += n; a.total > mostText {
		return errors.New("has more text than is held at once")
	}
	if cap(a.b)-len(a.b) < n {
		a.b = make([]byte, 0, max(64<<10, 2*n, min(cap(a.b)*2, 8<<20)))
	}
	return nil
}

// column fills one column of a batch, the place-th of its rows. With an error comes the row it is about, from 0.
func (r *reader) column(p piece, i int, b *table.Batch, place int, text *arena) (int64, error) {
	return r.each(p, i, int64(b.Rows), func(pg *page, from, done int64) (int64, error) {
		return r.page(p.g, i, pg, from, b, place, done, text)
	})
}

// each calls f with the pages that rows of a chunk lie in: the page, the row of the group that is wanted next and how many are done.
// F returns how many more it has done.
func (r *reader) each(p piece, i int, rows int64, f func(pg *page, from, done int64) (int64, error)) (int64, error) {
	pages := p.g.pages[i]
	at, _ := slices.BinarySearchFunc(pages, p.from+1, func(p page, from int64) int { return int(p.first+p.values) - int(from) })
	done := int64(0)
	for done < rows {
		for at < len(pages) && pages[at].first+pages[at].values <= p.from+done {
			at++
		}
		if at == len(pages) {
			return done, errPage
		}
		n, err := f(&pages[at], p.from+done, done)
		done += n
		if err != nil {
			return done, err
		}
		at++
	}
	return 0, nil
}

// opened is a page whose values are about to be taken.
type opened struct {
	def     *runs // definition levels
	values  values
	indexed bool // values are indexes of the dictionary
}

// opening decompresses a page and finds its parts.
func (r *reader) opening(g *group, i int, p *page) (o opened, err error) {
	c := &r.columns[i]
	levels, data, err := r.loaded(g, i, p)
	if err != nil {
		return o, err
	}
	enc := p.header.DataPageHeaderV2.V.Encoding
	if p.header.Type == format.DataPage {
		enc = p.header.DataPageHeader.V.Encoding
		if levels, data, err = levelsOf(c, p, data); err != nil {
			return o, err
		}
	}
	o.def = &runs{b: levels, width: levelWidth(c.levels)}
	//lint:ignore SA1019 writers of today still use the deprecated encoding, and what they write must be read
	if o.indexed = enc == format.RLEDictionary || enc == format.PlainDictionary; !o.indexed {
		o.values, err = valuesOf(c, enc, data)
		return o, err
	}
	o.values, err = indexes(data)
	return o, err
}

// page fills cells of column i from one page, from row `from` of its group on. It returns how many rows it filled.
func (r *reader) page(g *group, i int, p *page, from int64, b *table.Batch, place int, done int64, text *arena) (n int64, err error) {
	c := &r.columns[i]
	o, err := r.openingAt(g, i, p, from)
	if err != nil {
		return 0, err
	}
	var entries []table.Cell
	if o.indexed {
		if entries, err = r.entries(g, i); err != nil {
			return 0, err
		}
	}
	rows, most := min(p.first+p.values-from, int64(b.Rows)-done), uint64(c.levels)
	for ; n < rows; n++ {
		cell := &b.Cells[(done+n)*int64(b.Width)+int64(place)]
		if c.levels > 0 {
			l, err := o.def.next()
			if err != nil || l.n > most {
				return n, errPage
			}
			if l.n < most {
				*cell = table.Cell{}
				continue
			}
		}
		v, err := o.values.next()
		if err != nil {
			return n, err
		}
		if o.indexed {
			if v.n >= uint64(len(entries)) {
				return n, errPage
			}
			*cell = entries[v.n]
			continue
		}
		if err := text.room(48 + 2*len(v.b)); err != nil {
			return n, err
		}
		at := len(text.b)
		var kind table.Kind
		if text.b, kind, err = c.show(text.b, v); err != nil {
			if !r.lenient {
				return n, err
			}
			text.b, *cell = text.b[:at], table.Cell{}
			continue
		}
		*cell = table.Cell{Kind: kind, Text: text.b[at:len(text.b):len(text.b)]}
	}
	return n, nil
}

// openingAt is opening, gone on to a row of the group.
func (r *reader) openingAt(g *group, i int, p *page, from int64) (o opened, err error) {
	if o, err = r.opening(g, i, p); err != nil {
		return o, err
	}
	skip := from - p.first
	if levels := r.columns[i].levels; levels > 0 {
		if skip, err = o.def.count(skip, uint64(levels)); err != nil {
			return o, err
		}
	}
	return o, o.values.skip(skip)
}

// kept is the last page of a column that was decompressed: the next chunk often begins in it.
type kept struct {
	mu           sync.Mutex
	page         *page
	levels, data []byte
}

const mostKept = 128 << 20 // of all columns

// loaded is load, with the last page kept where all columns' pages are small.
func (r *reader) loaded(g *group, i int, p *page) (levels, data []byte, err error) {
	if int64(p.header.UncompressedPageSize)*int64(len(r.columns)) > mostKept {
		return r.load(p, g.codec[i])
	}
	k := &g.kept[i]
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.page != p {
		if levels, data, err = r.load(p, g.codec[i]); err != nil {
			return nil, nil, err
		}
		k.page, k.levels, k.data = p, levels, data
	}
	return k.levels, k.data, nil
}

// entries returns the dictionary of a column, which is read once.
func (r *reader) entries(g *group, i int) ([]table.Cell, error) {
	d := &g.dicts[i]
	if d.page == nil {
		return nil, errPage
	}
	d.once.Do(func() { d.cells, d.err = r.dictionary(&r.columns[i], d.page, g.codec[i], r.lenient) })
	return d.cells, d.err
}
