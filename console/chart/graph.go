package chart

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
)

// Graph is a small graph whose edges go from left to right, such as where data came from. Edges that would close a circle are drawn backwards.
type Graph struct {
	Title, Desc string
	Vertices    []Vertex
	Edges       []Edge // those that name no vertex are left out
}

// Vertex is one thing in a graph.
type Vertex struct {
	ID    string // names it in edges; shown nowhere
	Text  string
	Note  string // a second line
	Class string
	Href  string
}

// Edge leads from one vertex to another.
type Edge struct {
	From, To string
	Text     string // what it means, in the table and on pointing at it
	Class    string
}

// mostVertices bounds a graph that is drawn: those after it are in the table alone.
const mostVertices = 120

const (
	boxWide, boxHigh = 184.0, 44.0
	gapWide, gapHigh = 72.0, 14.0
	margin           = 10.0
)

// placed is a graph with the places of its vertices.
type placed struct {
	vertices []Vertex
	edges    [][2]int // by index of vertex
	edge     []int    // index in Graph.Edges of each
	layer    []int
	x, y     []float64
	w, h     float64
}

// place lays the vertices out in layers: each stands to the right of all that lead to it, but for circles.
func (g *Graph) place() *placed {
	p := &placed{vertices: g.Vertices[:min(len(g.Vertices), mostVertices)]}
	at := map[string]int{}
	for i, v := range p.vertices {
		if _, ok := at[v.ID]; !ok {
			at[v.ID] = i
		}
	}
	for i, e := range g.Edges {
		from, ok := at[e.From]
		to, and := at[e.To]
		if ok && and && from != to {
			p.edges, p.edge = append(p.edges, [2]int{from, to}), append(p.edge, i)
		}
	}
	p.layers()
	columns := p.order()
	p.x, p.y = make([]float64, len(p.vertices)), make([]float64, len(p.vertices))
	most := 0
	for _, c := range columns {
		most = max(most, len(c))
	}
	p.h = max(boxHigh+2*margin, float64(most)*(boxHigh+gapHigh)-gapHigh+2*margin)
	p.w = max(boxWide+2*margin, float64(len(columns))*(boxWide+gapWide)-gapWide+2*margin)
	for layer, c := range columns {
		top := (p.h - (float64(len(c))*(boxHigh+gapHigh) - gapHigh)) / 2
		for row, v := range c {
			p.x[v], p.y[v] = margin+float64(layer)*(boxWide+gapWide), top+float64(row)*(boxHigh+gapHigh)
		}
	}
	return p
}

// layers gives each vertex the length of the longest way to it, without the edges that close circles.
func (p *placed) layers() {
	n := len(p.vertices)
	out := make([][]int, n)
	for _, e := range p.edges {
		out[e[0]] = append(out[e[0]], e[1])
	}
	p.layer = make([]int, n)
	state := make([]int8, n) // 1: on the way, 2: done
	var done []int
	var visit func(v int)
	back := map[[2]int]bool{}
	visit = func(v int) {
		state[v] = 1
		for _, w := range out[v] {
			switch state[w] {
			case 0:
				visit(w)
			case 1:
				back[[2]int{v, w}] = true
			}
		}
		state[v] = 2
		done = append(done, v)
	}
	for v := range n {
		if state[v] == 0 {
			visit(v)
		}
	}
	for _, v := range slices.Backward(done) {
		for _, w := range out[v] {
			if !back[[2]int{v, w}] {
				p.layer[w] = max(p.layer[w], p.layer[v]+1)
			}
		}
	}
}

// order puts the vertices of each layer next to those they are joined to, by a few sweeps of the barycentre rule.
func (p *placed) order() [][]int {
	var columns [][]int
	for v, l := range p.layer {
		for len(columns) <= l {
			columns = append(columns, nil)
		}
		columns[l] = append(columns[l], v)
	}
	pos := make([]float64, len(p.vertices))
	number := func() {
		for _, c := range columns {
			for i, v := range c {
				pos[v] = (float64(i) + .5) / float64(len(c))
			}
		}
	}
	number()
	near := make([][]int, len(p.vertices))
	for _, e := range p.edges {
		near[e[0]], near[e[1]] = append(near[e[0]], e[1]), append(near[e[1]], e[0])
	}
	for sweep := range 6 {
		for i := range columns {
			c := columns[i]
			if sweep%2 == 1 {
				c = columns[len(columns)-1-i]
			}
			centre := map[int]float64{}
			for _, v := range c {
				sum := pos[v]
				for _, w := range near[v] {
					sum += pos[w]
				}
				centre[v] = sum / float64(len(near[v])+1)
			}
			slices.SortStableFunc(c, func(a, b int) int { return cmp.Compare(centre[a], centre[b]) })
			number()
		}
	}
	return columns
}

