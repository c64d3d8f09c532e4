package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Tree is what hangs below what, such as delegations below their root.
type Tree struct {
	Title, Desc string
	Roots       []Node
}

// Node is one place in a tree.
type Node struct {
	Text     string // its name
	Note     string // what else there is to say, in a few words
	Class    string // of its mark, such as [LevelClass] gives; "": none
	Href     string // a path of the console; "": it is no link
	Children []Node
}

// Bounds of a tree that is drawn; the table has all.
const (
	mostRows  = 400
	mostDepth = 16
)

type treeRow struct {
	*Node
	depth, parent int // parent is a row; -1: it is a root
}

// rows are the nodes in the order in which one reads them, and whether some were left out.
func (t *Tree) rows(most, deep int) (all []treeRow, more bool) {
	var walk func(nodes []Node, depth, parent int)
	walk = func(nodes []Node, depth, parent int) {
		for i := range nodes {
			if len(all) >= most || depth >= deep {
				more = true
				return
			}
			all = append(all, treeRow{&nodes[i], depth, parent})
			walk(nodes[i].Children, depth+1, len(all)-1)
		}
	}
	walk(t.Roots, 0, -1)
	return all, more
}

// SVG implements [Chart].
func (t *Tree) SVG(name string) template.HTML {
	const step, high, wide = 22.0, 28.0, 640.0
	rows, more := t.rows(mostRows, mostDepth)
	desc, links := t.Desc, false
	if more {
		desc += " More than is drawn is in the table."
	}
	for _, r := range rows {
		links = links || local(r.Href)
	}
	var p pen
	p.svg(name, t.Title, desc, wide, max(high, high*float64(len(rows))), links)
	for i, r := range rows {
		x, y := 12+step*float64(r.depth), high*(float64(i)+.5)
		if r.parent >= 0 {
			px, py := x-step, high*(float64(r.parent)+.5)
			p.empty("path", "class", "edge", "d", "M"+num(px)+" "+num(py+6)+"V"+num(y)+"H"+num(x-6))
		}
		p.linked(r.Href, strings.TrimSpace(r.Text+" "+r.Note), func() {
			p.empty("circle", "class", strings.TrimSpace("dot "+r.Class), "cx", num(x), "cy", num(y), "r", "6")
			p.open("text", "x", num(x+14), "y", num(y+4))
			room := wide - x - 22
			text := cut(r.Text, room)
			p.element("tspan", text)
			if left := room - width(text) - letter; r.Note != "" && left > 4*letter {
				p.element("tspan", cut(r.Note, left), "class", "aside", "dx", num(letter))
			}
			p.element("title", strings.TrimSpace(r.Text+" "+r.Note))
			p.close("text")
		})
	}
	p.close("svg")
	return p.html()
}

// Table implements [Chart].
func (t *Tree) Table() Table {
	out := Table{Caption: t.Title, Head: []string{"Name", "Below", "Depth", "Note"}}
	rows, _ := t.rows(1<<20, 1<<10)
	for _, r := range rows {
		below := ""
		if r.parent >= 0 {
			below = rows[r.parent].Text
		}
		out.Rows = append(out.Rows, []string{clean(r.Text), clean(below), fmt.Sprint(r.depth), clean(r.Note)})
	}
	return out
}
