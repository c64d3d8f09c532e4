// Command scrim-duckdb computes bounded sums over files for a gateway that starts it. It speaks over its standard input and output; see
// docs/spec/dp-sql-duckdb.md.
package main

import (
	"os"

	"github.com/scrimhq/scrim/data/sql/duckdb"
)

func main() {
	duckdb.Harden()
	if err := duckdb.Serve(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}
