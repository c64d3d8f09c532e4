package duckdb_test

import (
	"testing"

	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// TestCollationsMergeNoUnits has a column that says of itself that case does not count: names that differ are different units all the same, keys
// are different groups, and patterns and comparisons tell them apart.
func TestCollationsMergeNoUnits(t *testing.T) {
	path := t.TempDir() + "/t.duckdb"
	prepare(t, "ATTACH '"+path+"' AS d", "CREATE TABLE d.t (u VARCHAR COLLATE NOCASE, k VARCHAR COLLATE NOCASE)",
		"INSERT INTO d.t VALUES ('Ann', 'X'), ('ann', 'x'), ('ANN', 'X')", "DETACH d")
	e := open(t, process.Options{Database: path})
	scan := func(u, k string) relation.Rel {
		s, err := relation.NewScan("t", relation.Field{Source: "u", As: u, Type: relation.TextType, Exact: true}, relation.Field{Source: "k", As: k, Type: relation.TextType})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	units := []relation.Sum{{Op: relation.Count, High: 9}}
	got := groupsOf(t, e, &relation.Bounded{In: scan("u", "k"), Unit: []string{"u"}, Keys: []string{"k"}, Rows: 9, Sums: units})
	if len(got) != 2 || got[0].Units+got[1].Units != 3 {
		t.Errorf("groups are %+v, want x of one unit and X of two", got)
	}
	j, err := relation.NewJoin(relation.Inner, scan("u", "k"), scan("v", "l"), relation.Equal{Left: "u", Right: "v"})
	if err != nil {
		t.Fatal(err)
	}
	got = groupsOf(t, e, &relation.Bounded{In: j, Unit: []string{"u"}, Rows: 9, Sums: units})
	if len(got) != 1 || got[0].Units != 3 || got[0].Sums[0] != 3 {
		t.Errorf("rows joined with themselves are %+v, want three units with one row each", got)
	}
	x, err := relation.NewText("X")
	if err != nil {
		t.Fatal(err)
	}
	s := scan("u", "k")
	ref, err := relation.NewRef(s, "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, make := range []func() (relation.Expr, error){
		func() (relation.Expr, error) { return relation.NewCompare(relation.Eq, ref, x) },
		func() (relation.Expr, error) { return relation.NewLike(ref, "X%", '\\') },
		func() (relation.Expr, error) { return relation.NewIn(ref, x.Value) },
	} {
		where, err := make()
		if err != nil {
			t.Fatal(err)
		}
		f, err := relation.NewFilter(s, where)
		if err != nil {
			t.Fatal(err)
		}
		if got := groupsOf(t, e, &relation.Bounded{In: f, Unit: []string{"u"}, Rows: 9, Sums: units}); len(got) != 1 || got[0].Units != 2 {
			t.Errorf("rows with X are %+v, want two", got)
		}
	}
}
