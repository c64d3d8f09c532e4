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
	p, err := s.prepare(query)
	if err != nil {
		return err
	}
	_, err = p.stmt.ExecContext(context.Background())
	return err
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
	fatal error       // SQLite may have rolled back everything by itself
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
	return t.s.prepare(query)
}

// note remembers an error after which SQLite may have ended the transaction on its own.
func (t *tx) note(err error) error {
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
	case "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", savepoint, rollbackTo, release:
		return true
	}
	return false
}

// broken reports whether the error says that the file or disk failed, so that what was written is in doubt.
func broken(err error) bool {
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
