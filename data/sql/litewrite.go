package sql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"os"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scrimhq/scrim/data/table"
)

// SQLiteTarget is a table to be made in a database file, which is made (for its owner alone) if it is not there.
//
// Rows go into NAME__scrim_partial; NAME__scrim_progress says how far it is, in the transaction of the rows it counts. While a run
// writes, nobody else can write to the file. Truths become 0 and 1; numbers that neither 64 bits nor a double can hold exactly
// become text.
func SQLiteTarget(path, name string) table.Target {
	p, err := newLiteTable(path, name)
	return &liteTarget{liteTable: p, err: err}
}

type liteTarget struct {
	liteTable
	err error
}

const progressSuffix = "__scrim_progress"

// Create implements [table.Target].
func (t *liteTarget) Create(ctx context.Context, columns []table.Column, run table.Run) (table.Writer, error) {
	if t.err != nil {
		return nil, t.err
	}
	if f, err := os.OpenFile(t.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		_ = f.Close()
	} else if !errors.Is(err, os.ErrExist) {
		return nil, &table.Error{Table: t.name, Why: "the file cannot be made", Err: err}
	}
	pool, conn, err := t.open(ctx, "rw")
	if err != nil {
		return nil, err
	}
	w := &liteWriter{liteTarget: t, pool: pool, conn: conn, columns: columns, sum: sha256.New(), mine: newProgress(columns, run)}
	if err := w.begin(ctx, run.Resume); err != nil {
		_, _ = conn.Close(), pool.Close()
		return nil, w.fault("beginning", err)
	}
	return w, nil
}

// liteWriter holds one write transaction open from checkpoint to checkpoint.
type liteWriter struct {
	*liteTarget
	pool    *sql.DB
	conn    *sql.Conn
	insert  *sql.Stmt
	columns []table.Column
	mine    progress
	resumed int64
	sum     hash.Hash
	done    bool
}

func (w *liteWriter) begin(ctx context.Context, resume bool) error {
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
			return &table.Error{Table: w.name, Why: "another run or program is writing the file", Err: table.ErrExists}
		}
		return err
	}
	taken, err := w.there(ctx, w.table)
	if err != nil {
		return err
	}
	begun, err := w.there(ctx, w.table+partialSuffix)
	if err == nil {
		err = mayBegin(w.name, taken, begun, resume)
	}
	switch {
	case err != nil:
		return err
	case begun:
		err = w.goOn(ctx)
	default:
		err = w.exec(ctx, createTable(quoteName(w.table+partialSuffix), w.columns, liteTypes[:]), "CREATE TABLE "+quoteName(w.table+progressSuffix)+" (tag TEXT, columns TEXT, rows INTEGER, sum BLOB)")
		if err == nil {
			err = w.Checkpoint(ctx)
		}
	}
	if err != nil {
		return err
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(w.columns)), ", ")
	w.insert, err = w.conn.PrepareContext(ctx, "INSERT INTO "+quoteName(w.table+partialSuffix)+" VALUES ("+marks+")")
	return err
}

func (w *liteWriter) goOn(ctx context.Context) error {
	var old progress
	err := w.conn.QueryRowContext(ctx, "SELECT tag, columns, rows, sum FROM "+quoteName(w.table+progressSuffix)).Scan(&old.Tag, &old.Columns, &old.Rows, &old.Sum)
	if err != nil {
		return begunByAnother(w.name)
	}
	if err := w.mine.goesOn(w.name, old, w.sum); err != nil {
		return err
	}
	w.mine, w.resumed = old, old.Rows
	return nil
}

func (w *liteWriter) there(ctx context.Context, name string) (bool, error) {
	var n int
	err := w.conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ? COLLATE NOCASE", name).Scan(&n)
	return n > 0, err
}

// liteTypes leave columns without a type where an affinity would change what is stored.
var liteTypes = [...]string{
	table.Mixed: "", table.String: "TEXT", table.Integer: "INTEGER", table.Decimal: "", table.Float: "REAL", table.Truth: "BOOLEAN",
	table.Date: "TEXT", table.Timestamp: "TEXT", table.Bytes: "BLOB",
}

func (w *liteWriter) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := w.conn.ExecContext(ctx, s); err != nil {
			return w.fault("writing", err)
		}
	}
	return nil
}

// Rows implements [table.Writer].
func (w *liteWriter) Rows() int64 { return w.resumed }

// liteBatch is rows as the driver takes them, and as the digest does.
type liteBatch struct {
	args  []any
	cells []table.Cell
}

