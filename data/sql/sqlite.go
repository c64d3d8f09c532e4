package sql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scrimhq/scrim/data/table"
)

// SQLite is a table, or a view, of a database file, which is opened for reading alone.
//
// One read transaction holds from the first opening until Close, so that all readings are of one state; there is one reading at a
// time. Rows come in the order of the rowid, else of the primary key, and those of a view in the order of what they hold. A column
// has a type if all its values have, since SQLite promises nothing; blobs are base64.
func SQLite(path, name string) (table.Source, error) {
	p, err := newLiteTable(path, name)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, &table.Error{Table: p.name, Why: "the file cannot be opened", Err: err}
	}
	return &liteSource{liteTable: p}, nil
}

// liteTable is where a table is.
type liteTable struct{ path, table, name string }

func newLiteTable(path, name string) (liteTable, error) {
	p := liteTable{path: path, table: name, name: fmt.Sprintf("SQLite table %s of %s", name, filepath.Base(path))}
	if name == "" || strings.ContainsRune(name, 0) {
		return p, &table.Error{Table: "SQLite database " + filepath.Base(path), Why: "no table is named"}
	}
	return p, nil
}

// Name implements [table.Source] and [table.Target].
func (p *liteTable) Name() string { return p.name }

// maxLiteValue is the longest value and row that is read: a file can claim that it holds more than there is memory.
const maxLiteValue = 64 << 20

// open returns the one connection of a pool of one. Schemas of strangers may name no functions that do things.
func (p *liteTable) open(ctx context.Context, mode string, flags ...string) (*sql.DB, *sql.Conn, error) {
	path, err := filepath.Abs(p.path)
	if err != nil {
		return nil, nil, err
	}
	q := url.Values{"mode": {mode}, "_pragma": {"busy_timeout(1000)", "trusted_schema(0)", "cell_size_check(1)", "synchronous(FULL)"}}
	for _, f := range flags {
		q.Set(f, "1")
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, nil, p.fault("opening the file", err)
	}
	conn, err := pool.Conn(ctx)
	if err == nil {
		_, err = sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, maxLiteValue)
	}
	if err != nil {
		_ = pool.Close()
		return nil, nil, p.fault("opening the file", err)
	}
	return pool, conn, nil
}

var liteCodes = map[int]string{
	sqlite3.SQLITE_BUSY: "somebody else is writing the file", sqlite3.SQLITE_LOCKED: "somebody else is writing the table", sqlite3.SQLITE_READONLY: "the file can only be read",
	sqlite3.SQLITE_CORRUPT: "the file is damaged", sqlite3.SQLITE_NOTADB: "the file is no SQLite database", sqlite3.SQLITE_FULL: "the disk is full",
	sqlite3.SQLITE_CANTOPEN: "the file cannot be opened", sqlite3.SQLITE_TOOBIG: "a value is longer than 64 MiB", sqlite3.SQLITE_IOERR: "the disk failed", sqlite3.SQLITE_PERM: "the file may not be opened",
}

// fault turns an error of the driver, whose words may quote values, into one of ours.
func (p *liteTable) fault(doing string, err error) error {
	if own, ok := errors.AsType[*table.Error](err); ok {
		return own
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return fmt.Errorf("%s: %s: %w", p.name, doing, end)
		}
	}
	why := "SQLite failed"
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		why = fmt.Sprintf("SQLite failed with code %d", e.Code())
		if words, ok := liteCodes[e.Code()&0xff]; ok {
			why = words
		}
	}
	return &table.Error{Table: p.name, Why: doing + ": " + why}
}

type liteSource struct {
	liteTable

	mu      sync.Mutex // guards the fields below
	pool    *sql.DB
	conn    *sql.Conn // in a read transaction
	reading bool
	columns []table.Column
	order   string
	digest  string
}

// Open implements [table.Source].
func (s *liteSource) Open(ctx context.Context) (table.Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading {
		return nil, &table.Error{Table: s.name, Why: "it is being read already"}
	}
	if s.conn == nil {
		if err := s.begin(ctx); err != nil {
			return nil, err
		}
	}
	s.reading = true
	return &liteReader{source: s, columns: s.columns, sum: sha256.New()}, nil
}

