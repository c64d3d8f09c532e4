package query

import (
	"context"
	"fmt"
	"math/big"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/noise"
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
		cells, err := pb.read(ctx, e, seed)
		if err != nil {
			return nil, err
		}
		return all, pb.measure(cells, src, all)
	}
	for i, pr := range pb.parts {
		var err error
		if all[i], err = pr.releaseAll(ctx, e, seed, src); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// cell is a combination of all keys: places among their values, the last of which is for all others.
type cell struct {
	at   []int
	sums []int64
}

// read runs the relation of all.
func (pb *PricedBatch) read(ctx context.Context, e relation.Engine, seed relation.Seed) ([]cell, error) {
	m := pb.batch.merged
	places := make([]map[string]int, len(m.Keys))
	for k, key := range m.Keys {
		places[k] = map[string]int{}
		for i, v := range key.Values {
			places[k][keysID([]relation.Value{v})] = i
		}
	}
	var cells []cell
	seen := map[string]bool{}
	err := (&Priced{plan: m}).run(ctx, e, seed, func(g relation.Group) error {
		if id := keysID(g.Keys); seen[id] {
			return errTwice
		} else {
			seen[id] = true
		}
		c := cell{make([]int, len(g.Keys)), append([]int64(nil), g.Sums...)}
		for k := range g.Keys {
			i, ok := places[k][keysID(g.Keys[k:k+1])]
			if !ok {
				i = len(m.Keys[k].Values)
			}
			c.at[k] = i
		}
		cells = append(cells, c)
		return nil
	})
	return cells, err
}

// measure draws all noise, and makes the groups of all answers of what was measured.
func (pb *PricedBatch) measure(cells []cell, src *noise.Source, all [][]*releasedGroup) error {
	bt := pb.batch
	for i, pr := range pb.parts {
		pr.eachOf(bt.by[i], func(keys []relation.Value) {
			all[i] = append(all[i], &releasedGroup{of: pr, keys: keys, sums: make([]int64, len(pr.plan.Measures)), nodes: make([][]int64, len(pr.plan.Measures)),
				fitted: make([][]int64, len(pr.plan.Measures)), made: make([]made, len(pr.plan.Aggregates))})
		})
	}
	for j, s := range pb.shared {
		if s == nil {
			continue
		}
		sum := bt.merged.Measures[j].Sum
		answers, err := s.Measure(func(yield func([]int, int64) bool) {
			for _, c := range cells {
				if !yield(c.at, c.sums[sum]) {
					return
				}
			}
		}, src)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrAnswer, err)
		}
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
	return nil
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
