package run_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

const streamsYAML = `version: 1
domain: clinic
purposes: {study: {}}
agents:
  - {id: lab, keys: [{sha256: %s}], purposes: [study]}
datasets:
  stays:
    unit: {name: patient-hour, window: 1h}
    epsilon: 1000
    delta: 1e-6
    pad: 4s
    source: {sqlite: %s}
    tables:
      stays:
        table: clinic_stays
        unit: [patient]
        time: admitted
        columns:
          patient: {column: patient_id, type: text, label: health/record-number}
          ward: {type: text, values: [icu, er], label: health}
          admitted: {type: time, label: health}
    streams:
      admissions:
        sql: %s
        from: %s
        every: 1h
        horizon: 8
        epochs: 2
        rho: 200
        groups: 1
`

// admissions makes a database with n patients in each of some hours.
func admissions(t *testing.T, from time.Time, hours, n int) (file string, admit func(at time.Time, patient string)) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "clinic.db")
	admit = func(at time.Time, patient string) {
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("INSERT INTO clinic_stays VALUES (?, 'icu', ?)", patient, at.Format(time.RFC3339)); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE clinic_stays (patient_id TEXT, ward TEXT, admitted TEXT)"); err != nil {
		t.Fatal(err)
	}
	for hour := range hours {
		for i := range n {
			_, err := db.Exec("INSERT INTO clinic_stays VALUES (?, ?, ?)", fmt.Sprint("p", i), []string{"icu", "er"}[i%2], from.Add(time.Duration(hour)*time.Hour+time.Minute).Format(time.RFC3339))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return file, admit
}

type reading struct {
	Step   int64
	Halt   string
	Points []struct {
		Step int64
		Rows []struct {
			Ward         string
			N, Low, High int64
		}
	}
}

// steps waits until so many steps of the stream can be read.
func steps(t *testing.T, addr, key string, n int) (got reading) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		answer, body := tool(t, addr, key, "read_stream", `{"dataset":"stays","stream":"admissions","points":100}`)
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if len(got.Points) >= n {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("after two minutes there are %d steps, want %d: %s", len(got.Points), n, body)
		}
	}
}

// A stream is published where its data lies, and goes on through a restart and a reload: nothing that was released changes, and rows that come
// too late change nothing.
func TestAStreamIsPublishedThroughARestart(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	from := time.Now().UTC().Truncate(time.Hour).Add(-5 * time.Hour)
	db, admit := admissions(t, from, 5, 40)
	const question = "SELECT ward, COUNT(*) AS n FROM stays GROUP BY ward"
	config := func(question string) string {
		return fmt.Sprintf(streamsYAML, digest, strconv.Quote(db), question, from.Format(time.RFC3339))
	}
	file := lay(t, config(question), questionsFiles)
	g, addr, stop := serve(t, load(t, file), run.Options{})
	before := steps(t, addr, key.Expose(), 5)
	for i, pt := range before.Points[:5] {
		for _, row := range pt.Rows {
			if want := int64(20 * (i + 1)); row.N < want-5 || row.N > want+5 || row.Low > row.N || row.High < row.N { // noise of a tenth
				t.Errorf("step %d: %+v, want about %d", pt.Step, row, want)
			}
		}
	}
	if list, body := tool(t, addr, key.Expose(), "streams", `{}`); !strings.Contains(string(list), `"stream":"admissions"`) {
		t.Errorf("streams are %s", body)
	}
	if got, body := tool(t, addr, key.Expose(), "read_stream", `{"dataset":"stays","stream":"other"}`); got != nil {
		t.Errorf("a stream that is not there: %s", body)
	}
	admit(from.Add(time.Minute), "late")

	// Another question under the same name is another stream: it is not published, and the old one is not read by it.
	if err := os.WriteFile(file, []byte(config("SELECT ward, COUNT(*) AS n FROM stays WHERE ward = 'icu' GROUP BY ward")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if got, body := tool(t, addr, key.Expose(), "read_stream", `{"dataset":"stays","stream":"admissions"}`); !strings.Contains(string(got), `"halt":"changed"`) || strings.Contains(string(got), `"n":`) {
		t.Errorf("after the reload it is %s", body)
	}
	if err := os.WriteFile(file, []byte(config("SELECT median(patient) FROM stays")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "datasets.stays.streams.admissions") {
		t.Errorf("a stream that is none is taken: %v", err)
	}
	if err := os.WriteFile(file, []byte(config(question)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, addr, stop = serve(t, load(t, file), run.Options{})
	if again := steps(t, addr, key.Expose(), 5); !reflect.DeepEqual(again.Points[:5], before.Points[:5]) {
		t.Errorf("after a restart it is\n%+v, and was\n%+v", again.Points[:5], before.Points[:5])
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
