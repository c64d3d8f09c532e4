// Package csv reads and writes tables as comma-separated values (RFC 4180), exactly: a cell that was not changed leaves as it came.
package csv

import (
	"errors"

	"github.com/scrimhq/scrim/data/table"
)

// Options say what a file looks like. The zero value is a good choice: what can be seen is looked at.
type Options struct {
	Delimiter byte   // ',', ';', '\t' or '|'; 0: read: seen from the first rows; written: as in the source, else ','
	Encoding  string // "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252", "iso-8859-1" ("latin1") and their kin; "": UTF-8, or UTF-16 if the file has its mark
	MaxRow    int    // bytes of the longest row, in UTF-8; 0: 16 MiB
	Guard     bool   // written: cells that a spreadsheet would take for a formula get a ' in front
}

// File returns the table in a CSV file, which is compressed if its name ends in ".gz".
func File(path string, o Options) (table.Source, error) {
	return nil, errors.ErrUnsupported
}

// Target returns the CSV file of that name as the place where a table goes. It must not be there yet.
func Target(path string, o Options) table.Target { return nil }
