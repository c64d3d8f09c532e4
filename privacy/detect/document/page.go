package document

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// page reads a page, or those below a node of the page tree.
func (r *reader) page(v any, inherited dict, depth int, seen map[int]bool) {
	id, ok := v.(ref)
	if !ok || seen[int(id)] || depth > r.Depth {
		fail("its pages are broken")
	}
	seen[int(id)] = true
	node := r.dict(v)
	if node["Resources"] != nil {
		inherited = r.dict(node["Resources"])
	}
	switch r.get(node["Type"]) {
	case name("Pages"):
		for _, kid := range r.list(node["Kids"]) {
			r.page(kid, inherited, depth+1, seen)
		}
		return
	case name("Page"):
	default:
		fail("its pages are broken")
	}
	if r.pages++; r.pages > r.Pages {
		fail("it has too many pages")
	}
	var content []byte
	for _, part := range r.list(node["Contents"]) {
		s, ok := r.get(part).(*stream)
		if !ok {
			fail("a page has no content")
		}
		s.used = true
		data := r.decode(s)
		r.bytes(len(data))
		content = append(append(content, data...), '\n')
	}
	p := &painter{r: r}
	p.draw(content, inherited, state{ctm: unit, scale: 1}, 0)
	p.tell()
}

type matrix [6]float64

var unit = matrix{1, 0, 0, 1, 0, 0}

func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3], m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// state is what q puts aside and Q brings back.
type state struct {
	ctm                                     matrix
	colour                                  string
	font                                    *font
	size, spacing, words, scale, lead, rise float64
}

// piece is a letter where it stands.
type piece struct {
	x, y, size, end float64
	s, style        string
}

// maxPieces are the letters of one page.
const maxPieces = 200_000

type painter struct {
	r      *reader
	pieces []piece
}

// run is one content stream that is drawn.
type run struct {
	*painter
	state
	stack     []state
	line, at  matrix
	x, y      float64 // of the path
	operands  []any
	resources dict
	depth     int
}

// still are operators that draw no letters.
var still = wordSet("w J j M d ri i re h S s f F f* B B* b b* n W W* CS cs SC SCN sc scn G g RG rg K k BMC BDC EMC MP DP BX EX")

func wordSet(words string) map[keyword]bool {
	m := map[keyword]bool{}
	for _, w := range strings.Fields(words) {
		m[keyword(w)] = true
	}
	return m
}

// draw reads a content stream. Curves and lines that go across could be letters, and pictures hold some.
func (p *painter) draw(content []byte, resources dict, st state, depth int) {
	if depth > p.r.Depth {
		fail("it is nested too deep")
	}
	d := &run{painter: p, state: st, line: unit, at: unit, resources: resources, depth: depth}
	l := &lexer{r: p.r, b: content, drawn: true}
	for {
		v, ok := l.next()
		if !ok {
			break
		}
		op, isOp := v.(keyword)
		if !isOp {
			if d.operands = append(d.operands, v); len(d.operands) > 64 {
				fail("a page is broken")
			}
			continue
		}
		if !d.text(op) && !d.graphics(op) {
			fail("a page draws what is not read")
		}
		d.operands = d.operands[:0]
	}
	if len(d.operands) > 0 {
		fail("a page is broken")
	}
}

// numbers returns the n operands.
func (d *run) numbers(n int) []float64 {
	if len(d.operands) != n {
		fail("a page is broken")
	}
	out := make([]float64, n)
	for i, v := range d.operands {
		f, ok := v.(float64)
		if !ok {
			fail("a page is broken")
		}
		out[i] = f
	}
	return out
}

