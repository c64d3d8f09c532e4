package query_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// memory is an engine over rows in memory: the reference.
type memory map[string][]map[string]any

func (m memory) open(_ context.Context, s *relation.Scan) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range m[s.Table] {
			cells := make([]any, len(s.Fields))
			for i, f := range s.Fields {
				cells[i] = row[f.Source]
			}
			if !yield(cells, nil) {
				return
			}
		}
	}
}

func (m memory) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	all, err := relation.Evaluate(ctx, q, seed, m.open, nil)
	for _, g := range all {
		if err == nil {
			err = yield(g)
		}
	}
	return err
}
func (memory) Check(context.Context, []relation.Scan) error { return nil }
func (memory) Close() error                                 { return nil }

// people are patients with a sex and whether they smoke; a few have a sex that is not declared, or none.
func people(r *rand.Rand, n int) memory {
	m := memory{}
	for i := range n {
		row := map[string]any{"pid": int64(i + 1), "sex": []any{"f", "m", "x", "?", nil}[min(r.IntN(40), 4)%5], "smoker": []any{true, false, nil}[r.IntN(3)], "weight": float64(400+r.IntN(800)) / 10}
		if r.IntN(3) > 0 {
			row["sex"] = []any{"f", "m"}[r.IntN(2)]
		}
		m["src.patients"] = append(m["src.patients"], row)
	}
	return m
}

var marginals = []query.Query{
	{SQL: "SELECT sex, smoker, count(*) FROM patients GROUP BY sex, smoker"},
	{SQL: "SELECT sex, count(*), sum(weight) FROM patients GROUP BY sex ORDER BY sex DESC", Weight: 5},
	{SQL: "select count(*) as n, avg(weight) from patients", Weight: 3},
	{SQL: "SELECT smoker AS s, count(*) AS n FROM patients GROUP BY 1 HAVING count(*) > -1000000 LIMIT 2"},
}

