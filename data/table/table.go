// Package table is rows and columns on their way: read in chunks of bounded size, changed, and written again.
//
// A format is a package of its own (csv, json, parquet, sql) that gives a [Reader] and a [Writer]. Work is cut so that
// what must happen in order is little: [Reader.Next] finds the next chunk, [Writer.Write] puts one behind the other.
// What takes time, [Reader.Read] and [Writer.Encode], may run in any number of goroutines at once.
//
// Errors name the table, the row and the column, and never hold what is in a cell.
package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind is what a cell holds. The zero value is [Null].
type Kind uint8

// The kinds of cell.
const (
	Null Kind = iota
	Text
	Number
	Bool
	Nested // an array or object of JSON as a whole: kept, or dropped, and nothing between
)

// Cell is one value. Number is a JSON number's literal, Bool is "true" or "false", the text of Null is empty, that of Nested JSON.
//
// In JSON lines a Null without Src is a member that is not there; one with Src is the null that the source has.
type Cell struct {
	Kind Kind
	Text []byte // content, without quotes and escapes
	Src  []byte // as the source spells it, for a writer of the same format; nil where there is no such form or the cell was changed
}

// Type is what a column promises of its cells besides null. The zero value, [Mixed], promises nothing.
type Type uint8

// The types of column.
const (
	Mixed Type = iota // text, numbers and truths side by side, as in JSON
	String
	Integer   // -?[0-9]+ within int64
	Decimal   // exact, of any size: the literal says
	Float     // IEEE 754 double
	Truth     // true or false
	Date      // 2006-01-02
	Timestamp // RFC 3339, UTC unless it says otherwise
	Bytes     // base64 (RFC 4648, standard, padded)
)

// Column is one column of a table.
type Column struct {
	Name     string // in JSON lines the name of a member, or a JSON Pointer to one further down
	Type     Type
	Required bool // no nulls
}

// Batch is rows of one table: those of one chunk, or what became of them.
//
// Who changes a batch may change cells, and leave out rows (Drop) and columns (Select). Memory for new text may be appended to Arena.
type Batch struct {
	First int64  // number of the first row in its table, from 1
	Rows  int    // how many, those left out included
	Width int    // cells of a row
	Cells []Cell // row by row
	Drop  []bool // rows that writers leave out; nil: none
	Arena []byte // memory that cells may point into; a reader may reuse it with the batch
	Tape  any    // of the reader: how the source spells the rows, for a writer of the same format
	Plain bool   // writers spell the rows anew, one like the other, whatever the tape has

	row []Cell // room for Select
}

// Row returns the cells of row i of the batch, from 0.
func (b *Batch) Row(i int) []Cell { return b.Cells[i*b.Width : (i+1)*b.Width : (i+1)*b.Width] }

// Select keeps the cells of these columns, in this order, and leaves out the others. The columns must be different ones.
func (b *Batch) Select(columns []int) {
	if len(columns) > b.Width {
		panic("table: a column selected twice")
	}
	if b.row == nil || cap(b.row) < b.Width {
		b.row = make([]Cell, b.Width)
	}
	to := b.Cells[:0]
	for i := range b.Rows {
		row := append(b.row[:0], b.Row(i)...)
		for _, c := range columns {
			to = append(to, row[c])
		}
	}
	clear(b.row[:cap(b.row)])
	b.Cells, b.Width = to, len(columns)
}

// behind leaves out the rows up to that number.
func (b *Batch) behind(row int64) {
	n := min(int(max(row-b.First+1, 0)), b.Rows)
	b.First, b.Rows, b.Cells = b.First+int64(n), b.Rows-n, b.Cells[n*b.Width:]
	if b.Drop != nil {
		b.Drop = b.Drop[n:]
	}
}

// Chunk is a piece of a source that can be read by itself, once.
type Chunk struct {
	First int64 // number of its first row, from 1
	Rows  int   // how many it has; -1: known once it is read
	Bytes int64 // of the source that it takes, for a progress report; 0: not known
	Data  any   // of the format
}

// Reader reads one table from its first row to its last.
type Reader interface {
	// Columns returns the columns, fixed when the reader was opened.
	Columns() []Column
	// Next returns the next chunk, or [io.EOF]. It is called by one goroutine, and a chunk stays valid whatever is read after it.
	Next(ctx context.Context) (Chunk, error)
	// Read fills the batch with a chunk's rows, and may be called by many goroutines at once, each with its own batch. Cells may
	// point into the chunk and into the batch's arena: they hold until the batch is filled again.
	Read(ctx context.Context, c Chunk, b *Batch) error
	// Close releases what the reader holds.
	Close() error
}

