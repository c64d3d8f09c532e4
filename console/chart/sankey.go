package chart

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// Sankey shows how much goes from what stands at the left to what stands at the right: from labels to recipients, in the colours of levels.
type Sankey struct {
	Title, Desc       string
	LeftOf, RightOf   string // what stands at either side, such as "Label" and "Recipient"
	Unit              string // what is counted
	Bands             []Band
	leftMost, rightMo int // for tests; 0: mostEnds
}

// Band is an amount from one side to the other.
type Band struct {
	From, To string
	Class    string // of its level
	Note     string // the level in words
	Volume   int64
	Href     string
}

// mostEnds bounds what stands at a side: the rest is one together.
const mostEnds = 14

// end is what stands at a side, with the place of its bar.
type end struct {
	name   string
	volume int64
	top    float64
	high   float64
	used   float64 // of its height, by bands drawn so far
}

// ends are the names of one side by volume, at most so many; others are [Rest].
func ends(bands []Band, name func(*Band) *string, most int) []*end {
	sum := map[string]int64{}
	for i := range bands {
		sum[*name(&bands[i])] += bands[i].Volume
	}
	var all []*end
	for n, v := range sum {
		all = append(all, &end{name: n, volume: v})
	}
	slices.SortFunc(all, func(a, b *end) int { return cmp.Or(cmp.Compare(b.volume, a.volume), cmp.Compare(a.name, b.name)) })
	if len(all) <= most {
		return all
	}
	rest := &end{name: Rest}
	kept := map[string]bool{}
	for _, e := range all[:most-1] {
		kept[e.name] = true
	}
	for _, e := range all[most-1:] {
		rest.volume += e.volume
	}
	for i := range bands {
		if n := name(&bands[i]); !kept[*n] {
			*n, bands[i].Href = Rest, ""
		}
	}
	return append(all[:most-1:most-1], rest)
}

// layout gives bars their places: heights are in proportion, and never below what can be seen.
func layout(all []*end, high, gap float64) {
	total := int64(0)
	for _, e := range all {
		total += e.volume
	}
	room := high - gap*float64(max(len(all)-1, 0)) - 3*float64(len(all))
	top := 0.0
	for _, e := range all {
		e.top, e.high = top, 3+room*float64(e.volume)/float64(max(total, 1))
		top += e.high + gap
	}
}

// SVG implements [Chart].
func (s *Sankey) SVG(name string) template.HTML {
	const wide, side, bar = 640.0, 180.0, 10.0
	bands := make([]Band, 0, len(s.Bands))
	for _, b := range s.Bands {
		if b.Volume > 0 {
			bands = append(bands, b)
		}
	}
	left := ends(bands, func(b *Band) *string { return &b.From }, cmp.Or(s.leftMost, mostEnds))
	right := ends(bands, func(b *Band) *string { return &b.To }, cmp.Or(s.rightMo, mostEnds))
	high := max(120, 26*float64(max(len(left), len(right))))
	const gap = 14.0
	layout(left, high, gap)
	layout(right, high, gap)
	at := func(all []*end, n string) *end {
		return all[slices.IndexFunc(all, func(e *end) bool { return e.name == n })]
	}
	bands = merged(bands)
	slices.SortStableFunc(bands, func(a, b Band) int {
		return cmp.Or(cmp.Compare(at(left, a.From).top, at(left, b.From).top), cmp.Compare(at(right, a.To).top, at(right, b.To).top), cmp.Compare(a.Class, b.Class))
	})
	links := slices.ContainsFunc(bands, func(b Band) bool { return local(b.Href) })
	var p pen
	p.svg(name, s.Title, s.Desc, wide, high+2*margin, links)
	for _, b := range bands {
		from, to := at(left, b.From), at(right, b.To)
		a, c := from.high*float64(b.Volume)/float64(from.volume), to.high*float64(b.Volume)/float64(to.volume)
		y1, y2 := margin+from.top+from.used+a/2, margin+to.top+to.used+c/2
		from.used += a
		to.used += c
		x1, x2 := side+bar, wide-side-bar
		p.linked(b.Href, s.words(b), func() {
			p.open("path", "class", strings.TrimSpace("band "+b.Class), "stroke-width", num(max(min(a, c), 1)),
				"d", "M"+num(x1)+" "+num(y1)+"C"+num((x1+x2)/2)+" "+num(y1)+" "+num((x1+x2)/2)+" "+num(y2)+" "+num(x2)+" "+num(y2))
			p.element("title", s.words(b))
			p.close("path")
		})
	}
	draw := func(all []*end, x, text float64, class string) {
		for _, e := range all {
			p.empty("rect", "class", "pillar", "x", num(x), "y", num(margin+e.top), "width", num(bar), "height", num(e.high))
			p.open("text", "class", class, "x", num(text), "y", num(margin+e.top+e.high/2+4))
			p.element("tspan", cut(e.name, side-16))
			p.element("title", fmt.Sprintf("%s: %s %s", e.name, Count(e.volume), s.Unit))
			p.close("text")
		}
	}
	draw(left, side, side-8, "end")
	draw(right, wide-side-bar, wide-side+8, "")
	p.close("svg")
	return p.html()
}

// merged adds up bands that are alike but for their amount.
func merged(bands []Band) (out []Band) {
	type key struct{ from, to, class string }
	at := map[key]int{}
	for _, b := range bands {
		k := key{b.From, b.To, b.Class}
		if i, ok := at[k]; ok {
			out[i].Volume += b.Volume
			continue
		}
		at[k] = len(out)
		out = append(out, b)
	}
	return out
}

func (s *Sankey) words(b Band) string {
	return fmt.Sprintf("%s → %s: %s %s, %s", b.From, b.To, Count(b.Volume), s.Unit, b.Note)
}

// Table implements [Chart].
func (s *Sankey) Table() Table {
	out := Table{Caption: s.Title, Head: []string{s.LeftOf, s.RightOf, "Level", s.Unit}}
	all := slices.Clone(s.Bands)
	slices.SortStableFunc(all, func(a, b Band) int {
		return cmp.Or(cmp.Compare(b.Volume, a.Volume), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Class, b.Class))
	})
	for _, b := range all {
		out.Rows = append(out.Rows, []string{clean(b.From), clean(b.To), clean(b.Note), Count(b.Volume)})
	}
	return out
}
