package show

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/patients"
	"github.com/scrimhq/scrim/privacy/budget"
)

// The stream that the hospital publishes.
const (
	visitsData = "visits"
	admissions = "admissions"
)

// published is a stream as the lab read it, before the hospital's gateway ended and after it was started again.
type published struct {
	SQL           string
	Points        []point
	After         []point
	Spent, Budget int64 // nano-ε
}

type point struct {
	Until time.Time
	Rows  []struct{ Admissions, Low, High int64 }
}

// streamed has the lab read a stream, restarts the gateway that publishes it, and reads it again.
func (s *system) streamed(ctx context.Context, f *facts) error {
	p := &f.published
	first, err := s.released(ctx)
	if err != nil {
		return err
	}
	p.SQL, p.Points = first.SQL, first.Points
	spent, err := s.spent(ctx)
	if err != nil {
		return err
	}
	if err := s.restart(demo.Hospital); err != nil {
		return err
	}
	again, err := s.released(ctx)
	if err != nil {
		return err
	}
	p.After = again.Points
	st, err := s.spent(ctx)
	if err != nil {
		return err
	}
	p.Spent, p.Budget = st.Spent.Epsilon, st.Plan.Epsilon
	if !slices.EqualFunc(p.Points, p.After, func(a, b point) bool { return a.Until.Equal(b.Until) && slices.Equal(a.Rows, b.Rows) }) {
		return errors.New("a stream told something else after a restart")
	}
	if spent.Spent != st.Spent {
		return errors.New("a stream was paid for again after a restart")
	}
	return nil
}

// released reads three days of the stream; at first it waits until they were published.
func (s *system) released(ctx context.Context) (published, error) {
	asked := map[string]any{"dataset": visitsData, "stream": admissions, "until": patients.Today.Time(), "points": 3}
	for wait := time.Duration(0); ; wait += 50 * time.Millisecond {
		got, err := node.CallTool[published](ctx, s.questions(), "read_stream", asked)
		switch last := len(got.Points) - 1; {
		case err == nil && last >= 0 && got.Points[last].Until.Equal(patients.Today.Time()):
			return got, nil
		case wait > 20*time.Second:
			return got, fmt.Errorf("reading a stream: %w", errors.Join(err, errors.New("it is late")))
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}

// spent is what the stream's dataset has spent.
func (s *system) spent(ctx context.Context) (budget.Standing, error) {
	all, err := s.gateways[demo.Hospital].Budgets.Ledger.Remaining(ctx, budget.Scope{Dataset: visitsData}, budget.Range{})
	if err != nil || len(all) == 0 {
		return budget.Standing{}, fmt.Errorf("reading the ledger: %w", errors.Join(err, errors.New("nothing is known of the dataset")))
	}
	return all[0], nil
}

func (p *printer) published(s published) {
	p.line("")
	p.para(3, "published", bold, words(plain, s.SQL+", day by day"))
	rows := make([][]cell, 0, len(s.Points))
	for i, at := range s.Points {
		row := []cell{{at.Until.Format(time.DateOnly), faint}}
		for _, r := range []struct{ Admissions, Low, High int64 }{at.Rows[0], s.After[i].Rows[0]} {
			row = append(row, cell{fmt.Sprintf("%d (%d to %d)", r.Admissions, r.Low, r.High), plain})
		}
		rows = append(rows, row)
	}
	p.table(6, []string{"until", "admissions", "after a restart"}, rows)
	p.para(3, "cost", faint, words(plain, fmt.Sprintf("ε %s, for 128 days and whoever reads them; the hospital's gateway ended in between and drew nothing anew", flow.Decimal(s.Spent, 9))))
}
