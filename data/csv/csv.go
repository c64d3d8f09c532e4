// Package csv reads and writes tables as comma-separated values (RFC 4180), exactly: a cell that was not changed leaves as it came.
//
// The first row is the header, with a name for each column. An empty cell without quotes is null, one in quotes is a text without
// letters, and each leaves as what it was. Quotes stand around a whole cell or not at all.
package csv

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

// Options say what a file looks like. The zero value is a good choice: what can be seen is looked at.
type Options struct {
	Delimiter byte   // ',', ';', '\t' or '|'; 0: read: seen from the first rows; written: as in the source, else ','
	Encoding  string // "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252", "iso-8859-1" ("latin1") and their kin; "": read: UTF-8, or UTF-16 if the file has its mark; written: UTF-8
	MaxRow    int    // bytes of the longest row, in UTF-8; 0: 16 MiB
	Guard     bool   // written: texts that a spreadsheet would take for a formula get a ' in front, changed or not; numbers stay

	chunk int // bytes of a chunk; 0: the usual
}

const delimiters = ",;\t|"

// check returns the options' encoding, nil where a mark decides.
func (o *Options) check(path string) (*file.Encoding, error) {
	if o.Delimiter != 0 && strings.IndexByte(delimiters, o.Delimiter) < 0 {
		return nil, &table.Error{Table: path, Why: "delimiter must be a comma, semicolon, tab or vertical bar"}
	}
	if o.MaxRow <= 0 {
		o.MaxRow = file.DefaultRow
	}
	e, err := file.Named(o.Encoding)
	if err != nil {
		return nil, &table.Error{Table: path, Why: "the encoding asked for is not known", Err: err}
	}
	return e, nil
}

// dialect is how a file spells a table.
type dialect struct {
	delimiter byte
	crlf      bool // the header's line end
	bare      bool // the header has no line end: there are no rows
	marked    bool // byte order mark
	utf8      bool
}

type source struct {
	in       *file.Input
	o        Options
	encoding *file.Encoding
	columns  []table.Column
}

// File returns the table in a CSV file, which is compressed if its name ends in ".gz". The header is read at once: it is an error,
// a [*table.Error] like all from here, if there is none, or if a name in it is empty or stands twice.
func File(path string, o Options) (table.Source, error) {
	encoding, err := o.check(path)
	if err != nil {
		return nil, err
	}
	in, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{in: in, o: o, encoding: encoding}
	if o.Delimiter == 0 {
		if s.o.Delimiter, err = s.see(); err != nil {
			return nil, err
		}
	}
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	s.columns = r.columns
	return s, r.Close()
}

func (s *source) Name() string { return s.in.Name() }

func (s *source) Close() error { return nil }

// Fingerprint is the digest of the file and what of its reading is not in the file.
func (s *source) Fingerprint() string {
	d := s.in.Digest()
	if d == "" {
		return ""
	}
	return d + ";csv;" + string(s.o.Delimiter) + ";" + strings.ToLower(s.o.Encoding)
}

func (s *source) Open(ctx context.Context) (table.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(r.columns, s.columns) {
		r.Close()
		return nil, &table.Error{Table: s.Name(), Why: table.ErrChanged.Error(), Err: table.ErrChanged}
	}
	return r, nil
}

// text opens the file as UTF-8.
func (s *source) text() (*file.Stream, io.Reader, dialect, error) {
	d := dialect{delimiter: s.o.Delimiter}
	stream, err := s.in.Stream()
	if err != nil {
		return nil, nil, d, err
	}
	need := strings.EqualFold(strings.ReplaceAll(s.o.Encoding, "-", ""), "utf16")
	text, e, marked, err := file.Decode(stream, s.encoding, need)
	if err != nil {
		stream.Close()
		why := "reading: " + err.Error()
		if need {
			why = "has no byte order mark: say utf-16le or utf-16be"
		}
		return nil, nil, d, &table.Error{Table: s.Name(), Why: why, Err: err}
	}
	d.utf8 = e == file.UTF8
	d.marked = marked && d.utf8
	return stream, text, d, nil
}

func (s *source) open() (*reader, error) {
	stream, text, d, err := s.text()
	if err != nil {
		return nil, err
	}
	r := &reader{name: s.Name(), stream: stream, dialect: d, most: s.o.MaxRow}
	r.cutter = file.NewCutter(text, &ends{}, s.o.chunk, s.o.MaxRow, stream.Consumed)
	if err := r.header(); err != nil {
		stream.Close()
		return nil, err
	}
	return r, nil
}

// ends finds line ends that are not within quotes.
type ends struct{ quoted bool }

// Scan implements [file.Ends]. Where quotes stand where they may not, it finds other rows than the parser; that one then fails at
// the first such quote, which lies before everything found wrongly.
func (e *ends) Scan(b []byte, from int) (end, rows int) {
	for i := from; i < len(b); {
		q := index(b[i:], '"')
		switch part := b[i : i+q]; {
		case e.quoted:
		case q < 16: // between two quotes there is mostly a delimiter
			for j, c := range part {
				if c == '\n' {
					end, rows = i+j+1, rows+1
				}
			}
		default:
			if last := lastIndex(part, '\n'); last >= 0 {
				end = i + last + 1
				rows += count(part, '\n')
			}
		}
		if i += q; i < len(b) {
			e.quoted = !e.quoted
			i++
		}
	}
	return end, rows
}
