package process

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Version of the protocol; both sides refuse another.
const Version = 1

// MaxLine is the most bytes that one line of the protocol has.
const MaxLine = 16 << 20

// Source is what the program may open, and nothing else: files of tables, or a database. Paths are absolute.
type Source struct {
	Tables   []Table `json:"tables,omitempty"`
	Database string  `json:"database,omitempty"` // a file of the program's own kind, opened for reading
	Memory   int64   `json:"memory"`             // bytes
	Threads  int     `json:"threads"`
	Temp     string  `json:"temp,omitempty"` // a directory for what exceeds the memory; "": none, and such a question fails
}

// Table is files that are read as one table.
type Table struct {
	Name    string   `json:"name"`
	Format  Format   `json:"format,omitempty"`
	Files   []string `json:"files,omitempty"`   // patterns; what they match is looked up for every question
	Columns []string `json:"columns,omitempty"` // of JSON: the members that are read
	Types   []Native `json:"types,omitempty"`   // in an answer: what each column holds
	// Integers are columns of CSV and JSON that are read as whole numbers: what is not exactly one of 64 bits is NULL.
	Integers []string `json:"integers,omitempty"`
}

// Native is what a column of a table holds.
type Native string

// What a column may hold.
const (
	NativeInteger   Native = "integer" // whole numbers of at most 64 bits
	NativeDecimal   Native = "decimal" // other exact numbers
	NativeFloat     Native = "float"
	NativeText      Native = "text" // or what casts to text without fail
	NativeTruth     Native = "truth"
	NativeDate      Native = "date"
	NativeTimestamp Native = "timestamp" // without zone
	NativeInstant   Native = "instant"   // with zone
	NativeOther     Native = "other"     // no single values, or none that a question can use
)

// Format is how files are written.
type Format string

// The formats.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"  // RFC 4180, the first line names the columns, an empty field is NULL
	JSON    Format = "json" // one object a line
)

// Request is one line to the program. Without SQL it asks for the tables' columns.
type Request struct {
	Version int      `json:"version"`
	ID      uint64   `json:"id"` // every line of the answer repeats it
	Source  Source   `json:"source"`
	SQL     string   `json:"sql,omitempty"`
	Args    []Arg    `json:"args,omitempty"`
	Columns []string `json:"columns,omitempty"` // kinds of the result's columns, as [KindName] gives them
}

// Response is one line of the program. Lines with rows or tables come first, then exactly one that says Done or Failed.
type Response struct {
	ID      uint64     `json:"id"`
	Version int        `json:"version,omitempty"` // in the line that ends the answer
	Rows    [][]Cell   `json:"rows,omitempty"`
	Tables  []Table    `json:"tables,omitempty"` // those that are there, with all of their columns
	Done    bool       `json:"done,omitempty"`
	Failed  FailedCode `json:"failed,omitempty"`
}

// FailedCode is all that a program says of a failure.
type FailedCode string

// The codes. None depends on what a row holds but [FailedRun], which says nothing else.
const (
	FailedRequest   FailedCode = "request"   // it was not understood
	FailedSource    FailedCode = "source"    // a declared file is not there, or not of its format
	FailedStatement FailedCode = "statement" // it is not exactly one SELECT
	FailedRun       FailedCode = "run"       // anything else
)

// Arg is a parameter: nil, int64, string or bool.
type Arg struct{ V any }

// MarshalJSON writes the value as itself.
func (a Arg) MarshalJSON() ([]byte, error) {
	switch a.V.(type) {
	case nil, int64, string, bool:
		return json.Marshal(a.V)
	}
	return nil, errors.New("a parameter is NULL, an integer, text or a truth value")
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Arg) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		a.V = nil
		return nil
	case string(b) == "true", string(b) == "false":
		a.V = string(b) == "true"
		return nil
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		a.V = s
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return errors.New("a parameter is NULL, an integer, text or a truth value")
	}
	a.V = n
	return nil
}

// Cell is one value of a result: null, an integer, or a string.
type Cell struct {
	Null   bool
	IsText bool
	Int    int64
	Text   string
}

// MarshalJSON writes null, a number or a string.
func (c Cell) MarshalJSON() ([]byte, error) {
	switch {
	case c.Null:
		return []byte("null"), nil
	case c.IsText:
		return json.Marshal(c.Text)
	}
	return strconv.AppendInt(nil, c.Int, 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes. Its errors carry no value.
func (c *Cell) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*c = Cell{Null: true}
		return nil
	case len(b) > 0 && b[0] == '"':
		*c = Cell{IsText: true}
		return json.Unmarshal(b, &c.Text)
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return errWire
	}
	*c = Cell{Int: n}
	return nil
}

var errWire = errors.New("a line of the program is not of the protocol")

var kindNames = []string{relation.Number: "number", relation.Text: "text", relation.Truth: "truth", relation.Date: "date", relation.Time: "time"}

// KindName is how the protocol calls a kind.
func KindName(k relation.Kind) string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// KindOf is the kind that the protocol calls so.
func KindOf(name string) (relation.Kind, bool) {
	i := slices.Index(kindNames, name)
	return relation.Kind(max(i, 0)), i >= 0
}

// value is a cell as a value of a kind.
func (c Cell) value(k relation.Kind) (relation.Value, error) {
	v := relation.Value{Kind: k, Null: c.Null}
	switch {
	case c.Null:
		return v, nil
	case c.IsText != (k == relation.Text), k == relation.Truth && c.Int != 0 && c.Int != 1:
		return relation.Value{}, errWire
	}
	v.Int, v.Text = c.Int, c.Text
	return v, nil
}

// ReadLine reads one line of the protocol into v, strictly.
func ReadLine(r *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return errWire
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return errWire
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errWire
	}
	return nil
}

// WriteLine writes v as one line of the protocol.
func WriteLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return errWire
	}
	if len(b) >= MaxLine {
		return errWire
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
