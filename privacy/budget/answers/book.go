package answers

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the book's tables. They belong into the store that holds the ledger's.
func Schema() store.Schema { return store.Schema{Name: "privacy/budget/answers", FS: migrations} }

// Errors a caller may act on. Refusals of the ledger come as they are.
var (
	ErrConflict = errors.New("key was used for another request")
	ErrFailed   = errors.New("question could not be answered; what it costs is spent")
	ErrBusy     = errors.New("question is still being answered")
)

// Ledger is the part of a [budget.Ledger] that a book charges.
type Ledger interface {
	Reserve(context.Context, budget.Charge) (*budget.Reservation, error)
}

const (
	defaultPad  = 500 * time.Millisecond
	defaultKeep = 30 * 24 * time.Hour
	poll        = 25 * time.Millisecond // how often another process is asked whether it has finished
	grace       = 30 * time.Second      // after a computation's time, before somebody else takes the question over
	maxBody     = 8 << 20
	retries     = 20
	pruned      = 64 // rows that one answer cleans up
	prunedByKey = 4  // keys that a new one cleans up
)

// Options may be left zero but for Seal.
type Options struct {
	Seal  budget.Sealer    // of stored answers; processes that share a store share its key
	Clock func() time.Time // nil: time.Now
	Pad   time.Duration    // whatever the outcome is, it leaves this long after it was asked for, or a multiple of it; 0: half a second
	Keep  time.Duration    // how long a key is remembered, and an answer after its version ended; 0: 30 days
	Fault func(error)      // is told what went wrong inside, for operators; nil: nobody

	// Wait waits for what is left of the padding; nil: so long. It is for tests, which need not wait.
	Wait func(context.Context, time.Duration) error
}

// Book holds answers. It is safe for concurrent use, and so are the books of several processes on one store.
type Book struct {
	db     store.DB
	ledger Ledger
	opt    Options
	owner  [16]byte

	mu      sync.Mutex
	flights map[[32]byte]chan struct{} // questions that this process computes; closed when it no longer does
}

