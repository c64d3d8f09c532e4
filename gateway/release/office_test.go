package release_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func TestAReleaseIsOnRecordBeforeItHasItsName(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	seen := map[string]string{}
	job := r.file(columns(), func(step string) { seen[step] = fmt.Sprintf("%s, named %t", outcomes(r.events(t)), r.has(t, "")) })
	m, err := r.office.Release(context.Background(), r.snap, toLab, job)
	must(t, err)
	for step, want := range map[string]string{
		"opened": "opened, named false", "written": "opened, named false", "closed": "opened closed, named false", "renamed": "opened closed, named true",
		"beside " + release.ManifestSuffix: "opened closed, named false",
	} {
		if seen[step] != want {
			t.Errorf("at the step %q the journal and the table were %q, want %q", step, seen[step], want)
		}
	}
	all := r.events(t)
	ev := all[1]
	if ev.Flow.ID != m.Flow || ev.Flow.To.Agent != "study" || ev.Flow.Purpose != "research" || ev.Flow.Protocol != release.Protocol || ev.Flow.Subject != "patients" || ev.Flow.Direction != flow.Response {
		t.Errorf("the flow on record is %+v", ev.Flow)
	}
	want := flow.Table{Plan: "plan-1", Source: m.Source, Digest: outcome().Digest, In: 10, Out: 9, Suppressed: 1, K: 6, L: 2, Risk: 167}
	if ev.Table == nil || *ev.Table != want {
		t.Errorf("the table on record is %+v, want %+v", ev.Table, want)
	}
	if all[0].Table.K != 5 || len(ev.Levels) != 4 || ev.PolicyHash != r.snap.Policy.Hash() || len(ev.Policies) == 0 {
		t.Errorf("the opened row promises %+v; the closed one has levels %v, policies %v", all[0].Table, ev.Levels, ev.Policies)
	}
}

// failing is a journal that does not take some row.
type failing struct {
	outcome flow.Outcome
	inner   interface {
		Append(store.Tx, flow.Event, audit.Private) (flow.Receipt, error)
	}
}

var errFull = errors.New("the disk is full")

func (f failing) Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error) {
	if ev.Outcome == f.outcome {
		return flow.Receipt{}, errFull
	}
	return f.inner.Append(tx, ev, p)
}

func TestNoRecordNoRelease(t *testing.T) {
	for _, outcome := range []flow.Outcome{flow.Opened, flow.Closed} {
		r := open(t, t.TempDir(), labPolicy)
		r.office.Journal = failing{outcome, r.log}
		if _, err := r.office.Release(context.Background(), r.snap, toLab, r.file(columns(), nil)); !errors.Is(err, errFull) {
			t.Errorf("without an %s row: Release() error = %v, want the journal's", outcome, err)
		}
		if r.has(t, "") || r.has(t, release.ManifestSuffix) {
			t.Errorf("without an %s row the table has its name", outcome)
		}
		if outcome == flow.Opened && r.has(t, ".part") {
			t.Error("something was written before the opened row")
		}
	}
}

func TestWhatMintsNoTokensPublishesNothing(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	job := r.file(columns(), nil)
	job.Mint = func(store.Tx) error { return errFull }
	if _, err := r.office.Release(context.Background(), r.snap, toLab, job); !errors.Is(err, errFull) || r.has(t, "") {
		t.Errorf("Release() error = %v, named %t; want the vault's error and no table", err, r.has(t, ""))
	}
	if got := outcomes(r.events(t)); got != "opened refused" {
		t.Errorf("the journal has %q, want no closed row", got)
	}
}

func TestTheTableIsWhatWasDecided(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*release.Outcome)
		want   error
	}{
		"another plan":     {func(o *release.Outcome) { o.Plan = "plan-2" }, release.ErrPlan},
		"a smaller k":      {func(o *release.Outcome) { o.Model.K = 4 }, release.ErrWeaker},
		"a smaller l":      {func(o *release.Outcome) { o.Model.L = 0 }, release.ErrWeaker},
		"a larger risk":    {func(o *release.Outcome) { o.Model.Risk = 201 }, release.ErrWeaker},
		"no risk measured": {func(o *release.Outcome) { o.Model.Risk = 0 }, release.ErrWeaker},
		"no digest":        {func(o *release.Outcome) { o.Digest = "" }, nil},
	} {
		r := open(t, t.TempDir(), labPolicy)
		job := r.file(columns(), nil)
		job.Model.Risk = 200
		run := job.Run
		job.Run = func(ctx context.Context, before func(release.Outcome) error) error {
			return run(ctx, func(o release.Outcome) error { c.change(&o); return before(o) })
		}
		_, err := r.office.Release(context.Background(), r.snap, toLab, job)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: Release() error = %v, want %v", name, err, c.want)
		}
		if got := outcomes(r.events(t)); r.has(t, "") || got != "opened refused" {
			t.Errorf("%s: the table is named %t, the journal has %q", name, r.has(t, ""), got)
		}
	}
}

