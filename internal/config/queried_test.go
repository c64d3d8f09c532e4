package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
)

const goodTables = `datasets:
  stays:
    unit: {name: patient}
    epsilon: 3
    delta: 1e-6
    source: {sqlite: stays.db}
    sql: {epsilon: 0.1, most: 1}
    tables:
      stays:
        table: clinic_stays
        unit: [patient]
        time: admitted
        columns:
          patient: {column: patient_id, type: text, label: health/record-number}
          ward: {type: text, values: [icu, "7", 8], label: health}
          age: {type: number, min: 0, max: 120, label: person/age}
          cost: {type: number, places: 2, min: -10.5, max: 99999.99}
          admitted: {type: date, min: 2020-01-01, max: 2026-12-31}
          seen: {type: time}
          note: {type: text}
      procedures:
        reference: {column: stay, table: stays, to: patient}
        columns:
          stay: {type: text}
          code: {type: text, label: health/procedure}
      codes:
        public: true
        columns:
          code: {type: text}
`

func TestADatasetAsQuestionsSeeIt(t *testing.T) {
	c, err := parseDatasets(t, datasetsBase+goodTables)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Queried("stays")
	if d == nil || len(d.Tables) != 3 || d.Unit != "patient" || !d.Formal || d.Limits.Rows != 1 || d.Limits.MostRows != 64 || d.Limits.MostCells != 10000 {
		t.Fatalf("the dataset is %+v", d)
	}
	stays := d.Tables[2]
	if stays.Name != "stays" || stays.Source != "clinic_stays" || strings.Join(stays.Unit, " ") != "patient" || stays.Time != "admitted" {
		t.Errorf("the table is %+v", stays)
	}
	by := map[string]relation.Type{}
	for _, col := range stays.Columns {
		by[col.Name] = col.Type
		switch noKey := col.Name == "patient" || col.Name == "note" || col.Name == "seen" || col.Name == "admitted" || col.Name == "cost"; {
		case col.NoKey != noKey:
			t.Errorf("%s: no key = %t, want %t", col.Name, col.NoKey, noKey)
		case col.Bounded != (col.Name == "age" || col.Name == "cost" || col.Name == "admitted"):
			t.Errorf("%s: bounded = %t", col.Name, col.Bounded)
		case col.Name == "ward" && (len(col.Values) != 3 || col.Values[2].Text != "8"):
			t.Errorf("the wards are %+v", col.Values)
		}
	}
	if by["cost"] != (relation.Type{Kind: relation.Number, Places: 2, Min: -1050, Max: 9999999}) || by["admitted"] != (relation.Type{Kind: relation.Date, Min: 18262, Max: 20818}) {
		t.Errorf("the types are %+v", by)
	}
	if p := d.Tables[1]; p.Name != "procedures" || p.Via == nil || strings.Join(p.Unit, " ") != "patient" {
		t.Errorf("the table that refers is %+v", p)
	}
}

// Windows of units begin where blocks do, so that none lies across two.
func TestWindowsBeginWhereBlocksDo(t *testing.T) {
	text := strings.Replace(goodTables, "unit: {name: patient}", "unit: {name: patient-day, window: 1d}\n    blocks: {by: time, width: 7d, count: 9, from: 2026-01-01T06:00:00Z}", 1)
	before, _, _ := strings.Cut(text, "      procedures:")
	c, err := parseDatasets(t, datasetsBase+before)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Queried("stays"); d == nil || d.Window != 24*time.Hour || !d.Origin.Equal(time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("the dataset is %+v", d)
	}
}

