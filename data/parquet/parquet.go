// Package parquet reads and writes tables in Apache Parquet files.
package parquet

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/data/table"
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

var errNotBuilt = errors.New("parquet is not built yet")

// File is the table in a file.
func File(path string) (table.Source, error) { return nil, errNotBuilt }

// Target is a file to be made.
func Target(path string, o Options) table.Target { return target{path, o} }

type target struct {
	path string
	o    Options
}

func (t target) Name() string { return t.path }
func (t target) Create(context.Context, []table.Column, table.Run) (table.Writer, error) {
	return nil, errNotBuilt
}
func (t target) Discard(context.Context) error { return errNotBuilt }
