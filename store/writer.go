package store

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	savepoint  = "SAVEPOINT closure"
	rollbackTo = "ROLLBACK TO closure"
	release    = "RELEASE closure"
)

// writer runs closures one after another, many in one transaction.
type writer struct {
	session *session
	opt     Options
	queue   chan *request
	wake    chan struct{} // holds one; sent after the queue was
	done    chan struct{} // closed when the goroutine has ended
	file    string        // of the database; "": it is none of ours
	broken  failure       // when the disk, or the connection, failed
	lead    sync.Mutex    // held by whoever runs transactions: the goroutine, or a caller with nobody before it

	mu     sync.RWMutex // read-held while sending to queue, so that nobody sends after it is closed
	closed bool
}

// failure is why a store stopped. It is set once.
type failure struct {
	why  *atomic.Pointer[error]
	gone chan struct{} // closed then
}

func newFailure() failure { return failure{new(atomic.Pointer[error]), make(chan struct{})} }

func (f failure) set(why error) {
	if f.why.CompareAndSwap(nil, &why) {
		close(f.gone)
	}
}

func (f failure) get() error {
	if why := f.why.Load(); why != nil {
		return *why
	}
	return nil
}

// request is one Update on its way.
type request struct {
	ctx   context.Context
	fn    func(Tx) error
	taken atomic.Bool // by the writer, which runs it, or by a caller that gives up
	err   error       // the closure's own
	done  chan error  // gets the outcome, once
}

func startWriter(s *session, opt Options, file string) *writer {
	w := &writer{file: file, session: s, opt: opt, queue: make(chan *request, queueLength), wake: make(chan struct{}, 1), done: make(chan struct{}), broken: newFailure()}
	go w.run()
	return w
}

// submit queues fn and waits for its outcome.
func (w *writer) submit(ctx context.Context, fn func(Tx) error) error {
	r := &request{ctx: ctx, fn: fn, done: make(chan error, 1)}
	if w.direct(r) {
		return <-r.done
	}
	if err := w.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return ctx.Err() // it never ran
		}
		return <-r.done
	}
}

// direct runs the request in its caller's goroutine if nobody else is writing or waiting, which saves two handovers. It
// reports whether it did; the outcome is then in r.done.
func (w *writer) direct(r *request) bool {
	if len(w.queue) > 0 || !w.lead.TryLock() {
		return false
	}
	defer w.lead.Unlock()
	w.mu.RLock()
	closed := w.closed
	w.mu.RUnlock()
	if closed || r.ctx.Err() != nil {
		return false // said better by enqueue
	}
	var group []*request
	finished := false
	defer func() {
		if !finished { // the closure ended its goroutine, this one
			w.lost(group)
		}
	}()
	w.transaction(r, &group, false) // others must not run in this goroutine: one could end it
	finished = true
	return true
}

// lost answers for a transaction whose goroutine was ended within it.
func (w *writer) lost(group []*request) {
	_ = w.session.control(rollback) // nothing was committed, whatever it says
	answer(group, &PanicError{Type: "call of runtime.Goexit"})
}

func (w *writer) enqueue(r *request) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- r:
		w.rouse()
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// drain refuses new requests and waits until the queued ones have their outcome.
func (w *writer) drain() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
		w.rouse()
	}
	w.mu.Unlock()
	<-w.done
	w.lead.Lock() // a caller may still be at it
	defer w.lead.Unlock()
	return nil
}

// run is the writer's goroutine. A closure that ends the goroutine, as a failing test's does, costs its group the
// transaction; the next goroutine carries on.
func (w *writer) run() {
	var group []*request
	finished := false
	defer func() {
		if finished {
			close(w.done)
			return
		}
		w.lost(group)
		w.lead.Unlock()
		w.rouse()
		go w.run()
	}()
	for more := true; more; {
		<-w.wake
		w.lead.Lock() // whoever holds it meanwhile takes from the queue too
		more = w.work(&group)
		w.lead.Unlock()
	}
	finished = true
}

// work runs what is queued, and reports whether more can come.
func (w *writer) work(group *[]*request) bool {
	for {
		select {
		case first, open := <-w.queue:
			if !open {
				return false
			}
			*group = (*group)[:0]
			w.transaction(first, group, true)
		default:
			return true
		}
	}
}

