package facade_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/store/pgtest"
)

const odd = `apiVersion: v3.1.0
kind: DataContract
id: odd
version: 1.0.0
status: active
schema:
  - name: things
    properties:
      - {name: id, logicalType: integer, primaryKey: true, classification: public}
      - {name: "we\u0022ird; DROP TABLE things --", logicalType: string, classification: public}
      - {name: text, logicalType: string, classification: public}
      - {name: whole, logicalType: integer, classification: public}
      - {name: part, logicalType: number, classification: public}
      - {name: truth, logicalType: boolean, classification: public}
      - {name: day, logicalType: date, classification: public}
      - {name: moment, logicalType: timestamp, classification: public}
`

// oddRig is a facade before a table in which hardly anything is what it should be.
func oddRig(t *testing.T, source facade.Source, faults *strings.Builder) *rig {
	t.Helper()
	return newRig(t, source, func(o *facade.Options, s *gatewaytest.Setup) {
		text := strings.Replace(odd, `"we\u0022ird; DROP TABLE things --"`, "weird", 1)
		o.Contracts, o.Tables = parsed(t, text), []facade.Table{{Name: "things", Key: []string{"id"}}}
		s.Hooks.Error = func(err error) { fmt.Fprintln(faults, err) }
	})
}

// TestOddValuesAreNotShown has both engines hold what the contract does not say.
func TestOddValuesAreNotShown(t *testing.T) {
	t.Parallel()
	statements := `CREATE TABLE things (id INTEGER PRIMARY KEY, weird BLOB, text TEXT, whole BLOB, part BLOB, truth BLOB, day DATE, moment TIMESTAMP);
INSERT INTO things VALUES
 (9223372036854775807, 'fine', 'fine', -9223372036854775808, 0.5, 1, '2026-01-31', '2026-01-31 10:00:00'),
 (1, x'00ff', 'a' || char(0) || 'b', 'Zanzibar', 'Zanzibar', 'Zanzibar', 'Zanzibar', 'Zanzibar'),
 (2, CAST(x'ff41' AS TEXT), CAST(x'c328' AS TEXT), 1.5, 9e999, 7, '2026-02-30', 20260131.5),
 (3, 12, NULL, NULL, NULL, NULL, NULL, NULL);`
	var faults strings.Builder
	r := oddRig(t, lite(t, statements), &faults)
	got := r.call(t, "scrim_own", "things_list", `{}`)
	if len(got.Rows) != 4 || got.Odd == 0 || strings.Contains(got.body, "Zanzibar") {
		t.Fatalf("the answer is %s", got.body)
	}
	want := map[string]string{
		"1": `{"id":1}`, "2": `{"id":2}`, "3": `{"id":3,"weird":"12"}`,
		"9223372036854775807": `{"day":"2026-01-31","id":9223372036854775807,"moment":"2026-01-31T10:00:00.000Z","part":0.5,"text":"fine","truth":true,"weird":"fine","whole":-9223372036854775808}`,
	}
	for _, row := range got.Rows {
		id := fmt.Sprint(row["id"])
		for name, v := range row {
			if v == nil {
				delete(row, name)
			}
		}
		if b, _ := json.Marshal(row); string(b) != want[id] {
			t.Errorf("row %s is %s, want %s", id, b, want[id])
		}
	}
}

// TestNamesAndValuesAreNoSQL has names and values that end a statement where they are not quoted.
func TestNamesAndValuesAreNoSQL(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, `CREATE TABLE "th""ings; --" (id INTEGER PRIMARY KEY, "a""); DROP TABLE x; --" TEXT); CREATE TABLE x (id INTEGER); INSERT INTO "th""ings; --" VALUES (1, 'it''s');`), func(o *facade.Options, _ *gatewaytest.Setup) {
		o.Contracts = parsed(t, `{apiVersion: v3.1.0, kind: DataContract, id: odd, version: "1", status: active, schema: [{name: things, physicalName: 'th"ings; --', properties: [
{name: id, logicalType: integer, primaryKey: true, classification: public}, {name: a, physicalName: 'a"); DROP TABLE x; --', logicalType: string, classification: public}]}]}`)
		o.Tables = []facade.Table{{Name: "things"}}
	})
	for value, rows := range map[string]int{"it's": 1, `' OR 1=1 --`: 0, `%`: 0, `"id"`: 0, `\' OR '1'='1`: 0} {
		v, _ := json.Marshal(value)
		if got := r.call(t, "scrim_own", "things_search", `{"where":{"a":{"eq":`+string(v)+`}}}`); got.refused != "" || len(got.Rows) != rows {
			t.Errorf("%q finds %s, want %d rows", value, got.body, rows)
		}
	}
	for _, arguments := range []string{`{"where":{"a\"); DROP TABLE x; --":{"eq":"x"}}}`, `{"where":{"id":{"eq":1e400}}}`, `{"where":{"id":{"eq":99999999999999999999}}}`, `{"where":{"a":{"eq":"\u0000"}}}`, `{"columns":["rowid"]}`, `{"order":[{"column":"id; --"}]}`} {
		if got := r.call(t, "scrim_own", "things_search", arguments); got.refused == "" {
			t.Errorf("%s is answered: %s", arguments, got.body)
		}
	}
}

