package report_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/store"
)

// journal is one that was written without a gateway.
type journal struct {
	db   store.DB
	log  *audit.Log
	dir  string
	key  ed25519.PrivateKey
	rows int64

	mu   sync.Mutex
	when time.Time // guarded by mu
}

func openJournal(t testing.TB, opt audit.Options) *journal {
	t.Helper()
	j := &journal{dir: t.TempDir(), key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)), when: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	var err error
	if j.db, err = store.Open(t.Context(), filepath.Join(j.dir, "data"), []store.Schema{audit.Schema()}, store.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	opt.Dir, opt.Clock = filepath.Join(j.dir, "log"), j.now
	if j.log, err = audit.Open(t.Context(), j.db, "scrim.dev/log/hospital", j.key, opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.log.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Log(err)
		}
		if err := j.db.Close(); err != nil {
			t.Log(err)
		}
	})
	return j
}

func (j *journal) now() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.when
}

func (j *journal) set(t time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.when = t
}

// write appends entries that showed something, a second apart.
func (j *journal) write(t testing.TB, n int) {
	t.Helper()
	labels := []flow.Label{"person/name", "health/diagnosis", "person/contact/email", "finance/amount"}
	err := j.db.Update(t.Context(), func(tx store.Tx) error {
		for range n {
			j.rows++
			ev := flow.Event{
				Time: j.now(), Outcome: flow.Released, Policies: []flow.PolicyID{"care", "names"}, PolicyHash: strings.Repeat("ab", 32), ConfigHash: strings.Repeat("cd", 32), Subjects: 2,
				Flow: flow.Flow{ID: flow.ID(fmt.Sprintf("f%d", j.rows)), From: flow.Party{Agent: "records", Domain: "hospital"}, To: flow.Party{Agent: flow.AgentID(fmt.Sprintf("agent-%d", j.rows%20)), Domain: "insurer"}, Purpose: "payment", Protocol: "a2a/1.0", Method: "SendMessage"},
				Levels: []flow.LevelCount{
					{Label: labels[j.rows%4], Level: flow.Masked, By: flow.ByTier, Count: 3}, {Label: labels[(j.rows+1)%4], Level: flow.Raw, Count: 1}, {Label: "text", Level: flow.Dropped, Count: 2},
				},
			}
			if j.rows%50 == 0 {
				ev.Rules = &flow.Rules{What: "proposed", By: "dpo"}
			}
			if j.rows%7 == 0 {
				ev.Outcome, ev.Levels, ev.Reason = flow.Refused, nil, "face"
			}
			if _, err := j.log.Append(tx, ev, audit.Private{Sealed: []byte("sealed")}); err != nil {
				return err
			}
			j.set(j.now().Add(time.Second))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (j *journal) house() report.House {
	return report.House{Source: report.Source{DB: j.db, Domain: "hospital", Entries: j.log.Entries}, Log: j.log, Signer: j.key, Clock: j.now}
}

// stranger counts again, and returns what scrim-verify says.
func (j *journal) stranger(t testing.TB, d *report.Document, logs ...string) string {
	t.Helper()
	if logs == nil {
		logs = []string{filepath.Join(j.dir, "log")}
	}
	f, err := report.Encode(d, j.key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(name, f.JSON, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := tile.VerifierKey(j.log.Origin(), j.log.Key())
	if err != nil {
		t.Fatal(err)
	}
	var out, bad bytes.Buffer
	if program.Main(append([]string{"report", "--key", key, name}, logs...), strings.NewReader(""), &out, &bad) != 0 {
		return "FAIL " + out.String() + bad.String()
	}
	return out.String()
}

// A report over several periods of the log reads pruned rows from its files, and is the same as before they were pruned.
func TestReportsOverPeriodsAndPrunedRows(t *testing.T) {
	j := openJournal(t, audit.Options{Period: audit.Day, Retention: 36 * time.Hour})
	from := j.now()
	for range 4 {
		j.write(t, 70)
		j.set(j.now().Add(24*time.Hour - 70*time.Second))
	}
	q := report.Query{Kind: report.ROPA, From: from.Add(30 * time.Second), To: from.Add(50 * time.Hour)}
	before, err := report.Make(t.Context(), j.house(), q)
	if err != nil {
		t.Fatal(err)
	}
	n, err := j.log.Prune(t.Context())
	if err != nil || n == 0 {
		t.Fatalf("Prune() = %d, %v, want rows that go", n, err)
	}
	after, err := report.Make(t.Context(), j.house(), q)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(before.Sections), fmt.Sprint(after.Sections); a != b || !strings.Contains(a, "agent-3") || !strings.Contains(a, "dpo") {
		t.Errorf("after pruning the report says\n%s\nwant\n%s", b, a)
	}
	if len(after.Log.Trees) != 4 || after.Log.Trees[0].Start != 1 {
		t.Errorf("the report is over %d trees, want 4", len(after.Log.Trees))
	}
	if said := j.stranger(t, after); !strings.Contains(said, "counted again in 180 entries") {
		t.Errorf("scrim-verify says %s", said)
	}
	days := func(from int) (list []string) {
		for _, d := range []string{"2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"}[from:] {
			list = append(list, filepath.Join(j.dir, "log", d))
		}
		return list
	}
	if said := j.stranger(t, after, days(1)...); !strings.Contains(said, "FAIL  absent") {
		t.Errorf("the log's first period is not there: scrim-verify says %s", said)
	}
	later, err := report.Make(t.Context(), j.house(), report.Query{Kind: report.ROPA, From: from.Add(72 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	later.Log.Trees = later.Log.Trees[2:] // none of its time are in those before
	later.Log.First = later.Log.Trees[0].First
	if said := j.stranger(t, later, days(1)...); !strings.Contains(said, "counted again in 70 entries") {
		t.Errorf("a period before the report's time was put away: scrim-verify says %s", said)
	}
	later.From = from
	if said := j.stranger(t, later, days(2)...); !strings.Contains(said, "FAIL  absent") {
		t.Errorf("a period of the report's time was put away: scrim-verify says %s", said)
	}
	period := after.Log.Trees[1]
	after.Log.Trees = append(after.Log.Trees[:1:1], after.Log.Trees[2:]...)
	if said := j.stranger(t, after); !strings.Contains(said, "FAIL  absent") {
		t.Errorf("a period is left out: scrim-verify says %s", said)
	}
	after.Log.Trees = []report.TreeRange{period}
	after.Log.First, after.Log.Last = period.First, period.Last
	if said := j.stranger(t, after); !strings.Contains(said, "FAIL  absent") {
		t.Errorf("all periods but one are left out: scrim-verify says %s", said)
	}
}

// BenchmarkReport makes a report on a long journal, and counts it again.
func BenchmarkReport(b *testing.B) {
	rows := 100_000
	if os.Getenv("SCRIM_LONG") != "" {
		rows = 1_000_000
	}
	j := openJournal(b, audit.Options{})
	for range rows / 1000 {
		j.write(b, 1000)
	}
	var d *report.Document
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			var err error
			if d, err = report.Make(b.Context(), j.house(), report.Query{Kind: report.ROPA}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("count again", func(b *testing.B) {
		for b.Loop() {
			if said := j.stranger(b, d); !strings.Contains(said, "counted again") {
				b.Fatal(said)
			}
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
}
