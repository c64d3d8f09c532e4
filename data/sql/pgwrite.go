package sql

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scrimhq/scrim/data/table"
)

// PostgresTarget is a table to be made in a PostgreSQL database: "patients" or "clinic.patients".
//
// Rows go into a table of another name, NAME__scrim_partial, which nobody is granted anything on. Its comment says how far it is
// and is written in the transaction of the rows it counts, so that a crash loses no row and doubles none.
func PostgresTarget(url, name string) table.Target {
	p, err := parsePostgres(url, name)
	return &pgTarget{pgTable: p, err: err}
}

type pgTarget struct {
	pgTable
	err error
}

// Name implements [table.Target].
func (t *pgTarget) Name() string {
	if t.err != nil {
		return "PostgreSQL table"
	}
	return t.name
}

// maxPGName is the longest identifier; the server cuts longer ones, and two names would become one.
const maxPGName = 63

func (t *pgTarget) qualified(name string) string {
	if t.schema == "" {
		return quoteName(name)
	}
	return quoteName(t.schema) + "." + quoteName(name)
}

// Create implements [table.Target].
func (t *pgTarget) Create(ctx context.Context, columns []table.Column, run table.Run) (table.Writer, error) {
	if t.err != nil {
		return nil, t.err
	}
	if err := t.fits(columns); err != nil {
		return nil, err
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	w := &pgWriter{pgTarget: t, conn: conn, columns: columns, sum: sha256.New(), mine: newProgress(columns, run)}
	if err := w.begin(ctx, run.Resume); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return w, nil
}

func (t *pgTarget) fits(columns []table.Column) error {
	if len(t.table)+len(partialSuffix) > maxPGName {
		return &table.Error{Table: t.name, Why: fmt.Sprintf("the name has more than %d bytes", maxPGName-len(partialSuffix))}
	}
	for _, c := range columns {
		if c.Name == "" || len(c.Name) > maxPGName || strings.ContainsRune(c.Name, 0) {
			return &table.Error{Table: t.name, Column: c.Name, Why: fmt.Sprintf("the name of a column needs 1 to %d bytes", maxPGName)}
		}
	}
	return nil
}

// pgWriter holds one transaction open from checkpoint to checkpoint.
type pgWriter struct {
	*pgTarget
	conn    *pgx.Conn
	columns []table.Column
	mine    progress
	resumed int64
	sum     hash.Hash
	done    bool
}

// begin finds or makes the unfinished table, and holds its lock until the connection ends.
func (w *pgWriter) begin(ctx context.Context, resume bool) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	taken, _, err := w.there(ctx, w.table)
	if err != nil {
		return err
	}
	begun, comment, err := w.there(ctx, w.table+partialSuffix)
	if err != nil {
		return err
	}
	if err := mayBegin(w.name, taken, begun, resume); err != nil {
		return err
	}
	if begun {
		return w.goOn(ctx, comment)
	}
	if err := w.exec(ctx, "BEGIN", createTable(w.qualified(w.table+partialSuffix), w.columns, pgTypes[:])); err != nil {
		return err
	}
	return w.Checkpoint(ctx)
}

// lock takes the table's lock. A server lets go of one a moment after the connection that had it was closed, so it is tried for a second.
func (w *pgWriter) lock(ctx context.Context) error {
	for try := 0; ; try++ {
		var free bool
		if err := w.conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock(hashtextextended($1, 1935897965))", w.qualified(w.table)).Scan(&free); err != nil {
			return w.fault("taking the table's lock", err)
		}
		switch {
		case free:
			return nil
		case try == 20:
			return &table.Error{Table: w.name, Why: "another run is writing it", Err: table.ErrExists}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *pgWriter) goOn(ctx context.Context, comment string) error {
	var old progress
	if err := json.Unmarshal([]byte(comment), &old); err != nil {
		return begunByAnother(w.name)
	}
	if err := w.mine.goesOn(w.name, old, w.sum); err != nil {
		return err
	}
	w.mine, w.resumed = old, old.Rows
	return w.exec(ctx, "BEGIN")
}

// there reports whether a table of the name exists, with its comment.
func (w *pgWriter) there(ctx context.Context, name string) (bool, string, error) {
	var exists bool
	var comment *string
	err := w.conn.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL, pg_catalog.obj_description(pg_catalog.to_regclass($1), 'pg_class')", w.qualified(name)).
		Scan(&exists, &comment)
	if err != nil {
		return false, "", w.fault("looking for the table", err)
	}
	if comment == nil {
		return exists, "", nil
	}
	return exists, *comment, nil
}

var pgTypes = [...]string{
	table.Mixed: "text", table.String: "text", table.Integer: "bigint", table.Decimal: "numeric", table.Float: "double precision", table.Truth: "boolean",
	table.Date: "date", table.Timestamp: "timestamptz", table.Bytes: "bytea",
}

func (w *pgWriter) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := w.conn.Exec(ctx, s); err != nil {
			return w.fault("writing", err)
		}
	}
	return nil
}

// Rows implements [table.Writer].
func (w *pgWriter) Rows() int64 { return w.resumed }