// Selector is a reader that need not read all columns: Select, before the first Next, names those that it is to give, in this
// order, and Columns then returns them. [Select] does it for any reader.
type Selector interface {
	Select(names []string) error
}

// Liker is a writer that follows the ways of a source where it was not told otherwise: Like, before the first row, names the
// reader that the rows come from. A CSV file so has its source's delimiter and line ends. [Copy] calls it.
type Liker interface {
	Like(r Reader)
}

// Source is a table that can be read again: twice the same rows in the same order, or [ErrChanged].
type Source interface {
	// Name says what the source is, as errors name it: a file's name, "database table patients". Never a password.
	Name() string
	// Open begins to read at the first row.
	Open(ctx context.Context) (Reader, error)
	// Fingerprint identifies what was read, by its content or by what a database says of its state: two equal ones are the same
	// rows. It may be asked once a reader has come to the end.
	Fingerprint() string
	// Close releases what openings share, such as a database's snapshot.
	Close() error
}

// Encoded is a batch in the form in which a writer takes it.
type Encoded struct {
	First int64
	Rows  int // rows of the batch, those left out included
	Data  any
}

// Writer writes one table under a name that is not the final one, until Commit.
type Writer interface {
	// Encode turns a batch into what Write takes, and may be called by many goroutines at once. It keeps nothing of the batch.
	Encode(b *Batch) (Encoded, error)
	// Write puts rows behind those written before. It is called by one goroutine, in order.
	Write(ctx context.Context, e Encoded) error
	// Checkpoint returns when all rows written so far would survive a crash. A writer opened to resume goes on behind the last one.
	Checkpoint(ctx context.Context) error
	// Rows is how many rows had been given at the last checkpoint when the writer was opened, those left out included: 0 for one
	// that begins. Writing goes on behind them.
	Rows() int64
	// Finish completes the table under its passing name, durable. It returns a digest of what Commit will publish.
	Finish(ctx context.Context) (digest string, err error)
	// Commit gives the finished table its final name, and returns when that is durable. [ErrExists] if something has it by now.
	Commit(ctx context.Context) error
	// Close releases what the writer holds. What was not committed stays under its passing name, for a resumption.
	Close() error
}

// Finder is a source that can have columns which it does not list by itself, such as members of JSON objects further down. Find adds
// those of the names that it can have and finds among its first rows; it is called before Open, and says nothing of the others.
type Finder interface {
	Find(names []string) error
}

// Run is what a writing run says of itself.
type Run struct {
	Tag    string // identifies what will be written: a hash of plan and source's fingerprint. Kept beside the unfinished table.
	Resume bool   // go on with what an earlier run of the same tag left unfinished
}

// Target is where a table goes.
type Target interface {
	Name() string
	// Create begins a table with these columns. It returns [ErrExists] if the final name is taken, if a passing one is there
	// and the run does not resume, or if another run is at work on it. A run that resumes goes on behind the last checkpoint, or
	// begins where nothing is; [ErrPartial] if what is there was begun under another tag or with other columns.
	Create(ctx context.Context, columns []Column, run Run) (Writer, error)
	// Discard removes what a run that was given up left under the passing name.
	Discard(ctx context.Context) error
}

// Errors that callers act on.
var (
	ErrChanged = errors.New("source changed between two readings")
	ErrExists  = errors.New("destination exists")
	ErrPartial = errors.New("destination was begun by another run")
)

// Error is what is wrong with a table, and where: never what the place holds.
type Error struct {
	Table  string // the source's name
	Row    int64  // from 1, the header not counted; 0: the table as a whole or its header
	Line   int64  // of the file, from 1; 0: not known
	Column string // the column's name, where it is one of the header's or the plan's; "": the row
	Why    string
	Err    error // what callers may act on, or nil
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Table)
	if e.Row > 0 {
		fmt.Fprintf(&b, ": row %d", e.Row)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, " (line %d)", e.Line)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, ", column %s", e.Column)
	}
	return b.String() + ": " + e.Why
}

// Unwrap returns what callers may act on.
func (e *Error) Unwrap() error { return e.Err }
