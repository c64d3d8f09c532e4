package pushdown

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// Check implements [relation.Engine].
func (p *PG) Check(ctx context.Context, scans []relation.Scan) error {
	within, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	p.forget()
	err := p.use(within, func(conn *pgx.Conn) error {
		for _, s := range scans {
			if err := p.look(within, conn, s.Table); err != nil {
				return err
			}
			for _, f := range s.Fields {
				native, err := p.native(s.Table, f.Source)
				if err != nil {
					return err
				}
				if _, err := (dialect.Postgres{}).Read("t.x", native, f); err != nil {
					return &Error{Source: p.name, Table: s.Table, Column: f.Source, Why: err}
				}
			}
		}
		return nil
	})
	if err != nil {
		return p.fault(ctx, within, err)
	}
	return nil
}

// look asks the catalog about a table, once.
func (p *PG) look(ctx context.Context, conn *pgx.Conn, table string) error {
	p.mu.Lock()
	known, path := p.tables[table] != nil, p.path
	p.mu.Unlock()
	if known {
		return nil
	}
	name := table
	if schema, rest, ok := strings.Cut(table, "."); ok {
		path, name = []string{schema}, rest
	}
	rows, err := conn.Query(ctx, `SELECT n.nspname, a.attname, b.typname, b.typtype::text, b.typcategory::text
		FROM (SELECT c.oid, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relname = $1 AND n.nspname = ANY ($2::text[]) AND c.relkind IN ('r', 'v', 'm', 'f', 'p') ORDER BY array_position($2::text[], n.nspname::text) LIMIT 1) n
		JOIN pg_catalog.pg_attribute a ON a.attrelid = n.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN LATERAL (WITH RECURSIVE up AS (SELECT t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid UNION ALL
			SELECT u.oid, u.typtype, u.typbasetype FROM pg_catalog.pg_type u JOIN up ON up.typtype = 'd' AND u.oid = up.typbasetype)
			SELECT oid FROM up WHERE typtype <> 'd') base ON true
		JOIN pg_catalog.pg_type b ON b.oid = base.oid`, name, path)
	if err != nil {
		return err
	}
	found := &pgTable{columns: map[string]dialect.Native{}}
	var schema, column, typ, class, category string
	_, err = pgx.ForEachRow(rows, []any{&schema, &column, &typ, &class, &category}, func() error {
		found.name = schema + "." + name
		if n, ok := pgNative(typ, class, category); ok {
			found.columns[column] = n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found.name == "" || strings.Contains(schema, ".") {
		return &Error{Source: p.name, Table: table, Why: ErrSchema}
	}
	p.mu.Lock()
	p.tables[table] = found
	p.mu.Unlock()
	return nil
}

// pgNative is what columns of a type hold, if they hold single values whose text does not hang on settings.
func pgNative(typ, class, category string) (dialect.Native, bool) {
	switch typ {
	case "int2", "int4", "int8", "oid":
		return dialect.Integer, true
	case "numeric":
		return dialect.Decimal, true
	case "float4", "float8":
		return dialect.Float, true
	case "bool":
		return dialect.Truth, true
	case "date":
		return dialect.Date, true
	case "timestamp":
		return dialect.Timestamp, true
	case "timestamptz":
		return dialect.Instant, true
	case "uuid", "json", "jsonb", "inet", "cidr", "macaddr", "macaddr8":
		return dialect.Text, true
	}
	return dialect.Text, class == "e" || category == "S"
}
