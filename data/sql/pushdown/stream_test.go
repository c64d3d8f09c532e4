package pushdown_test

import (
	"errors"
	"testing"

	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

// crowd has a group for each of many units, which no buffer of a connection holds.
func crowd(t *testing.T) (relationtest.Tables, *relation.Bounded) {
	t.Helper()
	table := relationtest.Table{Name: "crowd"}
	table.Fields = []relation.Field{{Source: "who", As: "who", Type: relation.NumberType(0, 0, 1<<40), Exact: true}, {Source: "what", As: "what", Type: relation.NumberType(0, 0, 1<<40)}}
	s, err := relation.NewScan("crowd", table.Fields...)
	if err != nil {
		t.Fatal(err)
	}
	return relationtest.Tables{table}, &relation.Bounded{In: s, Unit: []string{"who"}, Keys: []string{"what"}, Rows: 1, Groups: 1, Sums: []relation.Sum{{Op: relation.Units, High: 1}}}
}

// A connection that breaks once groups were handed on is not replaced by another, which would hand them on again; and no error of who takes them
// is mistaken for one of the server.
func TestPostgresHandsGroupsOnOnce(t *testing.T) {
	tables, q := crowd(t)
	p, conn := pg(t, tables)
	if _, err := conn.Exec(t.Context(), `INSERT INTO crowd SELECT n, n FROM generate_series(1, 60000) n`); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := p.Run(t.Context(), q, seed, func(relation.Group) error { return enough }); err != enough {
		t.Fatalf("error %v, want that of who takes the groups", err)
	}
	run := func(broken bool) error {
		seen := map[int64]bool{}
		return p.Run(t.Context(), q, seed, func(g relation.Group) error {
			if seen[g.Keys[0].Int] {
				t.Fatal("a group came twice")
			}
			seen[g.Keys[0].Int] = true
			if broken {
				broken = false
				_, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
				return err
			}
			return nil
		})
	}
	if err := run(false); err != nil { // its connection is idle then
		t.Fatal(err)
	}
	if err := run(true); !errors.As(err, new(*pushdown.Error)) {
		t.Fatalf("error %v, want one of ours", err)
	}
	if err := run(false); err != nil {
		t.Fatal(err)
	}
}

func TestSQLiteHandsAnErrorBack(t *testing.T) {
	tables, q := crowd(t)
	tables[0].Rows = [][]any{{int64(1), int64(1)}, {int64(2), int64(2)}}
	l := lite(t, tables)
	enough := errors.New("enough")
	if err := l.Run(t.Context(), q, seed, func(relation.Group) error { return enough }); err != enough {
		t.Errorf("error %v, want that of who takes the groups", err)
	}
	groups := 0
	if err := l.Run(t.Context(), q, seed, func(relation.Group) error { groups++; return nil }); err != nil || groups != 2 {
		t.Errorf("%d groups, error %v", groups, err)
	}
}