func (d *run) graphics(op keyword) bool {
	switch op {
	case "q":
		if d.stack = append(d.stack, d.state); len(d.stack) > 256 {
			fail("it is nested too deep")
		}
	case "Q":
		if len(d.stack) == 0 {
			fail("a page is broken")
		}
		d.state, d.stack = d.stack[len(d.stack)-1], d.stack[:len(d.stack)-1]
	case "cm":
		d.ctm = matrix(d.numbers(6)).times(d.ctm)
	case "m":
		v := d.numbers(2)
		d.x, d.y = v[0], v[1]
	case "l":
		v := d.numbers(2)
		if math.Abs(v[0]-d.x) > .01 && math.Abs(v[1]-d.y) > .01 {
			fail("a page draws what could be letters")
		}
		d.x, d.y = v[0], v[1]
	case "gs":
		if s := d.r.dict(d.named("ExtGState")); s["Font"] != nil {
			fail("a page draws what is not read")
		}
	case "Do":
		d.form()
	default:
		if !still[op] {
			return false
		}
		d.r.sayAll(d.operands)
		switch op {
		case "cs", "sc", "scn", "g", "rg", "k":
			d.colour = fmt.Sprint(d.operands)
		}
	}
	return true
}

// named returns the resource that the only operand names.
func (d *run) named(kind name) any {
	if len(d.operands) == 0 {
		fail("a page is broken")
	}
	n, ok := d.operands[0].(name)
	v, there := d.r.dict(d.resources[kind])[n]
	if !ok || !there {
		fail("a page names what is not there")
	}
	return v
}

func (d *run) form() {
	s, ok := d.r.get(d.named("XObject")).(*stream)
	if !ok || d.r.get(s.dict["Subtype"]) != name("Form") {
		fail("a page shows a picture")
	}
	s.used = true
	inner, resources := d.state, d.resources
	if s.dict["Matrix"] != nil {
		list := d.r.list(s.dict["Matrix"])
		if len(list) != 6 {
			fail("a page is broken")
		}
		var m matrix
		for i := range m {
			m[i] = d.r.number(list[i])
		}
		inner.ctm = m.times(inner.ctm)
	}
	if s.dict["Resources"] != nil {
		resources = d.r.dict(s.dict["Resources"])
	}
	d.draw(d.r.decode(s), resources, inner, d.depth+1)
}

func (d *run) text(op keyword) bool {
	switch op {
	case "BT":
		d.line, d.at = unit, unit
	case "ET":
	case "Tr":
		if d.numbers(1)[0] > 2 {
			fail("a page has text that nobody sees")
		}
	case "Tc":
		d.spacing = d.numbers(1)[0]
	case "Tw":
		d.words = d.numbers(1)[0]
	case "Tz":
		d.scale = d.numbers(1)[0] / 100
	case "TL":
		d.lead = d.numbers(1)[0]
	case "Ts":
		d.rise = d.numbers(1)[0]
	case "Tf":
		d.font = d.r.font(d.named("Font"))
		if d.operands = d.operands[1:]; len(d.operands) != 1 {
			fail("a page is broken")
		}
		d.size = d.numbers(1)[0]
	case "Td", "TD":
		v := d.numbers(2)
		if op == "TD" {
			d.lead = -v[1]
		}
		d.move(v[0], v[1])
	case "Tm":
		d.line = matrix(d.numbers(6))
		d.at = d.line
	case "T*":
		d.move(0, -d.lead)
	case "Tj", "'":
		if op == "'" {
			d.move(0, -d.lead)
		}
		d.show(d.last(1))
	case `"`:
		last := d.last(3)
		d.operands = d.operands[:2]
		v := d.numbers(2)
		d.words, d.spacing = v[0], v[1]
		d.move(0, -d.lead)
		d.show(last)
	case "TJ":
		list, ok := d.last(1).(array)
		if !ok {
			fail("a page is broken")
		}
		for _, v := range list {
			if adjust, ok := v.(float64); ok {
				d.advance(-adjust / 1000 * d.size)
				continue
			}
			d.show(v)
		}
	default:
		return false
	}
	return true
}

func (d *run) last(n int) any {
	if len(d.operands) != n {
		fail("a page is broken")
	}
	return d.operands[n-1]
}

func (d *run) move(x, y float64) {
	d.line = matrix{1, 0, 0, 1, x, y}.times(d.line)
	d.at = d.line
}

func (d *run) advance(x float64) { d.at = matrix{1, 0, 0, 1, x * d.scale, 0}.times(d.at) }

