package run

import (
	"testing"

	"github.com/scrimhq/scrim/internal/config"
)

// DuckDB is opened with the columns of its files: a reload that declares another one opens it anew, or every question by it would fail and be paid for.
func TestAnotherColumnOpensDuckDBAnew(t *testing.T) {
	t.Parallel()
	duck := &config.DuckDB{Command: []string{"scrim-duckdb"}, Dir: "data"}
	with := func(s config.Source, columns map[string]config.Column) string {
		return sourcePrint(config.Dataset{Source: s, Tables: map[string]config.Table{"stays": {Files: []string{"*.jsonl"}, Columns: columns}}})
	}
	one, two := map[string]config.Column{"ward": {}}, map[string]config.Column{"ward": {}, "age": {}}
	other := map[string]config.Column{"ward": {Column: "unit"}}
	s := config.Source{DuckDB: duck}
	if with(s, one) == with(s, two) || with(s, one) == with(s, other) {
		t.Error("the program stays open with the columns that it was opened with")
	}
	if s = (config.Source{SQLite: "clinic.db"}); with(s, one) != with(s, two) {
		t.Error("a source that is not opened with columns is opened anew for one")
	}
}
