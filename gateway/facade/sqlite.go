package facade

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxCell is the longest value that is shown, in bytes.
const maxCell = 1 << 20

// maxRow bounds what a source reads of one row.
const maxRow = 32 << 20

// lite reads an SQLite database.
type lite struct {
	pool  *sql.DB
	conns chan *liteConn
	limit time.Duration
	end   chan struct{} // closed by Close
}

// liteConn is one connection with what it has prepared.
type liteConn struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// Bounds of connections, and of statements that each keeps prepared.
const (
	liteConns    = 4
	litePrepared = 64
)

// scatter is the hash of keys by which rows are put in an order that says nothing.
const scatter = "scrim_scatter"

var registered = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction(scatter, -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if len(args) < 2 {
			return nil, errors.New("a secret and a key are expected")
		}
		secret, _ := args[0].(string)
		h := hmac.New(sha256.New, []byte(secret))
		for _, v := range args[1:] {
			text := fmt.Sprint(v)
			fmt.Fprintf(h, "%T %d %s", v, len(text), text)
		}
		return hex.EncodeToString(h.Sum(nil)[:16]), nil
	})
})

// SQLite is a database file, which is opened for reading alone. A statement has the time given.
func SQLite(path string, limit time.Duration) (Source, error) {
	if err := registered(); err != nil {
		return nil, fmt.Errorf("SQLite database %s: %w", filepath.Base(path), err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("SQLite database %s: the file cannot be opened: %w", filepath.Base(path), ErrSource)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(1000)", "trusted_schema(0)", "cell_size_check(1)", "query_only(1)"}}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("SQLite database %s: %w", filepath.Base(path), ErrSource)
	}
	l := &lite{pool: pool, conns: make(chan *liteConn, liteConns), limit: limit, end: make(chan struct{})}
	for range liteConns {
		l.conns <- &liteConn{}
	}
	return l, nil
}

// shownLite names the table, so that a column that is not there is an error: SQLite takes a quoted name alone for a text.
// What is too long, or text where a number is due, is an empty blob, which is of no kind, without having been read. An
// expression keeps the driver from making times of what is declared to be one.
func shownLite(c Column) string {
	name := comparedLite(c)
	switch c.Kind {
	case Moment:
		return name
	case Integer, Number, Truth:
		return "CASE WHEN typeof(" + name + ") IN ('text', 'blob') THEN x'' ELSE +" + name + " END"
	}
	return "CASE WHEN " + longLite(name) + " THEN x'' ELSE +" + name + " END"
}

func longLite(name string) string { return "octet_length(" + name + ") > " + strconv.Itoa(maxCell) }

func comparedLite(c Column) string {
	name := "t." + quoted(c.Name)
	if c.Kind == Moment {
		return "strftime('%Y-%m-%dT%H:%M:%fZ', CASE WHEN " + longLite(name) + " THEN NULL ELSE " + name + " END)"
	}
	return name
}

// fitsLite says in SQL what [liteCell] takes for a value of the kind. Texts are looked at there.
func fitsLite(c Column) string {
	name := comparedLite(c)
	switch c.Kind {
	case Integer:
		return "typeof(" + name + ") = 'integer'"
	case Number:
		return "CASE typeof(" + name + ") WHEN 'integer' THEN 1 WHEN 'real' THEN abs(" + name + ") <= 1.7976931348623157e308 ELSE 0 END"
	case Truth:
		return "typeof(" + name + ") = 'integer' AND " + name + " IN (0, 1)"
	case Date:
		return "typeof(" + name + ") = 'text' AND date(" + name + ") = +" + name
	case Moment:
		return "1"
	}
	return "typeof(" + name + ") <> 'blob' AND NOT " + longLite(name)
}

var liteDialect = &dialect{
	table:    quoted,
	shown:    shownLite,
	compared: comparedLite,
	fits:     fitsLite,
	holder:   func(int) string { return "?" },
	hash: func(secret string, key []Column) string {
		list := []string{secret}
		for _, c := range key {
			list = append(list, "t."+quoted(c.Name))
		}
		return scatter + "(" + strings.Join(list, ", ") + ")"
	},
}

// Select implements [Source].
func (l *lite) Select(ctx context.Context, q *Query) (rows []Row, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	var c *liteConn
	select {
	case c = <-l.conns:
	case <-l.end:
		return nil, false, errClosed
	case <-ctx.Done():
		return nil, false, fmt.Errorf("%w: %w", ErrSource, ctx.Err())
	}
	defer func() { l.conns <- c }()
	s := compose(liteDialect, q)
	args := make([]any, len(s.args))
	for i, a := range s.args {
		if args[i], err = liteValue(a); err != nil {
			return nil, false, err
		}
	}
	stmt, err := c.prepare(ctx, l.pool, s.sql.String())
	if err != nil {
		return nil, false, liteFault(ctx, err)
	}
	got, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, false, liteFault(ctx, err)
	}
	defer got.Close()
	values := make([]any, len(q.Columns)+len(q.Order))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	room := q.Bytes
	for got.Next() {
		if len(rows) == q.Limit || room <= 0 && len(rows) > 0 {
			return rows, true, nil
		}
		if err := got.Scan(into...); err != nil {
			return nil, false, liteFault(ctx, err)
		}
		cells := make([]Cell, len(values))
		for i, v := range values {
			kind := Text
			switch {
			case i < len(q.Columns):
				kind = q.Columns[i].Kind
			case !q.Order[i-len(q.Columns)].Scattered:
				kind = q.Order[i-len(q.Columns)].Column.Kind
			}
			cells[i] = liteCell(v, kind)
			if text, ok := v.(string); ok && cells[i].Odd && i >= len(q.Columns) { // pages go on behind it
				cells[i] = Cell{raw: text, Odd: true}
			}
			room -= len(cells[i].Text)
		}
		rows = append(rows, Row{Cells: cells[:len(q.Columns)], At: cells[len(q.Columns):]})
	}
	if err := got.Err(); err != nil {
		return nil, false, liteFault(ctx, err)
	}
	return rows, false, nil
}

