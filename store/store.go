// Package store keeps state, one transaction at a time.
//
// [Open] opens the embedded default: one directory with one SQLite database (write-ahead log, synchronous=FULL),
// migrated to what the running program knows and locked against a second process. [OpenPostgres] opens a schema of a PostgreSQL database, for one
// owner or shared by many processes. [DB] is the part of both that callers should depend on; each passes the exam in package storetest.
//
// Many callers share few fsyncs: one goroutine writes, and puts every closure that waits into one transaction,
// each in a savepoint of its own. [DB.Update] returns when that transaction is durable.
//
// SQL is written once for all databases: standard statements with "?" for arguments, and ON CONFLICT and RETURNING, which both have.
// Migrations declare BIGINT for integers, TEXT, BLOB for bytes and REAL; PostgreSQL is told BYTEA, DOUBLE PRECISION and a text that compares by its
// bytes. A column declared BIGINT PRIMARY KEY is the row's own key in SQLite, too: it is created there as INTEGER PRIMARY KEY. What else to mind:
//
//   - Values are int64, float64, text, bytes and nil; truth values are the numbers 0 and 1. Times are numbers. Empty bytes may come back as nil.
//   - Text is UTF-8 without a zero byte, else PostgreSQL refuses it; what strangers send goes into BLOB. A key of an index has at most 2,700 bytes.
//   - A table's key is given by who inserts. There is no rowid, no INSERT OR REPLACE, no GLOB, no LIKE without regard to case, no min or max of two arguments.
//   - An argument needs a place that says its type: a column beside it, or CAST. "? IS NULL" has none.
//   - Columns that may be NULL are not ordered by, because NULL comes first in one and last in the other.
//   - Table and column names are in lower case and none of SQL's own words (some, user, order, end).
//   - A closure returns the error of a statement that failed. On PostgreSQL all that it wrote is undone in any case.
//   - In a shared store others write between two statements: a row that a decision rests on is locked by an UPDATE of it that comes first, in an order that is
//     the same everywhere.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Schema is the tables of one package: migrations in files named NNN_name.sql, with NNN from 001 on without gaps,
// in any folder of FS. A migration that was released is never changed; another one follows it. Constraints are not
// deferred: one that fails at commit would fail the callers that share the transaction.
type Schema struct {
	Name string // of the version row; by custom the package's import path below the module
	FS   fs.FS
}

// Options may be left zero.
type Options struct {
	Window   time.Duration // how long a transaction that already has two closures waits for more, at most a second; 0: not at all
	MaxBatch int           // closures in one transaction; 0: 256, and 64 on PostgreSQL
	Readers  int           // Views at once; 0: 4
	NoSync   bool          // for benchmarks and tests only: nothing is durable

	// Of PostgreSQL alone.
	Schema  string // where the tables are; "": scrim
	Shared  bool   // open to many processes; see [OpenPostgres]
	Dir     string // a directory that an owner locks too, for what it keeps beside the database; "": none
	Writers int    // transactions at once if it is shared; 0: 4
}

// DB is where state is kept. It is safe for concurrent use.
type DB interface {
	// Update runs fn in a transaction and returns nil when its writes are durable.
	//
	// If fn returns an error or panics, its own writes are undone, nobody else's, and Update returns the error or a
	// [*PanicError]. Any other error means that the writes were not promised: they are not seen by later
	// transactions of this process. A context that ends before fn began skips it and gives the context's error;
	// once fn began, Update waits for the true outcome.
	//
	// fn may share its transaction with others and sees what those before it wrote. It must be quick, return the error of
	// a statement that failed (some databases refuse all that follow), not call Update, and not keep its Tx.
	Update(ctx context.Context, fn func(Tx) error) error

	// View runs fn on a snapshot that holds at least every Update that returned before. Writes are refused.
	View(ctx context.Context, fn func(Tx) error) error

	// Close refuses new work with [ErrClosed], completes what was queued, and returns when files and lock are released.
	Close() error
}

// Stopper is what a [DB] also is that can stop for good.
type Stopper interface {
	// Stopped is closed when the store is [ErrBroken]: nothing mends that but opening it again.
	Stopped() <-chan struct{}
}

// Tx is one transaction. It is for one goroutine. Only SELECT, INSERT, UPDATE, DELETE and WITH statements run; anything else is [ErrStatement].
type Tx interface {
	// Exec runs a statement and returns how many rows it changed.
	Exec(query string, args ...any) (int64, error)
	// Query runs a statement that returns rows. Rows left open are closed when the transaction's closure returns.
	Query(query string, args ...any) (*sql.Rows, error)
	// QueryRow runs a statement that returns at most one row. The row must be scanned.
	QueryRow(query string, args ...any) *sql.Row
}

// Errors a caller may act on.
var (
	ErrNewer      = errors.New("database was written by a newer program")
	ErrLocked     = errors.New("store is in use by another process")
	ErrNotDurable = errors.New("database does not promise durable writes")
	ErrClosed     = errors.New("store is closed")
	ErrBroken     = errors.New("store stopped after a failed write")
	ErrConflict   = errors.New("transaction was undone because another one was in the way; it may be run again")
	ErrElsewhere  = errors.New("state was kept in the data directory before, and would be forgotten")
	ErrStatement  = errors.New("only SELECT, INSERT, UPDATE, DELETE and WITH statements may run in a transaction")
	ErrDamaged    = errors.New("database file is damaged")
	ErrSchema     = errors.New("schema is not valid")
)

// PanicError is returned by [DB.Update] when its closure panicked, or ended its goroutine; others say by it what they
// recovered from, with [PanicOf]. It names the place, not the panic's value, which may hold data.
type PanicError struct {
	Place string // file:line of the panic, or "" when unknown
	Type  string // Go type of the panic's value
}

// Error implements error.
func (e *PanicError) Error() string {
	if e.Place == "" {
		return "ended with a " + e.Type
	}
	return fmt.Sprintf("panicked with a %s at %s", e.Type, e.Place)
}
