package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const cachedStatements = 256

// session is one connection with its prepared statements. It is for one goroutine at a time.
type session struct {
	conn    *sql.Conn
	failing *sql.DB
	stmts   map[string]*prepared
	pg      *pgLink // what conn is underneath if the database is PostgreSQL; nil: it is SQLite
}

type prepared struct {
	stmt *sql.Stmt
	rows *sql.Rows // the last result, perhaps still open
}

// busy reports whether rows of the statement are still being read. The driver keeps one cursor per statement, so a
// second use would disturb the first.
func (p *prepared) busy() bool {
	if p.rows == nil {
		return false
	}
	if _, err := p.rows.Columns(); err == nil {
		return true
	}
	p.rows = nil
	return false
}

// control runs a statement of our own, never interrupted: an interrupted write would take the whole group with it.
func (s *session) control(query string) error {
	if s.pg != nil {
		return s.pg.control(query)
	}
	p, err := s.prepare(query)
	if err != nil {
		return err
	}
	_, err = p.stmt.ExecContext(context.Background())
	return err
}

// what fails when writes are in doubt.
func (s *session) what() string {
	if s.pg != nil {
		return "database"
	}
	return "disk"
}

// prepare returns the cached statement for the query.
func (s *session) prepare(query string) (*prepared, error) {
	if p, ok := s.stmts[query]; ok {
		return p, nil
	}
	stmt, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	p := &prepared{stmt: stmt}
	if len(s.stmts) >= cachedStatements {
		s.evict()
	}
	s.stmts[query] = p
	return p, nil
}

// evict forgets one statement that nobody reads from.
func (s *session) evict() {
	for q, p := range s.stmts {
		if !p.busy() {
			delete(s.stmts, q)
			_ = p.stmt.Close() // only frees memory
			return
		}
	}
}

func (s *session) close() error {
	if s.pg != nil {
		s.pg.ending = true
	}
	for _, p := range s.stmts {
		_ = p.stmt.Close() // the connection's error says it all
	}
	return s.conn.Close()
}

// tx implements [Tx] on a session.
type tx struct {
	s     *session
	ctx   context.Context
	open  []*prepared
	extra []*sql.Rows // of statements that were busy, and so not cached
	fatal error       // the database may have rolled back everything by itself
	fault error       // of a statement after which PostgreSQL takes no other
	ended bool
}

// Exec implements [Tx].
func (t *tx) Exec(query string, args ...any) (int64, error) {
	p, err := t.statement(query)
	if err != nil {
		return 0, err
	}
	var res sql.Result
	if p == nil {
		res, err = t.s.conn.ExecContext(t.ctx, query, args...)
	} else {
		res, err = p.stmt.ExecContext(t.ctx, args...)
	}
	if err != nil {
		return 0, t.note(err)
	}
	return res.RowsAffected()
}

// Query implements [Tx].
func (t *tx) Query(query string, args ...any) (*sql.Rows, error) {
	p, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	if p == nil {
		rows, err := t.s.conn.QueryContext(t.ctx, query, args...)
		if err != nil {
			return nil, t.note(err)
		}
		t.extra = append(t.extra, rows)
		return rows, nil
	}
	rows, err := p.stmt.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, t.note(err)
	}
	p.rows = rows
	t.open = append(t.open, p)
	return rows, nil
}

// QueryRow implements [Tx].
func (t *tx) QueryRow(query string, args ...any) *sql.Row {
	p, err := t.statement(query)
	if err != nil {
		return failRow(t.s.failing, err)
	}
	var row *sql.Row
	if p == nil {
		row = t.s.conn.QueryRowContext(t.ctx, query, args...)
	} else {
		row = p.stmt.QueryRowContext(t.ctx, args...)
	}
	_ = t.note(row.Err()) // Scan returns it
	return row
}

// statement returns the prepared statement to use, or nil if the cached one is being read from.
func (t *tx) statement(query string) (*prepared, error) {
	switch {
	case t.ended:
		return nil, sql.ErrTxDone
	case t.fatal != nil:
		return nil, t.fatal
	case t.fault != nil:
		return nil, t.fault
	}
	if p, ok := t.s.stmts[query]; ok && !controls(query) {
		if p.busy() {
			return nil, nil
		}
		return p, nil
	}
	if !allowed(query) {
		return nil, ErrStatement
	}
	p, err := t.s.prepare(query)
	return p, t.note(err)
}

// note remembers an error after which the database may have ended the transaction on its own, or takes no more statements.
func (t *tx) note(err error) error {
	if err == nil {
		return nil
	}
	if t.s.pg != nil {
		switch {
		case t.s.pg.gone():
			t.fatal = err
		case t.s.pg.failed():
			t.fault = err
		}
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG,
			sqlite3.SQLITE_RANGE, sqlite3.SQLITE_READONLY:
		default:
			t.fatal = err
		}
	}
	return err
}

// end closes the rows that the closure left open.
func (t *tx) end() {
	for _, p := range t.open {
		if p.busy() {
			_ = p.rows.Close()
		}
		p.rows = nil
	}
	for _, rows := range t.extra {
		_ = rows.Close()
	}
	t.open, t.extra, t.ended = nil, nil, true
	if t.s.pg != nil && t.fatal == nil && t.fault == nil { // it may have failed while rows were read
		switch {
		case t.s.pg.gone():
			t.fatal = errLost
		case t.s.pg.failed():
			t.fault = errFailed
		}
	}
}

// run calls the closure. Its rows are closed also if it ends its goroutine: open ones would keep the connection from being closed.
func (t *tx) run(fn func(Tx) error) error {
	defer func() {
		if !t.ended {
			t.end()
		}
	}()
	err := call(fn, t)
	t.end()
	return t.outcome(err)
}

// outcome is the closure's error, or that of a statement which it looked away from although nothing of it can stay.
func (t *tx) outcome(err error) error {
	if err == nil {
		return t.fault
	}
	return err
}

// allowed reports whether the query is one that leaves transactions and settings alone.
func allowed(query string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(query, " \t\r\n"), " ")
	word, _, _ = strings.Cut(word, "\n")
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return !strings.Contains(strings.ToUpper(query), "OR ROLLBACK")
	}
	return false
}

// controls reports whether the query is one of the session's own.
func controls(query string) bool {
	switch query {
	case beginView, beginWrite, commit, rollback, savepoint, rollbackTo, release:
		return true
	}
	return false
}

// broken reports whether the error says that the file or disk failed, so that what was written is in doubt.
func broken(err error) bool {
	if errors.Is(err, errLost) || errors.Is(err, ErrNotDurable) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// failRow returns a row whose Scan gives err: database/sql has no other way to make one.
func failRow(db *sql.DB, err error) *sql.Row {
	return db.QueryRowContext(context.WithValue(context.Background(), failKey{}, err), "")
}

type failKey struct{}

// failingConnector fails with the error in the context.
type failingConnector struct{}

// Connect implements [driver.Connector].
func (failingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err, ok := ctx.Value(failKey{}).(error); ok {
		return nil, err
	}
	return nil, ErrClosed
}

// Driver implements [driver.Connector].
func (c failingConnector) Driver() driver.Driver { return failingDriver{} }

type failingDriver struct{}

// Open implements [driver.Driver].
func (failingDriver) Open(string) (driver.Conn, error) {
	return nil, fmt.Errorf("opening a row's error: %w", ErrClosed)
}
