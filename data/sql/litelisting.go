package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/table"
)

// liteDatabase lists and samples the tables of a file that is opened for reading alone.
type liteDatabase struct {
	liteTable
	pool *sql.DB
	conn *sql.Conn
}

// OpenSQLite opens a database file for reading.
func OpenSQLite(ctx context.Context, path string) (Database, error) {
	p := liteTable{path: path, name: "SQLite database " + filepath.Base(path)}
	stat, err := os.Stat(path)
	if err != nil || !stat.Mode().IsRegular() {
		return nil, &table.Error{Table: p.name, Why: "the file cannot be opened", Err: err}
	}
	pool, conn, err := p.open(ctx, "ro", untouched(path)...)
	if err != nil {
		return nil, err
	}
	d := &liteDatabase{p, pool, conn}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, errors.Join(p.fault("opening", err), d.Close(ctx))
	}
	return d, nil
}

// untouched are parameters that keep SQLite from making files beside one that is kept with a log (WAL) and that nobody has open: they
// would belong to whoever reads it, and might keep those out whose file it is.
func untouched(path string) []string {
	head := make([]byte, 20)
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if _, err := io.ReadFull(f, head); err != nil || head[18] != 2 && head[19] != 2 {
		return nil
	}
	if _, err := os.Lstat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []string{"immutable"}
}

func (d *liteDatabase) Close(context.Context) error {
	return errors.Join(d.conn.Close(), d.pool.Close())
}

// Where implements [Database].
func (d *liteDatabase) Where() (host string, port int, name string) {
	return "", 0, filepath.Base(d.path)
}

// Ping implements [Database].
func (d *liteDatabase) Ping(ctx context.Context) error { return d.conn.PingContext(ctx) }

