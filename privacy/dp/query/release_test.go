package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// groups is an engine that has computed already.
type groups []relation.Group

func (g groups) Run(_ context.Context, _ *relation.Bounded, _ relation.Seed, yield func(relation.Group) error) error {
	for _, x := range g {
		if err := yield(x); err != nil {
			return err
		}
	}
	return nil
}
func (groups) Check(context.Context, []relation.Scan) error { return nil }
func (groups) Close() error                                 { return nil }

func text(s string) relation.Value { return relation.Value{Kind: relation.Text, Text: s} }

func domain(names ...string) (all []relation.Value) {
	for _, n := range names {
		all = append(all, text(n))
	}
	return all
}

// planOf is SELECT key, count(*), sum(x) GROUP BY key, with x between −100.00 and 100.00, made by hand.
func planOf(values []relation.Value, l0 int64) *query.Plan {
	return &query.Plan{
		Dataset: &query.Dataset{Name: "stays", Unit: "patient", Formal: true},
		Relation: relation.Bounded{Keys: []string{"k"}, Unit: []string{"u"}, Rows: 2, Groups: l0, Sums: []relation.Sum{
			{Op: relation.Count, Low: 0, High: 2}, {Op: relation.Total, Col: "x", Low: -20000, High: 20000}}},
		Keys:     []query.Key{{Name: "ward", Type: relation.Type{Kind: relation.Text}, Values: values}},
		Measures: []query.Measure{{Sum: 0, Bins: -1, Most: 2, Levels: 1, Weight: 1}, {Sum: 1, Bins: -1, Most: 20000, Levels: 1, Places: 2, Weight: 1}},
		Aggregates: []query.Aggregate{
			{Kind: query.CountAggregate, Text: "count(*)", Measures: []int{0}},
			{Kind: query.SumAggregate, Text: "sum(x)", Measures: []int{1}, Type: relation.Type{Places: 2, Min: -10000, Max: 10000}}},
		Columns: []query.Output{{Name: "ward", Expr: query.PostKey{}}, {Name: "n", Expr: query.PostAggregate{}}, {Name: "s", Expr: query.PostAggregate{Aggregate: 1}}},
		Limit:   -1,
	}
}

const eps, femto = 1_000_000_000, 1e15

