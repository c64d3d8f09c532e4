//go:build unix

package run_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store/pgtest"
)

// clinicTables has a stay of each of 400 patients in each of two wards, a table that nobody declares, and a role that may read both and write nothing.
var clinicTables = []string{
	"CREATE TABLE clinic_stays (patient_id text, ward text, age numeric)",
	"INSERT INTO clinic_stays SELECT 'p' || i, w, 20 + i % 60 FROM generate_series(0, 399) i, (VALUES ('icu'), ('er')) AS wards(w)",
	"CREATE TABLE clinic_notes (patient_id text, note text)",
	"INSERT INTO clinic_notes VALUES ('p1', 'Zanzibar')",
	"CREATE ROLE clinic_reader LOGIN PASSWORD 'reads-the-clinic'",
	"GRANT SELECT ON clinic_stays, clinic_notes TO clinic_reader",
}

// A question is answered in the database where the data lies, by a role that can only read, and what goes wrong there is told to nobody.
func TestAQuestionIsAnsweredInPostgres(t *testing.T) {
	t.Parallel()
	owner := pgtest.Start(t).Database(t)
	pgtest.Exec(t, owner, clinicTables...)
	reader, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	reader.User = url.UserPassword("clinic_reader", "reads-the-clinic")
	secret := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(secret, []byte(reader.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, digest := identity.NewKey()
	yaml := strings.Replace(fmt.Sprintf(questionsYAML, digest, "x"), "source: {sqlite: x}", "source: {postgres: {file: "+strconv.Quote(secret)+"}}", 1)
	var log locked
	_, addr, stop := serve(t, load(t, lay(t, yaml, questionsFiles)), run.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	const question = `{"dataset":"stays","sql":"SELECT ward, COUNT(*) AS n, AVG(age) AS mean FROM stays GROUP BY ward","epsilon":10}`
	first, body := tool(t, addr, key.Expose(), "query", question)
	var got rows
	if err := json.Unmarshal(first, &got); err != nil || len(got.Rows) != 3 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, row := range got.Rows {
		n, err := strconv.ParseFloat(*row[1].Value, 64)
		if want := map[string]float64{"icu": 400, "er": 400}[*row[0].Value]; err != nil || n < want-70 || n > want+70 { // as in SQLite
			t.Errorf("%s has %s stays, %v; want about %v", *row[0].Value, *row[1].Value, err, want)
		}
		if *row[0].Value == "lab" { // nobody's age
			continue
		}
		if mean, err := strconv.ParseFloat(*row[2].Value, 64); err != nil || mean < 39 || mean > 59 { // 49.0
			t.Errorf("in %s they are %s years old, %v", *row[0].Value, *row[2].Value, err)
		}
	}
	for _, sql := range []string{"SELECT COUNT(*) FROM clinic_notes", "SELECT pg_read_file('/etc/passwd')", "SELECT COUNT(*) FROM stays; DROP TABLE clinic_stays"} {
		if answer, body := tool(t, addr, key.Expose(), "query", `{"dataset":"stays","sql":"`+sql+`"}`); answer != nil || strings.Contains(body, "Zanzibar") || !strings.Contains(strings.ToLower(body), "line 1") {
			t.Errorf("%s: %s", sql, body)
		}
	}

	// What was answered is known without the source; a new question fails, has one text, and stays paid for.
	pgtest.Exec(t, owner, "ALTER TABLE clinic_stays RENAME TO clinic_moved")
	if again, body := tool(t, addr, key.Expose(), "query", question); string(again) != string(first) {
		t.Errorf("asked again: %s", body)
	}
	failed, body := tool(t, addr, key.Expose(), "query", `{"dataset":"stays","sql":"SELECT COUNT(*) FROM stays","epsilon":2}`)
	if failed != nil || !strings.Contains(body, "could not be answered; what it costs is spent") || strings.Contains(body, "clinic_") || strings.Contains(body, "SQLSTATE") {
		t.Errorf("without its table: %s", body)
	}
	if told, body := tool(t, addr, key.Expose(), "budget", `{"dataset":"stays"}`); !strings.Contains(string(told), `"spent":{"epsilon":"12"`) {
		t.Errorf("spent is %s", body)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "reads-the-clinic") || strings.Contains(log.String(), "Zanzibar") {
		t.Errorf("the log holds secrets: %s", log.String())
	}
}
