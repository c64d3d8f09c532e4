package answers_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const (
	pad     = 600 * time.Millisecond // of what is to take its time; a computation has three quarters of it
	leisure = 2 * time.Minute        // of all others, which do not wait for the end of it
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// sealer is one key for the length of a test.
type sealer struct{ key [32]byte }

func (s *sealer) Seal(plain, ad []byte) ([]byte, error) {
	c, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, c.NonceSize(), c.NonceSize()+len(plain)+c.Overhead())
	_, _ = rand.Read(nonce)
	return c.Seal(nonce, nonce, plain, ad), nil
}

func (s *sealer) Open(sealed, ad []byte) ([]byte, error) {
	c, err := chacha20poly1305.NewX(s.key[:])
	if err != nil || len(sealed) < c.NonceSize() {
		return nil, errors.New("cannot be opened")
	}
	return c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], ad)
}

// rig is a book before a ledger with room for a number of questions of ε = 0.1.
type rig struct {
	t      *testing.T
	dir    string
	db     store.DB
	ledger *budget.Ledger
	book   *answers.Book
	seal   *sealer
	signer ed25519.PrivateKey
	now    atomic.Int64 // nanoseconds after epoch
	faults atomic.Int64
	drawn  atomic.Int64
}

func newRig(t *testing.T, questions int64) *rig {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "data"), seal: &sealer{}, signer: key}
	r.open()
	t.Cleanup(func() { _ = r.db.Close() })
	err = r.ledger.Declare(t.Context(), budget.Budget{
		Dataset: "claims", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: questions * 100_000_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) clock() time.Time { return epoch.Add(time.Duration(r.now.Load())) }

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.db, err = storetest.Try(r.t, r.dir, store.Options{NoSync: true}, budget.Schema(), answers.Schema()); err != nil {
		r.t.Fatal(err)
	}
	if r.ledger, err = budget.Open(r.t.Context(), r.db, budget.Options{Signer: r.signer, Seal: r.seal, Clock: r.clock}); err != nil {
		r.t.Fatal(err)
	}
	r.book = r.bookOf(r.db)
}

