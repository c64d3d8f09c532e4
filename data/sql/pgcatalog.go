package sql

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/table"
)

// pgColumn is a column with what turns its text into a cell.
type pgColumn struct {
	table.Column
	typ  string // as the server calls it, or what a domain is based on
	form pgForm // nil: it holds no single values
}

// pgFound is a table as the server's catalog describes it.
type pgFound struct {
	at      *pgTable
	schema  string
	kind    string // relkind
	key     []string
	columns []pgColumn
}

// look asks the catalog about the table. The name is resolved under the search path as users have it; later statements name the schema.
func (p *pgTable) look(ctx context.Context, conn *pgx.Conn) (*pgFound, error) {
	name := quoteName(p.table)
	if p.schema != "" {
		name = quoteName(p.schema) + "." + name
	}
	f := &pgFound{at: p}
	var oid uint32
	err := conn.QueryRow(ctx, `SELECT c.oid, n.nspname, c.relkind::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = pg_catalog.to_regclass($1)`, name).Scan(&oid, &f.schema, &f.kind)
	if err == pgx.ErrNoRows || err == nil && !strings.Contains("rvmfp", f.kind) {
		return nil, &table.Error{Table: p.name, Why: "there is no such table or view"}
	}
	if err != nil {
		return nil, p.fault("looking for the table", err)
	}
	rows, err := conn.Query(ctx, `SELECT a.attname, b.typname, b.typtype::text, b.typcategory::text, a.attnotnull
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		JOIN LATERAL (WITH RECURSIVE up AS (SELECT t.oid, t.typtype, t.typbasetype UNION ALL
			SELECT u.oid, u.typtype, u.typbasetype FROM pg_catalog.pg_type u JOIN up ON up.typtype = 'd' AND u.oid = up.typbasetype)
			SELECT oid FROM up WHERE typtype <> 'd') base ON true
		JOIN pg_catalog.pg_type b ON b.oid = base.oid
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, oid)
	if err != nil {
		return nil, p.fault("looking at the columns", err)
	}
	f.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c pgColumn, err error) {
		var class, category string // of the type: e is an enum; A an array, S a text
		err = row.Scan(&c.Name, &c.typ, &class, &category, &c.Required)
		c.Type, c.form = pgMeaning(c.typ, class, category)
		return c, err
	})
	if err != nil {
		return nil, p.fault("looking at the columns", err)
	}
	rows, err = conn.Query(ctx, `SELECT a.attname FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(num, at)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.at`, oid)
	if err != nil {
		return nil, p.fault("looking at the primary key", err)
	}
	if f.key, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, p.fault("looking at the primary key", err)
	}
	return f, nil
}

// query gives the columns in an order that holds for the snapshot.
func (f *pgFound) query(columns []pgColumn) (string, error) {
	var list, order []string
	for _, c := range columns {
		if c.form == nil {
			return "", &table.Error{Table: f.at.name, Column: c.Name, Why: fmt.Sprintf("has the type %s, which is no single value; leave the column out", c.typ)}
		}
		list = append(list, quoteName(c.Name))
		order = append(order, quoteName(c.Name)+`::text COLLATE "C"`)
	}
	if len(columns) == 0 {
		return "", &table.Error{Table: f.at.name, Why: "has no columns to read"}
	}
	switch {
	case len(f.key) > 0:
		order = nil
		for _, name := range f.key {
			order = append(order, quoteName(name))
		}
	case f.kind == "r" || f.kind == "m":
		order = []string{"ctid"}
	case f.kind == "p":
		order = []string{"tableoid", "ctid"}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + quoteName(f.schema) + "." + quoteName(f.at.table) + " ORDER BY " + strings.Join(order, ", "), nil
}

// pgMeaning says what a column of a type is to us; the form is nil for what is no single value.
func pgMeaning(typ, class, category string) (table.Type, pgForm) {
	switch typ {
	case "int2", "int4", "int8", "oid":
		return table.Integer, pgNumber
	case "numeric":
		return table.Decimal, pgNumber
	case "float4", "float8":
		return table.Float, pgNumber
	case "bool":
		return table.Truth, pgTruth
	case "date":
		return table.Date, pgDate
	case "timestamp", "timestamptz":
		return table.Timestamp, pgTimestamp
	case "bytea":
		return table.Bytes, pgBytes
	case "json", "jsonb", "uuid", "xml", "inet", "cidr", "macaddr", "macaddr8", "time", "timetz", "interval", "money", "bit", "varbit", "char":
		return table.String, pgText
	}
	if class == "e" || category == "S" {
		return table.String, pgText
	}
	return 0, nil
}
