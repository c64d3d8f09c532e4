package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// TestANameAloneMakesNothingLessStrict: what nobody looked at is restricted until a person says otherwise.
func TestANameAloneMakesNothingLessStrict(t *testing.T) {
	classifier, err := column.New(column.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := liteFile(t, `CREATE TABLE tests (id INTEGER, status TEXT, code TEXT, email TEXT)`, `INSERT INTO tests VALUES (1, 'x', 'y', 'a@example.org')`,
		`CREATE VIEW hiv AS SELECT * FROM tests`)
	inv, err := Scan(t.Context(), SQLite(path), classifier, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := Proposal{ID: "x"}
	for _, a := range inv.Assets {
		for _, c := range a.Columns {
			class, _ := flow.DefaultTaxonomy().Class(c.Proposed(p))
			if a.Kind == View && class.Tier >= flow.Internal {
				t.Errorf("%s of the view, whose rows were not read, is to be %s", c.Name, c.Proposed(p))
			}
			if c.Name == "email" && c.Proposed(p) != "person/contact/email" {
				t.Errorf("email of %s is to be %s", a.Name, c.Proposed(p))
			}
		}
	}
	contract, err := inv.Contract(p)
	if err != nil {
		t.Fatal(err)
	}
	if changes := inv.Diff(contract, p); len(changes) > 0 {
		t.Errorf("the same scan is different: %v", changes)
	}
}

// TestAFileOfNamesWithoutAHeader: the first row's values would be columns' names.
func TestAFileOfNamesWithoutAHeader(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		b.WriteString([]string{"Anna", "Berta", "Carl"}[i%3] + "," + []string{"Schmidt", "Meier"}[i%2] + ",Berlin\n")
	}
	inv, _ := scan(t, csvFile(written(t, "people.csv", b.String())), Options{})
	if a := inv.Assets[0]; !a.Failed || len(a.Columns) != 0 || strings.Contains(a.Why, "Anna") {
		t.Errorf("it is listed: %+v", a)
	}
}

// TestAScanLeavesNothingBesideADatabase that is kept with a log.
func TestAScanLeavesNothingBesideADatabase(t *testing.T) {
	path := liteFile(t, `PRAGMA journal_mode = wal`, `CREATE TABLE t (a TEXT)`, `INSERT INTO t VALUES ('x')`)
	files := func() string {
		all, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, " ")
	}
	before := files()
	inv, _ := scan(t, SQLite(path), Options{})
	if len(inv.Assets) != 1 || inv.Assets[0].Rows != 1 || inv.Assets[0].Failed {
		t.Errorf("it reads %+v", inv.Assets)
	}
	if after := files(); after != before {
		t.Errorf("beside the database there are %s, before %s", after, before)
	}
	if raw, err := os.ReadFile(path); err != nil || raw[18] != 2 {
		t.Errorf("the database is not kept with a log, so this shows nothing (%v)", err)
	}
}
