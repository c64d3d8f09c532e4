package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// style colours text for a terminal; the zero style leaves it plain.
type style struct{ on bool }

func (e *env) style(w io.Writer) style {
	return style{on: !e.noColor && terminal(w)}
}

// terminal reports whether somebody may be looking.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) good(t string) string  { return s.paint("32", t) }
func (s style) warn(t string) string  { return s.paint("33", t) }
func (s style) bad(t string) string   { return s.paint("31", t) }
func (s style) bold(t string) string  { return s.paint("1", t) }
func (s style) faint(t string) string { return s.paint("2", t) }

// table prints rows with aligned columns, the last one as long as it is.
type table struct {
	rows  [][]string
	paint map[int]func(string) string // by column, after alignment
	head  bool                        // the first row is a heading
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer, s style, indent string) {
	var width []int
	for _, r := range t.rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for n, r := range t.rows {
		var b strings.Builder
		for i, c := range r {
			text := c
			if i < len(r)-1 {
				text += strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+2)
			}
			switch paint := t.paint[i]; {
			case n == 0 && t.head:
				text = s.faint(text)
			case paint != nil:
				text = paint(text)
			}
			b.WriteString(text)
		}
		fmt.Fprintln(w, indent+strings.TrimRight(b.String(), " "))
	}
}

// printable shows control characters as escapes, so that text from a file cannot steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}
