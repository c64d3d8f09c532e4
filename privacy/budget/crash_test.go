package budget_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const childEnv = "SCRIM_BUDGET_CHILD"

// order is what a child process is to do.
type order struct {
	Dir, URL, Schema string
	First            int // of the keys; 0: none, spend without keys until there is nothing left
	Spenders         int
	Hold             int   // after so many charges spend no more, and do not end; 0: go on
	Each             int64 // nano-ε
	Lease            time.Duration
}

func child(text string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fail(err)
	}
	ctx := context.Background()
	opt := options(&clock{at: time.Now()})
	opt.Clock = time.Now
	var db store.DB
	var err error
	if o.Dir != "" {
		db, err = store.Open(ctx, o.Dir, []store.Schema{budget.Schema()}, store.Options{})
	} else {
		opt.Shared = true
		db, err = store.OpenPostgres(ctx, flow.NewSecret(o.URL), []store.Schema{budget.Schema()}, store.Options{Schema: o.Schema, Shared: true, NoSync: true})
	}
	if err != nil {
		return fail(err)
	}
	l, err := budget.Open(ctx, db, opt)
	if err != nil {
		return fail(err)
	}
	say("ready")
	if o.First > 0 {
		err = answerKeys(l, o)
	} else {
		err = spendAll(l, o)
	}
	if err := errors.Join(err, l.Close(ctx), db.Close()); err != nil {
		return fail(err)
	}
	return 0
}

// say prints a line in one write, so that it is whole or not there.
func say(format string, args ...any) { os.Stdout.WriteString(fmt.Sprintf(format+"\n", args...)) }

// keyed is the charge of key i.
func keyed(i int, each int64, lease time.Duration) budget.Charge {
	return budget.Charge{Scope: agent1, Cost: pure(each), Key: fmt.Sprint("k", i), Request: digest(fmt.Sprint("q", i)), Lease: lease}
}

// answerKeys draws one answer a key, and says so before and after it is committed.
func answerKeys(l *budget.Ledger, o order) error {
	ctx := context.Background()
	for i := o.First; ; i++ {
		r, err := l.Reserve(ctx, keyed(i, o.Each, o.Lease))
		if err != nil {
			return err
		}
		say("reserved %d", i)
		if err := r.Begin(); err != nil {
			return err
		}
		answer := fmt.Sprint(rand.Uint64())
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		if err := r.Commit(ctx, []byte(answer)); err != nil {
			return err
		}
		say("answered %d %s", i, answer)
	}
}

// spendAll spends until there is nothing left.
func spendAll(l *budget.Ledger, o order) error {
	ctx := context.Background()
	var wg sync.WaitGroup
	var n atomic.Int64
	for range o.Spenders {
		wg.Go(func() {
			for {
				if o.Hold > 0 && n.Add(1) > int64(o.Hold) {
					time.Sleep(time.Hour) // until killed
				}
				r, err := l.Reserve(ctx, budget.Charge{Scope: agent1, Cost: pure(o.Each), Lease: o.Lease})
				if errors.Is(err, budget.ErrExhausted) {
					return
				}
				if err == nil {
					err = errors.Join(r.Begin(), r.Commit(ctx, nil))
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				say("spent")
			}
		})
	}
	wg.Wait()
	return nil
}

// process is a child that runs.
type process struct {
	*exec.Cmd
	out    *bufio.Scanner
	stderr strings.Builder
}

func start(t *testing.T, o order) *process {
	t.Helper()
	text, err := json.Marshal(o)
	must(t, err)
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), childEnv+"="+string(text))
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	must(t, err)
	must(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill() })
	p.out = bufio.NewScanner(out)
	return p
}

// times is how often a process is killed.
func times(few int) int {
	if os.Getenv("SCRIM_LONG") == "1" {
		return 25
	}
	return few
}

// However often the process is killed between reserving and committing: nothing is overspent, no key is drawn for twice, and the same
// key gives the same answer.
func TestKilledBetweenReserveAndCommit(t *testing.T) {
	if testing.Short() {
		t.Skip("runs and kills processes")
	}
	storetest.NeedsDirectory(t)
	const each = 10_000
	dir := t.TempDir()
	prepare := storetest.OpenDir(t, dir, budget.Schema())
	h := openDB(t, prepare, newClock())
	h.declare(t, patients(nano, 0))
	must(t, h.Close(t.Context()))
	must(t, prepare.Close())
	answers := map[int]string{}
	next, lost, leased := 1, 0, int64(0)
	for n := 0; n < times(4) || lost == 0 && n < 200; n++ { // where a kill lands is chance
		o := order{Dir: dir, First: next, Each: each}
		if n%3 == 2 {
			o.Lease = time.Minute
		}
		last := killWithin(t, o, answers)
		db := storetest.OpenDir(t, dir, budget.Schema())
		h := openDB(t, db, newClock())
		rep := h.sound(t)
		for i := max(1, next-3); i <= last+1; i++ {
			got, stored, err := ask(h, i, each)
			switch known, ok := answers[i]; {
			case ok && got != known:
				t.Fatalf("key %d gives %q, %v; it gave %q before", i, got, err, known)
			case !ok && stored:
				answers[i] = got // committed, and killed before it could say so
			case !ok && errors.Is(err, budget.ErrLost):
				lost++
			case !ok && err == nil && i <= last:
				t.Fatalf("key %d was reserved and may be drawn for again", i)
			case !ok && err != nil:
				t.Fatalf("key %d: %v", i, err)
			}
		}
		leased = rep.Leased
		spent := h.spent(t, claims, 0).Epsilon / each
		if keys := int64(last + 1); spent < keys || spent > keys+leased {
			t.Fatalf("%d charges are in the sums, %d keys were reserved and %d are in slices that nobody holds", spent, keys, leased)
		}
		next = last + 2
		must(t, h.Close(t.Context()))
		must(t, db.Close())
	}
	if lost == 0 {
		t.Error("no process was killed between reserving and committing")
	}
	t.Logf("%d keys answered, %d lost, %d charges lost with slices", len(answers), lost, leased)
}

// ask reserves a key and leaves it open if it is new.
func ask(h *house, i int, each int64) (answer string, stored bool, err error) {
	r, err := h.reserve(keyed(i, each, 0))
	if err != nil {
		return "", false, err
	}
	a, stored := r.Answer()
	return string(a), stored, nil
}

// killWithin runs a child, kills it at some reservation, and returns the last key that it reserved.
func killWithin(t *testing.T, o order, answers map[int]string) (last int) {
	t.Helper()
	p := start(t, o)
	left := 1 + rand.IntN(40)
	for p.out.Scan() {
		var i int
		var a string
		if n, _ := fmt.Sscanf(p.out.Text(), "answered %d %s", &i, &a); n == 2 {
			answers[i] = a
		}
		if n, _ := fmt.Sscanf(p.out.Text(), "reserved %d", &i); n == 1 {
			if last = i; left == 0 {
				time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
				_ = p.Process.Kill()
			}
			left--
		}
	}
	_ = p.Wait() // it was killed
	if last == 0 {
		t.Fatalf("the child reserved nothing: %s", p.stderr.String())
	}
	return last
}