// Tables implements [Database].
func (d *liteDatabase) Tables(ctx context.Context, most int) ([]Listed, error) {
	rows, err := d.conn.QueryContext(ctx, `SELECT name, type = 'view', coalesce(sql LIKE 'CREATE VIRTUAL%', 0) FROM sqlite_schema
		WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name LIMIT ?`, most+1)
	if err != nil {
		return nil, d.fault("listing the tables", err)
	}
	defer rows.Close()
	var found []Listed
	for rows.Next() {
		l := Listed{Rows: -1}
		if err := rows.Scan(&l.Name, &l.View, &l.Virtual); err != nil {
			return nil, d.fault("listing the tables", err)
		}
		found = append(found, l)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, d.fault("listing the tables", err)
	}
	if len(found) > most {
		return nil, &table.Error{Table: d.name, Why: fmt.Sprintf("has more than %d tables", most)}
	}
	for i := range found {
		l := &found[i]
		if l.Virtual {
			l.Why = "a module gives its rows, which is not run"
			continue
		}
		if err := d.describe(ctx, l); err != nil {
			l.Why = "its description cannot be read" // a view of what is no longer there, a declaration that is damaged
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	for i := range found {
		for j := range found[i].Columns {
			resolve(&found[i].Columns[j].References, found)
		}
	}
	return found, nil
}

// resolve names what a foreign key refers to as the table itself does, and its primary key where it names no column.
func resolve(to *Reference, all []Listed) {
	if to.Table == "" {
		return
	}
	var column string
	keys := 0
	for i := range all {
		if l := &all[i]; strings.EqualFold(l.Name, to.Table) {
			for _, c := range l.Columns {
				if c.Key {
					keys++
				}
				if strings.EqualFold(c.Name, to.Column) || to.Column == "" && c.Key {
					to.Table, column = l.Name, c.Name
				}
			}
		}
	}
	if column == "" || to.Column == "" && keys != 1 {
		*to = Reference{} // it refers to nothing that is there
		return
	}
	to.Column = column
}

func (d *liteDatabase) describe(ctx context.Context, l *Listed) error {
	keys := 0
	err := d.each(ctx, "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", []any{l.Name}, func(scan func(...any) error) error {
		var c ListedColumn
		var pk int
		if err := scan(&c.Name, &c.Declared, &c.Required, &pk); err != nil {
			return err
		}
		if c.Key = pk > 0; c.Key {
			keys++
		}
		c.Declared = strings.ToValidUTF8(c.Declared, "?")
		c.Type = liteDeclared(c.Declared)
		if len(l.Columns) == mostListed {
			return errors.New("too many columns")
		}
		l.Columns = append(l.Columns, c)
		return nil
	})
	if err != nil || l.View {
		return err
	}
	for i := range l.Columns {
		c := &l.Columns[i]
		c.Unique = c.Key && keys == 1
	}
	if err := d.uniques(ctx, l); err != nil {
		return err
	}
	l.rowid = d.rowidOf(ctx, l)
	return d.each(ctx, `SELECT "table", "from", coalesce("to", '') FROM pragma_foreign_key_list(?)`, []any{l.Name}, func(scan func(...any) error) error {
		var to, from, column string
		if err := scan(&to, &from, &column); err != nil {
			return err
		}
		for i := range l.Columns {
			if strings.EqualFold(l.Columns[i].Name, from) {
				l.Columns[i].References = Reference{Table: to, Column: column}
			}
		}
		return nil
	})
}

// uniques finds columns with a unique index of their own.
func (d *liteDatabase) uniques(ctx context.Context, l *Listed) error {
	return d.each(ctx, `SELECT min(i.name) FROM pragma_index_list(?) x JOIN pragma_index_info(x.name) i WHERE x."unique" AND NOT x.partial GROUP BY x.name HAVING count(*) = 1`,
		[]any{l.Name}, func(scan func(...any) error) error {
			var name sql.NullString
			if err := scan(&name); err != nil {
				return err
			}
			for i := range l.Columns {
				l.Columns[i].Unique = l.Columns[i].Unique || l.Columns[i].Name == name.String
			}
			return nil
		})
}

// rowidOf is a name of the number that a row has, "" in a table without.
func (d *liteDatabase) rowidOf(ctx context.Context, l *Listed) string {
	for _, id := range []string{"_rowid_", "rowid", "oid"} {
		taken := false
		for _, c := range l.Columns {
			taken = taken || strings.EqualFold(c.Name, id)
		}
		if taken {
			continue
		}
		if rows, err := d.conn.QueryContext(ctx, "SELECT "+id+" FROM "+quoteName(l.Name)+" LIMIT 0"); err == nil {
			_ = rows.Close()
			return id
		}
	}
	return ""
}

func (d *liteDatabase) each(ctx context.Context, query string, args []any, look func(scan func(...any) error) error) error {
	rows, err := d.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := look(rows.Scan); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// liteDeclared is what a declared type is likely to hold; SQLite promises nothing.
func liteDeclared(declared string) table.Type {
	d := strings.ToUpper(declared)
	for _, k := range []struct {
		word string
		typ  table.Type
	}{
		{"BOOL", table.Truth}, {"DATETIME", table.Timestamp}, {"TIMESTAMP", table.Timestamp}, {"DATE", table.Date}, {"INT", table.Integer},
		{"CHAR", table.String}, {"TEXT", table.String}, {"CLOB", table.String}, {"JSON", table.String}, {"BLOB", table.Bytes},
		{"REAL", table.Float}, {"FLOA", table.Float}, {"DOUB", table.Float}, {"NUM", table.Decimal}, {"DEC", table.Decimal},
	} {
		if strings.Contains(d, k.word) {
			return k.typ
		}
	}
	return table.Mixed
}

// Sample implements [Database]. In a table whose rows have numbers these alone are read to pick some, and then the rows of those.
func (d *liteDatabase) Sample(ctx context.Context, l *Listed, s Sampling, look func(int64, []table.Cell) error) (int64, bool, error) {
	at := *d
	at.name = "SQLite table " + l.Name + " of " + filepath.Base(d.path)
	var count int64
	exact := true
	var err error
	switch {
	case l.Why != "":
		return -1, false, &table.Error{Table: at.name, Why: l.Why}
	case l.View && !s.Views:
		return -1, false, &table.Error{Table: at.name, Why: "to read it would run what its author wrote"}
	case l.View:
		count, err = at.scan(ctx, l, fmt.Sprintf(" LIMIT %d", s.Rows), look)
		exact = false
	case l.rowid == "":
		count, err = at.scan(ctx, l, "", look)
	default:
		count, err = at.byRowid(ctx, l, s, look)
	}
	if err != nil {
		return -1, false, at.fault("reading", err)
	}
	return count, exact, nil
}

// scan reads rows as they come.
func (d *liteDatabase) scan(ctx context.Context, l *Listed, end string, look func(int64, []table.Cell) error) (n int64, err error) {
	c := newLiteCells(l)
	err = d.each(ctx, "SELECT "+c.list()+" FROM "+quoteName(l.Name)+end, nil, func(scan func(...any) error) error {
		n++
		cells, err := c.read(scan)
		if err != nil {
			return err
		}
		return look(n, cells)
	})
	return n, err
}

// byRowid picks numbers of rows by their hashes, and reads these rows in their order.
func (d *liteDatabase) byRowid(ctx context.Context, l *Listed, s Sampling, look func(int64, []table.Cell) error) (int64, error) {
	want := s.Rows + s.Rows/8 + 50
	var count int64
	if err := d.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+quoteName(l.Name)).Scan(&count); err != nil {
		return 0, err
	}
	if count <= 2*int64(want) {
		return d.scan(ctx, l, "", look)
	}
	// A hash of the number, in SQL so that a million of them need not cross into Go: multiply, fold (there is no exclusive or, and & binds as >> does), multiply.
	// All products stay below 2^58.
	pick := fmt.Sprintf(`SELECT r FROM (SELECT r, (((h | (h >> 16)) - (h & (h >> 16))) * 73244475) & 2147483647 AS m
		FROM (SELECT %[1]s AS r, ((%[1]s & 2147483647) * 73244475 + %[3]d) & 2147483647 AS h FROM %[2]s)) WHERE m < %[4]d LIMIT %[5]d`,
		l.rowid, quoteName(l.Name), s.Seed&(1<<31-1), max(int64(float64(want)/float64(count)*(1<<31)), 1), 20*want)
	c := newLiteCells(l)
	number := int64(0)
	err := d.each(ctx, "SELECT "+c.list()+" FROM "+quoteName(l.Name)+" WHERE "+l.rowid+" IN ("+pick+")", nil, func(scan func(...any) error) error {
		number++
		cells, err := c.read(scan)
		if err != nil {
			return err
		}
		return look(number, cells)
	})
	return count, err
}

// liteCells makes cells of rows.
type liteCells struct {
	l      *Listed
	values []any
	into   []any
	cells  []table.Cell
	arena  []byte
}

func newLiteCells(l *Listed) *liteCells {
	c := &liteCells{l: l, values: make([]any, len(l.Columns)), into: make([]any, len(l.Columns)), cells: make([]table.Cell, len(l.Columns))}
	for i := range c.into {
		c.into[i] = &c.values[i]
	}
	return c
}

// list are expressions for the values, blobs left out; the sign keeps the driver from making times of what is declared a date.
func (c *liteCells) list() string {
	list := make([]string, len(c.l.Columns))
	for i, col := range c.l.Columns {
		name := quoteName(col.Name)
		list[i] = fmt.Sprintf("CASE typeof(%[1]s) WHEN 'text' THEN substr(%[1]s, 1, %[2]d) WHEN 'blob' THEN x'' ELSE +%[1]s END", name, sampledNested)
	}
	return strings.Join(list, ", ")
}

func (c *liteCells) read(scan func(...any) error) ([]table.Cell, error) {
	if err := scan(c.into...); err != nil {
		return nil, err
	}
	c.arena = c.arena[:0]
	for i, v := range c.values {
		from, kind := len(c.arena), table.Text
		switch v := v.(type) {
		case int64:
			c.arena, kind = strconv.AppendInt(c.arena, v, 10), table.Number
		case float64:
			c.arena, kind = strconv.AppendFloat(c.arena, v, 'g', -1, 64), table.Number
		case string:
			c.arena = append(c.arena, strings.ToValidUTF8(v, "\ufffd")...)
			if len(v) > 1 && (v[0] == '{' || v[0] == '[') {
				kind = table.Nested
			}
		default: // null, or a blob, which is not looked at
			kind = table.Null
		}
		c.cells[i] = table.Cell{Kind: kind, Text: c.arena[from:len(c.arena):len(c.arena)]}
	}
	return c.cells, nil
}
