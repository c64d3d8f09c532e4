package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // copies are SQLite files, whatever keeps the state

	"github.com/scrimhq/scrim/store"
)

// share is what a table holds of people: what an erasure destroys. It is in no general backup, since who restored it would undo the erasure.
type share struct {
	table string
	of    string // condition on the rows; "": all of them
	empty string // column that is emptied where the row has to stay; "": the row goes
}

// shares are the tables of docs/spec/erasure.md, "What goes, in one transaction".
// What an audience holds of somebody (exposure) is not among them: it is a count under a keyed digest, and without it more would be shown.
var shares = []share{
	{table: "vault_subjects"},
	{table: "vault_handles", of: "subject <> zeroblob(16)"},
	{table: "vault_values", of: "subject <> zeroblob(16)"},
	{table: "vault_surrogates"},
	{table: "vault_known"},
	{table: "vault_tasks"},
	{table: "audit_about"},
	{table: "gateway_handle_forms"},
	{table: "gateway_handle_subjects"},
	{table: "gateway_handles"},
	{table: "gateway_notifications"},
	{table: "gateway_answers", empty: "sealed"},
}

// Purge deletes all that is kept of people, as if each had been erased: for a state that was set back, where an erasure may have been lost.
func Purge(tx store.Tx) error {
	var nobody [16]byte
	for _, s := range shares {
		q, args := "DELETE FROM "+s.table, []any{}
		if s.empty != "" {
			q, args = "UPDATE "+s.table+" SET "+s.empty+" = ?", append(args, []byte{})
		}
		if s.of != "" {
			q, args = q+" WHERE subject <> ?", append(args, nobody[:])
		}
		if _, err := tx.Exec(q, args...); err != nil {
			return fmt.Errorf("deleting what is kept of people in %s: %w", s.table, err)
		}
	}
	return nil
}

// People counts what is kept of people, table by table.
func People(tx store.Tx) (n int64, err error) {
	var nobody [16]byte
	for _, s := range shares {
		q, args := "SELECT count(*) FROM "+s.table, []any{}
		switch {
		case s.empty != "":
			q += " WHERE length(" + s.empty + ") > 0"
		case s.of != "":
			q, args = q+" WHERE subject <> ?", append(args, nobody[:])
		}
		var more int64
		if err := tx.QueryRow(q, args...).Scan(&more); err != nil {
			return 0, fmt.Errorf("counting what is kept of people in %s: %w", s.table, err)
		}
		n += more
	}
	return n, nil
}

// open opens a copy, which nobody else has open.
func open(ctx context.Context, file string) (*sql.Conn, func() error, error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute(file))}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	for _, p := range []string{"secure_delete = ON", "temp_store = MEMORY", "trusted_schema = OFF", "journal_mode = MEMORY", "synchronous = FULL", "cell_size_check = ON"} {
		if _, err := c.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return nil, nil, errors.Join(err, c.Close(), db.Close())
		}
	}
	return c, func() error { return errors.Join(c.Close(), db.Close()) }, nil
}

// part takes what is kept of people out of a copy; into, unless it is "", is a new file that gets it.
func part(ctx context.Context, file, into string) (err error) {
	c, closed, err := open(ctx, file)
	if err != nil {
		return fmt.Errorf("opening the copy: %w", err)
	}
	defer func() { err = errors.Join(err, closed()) }()
	run := func(q string, args ...any) {
		if err == nil {
			_, err = c.ExecContext(ctx, q, args...)
		}
	}
	if into != "" {
		run("ATTACH DATABASE ? AS people", absolute(into))
	}
	for _, s := range shares {
		where := ""
		if s.of != "" {
			where = " WHERE " + s.of
		}
		if into != "" {
			run("CREATE TABLE people." + s.table + " AS SELECT * FROM main." + s.table + where)
		}
		if s.empty != "" {
			run("UPDATE main." + s.table + " SET " + s.empty + " = x''" + where)
		} else {
			run("DELETE FROM main." + s.table + where)
		}
	}
	if into != "" {
		run("DETACH DATABASE people")
	}
	run("VACUUM") // nothing of them stays in a gap of a page
	if err != nil {
		return fmt.Errorf("taking what is kept of people out of the copy: %w", err)
	}
	return nil
}

// join puts what is kept of people into a copy again. Rows that were there before are replaced.
func join(ctx context.Context, file, from string) (err error) {
	c, closed, err := open(ctx, file)
	if err != nil {
		return fmt.Errorf("opening the copy: %w", err)
	}
	defer func() { err = errors.Join(err, closed()) }()
	run := func(q string, args ...any) {
		if err == nil {
			_, err = c.ExecContext(ctx, q, args...)
		}
	}
	run("ATTACH DATABASE ? AS people", absolute(from))
	run("BEGIN IMMEDIATE")
	for _, s := range shares {
		columns, e := columnsOf(ctx, c, s.table)
		if err == nil {
			err = e
		}
		run("INSERT OR REPLACE INTO main." + s.table + " (" + columns + ") SELECT " + columns + " FROM people." + s.table)
	}
	run("COMMIT")
	run("DETACH DATABASE people")
	if err != nil {
		return fmt.Errorf("putting what is kept of people into the copy: %w", err)
	}
	return nil
}

// columnsOf lists the columns that a table of people's has in the file that was kept, which may be of an older program.
func columnsOf(ctx context.Context, c *sql.Conn, table string) (all string, err error) {
	rows, err := c.QueryContext(ctx, "SELECT name FROM pragma_table_info(?, 'people') ORDER BY cid", table)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		if all != "" {
			all += ", "
		}
		all += `"` + name + `"`
	}
	if all == "" && rows.Err() == nil {
		err = fmt.Errorf("the file has no table %s", table)
	}
	return all, errors.Join(err, rows.Err())
}

// PeopleTables are the tables whose rows an erasure deletes, for whoever dumps a database by other means. Stored answers are not among them: their rows have to
// stay, and a restore empties them.
func PeopleTables() (all []string) {
	for _, s := range shares {
		if s.empty == "" && s.of == "" {
			all = append(all, s.table)
		}
	}
	return all
}
