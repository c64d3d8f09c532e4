package chart

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Domains is a map of domains and what flows between them: the more, the thicker, in the colour of the highest level.
type Domains struct {
	Title, Desc string
	Own         string // stands at the top
	Ways        []Way
	Unit        string // what Volume counts, such as "flows"
}

// Way is what flows from one domain to another, or within one.
type Way struct {
	From, To string
	Volume   int64
	Class    string // of the highest level
	Note     string // the level in words, and what else there is to say
	Href     string
}

// mostDomains bounds a map: those with the least volume are one place together.
const mostDomains = 16

// Rest is the name of the domains that a map has no room for.
const Rest = "others"

// places are the domains in the order of the circle, and the ways between them.
func (d *Domains) places() (names []string, ways []Way) {
	volume := map[string]int64{d.Own: math.MaxInt64}
	if d.Own == "" {
		volume = map[string]int64{}
	}
	add := func(name string, n int64) {
		if have := volume[name]; have > math.MaxInt64-n {
			volume[name] = math.MaxInt64
		} else {
			volume[name] = have + max(n, 0)
		}
	}
	for _, w := range d.Ways {
		add(w.From, w.Volume)
		add(w.To, w.Volume)
	}
	for n := range volume {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(volume[b], volume[a]), cmp.Compare(a, b)) })
	folded := map[string]bool{}
	if len(names) > mostDomains {
		for _, n := range names[mostDomains-1:] {
			folded[n] = true
		}
		names = append(names[:mostDomains-1:mostDomains-1], Rest)
	}
	sum := map[[2]string]int{}
	for _, w := range d.Ways {
		if folded[w.From] {
			w.From, w.Href = Rest, ""
		}
		if folded[w.To] {
			w.To, w.Href = Rest, ""
		}
		i, ok := sum[[2]string{w.From, w.To}]
		if !ok {
			sum[[2]string{w.From, w.To}] = len(ways)
			ways = append(ways, w)
			continue
		}
		ways[i].Volume += w.Volume
	}
	slices.SortStableFunc(ways, func(a, b Way) int {
		return cmp.Or(cmp.Compare(b.Volume, a.Volume), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return names, ways
}

// SVG implements [Chart].
func (d *Domains) SVG(name string) template.HTML {
	const wide, high, place = 640.0, 420.0, 26.0
	names, ways := d.places()
	x, y := map[string]float64{}, map[string]float64{}
	for i, n := range names {
		a := 2*math.Pi*float64(i)/float64(max(len(names), 1)) - math.Pi/2
		x[n], y[n] = wide/2+math.Cos(a)*200, high/2+math.Sin(a)*145
	}
	most, links := int64(1), false
	for _, w := range ways {
		most, links = max(most, w.Volume), links || local(w.Href)
	}
	var p pen
	p.svg(name, d.Title, d.Desc, wide, high, links)
	for _, w := range slices.Backward(ways) { // what is thick lies below nothing
		p.linked(w.Href, d.words(w), func() {
			thick := num(1.5 + 8.5*math.Log1p(float64(max(w.Volume, 0)))/math.Log1p(float64(most)))
			path, tip := d.curve(w, x, y, place)
			p.open("path", "class", strings.TrimSpace("way "+w.Class), "stroke-width", thick, "d", path)
			p.element("title", d.words(w))
			p.close("path")
			p.empty("path", "class", strings.TrimSpace("tip "+w.Class), "d", tip)
		})
	}
	for _, n := range names {
		p.empty("circle", "class", "box", "cx", num(x[n]), "cy", num(y[n]), "r", num(place))
		below := y[n] + place + line
		if y[n] < high/2-1 {
			below = y[n] - place - 8
		}
		fits := 2 * min(x[n], wide-x[n])
		if len(names) > 6 {
			fits = min(fits, 118)
		}
		p.open("text", "class", "middle", "x", num(x[n]), "y", num(below))
		p.element("tspan", cut(n, fits))
		p.element("title", n)
		p.close("text")
	}
	p.close("svg")
	return p.html()
}

// curve is the line of a way and the tip at its end. Ways there and back bend to different sides; a way within a domain is a loop.
func (d *Domains) curve(w Way, x, y map[string]float64, place float64) (path, tip string) {
	x1, y1, x2, y2 := x[w.From], y[w.From], x[w.To], y[w.To]
	if w.From == w.To {
		cx, cy := x1-320, y1-210
		l := max(math.Hypot(cx, cy), 1)
		cx, cy = cx/l, cy/l // outwards
		return "M" + num(x1+cy*14-cx*4) + " " + num(y1-cx*14-cy*4) + "A14 14 0 1 1 " + num(x1-cy*14-cx*4) + " " + num(y1+cx*14-cy*4), ""
	}
	dx, dy := x2-x1, y2-y1
	l := max(math.Hypot(dx, dy), 1)
	ux, uy := dx/l, dy/l
	bend := min(40, l/5)
	mx, my := (x1+x2)/2-uy*bend, (y1+y2)/2+ux*bend
	ax, ay := towards(x1, y1, mx, my, place)
	bx, by := towards(x2, y2, mx, my, place+7)
	ex, ey := towards(x2, y2, mx, my, place)
	vx, vy := (ex-bx)/7, (ey-by)/7
	path = "M" + num(ax) + " " + num(ay) + "Q" + num(mx) + " " + num(my) + " " + num(bx) + " " + num(by)
	tip = "M" + num(ex) + " " + num(ey) + "L" + num(bx-vy*7) + " " + num(by+vx*7) + "L" + num(bx+vy*7) + " " + num(by-vx*7) + "Z"
	return path, tip
}

// towards is the point so far from one on the way to another.
func towards(x, y, tx, ty, far float64) (float64, float64) {
	l := max(math.Hypot(tx-x, ty-y), 1)
	return x + (tx-x)/l*far, y + (ty-y)/l*far
}

func (d *Domains) words(w Way) string {
	s := fmt.Sprintf("%s → %s: %s %s", w.From, w.To, Count(w.Volume), d.Unit)
	if w.Note != "" {
		s += ", " + w.Note
	}
	return s
}

// Table implements [Chart].
func (d *Domains) Table() Table {
	out := Table{Caption: d.Title, Head: []string{"From", "To", d.Unit, "Highest level"}}
	all := slices.Clone(d.Ways)
	slices.SortStableFunc(all, func(a, b Way) int {
		return cmp.Or(cmp.Compare(b.Volume, a.Volume), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for _, w := range all {
		out.Rows = append(out.Rows, []string{clean(w.From), clean(w.To), Count(w.Volume), clean(w.Note)})
	}
	return out
}
