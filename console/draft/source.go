package draft

import "strings"

// SourceLine is a line of a file with what is wrong in it.
type SourceLine struct {
	Number   int       `json:"number"`
	Text     string    `json:"text"`
	Mistakes []Mistake `json:"mistakes,omitempty"`
}

// Around returns the lines of a text in which something is wrong, with a few around each, in order. Mistakes of no line in particular are not among them.
func Around(text string, ms Mistakes) (out []SourceLine) {
	const near, most = 2, 200
	lines := strings.Split(text, "\n")
	by := map[int][]Mistake{}
	show := map[int]bool{}
	for _, m := range ms {
		if m.Line < 1 || m.Line > len(lines) {
			continue
		}
		by[m.Line] = append(by[m.Line], m)
		for n := m.Line - near; n <= m.Line+near; n++ {
			show[n] = true
		}
	}
	for i, l := range lines {
		if n := i + 1; show[n] && len(out) < most {
			out = append(out, SourceLine{Number: n, Text: l, Mistakes: by[n]})
		}
	}
	return out
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
