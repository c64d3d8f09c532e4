package playground

import (
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// Result is what several recipients would see, side by side.
type Result struct {
	Views   []View `json:"views"` // one for each recipient
	Rows    []Row  `json:"rows"`  // places of the message
	Both    bool   `json:"both"`  // under the edited policy, too
	Changed int    `json:"changed"`
	Cut     int    `json:"cut,omitempty"` // places that are not listed, though counted
}

// mostRows bounds how many places are listed.
const mostRows = 500

// View is what one recipient would see, now and under the edited policy.
type View struct {
	To      flow.Party `json:"to"`
	Now     Sight      `json:"now"`
	Then    *Sight     `json:"then,omitempty"`
	Changed bool       `json:"changed,omitempty"`
}

// Row is a place with what becomes of it for each recipient.
type Row struct {
	Place  string      `json:"place"`
	Value  string      `json:"value,omitempty"`
	Label  flow.Label  `json:"label"`
	Origin flow.Origin `json:"origin"`
	Score  uint8       `json:"score,omitempty"`
	Cells  []Cell      `json:"cells"` // one for each view
}

// Cell is what one recipient would see of a place. Nothing was decided about it where the message is refused before that.
type Cell struct {
	Now     *Place `json:"now,omitempty"`
	Then    *Place `json:"then,omitempty"`
	Changed bool   `json:"changed,omitempty"`
}

// compare lays sights beside each other; then is empty where no policy was edited.
func compare(now, then []Sight) *Result {
	r := &Result{Both: len(then) > 0}
	at := map[string]int{}
	for i, s := range now {
		v := View{To: s.To, Now: s}
		if r.Both {
			v.Then = &then[i]
			v.Changed = differ(s, then[i])
		}
		r.Views = append(r.Views, v)
		r.fill(at, s.Places, i, len(now), func(c *Cell, p *Place) { c.Now = p })
		if r.Both {
			r.fill(at, then[i].Places, i, len(now), func(c *Cell, p *Place) { c.Then = p })
		}
	}
	for i := range r.Rows {
		for k := range r.Rows[i].Cells {
			c := &r.Rows[i].Cells[k]
			if c.Changed = r.Both && !same(c.Now, c.Then); c.Changed {
				r.Changed++
			}
		}
	}
	if r.Cut = max(len(r.Rows)-mostRows, 0); r.Cut > 0 {
		if r.Both { // what changes is worth more than what does not
			slices.SortStableFunc(r.Rows, func(a, b Row) int { return changed(b) - changed(a) })
		}
		r.Rows = r.Rows[:mostRows]
		for i := range r.Views {
			r.Views[i].cut()
		}
	}
	return r
}

func changed(r Row) int {
	if slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Changed }) {
		return 1
	}
	return 0
}

// cut leaves places to the rows.
func (v *View) cut() {
	v.Now.Places = v.Now.Places[:min(len(v.Now.Places), mostRows)]
	if v.Then != nil {
		v.Then.Places = v.Then.Places[:min(len(v.Then.Places), mostRows)]
	}
}

// fill puts places into rows: the same place with the same label is one row, and the second of such a place another.
func (r *Result) fill(at map[string]int, places []Place, column, columns int, put func(*Cell, *Place)) {
	seen := map[string]int{}
	for i := range places {
		p := &places[i]
		key := p.Place + "\x00" + string(p.Label)
		seen[key]++
		key = fmt.Sprint(key, "\x00", seen[key])
		row, ok := at[key]
		if !ok {
			row = len(r.Rows)
			at[key] = row
			r.Rows = append(r.Rows, Row{Place: p.Place, Value: p.Value, Label: p.Label, Origin: p.Origin, Score: p.Score, Cells: make([]Cell, columns)})
		}
		put(&r.Rows[row].Cells[column], p)
	}
}

func same(a, b *Place) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Shown == b.Shown && a.By == b.By && slices.Equal(a.Policies, b.Policies)
}

// differ compares what shows of each place, and not the text: what stands in for a value is drawn anew each time.
func differ(a, b Sight) bool {
	return (a.Refused == nil) != (b.Refused == nil) || !slices.EqualFunc(a.Places, b.Places, func(x, y Place) bool { return x.Place == y.Place && x.Shown == y.Shown })
}
