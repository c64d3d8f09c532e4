package run_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
)

const lineageYAML = `version: 1
domain: clinic
purposes: {study: {}}
agents:
  - {id: lab, keys: [{sha256: %[1]s}], purposes: [study]}
  - {id: etl, keys: [{sha256: %[2]s}], purposes: [study]}
datasets:
  crm:
    unit: {name: patient}
    epsilon: 20
    source: {sqlite: %[3]s}
    tables:
      patients: {unit: [id], columns: {id: {type: text, label: health/record-number}, name: {type: text, label: person/name}, town: {type: text, label: public}}}
  stays:
    unit: {name: patient}
    epsilon: 20
    delta: 1e-6
    pad: 1s
    source: {sqlite: %[3]s}
    sql: {epsilon: 1, most: 10}
    tables:
      stays:
        table: clinic_stays
        unit: [patient]
        columns:
          patient: {column: patient_id, type: text, label: health/record-number}
          ward: {type: text, label: public}
          age: {type: number, min: 0, max: 120, label: person/age}
lineage:
  accept:
    - {agent: etl, namespaces: ["lake*"]}
  datasets:
    - {namespace: crm, name: patients, dataset: crm}
    - {namespace: lake-1, name: stays, dataset: stays}
`

// report is an event in which the column ward of the stays is made of some column of the patients.
func report(namespace, made string) string {
	facet := `"_producer":"https://example.com/etl","_schemaURL":"https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json"`
	return `{"eventTime":"2026-11-27T12:00:00Z","producer":"https://example.com/etl","schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
		"eventType":"COMPLETE","run":{"runId":"01890a5d-ac96-774b-bcce-b302099a8057"},"job":{"namespace":"airflow","name":"nightly"},
		"inputs":[{"namespace":"crm","name":"patients"}],"outputs":[{"namespace":"` + namespace + `","name":"stays","facets":{"columnLineage":{` + facet + `,
		"fields":{"ward":{"inputFields":[{"namespace":"crm","name":"patients","field":"` + made + `"}]},"age":{"inputFields":[{"namespace":"crm","name":"patients","field":"town"}]},"patient_id":{"inputFields":[{"namespace":"crm","name":"patients","field":"id"}]}}}}}]}`
}

// tell posts an event and returns the status with the answer.
func tell(t *testing.T, addr, path, key, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(got)
}

// What another tool tells of where a column comes from is in force with the answer, stays through a reload and a restart, and is told by those
// alone who may.
func TestLabelsByLineageAreInForceAtOnce(t *testing.T) {
	t.Parallel()
	lab, labHash := identity.NewKey()
	etl, etlHash := identity.NewKey()
	file := lay(t, fmt.Sprintf(lineageYAML, labHash, etlHash, strconv.Quote(clinic(t, 40))), questionsFiles)
	g, addr, stop := serve(t, load(t, file), run.Options{})
	const question = `{"dataset":"stays","sql":"SELECT ward, COUNT(*) AS n FROM stays GROUP BY ward","epsilon":1}`
	allowed := func(addr string) bool {
		answer, _ := tool(t, addr, lab.Expose(), "explain_query", question)
		return answer != nil
	}
	if !allowed(addr) {
		t.Fatal("a public column is no group of an answer")
	}
	for _, c := range []struct {
		name, path, key, body string
		status                int
		want                  string
	}{
		{"nobody", "/lineage", "", report("lake-1", "name"), 401, ""},
		{"somebody who may not", "/lineage", lab.Expose(), report("lake-1", "name"), 403, "may not tell of lineage"},
		{"another's data", "/lineage", etl.Expose(), report("crm", "name"), 403, "/outputs/0/namespace"},
		{"no event", "/lineage", etl.Expose(), `{"eventTime":"2026"}`, 400, "/eventTime"},
		{"no JSON", "/lineage", etl.Expose(), `{`, 400, "not valid JSON"},
	} {
		status, answer := tell(t, addr, c.path, c.key, c.body)
		if status != c.status || !strings.Contains(answer, c.want) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, status, answer, c.status, c.want)
		}
	}
	if !allowed(addr) {
		t.Fatal("a report that was refused changed something")
	}
	if status, answer := tell(t, addr, "/api/v1/lineage", etl.Expose(), report("lake-1", "town")); status != 201 || !allowed(addr) {
		t.Fatalf("%d %s: a column made of a public one is no group of an answer", status, answer)
	}
	if status, answer := tell(t, addr, "/lineage", etl.Expose(), report("lake-1", "name")); status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	if allowed(addr) {
		t.Error("a column made of names is a group of an answer")
	}
	if described, _ := tool(t, addr, lab.Expose(), "describe_dataset", `{"dataset":"stays"}`); !strings.Contains(string(described), `"label":"person/name"`) {
		t.Errorf("described is %s, want the label that was carried", described)
	}
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if allowed(addr) {
		t.Error("a reload forgets what was told")
	}
	changed := 0
	for row, err := range g.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Event.Outcome == flow.Changed && strings.Contains(row.Event.Reason, "lineage") {
			changed++
		}
	}
	if changed != 3 {
		t.Errorf("%d rows are on record, want two reports and one change of labels", changed)
	}
	stop()
	_, addr, _ = serve(t, load(t, file), run.Options{})
	if allowed(addr) {
		t.Error("a restart forgets what was told")
	}
}

