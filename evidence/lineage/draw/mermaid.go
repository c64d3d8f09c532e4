package draw

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
)

// Mermaid writes a flowchart: a box for each dataset with its columns, in a box for each namespace. Dotted lines are what may have
// been used; what changes a value is written on its line.
func Mermaid(p *lineage.Picture) []byte {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	nodes := map[lineage.Column]string{}
	last := ""
	for i, d := range p.Datasets {
		if d.Namespace != last || i == 0 {
			if i > 0 {
				b.WriteString("  end\n")
			}
			fmt.Fprintf(&b, "  subgraph n%d[\"%s\"]\n", i, mermaidText(d.Namespace))
			last = d.Namespace
		}
		nodes[lineage.Column{Dataset: d.Name}] = fmt.Sprintf("d%d", i)
		if len(d.Columns) == 0 {
			text := mermaidText(d.Name.Name)
			for _, r := range recipients(p, d.Name) {
				text += "<br/>" + mermaidText("to "+r)
			}
			fmt.Fprintf(&b, "    d%d[\"%s\"]\n", i, text)
			continue
		}
		fmt.Fprintf(&b, "    subgraph d%d[\"%s\"]\n", i, mermaidText(d.Name.Name))
		for j, c := range d.Columns {
			id := fmt.Sprintf("d%dc%d", i, j)
			nodes[lineage.Column{Dataset: d.Name, Field: c}] = id
			fmt.Fprintf(&b, "      %s[\"%s\"]\n", id, mermaidText(c))
		}
		for j, r := range recipients(p, d.Name) {
			fmt.Fprintf(&b, "      d%dr%d([\"%s\"])\n", i, j, mermaidText("to "+r))
		}
		b.WriteString("    end\n")
	}
	if len(p.Datasets) > 0 {
		b.WriteString("  end\n")
	}
	for i := range p.Links {
		l := &p.Links[i]
		from, to := nodes[l.From], nodes[l.To]
		if from == "" || to == "" {
			continue
		}
		line := "-->"
		if !direct(l) {
			line = "-.->"
		}
		if how := said(l); how != "" {
			fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", from, line, mermaidText(how), to)
		} else {
			fmt.Fprintf(&b, "  %s %s %s\n", from, line, to)
		}
	}
	if p.Cut {
		b.WriteString("  more[\"there is more\"]\n")
	}
	return []byte(b.String())
}

// mermaidText escapes what Mermaid or HTML could read as more than text: entities there are written with a number sign.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range plain(s) {
		switch {
		case strings.ContainsRune("\"#<>&;`\\[]{}()|%", r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return " "
	}
	return b.String()
}
