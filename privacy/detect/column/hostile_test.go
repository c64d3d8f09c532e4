package column_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

func classifier(tb testing.TB) *column.Classifier {
	tb.Helper()
	c, err := column.New(column.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// sane fails if guesses are not what the documentation promises, or hold a part of a value.
func sane(tb testing.TB, col column.Column, guesses []column.Guess) {
	tb.Helper()
	for i, g := range guesses {
		if !flow.DefaultTaxonomy().Known(g.Label) || g.Confidence > 99 || i > 0 && g.Confidence > guesses[i-1].Confidence {
			tb.Errorf("guess %d of the column is %s with a confidence of %d", i, g.Label, g.Confidence)
		}
		for _, e := range g.Evidence {
			if e.Matched < 0 || e.Matched > e.Of || e.Of > max(1, len(col.Values)) || e.What == "" {
				tb.Errorf("evidence of %s counts %d of %d", g.Label, e.Matched, e.Of)
			}
		}
	}
}

func TestBadColumns(t *testing.T) {
	huge := strings.Repeat("a1 ", 1<<20)
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprint("v", i)
	}
	cols := []column.Column{
		{},
		{Name: "email"},
		{Name: "email", Values: []string{"", "", ""}},
		{Name: "email", Values: []string{"\xff\xfe", "\x00\x00", "@", "@@", "a@b"}},
		{Name: strings.Repeat("nameaddress", 100_000), Values: []string{huge, huge}},
		{Name: strings.Repeat("_", 100_000), Table: strings.Repeat("\xff", 1000), Type: strings.Repeat("date", 1000)},
		{Name: "\xff\xfe", References: "\xff.\xff", Values: []string{"1", "1", "1"}},
		{Name: "name\x00'; DROP TABLE x; --", Values: many},
		{Name: "{{.}}<script>", Values: []string{strings.Repeat("9", 100_000), strings.Repeat("-", 100_000), "1e999", "-", "+", ".", ",", "0x", "T", "Z"}},
		{Name: "x", Values: []string{strings.Repeat("\u0301", 1000), strings.Repeat("😀", 1000), "\u202e1234"}},
		{Name: "dob", Type: "date", Values: []string{"9999-99-99", "0000-00-00", "2024-02-30", "1e5", "-1"}},
		{Name: "constant", Values: []string{"same", "same", "same", "same", "same", "same"}},
		{Name: "n", Nulls: 1 << 62, Rows: -1, Distinct: -5},
	}
	c := classifier(t)
	for i, guesses := range c.Table(context.Background(), cols) {
		sane(t, cols[i], guesses)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if got := c.Classify(done, column.Column{Name: "email", Values: many}); len(got) == 0 || got[0].Label != "person/contact/email" {
		t.Errorf("with a ctx that is done the name alone says %v, want an e-mail address", got)
	}
	if got := c.Table(context.Background(), nil); len(got) != 0 {
		t.Errorf("no columns have %d results", len(got))
	}
}

func TestEvidenceHoldsNoValue(t *testing.T) {
	for _, file := range []string{"dev.txt", "heldout.txt"} {
		for _, table := range corpus(t, file, 60) {
			cols := make([]column.Column, len(table))
			for i, l := range table {
				cols[i] = l.Column
			}
			c := classifier(t)
			for i, guesses := range c.Table(context.Background(), cols) {
				sane(t, cols[i], guesses)
				for _, g := range guesses {
					for _, e := range g.Evidence {
						for _, v := range cols[i].Values {
							if len(v) > 5 && strings.Contains(e.What, v) {
								t.Fatalf("evidence of %s.%s holds a value", table[i].schema, table[i].Name)
							}
						}
					}
				}
			}
		}
	}
}

func TestClassifyIsTheSameEachTime(t *testing.T) {
	c := classifier(t)
	for _, table := range corpus(t, "dev.txt", 40) {
		cols := make([]column.Column, len(table))
		for i, l := range table {
			cols[i] = l.Column
		}
		if a, b := c.Table(context.Background(), cols), c.Table(context.Background(), cols); !reflect.DeepEqual(a, b) {
			t.Fatalf("two looks at %s differ", table[0].schema)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("patients", "geburtsdatum", "date", "1980-01-01", "x")
	f.Add("\xff", "a_b", "", "+49 30 1234567", "anna@example.org")
	f.Add("t", "C2", "numeric", "12,5", "4111111111111111")
	c := classifier(f)
	f.Fuzz(func(t *testing.T, table, name, typ, a, b string) {
		col := column.Column{Table: table, Name: name, Type: typ, References: table, Values: []string{a, b, a, b, a + b}}
		start := time.Now()
		sane(t, col, c.Classify(context.Background(), col))
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("classifying took %v", d)
		}
	})
}