// TestATableThatChangesUnderUs drops and renames columns, and puts another view in the place of one.
func TestATableThatChangesUnderUs(t *testing.T) {
	t.Parallel()
	file := database(t, people+`CREATE VIEW things AS SELECT sku AS id, 'a' AS weird, 'b' AS text, left AS whole, 0.5 AS part, 1 AS truth, '2026-01-01' AS day, NULL AS moment FROM stock WHERE sku < 4;`)
	source, err := facade.SQLite(file, patience)
	if err != nil {
		t.Fatal(err)
	}
	var faults strings.Builder
	r := oddRig(t, source, &faults)
	if got := r.call(t, "scrim_own", "things_list", `{}`); len(got.Rows) != 3 {
		t.Fatal(got.body)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	change := func(s string) {
		t.Helper()
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	change(`DROP VIEW things; CREATE VIEW things AS SELECT rowid AS id, name AS whole, ssn AS part, ssn AS truth, ssn AS day, ssn AS moment, 'x' AS weird, NULL AS text FROM patients`)
	if got := r.call(t, "scrim_own", "things_list", `{}`); strings.Contains(gatewaytest.Said(got.body), "Jane") || strings.Contains(got.body, "536-90") || got.Odd == 0 {
		t.Errorf("columns that became others show %s", got.body)
	}
	change(`DROP VIEW things; CREATE VIEW things AS SELECT rowid AS id, 'a' AS weird FROM patients`)
	gone := r.call(t, "scrim_own", "things_list", `{}`)
	if !strings.Contains(gone.refused, "not as the data contract says") || strings.Contains(gone.body, "whole") {
		t.Errorf("columns that are gone give %s", gone.body)
	}
	change(`DROP VIEW things; CREATE VIEW things AS SELECT 1 AS id, 'a' AS weird, 'b' AS text, abs(-9223372036854775808) AS whole, 0.5 AS part, 1 AS truth, '2026-01-01' AS day, NULL AS moment FROM patients WHERE name = 'Jane Doe'`)
	if got := r.call(t, "scrim_own", "things_list", `{}`); got.refused == "" || strings.Contains(got.refused, "overflow") {
		t.Errorf("an error of the database gives %s", got.body)
	}
}

// TestASlowSourceIsCut has a view that never ends.
func TestASlowSourceIsCut(t *testing.T) {
	t.Parallel()
	file := database(t, `CREATE VIEW things AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'a' AS weird, 'b' AS text, 1 AS whole, 1 AS part, 1 AS truth, NULL AS day, NULL AS moment FROM n`)
	source, err := facade.SQLite(file, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var faults strings.Builder
	r := oddRig(t, source, &faults)
	if got := r.call(t, "scrim_own", "things_list", `{}`); !strings.Contains(got.refused, "too long") {
		t.Errorf("a view without end gives %s", got.body)
	}
}

// TestAnAnswerIsBounded reads rows that are large together.
func TestAnAnswerIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, `CREATE TABLE things (id INTEGER PRIMARY KEY, text TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO things SELECT i, printf('%.20000c', 'x') FROM n; UPDATE things SET text = printf('%.2000000c', 'x') WHERE id = 200;`), func(o *facade.Options, _ *gatewaytest.Setup) {
		o.Contracts = parsed(t, `{apiVersion: v3.1.0, kind: DataContract, id: odd, version: "1", status: active, schema: [{name: things, properties: [
{name: id, logicalType: integer, primaryKey: true, classification: public}, {name: text, logicalType: string, classification: public}]}]}`)
		o.Tables, o.Bytes = []facade.Table{{Name: "things"}}, 100_000
	})
	got := r.call(t, "scrim_own", "things_list", `{"limit":100}`)
	if len(got.Rows) != 5 || got.Next == "" {
		t.Errorf("100 kB hold %d rows of 20 kB", len(got.Rows))
	}
	if next := r.call(t, "scrim_own", "things_list", `{"limit":100,"cursor":"`+got.Next+`"}`); len(next.Rows) != 5 || fmt.Sprint(next.Rows[0]["id"]) != "6" {
		t.Errorf("the next page begins with %v", next.Rows[0]["id"])
	}
	if long := r.call(t, "scrim_own", "things_get", `{"key":{"id":200}}`); strings.Contains(long.body, "xxx") {
		t.Errorf("a value of 2 MB is shown")
	}
}

