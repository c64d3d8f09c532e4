package draw

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
)

// Sizes of the drawing, in its own units.
const (
	charWidth = 6.7
	lineHigh  = 18
	headHigh  = 40
	gapX      = 150
	gapY      = 22
	margin    = 24
	mostChars = 46
)

// box is a dataset as it is drawn.
type box struct {
	name    lineage.Name
	rows    []string // columns
	notes   []string // who received it
	rank    int
	x, y, w float64
}

func (b *box) high() float64 { return float64(headHigh + lineHigh*(len(b.rows)+len(b.notes)) + 8) }

// row is where lines to a column end; to the head where it is not listed.
func (b *box) row(field string) float64 {
	if i := slices.Index(b.rows, field); i >= 0 {
		return b.y + headHigh + lineHigh*float64(i) + lineHigh/2
	}
	return b.y + headHigh/2
}

const style = `<style>
svg{--bg:#fff;--box:#f6f7f9;--line:#c9ced6;--ink:#1c2430;--soft:#5b6675;--flow:#2f6fb0;--mask:#a3541a;background:var(--bg)}
@media (prefers-color-scheme:dark){svg{--bg:#14181f;--box:#1d232c;--line:#3a4350;--ink:#e6eaf0;--soft:#9aa6b5;--flow:#6fb0f0;--mask:#e89a5c}}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--ink)}
.ns,.to{fill:var(--soft);font-size:11px}.name{font-weight:600}.how{fill:var(--mask);font-size:10px}
rect{fill:var(--box);stroke:var(--line)}path{fill:none;stroke:var(--flow);stroke-width:1.4}.mask{stroke:var(--mask)}.may{stroke-dasharray:3 4;opacity:.75}
#a path{fill:var(--flow);stroke:none}
</style>`

// SVG draws datasets as boxes from left to right. Lines that change a value are of another colour and say how; dotted ones are what may
// have been used. It follows the light or dark mode of whoever looks, and loads nothing.
func SVG(p *lineage.Picture) []byte {
	boxes, width, height := arrange(p)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">`+"\n", width, height, width, height)
	b.WriteString("<title>Lineage</title>\n" + style + "\n")
	b.WriteString(`<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	at := map[lineage.Name]*box{}
	for _, one := range boxes {
		at[one.name] = one
	}
	for i := range p.Links {
		line(&b, at, &p.Links[i])
	}
	for _, one := range boxes {
		one.draw(&b)
	}
	if p.Cut {
		fmt.Fprintf(&b, `<text class="to" x="%d" y="%.0f">there is more</text>`+"\n", margin, height-6)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(plain(s))) // a buffer takes everything
	return b.String()
}

func (o *box) draw(b *bytes.Buffer) {
	fmt.Fprintf(b, `<g><title>%s %s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6"/>`, xmlText(o.name.Namespace), xmlText(o.name.Name), o.x, o.y, o.w, o.high())
	text := func(class string, dy float64, s string) {
		fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, o.x+10, o.y+dy, xmlText(short(plain(s), mostChars)))
	}
	text("ns", 15, o.name.Namespace)
	text("name", 31, o.name.Name)
	for i, r := range o.rows {
		text("col", headHigh+lineHigh*float64(i)+13, r)
	}
	for i, n := range o.notes {
		text("to", headHigh+lineHigh*float64(len(o.rows)+i)+13, n)
	}
	b.WriteString("</g>\n")
}

func line(b *bytes.Buffer, at map[lineage.Name]*box, l *lineage.Link) {
	from, to := at[l.From.Dataset], at[l.To.Dataset]
	if from == nil || to == nil {
		return
	}
	x1, y1, x2, y2 := from.x+from.w, from.row(l.From.Field), to.x, to.row(l.To.Field)
	bend := gapX / 2.0
	if to.rank <= from.rank { // back, or beside: round the right side
		x2 = to.x + to.w
		bend = gapX / 3.0
	}
	class := "flow"
	if l.Masking {
		class = "mask"
	}
	if !direct(l) {
		class += " may"
	}
	end := x2 - bend
	if to.rank <= from.rank {
		end = x2 + bend
	}
	fmt.Fprintf(b, `<path class="%s" marker-end="url(#a)" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f"><title>%s: %s to %s %s</title></path>`, class,
		x1, y1, x1+bend, y1, end, y2, x2, y2, xmlText(l.Job.Name), xmlText(l.From.Field), xmlText(l.To.Field), xmlText(said(l)))
	if how := said(l); how != "" && direct(l) && to.rank > from.rank {
		fmt.Fprintf(b, `<text class="how" text-anchor="end" x="%.1f" y="%.1f">%s</text>`, x2-12, y2-3, xmlText(short(how, 22)))
	}
	b.WriteByte('\n')
}

// arrange places boxes in columns, each right of what it was made of.
func arrange(p *lineage.Picture) (boxes []*box, width, height float64) {
	at := map[lineage.Name]*box{}
	for _, d := range p.Datasets {
		o := &box{name: d.Name, rows: d.Columns}
		for _, r := range recipients(p, d.Name) {
			o.notes = append(o.notes, "→ "+r)
		}
		longest := 12
		for _, s := range append(append([]string{d.Namespace, d.Name.Name}, o.rows...), o.notes...) {
			longest = max(longest, min(len([]rune(s)), mostChars))
		}
		o.w = float64(longest)*charWidth*1.08 + 22
		at[d.Name], boxes = o, append(boxes, o)
	}
	rank(p, at)
	ranks := 0
	for _, o := range boxes {
		ranks = max(ranks, o.rank+1)
	}
	x := float64(margin)
	for r := range ranks {
		y, wide := float64(margin), 0.0
		for _, o := range boxes {
			if o.rank != r {
				continue
			}
			o.x, o.y = x, y
			y += o.high() + gapY
			wide = max(wide, o.w)
		}
		x += wide + gapX
		height = max(height, y)
	}
	return boxes, max(x-gapX+2*margin, 200), max(height+margin, 80)
}

// rank numbers datasets so that each is right of what it was made of. Links that close a circle do not count.
func rank(p *lineage.Picture, at map[lineage.Name]*box) {
	next := map[*box][]*box{}
	for i := range p.Links {
		from, to := at[p.Links[i].From.Dataset], at[p.Links[i].To.Dataset]
		if from != nil && to != nil && from != to && !slices.Contains(next[from], to) {
			next[from] = append(next[from], to)
		}
	}
	const open, done = 1, 2
	state := map[*box]int{}
	var order []*box // those that nothing leads to come last
	var visit func(o *box)
	visit = func(o *box) {
		state[o] = open
		kept := next[o][:0]
		for _, n := range next[o] {
			if state[n] == open {
				continue
			}
			kept = append(kept, n)
			if state[n] == 0 {
				visit(n)
			}
		}
		next[o], state[o] = kept, done
		order = append(order, o)
	}
	for _, d := range p.Datasets {
		if o := at[d.Name]; state[o] == 0 && !strings.HasPrefix(d.Name.Name, "agents/") {
			visit(o) // what is no agent's is where things begin
		}
	}
	for _, d := range p.Datasets {
		if o := at[d.Name]; state[o] == 0 {
			visit(o)
		}
	}
	for _, o := range slices.Backward(order) {
		for _, n := range next[o] {
			n.rank = max(n.rank, o.rank+1)
		}
	}
}
