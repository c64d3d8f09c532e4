package file

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// Limits of rows and chunks.
const (
	DefaultRow   = 16 << 20  // bytes of the longest row
	DefaultChunk = 256 << 10 // bytes of a chunk, unless a single row is longer
)

// ErrTooLong is the fault of a piece whose last row goes on for longer than a row may.
var ErrTooLong = errors.New("row is too long")

// Ends finds where rows end. It is asked for each byte once, in order, and may remember what came before.
type Ends interface {
	// Scan looks at b[from:], having seen b[:from], and returns how many rows end there and the index behind the last of
	// their ends, or 0, 0.
	Scan(b []byte, from int) (end, rows int)
}

// Piece is a stretch of whole rows.
type Piece struct {
	Data  []byte // the last row of the last piece may lack its line end
	First int64  // number of the first row, from 1
	Rows  int    // -1 if there is a fault: as many as are whole
	Line  int64  // of the file, from 1, in which the piece begins
	Fault error  // why there is nothing behind Data, other than that the file is at its end; nil mostly
	Bytes int64  // read from the file, as it lies on disk, for this piece

	whole *[]byte
	taken atomic.Bool
}

// Take reports whether the piece has not been taken before: it has one reader, who releases it.
func (p *Piece) Take() bool { return !p.taken.Swap(true) }

// Release gives back the memory of the piece. Nothing may point into it any more.
func (p *Piece) Release() {
	if p.whole != nil {
		blocks.Put(p.whole)
		p.whole, p.Data = nil, nil
	}
}

var blocks sync.Pool // of *[]byte

// Cutter cuts a stream into pieces that end where rows end. It is used by one goroutine.
type Cutter struct {
	r       io.Reader
	ends    Ends
	counted func() int64
	size    int
	most    int

	rest    []byte // read but not yet given, of the last block
	restOf  *[]byte
	scanned int // so much of rest has been scanned
	row     int64
	line    int64
	before  int64
	err     error // why nothing more can be read
}

// NewCutter returns a cutter of pieces of about size bytes in which no row is longer than most. Counted says how many bytes of the
// file have been read so far.
func NewCutter(r io.Reader, ends Ends, size, most int, counted func() int64) *Cutter {
	if size <= 0 {
		size = DefaultChunk
	}
	if most <= 0 {
		most = DefaultRow
	}
	return &Cutter{r: r, ends: ends, counted: counted, size: size, most: most, row: 1, line: 1}
}

const lineEnd = 2 // bytes of the longest line end, which does not count for a row's length

// Head takes what comes before the first row off the stream. Take is called with what there is, which is all if whole, and returns
// how much it takes, or 0 to be called again with more. Whatever it does not find within the longest row is [ErrTooLong].
func (c *Cutter) Head(take func(b []byte, whole bool) (int, error)) error {
	block := c.block()
	for {
		c.fill(block)
		n, err := take(*block, c.err == io.EOF)
		switch {
		case err != nil:
			return err
		case n > 0 || c.err == io.EOF:
			c.line += int64(bytes.Count((*block)[:n], []byte{'\n'}))
			c.rest, c.restOf, c.scanned = (*block)[n:], block, 0
			return nil
		case c.err != nil:
			return c.err
		case len(*block) > c.most+lineEnd:
			return ErrTooLong
		}
		grow(block, c.most+lineEnd+1)
	}
}

// Next returns the next piece, or [io.EOF], or an error that is of no row, such as that the file has changed.
func (c *Cutter) Next() (*Piece, error) {
	block := c.block()
	*block = append(*block, c.rest...)
	from := c.scanned
	if c.restOf != nil {
		blocks.Put(c.restOf)
		c.rest, c.restOf = nil, nil
	}
	end, rows := 0, 0
	for {
		c.fill(block)
		b := *block
		if e, n := c.ends.Scan(b, from); n > 0 {
			end, rows = e, rows+n
		}
		from = len(b)
		switch {
		case c.err == io.EOF:
			if end < len(b) {
				end, rows = len(b), rows+1
			}
			if end == 0 {
				blocks.Put(block)
				return nil, c.err
			}
			return c.give(block, end, rows, nil), nil
		case c.err != nil && len(b) == 0:
			return nil, c.err
		case c.err != nil:
			fault := c.err
			c.err = io.EOF
			return c.give(block, len(b), -1, fault), nil
		case end > 0:
			return c.give(block, end, rows, nil), nil
		case len(b) > c.most+lineEnd:
			c.err = io.EOF
			return c.give(block, len(b), -1, ErrTooLong), nil
		}
		grow(block, c.most+lineEnd+1)
	}
}

// give cuts the block at end and keeps what is behind it.
func (c *Cutter) give(block *[]byte, end, rows int, fault error) *Piece {
	data := (*block)[:end:end]
	read := c.counted()
	p := &Piece{Data: data, First: c.row, Rows: rows, Line: c.line, Fault: fault, Bytes: read - c.before, whole: block}
	c.before = read
	c.row += int64(max(rows, 0))
	c.line += int64(bytes.Count(data, []byte{'\n'}))
	if rest := (*block)[end:]; len(rest) > 0 {
		c.restOf = c.block()
		for cap(*c.restOf) < len(rest) {
			grow(c.restOf, len(rest))
		}
		*c.restOf = append(*c.restOf, rest...)
		c.rest, c.scanned = *c.restOf, len(rest)
	} else {
		c.scanned = 0
	}
	return p
}

// block returns an empty block of at least the usual size.
func (c *Cutter) block() *[]byte {
	need := max(c.size, len(c.rest))
	if b, ok := blocks.Get().(*[]byte); ok && cap(*b) >= need && cap(*b) <= 4*need {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, need)
	return &b
}

// grow doubles the room, up to most.
func grow(block *[]byte, most int) {
	b := make([]byte, len(*block), max(min(2*cap(*block), most), len(*block)+1))
	copy(b, *block)
	*block = b
}

// fill reads until the block is full or there is nothing more.
func (c *Cutter) fill(block *[]byte) {
	b := *block
	for idle := 0; len(b) < cap(b) && c.err == nil; {
		var n int
		n, c.err = c.r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if idle++; n > 0 {
			idle = 0
		} else if idle > 100 && c.err == nil {
			c.err = io.ErrNoProgress
		}
	}
	*block = b
}
