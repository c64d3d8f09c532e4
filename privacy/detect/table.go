package detect

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Named is a value whose column or member says what it is: "ssn" above nine digits.
const Named = "named"

const (
	fromColumn = Named + "/column"
	fromMember = Named + "/member"

	namedScore = .6
	maxColumns = 512
)

// Columns adds to what was found in a text what the headers of its tables say about the cells below them (comma, semicolon, tab or
// bar between them). Whole means that all of the text is meant to be a table: its first line is its header, and every line counts
// however many cells it has. Otherwise a table is wherever a header stands above lines with as many cells. Found is sorted, and so
// is what comes back. Labels never become milder. It takes time linear in the text.
func (e *Engine) Columns(text string, found []Finding, whole bool) []Finding {
	t := tables{engine: e, text: text, found: found, whole: whole}
	at := 0
	if strings.HasPrefix(text, "\ufeff") {
		at = len("\ufeff")
	}
	for at < len(text) {
		at = t.line(at)
	}
	return merged(found, t.more)
}

// merged joins what does not overlap, without what became a part of something else.
func merged(found, more []Finding) []Finding {
	out := slices.DeleteFunc(found, func(f Finding) bool { return f.Start == f.End })
	if len(more) == 0 {
		return out
	}
	out = append(out, more...)
	slices.SortStableFunc(out, func(a, b Finding) int { return a.Start - b.Start })
	return out
}

// cell is a stretch of a line: without its quotes and the space around it.
type cell struct{ start, end int }

type tables struct {
	engine *Engine
	text   string
	found  []Finding
	at     int // in found: the first that ends behind the last cell
	more   []Finding
	whole  bool
	mark   byte     // between cells; 0 where no table is open
	names  []string // of the columns
	cells  []cell
}

// line reads a line, or as many as its quoted cells have, and returns where the next begins.
func (t *tables) line(at int) int {
	if t.mark != 0 {
		end := t.split(at, t.mark, len(t.text), maxColumns)
		switch {
		case t.whole || len(t.cells) == len(t.names):
			for i, c := range t.cells[:min(len(t.cells), len(t.names))] {
				t.cell(c, t.names[i])
			}
			return end
		}
		t.mark = 0 // the table is over, and this line may be the header of another
	}
	stop := lineEnd(t.text, at)
	if head := t.text[at:stop]; len(head) > 8<<10 || strings.TrimSpace(head) == "" || t.whole && strings.HasPrefix(head, "sep=") {
		return past(t.text, stop)
	}
	return t.header(at, stop)
}

func lineEnd(text string, at int) int {
	if i := strings.IndexAny(text[at:], "\r\n"); i >= 0 {
		return at + i
	}
	return len(text)
}

// past is behind a line end.
func past(text string, at int) int {
	if strings.HasPrefix(text[at:], "\r\n") {
		return at + 2
	}
	return min(at+1, len(text))
}

// header opens a table if the line can be one.
func (t *tables) header(at, stop int) int {
	line := t.text[at:stop]
	var mark byte
	most := 0
	for _, m := range []byte("\t;|,") {
		if n := strings.Count(line, string(rune(m))); n > most {
			mark, most = m, n
		}
	}
	if most >= maxColumns || most == 0 && !t.whole {
		return past(t.text, stop)
	}
	if most == 0 {
		mark = '\n' // one column
	}
	reach := stop
	for range headLines - 1 {
		reach = lineEnd(t.text, past(t.text, reach))
	}
	end := t.split(at, mark, reach, maxColumns)
	names, hinting, filled := make([]string, len(t.cells)), 0, 0
	for i, c := range t.cells {
		names[i] = t.text[c.start:c.end]
		if len(names[i]) > 64 {
			names[i] = ""
		}
		if names[i] != "" {
			filled++
		}
		if hints, _ := HintLabel(names[i]); hints != "" || personal[strings.ToLower(names[i])] {
			hinting++
		}
	}
	// Prose has commas, too.
	if hinting == 0 || !t.whole && mark == ',' && 3*hinting < filled {
		return past(t.text, stop)
	}
	if !t.whole && end < len(t.text) {
		if t.split(end, mark, len(t.text), len(names)+1); len(t.cells) != len(names) {
			return past(t.text, stop)
		}
	}
	t.mark, t.names = mark, names
	return end
}

// headLines is how many lines the cells in quotes of a header may make of it: each line may be tried as one.
const headLines = 4

