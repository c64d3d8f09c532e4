package emit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/emit"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// rows are what a tracer would say: n rows, of which every third says nothing, and the others have a start and an end.
func rows(n int64) func(context.Context, int64, int) ([]trace.Traced, error) {
	return func(_ context.Context, after int64, most int) (out []trace.Traced, err error) {
		for seq := after + 1; seq <= n && len(out) < most; seq++ {
			row := trace.Traced{Seq: seq}
			for _, kind := range []lineage.Type{lineage.Start, lineage.Complete} {
				if seq%3 == 0 {
					continue
				}
				name := lineage.Name{Namespace: "scrim://hospital", Name: fmt.Sprint("job", seq)}
				ev := &lineage.Event{Type: kind, Time: time.Unix(seq, 0), Producer: trace.Producer, Run: &lineage.Run{ID: trace.RunID(flow.ID(fmt.Sprint(seq)))}, Job: &lineage.Job{Name: name}}
				if kind == lineage.Complete && seq%2 == 0 {
					ev.Inputs, ev.Outputs = []lineage.Dataset{{Name: name}}, []lineage.Dataset{{Name: name}}
				}
				row.Events = append(row.Events, ev)
			}
			out = append(out, row)
		}
		return out, nil
	}
}

// want are the lines that a file has in the end.
func want(t testing.TB, n int64) (lines []string) {
	t.Helper()
	all, _ := rows(n)(t.Context(), 0, 1<<20)
	for _, row := range all {
		for _, ev := range row.Events {
			b, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(b))
		}
	}
	return lines
}

func lines(t testing.TB, name string) []string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func all(t testing.TB, e *emit.Emitter) {
	t.Helper()
	for {
		n, err := e.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// lossy is a store whose transactions fail in the way that is set.
type lossy struct {
	store.DB
	lose, forget bool
}

var errLost = errors.New("the disk is full")

func (l *lossy) Update(ctx context.Context, fn func(store.Tx) error) error {
	if l.lose {
		return errLost
	}
	err := l.DB.Update(ctx, fn)
	if l.forget {
		return errors.Join(err, errLost)
	}
	return err
}

// Whenever the process ends, before or after its cursor moved and in the middle of a line, the file holds each event once.
func TestAFileHoldsEachEventOnce(t *testing.T) {
	db := &lossy{DB: storetest.Open(t, trace.Schema())}
	name := filepath.Join(t.TempDir(), "out", "lineage.jsonl")
	const n = 500
	open := func() *emit.Emitter {
		return emit.New(emit.Options{Name: "file", DB: db, Rows: rows(n), To: &emit.File{Path: name}})
	}
	e := open()
	for i := 0; ; i++ {
		db.lose, db.forget = i%4 == 1 && i > 0, i%4 == 3
		got, err := e.Step(t.Context())
		if err == nil && got == 0 && i > 4 {
			break
		}
		if err != nil && !errors.Is(err, errLost) {
			t.Fatal(err)
		}
		if err != nil || i%3 == 0 {
			if i%2 == 0 { // the last line was written in part
				b, _ := os.ReadFile(name)
				if err != nil && len(b) > 10 && db.lose {
					_ = os.WriteFile(name, b[:len(b)-7], 0o600)
				}
			}
			e = open()
		}
	}
	if got := lines(t, name); !slices.Equal(got, want(t, n)) {
		t.Errorf("the file has %d lines, want the %d events each once and in order", len(got), len(want(t, n)))
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v)", info.Mode(), err)
	}
}

func TestAFileThatIsMovedAwayBeginsAnew(t *testing.T) {
	db := storetest.Open(t, trace.Schema())
	name := filepath.Join(t.TempDir(), "lineage.jsonl")
	all(t, emit.New(emit.Options{Name: "file", DB: db, Rows: rows(10), To: &emit.File{Path: name}}))
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	e := emit.New(emit.Options{Name: "file", DB: db, Rows: rows(20), To: &emit.File{Path: name}})
	all(t, e)
	if got := append(lines(t, name+".1"), lines(t, name)...); !slices.Equal(got, want(t, 20)) {
		t.Errorf("both files have %d lines, want %d", len(got), len(want(t, 20)))
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("somebody else's")
	_ = f.Close()
	all(t, emit.New(emit.Options{Name: "file", DB: db, Rows: rows(30), To: &emit.File{Path: name}}))
	got := lines(t, name)
	if i := slices.Index(got, "somebody else's"); i < 0 || !slices.Equal(append(lines(t, name+".1"), slices.Delete(got, i, i+1)...), want(t, 30)) {
		t.Error("what somebody else wrote is lost, or something was written twice")
	}
}

// receiver takes events, and answers by what it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	paths  map[string]bool
	auth   map[string]bool
	answer func(n int, body string) int
	calls  int
}

func newReceiver(t testing.TB, answer func(n int, body string) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer, paths: map[string]bool{}, auth: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls++
		r.paths[req.URL.Path], r.auth[req.Header.Get("Authorization")] = true, true
		status := http.StatusCreated
		if r.answer != nil {
			status = r.answer(r.calls, b.String())
		}
		if status < 300 {
			r.got = append(r.got, b.String())
		}
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("what it wrote"))
	}))
	t.Cleanup(r.Close)
	return r
}

