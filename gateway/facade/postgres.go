package facade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgConns is how many connections there are at most.
const pgConns = 8

// pg reads a PostgreSQL database.
type pg struct {
	config *pgx.ConnConfig
	limit  time.Duration
	slots  chan struct{}

	mu     sync.Mutex // guards the fields below
	idle   []*pgx.Conn
	closed bool
}

// Postgres takes a URL as libpq does; nothing is connected yet. Give it a role that may read the tables and nothing
// else: whatever it may do besides, its sessions are read only, and a statement has the time given, at the server too.
func Postgres(address string, limit time.Duration) (Source, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil { // its text repeats the address
		return nil, errors.New("PostgreSQL database: the address cannot be read: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	millis := strconv.FormatInt(max(limit.Milliseconds(), 1), 10)
	for key, value := range map[string]string{
		"client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "TimeZone": "UTC", "extra_float_digits": "1",
		"standard_conforming_strings": "on", "application_name": "scrim", "default_transaction_read_only": "on",
		"statement_timeout": millis, "lock_timeout": millis, "jit": "off",
	} {
		config.RuntimeParams[key] = value
	}
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c}
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxRow)
		return f
	}
	config.DefaultQueryExecMode, config.StatementCacheCapacity = pgx.QueryExecModeCacheStatement, 64
	return &pg{config: config, limit: limit, slots: make(chan struct{}, pgConns)}, nil
}

var pgDialect = &dialect{
	table: func(name string) string {
		parts := strings.Split(name, ".")
		for i := range parts {
			parts[i] = quoted(parts[i])
		}
		return strings.Join(parts, ".")
	},
	shown:    shownPG,
	compared: shownPG,
	holder:   func(n int) string { return "$" + strconv.Itoa(n) },
	hash: func(secret string, key []Column) string {
		parts := []string{secret + "::text"}
		for _, c := range key {
			name := "t." + quoted(c.Name) + "::text"
			parts = append(parts, "length("+name+")::text", name)
		}
		return "md5(" + strings.Join(parts, " || ' ' || ") + `) COLLATE "C"`
	},
}

func shownPG(c Column) string { return "t." + quoted(c.Name) }

