package lines

import (
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/data/table"
)

// encoder writes rows. It writes what columns name, and nothing else.
type encoder struct {
	out     []byte
	cells   []table.Cell
	same    *same
	row     int   // counts, so that seen and objects need no clearing
	seen    []int // by column: the row in which the source had it
	objects []int // by object

	column int    // where something is wrong
	why    string // what is, if not empty
}

func absent(c *table.Cell) bool { return c.Kind == table.Null && c.Src == nil }

// spliced writes a row as its line spells it, without what is not written, with cells that were changed.
func (x *encoder) spliced(s *span, members []member, root *place) {
	end := len(s.line)
	for end > 0 && s.line[end-1] != '}' {
		end--
	}
	start := 0
	for s.line[start] != '{' {
		start++
	}
	x.out = append(x.out, s.line[:start]...)
	x.object(s.line, start, end, members, s.from, s.to, root)
	x.out = append(x.out, s.line[end:]...)
}

// object writes line[start:end], an object, of which members[from:to] are known.
func (x *encoder) object(line []byte, start, end int, members []member, from, to int, at *place) {
	x.out = append(x.out, '{')
	empty := true
	seen := 0
	for i := from; i < to; i = int(members[i].next) {
		m := &members[i]
		if m.place.column == within {
			p := x.same.objects[m.place.id]
			if p == nil {
				continue
			}
			x.objects[p.id] = x.row
			seen++
			x.lead(line, m, &empty)
			x.object(line, int(m.start), int(m.end), members, i+1, int(m.next), p)
			continue
		}
		p := x.same.columns[m.place.column]
		if p == nil {
			continue
		}
		x.seen[p.column] = x.row
		seen++
		c := &x.cells[p.column]
		if absent(c) {
			continue
		}
		x.lead(line, m, &empty)
		if c.Src != nil {
			x.out = append(x.out, c.Src...)
		} else {
			x.value(c, p.column)
		}
	}
	if seen < len(at.kids) {
		x.missing(at, &empty)
	}
	x.out = append(x.out, line[back(line, end-1):end]...)
}

// back returns where the white space before line[i] begins.
func back(line []byte, i int) int {
	for i > 0 && (line[i-1] == ' ' || line[i-1] == '\t' || line[i-1] == '\r') {
		i--
	}
	return i
}

// lead writes what stands before a member's value: a comma if need be, white space, the name.
func (x *encoder) lead(line []byte, m *member, empty *bool) {
	from := back(line, int(m.key))
	if !*empty && line[from-1] == ',' {
		from = back(line, from-1)
	} else if !*empty {
		x.out = append(x.out, ',')
	}
	*empty = false
	x.out = append(x.out, line[from:m.start]...)
}

// missing writes members that the source's row does not have, and the cells do.
func (x *encoder) missing(at *place, empty *bool) {
	for _, k := range at.kids {
		switch {
		case k.column == within && x.objects[k.id] == x.row || k.column >= 0 && x.seen[k.column] == x.row:
		case !x.any(k):
		default:
			if !*empty {
				x.out = append(x.out, ',')
			}
			*empty = false
			x.out = append(x.out, k.key...)
			if k.column == within {
				x.made(k)
			} else {
				x.value(&x.cells[k.column], k.column)
			}
		}
	}
}

// any reports whether there is something to write at a place.
func (x *encoder) any(p *place) bool {
	if p.column >= 0 {
		return x.same == nil || !absent(&x.cells[p.column])
	}
	for _, k := range p.kids {
		if x.any(k) {
			return true
		}
	}
	return false
}

// made writes an object of cells alone. Where the source was no JSON, nulls are null and not away.
func (x *encoder) made(at *place) {
	x.out = append(x.out, '{')
	empty := true
	x.missing(at, &empty)
	x.out = append(x.out, '}')
}

// value writes a cell that has no spelling of its own here.
func (x *encoder) value(c *table.Cell, column int) {
	fail := func(why string) {
		if x.why == "" {
			x.column, x.why = column, why
		}
	}
	switch c.Kind {
	case table.Null:
		x.out = append(x.out, "null"...)
	case table.Text:
		if !utf8.Valid(c.Text) {
			fail("is not valid text")
			return
		}
		x.out = appendText(x.out, c.Text)
	case table.Bool:
		if s := string(c.Text); s != "true" && s != "false" {
			fail("is neither true nor false")
		}
		x.out = append(x.out, c.Text...)
	case table.Number, table.Nested:
		d := json.Borrow()
		defer d.Return()
		err := d.Parse(c.Text, nil, json.Limits{Bytes: 1 << 30, Number: 1 << 16})
		if err != nil || (c.Kind == table.Number) != (d.Nodes[0].Kind == json.Number) {
			fail("is not written as JSON writes its kind")
			return
		}
		from := len(x.out)
		x.out = append(x.out, c.Text...)
		for i, b := range x.out[from:] { // between tokens: a row is a line
			if b == '\n' || b == '\r' {
				x.out[from+i] = ' '
			}
		}
	default:
		fail("is of a kind that JSON lines do not have")
	}
}

// appendText writes a JSON string. Text is UTF-8.
func appendText(dst, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return json.AppendString(dst, string(text))
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