// What is missing or does not fit is told with its place, before anybody asks.
func TestTablesThatAreNoneAreRefusedWhereTheyStand(t *testing.T) {
	swap := func(old, with string) string {
		if !strings.Contains(goodTables, old) {
			t.Fatalf("%q is not in the good example", old)
		}
		return strings.Replace(goodTables, old, with, 1)
	}
	for _, tt := range []struct{ yaml, want string }{
		{swap("    source: {sqlite: stays.db}\n", ""), "the dataset has no source"},
		{swap("source: {sqlite: stays.db}", "source: {sqlite: a, files: b}"), "one of sqlite, postgres, files and duckdb"},
		{swap("source: {sqlite: stays.db}", "source: {postgres: {}}"), "either env or file"},
		{swap("source: {sqlite: stays.db}", "source: {files: data}"), "a table of a source of files needs files"},
		{swap("source: {sqlite: stays.db}", "source: {duckdb: {command: [x]}}"), "either database or dir"},
		{swap("source: {sqlite: stays.db}", "source: {duckdb: {command: [], database: x}}"), "the program is missing"},
		{swap("        unit: [patient]\n", ""), "17:7: it does not say whose a row is: the unit is missing"},
		{swap("unit: [patient]", "unit: [nobody]"), "there is no such column"},
		{swap("unit: [patient]", "unit: [age]"), "numbers beyond them would all be one name"},
		{swap("time: admitted", "time: ward"), "neither a date nor a time"},
		{swap("time: admitted", "time: nothing"), "there is no such column"},
		{swap("type: number, min: 0, max: 120", "type: number, min: 0"), "min and max go together"},
		{swap("min: 0, max: 120", "min: 120, max: 0"), "the least value is above the greatest"},
		{swap("min: 0, max: 120", "min: 0.5, max: 120"), "more than 0 decimal places"},
		{swap("min: 0, max: 120", "min: zero, max: 120"), "a number such as"},
		{swap("min: 0, max: 120", "min: 0, max: 9e30"), "too large"},
		{swap("min: 2020-01-01", "min: 2020-02-31"), "a date such as"},
		{swap("seen: {type: time}", "seen: {type: instant}"), "one of number, text, truth, date, time"},
		{swap("seen: {type: time}", "seen: {}"), "type is missing"},
		{swap("type: text, values: [icu", "type: number, values: [icu"), "a number such as"},
		{swap(`values: [icu, "7", 8]`, `values: [icu, "7", 7]`), "listed twice"},
		{swap("label: person/age", "label: person/agee"), "there is no such label"},
		{swap("note: {type: text}", "note: {type: text, places: 2}"), "places are for numbers"},
		{swap("note: {type: text}", "note: {type: text, min: 1, max: 2}"), "bounds are for numbers"},
		{swap("          ward:", "          Ward:"), "not a name that a question can use"},
		{swap("table: stays, to: patient", "table: nothing, to: patient"), "there is no such table"},
		{swap("table: stays, to: patient", "table: codes, to: code"), "that table is public"},
		{swap("table: stays, to: patient", "table: procedures, to: code"), "round in a circle"},
		{swap("table: stays, to: patient", "table: stays, to: age"), "of different types"},
		{swap("column: stay, table", "column: gone, table"), "there is no such column"},
		{swap("        public: true\n", "        public: true\n        unit: [code]\n"), "nobody's"},
		{swap("sql: {epsilon: 0.1, most: 1}", "sql: {epsilon: 2, most: 1}"), "it is more than most"},
		{swap("sql: {epsilon: 0.1, most: 1}", "sql: {most: 4}"), "it is more than the dataset's ε"},
		{swap("sql: {epsilon: 0.1, most: 1}", "sql: {epsilon: 0}"), "it must be over 0"},
		{swap("sql: {epsilon: 0.1, most: 1}", "sql: {delta: 1e-3}"), "the dataset's δ is smaller"},
		{swap("sql: {epsilon: 0.1, most: 1}", "limits: {rows: 5, most_rows: 2}"), "less than what a question has"},
		{"datasets: {stays: {epsilon: 1, source: {sqlite: x}}}\n", "a dataset with a source needs tables"},
		{"datasets: {stays: {epsilon: 1, source: {sqlite: x}, tables: {t: {public: true, columns: {a: {type: text}}}}}}\n", "all tables are public"},
		{"datasets: {stays: {source: {sqlite: x}, tables: {t: {unit: [a], columns: {a: {type: text}}}}}}\n", "epsilon is missing"},
	} {
		_, err := parseDatasets(t, datasetsBase+tt.yaml)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("want %q:\n\terror = %v", tt.want, err)
		}
	}
}

