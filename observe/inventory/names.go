package inventory

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
)

// plausible reports whether a text can be the name of a column or member that somebody chose, rather than a value that stands where
// names do: a map's key, a cell of a file without a header.
func plausible(name string) bool {
	if name == "" || len(name) > 128 || !utf8.ValidString(name) || strings.ContainsRune(name, '@') {
		return false
	}
	digits, run, letters := 0, 0, 0
	for _, r := range name {
		switch {
		case unicode.IsControl(r):
			return false
		case unicode.IsDigit(r):
			if digits++; run >= 0 {
				run++
			}
			if run > 5 {
				return false // no name counts that far: a number of something
			}
			continue
		case unicode.IsLetter(r):
			letters++
		case r == '-' || r == '.' || r == '/' || r == ':' || r == ' ':
			if run > 0 && digits > 6 {
				return false // 2024-05-17, 192.168.10.200, 030 123 4567
			}
			continue
		}
		run = 0
	}
	if digits > 8 && digits > letters {
		return false
	}
	words := strings.Fields(name)
	return len(words) <= 8
}

// valueLike reports whether a text in a header looks like a cell: such a file has no header.
func valueLike(name string) bool {
	if !plausible(name) {
		return true
	}
	for _, r := range name {
		if unicode.IsLetter(r) {
			return false
		}
	}
	return true // digits and marks alone
}

// headless reports whether the first row of a file is one of values. Some columns may be called by years or numbers: half of them
// must be called by something that is a value anywhere, or one by what can be nothing else.
func headless(columns []table.Column) bool {
	odd := 0
	for _, c := range columns {
		if !plausible(c.Name) {
			return true
		}
		if valueLike(c.Name) {
			odd++
		}
	}
	return 2*odd > len(columns)
}

// guarded is an error of a table without a column's name that may be a value.
func (d *draft) guarded(err error) error {
	e, ok := errors.AsType[*table.Error](err)
	if !ok || e.Column == "" || plausible(e.Column) && !d.judge.one(e.Column) {
		return err
	}
	g := *e
	g.Column = "*"
	return &g
}
