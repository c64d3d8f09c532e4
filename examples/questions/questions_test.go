// Package questions holds the test of this folder's example.
package questions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// The folder does what its page says.
func TestTheExampleAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "scrim.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	patient := strings.Replace(string(text), "pad: 1s", "pad: 4s", 1) // for a machine that has much else to do
	if err := os.WriteFile(file, []byte(patient), 0o600); err != nil || patient == string(text) {
		t.Fatalf("%v: no padding in %s", err, file)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.CheckSource(t.Context(), c, "stays"); err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(t.Context(), c, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ask := func(act, arguments string) (string, error) {
		body, err := api.AskData(t.Context(), g.Questions(), g.Gateway.Snapshot(), api.QuestionRequest{As: "cohort", Act: act, Arguments: json.RawMessage(arguments)})
		return string(body), err
	}
	const wards = `{"dataset":"stays","sql":"SELECT ward, COUNT(*) AS stays FROM stays GROUP BY ward","epsilon":0.8}`
	first, err := ask("query", wards)
	var a query.Answer
	if err != nil || json.Unmarshal([]byte(first), &a) != nil || len(a.Rows) != 3 || a.Rows[0][1].Low == "" {
		t.Fatalf("%v %s", err, first)
	}
	if again, err := ask("query", wards); err != nil || again != first {
		t.Errorf("again: %v %s", err, again)
	}
	if told, err := ask("budget", `{"dataset":"stays"}`); err != nil || !strings.Contains(told, `"of":"agent"`) {
		t.Errorf("the budget: %v %s", err, told)
	}
	if _, err := ask("query", `{"dataset":"stays","sql":"SELECT SUM(nights) FROM stays"}`); err == nil || !strings.Contains(err.Error(), "fits with an epsilon of") {
		t.Errorf("at the end of the quota: %v", err)
	}
	for _, sql := range []string{"SELECT * FROM stays", "SELECT patient, COUNT(*) FROM stays GROUP BY patient"} {
		if answer, err := ask("query", `{"dataset":"stays","sql":"`+sql+`"}`); err == nil {
			t.Errorf("%s: %s", sql, answer)
		}
	}
}