func (r *rig) bookOf(db store.DB) *answers.Book {
	r.t.Helper()
	return r.padded(db, leisure, func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
}

// padded is a book whose answers leave when wait says so; nil: when they are to.
func (r *rig) padded(db store.DB, pad time.Duration, wait func(context.Context, time.Duration) error) *answers.Book {
	r.t.Helper()
	b, err := answers.New(db, r.ledger, answers.Options{Seal: r.seal, Clock: r.clock, Pad: pad, Wait: wait, Fault: func(error) { r.faults.Add(1) }})
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// ask is a question that draws another number each time it is computed.
func (r *rig) ask(plan string) answers.Ask {
	return answers.Ask{
		Question: answers.Question{
			Dataset: "claims", Schedule: answers.Schedule{From: epoch, Every: 24 * time.Hour}, Plan: []byte(plan), Cost: tenth(r.t),
		},
		Scope:   budget.Scope{Dataset: "claims", Domain: "insurer", Workflow: "review", Agent: "a1"},
		Compute: func(context.Context) ([]byte, error) { return fmt.Appendf(nil, "draw %d", r.drawn.Add(1)), nil },
		Decide:  func(context.Context, answers.Answer) error { return nil },
	}
}

func tenth(t *testing.T) account.Vector {
	v, err := account.VectorOf(account.Mechanism{Kind: account.Laplace, Scale: 10, Sensitivity: 1, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// spent is how many questions were charged.
func (r *rig) spent() int64 {
	r.t.Helper()
	all, err := r.ledger.Remaining(r.t.Context(), budget.Scope{Dataset: "claims"}, budget.Range{})
	if err != nil || len(all) == 0 {
		r.t.Fatalf("%v, %v", all, err)
	}
	return all[0].Spent.Epsilon / 100_000_000
}

func (r *rig) must(a answers.Ask) answers.Answer {
	r.t.Helper()
	got, err := r.book.Ask(r.t.Context(), a)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

func TestTheSameQuestionIsPaidForOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	first := r.must(r.ask("count"))
	if !first.Fresh || first.Version.Number != 0 || !first.Version.Ends.Equal(epoch.Add(24*time.Hour)) {
		t.Fatalf("%+v", first)
	}
	decided := 0
	other := r.ask("count")
	other.Scope.Domain, other.Scope.Agent, other.Key = "lab", "b2", "their key"
	other.Decide = func(_ context.Context, a answers.Answer) error {
		decided++
		if a.Fresh {
			t.Error("a stored answer is called new")
		}
		return nil
	}
	for range 3 {
		if got := r.must(other); !bytes.Equal(got.Body, first.Body) || got.Fresh {
			t.Fatalf("%+v, want %s", got, first.Body)
		}
	}
	if decided != 3 || r.drawn.Load() != 1 || r.spent() != 1 {
		t.Errorf("decided %d times, drawn %d times, charged %d times", decided, r.drawn.Load(), r.spent())
	}
	r.now.Store(int64(24 * time.Hour))
	next := r.must(r.ask("count"))
	if !next.Fresh || next.Version.Number != 1 || r.spent() != 2 {
		t.Errorf("another version of the data: %+v, charged %d", next, r.spent())
	}
	// A key keeps the answer that it was given, whatever the version is by now.
	if got := r.must(other); !bytes.Equal(got.Body, first.Body) || got.Version.Number != 0 {
		t.Errorf("%+v, want %s of version 0", got, first.Body)
	}
}

// Everything that gives a question another answer makes it another question; who asks and why does not.
func TestWhatMakesAQuestion(t *testing.T) {
	t.Parallel()
	r := newRig(t, 20)
	r.must(r.ask("count"))
	differ := map[string]func(*answers.Ask){
		"plan":     func(a *answers.Ask) { a.Question.Plan = []byte("sum") },
		"bounds":   func(a *answers.Ask) { a.Question.Bounds = []byte("3 rows") },
		"joined":   func(a *answers.Ask) { a.Question.Plan, a.Question.Bounds = []byte("coun"), []byte("t") },
		"catalog":  func(a *answers.Ask) { a.Question.Catalog[3] = 1 },
		"cost":     func(a *answers.Ask) { a.Question.Cost.Epsilon++ },
		"rdp":      func(a *answers.Ask) { a.Question.Cost.RDP[5]++ },
		"schedule": func(a *answers.Ask) { a.Question.Schedule.Every = 48 * time.Hour },
		"blocks":   func(a *answers.Ask) { a.Question.Blocks = budget.Range{From: 0, To: 1} },
		"none":     func(a *answers.Ask) { a.Question.Schedule = answers.Schedule{} },
	}
	for name, change := range differ {
		a := r.ask("count")
		change(&a)
		if got := r.must(a); !got.Fresh {
			t.Errorf("%s: it got the answer to another question", name)
		}
	}
	for name, change := range map[string]func(*answers.Ask){
		"agent":    func(a *answers.Ask) { a.Scope.Agent = "a2" },
		"domain":   func(a *answers.Ask) { a.Scope.Domain = "lab" },
		"workflow": func(a *answers.Ask) { a.Scope.Workflow = "fraud" },
		"request":  func(a *answers.Ask) { a.Request[0], a.Key = 1, "k" },
		"label":    func(a *answers.Ask) { a.Label = "again" },
	} {
		a := r.ask("count")
		change(&a)
		if got := r.must(a); got.Fresh {
			t.Errorf("%s: it got a second draw", name)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5)
	a := r.ask("count")
	a.Question.Schedule = answers.Schedule{}
	a.Key, a.Request = "k1", [32]byte{1}
	first := r.must(a)
	if again := r.must(a); again.Fresh || !bytes.Equal(again.Body, first.Body) {
		t.Errorf("a retry got %+v, want %s", again, first.Body)
	}
	b := a
	b.Request = [32]byte{2}
	if _, err := r.book.Ask(t.Context(), b); !errors.Is(err, answers.ErrConflict) {
		t.Errorf("another request by the same key: %v", err)
	}
	b.Scope.Agent = "a2" // whose keys are its own
	if got := r.must(b); !got.Fresh {
		t.Error("one agent got what another one's key stands for")
	}
	a.Key = ""
	if got := r.must(a); !got.Fresh {
		t.Error("without a schedule and a key nothing is the same")
	}
}

func TestManyWhoAskAtOnceCauseOneComputation(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	second := r.bookOf(r.db) // as of another process
	a := r.ask("count")
	a.Compute = func(context.Context) ([]byte, error) {
		time.Sleep(30 * time.Millisecond)
		return fmt.Appendf(nil, "draw %d", r.drawn.Add(1)), nil
	}
	var wg sync.WaitGroup
	bodies := make([]string, 24)
	for i := range bodies {
		wg.Go(func() {
			mine := a
			mine.Scope.Agent = fmt.Sprintf("a%d", i)
			b := r.book
			if i%2 == 1 {
				b = second
			}
			got, err := b.Ask(t.Context(), mine)
			if err != nil {
				t.Error(err)
			}
			bodies[i] = string(got.Body)
		})
	}
	wg.Wait()
	for _, b := range bodies {
		if b != "draw 1" {
			t.Errorf("somebody got %q", b)
		}
	}
	if r.drawn.Load() != 1 || r.spent() != 1 {
		t.Errorf("drawn %d times, charged %d times", r.drawn.Load(), r.spent())
	}
}

// What was refused is as if it had not been asked: the next one, who may pay, is not held up, and the same key may try again.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	denied := errors.New("denied")
	a := r.ask("count")
	a.Key = "k"
	a.Before = func(context.Context) error { return denied }
	if _, err := r.book.Ask(t.Context(), a); !errors.Is(err, denied) {
		t.Fatal(err)
	}
	if r.spent() != 0 || r.drawn.Load() != 0 {
		t.Fatalf("charged %d, drawn %d", r.spent(), r.drawn.Load())
	}
	a.Before = nil
	a.Decide = func(context.Context, answers.Answer) error { return denied }
	if got, err := r.book.Ask(t.Context(), a); !errors.Is(err, denied) || got.Body != nil {
		t.Fatalf("%s, %v", got.Body, err)
	}
	a.Decide = func(context.Context, answers.Answer) error { return nil }
	if got := r.must(a); got.Fresh || r.spent() != 1 {
		t.Errorf("%+v, charged %d", got, r.spent())
	}
	if _, err := r.book.Ask(t.Context(), r.ask("sum")); !errors.Is(err, budget.ErrExhausted) {
		t.Errorf("a question too many: %v", err)
	}
	if got := r.must(r.ask("count")); string(got.Body) != "draw 1" {
		t.Error("what was paid for is not given any more")
	}
}

// A question that fails stays charged, says nothing of why, and a retry neither pays nor draws.
func TestFailuresStayCharged(t *testing.T) {
	t.Parallel()
	for name, compute := range map[string]func(context.Context) ([]byte, error){
		"error": func(context.Context) ([]byte, error) { return nil, errors.New("division by canary") },
		"panic": func(context.Context) ([]byte, error) { panic("canary") },
		"late": func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			time.Sleep(pad / 2)
			return []byte("late canary"), nil
		},
		"large": func(context.Context) ([]byte, error) { return make([]byte, 9<<20), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3)
			a := r.ask("count")
			a.Key, a.Pad = "k", pad
			var calls atomic.Int64 // the late one still runs
			a.Compute = func(ctx context.Context) ([]byte, error) { calls.Add(1); return compute(ctx) }
			for range 3 {
				_, err := r.book.Ask(t.Context(), a)
				if !errors.Is(err, answers.ErrFailed) || strings.Contains(err.Error(), "canary") {
					t.Fatal(err)
				}
			}
			if calls.Load() != 1 || r.spent() != 1 || r.faults.Load() != 1 {
				t.Errorf("computed %d times, charged %d times, %d faults told", calls.Load(), r.spent(), r.faults.Load())
			}
			if got := r.must(r.ask("count")); !got.Fresh { // somebody else tries
				t.Error("a failed question blocks its data version")
			}
		})
	}
}

// Whoever leaves does not take along what was paid for.
func TestAnAskerWhoLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	a := r.ask("count")
	a.Compute = func(c context.Context) ([]byte, error) {
		cancel()
		time.Sleep(10 * time.Millisecond)
		return []byte("kept"), c.Err()
	}
	if _, err := r.book.Ask(ctx, a); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := r.must(r.ask("count")); string(got.Body) != "kept" {
		t.Errorf("%+v", got)
	}
}

func TestAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	r.now.Store(int64(25 * time.Hour))
	r.must(r.ask("count"))
	r.now.Store(int64(23 * time.Hour))
	if _, err := r.book.Ask(t.Context(), r.ask("sum")); !errors.Is(err, answers.ErrClock) {
		t.Errorf("a version that is over was opened again: %v", err)
	}
	r.now.Store(int64(-time.Hour))
	if _, err := r.book.Ask(t.Context(), r.ask("count")); !errors.Is(err, answers.ErrClock) {
		t.Errorf("before the first version: %v", err)
	}
	if r.spent() != 1 {
		t.Errorf("charged %d", r.spent())
	}
}