// SVG implements [Chart].
func (g *Graph) SVG(name string) template.HTML {
	at := g.place()
	desc, links := g.Desc, false
	if len(at.vertices) < len(g.Vertices) {
		desc += " More than is drawn is in the table."
	}
	for _, v := range at.vertices {
		links = links || local(v.Href)
	}
	var p pen
	p.svg(name, g.Title, desc, at.w, at.h, links)
	for i, e := range at.edges {
		from, to, edge := e[0], e[1], &g.Edges[at.edge[i]]
		x1, y1, x2, y2 := at.x[from]+boxWide, at.y[from]+boxHigh/2, at.x[to], at.y[to]+boxHigh/2
		bend := gapWide * .6
		class := strings.TrimSpace("edge " + edge.Class)
		if at.layer[to] <= at.layer[from] { // backwards, or within a layer: from edge to edge on the near sides
			x1, x2, bend = at.x[from], at.x[to]+boxWide, -min(gapWide*.6, margin)
			class += " back"
		}
		p.open("path", "class", class, "d", "M"+num(x1)+" "+num(y1)+"C"+num(x1+bend)+" "+num(y1)+" "+num(x2-bend)+" "+num(y2)+" "+num(x2)+" "+num(y2))
		p.element("title", strings.TrimSpace(at.vertices[from].Text+" → "+at.vertices[to].Text+" "+edge.Text))
		p.close("path")
		tip := 6.0
		if x2 < x1 && at.layer[to] <= at.layer[from] {
			tip = -6
		}
		p.empty("path", "class", "tip "+edge.Class, "d", "M"+num(x2)+" "+num(y2)+"L"+num(x2-tip)+" "+num(y2-4)+"V"+num(y2+4)+"Z")
	}
	for i, v := range at.vertices {
		p.linked(v.Href, strings.TrimSpace(v.Text+" "+v.Note), func() {
			x, y := at.x[i], at.y[i]
			p.empty("rect", "class", strings.TrimSpace("box "+v.Class), "x", num(x), "y", num(y), "width", num(boxWide), "height", num(boxHigh), "rx", "6")
			p.open("text", "x", num(x+10))
			middle := y + 26
			if v.Note != "" {
				middle = y + 19
			}
			p.element("tspan", cut(v.Text, boxWide-20), "x", num(x+10), "y", num(middle))
			if v.Note != "" {
				p.element("tspan", cut(v.Note, boxWide-20), "class", "aside", "x", num(x+10), "y", num(middle+line))
			}
			p.element("title", strings.TrimSpace(v.Text+" "+v.Note))
			p.close("text")
		})
	}
	p.close("svg")
	return p.html()
}

// Table implements [Chart].
func (g *Graph) Table() Table {
	out := Table{Caption: g.Title, Head: []string{"From", "To", "How"}}
	text, alone := map[string]string{}, map[string]bool{}
	for _, v := range g.Vertices {
		text[v.ID], alone[v.ID] = strings.TrimSpace(v.Text+" "+v.Note), true
	}
	for _, e := range g.Edges {
		if _, ok := text[e.From]; !ok {
			continue
		}
		if _, ok := text[e.To]; !ok {
			continue
		}
		alone[e.From], alone[e.To] = false, false
		out.Rows = append(out.Rows, []string{clean(text[e.From]), clean(text[e.To]), clean(e.Text)})
	}
	for _, v := range g.Vertices {
		if alone[v.ID] {
			out.Rows = append(out.Rows, []string{clean(text[v.ID]), "", ""})
		}
	}
	return out
}