// TestAValueThatIsTooLongIsNull has values around 1 MiB, and one that is longer than a row may be: they are null, and the rest of
// the answer is there, in whatever order.
func TestAValueThatIsTooLongIsNull(t *testing.T) {
	t.Parallel()
	var faults strings.Builder
	r := newRig(t, lite(t, `CREATE TABLE things (id INTEGER PRIMARY KEY, text TEXT, other TEXT, whole BLOB, day DATE, moment TIMESTAMP);
INSERT INTO things VALUES (1, printf('%.1048576c', 'x'), printf('%.900000c', 'y'), 1, '2026-01-31', '2026-01-31 10:00:00'), (2, printf('%.1048577c', 'x'), 'fine', 2, NULL, NULL),
 (3, zeroblob(40000000), 'fine', printf('%.2000000c', '3'), printf('%.2000000c', '4'), printf('%.2000000c', '5')), (4, CAST(zeroblob(40000000) AS TEXT), 'fine', 4, NULL, NULL), (5, 'fine', 'fine', 5, NULL, NULL);`), func(o *facade.Options, s *gatewaytest.Setup) {
		o.Contracts = parsed(t, `{apiVersion: v3.1.0, kind: DataContract, id: odd, version: "1", status: active, schema: [{name: things, properties: [
{name: id, logicalType: integer, primaryKey: true, customProperties: [{property: scrim.label, value: health/record-number}]}, {name: text, logicalType: string, classification: public}, {name: other, logicalType: string, classification: public},
{name: whole, logicalType: integer, classification: public}, {name: day, logicalType: date, classification: public}, {name: moment, logicalType: timestamp, classification: public}]}]}`)
		o.Tables, o.Bytes = []facade.Table{{Name: "things"}}, 8<<20
		s.Hooks.Error = func(err error) { fmt.Fprintln(&faults, err) }
	})
	for _, ask := range []struct {
		who, tool, arguments string
		rows, odd            int
	}{
		{"scrim_own", "things_list", `{"columns":["id","text","whole","day"]}`, 5, 5},
		{"scrim_own", "things_list", `{"columns":["id","moment"]}`, 5, 0},
		{"scrim_lab", "things_list", `{"columns":["text","whole"]}`, 5, 4}, // all rows are sorted
		{"scrim_own", "things_get", `{"key":{"id":"2"},"columns":["text","other"]}`, 1, 1},
		{"scrim_own", "things_get", `{"key":{"id":"3"},"columns":["text","other"]}`, 1, 1},
		{"scrim_own", "things_get", `{"key":{"id":"1"},"columns":["id","whole"]}`, 1, 0},
		{"scrim_own", "things_search", `{"where":{"other":{"eq":"fine"}},"columns":["other","text"]}`, 4, 3},
		{"scrim_own", "things_search", `{"where":{"text":{"eq":"fine"},"id":{"in":["2","5"]}},"columns":["id"]}`, 1, 0},
		{"scrim_own", "things_search", `{"where":{"id":{"in":["2","5"]}},"order":[{"column":"text"}],"columns":["id"]}`, 1, 0}, // what is not shown has no place in an order
		{"scrim_own", "things_search", `{"order":[{"column":"moment"}],"columns":["id"]}`, 5, 0},
	} {
		got := r.call(t, ask.who, ask.tool, ask.arguments)
		if got.refused != "" || len(got.Rows) != ask.rows || got.Odd != ask.odd {
			t.Errorf("%s: %s %s gives %d rows and %d odd values, want %d and %d: %s", ask.who, ask.tool, ask.arguments, len(got.Rows), got.Odd, ask.rows, ask.odd, got.refused)
		}
		if strings.Contains(got.body, "5555") || strings.Contains(got.body, "4444") || strings.Count(got.body, "x") > 3<<20 {
			t.Errorf("%s %s shows what is too long", ask.tool, ask.arguments)
		}
	}
	if faults.Len() > 0 {
		t.Errorf("the source failed: %.300s", faults.String())
	}
}

