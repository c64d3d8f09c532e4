package store

import (
	"context"
	"crypto/rand"
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
	s, _, err := p.connect(ctx)
	if err != nil {
		return err
	}
	err = p.migrate(ctx, s.pg)
	if err == nil {
		err = p.shared.prepare(ctx, s.pg)
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

// marksTable has a row for each connection that writes, which counts its transactions. What became of one whose connection was lost at the commit is
// read off there: the server's own numbers of transactions do not serve, because after a crash it gives those again that it had not yet
// written down.
const marksTable = `CREATE TABLE store_marks (id TEXT COLLATE "C" PRIMARY KEY, n BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL) WITH (fillfactor = 50)`

// mark is a transaction: the n-th of its connection.
type mark struct{ id, n string }

// prepare makes a session one that writes.
func (h *sharing) prepare(ctx context.Context, l *pgLink) error {
	id := rand.Text()
	if _, err := l.simple(ctx, fmt.Sprintf(sharedSettings+`; DELETE FROM store_marks WHERE at < now() - interval '1 day'; INSERT INTO store_marks VALUES ('%s', 0, now())`, id)); err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	l.patience = patience
	l.begin = fmt.Sprintf("BEGIN; UPDATE store_marks SET n = n + 1, at = now() WHERE id = '%s' RETURNING n, current_setting('fsync')", id)
	l.began = func(row [][]byte) error {
		if len(row) != 2 { // somebody took it for one that is not used any more
			l.drop()
			return errLost
		}
		l.mark = mark{id, string(row[0])}
		if h.p.opt.NoSync {
			return nil
		}
		return waitsForDisk(string(row[1]), "on")
	}
	return nil
}

// open opens a further connection. It holds the lock as the first does: one that is held at all times keeps owners away.
func (h *sharing) open(ctx context.Context) (*session, error) {
	s, _, err := h.p.connect(ctx)
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
		err = h.prepare(ctx, s.pg)
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
	if err := ctx.Err(); err != nil { // both had come
		return err
	}
	if err := h.begin(ctx, &s); err != nil {
		return err
	}
	t := &tx{s: s, ctx: context.Background()}
	err := t.run(fn)
	if t.fatal != nil {
		err = t.fatal
	}
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

// outcome asks a new connection about the transaction. The row is locked as long as the transaction is neither committed nor undone.
func (h *sharing) outcome(ctx context.Context, m mark, pid uint32) (known, committed bool) {
	s, _, err := h.p.connect(ctx)
	if err != nil {
		return false, false
	}
	defer func() { _ = s.close() }()
	row, err := s.pg.simple(ctx, fmt.Sprintf("SET lock_timeout = '1s'; SELECT n, n - %s FROM store_marks WHERE id = '%s' FOR UPDATE", m.n, m.id))
	if errors.Is(err, ErrConflict) {
		// Its backend has not noticed yet that nobody is there. It is this process's own, so it may be ended.
		_, _ = s.pg.simple(ctx, fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = %d AND application_name = current_setting('application_name')", pid))
		return false, false
	}
	if err != nil || len(row) != 2 {
		return false, false
	}
	switch string(row[1]) {
	case "0":
		return true, true
	case "-1":
		return true, false
	}
	return false, false // an older copy of the database was put in its place, say
}

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
