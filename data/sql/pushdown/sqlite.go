package pushdown

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// Lite computes in a SQLite database. Any number of goroutines may use it.
type Lite struct {
	name    string
	options Options
	pool    *sql.DB
}

// SQLite opens a database file for reading alone. Each statement sees one state of it.
func SQLite(path string, o Options) (*Lite, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d, err := liteDriver()
	if err != nil {
		return nil, err
	}
	// Schemas of strangers may name no functions that do things.
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(1000)", "query_only(1)", "trusted_schema(0)", "cell_size_check(1)", "cache_size(-65536)"}}
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(full)}).EscapedPath() + "?" + q.Encode()
	l := &Lite{name: "SQLite database " + filepath.Base(path), options: o, pool: sql.OpenDB(liteConnector{d, dsn})}
	l.pool.SetMaxOpenConns(o.Connections)
	return l, nil
}

// liteConnector opens connections by a driver that is not registered.
type liteConnector struct {
	d   *sqlite.Driver
	dsn string
}

// Connect implements [driver.Connector].
func (c liteConnector) Connect(context.Context) (driver.Conn, error) { return c.d.Open(c.dsn) }

// Driver implements [driver.Connector].
func (c liteConnector) Driver() driver.Driver { return c.d }

// Run implements [relation.Engine].
func (l *Lite) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	s, err := dialect.Emit(dialect.SQLite{}, q, func(string, string) (dialect.Native, error) { return dialect.Dynamic, nil })
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	c := s.Collect(yield)
	if err := l.rows(within, s, seed, c); err != nil {
		if stopped := c.Stopped(); stopped != nil {
			return stopped
		}
		return l.fault(ctx, within, err)
	}
	if err := within.Err(); err != nil {
		return l.fault(ctx, within, err)
	}
	return nil
}

func (l *Lite) rows(ctx context.Context, s *dialect.Statement, seed relation.Seed, c *dialect.Collector) error {
	conn, err := l.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, s.SQL, s.Args(seed)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	row, into := make([]any, s.Width()), make([]any, s.Width())
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := c.Row(row); err != nil {
			return err
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return c.End()
}

// fault is one of ours for whatever went wrong.
func (l *Lite) fault(parent, ctx context.Context, err error) error {
	why := ErrFailed
	if over := ended(parent, ctx); over != nil {
		why = over
	} else if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM:
			why = ErrConnection
		case sqlite3.SQLITE_ERROR: // what is prepared, since no function fails
			why = ErrSchema
		}
	}
	return &Error{Source: l.name, Why: why}
}

// Check implements [relation.Engine].
func (l *Lite) Check(ctx context.Context, scans []relation.Scan) error {
	within, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	for _, s := range scans {
		rows, err := l.pool.QueryContext(within, "SELECT name FROM pragma_table_xinfo(?1)", s.Table)
		if err != nil {
			return l.fault(ctx, within, err)
		}
		have := map[string]bool{}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return errors.Join(l.fault(ctx, within, err), rows.Close())
			}
			have[strings.ToLower(name)] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return l.fault(ctx, within, err)
		}
		if len(have) == 0 {
			return &Error{Source: l.name, Table: s.Table, Why: ErrSchema}
		}
		for _, f := range s.Fields {
			if !have[strings.ToLower(f.Source)] {
				return &Error{Source: l.name, Table: s.Table, Column: f.Source, Why: ErrSchema}
			}
		}
	}
	return nil
}

// Close implements [relation.Engine].
func (l *Lite) Close() error { return l.pool.Close() }