// The field of a contract shows what its own label and those that it carries allow together, and a public table loses what is about somebody.
func TestCarriedLabelsHoldContractsAndPublicTables(t *testing.T) {
	t.Parallel()
	_, labHash := identity.NewKey()
	etl, etlHash := identity.NewKey()
	yaml := fmt.Sprintf(lineageYAML, labHash, etlHash, strconv.Quote(clinic(t, 40)))
	yaml = strings.Replace(yaml, "      stays:\n        table: clinic_stays", "      wards: {public: true, columns: {ward: {type: text}, floor: {type: text}}}\n      stays:\n        table: clinic_stays", 1)
	yaml = strings.Replace(yaml, "namespace: lake-1, name: stays, dataset: stays}", "namespace: lake-2, name: stays, dataset: stays, table: wards}\n    - {namespace: lake-1, name: stays, dataset: marts}\ncontracts: [marts.yaml]", 1)
	files := map[string]string{
		"policies/10.cedar": questionsFiles["policies/10.cedar"] + `
@id("open")
permit (principal, action in Action::"upto_raw", resource in DataClass::"business/decision");
`,
		"marts.yaml": `apiVersion: v3.1.0
kind: DataContract
id: marts
version: 1.0.0
status: active
schema:
  - name: marts
    properties:
      - {name: ward, logicalType: string, customProperties: [{property: scrim.label, value: business/decision}]}
`,
	}
	g, addr, _ := serve(t, load(t, lay(t, yaml, files)), run.Options{})
	shown := func() flow.Level {
		t.Helper()
		terms, err := g.Gateway.Snapshot().Policy.Decide(policy.Query{Flow: flow.Flow{To: flow.Party{Agent: "lab", Domain: "clinic"}, Purpose: "study"}},
			[]flow.Leaf{{Label: "business/decision", Field: "marts/ward", Origin: flow.Catalogued}})
		if err != nil {
			t.Fatal(err)
		}
		return terms.Leaves[0].Level
	}
	columns := func() int {
		stays := g.Gateway.Snapshot().Datasets["stays"]
		if stays == nil {
			t.Fatal("no question can be asked about the stays any more")
		}
		for _, table := range stays.Query.Tables {
			if table.Name == "wards" {
				return len(table.Columns)
			}
		}
		return 0
	}
	before := g.Gateway.Snapshot().Policy.Hash()
	if level, n := shown(), columns(); level == flow.Dropped || n != 2 {
		t.Fatalf("before anything is told the field is %s, and the public table has %d columns", level, n)
	}
	for _, namespace := range []string{"lake-1", "lake-2"} {
		if status, answer := tell(t, addr, "/lineage", etl.Expose(), report(namespace, "name")); status != 201 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if level, n := shown(), columns(); level != flow.Dropped || n != 0 { // of the other column nobody said how it was made
		t.Errorf("made of names, which nothing permits, the field is %s, and the public table has %d columns", level, n)
	}
	if g.Gateway.Snapshot().Policy.Hash() == before {
		t.Error("decisions by other labels have the same hash on record")
	}
}
