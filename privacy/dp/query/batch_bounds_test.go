package query_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// yielding is an engine that answers with groups that a test makes up.
type yielding func(q *relation.Bounded, yield func(relation.Group) error) error

func (g yielding) Run(_ context.Context, q *relation.Bounded, _ relation.Seed, yield func(relation.Group) error) error {
	return g(q, yield)
}
func (yielding) Check(context.Context, []relation.Scan) error { return nil }
func (yielding) Close() error                                 { return nil }

// wards is a clinic with so many declared wards, diagnoses and sorts of code.
func wards(n int) *query.Dataset {
	d := clinic()
	d.Limits.MostCells = 1 << 20
	var values []relation.Value
	for i := range n {
		values = append(values, word(i))
	}
	for i := range d.Tables {
		for j, c := range d.Tables[i].Columns {
			if c.Type.Kind == relation.Text && !c.NoKey {
				d.Tables[i].Columns[j].Values = values
			}
		}
	}
	return d
}

func word(i int) relation.Value {
	return relation.Value{Kind: relation.Text, Text: fmt.Sprintf("w%05d", i)}
}

func counted(g relation.Bounded, keys ...relation.Value) relation.Group {
	sums := make([]int64, len(g.Sums))
	for i := range sums {
		sums[i] = 1
	}
	return relation.Group{Keys: keys, Units: 1, Sums: sums}
}

// What is held while groups come is what is declared, and does not grow with how many of them there are.
func TestBatchHoldsNoGroups(t *testing.T) {
	const n = 250
	p := pricedBatch(t, batch(t, wards(n), 1, query.Query{SQL: "SELECT ward, count(*) FROM stays GROUP BY ward"}, query.Query{SQL: "SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis"}), eps)
	if !p.Together() {
		t.Fatal("the questions share nothing")
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, after := heap(), uint64(0)
	a, err := p.Answer(t.Context(), yielding(func(q *relation.Bounded, yield func(relation.Group) error) error {
		for i := range n {
			for j := range n {
				if err := yield(counted(*q, word(i), word(j))); err != nil {
					return err
				}
			}
		}
		after = heap()
		return nil
	}), relation.Seed{}, noise.NewSource())
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(after) - int64(before); grown > 2<<20 {
		t.Errorf("after %d groups %d bytes more are held", n*n, grown)
	}
	c := a.Queries[0].Rows[7][1]
	if got, _ := rat(t, *c.Value).Float64(); got < n-200 || got > n+200 {
		t.Errorf("a count is %v, want about %d", got, n)
	}
}

// An engine that returns a group twice breaks its contract: a unit could move a cell by more than it is bounded to.
func TestBatchRefusesAGroupThatComesTwice(t *testing.T) {
	t.Parallel()
	p := pricedBatch(t, batch(t, wards(3), 1, query.Query{SQL: "SELECT ward, count(*) FROM stays GROUP BY ward"}, query.Query{SQL: "SELECT count(*) FROM stays"}), eps)
	null := relation.Value{Kind: relation.Text, Null: true}
	other := relation.Value{Kind: relation.Text, Text: "other"}
	for name, tt := range map[string]struct {
		keys []relation.Value
		ok   bool
	}{
		"once":                     {[]relation.Value{word(0), word(2), null}, true},
		"a value twice":            {[]relation.Value{word(0), word(1), word(0)}, false},
		"NULL twice":               {[]relation.Value{null, word(1), null}, false},
		"another and NULL are one": {[]relation.Value{null, other}, false},
	} {
		_, err := p.Answer(t.Context(), yielding(func(q *relation.Bounded, yield func(relation.Group) error) error {
			for _, k := range tt.keys {
				if err := yield(counted(*q, k)); err != nil {
					return err
				}
			}
			return nil
		}), relation.Seed{}, noise.NewSource())
		if tt.ok != (err == nil) || err != nil && !errors.Is(err, query.ErrAnswer) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Questions whose keys have too many combinations, or whose measures are too many numbers, are answered one by one: by what is declared, before
// anything is read.
func TestBatchSharesNoMoreThanCanBeHeld(t *testing.T) {
	t.Parallel()
	ways := func(by ...string) (qs []query.Query) {
		for _, k := range by {
			qs = append(qs, query.Query{SQL: "SELECT " + k + ", count(*) FROM stays s JOIN patients p ON s.patient_id = p.id GROUP BY " + k})
		}
		return qs
	}
	for n, together := range map[int]bool{1022: true, 1024: false} { // 1023³ < 2^30 < 1025³
		b := batch(t, wards(n), 1, ways("ward", "diagnosis", "sex")...)
		if p := pricedBatch(t, b, eps); p.Together() != together || (b.Measured() != nil) != together {
			t.Errorf("three keys of %d values: together %v, want %v", n, p.Together(), together)
		}
	}
	d := wards(1000) // 1001² numbers of each measure
	columns := []string{"count(*)", "sum(age)", "sum(cost)", "count(age)", "count(code)"}
	for m, together := range map[int]bool{4: true, 5: false} {
		var qs []query.Query
		for _, c := range columns[:m] {
			qs = append(qs, query.Query{SQL: "SELECT ward, diagnosis, " + c + " FROM stays GROUP BY ward, diagnosis"}, query.Query{SQL: "SELECT " + c + " FROM stays"})
		}
		b := batch(t, d, 1, qs...)
		if p := pricedBatch(t, b, 8*eps); p.Together() != together {
			t.Errorf("%d measures of a million numbers: together %v, want %v", m, p.Together(), together)
		}
	}
}

// A key has the domain together that it has alone, whatever else the questions compute; where all domains are too many, each question keeps its own.
func TestBatchKeysKeepTheirDomains(t *testing.T) {
	t.Parallel()
	from := " FROM stays WHERE floor(clamp(code, 0, 100000000)) >= 0 GROUP BY 1"
	b := batch(t, clinic(), 1, query.Query{SQL: "SELECT floor(age / 10), count(*)" + from}, query.Query{SQL: "SELECT ward, count(*)" + from})
	p := b.Measured()
	if p == nil || p.Private() || len(p.Keys[0].Values) != 13 {
		t.Fatalf("what is measured: %+v", p)
	}
	d := clinic()
	d.Limits.MostCells = 1 << 20
	var qs []query.Query
	for i := range 2 {
		qs = append(qs, query.Query{SQL: fmt.Sprintf("SELECT floor(clamp(code, 0, %d)), count(*) FROM stays GROUP BY 1", 600_000+i)})
	}
	if batch(t, d, 1, qs...).Measured() != nil {
		t.Error("domains of more than a million values are measured together")
	}
}
