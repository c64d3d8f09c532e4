// Package utility measures how exact the answers of questions are: twenty of them about the Adult data, asked at several ε many times, beside what
// is exactly true. It is measured, where [query.Priced.Explain] says it before.
package utility

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Options say what is measured.
type Options struct {
	Adult    []string  // adult.data and adult.test, as they are published
	Epsilons []float64 // nil: 0.1, 1 and 10
	Delta    float64   // of Gaussian noise and of selected groups; 0: 1e-6
	Noise    string    // laplace, gaussian, or "": the more exact
	Runs     int       // answers of each question at each ε; 0: 200
}

// Result is what was measured of one question at one ε.
type Result struct {
	Question string  `json:"question"`
	Epsilon  float64 `json:"epsilon"`
	Noise    string  `json:"noise"`
	Numbers  int     `json:"numbers"` // in an exact answer
	// RMSE and Mean are of the error, over all numbers of all answers, and Relative is the median of |error|/|truth| over those that are not 0.
	RMSE     float64 `json:"rmse"`
	Mean     float64 `json:"mean_absolute_error"`
	Relative float64 `json:"median_relative_error"`
	// Width is the mean half-width of the intervals, and Held how often they held the exact number.
	Width float64 `json:"mean_half_width"`
	Held  float64 `json:"intervals_held"`
	// Shown is the share of the groups that were in the answer, 1 for public ones; errors are of those.
	Shown float64 `json:"groups_shown"`
}

// Run measures all questions.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if o.Epsilons == nil {
		o.Epsilons = []float64{0.1, 1, 10}
	}
	if o.Delta == 0 {
		o.Delta = 1e-6
	}
	if o.Runs == 0 {
		o.Runs = 200
	}
	people, err := read(o.Adult)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "scrim-utility-")
	if err != nil {
		return nil, fmt.Errorf("making a directory to measure in: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "adult.csv")
	if err := write(path, people); err != nil {
		return nil, err
	}
	engine, err := files.New(files.Options{Tables: map[string]files.Table{"people": {Paths: []string{path}, Format: files.CSV, CSV: csv.Options{Delimiter: ','}}}})
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	defer engine.Close()
	var all []Result
	for _, q := range questions() {
		plan, err := query.Compile(dataset(), query.Question{Dataset: "adult", SQL: q.sql})
		if err != nil {
			return nil, fmt.Errorf("compiling %q: %w", q.sql, err)
		}
		truth := q.truth(people)
		once := &once{engine: engine}
		for _, e := range o.Epsilons {
			r, err := measure(ctx, plan, truth, once, e, o)
			if err != nil {
				return nil, fmt.Errorf("asking %q at an epsilon of %v: %w", q.sql, e, err)
			}
			r.Question = q.sql
			all = append(all, r)
		}
	}
	return all, nil
}

// once computes the sums of a question once: only the noise is drawn anew for each answer.
type once struct {
	engine relation.Engine
	mu     sync.Mutex
	groups []relation.Group
	done   bool
}

func (o *once) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.done {
		err := o.engine.Run(ctx, q, seed, func(g relation.Group) error {
			g.Keys, g.Sums, g.Bins = slices.Clone(g.Keys), slices.Clone(g.Sums), slices.Clone(g.Bins)
			o.groups = append(o.groups, g)
			return nil
		})
		if err != nil {
			return err
		}
		o.done = true
	}
	for _, g := range o.groups {
		if err := yield(g); err != nil {
			return err
		}
	}
	return nil
}

func (o *once) Check(ctx context.Context, s []relation.Scan) error { return o.engine.Check(ctx, s) }
func (o *once) Close() error                                       { return nil }

// measure asks one question many times.
func measure(ctx context.Context, plan *query.Plan, truth map[string][]float64, e relation.Engine, epsilon float64, o Options) (Result, error) {
	pr, err := plan.Price(query.Terms{Epsilon: int64(math.Round(epsilon * 1e9)), Delta: int64(math.Round(o.Delta * 1e15 / 2)), SelectionDelta: int64(math.Round(o.Delta * 1e15 / 2)), Noise: o.Noise})
	if err != nil {
		return Result{}, err
	}
	t := tally{}
	src := noise.NewSource()
	shown := 0
	for range o.Runs {
		a, err := pr.Answer(ctx, e, relation.Seed{}, src)
		if err != nil {
			return Result{}, err
		}
		for _, row := range a.Rows {
			n, err := t.row(a.Columns, row, truth)
			if err != nil {
				return Result{}, err
			}
			shown += n
		}
	}
	r := t.result()
	r.Epsilon, r.Noise = epsilon, pr.Noise()
	for _, numbers := range truth {
		r.Numbers += len(numbers)
	}
	r.Shown = float64(shown) / float64(o.Runs*len(truth))
	return r, nil
}

// tally gathers errors.
type tally struct {
	errors, relative, widths []float64
	held                     int
}

// row compares one row with the truth of its group; a group that is nobody's has zeros.
func (t *tally) row(columns []query.Heading, row []query.Cell, truth map[string][]float64) (groups int, err error) {
	key, numbers := "", []query.Cell(nil)
	for i, c := range row {
		switch {
		case c.Bars != nil:
			for _, b := range c.Bars {
				numbers = append(numbers, query.Cell{Value: &b.Value, Low: b.Low, High: b.High})
			}
		case columns[i].Noisy:
			numbers = append(numbers, c)
		case c.Value != nil:
			key += *c.Value + "|"
		}
	}
	want, known := truth[key]
	if !known {
		want = make([]float64, len(numbers))
	} else {
		groups = 1
	}
	if len(want) != len(numbers) {
		return 0, fmt.Errorf("an answer has %d numbers in a group, want %d", len(numbers), len(want))
	}
	for i, c := range numbers {
		if c.Value == nil {
			continue
		}
		if err := t.number(c, want[i]); err != nil {
			return 0, err
		}
	}
	return groups, nil
}

func (t *tally) number(c query.Cell, want float64) error {
	v, err := strconv.ParseFloat(*c.Value, 64)
	if err != nil {
		return fmt.Errorf("a number of an answer is none")
	}
	t.errors = append(t.errors, v-want)
	if want != 0 {
		t.relative = append(t.relative, math.Abs(v-want)/math.Abs(want))
	}
	lo, err1 := strconv.ParseFloat(c.Low, 64)
	hi, err2 := strconv.ParseFloat(c.High, 64)
	if err1 != nil || err2 != nil {
		return nil // nothing bounds it
	}
	t.widths = append(t.widths, (hi-lo)/2)
	if lo-1e-6 <= want && want <= hi+1e-6 { // the truth is a float64
		t.held++
	}
	return nil
}

func (t *tally) result() Result {
	var r Result
	for _, e := range t.errors {
		r.RMSE += e * e
		r.Mean += math.Abs(e)
	}
	if n := float64(len(t.errors)); n > 0 {
		r.RMSE, r.Mean = math.Sqrt(r.RMSE/n), r.Mean/n
	}
	if slices.Sort(t.relative); len(t.relative) > 0 {
		r.Relative = t.relative[len(t.relative)/2]
	}
	for _, w := range t.widths {
		r.Width += w
	}
	if n := float64(len(t.widths)); n > 0 {
		r.Width, r.Held = r.Width/n, float64(t.held)/n
	}
	return r
}