func (s *liteSource) begin(ctx context.Context) error {
	pool, conn, err := s.open(ctx, "ro")
	if err != nil {
		return err
	}
	if _, err = conn.ExecContext(ctx, "BEGIN"); err == nil {
		err = s.look(ctx, conn)
	}
	if err != nil {
		_, _ = conn.Close(), pool.Close()
		return s.fault("looking at the table", err)
	}
	s.pool, s.conn = pool, conn
	return nil
}

// look finds the columns, what all values of each are, and an order.
func (s *liteSource) look(ctx context.Context, conn *sql.Conn) error {
	var kind, declared string
	err := conn.QueryRowContext(ctx, "SELECT type, coalesce(sql, '') FROM sqlite_schema WHERE name = ? AND type IN ('table', 'view')", s.table).Scan(&kind, &declared)
	if errors.Is(err, sql.ErrNoRows) {
		return &table.Error{Table: s.name, Why: "there is no such table or view"}
	}
	if err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, "SELECT name, upper(type), \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", s.table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var types, key []string
	for rows.Next() {
		var c table.Column
		var declared string
		var pk int
		if err := rows.Scan(&c.Name, &declared, &c.Required, &pk); err != nil {
			return err
		}
		s.columns, types = append(s.columns, c), append(types, declared)
		if pk > 0 {
			key = append(key, quoteName(c.Name))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if len(s.columns) == 0 {
		return &table.Error{Table: s.name, Why: "has no columns"}
	}
	s.order = s.orderBy(ctx, conn, kind, key)
	return s.typeColumns(ctx, conn, types)
}

func (s *liteSource) orderBy(ctx context.Context, conn *sql.Conn, kind string, key []string) string {
	var all []string
	for _, c := range s.columns {
		all = append(all, quoteName(c.Name))
	}
	if kind == "table" {
		for _, id := range []string{"_rowid_", "rowid", "oid"} {
			taken := false
			for _, c := range s.columns {
				taken = taken || strings.EqualFold(c.Name, id)
			}
			if taken {
				continue
			}
			if rows, err := conn.QueryContext(ctx, "SELECT "+id+" FROM "+quoteName(s.table)+" LIMIT 0"); err == nil {
				_ = rows.Close()
				return id
			}
		}
		if len(key) > 0 {
			return strings.Join(key, ", ")
		}
	}
	return strings.Join(all, ", ")
}

// typeColumns looks at all values: a column has the type that they have in common.
func (s *liteSource) typeColumns(ctx context.Context, conn *sql.Conn, declared []string) error {
	const each = 50 // columns in one scan
	for from := 0; from < len(s.columns); from += each {
		columns := s.columns[from:min(from+each, len(s.columns))]
		var list []string
		least, most := make([]sql.NullString, 2*len(columns)), make([]any, 0, 4*len(columns))
		truths := make([]sql.NullBool, len(columns))
		for i, c := range columns {
			name := quoteName(c.Name)
			list = append(list, "min(CASE WHEN "+name+" IS NOT NULL THEN typeof("+name+") END), max(CASE WHEN "+name+" IS NOT NULL THEN typeof("+name+") END), min("+name+" IN (0, 1))")
			most = append(most, &least[2*i], &least[2*i+1], &truths[i])
		}
		if err := conn.QueryRowContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+quoteName(s.table)).Scan(most...); err != nil {
			return err
		}
		for i := range columns {
			columns[i].Type = liteType(least[2*i].String, least[2*i+1].String, declared[from+i], truths[i].Bool)
		}
	}
	return nil
}

func liteType(least, most, declared string, truths bool) table.Type {
	switch least + " " + most {
	case "integer integer":
		if truths && (declared == "BOOLEAN" || declared == "BOOL") {
			return table.Truth
		}
		return table.Integer
	case "integer real":
		return table.Decimal
	case "real real":
		return table.Float
	case "text text":
		return table.String
	case "blob blob":
		return table.Bytes
	}
	return table.Mixed
}

// Fingerprint implements [table.Source]: a digest of all that was read, names and types of columns included.
func (s *liteSource) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.digest
}

func (s *liteSource) ended(sum []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digest = "sha256:" + hex.EncodeToString(sum)
}

// Close implements [table.Source].
func (s *liteSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool == nil {
		return nil
	}
	err := errors.Join(s.conn.Close(), s.pool.Close())
	s.pool, s.conn = nil, nil
	if err != nil {
		return s.fault("closing", err)
	}
	return nil
}
