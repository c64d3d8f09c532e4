package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Bars are amounts one after another, each of parts that lie upon one another, such as flows by the minute and how they ended.
type Bars struct {
	Title, Desc string
	Of          string // what the bars stand for, such as "Minute"
	Unit        string // what is counted
	Parts       []Part
	Bars        []Bar
}

// Part is one kind of what is counted.
type Part struct{ Name, Class string }

// Bar is one amount, in parts.
type Bar struct {
	Text    string
	Amounts []int64 // one for each part; missing ones are 0
}

// mostBars bounds what is drawn: the last ones. The table has all.
const mostBars = 400

func (b *Bars) highest(bars []Bar) int64 {
	most := int64(1)
	for _, bar := range bars {
		sum := int64(0)
		for _, a := range bar.Amounts {
			sum += max(a, 0)
		}
		most = max(most, sum)
	}
	return most
}

// SVG implements [Chart].
func (b *Bars) SVG(name string) template.HTML {
	const wide, high, foot = 640.0, 120.0, 20.0
	bars := b.Bars[max(0, len(b.Bars)-mostBars):]
	most := b.highest(bars)
	var p pen
	p.svg(name, b.Title, b.Desc, wide, high+foot, false)
	each := wide / float64(max(len(bars), 1))
	for i, bar := range bars {
		y := high
		p.open("g")
		p.element("title", b.words(bar))
		for k, a := range bar.Amounts {
			if a <= 0 || k >= len(b.Parts) {
				continue
			}
			h := (high - 4) * float64(a) / float64(most)
			y -= h
			p.empty("rect", "class", strings.TrimSpace("pillar "+b.Parts[k].Class), "x", num(float64(i)*each), "y", num(y), "width", num(max(each*.85, .5)), "height", num(max(h, .1)))
		}
		p.close("g")
	}
	p.empty("path", "class", "axis", "d", "M0 "+num(high)+"H"+num(wide))
	if len(bars) > 0 {
		p.element("text", cut(bars[0].Text, 200), "class", "aside", "x", "0", "y", num(high+line))
		p.element("text", "most: "+Count(most), "class", "aside middle", "x", num(wide/2), "y", num(high+line))
		p.element("text", cut(bars[len(bars)-1].Text, 200), "class", "aside end", "x", num(wide), "y", num(high+line))
	}
	p.close("svg")
	return p.html()
}

func (b *Bars) words(bar Bar) string {
	var s []string
	for k, a := range bar.Amounts {
		if k < len(b.Parts) {
			s = append(s, Count(a)+" "+b.Parts[k].Name)
		}
	}
	return bar.Text + ": " + strings.Join(s, ", ")
}

// Table implements [Chart].
func (b *Bars) Table() Table {
	out := Table{Caption: b.Title, Head: []string{b.Of}}
	for _, part := range b.Parts {
		out.Head = append(out.Head, part.Name)
	}
	for _, bar := range b.Bars {
		row := []string{clean(bar.Text)}
		for k := range b.Parts {
			n := int64(0)
			if k < len(bar.Amounts) {
				n = bar.Amounts[k]
			}
			row = append(row, Count(n))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// Sparkline is a small line that shows how an amount changes, for the inside of a table or a card.
type Sparkline struct {
	Title   string
	Unit    string
	Amounts []int64
}

// SVG implements [Chart].
func (s *Sparkline) SVG(name string) template.HTML {
	const wide, high = 120.0, 28.0
	amounts := s.Amounts[max(0, len(s.Amounts)-mostBars):]
	most, last := int64(1), int64(0)
	for _, a := range amounts {
		most, last = max(most, a), a
	}
	var p pen
	p.svg(name, s.Title, fmt.Sprintf("Last %s, most %s %s.", Count(last), Count(most), s.Unit), wide, high, false)
	var d strings.Builder
	for i, a := range amounts {
		x := wide / 2
		if len(amounts) > 1 {
			x = 1 + (wide-2)*float64(i)/float64(len(amounts)-1)
		}
		d.WriteString(map[bool]string{true: "M", false: "L"}[i == 0] + num(x) + " " + num(high-2-(high-4)*float64(max(a, 0))/float64(most)))
	}
	p.empty("path", "class", "spark", "d", d.String())
	p.close("svg")
	return p.html()
}

// Table implements [Chart].
func (s *Sparkline) Table() Table {
	out := Table{Caption: s.Title, Head: []string{"At", s.Unit}}
	for i, a := range s.Amounts {
		out.Rows = append(out.Rows, []string{fmt.Sprint(i + 1), Count(a)})
	}
	return out
}
