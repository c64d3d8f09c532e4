package querytest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// changed is a plan with a mistake in what is computed, whose declaration stays.
func changed(p *query.Plan, mistake func(*relation.Bounded)) *query.Plan {
	c := *p
	c.Relation.Sums, c.Relation.Bins = slices.Clone(p.Relation.Sums), slices.Clone(p.Relation.Bins)
	mistake(&c.Relation)
	return &c
}

// engine is an engine made of a function.
type engine func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error)

func (e engine) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	groups, err := e(ctx, q, seed)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := yield(g); err != nil {
			return err
		}
	}
	return nil
}
func (e engine) Check(context.Context, []relation.Scan) error { return nil }
func (e engine) Close() error                                 { return nil }

func evaluate(db querytest.Database, ranks relation.Ranks) engine {
	return func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
		return relation.Evaluate(ctx, q, seed, db.Open(), ranks)
	}
}

// nullBesides bounds how many groups a unit counts in, and lets it count in the group NULL besides.
func nullBesides(db querytest.Database) relation.Engine {
	return engine(func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
		if len(q.Keys) != 1 {
			return relation.Evaluate(ctx, q, seed, db.Open(), nil)
		}
		key, err := relation.NewRef(q.In, q.Keys[0])
		if err != nil {
			return nil, err
		}
		var out []relation.Group
		null := relation.NewIsNull(key)
		some, err := relation.NewNot(null)
		if err != nil {
			return nil, err
		}
		for _, where := range []relation.Expr{null, some} {
			in, err := relation.NewFilter(q.In, where)
			if err != nil {
				return nil, err
			}
			half := *q
			half.In = in
			groups, err := relation.Evaluate(ctx, &half, seed, db.Open(), nil)
			if err != nil {
				return nil, err
			}
			out = append(out, groups...)
		}
		return out, nil
	})
}

// allGroups lets a unit count in all of its groups.
func allGroups(db querytest.Database) relation.Engine {
	return engine(func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
		all := *q
		all.Groups = 0
		return relation.Evaluate(ctx, &all, seed, db.Open(), nil)
	})
}

// failing is an engine whose casts fail at what is no number.
func failing(db querytest.Database) relation.Engine {
	return engine(func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
		open := func(ctx context.Context, s *relation.Scan) iter.Seq2[[]any, error] {
			return func(yield func([]any, error) bool) {
				for row, err := range db.Open()(ctx, s) {
					for i, f := range s.Fields {
						if text, ok := row[i].(string); ok && err == nil && f.Type.Kind == relation.Number && strings.ContainsAny(text, "abcN") {
							err = errors.New("invalid input syntax")
						}
					}
					if !yield(row, err) || err != nil {
						return
					}
				}
			}
		}
		return relation.Evaluate(ctx, q, seed, open, nil)
	})
}

// largest ranks the groups of a unit by how many rows they have in all: a choice that others' rows decide.
type largest struct{ rows map[string]int }

func byOthers(db querytest.Database) relation.Engine {
	return engine(func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
		all := *q
		all.Groups = 0
		groups, err := relation.Evaluate(ctx, &all, seed, db.Open(), nil)
		if err != nil {
			return nil, err
		}
		rank := largest{map[string]int{}}
		for _, g := range groups {
			rank.rows[string(relation.Encode(nil, g.Keys...))] = int(g.Units)
		}
		return relation.Evaluate(ctx, q, seed, db.Open(), rank)
	})
}

func (l largest) Group(_, group []relation.Value) []byte {
	return fmt.Appendf(nil, "%09d", 999_999_999-l.rows[string(relation.Encode(nil, group...))])
}
func (l largest) Bin(_, _ []relation.Value, cell int, number int64) []byte {
	return fmt.Appendf(nil, "%09d %09d", cell, number)
}

// dice chooses anew each time.
type dice struct{ rng *rand.Rand }

func (d dice) Group(_, _ []relation.Value) []byte { return fmt.Append(nil, d.rng.Uint64()) }
func (d dice) Bin(_, _ []relation.Value, _ int, _ int64) []byte {
	return fmt.Append(nil, d.rng.Uint64())
}

// unbound takes the conditions of all joins of a tree away.
func unbound(r relation.Rel) relation.Rel {
	switch r := r.(type) {
	case *relation.Filter:
		c := *r
		c.In = unbound(r.In)
		return &c
	case *relation.Project:
		c := *r
		c.In = unbound(r.In)
		return &c
	case *relation.Join:
		c := *r
		c.Left, c.Right, c.On = unbound(r.Left), unbound(r.Right), nil
		return &c
	}
	return r
}

