package anonymity

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Masks says how much of a code is hidden.
type Masks struct {
	Hidden []int // characters hidden at each level, ascending
	Left   bool  // hide from the left; otherwise from the right
	Digits bool  // only texts of ASCII digits are covered
	Length int   // only texts of so many characters are covered; 0: any
}

// MaskCoding learns texts of which levels hide ever more: 12345, 1234*, 123**, and "*". How long a text is remains visible
// below the last level, unless Length leaves no choice.
func MaskCoding(m Masks) (*Coding, error) {
	before := 0
	for i, n := range m.Hidden {
		if n <= before || m.Length > 0 && n > m.Length {
			return nil, fmt.Errorf("%w: level %d hides no more than the one before, or more than there is", ErrHierarchy, i+1)
		}
		before = n
	}
	if m.Length < 0 || len(m.Hidden) > maxLevels-2 {
		return nil, fmt.Errorf("%w: a length below zero, or more than %d levels", ErrHierarchy, maxLevels)
	}
	m.Hidden = append([]int(nil), m.Hidden...)
	return newCoding(masks{m}), nil
}

type masks struct{ Masks }

func (f masks) levels() int                                { return len(f.Hidden) + 2 }
func (f masks) compare(a, b string) int                    { return strings.Compare(a, b) }
func (f masks) ordered() bool                              { return false }
func (f masks) span(dst []byte, first, last string) []byte { return spanDots(dst, first, last) }

func (f masks) covers(text []byte) bool {
	return utf8.Valid(text) && (f.Length == 0 || utf8.RuneCount(text) == f.Length) && (!f.Digits || digits(string(text)))
}

func (f masks) label(level int, text string) string {
	if level > len(f.Hidden) {
		return everything
	}
	runes := []rune(text)
	hidden := min(f.Hidden[level-1], len(runes))
	stars := strings.Repeat("*", hidden)
	if f.Left {
		return stars + string(runes[hidden:])
	}
	return string(runes[:len(runes)-hidden]) + stars
}

// Step is how short a date becomes.
type Step uint8

// The steps of dates.
const (
	Day     Step = iota + 1 // 2006-01-02
	Month                   // 2006-01
	Quarter                 // 2006-Q1
	Year                    // 2006
	Decade                  // 2000s
)

// DateCoding learns dates: 2006-01-02, 2006-01, 2006, and times as RFC 3339 writes them, with or without zone, of which the date
// counts that is written. Its levels are the value, the steps in ascending order, and "*". What is already shorter than a step stays.
func DateCoding(steps ...Step) (*Coding, error) {
	for i, s := range steps {
		if s < Day || s > Decade || i > 0 && s <= steps[i-1] {
			return nil, fmt.Errorf("%w: step %d of a date is not one, or not longer than the one before", ErrHierarchy, i+1)
		}
	}
	return newCoding(dates{append([]Step(nil), steps...)}), nil
}

type dates struct{ steps []Step }

func (f dates) levels() int                                { return len(f.steps) + 2 }
func (f dates) compare(a, b string) int                    { return strings.Compare(a, b) }
func (f dates) ordered() bool                              { return true }
func (f dates) span(dst []byte, first, last string) []byte { return spanDots(dst, first, last) }

func (f dates) covers(text []byte) bool {
	s := string(text)
	for _, layout := range [...]string{"2006-01-02", "2006-01", "2006", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func (f dates) label(level int, s string) string {
	if level > len(f.steps) {
		return everything
	}
	switch step := f.steps[level-1]; step {
	case Day:
		return s[:min(10, len(s))]
	case Month:
		return s[:min(7, len(s))]
	case Quarter:
		if len(s) < 7 {
			return s
		}
		month := (s[5]-'0')*10 + s[6] - '0'
		return s[:5] + "Q" + string('1'+(month-1)/3)
	case Year:
		return s[:4]
	default:
		return s[:3] + "0s"
	}
}

// ReadListed reads the rows of [ListedCoding] from CSV (RFC 4180), separated by comma or semicolon, without header.
func ReadListed(r io.Reader) (*Coding, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxListed+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxListed {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrHierarchy, maxListed)
	}
	text := string(cutMark(raw))
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrHierarchy)
	}
	in := csv.NewReader(strings.NewReader(text))
	if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, ";") {
		in.Comma = ';'
	}
	rows, err := in.ReadAll()
	if err != nil { // encoding/csv names line and column, not the text
		var where *csv.ParseError
		if errors.As(err, &where) {
			return nil, fmt.Errorf("%w: line %d, column %d: %w", ErrHierarchy, where.Line, where.Column, where.Err)
		}
		return nil, fmt.Errorf("%w: %w", ErrHierarchy, err)
	}
	return ListedCoding(rows)
}

// maxListed is how large a file of a hierarchy may be.
const maxListed = 256 << 20