// New returns the book of a store that was opened with [Schema].
func New(db store.DB, ledger Ledger, opt Options) (*Book, error) {
	if opt.Seal == nil {
		return nil, errors.New("opening the book of answers: there is no key to seal them with")
	}
	if opt.Pad < 0 || opt.Keep < 0 {
		return nil, errors.New("opening the book of answers: a time is negative")
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Pad == 0 {
		opt.Pad = defaultPad
	}
	if opt.Keep == 0 {
		opt.Keep = defaultKeep
	}
	if opt.Wait == nil {
		opt.Wait = wait
	}
	b := &Book{db: db, ledger: ledger, opt: opt, flights: map[[32]byte]chan struct{}{}}
	_, _ = rand.Read(b.owner[:]) // never fails
	return b, nil
}

// Ask is one asking of a question.
type Ask struct {
	Question Question
	Scope    budget.Scope // who pays, if it must be paid for
	Key      string       // the asker's idempotency key; "": none
	Request  [32]byte     // digest of the request: the same key with another one is [ErrConflict]
	Label    string       // what the ledger's entry is called
	Pad      time.Duration

	// Before is called once the cost is reserved and before anything reads the data. If it fails, the reservation is
	// released and Ask returns its error. It may be nil.
	Before func(context.Context) error
	// Compute reads the data and draws the noise. Its context ends in time for the padding and does not end when the asker
	// leaves, since the answer is paid for. What it returns is stored and given to everybody who asks the same.
	Compute func(context.Context) ([]byte, error)
	// Decide decides and records what leaves, whether it is new or stored. If it fails, Ask returns its error, and the answer
	// stays in the book.
	Decide func(context.Context, Answer) error
}

// Answer is what was asked for.
type Answer struct {
	Body    []byte
	Version Version // of the data; zero without a schedule
	Fresh   bool    // it was computed and paid for now
}

// Ask answers a question: from the book if it was answered before, else by computing it. It returns at a time that
// does not say which. Refusals of the ledger, [ErrConflict], [ErrFailed], [ErrBusy], [ErrClock] and the errors of Before
// and Decide come back, those of Compute do not.
func (b *Book) Ask(ctx context.Context, a Ask) (Answer, error) {
	if a.Compute == nil || a.Decide == nil {
		return Answer{}, fmt.Errorf("%w: nothing computes or decides it", ErrQuestion)
	}
	if a.Pad < 0 {
		return Answer{}, fmt.Errorf("%w: its padded time is negative", ErrQuestion)
	}
	if a.Pad == 0 {
		a.Pad = b.opt.Pad
	}
	began := time.Now() // monotonic: the clock of versions may be set
	ans, err := b.answer(ctx, a)
	if err == nil {
		if err = a.Decide(ctx, ans); err != nil {
			ans = Answer{}
		}
	}
	if e := b.opt.Wait(ctx, rest(time.Since(began), a.Pad)); e != nil && err == nil {
		return Answer{}, e
	}
	return ans, err
}

// rest is how long to wait for the next multiple of pad.
func rest(took, pad time.Duration) time.Duration { return pad - took%pad }

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer finds the question in the book, or computes it, or waits for who does.
func (b *Book) answer(ctx context.Context, a Ask) (Answer, error) {
	id, err := b.identify(&a)
	if err != nil {
		return Answer{}, err
	}
	for patience := 4 * a.Pad; ; patience -= poll {
		found, err := b.claim(ctx, &a, id)
		id.noted = id.noted || found.noted
		switch {
		case err != nil:
			return Answer{}, err
		case found.failed:
			return Answer{}, ErrFailed
		case found.body != nil:
			body, err := b.open(found.question, found.body)
			return Answer{Body: body, Version: found.version}, err
		case found.mine:
			return b.compute(ctx, a, id)
		case patience <= 0:
			b.leave(ctx, id)
			return Answer{}, ErrBusy
		}
		if err := b.await(ctx, id.question); err != nil {
			b.leave(ctx, id)
			return Answer{}, err
		}
	}
}

// await returns when this process has finished with the question, or soon, since another one may have.
func (b *Book) await(ctx context.Context, question [32]byte) error {
	b.mu.Lock()
	done := b.flights[question]
	b.mu.Unlock()
	t := time.NewTimer(poll)
	defer t.Stop()
	select {
	case <-done: // nil, and so never, if another process computes it
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// compute pays for the question and answers it.
func (b *Book) compute(ctx context.Context, a Ask, id identity) (ans Answer, err error) {
	done := make(chan struct{})
	b.mu.Lock()
	b.flights[id.question] = done
	b.mu.Unlock()
	began := false
	defer func() {
		if !began { // nothing was spent: it is as if it had not been asked
			b.forget(ctx, id)
		}
		b.mu.Lock()
		delete(b.flights, id.question)
		b.mu.Unlock()
		close(done)
	}()
	r, err := b.ledger.Reserve(ctx, budget.Charge{Scope: a.Scope, Blocks: a.Question.Blocks, Cost: a.Question.Cost, Label: a.Label})
	if err != nil {
		return Answer{}, err
	}
	if a.Before != nil {
		if err := a.Before(ctx); err != nil {
			if e := r.Release(context.WithoutCancel(ctx)); e != nil {
				b.fault(fmt.Errorf("releasing a reservation: %w", e))
			}
			return Answer{}, err
		}
	}
	if err := r.Begin(); err != nil {
		return Answer{}, fmt.Errorf("beginning what was reserved: %w", err)
	}
	began = true
	ctx = context.WithoutCancel(ctx) // it is paid for
	body, err := b.draw(ctx, a)
	if err != nil {
		b.fault(fmt.Errorf("computing an answer: %w", err))
		b.fail(ctx, id)
		return Answer{}, ErrFailed
	}
	if err := r.Commit(ctx, nil); err != nil { // before it is stored: others could be given it from then on
		b.fail(ctx, id)
		return Answer{}, fmt.Errorf("committing what an answer cost: %w", err)
	}
	if body, err = b.keep(ctx, &a, id, body); err != nil {
		return Answer{}, err
	}
	return Answer{Body: body, Version: id.version, Fresh: true}, nil
}

// draw calls what computes, and waits for it as long as the padding leaves time: what comes later is lost.
func (b *Book) draw(ctx context.Context, a Ask) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Pad*3/4)
	defer cancel()
	type drawn struct {
		body []byte
		err  error
	}
	ended := make(chan drawn, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				ended <- drawn{err: store.PanicOf(p)}
			}
		}()
		body, err := a.Compute(ctx)
		ended <- drawn{body, err}
	}()
	select {
	case d := <-ended:
		if d.err == nil && len(d.body) > maxBody {
			d.err = fmt.Errorf("answer is longer than %d bytes", maxBody)
		}
		return d.body, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// update runs fn again where another process was in its way.
func (b *Book) update(ctx context.Context, fn func(store.Tx) error) error {
	for try := 0; ; try++ {
		err := b.db.Update(ctx, fn)
		if try == retries || !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (b *Book) fault(err error) {
	if b.opt.Fault != nil {
		b.opt.Fault(err)
	}
}
