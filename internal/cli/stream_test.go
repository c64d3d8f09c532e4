package cli_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/scrimhq/scrim/internal/cli"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

const published = `version: 1
domain: hospital
data: state
listen: 127.0.0.1:0
admin: 127.0.0.1:0
datasets:
  stays:
    unit: {name: patient-day, window: 24h}
    epsilon: 1000
    delta: 1e-6
    pad: 100ms
    source: {sqlite: stays.db}
    tables:
      stays:
        unit: [patient]
        time: admitted
        columns:
          patient: {type: text, label: health/record-number}
          ward: {type: text, values: [icu, er], label: health}
          admitted: {type: time, label: health}
    streams:
      admissions:
        sql: SELECT ward, COUNT(*) AS n FROM stays GROUP BY ward
        from: 2026-01-05T00:00:00Z
        every: 24h
        horizon: 3
        rho: 600
`

// What a gateway published is read on a stopped one, as a table and as JSON, to its last step and no further.
func TestStreamsAreReadOnAStoppedGateway(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("scrim.yaml", published)
	put("policies/10.cedar", `permit (principal, action == Action::"aggregate", resource == Dataset::"stays");`)
	db, err := sql.Open("sqlite", filepath.Join(dir, "stays.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE stays (patient TEXT, ward TEXT, admitted TEXT); INSERT INTO stays VALUES
		('p1', 'icu', '2026-01-05T10:00:00Z'), ('p2', 'er', '2026-01-06T10:00:00Z'), ('p3', 'er', '2026-01-06T11:00:00Z'), ('p3', 'er', '2026-01-06T12:00:00Z'),
		('p4', 'icu', '2026-01-07T23:59:59Z'), ('p5', 'icu', '2026-01-08T00:00:00Z')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "scrim.yaml")
	serveUntilPublished(t, file)

	read := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := cli.Main(append(append([]string{"stream"}, args...), "-c", file), strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("%v: %d: %s", args, code, errs.String())
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	if got, want := read("list"), "STREAM EVERY STEPS UNTIL STATE stays/admissions 24h0m0s 3 2026-01-08T00:00:00Z going"; got != want {
		t.Errorf("the list is %q, want %q", got, want)
	}
	want := "FROM UNTIL WARD N 95 % FROM TO 2026-01-06T00:00:00Z 2026-01-07T00:00:00Z icu 0 -1 1 2026-01-06T00:00:00Z 2026-01-07T00:00:00Z er 2 1 3 " +
		"2026-01-07T00:00:00Z 2026-01-08T00:00:00Z icu 1 0 2 2026-01-07T00:00:00Z 2026-01-08T00:00:00Z er 0 -1 1"
	if got := read("read", "stays/admissions", "--points", "2", "--window", "1"); got != want { // noise of a twentieth
		t.Errorf("read is\n%s, want\n%s", got, want)
	}
	got := read("read", "stays/admissions", "--until", "2026-01-07T00:00:00Z", "--json")
	for _, want := range []string{`"step":2`, `"n":2`, `"cost":0`, `"column":"n"`} {
		if !strings.Contains(got, want) {
			t.Errorf("JSON lacks %s: %s", want, got)
		}
	}
}

// serveUntilPublished runs a gateway until all steps can be read.
func serveUntilPublished(t *testing.T, file string) {
	t.Helper()
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(t.Context(), c, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, nil, nil) }()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if n := g.Published(t.Context(), "stays", "admissions"); n == 3 {
			break
		}
		if time.Now().After(end) {
			t.Error("the stream was not published")
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
