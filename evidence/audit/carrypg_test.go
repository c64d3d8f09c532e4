package audit_test

import (
	"testing"

	"github.com/scrimhq/scrim/store"
)

// oldRow is a row of any of the tables of version 1.
type oldRow []any

// copyTables copies a journal of version 1 from one store to another.
func copyTables(t *testing.T, from, to store.DB) {
	t.Helper()
	for _, table := range []struct{ read, write string }{
		{"SELECT seq, flow, parent, event, sealed, hash FROM audit_entries", "INSERT INTO audit_entries (seq, flow, parent, event, sealed, hash) VALUES (?, ?, ?, ?, ?, ?)"},
		{"SELECT id, size, hash FROM audit_head", "INSERT INTO audit_head (id, size, hash) VALUES (?, ?, ?)"},
		{"SELECT size, note FROM audit_checkpoints", "INSERT INTO audit_checkpoints (size, note) VALUES (?, ?)"},
	} {
		var all []oldRow
		err := from.View(t.Context(), func(tx store.Tx) error {
			rows, err := tx.Query(table.read)
			if err != nil {
				return err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			for rows.Next() && err == nil {
				r := make(oldRow, len(columns))
				to := make([]any, len(columns))
				for i := range r {
					to[i] = &r[i]
				}
				err = rows.Scan(to...)
				all = append(all, r)
			}
			return err
		})
		if err != nil || len(all) == 0 {
			t.Fatalf("%s: %d rows, %v", table.read, len(all), err)
		}
		err = to.Update(t.Context(), func(tx store.Tx) error {
			for _, r := range all {
				if _, err := tx.Exec(table.write, r...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