// rouse tells the goroutine that there may be something in the queue.
func (w *writer) rouse() {
	select {
	case w.wake <- struct{}{}:
	default: // it has not yet come to the last one
	}
}

// transaction runs first and, if it may, whatever else is waiting, commits, and answers all.
func (w *writer) transaction(first *request, group *[]*request, others bool) {
	if err := w.broken.get(); err != nil {
		first.done <- err
		return
	}
	if err := w.session.control(beginWrite); err != nil {
		w.check(err)
		first.done <- fmt.Errorf("beginning a transaction: %w", err)
		return
	}
	var err error
	wrote := false
	for r := first; r != nil; r = w.next(len(*group)) {
		if !r.taken.CompareAndSwap(false, true) {
			continue // its caller gave up
		}
		*group = append(*group, r)
		if wrote {
			err = w.closure(r)
		} else {
			wrote, err = w.alone(r)
		}
		if err != nil || !others || len(*group) == w.opt.MaxBatch {
			break // before another request is taken from the queue
		}
	}
	if err == nil {
		err = w.session.control(commit)
	}
	if err != nil {
		w.check(err)
		_ = w.session.control(rollback) // may have happened already
		err = fmt.Errorf("committing: %w", named(err, w.file))
	}
	answer(*group, err)
	*group = (*group)[:0]
}

// next takes the next request if there is one.
func (w *writer) next(taken int) *request {
	select {
	case r := <-w.queue: // nil once closed and empty
		return r
	default:
	}
	if w.opt.Window <= 0 || taken < 2 {
		return nil // a lone caller never waits for company
	}
	timer := time.NewTimer(w.opt.Window)
	defer timer.Stop()
	select {
	case r := <-w.queue:
		return r
	case <-timer.C:
		return nil
	}
}

// alone runs a request that has the transaction for itself so far and needs no savepoint: to undo it the transaction
// begins anew. It reports whether the request's writes stay.
func (w *writer) alone(r *request) (bool, error) {
	if r.err = r.ctx.Err(); r.err != nil {
		return false, nil
	}
	t := &tx{s: w.session, ctx: context.Background()}
	r.err = t.run(r.fn)
	if t.fatal == nil && damaged(r.err) { // seen while rows were read
		t.fatal = r.err
	}
	if t.fatal != nil || r.err == nil {
		return true, t.fatal
	}
	if err := w.session.control(rollback); err != nil {
		return false, err
	}
	return false, w.session.control(beginWrite)
}

// closure runs one request in its savepoint. It returns an error if the transaction as a whole is lost.
func (w *writer) closure(r *request) error {
	if r.err = r.ctx.Err(); r.err != nil {
		return nil
	}
	if err := w.session.control(savepoint); err != nil {
		return err
	}
	t := &tx{s: w.session, ctx: context.Background()}
	r.err = t.run(r.fn)
	if t.fatal == nil && damaged(r.err) { // seen while rows were read
		t.fatal = r.err
	}
	if t.fatal != nil {
		return t.fatal
	}
	if r.err != nil {
		if err := w.session.control(rollbackTo); err != nil {
			return err
		}
	}
	return w.session.control(release)
}

// check stops the store for good if the error leaves in doubt what is on disk.
func (w *writer) check(err error) {
	if broken(err) {
		stop := fmt.Errorf("%w: restart when the %s is well: %w", ErrBroken, w.session.what(), named(err, w.file))
		w.broken.set(stop)
	}
}

// answer gives everybody the group's error, or their own.
func answer(group []*request, err error) {
	for _, r := range group {
		switch {
		case r.err != nil && !damaged(r.err):
			r.done <- r.err
		default:
			r.done <- err
		}
	}
}

// call runs fn and turns a panic into a [*PanicError].
func call(fn func(Tx) error, t Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = PanicOf(v)
		}
	}()
	return fn(t)
}

// PanicOf describes a recovered panic. It must be called by the deferred function that recovered.
func PanicOf(v any) *PanicError { return &PanicError{Place: panicPlace(), Type: fmt.Sprintf("%T", v)} }

// panicPlace finds the line that panicked: the first one above the runtime's own.
func panicPlace() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		if !more {
			return ""
		}
	}
}
