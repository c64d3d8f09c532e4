package gateway

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// join looks at texts that stand side by side as the one text that their reader makes of them: an agent that wrote in
// chunks has left each as a part of its own, and a name or a stand-in may lie across two of them. What lies within one
// text was found there already; what crosses a border is changed where it begins, and gone from where it goes on.
func (c *collector) join() error {
	for from := 0; from < len(c.texts); {
		to := from + 1
		for to < len(c.texts) && besides(&c.texts[to-1], &c.texts[to]) {
			to++
		}
		if to-from > 1 {
			if err := c.joined(c.texts[from:to]); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// besides reports whether b is the next element after a in one list.
func besides(a, b *textAt) bool {
	if a.view != b.view || a.whole() || b.whole() || a.file != nil || b.file != nil {
		return false
	}
	d := a.view.doc
	pa, pb := d.Nodes[a.node].Parent, d.Nodes[b.node].Parent
	if pa < 0 || pb < 0 {
		return false
	}
	list := d.Nodes[pa].Parent
	return list >= 0 && list == d.Nodes[pb].Parent && d.Nodes[list].Kind == json.Array && d.Nodes[pb].Index == d.Nodes[pa].Index+1
}

// whole reports whether the text was read in another way than as prose that is all there.
func (at *textAt) whole() bool {
	return at.nested || at.opaque || at.unread || at.stream != nil || at.instead != nil
}

func (c *collector) joined(run []textAt) error {
	var all strings.Builder
	starts := make([]int, len(run))
	for i := range run {
		starts[i] = all.Len()
		all.WriteString(run[i].view.doc.Text(run[i].node))
	}
	parts, err := c.parts(all.String())
	if err != nil {
		return refuse(RuleInternal, c.leaves[run[0].leaf].Path, err, "The gateway could not look at this text, so the flow did not happen.")
	}
	for _, p := range parts {
		first, _ := slices.BinarySearch(starts, p.start+1)
		last, _ := slices.BinarySearch(starts, p.end)
		if first--; first < last-1 {
			c.across(run, starts, first, last-1, p)
		}
	}
	return nil
}

// crossing is one finding or stand-in that lies in several texts.
type crossing struct {
	changed bool // something else stands where it begins
}

// across puts a part that begins in one text and ends in another in place of what was found within it. What sticks out
// of it stays, and is left alone by it.
func (c *collector) across(run []textAt, starts []int, first, last int, p part) {
	var pieces []part
	var of []*textAt
	for i := first; i <= last; i++ {
		at := &run[i]
		lo, hi := max(p.start-starts[i], 0), min(p.end-starts[i], len(at.view.doc.Text(at.node)))
		at.parts = slices.DeleteFunc(at.parts, func(q part) bool {
			switch {
			case q.end <= lo || q.start >= hi:
				return false
			case q.start < lo:
				lo = q.end
				return false
			case q.end > hi:
				hi = q.start
				return false
			}
			if q.found && p.found {
				p.label, p.score = c.m.Snapshot.Taxonomy.Stricter(p.label, q.label), max(p.score, q.score)
			}
			return true
		})
		if lo < hi {
			pieces, of = append(pieces, part{start: lo, end: hi, tail: true}), append(of, at)
		}
	}
	if len(pieces) == 0 {
		return
	}
	p.start, p.end = pieces[0].start, pieces[0].end
	pieces[0] = p // by now with the strictest label
	shared := new(crossing)
	for i, q := range pieces {
		q.cross = shared
		at, _ := slices.BinarySearchFunc(of[i].parts, q.start, func(q part, start int) int { return q.start - start })
		of[i].parts = slices.Insert(of[i].parts, at, q)
	}
}
