package show

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// paint is how a piece of text stands out. On a terminal it is a colour, elsewhere nothing.
type paint string

const (
	plain paint = ""
	bold  paint = "1"
	faint paint = "2"
	good  paint = "32"
	other paint = "33" // changed on the way
	bad   paint = "31"
	title paint = "1;36"
)

// printer writes aligned text of a given width.
type printer struct {
	w      *bufio.Writer
	colour bool
	width  int
}

func newPrinter(w io.Writer, colour bool, width int) *printer {
	if width <= 0 {
		width = 100
	}
	return &printer{bufio.NewWriter(w), colour, min(max(width, 60), 132)}
}

func (p *printer) paint(how paint, text string) string {
	if !p.colour || how == plain || text == "" {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}

// line writes one line.
func (p *printer) line(format string, args ...any) {
	_, _ = p.w.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// heading begins a section.
func (p *printer) heading(n int, text string) {
	p.line("")
	p.line("%s", p.paint(title, fmt.Sprintf("%d. %s", n, text)))
}

// word is text that is not broken, with its paint.
type word struct {
	text string
	how  paint
}

func words(how paint, text string) []word {
	var all []word
	for w := range strings.FieldsSeq(text) {
		all = append(all, word{w, how})
	}
	return all
}

// para writes words after a label, with the following lines under the first word.
func (p *printer) para(indent int, label string, how paint, all []word) {
	const column = 18
	left := indent
	if label != "" {
		left += column
	}
	room := p.width - left
	line, used := strings.Builder{}, 0
	lead := strings.Repeat(" ", indent)
	if label != "" {
		lead += p.paint(how, label) + strings.Repeat(" ", max(1, column-width(label)))
	}
	flush := func() {
		p.line("%s%s", lead, line.String())
		line.Reset()
		used, lead = 0, strings.Repeat(" ", left)
	}
	for _, w := range all {
		n := width(w.text)
		if used > 0 && used+1+n > room {
			flush()
		}
		if used > 0 {
			line.WriteByte(' ')
			used++
		}
		line.WriteString(p.paint(w.how, w.text))
		used += n
	}
	flush()
}

type cell struct {
	text string
	how  paint
}

const gap = 2

// table writes rows, under a heading if there is one. Columns are as wide as they must be; what does not fit is broken.
func (p *printer) table(indent int, head []string, rows [][]cell) {
	if head != nil {
		first := make([]cell, len(head))
		for i, h := range head {
			first[i] = cell{h, bold}
		}
		rows = append([][]cell{first}, rows...)
	}
	var wide []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], width(c.text))
		}
	}
	for total(wide)+indent > p.width {
		most := 0
		for i := range wide {
			if wide[i] > wide[most] {
				most = i
			}
		}
		if wide[most] <= 8 {
			break
		}
		wide[most]--
	}
	for _, r := range rows {
		p.row(indent, wide, r)
	}
}

func total(wide []int) int {
	sum := gap * (len(wide) - 1)
	for _, w := range wide {
		sum += w
	}
	return sum
}

func (p *printer) row(indent int, wide []int, cells []cell) {
	lines := make([][]string, len(cells))
	most := 0
	for i, c := range cells {
		lines[i] = fold(c.text, wide[i])
		most = max(most, len(lines[i]))
	}
	for n := range most {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", indent))
		for i, c := range cells {
			text := ""
			if n < len(lines[i]) {
				text = lines[i][n]
			}
			b.WriteString(p.paint(c.how, text))
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", wide[i]-width(text)+gap))
			}
		}
		p.line("%s", b.String())
	}
}

// fold breaks text into lines of at most n columns: after a space or before an @ where there is one.
func fold(text string, n int) []string {
	var all []string
	for width(text) > n {
		cut, used, space := 0, 0, -1
		for i, r := range text {
			if used += runeWidth(r); used > n {
				break
			}
			switch cut = i + len(string(r)); r {
			case ' ':
				space = cut
			case '@':
				space = i
			}
		}
		if space > 0 {
			cut = space
		}
		if cut == 0 {
			break // a single wide character in a narrow column
		}
		all, text = append(all, strings.TrimRight(text[:cut], " ")), text[cut:]
	}
	return append(all, text)
}

// width is how many columns of a terminal the text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < ' ' || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana), r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}