// show draws a string, letter by letter.
func (d *run) show(v any) {
	s, ok := v.(text)
	if !ok || d.font == nil {
		fail("a page is broken")
	}
	size := 1
	if d.font.wide {
		size = 2
	}
	if len(s)%size != 0 {
		fail("a page is broken")
	}
	for ; len(s) > 0; s = s[size:] {
		code := field([]byte(s[:size]))
		m := matrix{d.size * d.scale, 0, 0, d.size, 0, d.rise}.times(d.at).times(d.ctm)
		if !(m[0] > 0 && m[3] > 0 && math.Abs(m[1])+math.Abs(m[2]) < .01*m[3]) || math.Abs(m[4])+math.Abs(m[5]) > 1e9 {
			fail("a page has text that is turned")
		}
		w, ok := d.font.widths[code]
		if !ok {
			w = d.font.width
		}
		if len(d.pieces) >= maxPieces {
			fail("a page has too much text")
		}
		d.r.step(4)
		d.pieces = append(d.pieces, piece{x: m[4], y: m[5], size: m[3], end: m[4] + w/1000*m[0], s: d.font.letters(code), style: d.colour})
		extra := d.spacing
		if size == 1 && code == ' ' {
			extra += d.words
		}
		d.advance(w/1000*d.size + extra)
	}
}

// sayAll says the strings in operands.
func (r *reader) sayAll(list []any) {
	for _, v := range list {
		switch v := v.(type) {
		case text:
			r.say(textString([]byte(v)))
		case array:
			r.sayAll(v)
		case dict:
			for _, x := range v {
				r.sayAll([]any{x})
			}
		}
	}
}

// tell says what stands on the page, as it was drawn and as it is seen, and what is seen of each colour; with spaces where there
// are gaps, and without.
func (p *painter) tell() {
	seen := inLines(p.pieces)
	orders := [][]piece{seen, p.pieces}
	byStyle := map[string][]piece{}
	for _, x := range seen {
		byStyle[x.style] = append(byStyle[x.style], x)
	}
	if len(byStyle) > 1 {
		for _, style := range slices.Sorted(maps.Keys(byStyle)) {
			orders = append(orders, byStyle[style])
		}
	}
	said := map[string]bool{}
	for _, pieces := range orders {
		for _, gaps := range []bool{true, false} {
			if s := written(pieces, gaps); !said[s] {
				said[s] = true
				p.r.say(s)
			}
		}
	}
}

// inLines sorts letters from the top left on. One that is drawn twice to make it bold counts once; one on another cannot be read.
func inLines(drawn []piece) []piece {
	seen := slices.Clone(drawn)
	slices.SortStableFunc(seen, func(a, b piece) int { return cmp.Compare(b.y, a.y) })
	out := seen[:0]
	for start := 0; start < len(seen); {
		end := start + 1
		for end < len(seen) && seen[start].y-seen[end].y < .4*min(seen[start].size, seen[end].size) {
			end++
		}
		y, line := seen[start].y, seen[start:end]
		slices.SortStableFunc(line, func(a, b piece) int { return cmp.Compare(a.x, b.x) })
		for i, x := range line {
			x.y = y
			if i > 0 {
				was := out[len(out)-1]
				switch over := was.end - x.x; {
				case was.y != y || x.s == " " || was.s == " ":
				case x.s == was.s && math.Abs(x.x-was.x) < .1*x.size:
					continue
				case over > .6*min(was.end-was.x, x.end-x.x):
					fail("a page has letters on letters")
				}
			}
			out = append(out, x)
		}
		start = end
	}
	return out
}

func written(pieces []piece, gaps bool) string {
	var b strings.Builder
	for i, p := range pieces {
		if i > 0 {
			was := pieces[i-1]
			switch em := min(p.size, was.size); {
			case math.Abs(p.y-was.y) > .4*em:
				b.WriteByte('\n')
			case gaps && (p.x-was.end > .2*em || p.x < was.x-.2*em):
				b.WriteByte(' ')
			}
		}
		b.WriteString(p.s)
	}
	return b.String()
}