// New, stored, refused and failed leave at the same times.
func TestPaddedTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.must(r.ask("count"))
	failing := r.ask("fails")
	failing.Compute = func(context.Context) ([]byte, error) { return nil, errors.New("no") }
	denied := r.ask("count")
	denied.Decide = func(context.Context, answers.Answer) error { return errors.New("denied") }
	book := r.padded(r.db, pad, nil)
	for _, a := range []answers.Ask{r.ask("count"), failing, r.ask("refused"), denied, r.ask("count")} {
		began := time.Now()
		_, _ = book.Ask(t.Context(), a)
		if took := time.Since(began); took < pad {
			t.Errorf("%s: it took %s, less than %s", a.Question.Plan, took, pad)
		}
	}
}

// A process that died while it computed leaves the question to others, at a new price, and its asker's key without an answer.
func TestAProcessThatDies(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	stuck := make(chan struct{})
	defer close(stuck)
	a := r.ask("count")
	a.Key, a.Pad = "k", time.Hour
	a.Compute = func(context.Context) ([]byte, error) { <-stuck; return []byte("never seen"), nil }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := make(chan struct{})
	a.Before = func(context.Context) error { close(began); return nil }
	go func() { _, _ = r.book.Ask(ctx, a) }()
	<-began
	for r.spent() == 0 {
		time.Sleep(time.Millisecond)
	}
	other := r.bookOf(r.db)
	b := r.ask("count")
	b.Pad = pad // four times as long it is waited for
	if _, err := other.Ask(t.Context(), b); !errors.Is(err, answers.ErrBusy) {
		t.Fatalf("while it may still be alive: %v", err)
	}
	b.Pad = leisure
	r.now.Store(int64(2 * time.Hour))
	b.Key, b.Request = "k", a.Request
	if _, err := other.Ask(t.Context(), b); !errors.Is(err, answers.ErrFailed) {
		t.Errorf("the key of the one that died: %v", err)
	}
	b.Key = "another"
	if got, err := other.Ask(t.Context(), b); err != nil || !got.Fresh || r.spent() != 2 {
		t.Errorf("%+v, %v, charged %d", got, err, r.spent())
	}
}

func TestAnswersAreSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	a := r.ask("count")
	a.Compute = func(context.Context) ([]byte, error) { return []byte("canary-answer"), nil }
	r.must(a)
	err := r.db.View(t.Context(), func(tx store.Tx) error {
		var n int64
		if err := tx.QueryRow("SELECT COUNT(*) FROM answers_given WHERE CAST(body AS TEXT) LIKE '%canary%'").Scan(&n); err != nil || n != 0 {
			return errors.Join(err, fmt.Errorf("%d answers lie open", n))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// An answer that was put in another one's place is not given.
	b := r.ask("sum")
	b.Before = func(context.Context) error {
		return r.db.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Exec("UPDATE answers_given SET body = (SELECT body FROM answers_given WHERE body IS NOT NULL) WHERE body IS NULL")
			return err
		})
	}
	if got, err := r.book.Ask(t.Context(), b); err == nil {
		t.Errorf("the answer to another question was given: %s", got.Body)
	}
}

func TestBadQuestions(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	for name, change := range map[string]func(*answers.Ask){
		"no dataset":     func(a *answers.Ask) { a.Question.Dataset, a.Scope.Dataset = "", "" },
		"no plan":        func(a *answers.Ask) { a.Question.Plan = nil },
		"two datasets":   func(a *answers.Ask) { a.Scope.Dataset = "other" },
		"no computation": func(a *answers.Ask) { a.Compute = nil },
		"no decision":    func(a *answers.Ask) { a.Decide = nil },
		"negative pad":   func(a *answers.Ask) { a.Pad = -1 },
		"fast schedule":  func(a *answers.Ask) { a.Question.Schedule.Every = time.Millisecond },
		"no beginning":   func(a *answers.Ask) { a.Question.Schedule = answers.Schedule{Every: time.Hour} },
	} {
		a := r.ask("count")
		change(&a)
		_, err := r.book.Ask(t.Context(), a)
		if !errors.Is(err, answers.ErrQuestion) && !errors.Is(err, answers.ErrSchedule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.spent() != 0 || r.drawn.Load() != 0 {
		t.Error("a bad question cost something")
	}
}

func TestWhatIsNoLongerKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, 10)
	a := r.ask("count")
	a.Key = "k"
	first := r.must(a)
	r.now.Store(int64(32 * 24 * time.Hour))
	r.must(r.ask("sum")) // cleans up
	got := r.must(a)
	if !got.Fresh || bytes.Equal(got.Body, first.Body) || r.spent() != 3 {
		t.Errorf("%+v, charged %d", got, r.spent())
	}
}

// A retry that comes while its first try is under way waits for it.
func TestAnImpatientRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	a := r.ask("count")
	a.Key = "k"
	a.Compute = func(context.Context) ([]byte, error) {
		time.Sleep(75 * time.Millisecond)
		return fmt.Appendf(nil, "draw %d", r.drawn.Add(1)), nil
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got, err := r.book.Ask(t.Context(), a); err != nil || string(got.Body) != "draw 1" {
				t.Errorf("%s, %v", got.Body, err)
			}
		})
	}
	wg.Wait()
	if r.spent() != 1 {
		t.Errorf("charged %d times", r.spent())
	}
}