// Encode implements [table.Writer].
func (w *pgWriter) Encode(b *table.Batch) (table.Encoded, error) {
	out := make([]byte, 0, 32*len(b.Cells))
	for i := range b.Rows {
		if b.Drop != nil && b.Drop[i] {
			continue
		}
		for n, cell := range b.Row(i) {
			if n > 0 {
				out = append(out, '\t')
			}
			var why string
			if out, why = appendPG(out, w.columns[n], cell); why != "" {
				return table.Encoded{}, &table.Error{Table: w.name, Row: b.First + int64(i), Column: w.columns[n].Name, Why: why}
			}
		}
		out = append(out, '\n')
	}
	return table.Encoded{First: b.First, Rows: b.Rows, Data: out}, nil
}

// Write implements [table.Writer].
func (w *pgWriter) Write(ctx context.Context, e table.Encoded) error {
	text := e.Data.([]byte)
	if len(text) > 0 {
		if _, err := w.conn.PgConn().CopyFrom(ctx, bytes.NewReader(text), "COPY "+w.qualified(w.table+partialSuffix)+" FROM STDIN"); err != nil {
			return w.fault(fmt.Sprintf("writing rows %d to %d", e.First, e.First+int64(e.Rows)-1), err)
		}
	}
	w.sum.Write(text)
	w.mine.Rows = e.First + int64(e.Rows) - 1
	return nil
}

// Checkpoint implements [table.Writer].
func (w *pgWriter) Checkpoint(ctx context.Context) error {
	if err := w.mine.keep(w.sum); err != nil {
		return err
	}
	note, err := json.Marshal(w.mine)
	if err != nil {
		return err
	}
	return w.exec(ctx, "COMMENT ON TABLE "+w.qualified(w.table+partialSuffix)+" IS "+quoteText(string(note)), "COMMIT", "BEGIN")
}

// Finish implements [table.Writer]. The digest is that of the columns and of the rows in PostgreSQL's text form.
func (w *pgWriter) Finish(ctx context.Context) (string, error) {
	if err := w.Checkpoint(ctx); err != nil {
		return "", err
	}
	w.done = true
	return w.mine.digest(w.sum), nil
}

// Commit implements [table.Writer].
func (w *pgWriter) Commit(ctx context.Context) error {
	if !w.done {
		return errors.New("commit before the table is finished")
	}
	partial := w.qualified(w.table + partialSuffix)
	for _, s := range []string{"COMMENT ON TABLE " + partial + " IS NULL", "ALTER TABLE " + partial + " RENAME TO " + quoteName(w.table), "COMMIT"} {
		if _, err := w.conn.Exec(ctx, s); err != nil {
			if server, ok := errors.AsType[*pgconn.PgError](err); ok && server.Code == "42P07" {
				return &table.Error{Table: w.name, Why: "somebody made such a table meanwhile", Err: table.ErrExists}
			}
			return w.fault("giving it its name", err)
		}
	}
	return nil
}

// Close implements [table.Writer].
func (w *pgWriter) Close() error {
	if err := w.conn.Close(context.Background()); err != nil { // what is not committed is rolled back
		return w.fault("closing", err)
	}
	return nil
}

// Discard implements [table.Target].
func (t *pgTarget) Discard(ctx context.Context) error {
	if t.err != nil {
		return t.err
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+t.qualified(t.table+partialSuffix)); err != nil {
		return t.fault("discarding the unfinished table", err)
	}
	return nil
}

// appendPG writes a cell as COPY's text form has it, or says why the column cannot hold it.
func appendPG(dst []byte, c table.Column, cell table.Cell) ([]byte, string) {
	if cell.Kind == table.Null {
		if c.Required {
			return nil, "a value is missing in a column that needs one"
		}
		return append(dst, `\N`...), ""
	}
	if why := misfit(c.Type, cell); why != "" {
		return nil, why
	}
	if c.Type == table.Bytes {
		raw, err := base64.StdEncoding.DecodeString(string(cell.Text))
		if err != nil {
			return nil, "holds no base64, and the column is one of bytes"
		}
		return hex.AppendEncode(append(dst, `\\x`...), raw), ""
	}
	for _, b := range cell.Text {
		switch b {
		case 0:
			return nil, "holds a character of code 0, which PostgreSQL does not take"
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, b)
		}
	}
	return dst, ""
}

// misfit says why a cell is none of the type, in words that do not hold it; "" if it is one.
func misfit(t table.Type, cell table.Cell) string {
	switch t {
	case table.Integer:
		if _, err := strconv.ParseInt(string(cell.Text), 10, 64); err != nil || cell.Kind != table.Number {
			return "holds no whole number within 64 bits"
		}
	case table.Decimal, table.Float:
		if cell.Kind != table.Number {
			return "holds no number"
		}
		if f, err := strconv.ParseFloat(string(cell.Text), 64); t == table.Float && (err != nil || f-f != 0) {
			return "holds a number beyond 64 bits of floating point"
		}
	case table.Truth:
		if cell.Kind != table.Bool {
			return "holds neither true nor false"
		}
	case table.Date, table.Timestamp:
		if cell.Kind != table.Text || !isTime(t, string(cell.Text)) {
			return "holds no date in the form that the column has"
		}
	default:
		if !utf8.Valid(cell.Text) {
			return "holds bytes that are no UTF-8"
		}
	}
	return ""
}

func isTime(t table.Type, text string) bool {
	layout := time.RFC3339Nano
	if t == table.Date {
		layout = time.DateOnly
	}
	_, err := time.Parse(layout, text)
	return err == nil
}
