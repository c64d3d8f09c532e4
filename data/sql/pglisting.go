package sql

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/scrimhq/scrim/data/table"
)

// pgDatabase is a connection that lists and samples tables. Each statement runs in a transaction of its own that only reads, so that
// a long scan holds nothing back in the server.
type pgDatabase struct {
	pgTable
	conn *pgx.Conn
}

// maxMessage bounds a message of the server: it says itself how long one is.
const maxMessage = 64 << 20

// OpenPostgres connects to a database. The URL is what libpq takes; TLS is as it says.
func OpenPostgres(ctx context.Context, url string) (Database, error) {
	p, err := parsePostgres(url, "-")
	if err != nil {
		return nil, err
	}
	p.table, p.name = "", "PostgreSQL database "+p.config.Database
	p.config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxMessage)
		return f
	}
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &pgDatabase{p, conn}, nil
}

func (d *pgDatabase) Close(ctx context.Context) error { return d.conn.Close(ctx) }

// Where implements [Database].
func (d *pgDatabase) Where() (host string, port int, name string) {
	if host = d.config.Host; strings.HasPrefix(host, "/") {
		return "", 0, d.config.Database
	}
	return host, int(d.config.Port), d.config.Database
}

// Ping implements [Database].
func (d *pgDatabase) Ping(ctx context.Context) error {
	if err := d.conn.Ping(ctx); err != nil {
		return d.fault("asking whether it is there", err)
	}
	return nil
}

// reading runs look in a transaction that only reads, finds nothing by an unqualified name, and fails where row-level security would
// hide rows: a policy is a function that its owner wrote, and would run with our rights.
func (d *pgDatabase) reading(ctx context.Context, doing string, look func() error) error {
	if d.conn.IsClosed() {
		return &table.Error{Table: d.name, Why: "the connection broke"}
	}
	for _, q := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL search_path = ''", "SET LOCAL row_security = off", "SET LOCAL lock_timeout = '10s'"} {
		if _, err := d.conn.Exec(ctx, q); err != nil {
			return d.fault(doing, err)
		}
	}
	err := look()
	if d.conn.IsClosed() && err != nil {
		return d.fault(doing, err)
	}
	if _, end := d.conn.Exec(context.WithoutCancel(ctx), "ROLLBACK"); end != nil && err == nil {
		err = end
	}
	if err != nil {
		return d.fault(doing, err)
	}
	return nil
}

