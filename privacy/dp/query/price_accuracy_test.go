package query_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// The noise for an absolute accuracy is the widest that keeps to it: every interval is as narrow as asked, and none could be had for less.
func TestAbsoluteAccuracyForTheLeastCost(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{query.LaplaceNoise, query.GaussianNoise} {
		for _, want := range []string{"3", "40", "1000", "2500.5"} {
			p := planOf(domain("a", "b", "c"), 2)
			terms := query.Terms{Epsilon: 60 * eps, Delta: 1e9, Noise: kind}
			p.Columns = p.Columns[:2] // counts alone: sums of ±100 would need far more
			p.Measures, p.Aggregates = p.Measures[:1], p.Aggregates[:1]
			pr, err := p.PriceFor(query.Accuracy{HalfWidth: want}, terms)
			if err != nil {
				t.Fatalf("%s, ±%s: %v", kind, want, err)
			}
			got := rat(t, pr.Explain().Errors[0].HalfWidth)
			if got.Cmp(rat(t, want)) > 0 {
				t.Errorf("%s, ±%s: half-width %s", kind, want, got.FloatString(2))
			}
			terms.Epsilon = pr.Cost().Epsilon - pr.Cost().Epsilon/200
			less := priced(t, p, terms)
			if w := rat(t, less.Explain().Errors[0].HalfWidth); w.Cmp(rat(t, want)) <= 0 {
				t.Errorf("%s, ±%s: for half a per cent less ε it is ±%s as well", kind, want, w.FloatString(2))
			}
		}
	}
}

