package draft

import (
	"slices"
	"strings"
	"unicode"
)

// SourceLine is a line of a file with what is wrong in it.
type SourceLine struct {
	Number   int        `json:"number"`
	Text     string     `json:"text"`
	Mistakes []Mistake  `json:"mistakes,omitempty"`
	Parts    []LinePart `json:"-"` // the text, cut where something is wrong
	Left     int        `json:"-"` // lines before this one that are not shown
}

// LinePart is a piece of a line.
type LinePart struct {
	Text  string
	Wrong bool // something is wrong here; an empty text is a place behind the last character
}

// The bounds of what is shown of a text with its mistakes.
const (
	mostLines = 2000 // of a whole text; of a longer one the lines around its mistakes are shown
	mostNear  = 400  // lines around mistakes
)

// Inline returns a text line by line, with what is wrong in each. Of a text of more than 2,000 lines it returns those around its mistakes. Mistakes of no
// line in particular, and of lines that the text does not have, are not among them.
func Inline(text string, ms Mistakes) []SourceLine {
	lines := linesOf(text, ms)
	if len(lines) <= mostLines {
		return marked(lines, ms, len(lines), len(lines))
	}
	const near = 10
	return marked(lines, ms, near, mostNear)
}

// Around returns the lines of a text in which something is wrong, with a few around each, in order, and at most 200. Mistakes of no line in particular are
// not among them.
func Around(text string, ms Mistakes) []SourceLine {
	return marked(linesOf(text, ms), ms, 2, 200)
}

// linesOf leaves out the nothing behind the last newline, unless something is wrong there.
func linesOf(text string, ms Mistakes) []string {
	lines := strings.Split(text, "\n")
	last := len(lines)
	if lines[last-1] == "" && !slices.ContainsFunc(ms, func(m Mistake) bool { return m.Line == last }) {
		lines = lines[:last-1]
	}
	return lines
}

func marked(lines []string, ms Mistakes, near, most int) (out []SourceLine) {
	by := map[int][]Mistake{}
	show := make([]bool, len(lines)+1)
	for _, m := range ms {
		if m.Line < 1 || m.Line > len(lines) {
			continue
		}
		if by[m.Line] == nil {
			for n := max(1, m.Line-near); n <= min(len(lines), m.Line+near); n++ {
				show[n] = true
			}
		}
		by[m.Line] = append(by[m.Line], m)
	}
	last := 0
	for i, l := range lines {
		if len(out) == most {
			break
		}
		if n := i + 1; show[n] {
			l = strings.TrimSuffix(l, "\r")
			out = append(out, SourceLine{Number: n, Text: l, Mistakes: by[n], Parts: parts(l, by[n]), Left: n - last - 1})
			last = n
		}
	}
	return out
}

// parts cuts a line at the columns of its mistakes. What is marked of each is the word that begins there, or one character.
func parts(line string, ms []Mistake) (out []LinePart) {
	rs := []rune(line)
	var columns []int
	for _, m := range ms {
		if m.Column > 0 {
			columns = append(columns, min(m.Column-1, len(rs)))
		}
	}
	slices.Sort(columns)
	at := 0
	for _, c := range slices.Compact(columns) {
		if c < at {
			continue // within the word that is marked
		}
		if c > at {
			out = append(out, LinePart{Text: string(rs[at:c])})
		}
		at = wordEnd(rs, c)
		out = append(out, LinePart{Text: string(rs[c:at]), Wrong: true})
	}
	if at < len(rs) {
		out = append(out, LinePart{Text: string(rs[at:])})
	}
	return out
}

func wordEnd(rs []rune, at int) int {
	end := at
	for end < len(rs) && (rs[end] == '_' || unicode.IsLetter(rs[end]) || unicode.IsDigit(rs[end])) {
		end++
	}
	if end == at {
		end = min(at+1, len(rs))
	}
	return end
}

// Visible makes marks that are not seen seen: those by which text runs the other way, and control characters.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			b.WriteString("⟨U+")
			const hex = "0123456789ABCDEF"
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&15])
			}
			b.WriteString("⟩")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	}
	return r == 0x061c || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}
