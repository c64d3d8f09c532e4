package inventory

import (
	"slices"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// agree gives columns that repeat the values of another, by foreign keys, what was found of that one: they are the same values, and the
// table that they belong to says best what they are. Of keys that refer to each other in a circle the surest decides.
func (inv *Inventory) agree() {
	columns := map[reference]*Column{}
	for i := range inv.Assets {
		a := &inv.Assets[i]
		for j := range a.Columns {
			columns[reference{a.Name, a.Columns[j].Name}] = &a.Columns[j]
		}
	}
	decided := map[*Column][]column.Guess{}
	for _, c := range columns {
		if last := origin(c, columns); last != c {
			decided[c] = last.Guesses
		}
	}
	for c, guesses := range decided {
		c.Guesses = referred(guesses)
	}
}

// origin follows references to the column that refers to no other that is known.
func origin(c *Column, columns map[reference]*Column) *Column {
	var path []*Column
	for at := c; ; {
		if i := slices.Index(path, at); i >= 0 {
			return surest(path[i:])
		}
		path = append(path, at)
		next := columns[at.refers]
		if next == nil || at.refers == (reference{}) {
			return at
		}
		at = next
	}
}

// surest decides the same wherever the circle is entered.
func surest(circle []*Column) *Column {
	best := circle[0]
	for _, c := range circle[1:] {
		switch {
		case len(c.Guesses) == 0:
		case len(best.Guesses) == 0, c.Guesses[0].Confidence > best.Guesses[0].Confidence,
			c.Guesses[0].Confidence == best.Guesses[0].Confidence && c.References < best.References:
			best = c
		}
	}
	return best
}

// referred are guesses of a column whose values another repeats. Whom a row is about is the other table's to say.
func referred(guesses []column.Guess) []column.Guess {
	out := slices.Clone(guesses)
	for i := range out {
		out[i].Unit = ""
		out[i].Evidence = append([]column.Evidence{{What: "reference", Matched: 1, Of: 1}}, out[i].Evidence...)
	}
	return out
}

// spot is a column as its source calls it.
type spot struct{ dataset, column string }

// relink points what is new in an updated contract to what it refers to there, and gives it the label that this has, which may be one that
// a person chose. References are those of the inventory, by the names that its own contract has.
func relink(all, now []catalog.Dataset, isNew map[spot]bool) {
	here := map[spot]*catalog.Field{}
	for i := range all {
		d := &all[i]
		for k := range d.Fields {
			d.Fields[k].Dataset = d.Name
			here[spot{physical(d.PhysicalName, d.Name), place(&d.Fields[k])}] = &d.Fields[k]
		}
	}
	spots := map[string]spot{} // by the names of the inventory's contract
	for _, d := range now {
		for k := range d.Fields {
			spots[d.Name+"/"+d.Fields[k].Column] = spot{physical(d.PhysicalName, d.Name), place(&d.Fields[k])}
		}
	}
	targets := map[*catalog.Field]*catalog.Field{}
	for _, d := range now {
		for k := range d.Fields {
			at := spots[d.Name+"/"+d.Fields[k].Column]
			f, to := here[at], here[spots[d.Fields[k].References]]
			if f == nil || !isNew[at] {
				continue
			}
			if f.References = ""; to != nil {
				f.References, targets[f] = to.Dataset+"/"+to.Column, to
			}
		}
	}
	for changed, rounds := true, 0; changed && rounds <= len(targets); rounds++ {
		changed = false
		for f, to := range targets {
			if f.Label != to.Label {
				f.Label, changed = to.Label, true
			}
		}
	}
}
