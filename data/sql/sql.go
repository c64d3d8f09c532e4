// Package sql reads and writes tables of SQLite and PostgreSQL databases.
package sql

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/data/table"
)

var errNotBuilt = errors.New("sql is not built yet")

// SQLite is a table, or a view, of a database file.
func SQLite(path, name string) (table.Source, error) { return nil, errNotBuilt }

// SQLiteTarget is a table to be made in a database file, which is made if it is not there.
func SQLiteTarget(path, name string) table.Target { return target(name) }

type target string

func (t target) Name() string { return string(t) }
func (t target) Create(context.Context, []table.Column, table.Run) (table.Writer, error) {
	return nil, errNotBuilt
}
func (t target) Discard(context.Context) error { return errNotBuilt }