func batch(t *testing.T, d *query.Dataset, groups int64, queries ...query.Query) *query.Batch {
	t.Helper()
	b, err := query.CompileBatch(d, query.Question{Dataset: "clinic", Queries: queries, Groups: groups, Rows: 1})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pricedBatch(t *testing.T, b *query.Batch, epsilon int64) *query.PricedBatch {
	t.Helper()
	p, err := b.Price(query.Terms{Epsilon: epsilon, Delta: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The answers are those of each question alone but for noise, whichever way they are made: rows that are in no group of one question are in the others.
func TestBatchAnswersItsQuestions(t *testing.T) {
	t.Parallel()
	m := people(rand.New(rand.NewPCG(1, 2)), 3000)
	sexes := map[any]int{}
	for _, row := range m["src.patients"] {
		sexes[row["sex"]]++
	}
	if sexes["?"] == 0 || sexes[nil] == 0 {
		t.Fatal("everybody has a declared sex")
	}
	for _, groups := range []int64{1, 3} {
		p := pricedBatch(t, batch(t, clinic(), groups, marginals...), 4*eps)
		if p.Together() != (groups == 1) {
			t.Errorf("%d groups: together %v", groups, p.Together())
		}
		a, err := p.Answer(t.Context(), m, relation.Seed{1}, noise.NewSource())
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Queries) != 4 || len(a.Queries[0].Rows) != 6 && len(a.Queries[0].Rows) != 9 || len(a.Queries[1].Rows) != 3 || len(a.Queries[2].Rows) != 1 || len(a.Queries[3].Rows) != 2 {
			t.Fatalf("answers %+v", a.Queries)
		}
		near := func(query, row, column int, want float64) {
			t.Helper()
			c := a.Queries[query].Rows[row][column]
			got, _ := rat(t, *c.Value).Float64()
			lo, _ := rat(t, c.Low).Float64()
			hi, _ := rat(t, c.High).Float64()
			if got < lo || got > hi || math.Abs(got-want) > 7*(hi-lo)/2 || hi == lo {
				t.Errorf("%d groups, query %d, row %d: %v in [%v, %v], want about %v", groups, query, row, got, lo, hi, want)
			}
		}
		near(2, 0, 0, 3000)
		near(2, 0, 1, 80)
		for i, s := range []string{"x", "m", "f"} {
			if *a.Queries[1].Rows[i][0].Value != s {
				t.Errorf("row %d is of %s, want %s", i, *a.Queries[1].Rows[i][0].Value, s)
			}
			near(1, i, 1, float64(sexes[s]))
		}
		for _, row := range a.Queries[0].Rows {
			count := 0
			for _, r := range m["src.patients"] {
				if row[1].Value != nil && r["sex"] == *row[0].Value && fmt.Sprint(r["smoker"]) == *row[1].Value {
					count++
				}
			}
			if row[1].Value != nil {
				near(0, slices.IndexFunc(a.Queries[0].Rows, func(x []query.Cell) bool { return &x[0] == &row[0] }), 2, float64(count))
			}
		}
		if names := a.Queries[3].Columns; names[0].Name != "s" || names[1].Name != "n" {
			t.Errorf("columns %+v", names)
		}
	}
}

// What one unit moves in the relation that is measured is what the noise was made for: so many combinations of keys, and in each so much, whatever the
// rows. The rest is [workload.Plan]'s, which has its own tests.
func TestBatchIsBoundedForAllQuestionsTogether(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	questions := []query.Query{
		{SQL: "SELECT ward, count(*), sum(cost) FROM stays GROUP BY ward"},
		{SQL: "SELECT extract(month FROM admitted), sum(age), count(diagnosis) FROM stays GROUP BY 1"},
		{SQL: "SELECT ward, avg(age) FROM stays GROUP BY ward"},
	}
	for groups := int64(1); groups <= 3; groups++ {
		b, err := query.CompileBatch(clinic(), query.Question{Dataset: "clinic", Queries: questions, Groups: groups, Rows: 2})
		if err != nil {
			t.Fatal(err)
		}
		plan := query.MergedPlan(b)
		for range 30 {
			m := memory{}
			for range 160 {
				m["src.stays"] = append(m["src.stays"], map[string]any{"stay": r.Int64N(1000), "patient_id": r.Int64N(6), "admitted": fmt.Sprintf("202%d-0%d-10 10:00:00", r.IntN(6), 1+r.IntN(2)),
					"ward": []any{"icu", "er", "onc", "none", "cellar", nil}[r.IntN(6)], "diagnosis": []any{"a", nil}[r.IntN(2)], "age": r.Int64N(300) - 100, "cost": r.Float64() * 1e6})
			}
			less := memory{"src.stays": slices.DeleteFunc(slices.Clone(m["src.stays"]), func(row map[string]any) bool { return row["patient_id"] == int64(0) })}
			seed, sums := relation.Seed{byte(r.IntN(256))}, map[string][]int64{}
			for sign, data := range map[int64]memory{1: m, -1: less} {
				err := data.Run(t.Context(), &plan.Relation, seed, func(g relation.Group) error {
					keys := slices.Clone(g.Keys)
					for i, v := range keys { // as they are measured: what is not declared is one value
						if !slices.Contains(plan.Keys[i].Values, v) {
							keys[i] = relation.Value{Null: true}
						}
					}
					id := fmt.Sprint(keys)
					if sums[id] == nil {
						sums[id] = make([]int64, len(g.Sums))
					}
					for i, s := range g.Sums {
						sums[id][i] += sign * s
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for j, measure := range plan.Measures {
				moved := int64(0)
				for _, s := range sums {
					if d := s[measure.Sum]; d != 0 {
						moved++
						if d > measure.Most || d < -measure.Most {
							t.Errorf("measure %d moves by %d, at most %d", j, d, measure.Most)
						}
					}
				}
				if moved > groups {
					t.Errorf("measure %d moves in %d groups, at most %d", j, moved, groups)
				}
			}
		}
	}
}

// Costs are what was asked for at most, errors are as they were said beforehand, and asking together is more exact than one by one.
func TestBatchPrice(t *testing.T) {
	t.Parallel()
	b := batch(t, clinic(), 1, marginals[0], marginals[1], marginals[2])
	p := pricedBatch(t, b, eps)
	v := p.Cost()
	if v.Epsilon > eps || v.Epsilon < eps*99/100 || v.Delta > 1e9 || v.Mu2 <= 0 || v.Slack != 0 {
		t.Errorf("cost %+v", v)
	}
	if single := priced(t, compile(t, "SELECT count(*) FROM patients"), query.Terms{Epsilon: eps, Delta: 1e9, Noise: query.GaussianNoise}).Cost(); v.Mu2 > single.Mu2+2 {
		t.Errorf("μ² = %d, of one question %d", v.Mu2, single.Mu2)
	}
	x := p.Explain()
	if len(x.Queries) != 3 || x.Queries[1].Errors[0].RMSE == "" || len(x.Privacy.Mechanism) != 4 && len(x.Privacy.Mechanism) != 3 {
		t.Errorf("explanation %+v", x)
	}
	other := batch(t, clinic(), 1, marginals[0], marginals[1], query.Query{SQL: marginals[2].SQL, Weight: 4})
	if bytes.Equal(p.Canonical(), pricedBatch(t, other, eps).Canonical()) || !bytes.Equal(p.Canonical(), pricedBatch(t, batch(t, clinic(), 1, marginals[0], marginals[1],
		query.Query{SQL: "SELECT  COUNT(*) AS n, AVG(weight) FROM patients", Weight: 3}), eps).Canonical()) {
		t.Error("questions are known by something else than what they ask and weigh")
	}
	for name, terms := range map[string]query.Terms{"laplace": {Epsilon: eps, Delta: 1e9, Noise: query.LaplaceNoise}, "no delta": {Epsilon: eps}, "no epsilon": {Delta: 1e9},
		"noise": {Epsilon: eps, Delta: 1e9, Noise: "x"}, "much": {Epsilon: 65 * eps, Delta: 1e9}} {
		if _, err := b.Price(terms); err == nil {
			t.Errorf("%s: no error", name)
		} else if _, ok := errors.AsType[*query.TermsError](err); !ok {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Over 500 runs the root mean square of each number's error is the explained one within 20 % (six deviations of the estimate), and intervals hold.
func TestBatchErrorsAreAsExplained(t *testing.T) {
	t.Parallel()
	const runs = 500
	m := memory{}
	for i := range 200 {
		m["src.patients"] = append(m["src.patients"], map[string]any{"pid": int64(i), "sex": []any{"f", "m"}[i%2], "weight": 50.0})
	}
	p := pricedBatch(t, batch(t, clinic(), 1, query.Query{SQL: "SELECT sex, count(*), sum(weight) FROM patients GROUP BY sex"}, query.Query{SQL: "SELECT count(*) FROM patients", Weight: 2}), eps)
	truth := [][]float64{{100, 5000}, {200}}
	x := p.Explain()
	src := noise.NewSource()
	squares, outside := [][]float64{{0, 0}, {0}}, [][]int{{0, 0}, {0}}
	for range runs {
		a, err := p.Answer(t.Context(), m, relation.Seed{1}, src)
		if err != nil {
			t.Fatal(err)
		}
		for q := range truth {
			row := a.Queries[q].Rows[0]
			for i, want := range truth[q] {
				c := row[len(row)-len(truth[q])+i]
				got, _ := rat(t, *c.Value).Float64()
				lo, _ := rat(t, c.Low).Float64()
				hi, _ := rat(t, c.High).Float64()
				squares[q][i] += (got - want) * (got - want)
				if want < lo || want > hi {
					outside[q][i]++
				}
			}
		}
	}
	for q := range truth {
		for i := range truth[q] {
			said, _ := rat(t, x.Queries[q].Errors[i].RMSE).Float64()
			if got := math.Sqrt(squares[q][i] / runs); math.Abs(got/said-1) > 0.2 {
				t.Errorf("query %d, number %d: error %v, said %v", q, i, got, said)
			}
			if outside[q][i] > mostMissed(runs) {
				t.Errorf("query %d, number %d: %d of %d are outside their intervals", q, i, outside[q][i], runs)
			}
		}
	}
}

func TestBatchRefusals(t *testing.T) {
	t.Parallel()
	good := query.Query{SQL: "SELECT ward, count(*) FROM stays GROUP BY ward"}
	for sql, want := range map[string]string{
		"SELECT ward, count(*) FROM stays WHERE age > 3 GROUP BY ward":              "query 2: it is about other rows than the first",
		"SELECT sex, count(*) FROM patients GROUP BY sex":                           "query 2: it is about other rows",
		"SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis":                  "query 2: its groups have to be selected",
		"SELECT median(age) FROM stays":                                             "query 2: quantiles",
		"SELECT histogram(age, 10) FROM stays":                                      "query 2:",
		"SELECT n + 1 FROM (SELECT count(*) AS n FROM stays) s":                     "query 2: it aggregates in a subquery",
		"SELECT ward FROM stays":                                                    "query 2: ",
		"SELECT count(*) FROM stays; DROP TABLE stays":                              "query 2: ",
		"SELECT ward, extract(month FROM admitted), count(*) FROM stays GROUP BY 1": "query 2: ",
		"SELECT extract(month FROM admitted), ward, count(*) FROM stays GROUP BY 1": "query 2: ",
	} {
		_, err := query.CompileBatch(clinic(), query.Question{Dataset: "clinic", Queries: []query.Query{good, {SQL: sql}}})
		text := ""
		if e, ok := errors.AsType[*query.Error](err); ok {
			text = e.Text
		} else if e, ok := errors.AsType[*syntax.Error](err); ok {
			text = e.Text
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: error %v, want %s", sql, err, want)
		}
	}
	for name, queries := range map[string][]query.Query{"one": {good}, "none": nil, "many": slices.Repeat([]query.Query{good}, 65), "weight": {good, {SQL: good.SQL, Weight: -1}}} {
		if _, err := query.CompileBatch(clinic(), query.Question{Dataset: "clinic", Queries: queries}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := query.CompileBatch(clinic(), query.Question{Dataset: "clinic", Queries: []query.Query{good, good}, Groups: 11}); err == nil {
		t.Error("more groups than the owner allows: no error")
	}
}