func TestEventsArriveInOrderHoweverOftenTheReceiverFails(t *testing.T) {
	r := newReceiver(t, func(n int, _ string) int {
		return []int{201, 500, 429, 200, 302, 401, 204}[n%7]
	})
	var told []error
	db := storetest.Open(t, trace.Schema())
	to := &emit.HTTP{Kind: emit.Marquez, URL: r.URL, Header: "Authorization", Secret: func() (flow.Secret, error) { return flow.NewSecret("Bearer s3cret"), nil }}
	e := emit.New(emit.Options{Name: "m", DB: db, Rows: rows(60), To: to})
	for i := 0; ; i++ {
		n, err := e.Step(t.Context())
		if err != nil {
			told = append(told, err)
			if i%3 == 0 {
				e = emit.New(emit.Options{Name: "m", DB: db, Rows: rows(60), To: to})
			}
			continue
		}
		if n == 0 {
			break
		}
	}
	got := slices.Compact(slices.Clone(r.got)) // one that was sent again after a start follows itself, or its row's start
	seen, order := map[string]bool{}, []string{}
	for _, s := range got {
		if !seen[s] {
			seen[s] = true
			order = append(order, s)
		}
	}
	if !slices.Equal(order, want(t, 60)) {
		t.Errorf("%d events arrived, want %d in order", len(order), len(want(t, 60)))
	}
	if len(told) == 0 || !r.paths["/api/v1/lineage"] || len(r.paths) != 1 || !r.auth["Bearer s3cret"] {
		t.Errorf("told %d failures; asked at %v", len(told), r.paths)
	}
	for _, err := range told {
		if strings.Contains(err.Error(), "what it wrote") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("an error repeats too much: %v", err)
		}
	}
}

// What a receiver will never take is left out after some tries, and counted; the others arrive.
func TestWhatIsRefusedHoldsNothingUp(t *testing.T) {
	r := newReceiver(t, func(_ int, body string) int {
		if strings.Contains(body, `"job4"`) {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	e := emit.New(emit.Options{Name: "m", DB: storetest.Open(t, trace.Schema()), Rows: rows(9), To: &emit.HTTP{Kind: emit.DataHub, URL: r.URL + "/"}})
	refused := 0
	for {
		n, err := e.Step(t.Context())
		if errors.Is(err, emit.ErrRefused) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	s, err := e.Status(t.Context())
	if err != nil || s.Refused != 2 || s.Seq != 9 || refused != 4 || len(r.got) != len(want(t, 9))-2 || !r.paths["/openapi/openlineage/api/v1/lineage"] {
		t.Errorf("status %+v (%v) after %d refusals; %d arrived at %v", s, err, refused, len(r.got), r.paths)
	}
}

func TestOpenMetadataIsSentWhatItTakes(t *testing.T) {
	r := newReceiver(t, nil)
	all(t, emit.New(emit.Options{Name: "o", DB: storetest.Open(t, trace.Schema()), Rows: rows(12), To: &emit.HTTP{Kind: emit.OpenMetadata, URL: r.URL}}))
	for _, ev := range r.got {
		if !strings.Contains(ev, `"COMPLETE"`) || !strings.Contains(ev, `"outputs"`) {
			t.Errorf("it was sent %s", ev)
		}
	}
	if len(r.got) != 4 || !r.paths["/api/v1/openlineage/lineage"] {
		t.Errorf("%d events came at %v, want 4", len(r.got), r.paths)
	}
}

// An emitter that begins late sends what comes from then on; one that cannot reach anybody says so and ends with its context.
func TestAnEmitterBeginsAndEnds(t *testing.T) {
	db := storetest.Open(t, trace.Schema())
	r := newReceiver(t, nil)
	all(t, emit.New(emit.Options{Name: "late", DB: db, Rows: rows(10), Begin: 8, To: &emit.HTTP{Kind: emit.OpenLineage, URL: r.URL + "/here"}}))
	if len(r.got) != 2 || !r.paths["/here"] {
		t.Errorf("%d events came at %v, want those of row 10", len(r.got), r.paths)
	}
	told := make(chan error, 100)
	e := emit.New(emit.Options{Name: "nobody", DB: db, Rows: rows(10), Least: time.Millisecond, Most: 5 * time.Millisecond, OnError: func(err error) { told <- err },
		To: &emit.HTTP{Kind: emit.Marquez, URL: "http://name:pass-word@127.0.0.1:1"}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	if err := <-told; strings.Contains(err.Error(), "pass-word") {
		t.Errorf("an error repeats a credential: %v", err)
	}
	<-told
	cancel()
	<-done
	if s, err := e.Status(t.Context()); err != nil || s.Seq != 0 || s.Error == "" {
		t.Errorf("status %+v, %v", s, err)
	}
}
