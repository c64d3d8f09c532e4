package pushdown

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// PG computes in a PostgreSQL database. Any number of goroutines may use it.
type PG struct {
	name    string
	options Options
	config  *pgx.ConnConfig
	slots   chan struct{} // one for each connection

	mu     sync.Mutex // guards the fields below
	idle   []*pgx.Conn
	tables map[string]*pgTable // by the name in configuration
	path   []string            // schemas in which names without one are looked up
	closed bool
}

// pgTable is a table as the catalog describes it.
type pgTable struct {
	name    string // with its schema
	columns map[string]dialect.Native
}

// Postgres takes a URL as libpq does; nothing is connected yet. The user needs to be able to read the tables and nothing else: whatever it may do
// besides, sessions are read only. Statements see one state, have the options' time, and find functions and operators in pg_catalog alone.
func Postgres(address string, o Options) (*PG, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(address)
	if err != nil { // its text repeats the address
		return nil, errors.New("PostgreSQL database: the address cannot be read: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	millis := strconv.FormatInt(o.Timeout.Milliseconds(), 10)
	for key, value := range map[string]string{
		"client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "TimeZone": "UTC", "extra_float_digits": "1",
		"standard_conforming_strings": "on", "application_name": "scrim", "default_transaction_read_only": "on", "default_transaction_isolation": "repeatable read",
		"statement_timeout": millis, "lock_timeout": millis, "jit": "off",
	} {
		config.RuntimeParams[key] = value
	}
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	// A statement whose context ends is cancelled at the server too.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c}
	}
	// Statements go out in one message, parameters and all, and none is kept at the server.
	config.DefaultQueryExecMode, config.StatementCacheCapacity, config.DescriptionCacheCapacity = pgx.QueryExecModeExec, 0, 0
	return &PG{name: "PostgreSQL database " + config.Database, options: o, config: config, slots: make(chan struct{}, o.Connections), tables: map[string]*pgTable{}}, nil
}

// Run implements [relation.Engine].
func (p *PG) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	within, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	var c *dialect.Collector
	err := p.use(within, func(conn *pgx.Conn) error {
		for _, s := range relation.Scans(q.In) {
			if err := p.look(within, conn, s.Table); err != nil {
				return err
			}
		}
		s, err := dialect.Emit(pgDialect{p: p}, q, p.native)
		if err != nil {
			return err
		}
		c = s.Collect(yield)
		if err = pgRows(within, conn, s, seed, c); err != nil && c.Began() {
			return begun{err}
		}
		return err
	})
	if c != nil && c.Stopped() != nil {
		return c.Stopped()
	}
	if err == nil {
		err = within.Err()
	}
	if err != nil {
		return p.fault(ctx, within, err)
	}
	return nil
}

// begun is a failure after a group was handed on.
type begun struct{ error }

// Unwrap is what failed.
func (b begun) Unwrap() error { return b.error }

// pgDialect knows which schema a table is in.
type pgDialect struct {
	dialect.Postgres
	p *PG
}

// Table implements [dialect.Dialect].
func (d pgDialect) Table(name string) (string, error) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if t := d.p.tables[name]; t != nil {
		return d.Postgres.Table(t.name)
	}
	return "", &Error{Source: d.p.name, Table: name, Why: ErrSchema}
}

func (p *PG) native(table, column string) (dialect.Native, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.tables[table]; t != nil {
		if n, ok := t.columns[column]; ok {
			return n, nil
		}
	}
	return 0, &Error{Source: p.name, Table: table, Column: column, Why: ErrSchema}
}

