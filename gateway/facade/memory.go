package facade

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// over answers a query from records that are in memory, as a database would.
func (q *Query) over(all []*record) (rows []Row, more bool) {
	type found struct {
		r  *record
		at []Cell
	}
	var kept []found
	for _, r := range all {
		if !q.admits(r) {
			continue
		}
		f := found{r, q.place(r)}
		if q.After != nil && q.compare(f.at, q.After) <= 0 {
			continue
		}
		kept = append(kept, f)
	}
	slices.SortStableFunc(kept, func(a, b found) int { return q.compare(a.at, b.at) })
	room := q.Bytes
	for _, f := range kept {
		if len(rows) == q.Limit || room <= 0 && len(rows) > 0 {
			return rows, true
		}
		row := Row{At: f.at, Cells: make([]Cell, len(q.Columns))}
		for i, c := range q.Columns {
			row.Cells[i] = f.r.cell(c)
			room -= len(row.Cells[i].Text)
		}
		rows = append(rows, row)
	}
	return rows, false
}

func (q *Query) admits(r *record) bool {
	for i := range q.Where {
		c := &q.Where[i]
		cell := r.cell(c.Column)
		if c.Op == IsNull {
			if cell.Null != (c.Values[0] == "true") {
				return false
			}
			continue
		}
		if cell.Null {
			return false
		}
		ok := false
		for _, v := range c.Values {
			d := ordered(c.Column.Kind, cell.raw, v)
			switch c.Op {
			case Equal, OneOf:
				ok = ok || d == 0
			case Less:
				ok = d < 0
			case AtMost:
				ok = d <= 0
			case Greater:
				ok = d > 0
			case AtLeast:
				ok = d >= 0
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// place is a record's place in the order.
func (q *Query) place(r *record) []Cell {
	at := make([]Cell, len(q.Order))
	for i, o := range q.Order {
		if !o.Scattered {
			at[i] = r.cell(o.Column)
			continue
		}
		h := hmac.New(sha256.New, []byte(q.Secret))
		for _, c := range q.Scatter {
			cell := r.cell(c)
			fmt.Fprintf(h, "%t %d %s", cell.Null, len(cell.raw), cell.raw)
		}
		at[i].raw = hex.EncodeToString(h.Sum(nil)[:16])
	}
	return at
}

func (q *Query) compare(a, b []Cell) int {
	for i, o := range q.Order {
		d := 0
		switch {
		case a[i].Null || b[i].Null:
			if a[i].Null != b[i].Null {
				return cmp.Compare(b2i(a[i].Null), b2i(b[i].Null)) // rows without a value are last either way
			}
		case o.Scattered:
			d = strings.Compare(a[i].raw, b[i].raw)
		default:
			d = ordered(o.Column.Kind, a[i].raw, b[i].raw)
		}
		if o.Descending {
			d = -d
		}
		if d != 0 {
			return d
		}
	}
	return 0
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ordered compares two values of a kind. Both are of it.
func ordered(k Kind, a, b string) int {
	switch k {
	case Integer:
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
	case Number:
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
	case Moment:
		x, errX := time.Parse(time.RFC3339Nano, a)
		y, errY := time.Parse(time.RFC3339Nano, b)
		if errX == nil && errY == nil {
			return x.Compare(y)
		}
	}
	return strings.Compare(a, b)
}
