package gateway

import (
	"context"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Dataset is what configuration says of a dataset that the gateway answers questions about itself. It is immutable.
type Dataset struct {
	Query     *query.Dataset
	Described map[string]string // the dataset of a data contract that describes a table, by the table's name
	Plan      budget.Plan       // the claim
	Blocks    budget.Blocks
	Refresh   bool // each block of time has a budget of its own, and there will be more of them
	Schedule  answers.Schedule
	Pad       time.Duration
	Catalog   [32]byte // of whatever gives a question its meaning
	Costs     Costs
	Tell      bool // askers are told what is left of budgets that others draw on too
	Seed      relation.Seed
	// Engine returns what computes where the data lies, opened at the first call. Its Close leaves it open for others.
	Engine func(context.Context) (relation.Engine, error)
}

// Costs are what a question costs that says nothing, and at most.
type Costs struct {
	Epsilon   int64 // nano; 0: a question has to say it
	Most      int64 // nano
	Delta     int64 // femto, of Gaussian noise
	Selection int64 // femto, of which groups appear
}

// Over returns the blocks that a question about a stretch of time is charged to, and the stretch that they are: the zero times stand for the beginning, and
// for all that has begun. Of a dataset without blocks of time both times are zero, and so is what comes back.
func (d *Dataset) Over(from, until, now time.Time) (r budget.Range, begins, ends time.Time, err error) {
	b := d.Blocks
	if b.Kind != budget.BlocksTime {
		return budget.Range{}, time.Time{}, time.Time{}, nil
	}
	begun, err := b.Range(now, now.Add(1))
	if err != nil {
		return budget.Range{}, time.Time{}, time.Time{}, err
	}
	last := begun.To
	if !d.Refresh {
		last = min(last, b.Count)
	}
	if from.IsZero() {
		from = b.From
	}
	if until.IsZero() || until.After(b.From.Add(time.Duration(last)*b.Width)) {
		until = b.From.Add(time.Duration(last) * b.Width)
	}
	if r, err = b.Range(from, until); err != nil {
		return budget.Range{}, time.Time{}, time.Time{}, err
	}
	r.To = min(r.To, last)
	return r, b.From.Add(time.Duration(r.From) * b.Width), b.From.Add(time.Duration(r.To) * b.Width), nil
}
