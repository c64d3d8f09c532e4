package run_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// together is two questions about the same rows.
const together = `{"dataset":"stays","queries":[{"sql":"SELECT ward, COUNT(*) AS n FROM stays GROUP BY ward","weight":2},{"sql":"SELECT COUNT(*) AS n, AVG(age) FROM stays"}],"epsilon":%d}`

// Several questions are one: one decision, one charge, one answer that is known afterwards.
func TestSeveralQuestionsAreAnsweredTogether(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	_, addr, stop := serve(t, load(t, lay(t, fmt.Sprintf(questionsYAML, digest, strconv.Quote(clinic(t, 400))), questionsFiles)), run.Options{})
	askedTogether(t, addr, key.Expose())
	for arguments, want := range map[string]string{
		`{"dataset":"stays"}`: "no sql",
		`{"dataset":"stays","sql":"SELECT COUNT(*) FROM stays","queries":[{"sql":"SELECT 1"}]}`:                                                        "Either sql or queries",
		`{"dataset":"stays","queries":[{"sql":"SELECT COUNT(*) FROM stays"}]}`:                                                                         "2 to 64",
		`{"dataset":"stays","queries":[{"sql":"SELECT COUNT(*) FROM stays"},{"sql":"SELECT COUNT(*) FROM stays; DROP TABLE stays"}]}`:                  "query 2",
		`{"dataset":"stays","queries":[{"sql":"SELECT COUNT(*) FROM stays"},{"sql":"SELECT COUNT(*) FROM stays WHERE age > 3"}]}`:                      "other rows",
		`{"dataset":"stays","queries":[{"sql":"SELECT COUNT(*) FROM stays"},{"sql":"SELECT patient, COUNT(*) FROM stays GROUP BY patient"}]}`:          "query 2",
		`{"dataset":"stays","accuracy":{"half_width":3},"queries":[{"sql":"SELECT COUNT(*) FROM stays"},{"sql":"SELECT COUNT(*) FROM stays"}]}`:        "not by accuracy",
		`{"dataset":"stays","queries":[{"sql":"SELECT COUNT(*) FROM stays","weight":-1},{"sql":"SELECT COUNT(*) FROM stays"}]}`:                        "weight",
		`{"dataset":"stays","noise":"laplace","queries":[{"sql":"SELECT COUNT(*) FROM stays"},{"sql":"SELECT ward, COUNT(*) FROM stays GROUP BY 1"}]}`: "Gaussian",
	} {
		if answer, body := tool(t, addr, key.Expose(), "query", arguments); answer != nil || !strings.Contains(body, want) {
			t.Errorf("%s: %s, want %q", arguments, body, want)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// askedTogether asks together for 400 patients with a stay in each of two wards.
func askedTogether(t *testing.T, addr, key string) {
	t.Helper()
	question := fmt.Sprintf(together, 10)
	if explained, body := tool(t, addr, key, "explain_query", question); explained == nil || !strings.Contains(string(explained), `"queries":[{"columns":[{"name":"ward"`) {
		t.Fatalf("explained is %s", body)
	}
	first, body := tool(t, addr, key, "query", question)
	var got struct{ Queries []rows }
	if err := json.Unmarshal(first, &got); err != nil || len(got.Queries) != 2 || len(got.Queries[0].Rows) != 3 || len(got.Queries[1].Rows) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	about := func(value *string, want float64) {
		t.Helper()
		if n, err := strconv.ParseFloat(*value, 64); err != nil || n < want-30 || n > want+30 { // ε is 10
			t.Errorf("%s, %v; want about %v", *value, err, want)
		}
	}
	for _, row := range got.Queries[0].Rows {
		about(row[1].Value, map[string]float64{"icu": 400, "er": 400}[*row[0].Value])
	}
	about(got.Queries[1].Rows[0][0].Value, 800)
	about(got.Queries[1].Rows[0][1].Value, 49)
	if again, body := tool(t, addr, key, "query", question); string(again) != string(first) {
		t.Errorf("asked again: %s", body)
	}
	if told, body := tool(t, addr, key, "budget", `{"dataset":"stays"}`); !strings.Contains(string(told), `"spent":{"epsilon":"9.99`) && !strings.Contains(string(told), `"spent":{"epsilon":"10"`) {
		t.Errorf("spent is %s", body)
	}
}

// The real program, built from its own module, over CSV: it is started by the gateway and answers as any other source.
func TestQuestionsAreAnsweredByDuckDB(t *testing.T) {
	if os.Getenv("SCRIM_LONG") != "1" {
		t.Skip("SCRIM_LONG is not 1: it builds scrim-duckdb")
	}
	t.Parallel()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "scrim-duckdb"), "./cmd/scrim-duckdb")
	build.Dir, build.Env = filepath.Join("..", "..", "data", "sql", "duckdb"), append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var csv strings.Builder
	csv.WriteString("patient_id,ward,age\n")
	for i := range 400 {
		fmt.Fprintf(&csv, "p%d,icu,%d\np%d,er,%d\n", i, 20+i%60, i, 20+i%60)
	}
	if err := os.WriteFile(filepath.Join(dir, "stays-1.csv"), []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	key, digest := identity.NewKey()
	yaml := fmt.Sprintf(questionsYAML, digest, "x")
	yaml = strings.Replace(yaml, "source: {sqlite: x}", "source: {duckdb: {command: ["+filepath.Join(dir, "scrim-duckdb")+"], dir: "+dir+"}}", 1)
	yaml = strings.Replace(yaml, "table: clinic_stays", "files: [stays-*.csv]", 1)
	yaml = strings.Replace(yaml, "pad: 4s", "pad: 10s", 1)
	_, addr, stop := serve(t, load(t, lay(t, yaml, questionsFiles)), run.Options{})
	askedTogether(t, addr, key.Expose())
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