func pgRows(ctx context.Context, conn *pgx.Conn, s *dialect.Statement, seed relation.Seed, c *dialect.Collector) error {
	rows, err := conn.Query(ctx, s.SQL, s.Args(seed)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]any, s.Width())
	for rows.Next() {
		for i, raw := range rows.RawValues() {
			if i >= len(row) {
				return dialect.ErrResult
			}
			if row[i], err = s.Cell(i, raw); err != nil {
				return err
			}
		}
		if err := c.Row(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return c.End()
}

// use lends a connection. One with which something went wrong is closed. What an idle one broke at is done once more with another, since nothing was
// written, unless a group was handed on.
func (p *PG) use(ctx context.Context, do func(*pgx.Conn) error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		conn, idle, err := p.connection(ctx)
		if err != nil {
			return err
		}
		if err = do(conn); err == nil {
			return p.back(ctx, conn)
		}
		broken := conn.IsClosed()
		_ = conn.Close(context.WithoutCancel(ctx))
		p.forget()
		if _, answered := errors.AsType[begun](err); answered || !idle || !broken || ctx.Err() != nil {
			return err
		}
	}
}

func (p *PG) back(ctx context.Context, conn *pgx.Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return conn.Close(context.WithoutCancel(ctx))
	}
	p.idle = append(p.idle, conn)
	return nil
}

// forget makes the catalog be asked anew: what went wrong may be that it changed.
func (p *PG) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.tables)
}

// connection is an idle one or a new one.
func (p *PG) connection(ctx context.Context) (conn *pgx.Conn, idle bool, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		conn, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if conn != nil {
		return conn, true, nil
	}
	if conn, err = pgx.ConnectConfig(ctx, p.config.Copy()); err != nil {
		return nil, false, &Error{Source: p.name, Why: ErrConnection}
	}
	if err := p.greet(ctx, conn); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, false, err
	}
	return conn, false, nil
}

// greet makes sure that the session is such as the dialect relies on.
func (p *PG) greet(ctx context.Context, conn *pgx.Conn) error {
	version, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	if digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); digits > 0 {
		version = version[:digits]
	}
	number, _ := strconv.Atoi(version)
	if number < 14 || conn.PgConn().ParameterStatus("server_encoding") != "UTF8" || conn.PgConn().ParameterStatus("standard_conforming_strings") != "on" {
		return fmt.Errorf("%s: it has to be PostgreSQL 14 or later with UTF8: %w", p.name, ErrSchema)
	}
	var path []string
	var readOnly string
	err := conn.QueryRow(ctx, "SELECT pg_catalog.current_schemas(false)::text[], pg_catalog.current_setting('transaction_read_only')").Scan(&path, &readOnly)
	if err != nil {
		return err
	}
	if readOnly != "on" {
		return fmt.Errorf("%s: its sessions are not read only: %w", p.name, ErrSchema)
	}
	if _, err := conn.Exec(ctx, "SET search_path = pg_catalog, pg_temp"); err != nil {
		return err
	}
	p.mu.Lock()
	p.path = path
	p.mu.Unlock()
	return nil
}

// pgStates are the classes of SQLSTATE that tell of the server or the statement, and of no value.
var pgStates = map[string]error{
	"57014": ErrTime, "55P03": ErrTime, "42501": ErrSchema, "42P01": ErrSchema, "42703": ErrSchema, "3F000": ErrSchema,
	"57P01": ErrConnection, "57P02": ErrConnection, "57P03": ErrConnection, "53300": ErrConnection, "08006": ErrConnection,
}

// fault is one of ours for whatever went wrong.
func (p *PG) fault(parent, ctx context.Context, err error) error {
	why := ErrFailed
	server, isServer := errors.AsType[*pgconn.PgError](err)
	switch {
	case ended(parent, ctx) != nil:
		why = ended(parent, ctx)
	case isServer && pgStates[server.Code] != nil:
		why = pgStates[server.Code]
	case written(err) || errors.Is(err, ErrSchema) || errors.Is(err, ErrConnection):
		return err
	case !isServer && !errors.Is(err, dialect.ErrResult):
		why = ErrConnection
	}
	return &Error{Source: p.name, Why: why}
}

// Close implements [relation.Engine].
func (p *PG) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.Close(context.Background()) // a session that only read has nothing to lose
	}
	p.idle = nil
	return nil
}