func TestARecipientChecksARelease(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	m, err := r.office.Release(context.Background(), r.snap, toLab, r.file(columns(), nil))
	must(t, err)
	raw, sig := r.read(t, release.ManifestSuffix), r.read(t, release.SignatureSuffix)
	got, err := release.Verify(r.key(), raw, sig)
	must(t, err)
	if got.Flow != m.Flow || got.Receipt != m.Receipt || got.Measured.K != 6 || got.Rows != (release.Rows{In: 10, Out: 9, Suppressed: 10, RoundedTo: 10}) || len(got.Columns) != 4 || got.Duties.Retain == 0 {
		t.Errorf("Verify() = %+v, want %+v", got, m)
	}
	must(t, got.Check(bytes.NewReader(r.read(t, ""))))
	if err := got.Check(strings.NewReader(written + "1")); !errors.Is(err, release.ErrTable) {
		t.Errorf("Check() of another table: error = %v, want ErrTable", err)
	}
	more := bytes.Replace(raw, []byte(`"k": 6`), []byte(`"k": 9`), 1)
	if bytes.Equal(more, raw) {
		t.Fatal("the manifest has no k to change")
	}
	if _, err := release.Verify(r.key(), more, sig); !errors.Is(err, release.ErrSignature) {
		t.Errorf("Verify() of a changed manifest: error = %v, want ErrSignature", err)
	}
	other := open(t, t.TempDir(), labPolicy)
	if _, err := release.Verify(other.key(), raw, sig); !errors.Is(err, release.ErrSignature) {
		t.Errorf("Verify() by another key: error = %v, want ErrSignature", err)
	}
	for suffix := range map[string]bool{release.ManifestSuffix: true, release.SignatureSuffix: true, release.LineageSuffix: true} {
		contains(t, suffix, r.read(t, suffix), "secret-fingerprint", "patients.csv", r.dir, "J45", "46*")
	}
	for _, ev := range r.events(t) {
		if ev.Table.Source == outcome().Fingerprint {
			t.Error("the journal has the source's fingerprint, which can be tried out")
		}
	}
}

func FuzzVerify(f *testing.F) {
	r := open(f, f.TempDir(), labPolicy)
	_, err := r.office.Release(context.Background(), r.snap, toLab, r.file(columns(), nil))
	must(f, err)
	raw, sig := r.read(f, release.ManifestSuffix), r.read(f, release.SignatureSuffix)
	f.Add(raw, sig)
	f.Add([]byte("{}"), sig)
	f.Add(raw, []byte("x"))
	f.Fuzz(func(t *testing.T, m, s []byte) {
		if _, err := release.Verify(r.key(), m, s); err == nil && !bytes.Equal(m, raw) {
			t.Fatal("a manifest passes that nobody signed")
		}
	})
}

