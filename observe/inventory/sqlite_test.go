package inventory

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

func liteFile(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clinic.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return path
}

func TestSQLiteTablesAreListedAndSampled(t *testing.T) {
	path := liteFile(t,
		`CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT UNIQUE, photo BLOB, extra TEXT)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO patients SELECT i * 3, 'Canary ' || i, 'canary' || i || '@example.org', x'00ff', '{"city":"Ulm","n":' || i || '}' FROM n`,
		`CREATE TABLE visits (patient INTEGER REFERENCES patients (id), day DATE, PRIMARY KEY (patient, day)) WITHOUT ROWID`,
		`INSERT INTO visits VALUES (3, '2020-01-02')`,
		`CREATE VIEW old AS SELECT * FROM patients`,
		`CREATE TABLE """; drop table patients; --" ("rowid" TEXT, "_rowid_" TEXT, "oid" TEXT)`,
		`INSERT INTO """; drop table patients; --" VALUES ('a', 'b', 'c')`,
		`CREATE VIRTUAL TABLE words USING fts5(text)`,
	)
	inv, l := scan(t, SQLite(path), Options{Sample: 300})
	assets := map[string]Asset{}
	for _, a := range inv.Assets {
		assets[a.Name] = a
	}
	p := assets["patients"]
	if p.Rows != 30000 || !p.Exact || p.Sampled != 300 || p.Failed {
		t.Errorf("patients: %+v", p)
	}
	var names []string
	for _, c := range p.Columns {
		names = append(names, c.Name)
	}
	if want := []string{"id", "name", "mail", "photo", "extra", "extra.city", "extra.n"}; !slices.Equal(names, want) {
		t.Errorf("columns %q, want %q", names, want)
	}
	if !p.Columns[0].Key || !p.Columns[2].Unique || p.Columns[1].Unique || !p.Columns[1].Required || p.Columns[3].Looked != 0 {
		t.Errorf("what the columns are: %+v", p.Columns)
	}
	early := 0
	for _, v := range l["patients/id"].Values { // multiples of 3 up to 90000
		if len(v) < 5 || len(v) == 5 && v < "45000" {
			early++
		}
	}
	if early < 100 || early > 200 {
		t.Errorf("%d of 300 sampled rows are of the first half", early)
	}
	if c := assets["visits"].Columns; c[0].References != "patients.id" || c[0].Unique || assets["visits"].Rows != 1 {
		t.Errorf("visits: %+v", assets["visits"])
	}
	if a := assets[`"; drop table patients; --`]; a.Rows != 1 || len(a.Columns) != 3 {
		t.Errorf("the table with an odd name: %+v", a)
	}
	if a := assets["old"]; a.Kind != View || a.Sampled != 0 || a.Failed {
		t.Errorf("the view: %+v", a)
	}
	if a := assets["words"]; !a.Failed || !strings.Contains(a.Why, "module") {
		t.Errorf("the virtual table: %+v", a)
	}
}

func TestSQLiteFileThatIsNone(t *testing.T) {
	for name, content := range map[string]string{"text": "canary,canary\n", "empty": "", "cut": "SQLite format 3\x00canary"} {
		inv, err := Scan(t.Context(), SQLite(written(t, "x.db", content)), looker{}, Options{})
		if name == "empty" { // which SQLite takes for a database without tables
			continue
		}
		if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "x.db") {
			t.Errorf("%s: %v, error = %v", name, inv, err)
		}
	}
}
