package release_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/store"
)

const visitsPlan = `version: 1
columns:
  name: {technique: drop}
  zip: {role: quasi, prefix: [3, 1], least: 1}
  diagnosis: {role: sensitive}
subject: name
stream: {model: castle, k: 5, l: 2, column: diagnosis, delay: 8}
`

func (r *rig) streamed(t testing.TB, text string, in io.Reader, out io.Writer) *release.Streamed {
	t.Helper()
	p, err := plan.Parse("plan.yaml", []byte(text))
	must(t, err)
	c, err := p.Compile(p.Named(), nil, nil)
	must(t, err)
	return &release.Streamed{Plan: c, Source: "visits", Target: "stream 1", In: in, Out: out}
}

const streamPolicy = labPolicy + `
	@id("diagnoses") @exception("ethics board") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis");`

func visits(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"name":"Person%d","zip":"%03d","diagnosis":"J%d"}`+"\n", i, i, i%3)
	}
	return b.String()
}

// watch sees what is on record when the first byte leaves.
type watch struct {
	bytes.Buffer
	first func()
}

func (w *watch) Write(b []byte) (int, error) {
	if w.Len() == 0 && w.first != nil {
		w.first()
	}
	return w.Buffer.Write(b)
}

func TestAStreamIsOnRecordBeforeItsFirstRecordLeaves(t *testing.T) {
	r := open(t, t.TempDir(), streamPolicy)
	out := &watch{}
	out.first = func() {
		if got := outcomes(r.events(t)); got != "opened" {
			t.Errorf("on record when the first record leaves: %q, want opened", got)
		}
	}
	s := r.streamed(t, visitsPlan, strings.NewReader(visits(50)), out)
	m, err := r.office.Release(t.Context(), r.snap, toLab, s.Job())
	must(t, err)
	all := r.events(t)
	if got := outcomes(all); got != "opened closed" {
		t.Fatalf("on record: %q, want opened closed", got)
	}
	left := int64(strings.Count(out.String(), "\n"))
	ev := all[1].Table
	if left == 0 || ev.In != 50 || ev.Out != left || ev.Suppressed != 50-left || ev.K != 5 || ev.Digest == "" {
		t.Errorf("the closed row says %+v, and %d records left of 50", ev, left)
	}
	must(t, m.Check(strings.NewReader(out.String())))
	contains(t, "what left", out.Bytes(), "Person")
}

// nowhere is a journal that fails at one row.
type nowhere struct {
	gatewayJournal
	at   int
	rows *int
}

type gatewayJournal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
}

var errJournal = errors.New("the journal is full")

func (n nowhere) Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error) {
	if *n.rows++; *n.rows == n.at {
		return flow.Receipt{}, errJournal
	}
	return n.gatewayJournal.Append(tx, ev, p)
}

func TestAStreamThatCannotBeRecordedLetsNothingLeave(t *testing.T) {
	r := open(t, t.TempDir(), streamPolicy)
	var out bytes.Buffer
	log := r.office.Journal
	r.office.Journal = nowhere{log, 1, new(int)}
	s := r.streamed(t, visitsPlan, strings.NewReader(visits(50)), &out)
	if _, err := r.office.Release(t.Context(), r.snap, toLab, s.Job()); !errors.Is(err, errJournal) || out.Len() > 0 {
		t.Errorf("Release() error = %v, and %d bytes left, want the journal's and none", err, out.Len())
	}
	// Where the closed row cannot be written, the opened one stays, and nothing says that the stream was refused.
	r.office.Journal = nowhere{log, 2, new(int)}
	s = r.streamed(t, visitsPlan, strings.NewReader(visits(50)), &out)
	if _, err := r.office.Release(t.Context(), r.snap, toLab, s.Job()); !errors.Is(err, errJournal) {
		t.Errorf("Release() error = %v, want the journal's", err)
	}
	if got := outcomes(r.events(t)); got != "opened" {
		t.Errorf("on record: %q, want opened", got)
	}
}

func TestAStreamThatBreaksIsClosedWithWhatLeft(t *testing.T) {
	r := open(t, t.TempDir(), streamPolicy)
	var out bytes.Buffer
	s := r.streamed(t, visitsPlan, strings.NewReader(visits(50)+`{"name":"Victim","zip":"x","diagnosis":"J1"}`+"\n"+visits(20)), &out)
	_, err := r.office.Release(t.Context(), r.snap, toLab, s.Job())
	if err == nil || !strings.Contains(err.Error(), "row 51, column zip") || strings.Contains(err.Error(), "Victim") {
		t.Errorf("Release() error = %v, want one of row 51, column zip", err)
	}
	all := r.events(t)
	left := int64(strings.Count(out.String(), "\n"))
	if got := outcomes(all); got != "opened closed" || all[1].Table.In != 51 || all[1].Table.Out != left || all[1].Table.Suppressed != 51-left || !strings.Contains(all[1].Reason, "error") {
		t.Errorf("on record: %q, %q %+v; %d records left", got, all[1].Reason, all[1].Table, left)
	}
}

// waiting is input that comes and then stays open until the end. Who reads on has taken the last line.
type waiting struct {
	text       io.Reader
	taken, end chan struct{}
}

func (w *waiting) Read(b []byte) (int, error) {
	if n, _ := w.text.Read(b); n > 0 {
		return n, nil
	}
	close(w.taken)
	<-w.end
	return 0, io.EOF
}

func TestAStreamThatIsStoppedFlushesByTheRules(t *testing.T) {
	r := open(t, t.TempDir(), streamPolicy)
	for _, c := range []struct{ came, left int }{{4, 0}, {7, 7}} { // of fewer than five subjects nothing leaves
		in := &waiting{text: strings.NewReader(visits(c.came)), taken: make(chan struct{}), end: make(chan struct{})}
		var out bytes.Buffer
		s := r.streamed(t, visitsPlan, in, &out)
		s.Target = fmt.Sprint("stream ", c.came)
		ctx, stop := context.WithCancel(t.Context())
		go func() { <-in.taken; stop() }()
		job := s.Job()
		run := job.Run
		job.Run = func(_ context.Context, before func(release.Outcome) error) error { return run(ctx, before) }
		if _, err := r.office.Release(t.Context(), r.snap, toLab, job); err != nil {
			t.Errorf("Release() error = %v, want nil after a stop", err)
		}
		close(in.end)
		if left := strings.Count(out.String(), "\n"); left != c.left || s.Stats.In != int64(c.came) {
			t.Errorf("%d of %d records left, want %d of %d", left, s.Stats.In, c.left, c.came)
		}
	}
	if got := outcomes(r.events(t)); got != "opened closed opened closed" {
		t.Errorf("on record: %q", got)
	}
}