// prepare returns the statement of a text. A connection that was never used is opened.
func (c *liteConn) prepare(ctx context.Context, pool *sql.DB, text string) (*sql.Stmt, error) {
	if c.conn == nil {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, maxRow); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		c.conn, c.prepared = conn, map[string]*sql.Stmt{}
	}
	if stmt := c.prepared[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := c.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(c.prepared) >= litePrepared {
		for old, s := range c.prepared {
			delete(c.prepared, old)
			_ = s.Close() // nothing of it is left
			break
		}
	}
	c.prepared[text] = stmt
	return stmt, nil
}

func liteValue(a argument) (any, error) {
	var v any = a.text
	var err error
	switch a.kind {
	case Integer:
		v, err = strconv.ParseInt(a.text, 10, 64)
	case Number:
		if n, whole := strconv.ParseInt(a.text, 10, 64); whole == nil {
			return n, nil
		}
		v, err = strconv.ParseFloat(a.text, 64)
	case Truth:
		v = int64(0)
		if a.text == "true" {
			v = int64(1)
		}
	}
	if err != nil {
		return nil, errValue
	}
	return v, nil
}

func liteCell(v any, k Kind) Cell {
	switch v := v.(type) {
	case nil:
		return Cell{Null: true}
	case int64:
		text := strconv.FormatInt(v, 10)
		switch {
		case k == Truth && (v == 0 || v == 1):
			return Cell{Text: strconv.FormatBool(v == 1), raw: strconv.FormatBool(v == 1)}
		case k == Integer, k == Number, k == Text:
			return Cell{Text: text, raw: text}
		}
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if (k == Number || k == Text) && !math.IsInf(v, 0) && !math.IsNaN(v) {
			return Cell{Text: text, raw: text}
		}
	case string:
		if len(v) <= maxCell && fits(v, k) {
			return Cell{Text: v, raw: v}
		}
	}
	return Cell{Odd: true, Null: true}
}

// fits reports whether a text that a source holds is one of a text's kinds.
func fits(v string, k Kind) bool {
	switch k {
	case Text:
		return utf8.ValidString(v) && !strings.ContainsRune(v, 0)
	case Date:
		_, err := time.Parse(time.DateOnly, v)
		return err == nil
	case Moment:
		_, err := time.Parse(time.RFC3339Nano, v)
		return err == nil
	}
	return false
}

// liteFault says what kind of failure it is, in words of its own.
func liteFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrSource, ctx.Err())
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		if e.Code()&0xff == sqlite3.SQLITE_ERROR {
			return fmt.Errorf("%w: SQLite failed with code %d", ErrChanged, e.Code())
		}
		return fmt.Errorf("%w: SQLite failed with code %d", ErrSource, e.Code())
	}
	return ErrSource
}

// Close implements [Source]. It waits for statements that are under way.
func (l *lite) Close() error {
	close(l.end)
	var errs []error
	for range cap(l.conns) {
		if c := <-l.conns; c.conn != nil {
			for _, s := range c.prepared {
				errs = append(errs, s.Close())
			}
			errs = append(errs, c.conn.Close())
		}
	}
	return errors.Join(append(errs, l.pool.Close())...)
}