func TestAFacadeBeforePostgres(t *testing.T) {
	owner := pgtest.Common(t).Database(t)
	pgtest.Exec(t, owner,
		`CREATE TYPE mood AS ENUM ('sad', 'glad')`,
		`CREATE TABLE things (id bigint PRIMARY KEY, weird mood, text text, whole bigint, part numeric, truth boolean, day date, moment timestamptz)`,
		`INSERT INTO things VALUES (1, 'sad', 'fine', 9223372036854775807, 0.10, true, '2026-01-31', '2026-01-31T10:00:00+02'), (2, 'glad', 'x', 2, 'NaN', false, 'infinity', '-infinity'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		`INSERT INTO things (id, whole) SELECT i, i % 5 FROM generate_series(4, 60) i`,
	)
	source, err := facade.Postgres(owner, patience)
	if err != nil {
		t.Fatal(err)
	}
	var faults strings.Builder
	r := oddRig(t, source, &faults)
	got := r.call(t, "scrim_own", "things_list", `{"limit":3}`)
	if len(got.Rows) != 3 || got.Odd != 3 {
		t.Fatalf("the answer is %s", got.body)
	}
	if b, _ := json.Marshal(got.Rows[0]); string(b) != `{"day":"2026-01-31","id":1,"moment":"2026-01-31T08:00:00Z","part":0.10,"text":"fine","truth":true,"weird":"sad","whole":9223372036854775807}` {
		t.Errorf("the first row is %s", b)
	}
	rows, cursor := 0, ""
	for range 20 {
		page := r.call(t, "scrim_own", "things_search", `{"limit":7,"order":[{"column":"whole","descending":true}]`+cursor+`}`)
		rows += len(page.Rows)
		if page.Next == "" {
			break
		}
		cursor = `,"cursor":"` + page.Next + `"`
	}
	if rows != 60 {
		t.Errorf("pages in the order of a column with NULLs and ties have %d rows, want 60", rows)
	}
	for arguments, want := range map[string]int{
		`{"where":{"moment":{"ge":"2026-01-31T07:59:59Z","le":"2026-01-31T10:00:00+02:00"}}}`: 1, `{"where":{"truth":{"eq":true}}}`: 1, `{"where":{"part":{"eq":0.1}}}`: 1,
		`{"where":{"day":{"lt":"2026-02-01"}}}`: 1, `{"where":{"text":{"in":["fine","' OR true --"]}}}`: 1, `{"where":{"id":{"in":[1,2,3]},"text":{"null":true}}}`: 1, `{"where":{"weird":{"eq":"neither"}}}`: 0,
	} {
		if got := r.call(t, "scrim_own", "things_search", arguments); got.refused != "" || len(got.Rows) != want {
			t.Errorf("%s finds %s, want %d", arguments, got.body, want)
		}
	}
	pgtest.Exec(t, owner, `ALTER TABLE things RENAME TO old`, `CREATE TABLE people (id bigint, name text, photo bytea)`, `INSERT INTO people VALUES (1, 'Zanzibar', '\x5a616e7a69626172')`,
		`CREATE VIEW things AS SELECT id, photo AS weird, photo AS text, name AS whole, name AS part, name AS truth, name AS day, name AS moment FROM people`)
	if got := r.call(t, "scrim_own", "things_list", `{}`); strings.Contains(got.body, "Zanzibar") || strings.Contains(got.body, "5a616e") || got.Odd != 7 {
		t.Errorf("a view that became another one shows %s", got.body)
	}
	pgtest.Exec(t, owner, `DROP VIEW things`, `CREATE VIEW things AS SELECT id, name AS weird, name AS text, 1 / (id - 1) AS whole, 1 AS part, true AS truth, NULL::date AS day, now() AS moment FROM people`)
	if got := r.call(t, "scrim_own", "things_list", `{}`); got.refused == "" || strings.Contains(got.body, "division") {
		t.Errorf("an error of the database gives %s", got.body)
	}
	pgtest.Exec(t, owner, `DROP VIEW things`, `CREATE FUNCTION slow() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN CREATE TABLE made (x int); RETURN 1; END'`,
		`CREATE VIEW things AS SELECT slow() AS id, name AS weird, name AS text, 1 AS whole, 1 AS part, true AS truth, NULL::date AS day, now() AS moment FROM people`)
	if got := r.call(t, "scrim_own", "things_list", `{}`); got.refused == "" {
		t.Errorf("a view that writes is read: %s", got.body)
	}
	if strings.Contains(faults.String(), "Zanzibar") {
		t.Errorf("faults hold a value: %s", faults.String())
	}
}
