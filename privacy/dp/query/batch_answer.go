package query

import (
	"context"
	"math/big"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/workload"
)

// BatchAnswer is what leaves for several questions.
type BatchAnswer struct {
	Dataset string        `json:"dataset"`
	Queries []QueryAnswer `json:"queries"` // in the order of the questions
	Privacy Privacy       `json:"privacy"` // of all
	Notes   []string      `json:"notes"`
}

// QueryAnswer is the answer of one of several questions.
type QueryAnswer struct {
	Columns []Heading `json:"columns"`
	Rows    [][]Cell  `json:"rows"`
}

// Answer is as [Priced.Answer], for all questions.
func (pb *PricedBatch) Answer(ctx context.Context, e relation.Engine, seed relation.Seed, src *noise.Source) (*BatchAnswer, error) {
	a := &BatchAnswer{Dataset: pb.batch.merged.Dataset.Name, Privacy: pb.privacy(), Notes: pb.notes()}
	groups, err := pb.release(ctx, e, seed, src)
	if err != nil {
		return nil, err
	}
	for i, pr := range pb.parts {
		a.Queries = append(a.Queries, QueryAnswer{pr.plan.columns(), pr.rows(groups[i])})
	}
	return a, nil
}

func (pb *PricedBatch) release(ctx context.Context, e relation.Engine, seed relation.Seed, src *noise.Source) ([][]*releasedGroup, error) {
	all := make([][]*releasedGroup, len(pb.parts))
	if pb.Together() {
		tables, err := pb.read(ctx, e, seed)
		if err != nil {
			return nil, err
		}
		pb.measure(tables, src, all)
		return all, ctx.Err()
	}
	for i, pr := range pb.parts {
		var err error
		if all[i], err = pr.releaseAll(ctx, e, seed, src); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// read runs the relation of all, and adds what comes to the tables of the measures, which hold no more than is measured. What else is held is which
// combinations have come, a bit for each there could be.
func (pb *PricedBatch) read(ctx context.Context, e relation.Engine, seed relation.Seed) ([]*workload.Measuring, error) {
	m := pb.batch.merged
	tables := make([]*workload.Measuring, len(pb.shared))
	for j, s := range pb.shared {
		if s != nil {
			tables[j] = s.Begin()
		}
	}
	var came bitmap
	at := make([]int, len(m.Keys))
	err := (&Priced{plan: m}).run(ctx, e, seed, func(g relation.Group) error {
		if !came.add(pb.batch.cell(g.Keys, at)) {
			return errTwice // keys are declared values or NULL, so that two groups of one cell are one group
		}
		for j, t := range tables {
			if t == nil {
				continue
			}
			if err := t.Add(at, g.Sums[m.Measures[j].Sum]); err != nil {
				return err
			}
		}
		return nil
	})
	return tables, err
}

// measure draws all noise, and makes the groups of all answers of what was measured.
func (pb *PricedBatch) measure(tables []*workload.Measuring, src *noise.Source, all [][]*releasedGroup) {
	bt := pb.batch
	for i, pr := range pb.parts {
		pr.eachOf(bt.by[i], func(keys []relation.Value) {
			all[i] = append(all[i], &releasedGroup{of: pr, keys: keys, sums: make([]int64, len(pr.plan.Measures)), nodes: make([][]int64, len(pr.plan.Measures)),
				fitted: make([][]int64, len(pr.plan.Measures)), made: make([]made, len(pr.plan.Aggregates))})
		})
	}
	for j, t := range tables {
		if t == nil {
			continue
		}
		answers := t.Release(src)
		tables[j] = nil
		for i, query := range pb.at[j] {
			num, den := answers.Marginal(query)
			pr := pb.parts[i]
			extra := pr.plan.Measures[j].Places - bt.merged.Measures[j].Places
			at := 0
			for place, n := range num {
				if bt.shown(i, place) {
					all[i][at].sums[j] = toPlaces(n, den, extra)
					at++
				}
			}
		}
	}
}

// shown is whether a cell of a marginal, by its place, is one of declared values alone.
func (bt *Batch) shown(part, place int) bool {
	by := bt.by[part]
	for i := len(by) - 1; i >= 0; i-- {
		values := len(bt.merged.Keys[by[i]].Values)
		if place%(values+1) == values {
			return false
		}
		place /= values + 1
	}
	return true
}

// eachOf calls f with every combination of some keys, in the order of their declared values, each at its place among all keys.
func (pr *Priced) eachOf(by []int, f func(keys []relation.Value)) {
	keys := make([]relation.Value, len(pr.plan.Keys))
	var next func(i int)
	next = func(i int) {
		if i == len(by) {
			f(append([]relation.Value(nil), keys...))
			return
		}
		for _, v := range pr.plan.Keys[by[i]].Values {
			keys[by[i]] = v
			next(i + 1)
		}
	}
	next(0)
}

// toPlaces is n/d in units of 10^−places, halves away from zero, within ±[noise.Limit].
func toPlaces(n, d *big.Int, places int) int64 {
	x := new(big.Int).Mul(n, pow10(places))
	x.Lsh(x.Abs(x), 1).Add(x, d)
	x.Quo(x, new(big.Int).Lsh(d, 1))
	if !x.IsInt64() {
		x.SetInt64(noise.Limit)
	}
	v := noise.Clamp(x.Int64())
	if n.Sign() < 0 {
		return -v
	}
	return v
}
