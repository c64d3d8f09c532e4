package querytest_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// undeclared groups by each value that is not declared as if it were a cell of its own, when groups of a unit are chosen.
func undeclared(db querytest.Database) relation.Engine {
	return engine(func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
		p := *q.In.(*relation.Project)
		p.Cols = slices.Clone(p.Cols)
		for i, c := range p.Cols {
			if one, ok := c.Expr.(*relation.Case); ok && slices.Contains(q.Keys, c.Name) {
				p.Cols[i].Expr = one.Whens[0].Then
			}
		}
		wrong := *q
		wrong.In = &p
		return relation.Evaluate(ctx, &wrong, seed, db.Open(), nil)
	})
}

// TestMistakesOfBatchesAreCaught plants each mistake in what several questions are measured of, sees it found, and sees nothing found without it.
func TestMistakesOfBatchesAreCaught(t *testing.T) {
	d := clinic()
	b, err := query.CompileBatch(d, query.Question{Rows: 1, Queries: []query.Query{
		{SQL: "SELECT ward, count(*) FROM stays GROUP BY ward"}, {SQL: "SELECT sum(age) FROM stays"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		engine func(querytest.Database) relation.Engine
		want   string
	}{
		"undeclared values chosen among": {undeclared, "moves number 1 by"},
		"groups not bounded":             {allGroups, "groups, declared 2"},
		"groups chosen by others' rows":  {byOthers, "declared"},
		"cast error visible":             {failing, "whether the question fails"},
	} {
		caught := false
		for round := 0; round < 60 && !caught; round++ {
			rng := rand.New(rand.NewPCG(uint64(round), 5))
			db := querytest.Random(rng, d, querytest.Options{})
			for _, n := range db.Neighbours(rng, 4) {
				_, found := querytest.AuditBatch(t.Context(), b, seed, tt.engine(db), tt.engine(n))
				caught = caught || strings.Contains(strings.Join(found, "; "), tt.want)
				if _, found := querytest.AuditBatch(t.Context(), b, seed, db.Engine(), n.Engine()); len(found) > 0 {
					t.Errorf("%s: without the mistake: %v", name, found)
				}
			}
		}
		if !caught {
			t.Errorf("%s: not caught", name)
		}
	}
}

// TestBatchesAreOfEveryKind: a form that no random batch has is not audited.
func TestBatchesAreOfEveryKind(t *testing.T) {
	d := clinic()
	rng := rand.New(rand.NewPCG(1, 9))
	seen, taken := map[string]bool{}, 0
	for range 300 {
		b, err := query.CompileBatch(d, querytest.Batch(rng, d))
		if err != nil || b.Measured() == nil {
			continue
		}
		taken++
		p := b.Measured()
		seen["no key"] = seen["no key"] || len(p.Keys) == 0
		seen["keys"] = seen["keys"] || len(p.Keys) > 1
		for i, k := range p.Keys {
			null := slices.ContainsFunc(k.Values, func(v relation.Value) bool { return v.Null })
			seen["a declared NULL"] = seen["a declared NULL"] || null
			seen["declared text"] = seen["declared text"] || k.Type.Kind == relation.Text && !null
			if at := b.Cell(nulls(p.Keys)); at[i] == len(k.Values) {
				seen["undeclared values"] = true
			}
		}
		for _, a := range p.Aggregates {
			seen[[]string{"count", "sum", "avg", "variance"}[a.Kind]] = true
		}
	}
	if taken < 150 {
		t.Errorf("of 300 batches %d are taken", taken)
	}
	for _, w := range []string{"keys", "a declared NULL", "declared text", "undeclared values", "count", "sum", "avg", "variance"} {
		if !seen[w] {
			t.Errorf("no batch has %s", w)
		}
	}
}

func nulls(keys []query.Key) []relation.Value {
	out := make([]relation.Value, len(keys))
	for i, k := range keys {
		out[i] = relation.Value{Kind: k.Type.Kind, Null: true}
	}
	return out
}
