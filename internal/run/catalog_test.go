package run_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

const describedConfig = `version: 1
domain: clinic
policies: policies
purposes: {care: {}, nursing: {parents: [care]}}
contracts: [visits.odcs.yaml]
datasets:
  clinic:
    unit: {name: patient}
    epsilon: 3
    delta: 1e-6
    source: {sqlite: clinic.db}
    limits: {rows: 2}
    tables:
      stays:
        table: t_stays
        contract: visits
        unit: [who]
        columns:
          who: {column: patient, type: text}
          birthday: {column: born, type: date}
      beds:
        public: true
        columns: {ward: {type: text}}
`

const describedContract = `apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
schema:
  - name: visits
    customProperties: [{property: scrim.contribution, value: {rows: 7}}, {property: scrim.purposes, value: [care]}]
    properties:
      - {name: patient, customProperties: [{property: scrim.label, value: health/record-number}, {property: scrim.unit, value: patient}]}
      - {name: born, logicalType: date, customProperties: [{property: scrim.label, value: person/birth-date}]}
      - name: fee
      - name: whole
        logicalType: object
        properties: [{name: part}]
`

// TestContractsAreHeldToASource: a snapshot knows which contract describes which table, what a contract bounds needs no second bound, and
// columns that a source lost are found where their contract speaks of them.
func TestContractsAreHeldToASource(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"scrim.yaml": describedConfig, "visits.odcs.yaml": describedContract, "policies/p.cedar": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "clinic.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	exec := func(q string) {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE t_stays (patient TEXT, born TEXT, fee REAL, whole TEXT)")
	exec("CREATE TABLE beds (ward TEXT)")
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := run.Offline(c, run.Models{})
	if err != nil {
		t.Fatal(err)
	}
	d := snap.Datasets["clinic"]
	if d == nil || d.Described["stays"] != "visits" || len(d.Described) != 1 {
		t.Fatalf("the dataset is %+v", d)
	}
	if d.Query.Limits.Rows != 2 || d.Query.Limits.MostRows != 7 || d.Query.Limits.MostGroups != 64 {
		t.Errorf("limits are %+v, want 7 rows at most, as the contract has it", d.Query.Limits)
	}
	if g := snap.Catalog.Governance("visits/none"); g == nil || len(g.Purposes) != 1 || !snap.Policy.PurposeIn("nursing", g.Purposes[0]) || snap.Policy.PurposeIn("", g.Purposes[0]) {
		t.Errorf("what nobody describes of a dataset is under %+v", g)
	}
	gone, err := run.Vanished(context.Background(), c, "clinic")
	if err != nil || len(gone) != 0 {
		t.Fatalf("a source that has it all: %v, %v", gone, err)
	}
	exec("ALTER TABLE t_stays RENAME COLUMN fee TO price")
	exec("ALTER TABLE t_stays RENAME COLUMN whole TO pieces")
	gone, err = run.Vanished(context.Background(), c, "clinic")
	if err != nil || len(gone) != 3 || gone[0].Line != 12 || !strings.Contains(gone[0].String(), "visits.odcs.yaml:12:15: the source of dataset clinic has no such column") {
		t.Errorf("columns that are gone: %v, %v", gone, err)
	}
	exec("DROP TABLE t_stays")
	if _, err = run.Vanished(context.Background(), c, "clinic"); err == nil || !strings.Contains(err.Error(), "dataset clinic") {
		t.Errorf("a table that is gone: %v", err)
	}
}