const staysContract = `apiVersion: v3.1.0
kind: DataContract
id: stays
version: 1.0.0
status: active
schema:
  - name: stays
    customProperties: [{property: scrim.formal, value: true}, {property: scrim.budget, value: {epsilon: 3, delta: 1e-6}}]
    properties:
      - {name: patient_id, logicalType: string, customProperties: [{property: scrim.label, value: health/record-number}, {property: scrim.unit, value: patient}]}
      - {name: age, logicalType: integer, logicalTypeOptions: {minimum: 0, maximum: 110}, customProperties: [{property: scrim.label, value: person/age}]}
      - {name: cost, logicalType: number, customProperties: [{property: scrim.bounds, value: [0.125, 99.999]}]}
      - {name: admitted, logicalType: date}
`

// A column has label, type and bounds of its data contract, and configuration can only narrow them.
func TestAContractDescribesColumns(t *testing.T) {
	formal := ""
	parse := func(columns string) (*Config, error) {
		dir := t.TempDir()
		for name, text := range map[string]string{"policies/10.cedar": "", "stays.odcs.yaml": staysContract} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return Parse("scrim.yaml", []byte(datasetsBase+`contracts: [stays.odcs.yaml]
datasets:
  stays:
    unit: {name: patient}
    epsilon: 3
    delta: 1e-6
`+formal+`    source: {sqlite: x.db}
    tables: {visits: {`+columns+`}}
`), dir)
	}
	c, err := parse("columns: {who: {column: patient_id}, age: {}, cost: {places: 2}, admitted: {}}")
	if err != nil {
		t.Fatal(err)
	}
	v := c.Queried("stays").Tables[0]
	if strings.Join(v.Unit, " ") != "who" {
		t.Errorf("the unit is %q, want the contract's", v.Unit)
	}
	for _, col := range v.Columns {
		want := map[string]relation.Type{
			"who": {Kind: relation.Text}, "age": {Max: 110}, "cost": {Places: 2, Min: 13, Max: 9999}, "admitted": {Kind: relation.Date, Min: relation.MinDate, Max: relation.MaxDate},
		}[col.Name]
		if col.Type != want || col.Name == "age" && (col.Label != "person/age" || !col.Bounded) || col.Name == "who" && !col.NoKey {
			t.Errorf("%s is %+v, want %+v", col.Name, col, want)
		}
	}
	for columns, want := range map[string]string{
		"columns: {who: {column: patient_id}, age: {max: 200, min: 0}}": "narrower bounds",
		"columns: {who: {column: patient_id}, age: {type: text}}":       "another type",
		"columns: {who: {column: patient_id}, age: {places: 1}}":        "whole numbers",
		"columns: {who: {column: patient_id}, cost: {}}":                "how many decimal places",
		"columns: {who: {column: patient_id, label: public}}":           "a stricter label",
		"public: true, columns: {who: {column: patient_id}}":            "says whom its rows are about",
		"unit: [age], columns: {who: {column: patient_id}, age: {}}":    "another unit column",
		"columns: {age: {}}": "the unit is missing",
		"contract: nothing, unit: [who], columns: {who: {type: text}}": "no data contract has this dataset",
	} {
		if _, err := parse(columns); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n\terror = %v, want %q", columns, err, want)
		}
	}
	formal = "    formal: false\n"
	if _, err := parse("columns: {who: {column: patient_id}}"); err == nil || !strings.Contains(err.Error(), "has it formal") {
		t.Errorf("a dataset that its contract has formal is not: %v", err)
	}
}
