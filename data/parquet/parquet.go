// Package parquet reads and writes tables in Apache Parquet files.
//
// A file is read by its bytes: nothing is allocated because the file says that it will be needed. Structs become columns a/b; lists
// and maps are refused by the column's name, unless a selection leaves them out.
package parquet

import (
	"github.com/scrimhq/scrim/data/table"
	tablefile "github.com/scrimhq/scrim/data/table/file"
)

// Options says how a file is written. The zero value writes with zstd.
type Options struct {
	Codec Codec
}

// Codec is how pages are compressed.
type Codec uint8

// The codecs that are written.
const (
	Zstd Codec = iota
	Snappy
	Uncompressed
)

// File is the table in a file.
func File(path string) (table.Source, error) {
	in, err := tablefile.Open(path)
	if err != nil {
		return nil, err
	}
	return &source{in}, nil
}

// Target is a file to be made.
func Target(path string, o Options) table.Target { return &target{path, o} }