// Encode implements [table.Writer].
func (w *liteWriter) Encode(b *table.Batch) (table.Encoded, error) {
	out := liteBatch{args: make([]any, 0, len(b.Cells)), cells: make([]table.Cell, 0, len(b.Cells))}
	for i := range b.Rows {
		if b.Drop != nil && b.Drop[i] {
			continue
		}
		for n, cell := range b.Row(i) {
			v, why := liteValue(w.columns[n], cell)
			if why != "" {
				return table.Encoded{}, &table.Error{Table: w.name, Row: b.First + int64(i), Column: w.columns[n].Name, Why: why}
			}
			out.args = append(out.args, v)
			out.cells = append(out.cells, table.Cell{Kind: cell.Kind, Text: []byte(string(cell.Text))})
		}
	}
	return table.Encoded{First: b.First, Rows: b.Rows, Data: out}, nil
}

// liteValue is what is stored for a cell, or why the column cannot hold it.
func liteValue(c table.Column, cell table.Cell) (any, string) {
	if cell.Kind == table.Null {
		if c.Required {
			return nil, "a value is missing in a column that needs one"
		}
		return nil, ""
	}
	if why := misfit(c.Type, cell); why != "" {
		return nil, why
	}
	text := string(cell.Text)
	switch {
	case c.Type == table.Bytes:
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, "holds no base64, and the column is one of bytes"
		}
		return raw, ""
	case cell.Kind == table.Bool:
		return text == "true", ""
	case cell.Kind != table.Number || c.Type == table.String:
		return text, ""
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n, ""
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && (c.Type == table.Float || strconv.FormatFloat(f, 'g', -1, 64) == text) {
		return f, ""
	}
	return text, ""
}

// Write implements [table.Writer].
func (w *liteWriter) Write(ctx context.Context, e table.Encoded) error {
	b, width := e.Data.(liteBatch), len(w.columns)
	for at := 0; at < len(b.args); at += width {
		if _, err := w.insert.ExecContext(ctx, b.args[at:at+width]...); err != nil {
			return w.fault(fmt.Sprintf("writing rows %d to %d", e.First, e.First+int64(e.Rows)-1), err)
		}
	}
	digestCells(w.sum, b.cells)
	w.mine.Rows = e.First + int64(e.Rows) - 1
	return nil
}

// Checkpoint implements [table.Writer].
func (w *liteWriter) Checkpoint(ctx context.Context) error {
	if err := w.mine.keep(w.sum); err != nil {
		return err
	}
	at := quoteName(w.table + progressSuffix)
	if err := w.exec(ctx, "DELETE FROM "+at); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "INSERT INTO "+at+" VALUES (?, ?, ?, ?)", w.mine.Tag, w.mine.Columns, w.mine.Rows, w.mine.Sum); err != nil {
		return w.fault("writing", err)
	}
	return w.exec(ctx, "COMMIT", "BEGIN IMMEDIATE")
}

// Finish implements [table.Writer]. The digest is that of columns and cells.
func (w *liteWriter) Finish(ctx context.Context) (string, error) {
	if err := w.Checkpoint(ctx); err != nil {
		return "", err
	}
	w.done = true
	return w.mine.digest(w.sum), nil
}

// Commit implements [table.Writer]. The write lock has been held since Finish looked, so nobody can have made the table but before.
func (w *liteWriter) Commit(ctx context.Context) error {
	if !w.done {
		return errors.New("commit before the table is finished")
	}
	taken, err := w.there(ctx, w.table)
	if err != nil {
		return w.fault("giving it its name", err)
	}
	if taken {
		return &table.Error{Table: w.name, Why: "somebody made such a table meanwhile", Err: table.ErrExists}
	}
	_ = w.insert.Close()
	return w.exec(ctx, "DROP TABLE "+quoteName(w.table+progressSuffix), "ALTER TABLE "+quoteName(w.table+partialSuffix)+" RENAME TO "+quoteName(w.table), "COMMIT")
}

// Close implements [table.Writer]. What is not committed is rolled back.
func (w *liteWriter) Close() error {
	_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK") // fails where nothing is open
	if err := errors.Join(w.conn.Close(), w.pool.Close()); err != nil {
		return w.fault("closing", err)
	}
	return nil
}

// Discard implements [table.Target].
func (t *liteTarget) Discard(ctx context.Context) error {
	if t.err != nil {
		return t.err
	}
	if _, err := os.Stat(t.path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	pool, conn, err := t.open(ctx, "rw")
	if err != nil {
		return err
	}
	defer func() { _, _ = conn.Close(), pool.Close() }()
	for _, s := range []string{"BEGIN IMMEDIATE", "DROP TABLE IF EXISTS " + quoteName(t.table+partialSuffix), "DROP TABLE IF EXISTS " + quoteName(t.table+progressSuffix), "COMMIT"} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return t.fault("discarding the unfinished table", err)
		}
	}
	return nil
}