func priced(t *testing.T, p *query.Plan, terms query.Terms) *query.Priced {
	t.Helper()
	pr, err := p.Price(terms)
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

func answered(t *testing.T, pr *query.Priced, e relation.Engine) *query.Answer {
	t.Helper()
	a, err := pr.Answer(t.Context(), e, relation.Seed{}, noise.NewSource())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func rat(t *testing.T, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no decimal number", text)
	}
	return r
}

// Each group of a public domain is in the answer with noise of its own, in order, and nothing else is.
func TestPublicGroupsAreAllThere(t *testing.T) {
	t.Parallel()
	pr := priced(t, planOf(domain("a", "b", "c"), 2), query.Terms{Epsilon: eps})
	if pr.Noise() != query.LaplaceNoise {
		t.Errorf("noise is %s without a delta", pr.Noise())
	}
	e := groups{{Keys: domain("c"), Units: 900, Sums: []int64{1000, 12345}}, {Keys: domain("zz"), Units: 1, Sums: []int64{7, 7}}}
	nonzero := 0
	for range 20 {
		a := answered(t, pr, e)
		if len(a.Rows) != 3 || *a.Rows[0][0].Value != "a" || *a.Rows[2][0].Value != "c" {
			t.Fatalf("rows %+v", a.Rows)
		}
		n, s := rat(t, *a.Rows[2][1].Value), rat(t, *a.Rows[2][2].Value)
		if d, _ := n.Sub(n, big.NewRat(1000, 1)).Float64(); math.Abs(d) > 400 {
			t.Errorf("count is off by %v", d)
		}
		if d, _ := s.Sub(s, big.NewRat(12345, 100)).Float64(); math.Abs(d) > 40000 {
			t.Errorf("sum is off by %v", d)
		}
		if *a.Rows[0][1].Value != "0" {
			nonzero++
		}
	}
	if nonzero == 0 { // P = 0.06^20
		t.Error("an empty group has no noise")
	}
}

// The cost is exactly what was asked for: the parts of all numbers together.
func TestCostOfLaplaceNoise(t *testing.T) {
	t.Parallel()
	pr := priced(t, planOf(domain("a", "b", "c"), 2), query.Terms{Epsilon: eps, Noise: query.LaplaceNoise})
	v := pr.Cost()
	if v.Epsilon != eps || v.Delta != 0 || v.Slack != 0 {
		t.Errorf("cost %+v, want exactly ε = 1", v)
	}
	// Two parts of ½: ρ ≤ 2·(½)²/2.
	if v.Rho < 250_000_000 || v.Rho > 250_000_002 || v.Mu2 != account.Infinite {
		t.Errorf("ρ = %d, μ² = %d", v.Rho, v.Mu2)
	}
	m := pr.Explain().Privacy.Mechanism
	if m[0].Scale != "8" || m[0].Sensitivity != "4" || m[1].Scale != "800" || m[1].Sensitivity != "400" { // b = Δ/½
		t.Errorf("mechanisms %+v", m)
	}
	// A domain of one group, and a bound of more groups than there are, count as many as there are.
	if m := priced(t, planOf(domain("a"), 5), query.Terms{Epsilon: eps}).Explain().Privacy.Mechanism; m[0].Sensitivity != "2" {
		t.Errorf("one group: sensitivity %s", m[0].Sensitivity)
	}
}

// Gaussian noise of several numbers is one Gaussian mechanism whose μ is made of (ε, δ), and costs no more than that.
func TestCostOfGaussianNoise(t *testing.T) {
	t.Parallel()
	const delta = 1e9 // 1e-6
	pr := priced(t, planOf(domain("a", "b", "c"), 2), query.Terms{Epsilon: eps, Delta: delta, Noise: query.GaussianNoise})
	v := pr.Cost()
	if v.Epsilon > eps || v.Epsilon < eps-20 || v.Delta != delta {
		t.Errorf("(ε, δ) = (%d, %d), want (1, 1e-6)", v.Epsilon, v.Delta)
	}
	whole, _ := account.Mu2Cap(eps, delta)
	if v.Mu2 > whole+3 || v.Mu2 < whole-3 || v.Slack != 0 {
		t.Errorf("μ² = %d, want %d", v.Mu2, whole)
	}
	// σ of the counts: Δ₂² = 2·2² and half of μ².
	sigma, _ := strconv.ParseFloat(pr.Explain().Privacy.Mechanism[0].Sigma, 64)
	if want := math.Sqrt(8 / (float64(whole) / 2e9)); math.Abs(sigma/want-1) > 1e-6 {
		t.Errorf("σ = %v, want %v", sigma, want)
	}
}

// Few numbers for a unit are more exact with Laplace noise, many with Gaussian noise.
func TestTheMoreExactNoiseIsTaken(t *testing.T) {
	t.Parallel()
	var values []relation.Value
	for i := range 100 {
		values = append(values, text(strconv.Itoa(i)))
	}
	terms := query.Terms{Epsilon: eps, Delta: 1e9}
	if pr := priced(t, planOf(values, 1), terms); pr.Noise() != query.LaplaceNoise || pr.Cost().Delta != 0 {
		t.Errorf("one group: %s", pr.Noise())
	}
	if pr := priced(t, planOf(values, 100), terms); pr.Noise() != query.GaussianNoise {
		t.Errorf("a hundred groups: %s", pr.Noise())
	}
}

// Private groups are selected, which is paid for besides; what is not selected is nowhere, and the note about it never changes.
func TestPrivateGroupsAreSelected(t *testing.T) {
	t.Parallel()
	p := planOf(nil, 2)
	if _, err := p.Price(query.Terms{Epsilon: eps}); err == nil {
		t.Fatal("groups are selected without a delta")
	}
	pr := priced(t, p, query.Terms{Epsilon: 3 * eps, SelectionDelta: 1e9})
	if v := pr.Cost(); v.Epsilon != 3*eps || v.Delta != 1e9 || v.Slack != 1e9 {
		t.Errorf("cost %+v", v)
	}
	e := groups{{Keys: domain("rare"), Units: 1, Sums: []int64{1, 1}}, {Keys: domain("common"), Units: 500, Sums: []int64{900, 1}}}
	a := answered(t, pr, e)
	if len(a.Rows) != 1 || *a.Rows[0][0].Value != "common" {
		t.Errorf("rows %+v", a.Rows)
	}
	none := answered(t, pr, groups{})
	if len(none.Rows) != 0 || strings.Join(none.Notes, "\n") != strings.Join(a.Notes, "\n") || !strings.Contains(a.Notes[1], "left out") {
		t.Errorf("notes %q and %q", none.Notes, a.Notes)
	}
	gauss := priced(t, p, query.Terms{Epsilon: 3 * eps, Delta: 1e9, SelectionDelta: 1e9, Noise: query.GaussianNoise})
	if v := gauss.Cost(); v.Epsilon > 3*eps || v.Delta != 2e9 || v.Slack != 1e9 || v.Rho == account.Infinite {
		t.Errorf("cost with Gaussian noise %+v", v)
	}
}

// How many groups may be selected is bounded by what is held of each: an answer of many trees has fewer groups than one of counts.
func TestSelectedGroupsAreBoundedByTheirNumbers(t *testing.T) {
	t.Parallel()
	p := planOf(nil, 1)
	terms := query.Terms{Epsilon: 3 * eps, SelectionDelta: 1e9}
	pr := priced(t, p, terms)
	most := query.MostGroups(pr)
	if *most != 1<<17 {
		t.Errorf("of two sums %d groups", *most)
	}
	*most = 3
	var e groups
	for i := range 4 {
		e = append(e, relation.Group{Keys: domain(strconv.Itoa(i)), Units: 100_000, Sums: []int64{1, 1}})
	}
	if a := answered(t, pr, e[:3]); len(a.Rows) != 3 {
		t.Errorf("%d rows", len(a.Rows))
	}
	if a, err := pr.Answer(t.Context(), e, relation.Seed{}, noise.NewSource()); !errors.Is(err, query.ErrAnswer) {
		t.Errorf("one group too many: %v, error %v", a != nil, err)
	}
	for i := range 40 {
		p.Relation.Bins = append(p.Relation.Bins, relation.Bins{Col: "x", Width: 1, Count: 4096})
		p.Measures = append(p.Measures, query.Measure{Sum: -1, Bins: i, Most: 1, Levels: 3, Fanout: 16, Weight: 1})
	}
	if n := *query.MostGroups(priced(t, p, terms)); n < 10 || n*40*(4096+256+16) > 4*query.MostNumbers {
		t.Errorf("of forty trees %d groups", n)
	}
}

// A law that nobody made draws nothing: it panics.
func TestNoNoiseByMistakeIsImpossible(t *testing.T) {
	t.Parallel()
	for _, law := range []noise.Law{nil, noise.DiscreteLaplace{}, noise.RoundedGaussian{}} {
		pr := priced(t, planOf(domain("a"), 1), query.Terms{Epsilon: eps})
		query.ForgetLaw(pr, law)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T: an answer left without noise", law)
				}
			}()
			_, _ = pr.Answer(t.Context(), groups{}, relation.Seed{}, noise.NewSource())
		}()
	}
	pr := priced(t, planOf(domain("a"), 1), query.Terms{Epsilon: eps})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("an answer left without randomness")
			}
		}()
		_, _ = pr.Answer(t.Context(), groups{}, relation.Seed{}, new(noise.Source))
	}()
}

