package column_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// proposed is the confidence from which a guess counts as one.
const proposed = 50

// harmless are labels of which a guess on a column about things does no harm.
var harmless = []flow.Label{flow.PublicData, "text", flow.FreeText, "business/category", "business/quantity", "business/decision", "technical/record-id"}

// tally counts columns whose best guess is right, wrong, or missing.
type tally struct{ right, wrong, missed int }

func (t tally) precision() float64 { return float64(t.right) / max(1, float64(t.right+t.wrong)) }
func (t tally) recall() float64    { return float64(t.right) / max(1, float64(t.right+t.missed)) }

func (t tally) String() string {
	return fmt.Sprintf("precision %.3f, recall %.3f (%d right, %d wrong, %d missed)", t.precision(), t.recall(), t.right, t.wrong, t.missed)
}

// result is what a measurement found.
type result struct {
	all, personal tally // all labels; those that are not harmless
	labels        map[flow.Label]*tally
	bins          [10]struct{ sure, right, n int } // guesses by confidence
	mistakes      []string
}

func (r *result) label(l flow.Label) *tally {
	if r.labels[l] == nil {
		r.labels[l] = new(tally)
	}
	return r.labels[l]
}

// measure classifies tables and compares the best guesses with the labels.
func measure(tb testing.TB, tables [][]labelled) *result {
	tb.Helper()
	c, err := column.New(column.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	r := &result{labels: map[flow.Label]*tally{}}
	for _, table := range tables {
		cols := make([]column.Column, len(table))
		for i, l := range table {
			cols[i] = l.Column
		}
		for i, guesses := range c.Table(context.Background(), cols) {
			r.count(&table[i], guesses)
		}
	}
	return r
}

func (r *result) count(l *labelled, guesses []column.Guess) {
	var got flow.Label
	if len(guesses) > 0 {
		g := guesses[0]
		right := contains(l.want, g.Label) || l.open() && contains(harmless, g.Label)
		bin := &r.bins[min(int(g.Confidence)/10, 9)]
		bin.n++
		bin.sure += int(g.Confidence)
		if right {
			bin.right++
		}
		if g.Confidence >= proposed {
			got = g.Label
		}
	}
	right := contains(l.want, got)
	switch {
	case right:
		r.all.right++
		r.label(got).right++
	case l.open() && (got == "" || contains(harmless, got)):
		return
	default:
		if got != "" {
			r.all.wrong++
			r.label(got).wrong++
		}
		if !l.open() {
			r.all.missed++
			r.label(l.want[0]).missed++
		}
	}
	if got != "" && !contains(harmless, got) {
		if right {
			r.personal.right++
		} else {
			r.personal.wrong++
		}
	}
	if !right {
		if !l.open() && !contains(harmless, l.want[0]) {
			r.personal.missed++
		}
		r.mistakes = append(r.mistakes, fmt.Sprintf("%s.%s is %s, guessed %v", l.schema, l.Name, l.want, guesses[:min(2, len(guesses))]))
	}
}

func (r *result) report(tb testing.TB, name string) {
	tb.Logf("%s, all labels: %s", name, r.all)
	tb.Logf("%s, labels of persons: %s", name, r.personal)
	for _, l := range slices.Sorted(maps.Keys(r.labels)) {
		tb.Logf("  %-28s %s", l, r.labels[l])
	}
	for i, b := range r.bins {
		if b.n > 0 {
			tb.Logf("  confidence %d to %d: said %.0f %%, right %.0f %% of %d", 10*i, 10*i+9, float64(b.sure)/float64(b.n), 100*float64(b.right)/float64(b.n), b.n)
		}
	}
}

func TestLabelledColumns(t *testing.T) {
	columns := 0
	for _, part := range []struct {
		file              string
		tuned             bool // on its mistakes; of the others nobody is to look at single ones
		precision, recall float64
	}{
		{"dev.txt", true, .97, .95}, {"heldout.txt", false, .95, .9},
		{"public-dev.txt", true, .97, .93}, {"public-dev2.txt", true, .97, .93}, {"public-dev3.txt", true, .97, .93}, {"public-dev4.txt", true, .97, .93},
		{"public-heldout.txt", false, .95, .9}, {"public-heldout2.txt", false, .94, .9},
	} {
		tables := corpus(t, part.file, sampled)
		for _, table := range tables {
			columns += len(table)
		}
		r := measure(t, tables)
		r.report(t, part.file)
		if part.tuned {
			t.Logf("mistakes:\n%s", strings.Join(r.mistakes, "\n"))
		}
		for what, is := range map[string]tally{"all labels": r.all, "labels of persons": r.personal} {
			if is.precision() < part.precision || is.recall() < part.recall {
				t.Errorf("%s, %s: %s, want a precision of %.2f and a recall of %.2f", part.file, what, is, part.precision, part.recall)
			}
		}
		for i, b := range r.bins {
			if b.n >= 30 && b.sure > 100*b.right+8*b.n {
				t.Errorf("%s: guesses of confidence %d to %d are right %d times of %d", part.file, 10*i, 10*i+9, b.right, b.n)
			}
		}
	}
	if columns < 1300 {
		t.Errorf("%d labelled columns, want 1300", columns)
	}
}
