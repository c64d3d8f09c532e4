// Package chart draws pictures as SVG on the server: a tree, a small graph, a map of domains, a Sankey diagram, and bars over time.
//
// A picture needs no script and no style of its own: colours are classes of [Style], so that it passes a strict content security policy and follows
// light and dark. The same picture gives the same bytes. Each has a title, a description, and a table that says the same ([Figure] shows both). Names may
// come from strangers: whatever they hold they are text, in full in the table and cut where a picture has no more room.
package chart

import (
	_ "embed"
	"html"
	"html/template"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Style is the style sheet of all pictures. Its colours are those of custom properties of the page, where it has them.
//
//go:embed chart.css
var Style []byte

// Chart is a picture and what it says.
type Chart interface {
	// SVG is the picture. Name begins the ids of its elements, so each picture of a page needs one of its own, made of letters and digits.
	SVG(name string) template.HTML
	// Table says the same as the picture, and more where the picture leaves out.
	Table() Table
}

// Table is a picture in words and numbers.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// Figure is a picture with its table, which is folded up below it.
func Figure(name string, c Chart) template.HTML {
	var p pen
	p.open("figure", "class", "chart")
	p.raw(string(c.SVG(name)))
	t := c.Table()
	p.open("details")
	p.element("summary", "As a table")
	p.open("div", "class", "chart-table", "tabindex", "0", "role", "region", "aria-label", t.Caption)
	p.open("table")
	p.element("caption", t.Caption)
	p.open("thead")
	p.open("tr")
	for _, h := range t.Head {
		p.element("th", h, "scope", "col")
	}
	p.close("tr")
	p.close("thead")
	p.open("tbody")
	for _, row := range t.Rows {
		p.open("tr")
		for i, cell := range row {
			if i == 0 {
				p.element("th", cell, "scope", "row")
			} else {
				p.element("td", cell)
			}
		}
		p.close("tr")
	}
	for _, n := range []string{"tbody", "table", "div", "details", "figure"} {
		p.close(n)
	}
	return p.html()
}

// LevelClass is the class of what is shown at a level.
func LevelClass(l flow.Level) string { return "level-" + l.String() }

// Refused is the class of what did not happen.
const Refused = "refused"

// pen writes elements. Texts and attributes are escaped, here and nowhere else.
type pen struct{ b strings.Builder }

func (p *pen) raw(s string) { p.b.WriteString(s) }

// open begins an element; attributes are pairs, and those whose value is "" are left out.
func (p *pen) open(name string, attrs ...string) {
	p.tag(name, attrs)
	p.b.WriteByte('>')
}

// empty is an element without content.
func (p *pen) empty(name string, attrs ...string) {
	p.tag(name, attrs)
	p.b.WriteString("/>")
}

func (p *pen) tag(name string, attrs []string) {
	p.b.WriteByte('<')
	p.b.WriteString(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] == "" {
			continue
		}
		p.b.WriteByte(' ')
		p.b.WriteString(attrs[i])
		p.b.WriteString(`="`)
		p.b.WriteString(html.EscapeString(clean(attrs[i+1])))
		p.b.WriteByte('"')
	}
}

func (p *pen) close(name string) {
	p.b.WriteString("</")
	p.b.WriteString(name)
	p.b.WriteByte('>')
}

func (p *pen) element(name, text string, attrs ...string) {
	p.open(name, attrs...)
	p.b.WriteString(html.EscapeString(clean(text)))
	p.close(name)
}

// html is what was written. All of it went through the escaping above.
func (p *pen) html() template.HTML { return template.HTML(p.b.String()) }

// svg begins a picture of a size with its title and description.
func (p *pen) svg(name, title, desc string, w, h float64, links bool) {
	name = id(name)
	role := "img"
	if links {
		role = "group" // of an image no link could be reached
	}
	p.open("svg", "xmlns", "http://www.w3.org/2000/svg", "class", "chart", "viewBox", "0 0 "+num(w)+" "+num(h), "width", num(w), "height", num(h),
		"role", role, "aria-labelledby", name+"-title "+name+"-desc")
	p.element("title", title, "id", name+"-title")
	p.element("desc", desc, "id", name+"-desc")
}

// linked runs draw within a link, if the address is one of this console.
func (p *pen) linked(href, label string, draw func()) {
	if !local(href) {
		draw()
		return
	}
	p.open("a", "href", href, "aria-label", label)
	draw()
	p.close("a")
}

// local reports whether an address is a path of this console.
func local(href string) bool {
	return strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "//") && !strings.Contains(href, `\`)
}

// id keeps letters, digits and hyphens.
func id(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return -1
	}, s)
}

// clean replaces what no text of XML may hold, and what turns the direction of the text around it.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), r == 0xFFFE, r == 0xFFFF:
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// num writes a coordinate with a tenth of a pixel at most.
func num(f float64) string {
	s := strconv.FormatFloat(f, 'f', 1, 64)
	s = strings.TrimSuffix(s, ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

// Widths of text in pixels, at the size that [Style] sets. What is broad or unknown counts twice.
const (
	letter = 7.2
	line   = 16
)

func width(s string) float64 {
	w := 0.0
	for _, r := range s {
		if r < 0x2000 {
			w += letter
		} else {
			w += 2 * letter
		}
	}
	return w
}

// cut shortens a name to what fits.
func cut(s string, fits float64) string {
	s = clean(s)
	if width(s) <= fits {
		return s
	}
	fits -= 2 * letter
	for i, r := range s {
		w := width(string(r))
		if fits -= w; fits < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// Count writes a number as a person reads it: 1,234 or 1.2 M.
func Count(n int64) string {
	switch {
	case n < 0:
		return strconv.FormatInt(n, 10)
	case n >= 10_000_000_000:
		return strconv.FormatInt(n/1_000_000_000, 10) + " G"
	case n >= 10_000_000:
		return strconv.FormatInt(n/1_000_000, 10) + " M"
	case n >= 1_000_000:
		return strconv.FormatFloat(float64(n/100_000)/10, 'f', 1, 64) + " M"
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