// An engine that does not keep its contract gets no answer out: a group twice, a group of another shape, an error.
func TestEnginesThatLie(t *testing.T) {
	t.Parallel()
	twice := relation.Group{Keys: domain("a"), Units: 10000, Sums: []int64{1, 1}}
	for name, e := range map[string]relation.Engine{
		"a group twice":       groups{twice, twice},
		"another shape":       groups{{Keys: domain("a"), Sums: []int64{1}}},
		"no keys":             groups{{Sums: []int64{1, 1}}},
		"a negative count":    groups{{Keys: domain("a"), Units: -1, Sums: []int64{1, 1}}},
		"an error":            broken{},
		"an error at the end": broken{groups{twice}},
	} {
		for _, values := range [][]relation.Value{nil, domain("a")} {
			pr := priced(t, planOf(values, 1), query.Terms{Epsilon: 3 * eps, SelectionDelta: 1e9})
			a, err := pr.Answer(t.Context(), e, relation.Seed{}, noise.NewSource())
			if !errors.Is(err, query.ErrAnswer) || a != nil {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}
	}
}

type broken struct{ groups }

func (b broken) Run(ctx context.Context, q *relation.Bounded, s relation.Seed, yield func(relation.Group) error) error {
	if err := b.groups.Run(ctx, q, s, yield); err != nil {
		return err
	}
	return errors.New("the disk is gone")
}

// Terms that cannot be priced are refused, by declared facts alone.
func TestTermsThatAreRefused(t *testing.T) {
	t.Parallel()
	wide := planOf(domain("a"), 1)
	wide.Measures[1].Most = 1 << 61
	for name, c := range map[string]struct {
		plan  *query.Plan
		terms query.Terms
		term  string
	}{
		"no epsilon":            {planOf(domain("a"), 1), query.Terms{}, "epsilon"},
		"a negative one":        {planOf(domain("a"), 1), query.Terms{Epsilon: -1}, "epsilon"},
		"an absurd one":         {planOf(domain("a"), 1), query.Terms{Epsilon: 1 << 50}, "epsilon"},
		"one without noise":     {planOf(domain("a"), 1), query.Terms{Epsilon: 1 << 62}, "epsilon"},
		"a delta of 1":          {planOf(domain("a"), 1), query.Terms{Epsilon: eps, Delta: femto}, "delta"},
		"Gauss without delta":   {planOf(domain("a"), 1), query.Terms{Epsilon: eps, Noise: query.GaussianNoise}, "noise"},
		"unknown noise":         {planOf(domain("a"), 1), query.Terms{Epsilon: eps, Noise: "none"}, "noise"},
		"too wide for Laplace":  {wide, query.Terms{Epsilon: 1, Noise: query.LaplaceNoise}, "epsilon"},
		"too wide for Gauss":    {wide, query.Terms{Epsilon: 1000, Delta: 1e9, Noise: query.GaussianNoise}, "epsilon"},
		"unbounded groups":      {planOf(nil, 0), query.Terms{Epsilon: eps, SelectionDelta: 1e9}, "groups"},
		"a selection too small": {planOf(nil, 2), query.Terms{Epsilon: 1000, SelectionDelta: 1e9}, "epsilon"},
		"no number at all":      {&query.Plan{Dataset: &query.Dataset{}}, query.Terms{Epsilon: eps}, "question"},
	} {
		pr, err := c.plan.Price(c.terms)
		var refused *query.TermsError
		if !errors.As(err, &refused) || refused.Term != c.term || pr != nil {
			t.Errorf("%s: %v, want a refusal of %s", name, err, c.term)
		}
	}
}

// What leaves is JSON whose numbers are text.
func TestAnswersAsJSON(t *testing.T) {
	t.Parallel()
	pr := priced(t, planOf(domain("a"), 1), query.Terms{Epsilon: eps})
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(answered(t, pr, groups{{Keys: domain("a"), Units: 3, Sums: []int64{1 << 61, 5}}})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"columns":[{"name":"ward","kind":"text"},{"name":"n","kind":"number","noisy":true}`, `"epsilon":"1"`, `"value":"23058430092136`, `"claim":"differentially private`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in %s", want, b.String())
		}
	}
}

// Where some keys have a public domain and others none, groups are selected, and one whose public part is not in its domain is shown to nobody, however many
// are in it. The order in which an engine returns groups is not told.
func TestMixedKeysAreSelectedWithinTheirDomains(t *testing.T) {
	t.Parallel()
	p := planOf(domain("a", "b"), 2)
	p.Keys = append(p.Keys, query.Key{Name: "town", Type: relation.Type{Kind: relation.Text}})
	p.Relation.Keys = append(p.Relation.Keys, "town")
	p.Columns = append(p.Columns, query.Output{Name: "town", Expr: query.PostKey{Key: 1}})
	pr := priced(t, p, query.Terms{Epsilon: 3 * eps, SelectionDelta: 1e9})
	var e groups
	for _, keys := range [][]relation.Value{domain("b", "x"), domain("outside", "x"), domain("a", "z"), domain("a", "y"), {text("a"), {Null: true}}} {
		e = append(e, relation.Group{Keys: keys, Units: 10_000, Sums: []int64{10_000, 1}})
	}
	var got []string
	for _, r := range answered(t, pr, e).Rows {
		town := "NULL"
		if r[3].Value != nil {
			town = *r[3].Value
		}
		got = append(got, *r[0].Value+town)
	}
	if strings.Join(got, " ") != "ay az aNULL bx" {
		t.Errorf("groups %v", got)
	}
}

// Ten thousand groups of a public domain are answered in a moment.
func BenchmarkTenThousandGroups(b *testing.B) {
	var values []relation.Value
	for i := range 10_000 {
		values = append(values, text(strconv.Itoa(i)))
	}
	p := planOf(values, 1)
	p.Columns = append(p.Columns, query.Output{Name: "mean", Expr: query.PostAggregate{Aggregate: 2}})
	p.Aggregates = append(p.Aggregates, query.Aggregate{Kind: query.AvgAggregate, Text: "avg(x)", Measures: []int{1, 0}, Type: relation.Type{Places: 2, Min: -10000, Max: 10000}})
	pr, err := p.Price(query.Terms{Epsilon: eps})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := pr.Answer(b.Context(), groups{}, relation.Seed{}, noise.NewSource()); err != nil {
			b.Fatal(err)
		}
	}
}
