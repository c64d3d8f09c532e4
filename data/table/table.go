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
)

// Cell is one value. Number is a JSON number's literal, Bool is "true" or "false", the text of Null is empty.
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
type Batch struct {
	First int64    // number of the first row in its table, from 1
	Rows  int      // how many
	Width int      // cells of a row
	Cells []Cell   // row by row
	Lines [][]byte // the rows as JSON objects where the source has them, else nil
	Arena []byte   // memory that cells may point into; a reader may reuse it with the batch
}

// Row returns the cells of row i of the batch, from 0.
func (b *Batch) Row(i int) []Cell { return b.Cells[i*b.Width : (i+1)*b.Width : (i+1)*b.Width] }

// Chunk is a piece of a source that can be read by itself.
type Chunk struct {
	First int64 // number of its first row, from 1
	Rows  int   // how many it has; -1: known once it is read
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
	Rows  int
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
	// Rows is how many rows stood at the last checkpoint when the writer was opened: 0 for one that begins. Writing goes on behind them.
	Rows() int64
	// Finish completes the table under its passing name, durable. It returns a digest of what Commit will publish.
	Finish(ctx context.Context) (digest string, err error)
	// Commit gives the finished table its final name, and returns when that is durable. [ErrExists] if something has it by now.
	Commit(ctx context.Context) error
	// Close releases what the writer holds. What was not committed stays under its passing name, for a resumption.
	Close() error
}

// Target is where a table goes.
type Target interface {
	Name() string
	// Create begins a table with these columns. It returns [ErrExists] if the final name is taken, or if a passing one is there
	// and resume is false; with resume it goes on behind the last checkpoint, or begins where there is none.
	Create(ctx context.Context, columns []Column, resume bool) (Writer, error)
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
