package cli

import (
	"errors"

	rows "github.com/scrimhq/scrim/data/table"
)

var errNoTables = errors.New("tables are not built yet")

// openSource opens what an argument names: a file by its ending (.csv .tsv .jsonl .ndjson .parquet, and .csv.gz and the like),
// sqlite:FILE?table=T, postgres://…?table=T, or - for standard input, which is copied to a private file first. Close the source.
func (e *env) openSource(arg string) (rows.Source, error) { return nil, errNoTables }

// openTarget is the place that an argument names, as for openSource; nothing is made or opened yet.
func (e *env) openTarget(arg string) (rows.Target, error) { return nil, errNoTables }
