package files

import (
	"math"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
)

// cells makes columns of the rows of a table's batch.
type cells struct {
	fields []relation.Field
	at     []int  // by field: its place in a row
	float  []bool // by field: the file says it is binary fractions, and has words for what is no number
}

// column reads one field of all rows. It agrees with [relation.Field.Read].
func (c *cells) column(w *worker, b *table.Batch, i int) vec {
	f, at, width := &c.fields[i], c.at[i], b.Width
	out := vec{v: w.ints.get(b.Rows)}
	for row := range b.Rows {
		cell := &b.Cells[row*width+at]
		v, ok := int64(0), false
		switch {
		case cell.Kind == table.Null || cell.Kind == table.Nested:
		case f.Type.Kind == relation.Number && cell.Kind != table.Bool:
			if v, ok = plainNumber(cell.Text, f); !ok {
				v, ok = c.slow(f, cell, c.float[i])
			}
		case f.Type.Kind == relation.Text:
			if ok = utf8.Valid(cell.Text); ok {
				v = w.texts.number(cell.Text)
			}
		default:
			v, ok = c.slow(f, cell, false)
		}
		out.v[row] = v
		if !ok {
			if out.null == nil {
				out.null = w.falses(b.Rows)
			}
			out.null[row] = true
		}
	}
	return out
}

// slow reads any cell.
func (c *cells) slow(f *relation.Field, cell *table.Cell, float bool) (int64, bool) {
	var from any = string(cell.Text)
	switch {
	case cell.Kind == table.Bool && f.Type.Kind == relation.Number:
		return 0, false
	case float && cell.Kind == table.Text:
		switch string(cell.Text) {
		case "Infinity":
			from = math.Inf(1)
		case "-Infinity":
			from = math.Inf(-1)
		}
	}
	v := f.Read(from)
	if v.Null {
		return 0, false
	}
	return v.Int, true
}

// plainNumber reads what most numbers look like: a sign, up to 17 digits, and a fraction of no more places than the type has.
func plainNumber(b []byte, f *relation.Field) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	v, digits, places := int64(0), 0, -1
	for _, ch := range b {
		switch {
		case ch >= '0' && ch <= '9':
			v = 10*v + int64(ch-'0')
			digits++
			if places >= 0 {
				places++
			}
		case ch == '.' && places < 0:
			places = 0
		default:
			return 0, false
		}
	}
	places = max(places, 0)
	if digits == 0 || places > f.Type.Places || digits-places+f.Type.Places > 18 {
		return 0, false
	}
	for ; places < f.Type.Places; places++ {
		v *= 10
	}
	if negative {
		v = -v
	}
	if v < f.Type.Min || v > f.Type.Max {
		if f.Exact {
			return 0, false
		}
		v = min(max(v, f.Type.Min), f.Type.Max)
	}
	return v, true
}
