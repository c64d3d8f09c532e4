package csv

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

// index is where c is in b; len(b) if nowhere.
func index(b []byte, c byte) int {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return i
	}
	return len(b)
}

func lastIndex(b []byte, c byte) int { return bytes.LastIndexByte(b, c) }

func count(b []byte, c byte) int { return bytes.Count(b, []byte{c}) }

// mostColumns is how many columns a table may have.
const mostColumns = 16384

// header reads the first row.
func (r *reader) header() error {
	fail := func(why string) error { return &table.Error{Table: r.name, Line: 1, Why: why} }
	err := r.cutter.Head(func(b []byte, whole bool) (int, error) {
		n := 0
		for quoted := false; ; quoted = !quoted { // the end of the first row, as ends finds it
			part := b[n : n+index(b[n:], '"')]
			if end := bytes.IndexByte(part, '\n'); end >= 0 && !quoted {
				n += end + 1
				break
			}
			if n += len(part) + 1; n > len(b) {
				if !whole {
					return 0, nil
				}
				n = len(b)
				break
			}
		}
		if n == 0 {
			return 0, fail("is empty: there is no header")
		}
		row := b[:n]
		if len(row) > r.most+2 {
			return 0, fail("the header is longer than a row may be")
		}
		if !utf8.Valid(row) || bytes.IndexByte(row, 0) >= 0 {
			return 0, fail("the header is not in the encoding that the file is read in")
		}
		return n, r.names(row)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, file.ErrTooLong):
		return fail("the header is longer than a row may be")
	case errors.Is(err, file.ErrEncoding):
		return fail("the header is not in the encoding that the file is read in")
	}
	if _, ok := errors.AsType[*table.Error](err); ok {
		return err
	}
	return &table.Error{Table: r.name, Why: "reading: " + err.Error(), Err: err}
}

// names makes columns of the header.
func (r *reader) names(row []byte) error {
	fail := func(why string) error { return &table.Error{Table: r.name, Line: 1, Why: why} }
	end := len(row)
	switch {
	case row[end-1] != '\n':
		r.dialect.bare = true
	case end > 1 && row[end-2] == '\r':
		r.dialect.crlf = true
	}
	p := parser{data: row, delimiter: r.dialect.delimiter, bad: len(row) + 1}
	seen := map[string]bool{}
	for last := false; !last; {
		var f field
		var why string
		if f, last, why = p.field(); why != "" {
			return fail("the header: " + why)
		}
		name := string(f.text(nil))
		switch {
		case name == "":
			return fail("the header has a column without a name")
		case seen[name]:
			return &table.Error{Table: r.name, Line: 1, Column: name, Why: "stands twice in the header"}
		case len(seen) == mostColumns:
			return fail("the header has too many columns")
		}
		seen[name] = true
		r.columns = append(r.columns, table.Column{Name: name, Type: table.String})
	}
	r.given = make([]int, len(r.columns))
	for i := range r.given {
		r.given[i] = i
	}
	r.all = r.columns
	return nil
}

// sampled is how much of a file is looked at for its delimiter, in bytes and in rows.
const (
	sampled     = 256 << 10
	sampledRows = 100
)

// see finds the delimiter: the one that cuts the header and the first rows into most cells, the same number everywhere. If none
// cuts them evenly, it is the one that cuts the header most.
func (s *source) see() (byte, error) {
	stream, text, _, err := s.text()
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	b := make([]byte, sampled)
	n, err := io.ReadFull(text, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, file.ErrEncoding) {
		return 0, &table.Error{Table: s.Name(), Why: "reading: " + err.Error(), Err: err}
	}
	b = b[:n]
	var best, fallback byte = 0, delimiters[0]
	most, mostUneven, tie := 1, 1, false
	for i := range len(delimiters) {
		cells, even := cut(b, delimiters[i])
		if even && cells == most && best != 0 {
			tie = true
		}
		if even && cells > most {
			best, most, tie = delimiters[i], cells, false
		}
		if cells > mostUneven {
			fallback, mostUneven = delimiters[i], cells
		}
	}
	switch {
	case tie:
		return 0, &table.Error{Table: s.Name(), Why: "more than one delimiter fits: say which it is"}
	case best != 0:
		return best, nil
	}
	return fallback, nil
}

// cut returns how many cells the header has with that delimiter, and whether the rows that follow in b have as many.
func cut(b []byte, delimiter byte) (cells int, even bool) {
	p := parser{data: b, delimiter: delimiter, bad: len(b) + 1}
	for row := 0; row < sampledRows && p.at < len(b); row++ {
		n := 0
		for last := false; !last; n++ {
			var why string
			if _, last, why = p.field(); why != "" {
				return cells, cells > 0 && p.cutShort
			}
		}
		switch {
		case row == 0:
			cells = n
		case p.end == 0: // the sample ends in this row
		case n != cells:
			return cells, false
		}
	}
	return cells, true
}

// formula says whether the text begins as a spreadsheet's formula does, and is no number.
func formula(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case '=', '@', '\t', '\r':
		return true
	case '+', '-':
		return !plainNumber(text[1:])
	}
	for _, wide := range []string{"＝", "＋", "－", "＠"} { // which some programs read as their narrow kin
		if strings.HasPrefix(string(text[:min(len(text), 4)]), wide) {
			return true
		}
	}
	return false
}

// plainNumber reports whether b is digits with at most one point or comma, and an exponent.
func plainNumber(b []byte) bool {
	digits, marks := 0, 0
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case (c == '.' || c == ',') && marks == 0:
			marks++
		case (c == 'e' || c == 'E') && digits > 0 && i+1 < len(b):
			rest := b[i+1:]
			if rest[0] == '+' || rest[0] == '-' {
				rest = rest[1:]
			}
			return len(rest) > 0 && strings.Trim(string(rest), "0123456789") == ""
		default:
			return false
		}
	}
	return digits > 0
}
