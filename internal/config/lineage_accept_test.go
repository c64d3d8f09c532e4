package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

const told = `version: 1
domain: clinic
agents: [{id: etl, keys: [{sha256: "` + "0000000000000000000000000000000000000000000000000000000000000000" + `"}]}]
datasets:
  stays:
    epsilon: 1
    source: {sqlite: a.db}
    tables:
      stays: {unit: [who], columns: {who: {type: text, label: person/name}, ward: {column: Ward, type: text, label: public}}}
lineage:
`

// withPolicies is a directory with an empty one for policies.
func withPolicies(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What is said of lineage becomes rules, by the names that columns have where they lie.
func TestLineageRules(t *testing.T) {
	c, err := Parse("scrim.yaml", []byte(told+`  accept: [{agent: etl, namespaces: ["lake*"]}]
  datasets: [{namespace: lake-1, name: stays/*, dataset: stays}]
  masking: [{namespace: lake-1, name: stays/*, field: Ward, agent: etl, label: technical/record-id}]
`), withPolicies(t))
	if err != nil {
		t.Fatal(err)
	}
	r := c.LineageRules()
	if len(r.Declared) != 1 || r.Declared[0].Of != "stays/stays" || r.Declared[0].Columns["Ward"] != flow.PublicData || r.Declared[0].Columns["who"] != "person/name" {
		t.Errorf("declared is %+v", r.Declared)
	}
	if len(r.Masked) != 1 || r.Masked[0].Teller != "etl@clinic" || r.Masked[0].Label != "technical/record-id" {
		t.Errorf("masked is %+v", r.Masked)
	}
	if got := c.LineageReporters()["etl"]; len(got) != 1 || got[0] != "lake*" {
		t.Errorf("reporters are %v", got)
	}
	if c.Lineage.Body != 4<<20 || c.Lineage.Nodes != 1_000_000 {
		t.Errorf("without a word there are %d bytes and %d nodes", c.Lineage.Body, c.Lineage.Nodes)
	}
}

func TestMistakesOfLineage(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"nobody known", `  accept: [{agent: nobody, namespaces: [a]}]`, "there is no agent"},
		{"twice", `  accept: [{agent: etl, namespaces: [a]}, {agent: etl, namespaces: [b]}]`, "listed twice"},
		{"a star within", `  accept: [{agent: etl, namespaces: ["a*b"]}]`, "at the end only"},
		{"no namespace", `  accept: [{agent: etl, namespaces: []}]`, "may tell of nothing"},
		{"no such dataset", `  datasets: [{namespace: a, name: b, dataset: visits}]`, "no such dataset"},
		{"no such table", `  datasets: [{namespace: a, name: b, dataset: stays, table: visits}]`, "no such dataset"},
		{"a namespace that is open", `  datasets: [{namespace: "a*", name: b, dataset: stays}]`, "given whole"},
		{"masking by nobody's word", `  masking: [{namespace: a, name: b, field: c, agent: etl, label: person/name}]`, "not under accept"},
		{"masking by no label", `  accept: [{agent: etl, namespaces: [a]}]` + "\n" + `  masking: [{namespace: a, name: b, field: c, agent: etl, label: person/shoe}]`, "no such label"},
	} {
		_, err := Parse("scrim.yaml", []byte(told+c.yaml+"\n"), withPolicies(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
