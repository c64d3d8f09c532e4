package duckdb

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/data/sql/process"
)

// Statements that set something are refused before they get here; the settings hold without that.
func TestSettingsCannotBeChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	if err := os.WriteFile(path, []byte("k\na\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, _, err := open(context.Background(), &process.Source{Memory: 1 << 30, Threads: 1, Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{path}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range []string{"SET threads = 4", "SET lock_configuration = false", "SET enable_external_access = true", "SET autoload_known_extensions = true", "SET allowed_paths = ['/']",
		"SET temp_directory = '/tmp'", "SET memory_limit = '10GB'", "RESET memory_limit", "COPY t TO '" + path + ".out'", "ATTACH '" + path + ".db' AS d", "INSTALL httpfs", "LOAD httpfs"} {
		if _, err := db.Exec(s); err == nil {
			t.Errorf("%s was done", s)
		}
	}
	if got, _ := filepath.Glob(path + "?*"); len(got) > 0 {
		t.Errorf("files %q were made", got)
	}
}
