package query

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// ErrAnswer is matched by every failure of [Priced.Answer]. What it wraps is for operators: it names what failed and holds no value, yet
// whether it happened may depend on data, so that recipients are told that there was one and nothing else.
var ErrAnswer = errors.New("question could not be answered")

// Answer runs the plan where the data lies and returns its noisy answer. Nothing of the sums that come back leaves but through noise, or
// selection. Whatever error it returns, the question's cost is spent: the engine may have read.
//
// Noise is drawn once a call. Whoever may ask again is given a stored answer, never another draw.
func (pr *Priced) Answer(ctx context.Context, e relation.Engine, seed relation.Seed, src *noise.Source) (*Answer, error) {
	groups, err := pr.release(ctx, e, seed, src)
	if err != nil {
		return nil, err
	}
	return pr.compose(groups), nil
}

// releasedGroup is one group after noise. Nothing before noise is in it.
type releasedGroup struct {
	of     *Priced
	keys   []relation.Value
	sums   []int64   // by measure that is a sum
	nodes  [][]int64 // by measure that is bins: of all levels
	fitted [][]int64
	made   []made
}

// release draws all noise. With public keys every group has its noise, whether or not a row is in it; with private ones each group is
// selected or not as it comes, and only those that were have any.
func (pr *Priced) release(ctx context.Context, e relation.Engine, seed relation.Seed, src *noise.Source) ([]*releasedGroup, error) {
	if pr.plan.Private() {
		return pr.releaseSelected(ctx, e, seed, src)
	}
	return pr.releaseAll(ctx, e, seed, src)
}

func (pr *Priced) run(ctx context.Context, e relation.Engine, seed relation.Seed, yield func(relation.Group) error) error {
	err := e.Run(ctx, &pr.plan.Relation, seed, func(g relation.Group) error {
		if err := pr.fits(g); err != nil {
			return err
		}
		return yield(g)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return nil
}

// fits refuses what no engine that keeps its contract returns.
func (pr *Priced) fits(g relation.Group) error {
	r := &pr.plan.Relation
	if len(g.Keys) != len(r.Keys) || len(g.Sums) != len(r.Sums) || len(g.Bins) != len(r.Bins) || g.Units < 0 {
		return errors.New("the engine returned a group of another shape")
	}
	for i, b := range g.Bins {
		for cell := range b {
			if cell < 0 || cell >= r.Bins[i].Count {
				return errors.New("the engine returned a cell that does not exist")
			}
		}
	}
	return nil
}

var errTwice = fmt.Errorf("%w: the engine returned a group twice", ErrAnswer)

func (pr *Priced) releaseAll(ctx context.Context, e relation.Engine, seed relation.Seed, src *noise.Source) ([]*releasedGroup, error) {
	found := map[string]relation.Group{}
	places := pr.domain()
	twice := false
	err := pr.run(ctx, e, seed, func(g relation.Group) error {
		id := keysID(g.Keys)
		if _, ok := places[id]; !ok {
			return nil // the relation filters by the domain; a group outside is shown to nobody
		}
		_, again := found[id]
		twice = twice || again
		found[id] = g
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case twice:
		return nil, errTwice
	}
	all := make([]*releasedGroup, 0, pr.cells)
	pr.eachCell(func(keys []relation.Value) {
		g := found[keysID(keys)] // the zero Group where no row is
		g.Keys = keys
		all = append(all, pr.noised(g, src))
	})
	return all, ctx.Err()
}

func (pr *Priced) releaseSelected(ctx context.Context, e relation.Engine, seed relation.Seed, src *noise.Source) ([]*releasedGroup, error) {
	var all []*releasedGroup
	err := pr.run(ctx, e, seed, func(g relation.Group) error {
		if !pr.selection.Keep(src, g.Units) || !pr.inDomains(g.Keys) {
			return nil
		}
		if len(all) == pr.most {
			return errors.New("more groups were selected than one answer may have")
		}
		g.Keys = slices.Clone(g.Keys)
		all = append(all, pr.noised(g, src))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *releasedGroup) int { return orderKeys(a.keys, b.keys) })
	for i := 1; i < len(all); i++ {
		if orderKeys(all[i-1].keys, all[i].keys) == 0 {
			return nil, errTwice
		}
	}
	return all, ctx.Err()
}

// noised is a group with its noise: the one place where sums of the source become numbers of an answer.
func (pr *Priced) noised(g relation.Group, src *noise.Source) *releasedGroup {
	n := len(pr.plan.Measures)
	r := &releasedGroup{of: pr, keys: g.Keys, sums: make([]int64, n), nodes: make([][]int64, n), fitted: make([][]int64, n),
		made: make([]made, len(pr.plan.Aggregates))}
	for i, m := range pr.plan.Measures {
		law := pr.laws[i].Law // nil or zero: drawing panics
		if m.Bins < 0 {
			var sum int64
			if g.Sums != nil {
				sum = g.Sums[m.Sum]
			}
			r.sums[i] = noise.Release(src, sum, law)
			continue
		}
		var cells map[int]int64
		if g.Bins != nil {
			cells = g.Bins[m.Bins]
		}
		nodes := pr.trees[i].count(cells)
		for j := range nodes {
			nodes[j] = noise.Release(src, nodes[j], law)
		}
		r.nodes[i] = nodes
	}
	return r
}

// count sums cells up the tree, saturating. A unit moves each level's sum by no more than its cells', saturated or not.
func (s *shape) count(cells map[int]int64) []int64 {
	nodes := make([]int64, s.nodes)
	for i, n := range cells {
		nodes[i] = noise.Clamp(n)
	}
	for level := 1; level < len(s.sizes); level++ {
		for n := range s.sizes[level] {
			from, to := s.children(level, n)
			sum := int64(0)
			for i := from; i < to; i++ {
				sum = noise.Clamp(sum + nodes[i]) // both within ±2^62
			}
			nodes[s.starts[level]+n] = sum
		}
	}
	return nodes
}
