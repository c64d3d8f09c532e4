package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// A process that stands still within a transaction must not hold the others for ever.
	sharedSettings = `SELECT set_config('lock_timeout', '10s', false), set_config('idle_in_transaction_session_timeout', '60s', false)`

	// outcomeWait is how long a store asks for the outcome of a commit whose connection was lost. A server that crashed is back by then, as a rule.
	outcomeWait = 30 * time.Second
)

// sharing runs each closure in a transaction of its own, in its caller's goroutine.
type sharing struct {
	p      *Postgres
	free   chan *session // holds as many as may be open; nil stands for one not opened yet
	broken failure       // when an outcome could not be known

	mu      sync.RWMutex // read-held while running is added to
	closed  bool
	running sync.WaitGroup
}

// openShared opens the first connection, and migrates.
func (p *Postgres) openShared(ctx context.Context) error {
	p.shared = &sharing{p: p, free: make(chan *session, p.opt.Writers), broken: newFailure()}
	s, server, err := p.connect(ctx)
	if err != nil {
		return err
	}
	p.server = server
	err = p.migrate(ctx, s.pg)
	if err == nil {
		err = p.shared.prepare(ctx, s.pg, server)
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	p.shared.free <- s
	for range p.opt.Writers - 1 {
		p.shared.free <- nil
	}
	return nil
}

// prepare makes a session one that writes.
func (h *sharing) prepare(ctx context.Context, l *pgLink, server string) error {
	if _, err := l.simple(ctx, sharedSettings); err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	l.patience = patience
	// The transaction has a number from the beginning, so that its outcome can be asked for by another connection.
	l.begin = "BEGIN; SELECT pg_current_xact_id(), current_setting('fsync')"
	l.began = func(row [][]byte) error {
		if len(row) != 2 {
			return errLost
		}
		l.mark = mark{xid: string(row[0]), server: server}
		if h.p.opt.NoSync {
			return nil
		}
		return durable(string(row[1]), "on")
	}
	return nil
}

// open opens a further connection. It holds the lock as the first does: one that is held at all times keeps owners away.
func (h *sharing) open(ctx context.Context) (*session, error) {
	s, server, err := h.p.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err = h.p.share(ctx, s.pg, nil); err == nil {
		err = h.p.unmoved(ctx, s.pg)
	}
	if errors.Is(err, ErrLocked) || errors.Is(err, ErrNewer) {
		err = h.stop(err)
	}
	if err == nil {
		err = h.prepare(ctx, s.pg, server)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// unmoved returns [ErrNewer] if the tables were migrated since the store was opened: all its connections must have been lost meanwhile.
func (p *Postgres) unmoved(ctx context.Context, l *pgLink) error {
	for _, m := range p.plans {
		have, err := version(ctx, l, m.name)
		if err != nil {
			return err
		}
		if have != len(m.files) {
			return newer(m.name, have, len(m.files))
		}
	}
	return nil
}

func (h *sharing) stop(why error) error {
	err := fmt.Errorf("%w: %w", ErrBroken, why)
	h.broken.set(err)
	return err
}

// enter counts one update in, unless the store is closed or stopped.
func (h *sharing) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return ErrClosed
	}
	if err := h.broken.get(); err != nil {
		return err
	}
	h.running.Add(1)
	return nil
}

func (h *sharing) update(ctx context.Context, fn func(Tx) error) error {
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.running.Done()
	var s *session
	select {
	case s = <-h.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		if s != nil && s.pg.c.TxStatus() != 'I' { // the connection is lost, or the closure ended its goroutine and left its transaction
			_ = discard(&s)
		}
		h.free <- s
	}()
	if err := h.begin(ctx, &s); err != nil {
		return err
	}
	t := &tx{s: s, ctx: context.Background()}
	err := h.run(t, fn)
	if err != nil {
		if e := s.control(rollback); e != nil {
			_ = discard(&s)
		}
		if errors.Is(err, errLost) { // before COMMIT was sent, so it never happened
			return fmt.Errorf("%w: %w", ErrConflict, err)
		}
		return err
	}
	return h.commit(&s)
}

// run calls the closure; if that ends its goroutine, its rows are closed all the same.
func (h *sharing) run(t *tx, fn func(Tx) error) error {
	defer func() {
		if !t.ended {
			t.end()
		}
	}()
	err := call(fn, t)
	t.end()
	if t.fatal != nil {
		return t.fatal
	}
	return t.outcome(err)
}

// begin begins a transaction, on a new connection if there is none, or if a server has closed the one there was.
func (h *sharing) begin(ctx context.Context, s **session) (err error) {
	fresh := *s == nil
	for {
		if *s == nil {
			if *s, err = h.open(ctx); err != nil {
				*s = nil
				return fmt.Errorf("opening a connection: %w", err)
			}
		}
		err = (*s).control(beginWrite)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrNotDurable):
			return errors.Join(h.stop(err), discard(s))
		case fresh || !(*s).pg.gone():
			return errors.Join(fmt.Errorf("beginning a transaction: %w", err), discard(s))
		}
		_ = discard(s)
		fresh = true
	}
}

// mark is what a transaction can be found by after its connection was lost.
type mark struct{ xid, server string }

// commit commits, and finds out what became of it if the connection is lost meanwhile.
func (h *sharing) commit(s **session) error {
	m, pid := (*s).pg.mark, (*s).pg.c.PID()
	err := (*s).control(commit)
	if err == nil {
		return nil
	}
	lost := (*s).pg.gone() || errors.Is(err, errLost)
	_ = discard(s)
	if !lost {
		return fmt.Errorf("committing: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), outcomeWait)
	defer cancel()
	for {
		switch known, committed := h.outcome(ctx, m, pid); {
		case known && committed:
			return nil
		case known:
			return fmt.Errorf("%w: committing: %w", ErrConflict, err)
		}
		select {
		case <-ctx.Done():
			return h.stop(fmt.Errorf("a transaction ended in a way that cannot be known: %w", err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// outcome asks a new connection about the transaction. Its number means something on the same history of the same server alone.
func (h *sharing) outcome(ctx context.Context, m mark, pid uint32) (known, committed bool) {
	s, server, err := h.p.connect(ctx)
	if err != nil {
		return false, false
	}
	defer func() { _ = s.close() }()
	if timeline(server) != timeline(m.server) {
		return false, false
	}
	row, err := s.pg.simple(ctx, fmt.Sprintf("SELECT pg_xact_status('%s'::xid8)", m.xid))
	if err != nil || len(row) != 1 {
		return false, false
	}
	switch string(row[0]) {
	case "committed":
		return true, true
	case "aborted":
		return true, false
	}
	// Its backend may not have noticed yet. It is our own, so we may end it.
	_, _ = s.pg.simple(ctx, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	return false, false
}

func timeline(server string) string { return server[max(0, len(server)-8):] }

// drain refuses new updates, waits for those that run, and closes the connections.
func (h *sharing) drain() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.running.Wait()
	var errs []error
	for range cap(h.free) {
		if s := <-h.free; s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}