// Select implements [Source].
func (p *pg) Select(ctx context.Context, q *Query) (rows []Row, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, false, fmt.Errorf("%w: %w", ErrSource, ctx.Err())
	}
	conn, fresh, err := p.take(ctx)
	if err != nil {
		return nil, false, pgFault(ctx, err)
	}
	rows, more, err = p.read(ctx, conn, q)
	if err != nil && !fresh && conn.IsClosed() && ctx.Err() == nil { // the server went away and is there again
		if conn, err = pgx.ConnectConfig(ctx, p.config); err != nil {
			return nil, false, pgFault(ctx, err)
		}
		rows, more, err = p.read(ctx, conn, q)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == planChanged { // the view is another one by now
		rows, more, err = p.read(ctx, conn, q)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(e.Code, dataError) {
		switch fit, some, fault := fitPG(ctx, conn.PgConn(), q); {
		case fault != nil:
			err = fault
		case fit != nil && some:
			rows, more, err = p.read(ctx, conn, fit)
		case fit != nil:
			rows, more, err = nil, false, nil
		}
	}
	p.give(conn)
	if err != nil {
		return nil, false, pgFault(ctx, err)
	}
	return rows, more, nil
}

func (p *pg) take(ctx context.Context) (conn *pgx.Conn, fresh bool, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, false, errClosed
	}
	if n := len(p.idle); n > 0 {
		conn, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if conn != nil {
		return conn, false, nil
	}
	conn, err = pgx.ConnectConfig(ctx, p.config)
	return conn, true, err
}

func (p *pg) give(conn *pgx.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn.IsClosed() {
		return
	}
	if p.closed {
		_ = conn.Close(context.Background()) // nothing is under way on it
		return
	}
	p.idle = append(p.idle, conn)
}

func (p *pg) read(ctx context.Context, conn *pgx.Conn, q *Query) (rows []Row, more bool, err error) {
	s := compose(pgDialect, q)
	args := []any{pgx.QueryResultFormats{pgx.TextFormatCode}}
	for _, a := range s.args {
		args = append(args, a.text) // sent as text, whatever the column is
	}
	got, err := conn.Query(ctx, s.sql.String(), args...)
	if err != nil {
		return nil, false, err
	}
	defer got.Close()
	kinds := make([]Kind, 0, len(q.Columns)+len(q.Order))
	for _, c := range q.Columns {
		kinds = append(kinds, c.Kind)
	}
	for _, o := range q.Order {
		if o.Scattered {
			o.Column.Kind = Text
		}
		kinds = append(kinds, o.Column.Kind)
	}
	room := q.Bytes
	for got.Next() {
		if len(rows) == q.Limit || room <= 0 && len(rows) > 0 {
			return rows, true, nil // what is left is cancelled by Close
		}
		types, raw := got.FieldDescriptions(), got.RawValues()
		cells := make([]Cell, len(raw))
		for i, v := range raw {
			cells[i] = pgCell(v, types[i].DataTypeOID, kinds[i])
			if cells[i].Odd && i >= len(q.Columns) { // pages go on behind it
				cells[i] = Cell{raw: string(v), Odd: true}
			}
			room -= len(cells[i].Text)
		}
		rows = append(rows, Row{Cells: cells[:len(q.Columns)], At: cells[len(q.Columns):]})
	}
	return rows, false, got.Err()
}

// pgCell reads a value in its text form. Types are those of this very answer: a view may have become another one.
func pgCell(v []byte, oid uint32, k Kind) Cell {
	if v == nil {
		return Cell{Null: true}
	}
	odd := Cell{Odd: true, Null: true}
	if len(v) > maxCell {
		return odd
	}
	text := string(v)
	cell := Cell{Text: text, raw: text}
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		if k == Integer || k == Number || k == Text {
			return cell
		}
	case pgtype.NumericOID, pgtype.Float4OID, pgtype.Float8OID:
		if k == Text || k == Number && text != "NaN" && !strings.HasSuffix(text, "Infinity") {
			return cell
		}
	case pgtype.BoolOID:
		if k == Truth || k == Text {
			cell.Text = strconv.FormatBool(text == "t")
			return cell
		}
	case pgtype.DateOID:
		if k == Text || k == Date && fits(text, Date) {
			return cell
		}
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		cell.Text = strings.Replace(text, " ", "T", 1)
		if oid == pgtype.TimestamptzOID {
			cell.Text = strings.TrimSuffix(cell.Text, "+00")
		}
		cell.Text += "Z" // the session's zone is UTC, and a time without one is read as UTC
		if (k == Moment || k == Text) && fits(cell.Text, Moment) {
			return cell
		}
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UUIDOID, pgtype.InetOID, pgtype.CIDROID, pgtype.MacaddrOID, pgtype.TimeOID, pgtype.TimetzOID, pgtype.IntervalOID:
		if k == Text && fits(text, Text) {
			return cell
		}
	default:
		if oid >= firstOwnType && k == Text && fits(text, Text) { // an enumeration, or a text by another name
			return cell
		}
	}
	return odd
}

// planChanged is the code of a prepared statement whose result has other types than when it was prepared.
const planChanged = "0A000"

// firstOwnType is the first number of a type that the database's users made.
const firstOwnType = 16384

// pgFault says what kind of failure it is: the server's words may quote values.
func pgFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrSource, ctx.Err())
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == "57014":
			return fmt.Errorf("%w: %w", ErrSource, context.DeadlineExceeded)
		case strings.HasPrefix(e.Code, "42"):
			return fmt.Errorf("%w: PostgreSQL failed with code %s", ErrChanged, e.Code)
		}
		return fmt.Errorf("%w: PostgreSQL failed with code %s", ErrSource, e.Code)
	}
	return ErrSource
}

// Close implements [Source].
func (p *pg) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, c := range idle {
		errs = append(errs, c.Close(context.Background()))
	}
	return errors.Join(errs...)
}
