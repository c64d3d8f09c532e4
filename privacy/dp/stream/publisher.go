package stream

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this package's part of the store, which goes with that of package continual in one database.
func Schema() store.Schema { return store.Schema{Name: "privacy/dp/stream", FS: migrations} }

// Source is where a dataset lies.
type Source struct {
	Engine relation.Engine
	Seed   relation.Seed // by which rows and groups of a unit are chosen: the same for as long as the dataset's questions have it
}

// Ledger charges epochs: a [budget.Ledger].
type Ledger interface {
	Reserve(context.Context, budget.Charge) (*budget.Reservation, error)
}

// Step is one step that is about to be released, for the record.
type Step struct {
	Dataset, Stream string
	Number          int64
	From, Until     time.Time
}

// Options of a publisher. DB, Seal, Ledger and Source are needed.
type Options struct {
	DB     store.DB // has the tables of [Schema] and of continual's. Publishers of several processes may share it
	Seal   continual.Sealer
	Ledger Ledger
	Source func(ctx context.Context, dataset string) (Source, error)

	// Record puts a step on record, in the transaction that stores it; if it fails, so does the step. Nil: nothing is recorded.
	Record func(store.Tx, Step) error
	// Frozen reports whether a dataset stands still: then none of its steps is taken and nothing is charged, and what is paid for and
	// the state of its noise stay as they are. Nil: none does. Record is to ask once more, and to return [ErrFrozen].
	Frozen func(dataset string) bool
	Fault  func(error)      // is told what held a stream up, once; nil: nobody is
	Clock  func() time.Time // nil: time.Now
	Limit  time.Duration    // for one step's question; 0: five minutes
	Random *noise.Source    // for known-answer tests alone. Nil: the operating system
}

// Publisher takes the steps of streams as they fall due, and tells what was released. It is safe for concurrent use.
type Publisher struct {
	opt Options

	mu      sync.Mutex // guards the fields below
	streams map[string]*worker
	running context.Context // of Run; nil: it does not run
	ended   sync.WaitGroup
}

// New returns a publisher without streams.
func NewPublisher(opt Options) (*Publisher, error) {
	if opt.DB == nil || opt.Seal == nil || opt.Ledger == nil || opt.Source == nil {
		return nil, errors.New("opening streams: options need a database, a seal, a ledger and a source")
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Limit <= 0 {
		opt.Limit = 5 * time.Minute
	}
	return &Publisher{opt: opt, streams: map[string]*worker{}}, nil
}

// Set puts the streams of a configuration in force. One that is gone stops, and what it released stays and goes on if it comes back; one that
// was declared otherwise under the same name is not published (see [Changed]).
func (p *Publisher) Set(plans []*Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.streams
	p.streams = map[string]*worker{}
	for _, plan := range plans {
		name := plan.key()
		w := old[name]
		if w != nil && w.plan.digest == plan.digest && w.plan.Definition == plan.Definition {
			p.streams[name] = w
			delete(old, name)
			continue
		}
		w = &worker{p: p, plan: plan, wake: make(chan struct{}, 1)}
		p.streams[name] = w
		if p.running != nil {
			p.start(w)
		}
	}
	for _, w := range old {
		w.stop()
	}
}

// Run publishes until ctx ends, and returns when no step is under way any more.
func (p *Publisher) Run(ctx context.Context) {
	p.mu.Lock()
	p.running = ctx
	for _, w := range p.streams {
		p.start(w)
	}
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	p.ended.Wait()
}

// start begins a worker; p.mu is held.
func (p *Publisher) start(w *worker) {
	ctx, cancel := context.WithCancel(p.running)
	w.mu.Lock()
	w.cancel = cancel
	w.mu.Unlock()
	p.ended.Go(func() {
		defer cancel()
		w.run(ctx)
	})
}

// CatchUp takes all steps of all streams that are due, one after the other. Its error says what holds which of them up.
func (p *Publisher) CatchUp(ctx context.Context) error {
	var all []error
	for _, w := range p.workers() {
		if _, err := w.catchUp(ctx); err != nil {
			all = append(all, fmt.Errorf("stream %s: %w", w.plan.key(), err))
		}
	}
	return errors.Join(all...)
}

func (p *Publisher) workers() []*worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*worker
	for _, w := range p.streams {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *worker) int { return strings.Compare(a.plan.key(), b.plan.key()) })
	return all
}