// TestMistakesAreCaught plants each mistake, sees it found, and sees nothing found without it.
func TestMistakesAreCaught(t *testing.T) {
	same := func(p *query.Plan) *query.Plan { return p }
	memory := func(db querytest.Database) relation.Engine { return db.Engine() }
	rng := rand.New(rand.NewPCG(7, 7))
	for _, tt := range []struct {
		name, sql, want string
		mistake         func(*query.Plan) *query.Plan
		engine          func(querytest.Database) relation.Engine
	}{
		{"clamp missing", "SELECT sum(balance) FROM stays", "moves number 1 by", func(p *query.Plan) *query.Plan {
			return changed(p, func(b *relation.Bounded) { b.Sums[0].Low, b.Sums[0].High = -relation.MaxSum, relation.MaxSum })
		}, memory},
		{"rows not bounded", "SELECT ward, count(*) FROM stays GROUP BY ward", "moves number 1 by", func(p *query.Plan) *query.Plan {
			return changed(p, func(b *relation.Bounded) { b.Rows, b.Sums[0].High = 1000, 1000 })
		}, memory},
		{"values of bins not bounded", "SELECT median(age) FROM stays", "moves number 1 by", func(p *query.Plan) *query.Plan {
			return changed(p, func(b *relation.Bounded) { b.Rows = 1000 })
		}, memory},
		{"groups not bounded", "SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis", "groups, declared 2", same, allGroups},
		{"NULL counted besides", "SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis", "groups, declared 2", same, nullBesides},
		{"join fans out to others", "SELECT avg(s.age) FROM patients p JOIN stays s ON p.id = s.patient_id", "moves number 1 by", func(p *query.Plan) *query.Plan {
			return changed(p, func(b *relation.Bounded) { b.In = unbound(b.In) })
		}, memory},
		{"cast error visible", "SELECT sum(balance) FROM stays", "whether the question fails", same, failing},
		{"groups chosen by others' rows", "SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis", "declared", same, byOthers},
		{"groups chosen anew each time", "SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis", "in two ways", same,
			func(db querytest.Database) relation.Engine { return evaluate(db, dice{rng}) }},
	} {
		d := clinic()
		p, err := query.Compile(d, query.Question{SQL: tt.sql})
		if err != nil {
			t.Fatal(err)
		}
		wrong, begin := tt.mistake(p), time.Now()
		caught := false
		for round := range 40 {
			rng := rand.New(rand.NewPCG(uint64(round), 5))
			db := querytest.Random(rng, d, querytest.Options{})
			for _, n := range db.Neighbours(rng, 4) {
				_, found := querytest.Audit(t.Context(), wrong, seed, tt.engine(db), tt.engine(n))
				caught = caught || strings.Contains(strings.Join(found, "; "), tt.want)
				if _, found := querytest.Audit(t.Context(), p, seed, db.Engine(), n.Engine()); len(found) > 0 {
					t.Errorf("%s: without the mistake: %v", tt.name, found)
				}
			}
			if caught {
				break
			}
		}
		t.Logf("%s: after %v", tt.name, time.Since(begin))
		if !caught {
			t.Errorf("%s: not caught", tt.name)
		}
	}
}

// TestQuestionsHoldEveryConstruct: a construct that no random question has is not audited.
func TestQuestionsHoldEveryConstruct(t *testing.T) {
	seen := map[string]bool{}
	rng := rand.New(rand.NewPCG(1, 9))
	for _, p := range plans(t, rng, clinic(), 300) {
		constructs(reflect.ValueOf(p.Relation), seen)
		for _, a := range p.Aggregates {
			seen[fmt.Sprintf("aggregate %d", a.Kind)] = true
		}
		if p.Private() {
			seen["private keys"] = true
		} else if len(p.Keys) > 0 {
			seen["public keys"] = true
		}
	}
	want := []string{"private keys", "public keys", "Scan", "Filter", "Project", "Join", "Union", "Fold", "JoinKind 0", "JoinKind 1",
		"Ref", "Const", "Arith", "Scale", "Clamp", "Compare", "Logic", "Not", "IsNull", "In", "Like", "Case", "Part", "Trunc", "Shift", "Between", "AsDate", "Letters", "Bins"}
	for op, n := range map[string]int{"ArithOp": 7, "CompareOp": 6, "LettersOp": 3, "AggOp": 6, "SumOp": 4, "aggregate": int(query.HistogramAggregate) + 1} {
		for i := range n {
			want = append(want, fmt.Sprintf("%s %d", op, i))
		}
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("no question of 300 has %s", w)
		}
	}
}

func constructs(v reflect.Value, seen map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			constructs(v.Elem(), seen)
		}
	case reflect.Struct:
		seen[v.Type().Name()] = true
		for i := range v.NumField() {
			constructs(v.Field(i), seen)
		}
	case reflect.Slice:
		for i := range v.Len() {
			constructs(v.Index(i), seen)
		}
	case reflect.Uint8:
		seen[fmt.Sprintf("%s %d", v.Type().Name(), v.Uint())] = true
	}
}
