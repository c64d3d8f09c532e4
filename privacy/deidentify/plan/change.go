package plan

import (
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// keepsType reports whether what is written of a column has the source's type. Of a quasi-identifier that is where a global recoding
// lets the values stand, and no star comes between them.
func (r *run) keepsType(col *column) bool {
	if col.quasi < 0 {
		return col.says.Out == deidentify.OutSame
	}
	s := r.r.solution
	return s.Levels != nil && s.Levels[col.quasi] == 0 && r.c.plan.Suppressed != "stars" && len(col.spec.Dates) == 0
}

// changeFields changes a batch where no row depends on another.
func (r *run) changeFields(b *table.Batch) error {
	for i := range b.Rows {
		if err := r.fields(b, i); err != nil {
			return err
		}
	}
	b.Select(r.c.out)
	return nil
}

// fields applies the techniques to one row: to all of it before any cell is replaced, since a column that is changed may say for
// another whom the row is about.
func (r *run) fields(b *table.Batch, i int) error {
	row := b.Row(i)
	var room [16]table.Cell
	changed := room[:0]
	for _, at := range r.c.changed {
		kind, text, err := r.c.cols[at].append(&b.Arena, row, at)
		if err != nil {
			return cellError(r.src.Name(), b.First+int64(i), r.c.cols[at].spec.Name, err)
		}
		changed = append(changed, table.Cell{Kind: kind, Text: text})
	}
	for j, at := range r.c.changed {
		row[at] = changed[j]
	}
	return nil
}

// changeRecoded changes a batch by the solution, and leaves out what is suppressed.
func (r *run) changeRecoded(b *table.Batch) error {
	stars := r.c.plan.Suppressed == "stars"
	if b.Drop == nil && !stars {
		b.Drop = make([]bool, b.Rows)
	}
	b.Plain = true // by line ends, spaces and the order of members rows of one class could be told from each other
	coder := r.r.coder()
	for i := range b.Rows {
		row, number := b.Row(i), b.First+int64(i)
		class, state, err := coder.class(row, number)
		if err != nil {
			return err
		}
		if state == suppressed {
			r.skipped.Add(1)
			if !stars {
				b.Drop[i] = true
				clear(row)
				continue
			}
			for _, at := range r.c.out {
				row[at] = table.Cell{Kind: table.Text, Text: star}
			}
			continue
		}
		r.counts[class].Add(1)
		if err := r.fields(b, i); err != nil {
			return err
		}
		for j, at := range r.r.quasiAt {
			row[at] = r.recode(b, coder, j, at, row[at].Kind)
		}
	}
	b.Select(r.c.out)
	return nil
}

var star = []byte("*")

// recode returns a cell as its class has it. How the source spelled the value within quotes, escapes or a column's type is not kept.
func (r *run) recode(b *table.Batch, c *coder, quasi, at int, kind table.Kind) table.Cell {
	from := len(b.Arena)
	out, ok := r.r.quasi[quasi].Append(b.Arena, c.cells[quasi])
	if !ok {
		return table.Cell{}
	}
	b.Arena = out
	cell := table.Cell{Kind: table.Text, Text: out[from:len(out):len(out)]}
	if typed := r.c.cols[at].source.Type; typed != table.Mixed && typed != table.String && r.keepsType(&r.c.cols[at]) {
		cell.Kind = kind
	}
	return cell
}