// Tables implements [Database]. Partitions are part of the table that is divided into them.
func (d *pgDatabase) Tables(ctx context.Context, most int) (found []Listed, err error) {
	err = d.reading(ctx, "listing the tables", func() error {
		if found, err = d.relations(ctx, most); err != nil {
			return err
		}
		at := map[uint32]*Listed{}
		for i := range found {
			at[found[i].oid] = &found[i]
		}
		if err := d.columns(ctx, at); err != nil {
			return err
		}
		return d.constraints(ctx, at)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (d *pgDatabase) relations(ctx context.Context, most int) ([]Listed, error) {
	rows, err := d.conn.Query(ctx, `SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.reltuples::float8, pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
		CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_catalog.pg_table_size(t.relid)), 0)::int8 FROM pg_catalog.pg_partition_tree(c.oid) t)
			WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C" LIMIT $1`, most+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Listed
	for rows.Next() {
		if len(found) == most {
			d.cut()
			return nil, &table.Error{Table: d.name, Why: fmt.Sprintf("has more than %d tables", most)}
		}
		l, err := relation(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, l)
	}
	return found, rows.Err()
}

func relation(row pgx.CollectableRow) (l Listed, err error) {
	var kind string
	var tuples float64
	var usable bool
	var size *int64 // null: it was dropped meanwhile
	if err = row.Scan(&l.oid, &l.Schema, &l.Name, &kind, &tuples, &usable, &size); err != nil {
		return l, err
	}
	l.View, l.Rows = kind == "v" || kind == "f", -1
	if tuples >= 0 && !l.View {
		l.Rows = int64(min(tuples, 1<<60))
	}
	if size != nil {
		l.size = *size
	}
	if !usable {
		l.Why = "the user may not use its schema"
	}
	return l, nil
}

// columns reads those of all tables at once.
func (d *pgDatabase) columns(ctx context.Context, at map[uint32]*Listed) error {
	rows, err := d.conn.Query(ctx, `SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), b.typname, b.typtype::text, b.typcategory::text, a.attnotnull,
		pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), coalesce(s.n_distinct, 0)::float8, b.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
		JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		JOIN LATERAL (WITH RECURSIVE up AS (SELECT t.oid, t.typtype, t.typbasetype UNION ALL
			SELECT u.oid, u.typtype, u.typbasetype FROM pg_catalog.pg_type u JOIN up ON up.typtype = 'd' AND u.oid = up.typbasetype)
			SELECT oid FROM up WHERE typtype <> 'd') base ON true
		JOIN pg_catalog.pg_type b ON b.oid = base.oid
		LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
		WHERE c.oid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`, oids(at))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var oid uint32
		var c ListedColumn
		var typ, class, category string
		var readable, builtin bool
		var distinct float64
		if err := rows.Scan(&oid, &c.Name, &c.Declared, &typ, &class, &category, &c.Required, &readable, &distinct, &builtin); err != nil {
			return err
		}
		l := at[oid]
		if l == nil || len(l.Columns) == mostListed {
			d.cut()
			return &table.Error{Table: d.name, Why: "the server described columns of what it has not"}
		}
		c.Type, _ = pgMeaning(typ, class, category)
		c.Unreadable = !readable
		switch {
		case !builtin:
			c.kind = foreignColumn
		case typ == "json" || typ == "jsonb":
			c.kind = jsonColumn
		case category == "A":
			c.kind = listColumn
		case typ == "bytea":
			c.kind = bytesColumn
		}
		if distinct < 0 && l.Rows > 0 { // a share of the rows
			distinct *= -float64(l.Rows)
		}
		c.Distinct = max(int64(distinct), 0)
		l.Columns = append(l.Columns, c)
	}
	return rows.Err()
}

// cut ends the connection at once. To close what it answers would mean to read that to its end, and a server that sends more than it was
// asked for may send it for ever.
func (d *pgDatabase) cut() { _ = d.conn.PgConn().Conn().Close() }

// constraints reads primary keys, unique constraints and foreign keys.
func (d *pgDatabase) constraints(ctx context.Context, at map[uint32]*Listed) error {
	rows, err := d.conn.Query(ctx, `SELECT k.conrelid, k.contype::text,
		(SELECT pg_catalog.array_agg(a.attname::text ORDER BY o.i) FROM unnest(k.conkey) WITH ORDINALITY o(num, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.num),
		coalesce(n.nspname, ''), coalesce(f.relname, ''),
		(SELECT coalesce(pg_catalog.array_agg(a.attname::text ORDER BY o.i), '{}') FROM unnest(k.confkey) WITH ORDINALITY o(num, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.num)
		FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = f.relnamespace
		WHERE k.contype IN ('p', 'u', 'f') AND k.conrelid = ANY($1) ORDER BY k.conrelid, k.conname`, oids(at))
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n > 100*mostListed*len(at) {
			d.cut()
			return &table.Error{Table: d.name, Why: "the server described more keys than there can be"}
		}
		var oid uint32
		var kind, schema, to string
		var from, target []string
		if err := rows.Scan(&oid, &kind, &from, &schema, &to, &target); err != nil {
			return err
		}
		if l := at[oid]; l != nil {
			l.constrain(kind, from, schema, to, target)
		}
	}
	return rows.Err()
}

func (l *Listed) constrain(kind string, from []string, schema, to string, target []string) {
	for i := range l.Columns {
		c := &l.Columns[i]
		for j, name := range from {
			if name != c.Name {
				continue
			}
			switch kind {
			case "p":
				c.Key, c.Unique = true, c.Unique || len(from) == 1
			case "u":
				c.Unique = c.Unique || len(from) == 1
			case "f":
				if j >= len(target) {
					continue
				}
				c.References = Reference{schema, to, target[j]}
			}
		}
	}
}

func oids(at map[uint32]*Listed) []uint32 {
	var all []uint32
	for oid := range at {
		all = append(all, oid)
	}
	return all
}

// exactSize is how large a table may be that is counted, and sampled row by row. Of a larger one pages are picked.
const exactSize = 1 << 30

// Sample implements [Database].
func (d *pgDatabase) Sample(ctx context.Context, l *Listed, s Sampling, look func(int64, []table.Cell) error) (count int64, exact bool, err error) {
	at := *d
	at.name = "PostgreSQL table " + l.Title() + " of database " + d.config.Database
	switch {
	case l.Why != "":
		return l.Rows, false, &table.Error{Table: at.name, Why: l.Why}
	case l.View && !s.Views:
		return l.Rows, false, &table.Error{Table: at.name, Why: "to read it would run what its owner wrote"}
	}
	err = at.reading(ctx, "reading", func() error {
		from := quoteName(l.Schema) + "." + quoteName(l.Name)
		count, exact = l.Rows, false
		if !l.View && l.size <= exactSize {
			if err := at.conn.QueryRow(ctx, "SELECT count(*) FROM "+from).Scan(&count); err != nil {
				return err
			}
			exact = true
		}
		return at.rows(ctx, l, "SELECT "+strings.Join(l.samples(), ", ")+" FROM "+from+l.sampling(s, count), 20*(2*int64(s.Rows)+100), look)
	})
	return count, exact, err
}

// sampling picks rows so that a few more come than are wanted.
func (l *Listed) sampling(s Sampling, count int64) string {
	want := int64(s.Rows) + int64(s.Rows)/8 + 50
	switch {
	case l.View:
		return fmt.Sprintf(" LIMIT %d", s.Rows)
	case l.size <= exactSize && count <= 2*want:
		return ""
	}
	how := "BERNOULLI"
	if l.size > exactSize {
		how = "SYSTEM"
		count = max(count, l.size/1000) // never analysed: rows of a kilobyte
	}
	return fmt.Sprintf(" TABLESAMPLE %s (%.9f) REPEATABLE (%d) LIMIT %d", how, min(100, 100*float64(want)/float64(count)), s.Seed%(1<<31), 20*want)
}

// samples are expressions for the beginnings of the columns' values. A cast from a type that somebody made may be a function of theirs,
// which would run with our rights: such values come as the type's output function writes them.
func (l *Listed) samples() []string {
	list := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		name := quoteName(c.Name)
		switch {
		case c.Unreadable || c.kind == bytesColumn:
			list[i] = "NULL"
		case c.kind == foreignColumn:
			list[i] = name
		case c.kind == jsonColumn:
			list[i] = fmt.Sprintf("pg_catalog.left(%s::pg_catalog.text, %d)", name, sampledNested)
		case c.kind == listColumn:
			list[i] = fmt.Sprintf("pg_catalog.left(pg_catalog.array_to_json(%s)::pg_catalog.text, %d)", name, sampledNested)
		default:
			list[i] = fmt.Sprintf("pg_catalog.left(%s::pg_catalog.text, %d)", name, sampledValue/4)
		}
	}
	if len(list) == 0 {
		list = []string{"NULL"}
	}
	return list
}

// rows reads the answer as the text that the server writes, so many rows at most.
func (d *pgDatabase) rows(ctx context.Context, l *Listed, query string, most int64, look func(int64, []table.Cell) error) error {
	answer := d.conn.PgConn().ExecParams(ctx, query, nil, nil, nil, nil)
	cells := make([]table.Cell, len(l.Columns))
	var number int64
	for answer.NextRow() {
		values := answer.Values()
		if len(values) != max(len(cells), 1) {
			_, _ = answer.Close()
			return &table.Error{Table: d.name, Why: "the server sent another number of columns"}
		}
		if number++; number > most {
			d.cut()
			return &table.Error{Table: d.name, Why: "the server sent more rows than it was asked for"}
		}
		for i := range cells {
			cells[i] = table.Cell{Kind: table.Text, Text: values[i]}
			switch kind := l.Columns[i].kind; {
			case values[i] == nil:
				cells[i].Kind = table.Null
			case kind == jsonColumn || kind == listColumn:
				cells[i].Kind = table.Nested
			}
		}
		if err := look(number, cells); err != nil {
			_, _ = answer.Close()
			return err
		}
	}
	_, err := answer.Close()
	return err
}
