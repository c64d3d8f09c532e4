package sql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
)

// rowsOf reads a source whole: a line for each row, kinds before texts.
func rowsOf(t *testing.T, s table.Source, only ...string) ([]table.Column, []string) {
	t.Helper()
	r, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if only != nil {
		if r, err = table.Select(s.Name(), r, only); err != nil {
			t.Fatal(err)
		}
	}
	columns := r.Columns()
	var out []string
	for {
		c, err := r.Next(t.Context())
		if err == io.EOF {
			return columns, out
		}
		if err != nil {
			t.Fatal(err)
		}
		var b table.Batch
		if err := r.Read(t.Context(), c, &b); err != nil {
			t.Fatal(err)
		}
		if b.First != int64(len(out))+1 || b.Rows != c.Rows {
			t.Fatalf("chunk of %d rows from %d read as %d from %d", c.Rows, c.First, b.Rows, b.First)
		}
		for i := range b.Rows {
			var cells []string
			for _, cell := range b.Row(i) {
				cells = append(cells, fmt.Sprintf("%d:%s", cell.Kind, cell.Text))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
}

// write writes rows of a batch in pieces of two, and checkpoints behind each.
func write(ctx context.Context, w table.Writer, b table.Batch) error {
	for i := int(w.Rows()); i < b.Rows; i += 2 {
		n := min(2, b.Rows-i)
		part := table.Batch{First: int64(i) + 1, Rows: n, Width: b.Width, Cells: b.Cells[i*b.Width : (i+n)*b.Width]}
		if b.Drop != nil {
			part.Drop = b.Drop[i : i+n]
		}
		e, err := w.Encode(&part)
		if err != nil {
			return err
		}
		if err := w.Write(ctx, e); err != nil {
			return err
		}
		if err := w.Checkpoint(ctx); err != nil {
			return err
		}
	}
	return nil
}

func text(s string) table.Cell { return table.Cell{Kind: table.Text, Text: []byte(s)} }
func num(s string) table.Cell  { return table.Cell{Kind: table.Number, Text: []byte(s)} }

var letters = []table.Column{{Name: "n", Type: table.Integer, Required: true}, {Name: "say \"x\"", Type: table.String}}

func lettersBatch(rows int) table.Batch {
	b := table.Batch{First: 1, Rows: rows, Width: 2}
	for i := range rows {
		b.Cells = append(b.Cells, num(fmt.Sprint(i+1)), text(fmt.Sprintf("a\t\\%d\n'\r", i)))
	}
	return b
}

func finish(t *testing.T, w table.Writer) string {
	t.Helper()
	digest, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return digest
}

// readsBack writes a row of every type and reads it as want says.
func readsBack(t *testing.T, to table.Target, from func() table.Source, want ...string) {
	t.Helper()
	columns := []table.Column{
		{Name: "i", Type: table.Integer}, {Name: "d", Type: table.Decimal}, {Name: "f", Type: table.Float}, {Name: "b", Type: table.Truth}, {Name: "day", Type: table.Date},
		{Name: "at", Type: table.Timestamp}, {Name: "raw", Type: table.Bytes}, {Name: "s", Type: table.String}, {Name: "m", Type: table.Mixed},
	}
	b := table.Batch{First: 1, Rows: 3, Width: len(columns), Drop: []bool{false, true, false}, Cells: []table.Cell{
		num("1"), num("1.50"), num("1e-07"), {Kind: table.Bool, Text: []byte("false")}, text("2024-02-29"), text("2024-02-29T01:02:03Z"), text("AP9c"), text(`\N`), num("12"),
		num("9"), {}, {}, {}, {}, {}, {}, {}, {},
		{}, {}, {}, {}, {}, {}, {}, {}, {},
	}}
	w, err := to.Create(t.Context(), columns, table.Run{Tag: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), w, b); err != nil {
		t.Fatal(err)
	}
	finish(t, w)
	_, rows := rowsOf(t, from())
	if !slices.Equal(rows, want) {
		t.Errorf("rows are %q", rows)
	}
}

// goesOn holds that a run that ended between two checkpoints goes on, and comes to the same end.
func goesOn(t *testing.T, whole, to table.Target, fromWhole, from func() table.Source) {
	t.Helper()
	b := lettersBatch(9)
	w, err := whole.Create(t.Context(), letters, table.Run{Tag: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), w, b); err != nil {
		t.Fatal(err)
	}
	want := finish(t, w)

	w, err = to.Create(t.Context(), letters, table.Run{Tag: "x"})
	if err != nil {
		t.Fatal(err)
	}
	head := b
	head.Rows = 4
	if err := write(t.Context(), w, head); err != nil {
		t.Fatal(err)
	}
	lost, _ := w.Encode(&table.Batch{First: 5, Rows: 1, Width: 2, Cells: b.Cells[8:10]})
	if err := w.Write(t.Context(), lost); err != nil { // behind the last checkpoint
		t.Fatal(err)
	}
	if _, err := to.Create(t.Context(), letters, table.Run{Tag: "x", Resume: true}); !errors.Is(err, table.ErrExists) {
		t.Errorf("a second run beside the first: error = %v, want ErrExists", err)
	}
	_ = w.Close() // as a crash would
	for name, run := range map[string]table.Run{"no resume": {Tag: "x"}, "another tag": {Tag: "y", Resume: true}} {
		if _, err := to.Create(t.Context(), letters, run); !errors.Is(err, table.ErrExists) && !errors.Is(err, table.ErrPartial) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	if _, err := to.Create(t.Context(), letters[:1], table.Run{Tag: "x", Resume: true}); !errors.Is(err, table.ErrPartial) {
		t.Errorf("other columns: error = %v, want ErrPartial", err)
	}
	w, err = to.Create(t.Context(), letters, table.Run{Tag: "x", Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if w.Rows() != 4 {
		t.Errorf("it goes on behind row %d, want 4", w.Rows())
	}
	if err := write(t.Context(), w, b); err != nil {
		t.Fatal(err)
	}
	if got := finish(t, w); got != want {
		t.Error("the digest of a resumed run is another")
	}
	_, one := rowsOf(t, fromWhole())
	_, two := rowsOf(t, from())
	if !slices.Equal(one, two) || len(one) != 9 {
		t.Errorf("resumed: %q, whole: %q", two, one)
	}
}
