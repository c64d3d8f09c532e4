package offer

import (
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// variant is the question with one thing changed.
type variant struct {
	by, to  string
	columns []string
	query   policy.Query
	leaves  []flow.Leaf // nil: those of the question
	at      []int       // where these stand among those of the question
}

// variants lists the other choices that are decided: what the caller could choose itself, each alone, and what others could do.
// Consent is none of them, nor anything that the recipient already holds. Their number is bounded.
func (q *question) variants(first variant, terms flow.Terms) (all []variant) {
	f := first.query.Flow
	for _, p := range q.c.Caller.Purposes {
		if p != f.Purpose {
			v := first
			v.by, v.to, v.query.Flow.Purpose = "purpose", string(p), p
			all = append(all, v)
		}
	}
	for c := f.Task.Criticality + 1; c <= q.c.Caller.Criticality; c++ {
		v := first
		v.by, v.to, v.query.Flow.Task.Criticality = "criticality", c.String(), c
		all = append(all, v)
	}
	if !f.To.Attested {
		v := first
		v.by, v.query.Flow.To.Attested = "attestation", true
		all = append(all, v)
	}
	v := first
	v.by, v.query.Approved = "approval", true
	all = append(all, v)
	if v, ok := q.fewer(first, terms); ok {
		all = append([]variant{v}, all...)
	}
	return all[:min(len(all), q.t.limits().Variants)]
}

// fewer is the question without what would have to be left out of a request: the columns that remain make one that passes.
func (q *question) fewer(first variant, terms flow.Terms) (variant, bool) {
	if q.asked.Direction != flow.Request || q.asked.Dataset == "" || q.agent == nil {
		return variant{}, false
	}
	v := first
	v.by = "columns"
	for i, t := range terms.Leaves {
		switch column := q.column(i); {
		case t.Level != flow.Dropped:
			v.leaves, v.at = append(v.leaves, q.leaves[i]), append(v.at, i)
			if column != "" {
				v.columns = append(v.columns, column)
			}
		case column == "":
			return variant{}, false // a label that was asked for by its name stays in the question
		}
	}
	return v, len(v.columns) > 0 && len(v.leaves) < len(terms.Leaves)
}

// column is the column that a leaf of the question stands for, "" if for none.
func (q *question) column(i int) string {
	field, ok := q.leaves[i].Field, q.asked.Dataset != ""
	if !ok || len(field) <= len(q.asked.Dataset) || field[:len(q.asked.Dataset)+1] != q.asked.Dataset+"/" {
		return ""
	}
	return field[len(q.asked.Dataset)+1:]
}

// compare says what a variant shows beyond the question, if anything. What the caller is not told of does not count.
func (q *question) compare(v variant, was, is flow.Terms) (Change, bool) {
	c := Change{By: v.by, To: v.to, Columns: v.columns, Passes: true}
	kept, more := 0, false
	for i := range is.Leaves {
		at := i
		if v.at != nil {
			at = v.at[i]
		}
		a, b := &was.Leaves[at], &is.Leaves[i]
		if !q.tellable(at, a) && !(v.own() && q.tellable(at, b)) {
			continue
		}
		kept++
		c.Passes = c.Passes && b.Level != flow.Dropped
		if a.Treatment == b.Treatment {
			continue
		}
		class, _ := q.c.Snapshot.Taxonomy.Class(q.leaves[at].Label)
		more = more || class.Family.Reveals(b.Treatment, a.Treatment)
		if s := shownOf(&q.leaves[at], b); !slices.Contains(c.Labels, s) {
			c.Labels = append(c.Labels, s)
		}
	}
	c.Passes = c.Passes && kept > 0
	return c, more || c.Passes && !q.passes(was)
}

// own reports whether the caller could choose the variant by itself: then it could ask for it, too.
func (v variant) own() bool { return v.by == "purpose" || v.by == "criticality" || v.by == "columns" }

// tellable reports whether a kind of value may be told of to this caller. Whoever comes from another domain is not told of kinds
// that it did not name and would not be shown: what a dataset or a schema of ours holds is not theirs to know.
func (q *question) tellable(i int, t *flow.LeafTerms) bool {
	return i < q.named || q.c.Caller.Party.Domain == q.c.Snapshot.Domain || t.Level != flow.Dropped
}

// passes reports whether nothing would have to be left out.
func (q *question) passes(terms flow.Terms) bool {
	kept := 0
	for i := range terms.Leaves {
		if !q.tellable(i, &terms.Leaves[i]) {
			continue
		}
		if kept++; terms.Leaves[i].Level == flow.Dropped {
			return false
		}
	}
	return kept > 0
}