// The child that is killed at a step.
const crashDir, crashStep = "SCRIM_RELEASE_CRASH_DIR", "SCRIM_RELEASE_CRASH_STEP"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		t := &child{}
		r := open(t, dir, labPolicy)
		_, err := r.office.Release(context.Background(), r.snap, toLab, r.file(columns(), func(step string) {
			if step == os.Getenv(crashStep) {
				fmt.Println("here")
				select {} // until it is killed
			}
		}))
		fmt.Println("not reached:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child is what open needs of a test.
type child struct{ testing.TB }

func (*child) Helper()           {}
func (*child) Cleanup(func())    {}
func (*child) Fatal(args ...any) { fmt.Println(args...); os.Exit(1) }

func TestACrashAtAnyStepLeavesNoTableWithoutARecord(t *testing.T) {
	for _, c := range []struct {
		step           string
		named          bool
		before, resume string // the journal after the crash, and after the resumption
	}{
		{"opened", false, "opened", "opened opened closed"},
		{"written", false, "opened", "opened opened closed"},
		{"beside " + release.ManifestSuffix, false, "opened closed", "opened closed opened closed"},
		{"beside " + release.LineageSuffix, false, "opened closed", "opened closed opened closed"},
		{"closed", false, "opened closed", "opened closed opened closed"},
		{"renamed", true, "opened closed", "opened closed opened closed"},
	} {
		t.Run(c.step, func(t *testing.T) {
			dir := t.TempDir()
			kill(t, dir, c.step)
			r := open(t, dir, labPolicy)
			if got := outcomes(r.events(t)); got != c.before || r.has(t, "") != c.named {
				t.Fatalf("after the crash the journal has %q, the table is named %t; want %q, %t", got, r.has(t, ""), c.before, c.named)
			}
			first := r.events(t)[0].Flow.ID
			job := r.file(columns(), nil)
			job.Resume = true
			m, err := r.office.Release(context.Background(), r.snap, toLab, job)
			if c.named {
				p, ok := errors.AsType[*release.Published](err)
				if !ok || p.Flow != first || !errors.Is(err, table.ErrExists) {
					t.Fatalf("Release() error = %v, want Published by %s", err, first)
				}
			} else if must(t, err); m.Parent != first {
				t.Errorf("the resumed release has parent %q, want %q", m.Parent, first)
			}
			all := r.events(t)
			if got := outcomes(all); got != c.resume || all[len(all)-1].Flow.Parent != first {
				t.Errorf("after the resumption the journal has %q, the last about %q; want %q about %q", got, all[len(all)-1].Flow.Parent, c.resume, first)
			}
			if c.named {
				_, err = r.office.Release(context.Background(), r.snap, toLab, job)
				if _, again := errors.AsType[*release.Published](err); again || !errors.Is(err, table.ErrExists) {
					t.Errorf("a second resumption: error = %v, want that the destination exists", err)
				}
			}
			if _, err := release.Verify(r.key(), r.read(t, release.ManifestSuffix), r.read(t, release.SignatureSuffix)); err != nil {
				t.Errorf("beside the table lies a manifest that does not verify: %v", err)
			}
		})
	}
}

// kill runs a release in a child and kills it at the step.
func kill(t *testing.T, dir, step string) {
	t.Helper()
	storetest.Prepare(t)
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashStep+"="+step)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line := make([]byte, 5)
	_, err = io.ReadFull(out, line)
	if err != nil || string(line) != "here\n" {
		rest, _ := io.ReadAll(out)
		_ = cmd.Wait()
		t.Fatalf("the child said %q%q", line, rest)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
}

func TestACancelledReleaseIsOnRecord(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	ctx, cancel := context.WithCancel(context.Background())
	job := r.file(columns(), nil)
	job.Run = func(ctx context.Context, _ func(release.Outcome) error) error {
		cancel()
		return ctx.Err()
	}
	if _, err := r.office.Release(ctx, r.snap, toLab, job); !errors.Is(err, context.Canceled) {
		t.Errorf("Release() error = %v, want context.Canceled", err)
	}
	all := r.events(t)
	if got := outcomes(all); got != "opened refused" || all[1].Reason != "the release was cancelled" {
		t.Errorf("the journal has %q: %s", got, all[1].Reason)
	}
}

func TestATableThatIsThereIsNotReleasedAgain(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	must(t, os.WriteFile(filepath.Join(r.dir, "extract.csv"), []byte("somebody else's"), 0o600))
	for _, resume := range []bool{false, true} {
		job := r.file(columns(), nil)
		job.Resume = resume
		_, err := r.office.Release(context.Background(), r.snap, toLab, job)
		if _, claimed := errors.AsType[*release.Published](err); claimed || !errors.Is(err, table.ErrExists) {
			t.Errorf("resume %t: Release() error = %v, want ErrExists and no claim that we published it", resume, err)
		}
	}
	for _, ev := range r.events(t) {
		if ev.Outcome == flow.Closed {
			t.Error("the journal claims that a table was released which nobody wrote")
		}
	}
}

func TestAPromiseThatNobodyMeasuredIsNone(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	job := r.file(columns(), nil)
	job.Model = policy.Model{} // a plan without models
	if _, err := r.office.Release(context.Background(), r.snap, toLab, job); !errors.Is(err, release.ErrRefused) {
		t.Errorf("Release() error = %v, want ErrRefused", err)
	}
}

// What the plan makes of each column is on record with the decision, sealed, and what became of it at the end.
func TestTheRecordSaysWhatIsMadeOfAColumn(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	job := r.file(columns(), nil)
	write := job.Run
	job.Run = func(ctx context.Context, before func(release.Outcome) error) error {
		return write(ctx, func(out release.Outcome) error {
			out.Levels = map[string]int{"born": 1, "zip": 2, "sex": 0}
			return before(out)
		})
	}
	_, err := r.office.Release(context.Background(), r.snap, toLab, job)
	must(t, err)
	want := []map[flow.Path]string{
		{"/born": "generalized", "/zip": "raw", "/sex": "raw", "/diagnosis": "raw"},
		{"/born": "generalized", "/zip": "generalized", "/sex": "raw", "/diagnosis": "raw"},
	}
	n := 0
	for e, err := range audit.Entries(context.Background(), r.db, audit.Query{}) {
		must(t, err)
		plain, err := r.keys.AEAD("journal").Open(e.Sealed, []byte(e.Event.Flow.ID))
		must(t, err)
		in, err := gateway.DecodeInputs(plain)
		must(t, err)
		if n == len(want) || len(in.Leaves) != len(want[n]) {
			t.Fatalf("row %d has %d columns", e.Seq, len(in.Leaves))
		}
		for _, l := range in.Leaves {
			if l.Need == nil || l.Need.String() != want[n][l.Path] {
				t.Errorf("row %d: %s is released %v, want %s", e.Seq, l.Path, l.Need, want[n][l.Path])
			}
		}
		n++
	}
	if n != len(want) {
		t.Errorf("there are %d rows, want %d", n, len(want))
	}
}
