package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// patience is how long the server may take for one statement of an Update before the connection counts as lost. A View has
// none of its own: there the caller's context decides.
const patience = 2 * time.Minute

// Statements by which a writer, or a view, begins.
const (
	beginWrite = "BEGIN IMMEDIATE"
	beginView  = "BEGIN"
	commit     = "COMMIT"
	rollback   = "ROLLBACK"
)

// pgLink is a connection to PostgreSQL below database/sql. It is for one goroutine at a time.
//
// It is an adapter of our own rather than the driver's, because SQLite lets a closure read rows within rows, which the protocol
// does not: here rows that are still open are taken into memory when the next statement comes. And because no error of it may
// repeat a value, which the server's own messages do.
type pgLink struct {
	c        *pgconn.PgConn
	patience time.Duration // for a statement; 0: as long as the context says
	begin    string        // what a writer's transaction begins with, in one message
	began    func([][]byte) error
	mark     mark    // of the transaction, if the store is shared
	reading  *pgRows // the result that is still being read; nil: none
	pending  string  // savepoints made and released by the session that the server was not told yet: they go with what comes next
	prepared int     // so far, for their names
	ending   bool    // the connection is being closed, and its statements with it
}

// gone reports whether the connection is lost.
func (l *pgLink) gone() bool { return l.c.IsClosed() }

// failed reports whether the transaction takes no more statements.
func (l *pgLink) failed() bool { return l.c.TxStatus() == 'E' }

// control runs a statement of the session's own.
func (l *pgLink) control(query string) error {
	if err := l.settle(); err != nil {
		return err
	}
	ctx, cancel := l.bounded(context.Background())
	defer cancel()
	switch query {
	case savepoint, release:
		l.pending += query + ";"
		return nil
	case beginWrite:
		l.pending = ""
		return l.beginWriting(ctx)
	case rollback: // must not fail because of what it undoes
		l.pending = ""
		_, err := l.simple(ctx, rollback)
		return err
	case beginView: // the snapshot is taken by its first statement, so it holds all that was committed by now
		_, err := l.simple(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
		return err
	case commit:
		return l.commit(ctx)
	}
	query, l.pending = l.pending+query, ""
	_, err := l.simple(ctx, query)
	return err
}

// ready makes the connection free for a statement.
func (l *pgLink) ready() error {
	if err := l.settle(); err != nil || l.pending == "" {
		return err
	}
	ctx, cancel := l.bounded(context.Background())
	defer cancel()
	query := l.pending
	l.pending = ""
	_, err := l.simple(ctx, query)
	return err
}

func (l *pgLink) beginWriting(ctx context.Context) error {
	row, err := l.simple(ctx, l.begin)
	if err != nil {
		return err
	}
	return l.began(row)
}

// commit commits. The server answers a COMMIT of a transaction that failed by ROLLBACK, and calls that no error.
func (l *pgLink) commit(ctx context.Context) error {
	all := l.c.Exec(ctx, l.pending+commit)
	l.pending = ""
	tag := ""
	for all.NextResult() {
		t, _ := all.ResultReader().Close()
		tag = t.String()
	}
	if err := l.fault(ctx, all.Close()); err != nil {
		return err
	}
	if tag != commit {
		return errFailed
	}
	return nil
}

// simple runs statements without arguments and returns the last row there was.
func (l *pgLink) simple(ctx context.Context, query string) ([][]byte, error) {
	all := l.c.Exec(ctx, query)
	var last [][]byte
	for all.NextResult() {
		r := all.ResultReader().Read()
		if n := len(r.Rows); n > 0 {
			last = r.Rows[n-1]
		}
	}
	return last, l.fault(ctx, all.Close())
}

// bounded gives the context the link's patience.
func (l *pgLink) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.patience <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, l.patience, errSlow)
}

// fault turns an error of the driver into one of ours. A server that did not answer in time has lost its connection: what became of the
// statement is not known.
func (l *pgLink) fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errSlow) {
		l.drop()
		return errSlow
	}
	return pgFault(ctx, err, l.c.IsClosed())
}

// drop closes the connection without a word.
func (l *pgLink) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = l.c.Close(ctx)
}

// settle takes what is still to be read into memory, so that the connection is free.
func (l *pgLink) settle() error {
	r := l.reading
	if r == nil {
		return nil
	}
	l.reading = nil
	r.buffer()
	if l.gone() {
		return errLost
	}
	return nil
}

// PrepareContext implements [driver.ConnPrepareContext].
func (l *pgLink) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	l.prepared++
	return l.prepare(ctx, fmt.Sprintf("s%d", l.prepared), query)
}

func (l *pgLink) prepare(ctx context.Context, name, query string) (*pgStmt, error) {
	if err := l.ready(); err != nil {
		return nil, err
	}
	text, err := rebind(query)
	if err != nil {
		return nil, err
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	sd, err := l.c.Prepare(ctx, name, text, nil)
	if err != nil {
		return nil, l.fault(ctx, err)
	}
	s := &pgStmt{link: l, sd: sd, formats: make([]int16, len(sd.Fields))}
	for i, f := range sd.Fields {
		if f.DataTypeOID == oidBytes {
			s.formats[i] = binaryFormat
		}
	}
	return s, nil
}

// QueryContext implements [driver.QueryerContext]: a statement that is used once.
func (l *pgLink) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := l.prepare(ctx, "", query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args)
}

// ExecContext implements [driver.ExecerContext].
func (l *pgLink) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := l.prepare(ctx, "", query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args)
}

// Prepare implements [driver.Conn].
func (l *pgLink) Prepare(query string) (driver.Stmt, error) {
	return l.PrepareContext(context.Background(), query)
}

// Begin implements [driver.Conn]; transactions are begun by control alone.
func (l *pgLink) Begin() (driver.Tx, error) { return nil, ErrStatement }

// Close implements [driver.Conn].
func (l *pgLink) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if l.reading != nil { // nobody reads on
		l.reading = nil
		l.drop()
	}
	if !l.gone() && l.c.TxStatus() == 'I' { // the server would do it too, some time after it notices
		_, _ = l.simple(ctx, "SELECT pg_advisory_unlock_all()")
	}
	if err := l.c.Close(ctx); err != nil && !errors.Is(err, io.EOF) && ctx.Err() != nil {
		return errLost
	}
	return nil
}
