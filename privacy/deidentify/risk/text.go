package risk

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteText writes the report for a terminal, before and after side by side, in at most 100 columns where the names of columns allow it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Risk of re-identification: %s\n", plain(r.Table))
	if r.Copy == ForRecipient {
		fmt.Fprintf(&b, "Copy for the recipient: figures of the table before it was changed are rounded, counts up to %d.\n", r.RoundedTo)
	}
	fmt.Fprintf(&b, "Quasi-identifiers: %s\n", plain(strings.Join(r.Columns, ", ")))
	if len(r.Models) > 0 {
		fmt.Fprintf(&b, "Made to meet: %s\n", plain(strings.Join(r.Models, ", ")))
	}
	if r.Population.Known {
		fmt.Fprintf(&b, "Population: %s %s persons\n", plain(r.Population.Name), count(r.Population.Persons))
	}
	after := ""
	if r.After != nil {
		after = "after"
	}
	fmt.Fprintf(&b, "\n%s%s%s\n", cell("", 54), left("before", 18), left(after, 18))
	for _, s := range r.sections() {
		b.WriteString(s.Title + "\n")
		wrap(&b, s.Words, "  ")
		for _, l := range s.Lines {
			b.WriteString(strings.TrimRight("  "+cell(l.What, 52)+left(l.Before, 18)+left(l.After, 18), " ") + "\n")
		}
		b.WriteString("\n")
	}
	r.Utility.text(&b)
	list(&b, "What the figures assume", r.Assumes)
	list(&b, "What they do not cover", r.NotCovered)
	_, err := io.WriteString(w, b.String())
	return err
}

func (u *Utility) text(b *strings.Builder) {
	if u == nil {
		return
	}
	b.WriteString("What the change cost\n")
	for _, c := range u.costs() {
		b.WriteString("  " + cell(c[0], 70) + left(c[1], 18) + "\n")
	}
	if len(u.Columns) > 0 {
		fmt.Fprintf(b, "\n  %s%s%s%s\n", cell("column", 34), left("level", 14), left("loss", 14), left("distinct values", 26))
	}
	for _, c := range u.Columns {
		fmt.Fprintf(b, "  %s%s%s%s\n", cell(plain(c.Name), 34), left(c.level(), 14), left(fmt.Sprintf("%.4f", c.Loss), 14), left(count(c.DistinctBefore)+" → "+count(c.DistinctAfter), 26))
		if s := c.shift(); s != "" {
			wrap(b, s, "    ")
		}
		for _, s := range c.Reveals {
			wrap(b, "still reveals: "+plain(s), "    ")
		}
	}
	b.WriteString("\n")
}

func list(b *strings.Builder, title string, lines []string) {
	b.WriteString(title + "\n")
	for _, l := range lines {
		wrap(b, "- "+l, "  ")
	}
}

func cell(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 1))
}

func left(s string, width int) string {
	return strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 1)) + s
}

func wrap(b *strings.Builder, s, indent string) {
	at := 0
	for _, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		if at > 0 && at+1+n > 98 {
			b.WriteString("\n")
			at = 0
		}
		if at == 0 {
			b.WriteString(indent)
			at = len(indent)
		} else {
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	if at > 0 {
		b.WriteString("\n")
	}
}
