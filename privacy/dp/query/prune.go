package query

import (
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// pruned is the relation below a question without the columns that nothing above reads, so that no column is asked of a source that
// the answer does not depend on.
func pruned(q *relation.Bounded) relation.Rel {
	need := map[string]bool{}
	for _, n := range slices.Concat(q.Unit, q.Keys) {
		need[n] = true
	}
	for _, s := range q.Sums {
		need[s.Col] = true
	}
	for _, b := range q.Bins {
		need[b.Col] = true
	}
	return prune(q.In, need)
}

// prune is r with the columns of need alone, and one more where there would be none.
func prune(r relation.Rel, need map[string]bool) relation.Rel {
	switch r := r.(type) {
	case *relation.Scan:
		out := &relation.Scan{Table: r.Table}
		for _, f := range r.Fields {
			if need[f.As] {
				out.Fields = append(out.Fields, f)
			}
		}
		if len(out.Fields) == 0 {
			out.Fields = r.Fields[:1]
		}
		return out
	case *relation.Filter:
		below := reads(need, r.Where)
		return &relation.Filter{In: prune(r.In, below), Where: r.Where}
	case *relation.Project:
		out := &relation.Project{}
		below := map[string]bool{}
		for _, c := range r.Cols {
			if need[c.Name] {
				out.Cols = append(out.Cols, c)
			}
		}
		if len(out.Cols) == 0 {
			out.Cols = r.Cols[:1]
		}
		for _, c := range out.Cols {
			below = reads(below, c.Expr)
		}
		out.In = prune(r.In, below)
		return out
	case *relation.Join:
		below := reads(need)
		for _, e := range r.On {
			below[e.Left], below[e.Right] = true, true
		}
		return &relation.Join{Kind: r.Kind, Left: prune(r.Left, below), Right: prune(r.Right, below), On: r.On}
	case *relation.Union:
		out := &relation.Union{}
		below := reads(need)
		// Arms agree by name: what stays of one where nothing is needed has to stay of all.
		if cols := r.Arms[0].Columns(); !slices.ContainsFunc(cols, func(c relation.Column) bool { return need[c.Name] }) {
			below[cols[0].Name] = true
		}
		for _, a := range r.Arms {
			out.Arms = append(out.Arms, prune(a, below))
		}
		return out
	case *relation.Fold:
		out := &relation.Fold{Keys: r.Keys}
		below := map[string]bool{}
		for _, k := range r.Keys {
			below[k] = true
		}
		for _, a := range r.Aggs {
			if need[a.Name] {
				out.Aggs = append(out.Aggs, a)
				if a.Col != "" {
					below[a.Col] = true
				}
			}
		}
		out.In = prune(r.In, below)
		return out
	}
	return r
}

// reads are the names of need and those that expressions read.
func reads(need map[string]bool, es ...relation.Expr) map[string]bool {
	out := make(map[string]bool, len(need))
	for n := range need {
		out[n] = true
	}
	for _, e := range es {
		for _, n := range relation.Refs(e) {
			out[n] = true
		}
	}
	return out
}

// scansOf are the tables that a relation reads, in order.
func scansOf(r relation.Rel, to []relation.Scan) []relation.Scan {
	switch r := r.(type) {
	case *relation.Scan:
		return append(to, *r)
	case *relation.Filter:
		return scansOf(r.In, to)
	case *relation.Project:
		return scansOf(r.In, to)
	case *relation.Join:
		return scansOf(r.Right, scansOf(r.Left, to))
	case *relation.Union:
		for _, a := range r.Arms {
			to = scansOf(a, to)
		}
	case *relation.Fold:
		return scansOf(r.In, to)
	}
	return to
}