func (p *Publisher) worker(dataset, name string) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := Definition{Dataset: dataset, Name: name}
	return p.streams[d.key()]
}

// Halt says why a stream does not go on. It depends on declarations, charges and time, never on data.
type Halt string

// The reasons.
const (
	Going     Halt = ""          // it goes on
	Exhausted Halt = "exhausted" // the dataset's budget has no room for what comes next
	Ended     Halt = "ended"     // all steps that were declared are released
	Changed   Halt = "changed"   // it was declared otherwise before under the same name: give it another
	SetBack   Halt = "set-back"  // its state is an older copy: steps would be released twice
	Frozen    Halt = "frozen"    // the dataset stands still until it is thawed
	Failing   Halt = "failing"   // its source cannot be asked, or the step cannot be stored; it is tried again
)

// Errors that hold a stream up.
var (
	ErrChanged = errors.New("stream was declared otherwise before; a stream with other parameters needs another name")
	ErrFrozen  = errors.New("dataset is frozen")
	ErrSetBack = errors.New("what is stored of the stream does not fit together, as if some of it were an older copy")
)

func haltOf(err error) Halt {
	switch {
	case err == nil:
		return Going
	case errors.Is(err, ErrFrozen):
		return Frozen
	case errors.Is(err, budget.ErrExhausted):
		return Exhausted
	case errors.Is(err, continual.ErrEnded):
		return Ended
	case errors.Is(err, ErrChanged), errors.Is(err, continual.ErrExists):
		return Changed
	case errors.Is(err, ErrSetBack), errors.Is(err, continual.ErrSealed):
		return SetBack
	}
	return Failing
}

// worker publishes one stream.
type worker struct {
	p    *Publisher
	plan *Plan

	wake chan struct{} // has room for one

	taking sync.Mutex // held while steps are taken; guards the fields below
	params *continual.Params
	term   int64
	sums   *continual.Stream // of the term; nil: it must be opened

	mu     sync.Mutex // guards the fields below
	cancel context.CancelFunc
	halt   Halt
	meter  *continual.Meter
}

func (w *worker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
	}
}

// longestNap bounds a wait, so that a clock that was put right is noticed; lastingNap is for what only an operator changes.
const (
	longestNap = 30 * time.Second
	lastingNap = 10 * time.Minute
)

// run takes steps until ctx ends.
func (w *worker) run(ctx context.Context) {
	failed := 0
	for ctx.Err() == nil {
		wait, err := w.catchUp(ctx)
		switch halt := haltOf(err); {
		case ctx.Err() != nil:
			return
		case halt == Failing:
			failed++
			wait = min(time.Second<<min(failed, 6), longestNap)
		case halt != Going:
			wait = lastingNap
		default:
			failed = 0
			wait = min(wait, longestNap)
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-time.After(wait):
		}
	}
}

// Wake has every stream look at once whether it goes on, such as after a thaw.
func (p *Publisher) Wake() {
	for _, w := range p.workers() {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// frozen reports whether the stream stands still.
func (w *worker) frozen() bool {
	return w.p.opt.Frozen != nil && w.p.opt.Frozen(w.plan.Dataset)
}

// catchUp takes all steps that are due and returns how long it is until the next one is.
func (w *worker) catchUp(ctx context.Context) (time.Duration, error) {
	w.taking.Lock()
	defer w.taking.Unlock()
	for {
		wait, err := w.next(ctx)
		if err != nil && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		w.say(err)
		if err != nil || wait > 0 {
			return wait, err
		}
	}
}

// say keeps why the stream does not go on, and tells of it once.
func (w *worker) say(err error) {
	halt := haltOf(err)
	w.mu.Lock()
	news := halt != w.halt
	w.halt = halt
	w.mu.Unlock()
	if news && err != nil && w.p.opt.Fault != nil {
		w.p.opt.Fault(fmt.Errorf("stream %s does not go on: %w", w.plan.key(), err))
	}
}
