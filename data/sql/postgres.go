package sql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scrimhq/scrim/data/table"
)

// Postgres is a table, or a view, of a PostgreSQL database: "patients" or "clinic.patients", as they are spelled there.
//
// The URL is what libpq takes; TLS is as it says. All readings are of one snapshot, which a transaction holds until Close. Rows
// come in the order of the primary key, else of where they lie, and those of a view in the order of what they hold. A column that
// holds no single values, such as an array, must not be among those selected. Names and errors never hold the password, nor a
// value of the database.
func Postgres(url, name string) (table.Source, error) {
	p, err := parsePostgres(url, name)
	if err != nil {
		return nil, err
	}
	return &pgSource{pgTable: p}, nil
}

// pgTable is where a table is.
type pgTable struct {
	config *pgx.ConnConfig
	schema string // "": as the search path says
	table  string
	name   string // for people
}

func parsePostgres(url, name string) (pgTable, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil { // its text repeats the address
		return pgTable{}, &table.Error{Table: "PostgreSQL database", Why: "the address cannot be read: want postgres://USER:PASSWORD@HOST:PORT/DATABASE"}
	}
	for key, value := range map[string]string{
		"client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "TimeZone": "UTC", "bytea_output": "hex", "extra_float_digits": "1",
		"standard_conforming_strings": "on", "application_name": "scrim",
	} {
		config.RuntimeParams[key] = value
	}
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	p := pgTable{config: config, table: name}
	if schema, rest, ok := strings.Cut(name, "."); ok {
		p.schema, p.table = schema, rest
	}
	if p.table == "" || strings.ContainsRune(name, 0) {
		return pgTable{}, &table.Error{Table: "PostgreSQL database", Why: "no table is named"}
	}
	p.name = fmt.Sprintf("PostgreSQL table %s of database %s", name, config.Database)
	return p, nil
}

// Name implements [table.Source] and [table.Target].
func (p *pgTable) Name() string { return p.name }

func (p *pgTable) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return nil, p.fault("connecting", err)
	}
	return conn, nil
}

// states says in words what of SQLSTATE somebody can do something about. The server's own messages are not repeated, since they quote values.
var states = map[string]string{
	"28P01": "the password is not right", "28000": "the user may not connect", "3D000": "there is no such database", "3F000": "there is no such schema",
	"42501": "the user may not do this", "42P01": "there is no such table", "53100": "its disk is full", "53200": "it has no memory left", "53300": "it has too many connections",
	"57014": "it cancelled the statement", "57P01": "it is shutting down", "57P03": "it is starting up", "40001": "another transaction was in the way", "25006": "it takes no writes",
	"22021": "a text has characters that the database's encoding has not", "54000": "a limit of the server was passed",
}

// fault turns an error of the driver into one that repeats neither values nor secrets.
func (p *pgTable) fault(doing string, err error) error {
	if own, ok := errors.AsType[*table.Error](err); ok {
		return own
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return fmt.Errorf("%s: %s: %w", p.name, doing, end)
		}
	}
	why := "the connection broke"
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		why = "the server refused with SQLSTATE " + server.Code
		if words, ok := states[server.Code]; ok {
			why = words + " (SQLSTATE " + server.Code + ")"
		}
		if server.ColumnName != "" {
			why += ", column " + server.ColumnName
		}
	} else if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		why = "the server does not answer"
	} else if op, ok := errors.AsType[*net.OpError](err); ok {
		why = "the server cannot be reached: " + op.Err.Error()
	}
	return &table.Error{Table: p.name, Why: doing + ": " + why}
}

// pgSource reads every time from the snapshot that its first opening took.
type pgSource struct {
	pgTable

	mu       sync.Mutex // guards the fields below
	keeper   *pgx.Conn  // its transaction keeps the snapshot
	snapshot string
	found    *pgFound
	digest   string // of the last reading that came to the end
}

// Open implements [table.Source].
func (s *pgSource) Open(ctx context.Context) (table.Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper == nil || s.keeper.IsClosed() {
		if s.snapshot != "" {
			return nil, &table.Error{Table: s.name, Why: "the connection that kept its state broke, so it may have changed", Err: table.ErrChanged}
		}
		if err := s.keep(ctx); err != nil {
			return nil, err
		}
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET TRANSACTION SNAPSHOT " + quoteText(s.snapshot), "SET LOCAL search_path = ''"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
			return nil, s.fault("reading at one state", err)
		}
	}
	return &pgReader{source: s, conn: conn, columns: s.found.columns, sum: sha256.New()}, nil
}

// keep takes the snapshot and looks at the table in it.
func (s *pgSource) keep(ctx context.Context) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	err = func() error {
		if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
			return s.fault("reading at one state", err)
		}
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&s.snapshot); err != nil {
			return s.fault("reading at one state", err)
		}
		var err error
		s.found, err = s.look(ctx, conn)
		return err
	}()
	if err != nil {
		s.snapshot = ""
		_ = conn.Close(context.WithoutCancel(ctx))
		return err
	}
	s.keeper = conn
	return nil
}

// Fingerprint implements [table.Source]: a digest of all that was read, names and types of columns included.
func (s *pgSource) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.digest
}

func (s *pgSource) ended(sum []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	digest := "sha256:" + hex.EncodeToString(sum)
	if s.digest != "" && s.digest != digest {
		return &table.Error{Table: s.name, Why: "it changed between two readings", Err: table.ErrChanged}
	}
	s.digest = digest
	return nil
}

// Close implements [table.Source].
func (s *pgSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper == nil {
		return nil
	}
	err := s.keeper.Close(context.Background())
	s.keeper = nil
	if err != nil {
		return s.fault("closing", err)
	}
	return nil
}

// heading is what the digest of a reading begins with.
func heading(columns []table.Column) []byte {
	h := sha256.New()
	for _, c := range columns {
		fmt.Fprintf(h, "%d %s %d %v\n", len(c.Name), c.Name, c.Type, c.Required)
	}
	return h.Sum(nil)
}

// quoteName writes an identifier for SQL.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

// quoteText writes a text literal for SQL; standard_conforming_strings is on.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
