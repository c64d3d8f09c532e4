package query

import (
	"maps"

	"github.com/scrimhq/scrim/data/sql/syntax"
)

// fan is by what joins have multiplied rows. What comes back of a source is bounded whatever a unit's rows are, but how long it takes is not: rows
// of one person, joined with themselves or with a public table again and again, would keep a source busy for as long as the asker likes, and for
// nobody else's rows. That the question failed for its time would then say that the person is there. So a relation meets each table a few
// times at most. A fold to one row of each unit begins anew.
type fan struct {
	tables map[string]int // how often each was met
	joins  int
	loose  int // joins in which every row meets every other
}

// What rows may be multiplied by, along one way from a table to the question.
const (
	maxMet   = 2
	maxJoins = 8
	maxLoose = 1
)

// with is the fan of a join of both.
func (f fan) with(g fan, loose bool) fan {
	out := fan{tables: maps.Clone(f.tables), joins: f.joins + g.joins + 1, loose: f.loose + g.loose}
	if out.tables == nil {
		out.tables = map[string]int{}
	}
	for t, n := range g.tables {
		out.tables[t] += n
	}
	if loose {
		out.loose++
	}
	return out
}

// either is the fan of a union.
func (f fan) either(g fan) fan {
	out := fan{tables: maps.Clone(f.tables), joins: max(f.joins, g.joins), loose: max(f.loose, g.loose)}
	if out.tables == nil {
		out.tables = map[string]int{}
	}
	for t, n := range g.tables {
		out.tables[t] = max(out.tables[t], n)
	}
	return out
}

// fans refuses a join by which one row could become too many.
func (b *binder) fans(at syntax.Pos, f fan) error {
	for i := range b.d.Tables {
		if t := &b.d.Tables[i]; f.tables[t.Name] > maxMet {
			return b.refuse(at, ruleSize, "fold it to one row of each "+b.d.Unit+" in a subquery first, or use CASE in place of a join",
				"joins meet table %q more than %d times, which multiplies rows", t.Name, maxMet)
		}
	}
	if f.loose > maxLoose {
		return b.refuse(at, ruleSize, "equate a column of the two sides in ON", "more than one join pairs every row with every other")
	}
	if f.joins > maxJoins {
		return b.refuse(at, ruleSize, "fold to one row of each "+b.d.Unit+" in a subquery first", "there are more than %d joins in a row", maxJoins)
	}
	return nil
}