// Columns that several numbers are in share the half-width, and factors count.
func TestAccuracyOfWhatIsComputed(t *testing.T) {
	t.Parallel()
	p := planOf(domain("a"), 1)
	hundred := query.PostConst{Value: relation.Value{Kind: relation.Number, Int: 10000}, Type: relation.Type{Kind: relation.Number, Places: 2}}
	count, sum := query.PostAggregate{}, query.PostAggregate{Aggregate: 1}
	p.Columns = []query.Output{{Name: "x", Expr: query.PostArith{Op: relation.Sub, L: query.PostArith{Op: relation.Mul, L: hundred, R: count}, R: sum}}}
	pr, err := p.PriceFor(query.Accuracy{HalfWidth: "5000"}, query.Terms{Epsilon: 60 * eps, Delta: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	c := answered(t, pr, groups{{Keys: domain("a"), Units: 5, Sums: []int64{5, 5}}}).Rows[0][0]
	d := new(big.Rat).Sub(rat(t, c.High), rat(t, c.Low))
	if d.Cmp(big.NewRat(10000, 1)) > 0 || d.Cmp(big.NewRat(8000, 1)) < 0 {
		t.Errorf("the interval is %s wide, want nearly 10000", d.FloatString(1))
	}
	p.Columns[0].Expr = query.PostArith{Op: relation.Mul, L: sum, R: count}
	if _, err := p.PriceFor(query.Accuracy{HalfWidth: "5000"}, query.Terms{Epsilon: eps}); err == nil || !p.NeedsPilot(query.Accuracy{HalfWidth: "5000"}) {
		t.Errorf("a product is priced without knowing its factors: %v", err)
	}
}

// Whichever noise is cheaper is taken: Laplace for one number, Gauss for many. Private groups pay for their selection.
func TestCheapestNoise(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 100 {
		names = append(names, strings.Repeat("x", i))
	}
	p := planOf(domain(names...), 1)
	p.Columns = p.Columns[:2]
	p.Measures, p.Aggregates = p.Measures[:1], p.Aggregates[:1]
	terms := query.Terms{Epsilon: 10 * eps, Delta: 1e9, SelectionDelta: 1e9}
	pr, err := p.PriceFor(query.Accuracy{HalfWidth: "50"}, terms)
	if err != nil || pr.Noise() != query.LaplaceNoise {
		t.Errorf("one group for each unit: %v, %v", pr, err)
	}
	p.Relation.Groups = 100
	if pr, err = p.PriceFor(query.Accuracy{HalfWidth: "500"}, terms); err != nil || pr.Noise() != query.GaussianNoise {
		t.Errorf("a hundred groups for each unit: %v, %v", pr, err)
	}
	p.Relation.Groups, p.Keys[0].Values = 1, nil
	if pr, err = p.PriceFor(query.Accuracy{HalfWidth: "50"}, terms); err != nil || pr.Cost().Slack != 1e9 {
		t.Fatalf("private groups: %v, %v", pr, err)
	}
	if a := answered(t, pr, groups{{Keys: domain("a"), Units: 5000, Sums: []int64{5, 5}}}); len(a.Rows) != 1 {
		t.Error("a group of thousands was not selected")
	}
}

// What cannot be reached is refused before anything is spent, and so is what is no accuracy.
func TestAccuraciesThatAreRefused(t *testing.T) {
	t.Parallel()
	p := planOf(domain("a"), 1)
	for _, a := range []query.Accuracy{{HalfWidth: "1"}, {HalfWidth: "0"}, {HalfWidth: "-3"}, {HalfWidth: "1e9"}, {HalfWidth: "x"}, {}, {HalfWidth: "."}, {HalfWidth: "1/3"}, {HalfWidth: "0.00001"}} {
		var refused *query.TermsError
		if pr, err := p.PriceFor(a, query.Terms{Epsilon: eps, Delta: 1e9}); !errors.As(err, &refused) || pr != nil {
			t.Errorf("half-width %q: %v", a.HalfWidth, err)
		}
	}
	for _, a := range []query.Accuracy{{}, {Relative: "1"}, {Relative: "0.1", HalfWidth: "3"}, {Relative: "5%"}} {
		if _, err := p.Pilot(a, query.Terms{Epsilon: eps}); err == nil {
			t.Errorf("accuracy %+v has a pilot", a)
		}
	}
}

// A relative accuracy is reached after a pilot of a tenth of the cost. The ε of the second answer is one of few, so that it is asked again by others.
func TestRelativeAccuracyAfterAPilot(t *testing.T) {
	t.Parallel()
	p := planOf(domain("a"), 1)
	p.Columns, p.Measures, p.Aggregates = p.Columns[:2], p.Measures[:1], p.Aggregates[:1]
	e := groups{{Keys: domain("a"), Units: 5, Sums: []int64{2000, 0}}}
	want, terms := query.Accuracy{Relative: "0.005"}, query.Terms{Epsilon: 4 * eps, Delta: 1e9}
	if _, err := p.PriceFor(want, terms); err == nil || !p.NeedsPilot(want) {
		t.Fatalf("priced without a pilot: %v", err)
	}
	pilot, err := p.Pilot(want, terms)
	if err != nil || pilot.Cost().Epsilon != 4*eps/10 {
		t.Fatalf("pilot: %v", err)
	}
	first := answered(t, pilot, e)
	if _, err := p.PriceAfter(want, terms, first); err != nil {
		t.Fatal(err)
	}
	cell := func(value, low, high string) query.Cell { return query.Cell{Value: &value, Low: low, High: high} }
	first.Rows = append(first.Rows, []query.Cell{cell("b", "", ""), cell("5", "-10", "20")}) // not told from zero: not waited for
	main, err := p.PriceAfter(want, terms, first)
	if err != nil {
		t.Fatal(err)
	}
	// Noise of ±15 must become ±10 or less: ε ≥ 0.6.
	if c := main.Cost().Epsilon; c < 550_000_000 || c > 800_000_000 || c%50_000_000 != 0 {
		t.Errorf("the second answer costs ε = %d", c)
	}
	if total := main.Cost().Epsilon + pilot.Cost().Epsilon; total > terms.Epsilon {
		t.Errorf("both cost %d", total)
	}
	if _, err := p.PriceAfter(query.Accuracy{Relative: "0.0001"}, terms, first); err == nil || !strings.Contains(err.Error(), "needs an epsilon of") {
		t.Errorf("an accuracy out of reach: %v", err)
	}
	if _, err := p.PriceAfter(query.Accuracy{Relative: "0.5"}, terms, first); !errors.Is(err, query.ErrExactEnough) {
		t.Errorf("one that the first answer has: %v", err)
	}
	first.Rows = first.Rows[1:]
	if _, err := p.PriceAfter(want, terms, first); err == nil || !strings.Contains(err.Error(), "from zero") {
		t.Errorf("nothing but zeros: %v", err)
	}
}

// Where there is no room for a question, the nearest there is room for is offered, and it fits.
func TestNearestAffordableQuestion(t *testing.T) {
	t.Parallel()
	p := planOf(domain("a", "b", "c", "d"), 4)
	for _, kind := range []string{query.LaplaceNoise, query.GaussianNoise} {
		terms := query.Terms{Epsilon: 2 * eps, Delta: 1e9, Noise: kind}
		left := account.Vector{Epsilon: 530_000_000, Delta: 1e10}
		room := func(v account.Vector) int64 {
			n := left.Epsilon / v.Epsilon
			if v.Delta > 0 {
				n = min(n, left.Delta/v.Delta)
			}
			return n
		}
		if n := priced(t, p, terms).More(room); n != 0 {
			t.Fatalf("there is room for %d", n)
		}
		offers := p.Affordable(terms, room)
		if len(offers) < 1 || offers[0].Epsilon != "0.5" || offers[0].More != 1 || offers[0].Groups != 0 {
			t.Fatalf("%s: offers %+v", kind, offers)
		}
		if pr := priced(t, p, offers[0].Terms); pr.More(room) != 1 || pr.Noise() != kind {
			t.Errorf("%s: what is offered does not fit", kind)
		}
		asked := rat(t, priced(t, p, terms).Explain().Errors[0].HalfWidth)
		if kind == query.LaplaceNoise { // a quarter of ε in a quarter of the groups
			if o := offers[len(offers)-1]; o.Groups != 1 || rat(t, o.Errors[0].HalfWidth).Cmp(asked) > 0 {
				t.Errorf("fewer groups: %+v", o)
			}
		}
		if none := p.Affordable(terms, func(account.Vector) int64 { return 0 }); none != nil {
			t.Errorf("%s: with nothing left, %+v is offered", kind, none)
		}
	}
	// One aggregate alone takes half the ε.
	offers := p.Affordable(query.Terms{Epsilon: 2 * eps}, func(v account.Vector) int64 { return 1_100_000_000 / v.Epsilon })
	if last := offers[len(offers)-1]; len(last.Aggregates) != 1 || last.Aggregates[0] != "count(*)" || last.Epsilon != "1" {
		t.Errorf("offers %+v", offers)
	}
}