// split makes at most so many cells of the line at, and returns where the next begins. A cell in quotes may hold marks and line
// ends, if it ends before reach.
func (t *tables) split(at int, mark byte, reach, most int) int {
	t.cells = t.cells[:0]
	for {
		from := at
		for from < len(t.text) && (t.text[from] == ' ' || t.text[from] == '\t' && mark != '\t') {
			from++
		}
		next := from
		if from < len(t.text) && t.text[from] == '"' {
			if end := quoted(t.text[:reach], from); end > 0 {
				t.cells = append(t.cells, cell{from + 1, end})
				from, next = -1, end+1
			}
		}
		for next < len(t.text) && t.text[next] != mark && t.text[next] != '\n' && t.text[next] != '\r' {
			next++
		}
		if from >= 0 {
			t.cells = append(t.cells, cell{from, max(from, from+len(strings.TrimRight(t.text[from:next], " \t")))})
		}
		if next >= len(t.text) || t.text[next] != mark || mark == '\n' || len(t.cells) >= most {
			stop := next
			if len(t.cells) >= most {
				stop = lineEnd(t.text, next)
			}
			return past(t.text, stop)
		}
		at = next + 1
	}
}

// maxQuoted bounds a cell in quotes: one that never ends is looked for no further.
const maxQuoted = 1 << 10

// quoted returns where the quotes end that begin at from; 0 if they do not.
func quoted(text string, from int) int {
	for i := from + 1; i < min(len(text), from+maxQuoted); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return i
	}
	return 0
}

// cell adds what the name of a column says about one of its cells.
func (t *tables) cell(c cell, name string) {
	if c.start == c.end || name == "" || t.engine.isStandIn(t.text[c.start:c.end]) {
		return
	}
	if l, ok := Prior(t.text[c.start:c.end], name); ok {
		t.at, t.more = t.engine.cover(t.more, t.found, t.at, t.text, c, l, fromColumn)
	}
}

// isStandIn reports whether a cell is what stands in for a value, such as "[person 3]", which must be put back as it is.
func (e *Engine) isStandIn(cell string) bool {
	if len(cell) < 4 || cell[0] != '[' || cell[len(cell)-1] != ']' {
		return false
	}
	cell = cell[1 : len(cell)-1]
	at := strings.LastIndexByte(cell, ' ')
	if at < 0 || at+1 == len(cell) || len(cell)-at > 7 {
		return false
	}
	for i := at + 1; i < len(cell); i++ {
		if !isAlnum(cell[i]) {
			return false
		}
	}
	return e.standIns[strings.ToLower(cell[:at])]
}

// cover gives a label to a stretch of a text: what was found in it is at least as strict, and what lies between becomes findings.
// Found from at on may reach into it.
func (e *Engine) cover(more, found []Finding, at int, text string, c cell, l flow.Label, by string) (int, []Finding) {
	for at < len(found) && found[at].End <= c.start {
		at++
	}
	all := Finding{Start: c.start, End: c.end, Type: Named, Label: l, Score: namedScore, By: by}
	if !e.keeps(&all, text[c.start:c.end]) {
		return at, more
	}
	if l = all.Label; widen(found[at:], c, l, by) {
		return at, more
	}
	from := c.start
	for i := at; ; i++ {
		end := c.end
		if i < len(found) {
			end = min(end, found[i].Start)
		}
		f := Finding{Type: Named, Label: l, Score: namedScore, By: by}
		if from < end {
			if f = trimmed(f, from, end, text, 0); f.Start < f.End && e.keeps(&f, text[f.Start:f.End]) {
				more = append(more, f)
			}
		}
		if i == len(found) || found[i].Start >= c.end {
			return at, more
		}
		if g := &found[i]; g.Start >= c.start && g.End <= c.end {
			g.Label = e.tax.Stricter(g.Label, l)
		}
		from = max(from, found[i].End)
	}
}

// widen makes one finding of all that was found in a cell, if it is parts of what the cell is as a whole: "Wei" of "Li Wei".
func widen(found []Finding, c cell, l flow.Label, by string) bool {
	n := 0
	for n < len(found) && found[n].Start < c.end {
		f := &found[n]
		if f.Label != l || f.Known != "" || f.Start < c.start || f.End > c.end {
			return false
		}
		n++
	}
	if n == 0 || n == 1 && found[0].Start == c.start && found[0].End == c.end {
		return n == 1
	}
	found[0].Start, found[0].End, found[0].Type, found[0].By = c.start, c.end, Named, by
	found[0].Score = max(found[0].Score, namedScore)
	for i := 1; i < n; i++ {
		found[i].End = found[i].Start
	}
	return true
}
