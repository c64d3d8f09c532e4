package querytest

import (
	"context"
	"maps"
	"math/big"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Fixed is an engine that answers each question with the same groups, as a source does whose rows stay.
func Fixed(groups map[string]relation.Group) relation.Engine { return fixed(groups) }

type fixed map[string]relation.Group

func (f fixed) Run(_ context.Context, _ *relation.Bounded, _ relation.Seed, yield func(relation.Group) error) error {
	for _, id := range slices.Sorted(maps.Keys(f)) {
		if err := yield(f[id]); err != nil {
			return err
		}
	}
	return nil
}

func (f fixed) Check(context.Context, []relation.Scan) error { return nil }
func (f fixed) Close() error                                 { return nil }

// Pair is a whole question with its noise on two neighbouring databases, for [audit.Threshold]. What an attacker looks at is the sum of the
// numbers of its answer in one column; without any number it is no answer.
//
// The rows are read once for each side: what a source answers is fixed, and only the noise is drawn anew.
func Pair(ctx context.Context, pr *query.Priced, seed relation.Seed, with, without relation.Engine, column int) (audit.Pair, error) {
	var sides [2]func() audit.Draw
	for i, e := range []relation.Engine{with, without} {
		groups, err := Run(ctx, e, pr.Plan(), seed)
		if err != nil {
			return audit.Pair{}, err
		}
		sides[i] = func() audit.Draw { return draw(pr, seed, Fixed(groups), column) }
	}
	return audit.Pair{Name: "one unit", A: sides[0], B: sides[1], Real: true}, nil
}

func draw(pr *query.Priced, seed relation.Seed, e relation.Engine, column int) audit.Draw {
	src := noise.NewSource()
	return func(ctx context.Context, dst []int64) error {
		for i := range dst {
			a, err := pr.Answer(ctx, e, seed, src)
			if err != nil {
				return err
			}
			dst[i] = seen(a, column)
		}
		return nil
	}
}

// seen is the sum of a column's numbers.
func seen(a *query.Answer, column int) int64 {
	sum, any := new(big.Rat), false
	add := func(text string) {
		if n, ok := new(big.Rat).SetString(text); ok {
			sum.Add(sum, n)
			any = true
		}
	}
	for _, row := range a.Rows {
		if v := row[column].Value; v != nil {
			add(*v)
		}
		for _, b := range row[column].Bars {
			add(b.Value)
		}
	}
	if !any {
		return audit.Absent
	}
	f, _ := sum.Float64()
	return audit.Ordered(f)
}
