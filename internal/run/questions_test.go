package run_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

const questionsYAML = `version: 1
domain: clinic
purposes: {study: {}}
agents:
  - {id: lab, keys: [{sha256: %s}], purposes: [study]}
datasets:
  stays:
    unit: {name: patient}
    epsilon: 20
    delta: 1e-6
    pad: 4s
    versions: {from: 2026-01-01T00:00:00Z}
    source: {sqlite: %s}
    sql: {epsilon: 1, most: 10, tell: all}
    limits: {rows: 3, groups: 3}
    tables:
      stays:
        table: clinic_stays
        unit: [patient]
        columns:
          patient: {column: patient_id, type: text, label: health/record-number}
          ward: {type: text, values: [icu, er, lab], label: health}
          age: {type: number, min: 0, max: 120, label: person/age}
`

var questionsFiles = map[string]string{
	"policies/10.cedar": policies + `
@id("questions")
permit (principal == Agent::"lab", action == Action::"aggregate", resource == Dataset::"stays") when { context.purpose == Purpose::"study" };
`,
}

// clinic makes a database with a stay of each of n patients in each of two wards.
func clinic(t *testing.T, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clinic.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE clinic_stays (patient_id TEXT, ward TEXT, age INTEGER)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for _, ward := range []string{"icu", "er"} {
			if _, err := tx.Exec("INSERT INTO clinic_stays VALUES (?, ?, ?)", fmt.Sprint("p", i), ward, 20+i%60); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return file
}

// tool calls a tool of the gateway's own MCP server and returns its structured answer, or the whole body.
func tool(t *testing.T, addr, key, name, arguments string) (answer []byte, body string) {
	t.Helper()
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + `}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/mcp/scrim", strings.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "Authorization": "Bearer " + key, "Mcp-Protocol-Version": "2025-11-25"} {
		req.Header.Set(k, v)
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
	var out struct {
		Result struct {
			Structured json.RawMessage `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.Unmarshal(got, &out); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	return out.Result.Structured, string(got)
}

type rows struct {
	Columns []struct{ Name string }
	Rows    [][]struct {
		Value     *string
		Low, High string
	}
}

func TestAQuestionIsAnsweredWhereTheDataLies(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	file := lay(t, fmt.Sprintf(questionsYAML, digest, strconv.Quote(clinic(t, 400))), questionsFiles)
	g, addr, stop := serve(t, load(t, file), run.Options{})
	const question = `{"dataset":"stays","sql":"SELECT ward, COUNT(*) AS n, AVG(age) AS mean FROM stays GROUP BY ward","epsilon":10}`
	explained, body := tool(t, addr, key.Expose(), "explain_query", question)
	if explained == nil || !strings.Contains(string(explained), `"cost":{"epsilon":"10"`) || !strings.Contains(string(explained), `"of":"dataset"`) {
		t.Fatalf("explained is %s", body)
	}
	first, body := tool(t, addr, key.Expose(), "query", question)
	var got rows
	if err := json.Unmarshal(first, &got); err != nil || len(got.Rows) != 3 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, row := range got.Rows {
		n, err := strconv.ParseFloat(*row[1].Value, 64)
		want := map[string]float64{"icu": 400, "er": 400, "lab": 0}[*row[0].Value]
		if err != nil || n < want-70 || n > want+70 { // ε is 10 for three groups of two numbers, and the scale 3.6: 70 is far beyond what noise does in a lifetime
			t.Errorf("%s has %s stays, %v; want about %v", *row[0].Value, *row[1].Value, err, want)
		}
	}
	if again, _ := tool(t, addr, key.Expose(), "query", `{"dataset":"stays","epsilon":"10.0","sql":"select ward, count(*) n, avg(age) mean from stays group by ward"}`); string(again) != string(first) {
		t.Errorf("the same question in other words is answered %s, want %s", again, first)
	}
	if told, body := tool(t, addr, key.Expose(), "budget", `{"dataset":"stays"}`); !strings.Contains(string(told), `"spent":{"epsilon":"10"`) {
		t.Errorf("spent is %s", body)
	}
	for sql, want := range map[string]string{
		"SELECT patient, COUNT(*) FROM stays GROUP BY patient": "patient",
		"SELECT * FROM stays":                          "",
		"SELECT COUNT(*) FROM stays; DROP TABLE stays": "",
		"SELECT COUNT(*) FROM clinic_stays":            "",
		"SELECT pg_sleep(1)":                           "",
	} {
		if answer, body := tool(t, addr, key.Expose(), "query", `{"dataset":"stays","sql":"`+sql+`"}`); answer != nil || !strings.Contains(body, "Line ") && !strings.Contains(body, "line ") || !strings.Contains(body, want) {
			t.Errorf("%s: %s", sql, body)
		}
	}

	// A reload that has the data elsewhere is another question.
	if err := os.WriteFile(file, []byte(fmt.Sprintf(questionsYAML, digest, strconv.Quote(clinic(t, 100)))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	other, body := tool(t, addr, key.Expose(), "query", question)
	if err := json.Unmarshal(other, &got); err != nil || len(got.Rows) != 3 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, row := range got.Rows {
		if n, _ := strconv.ParseFloat(*row[1].Value, 64); *row[0].Value != "lab" && (n < 30 || n > 170) {
			t.Errorf("after the reload %s has %s stays", *row[0].Value, *row[1].Value)
		}
	}
	_, refused := tool(t, addr, key.Expose(), "query", `{"dataset":"stays","sql":"SELECT COUNT(*) FROM stays WHERE age > 40"}`)
	if !strings.Contains(refused, "no room for this one") {
		t.Errorf("at the end of the budget: %s", refused)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
