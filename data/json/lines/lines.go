// Package lines reads and writes tables as JSON lines: one object on each line, its members the columns.
package lines

import (
	"errors"

	"github.com/scrimhq/scrim/data/table"
)

// Options say what of a file is read. The zero value is a good choice.
type Options struct {
	Columns []string // read: columns beyond those found: names of members, or JSON Pointers (RFC 6901) to members further down
	Sample  int      // read: rows looked at for names of members; 0: 1000; negative: none, Columns are all there are
	MaxRow  int      // bytes of the longest line; 0: 16 MiB
}

// File returns the table in a file of JSON lines, which is compressed if its name ends in ".gz".
func File(path string, o Options) (table.Source, error) {
	return nil, errors.ErrUnsupported
}

// Target returns the file of that name as the place where a table goes as JSON lines. It must not be there yet.
func Target(path string, o Options) table.Target { return nil }
