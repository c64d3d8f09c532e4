package stream

import (
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
)

// grid is how time is cut into steps, numbered from 1, and steps into terms: a term is one run of the mechanism, in steps of its own from 1. A
// dataset in blocks of time has a term for each block, which is paid from the block's budget; any other has one term.
type grid struct {
	from  time.Time
	every time.Duration
	first int64 // the block that the first term lies in
	per   int64 // steps of a term; 0: there is one term
}

// begin is when a step begins, which is when the one before it ends.
func (g grid) begin(step int64) time.Time { return g.from.Add(time.Duration(step-1) * g.every) }

// due is when a step is taken.
func (p *Plan) due(step int64) time.Time { return p.grid.begin(step + 1).Add(p.Grace) }

// term returns the term that a step lies in, and its number there.
func (g grid) term(step int64) (term, local int64) {
	if g.per == 0 {
		return 0, step
	}
	return (step - 1) / g.per, (step-1)%g.per + 1
}

// blocks are those that a term is charged to.
func (g grid) blocks(term int64) budget.Range {
	if g.per == 0 {
		return budget.Range{}
	}
	return budget.Range{From: g.first + term, To: g.first + term + 1}
}

// origin is where windows of units begin, and blocks: what the budget says, or 1970.
func origin(b budget.Budget) time.Time {
	if b.Blocks.Kind == budget.BlocksTime {
		return b.Blocks.From
	}
	return time.Unix(0, 0)
}

// newGrid checks that each step lies within one window of a unit and within one block.
func newGrid(b budget.Budget, def Definition) (grid, error) {
	g := grid{from: def.From, every: def.Every}
	switch {
	case def.Every < time.Second || def.Every%time.Second != 0:
		return g, &Error{"every", "is whole seconds, from one on", nil}
	case def.Every > 366*24*time.Hour:
		return g, &Error{"every", "is a year at most", nil}
	case def.From.IsZero() || def.From.Nanosecond() != 0 || def.From.Year() < 1900 || def.From.Year() > 2200:
		return g, &Error{"from", "says when the first step begins, in whole seconds", nil}
	case b.Unit.Window > 0 && b.Unit.Window%def.Every != 0:
		return g, &Error{"every", "divides the window of the dataset's unit, so that a step holds each unit once", nil}
	}
	since := def.From.Sub(origin(b))
	if b.Unit.Window > 0 && since%def.Every != 0 {
		return g, &Error{"from", "lies on a step counted from where windows of units begin (blocks.from, or 1970)", nil}
	}
	if b.Blocks.Kind != budget.BlocksTime {
		if def.Horizon < 1 {
			return g, &Error{"horizon", "says how many steps are paid for at first", nil}
		}
		return g, nil
	}
	switch {
	case since < 0 || since%b.Blocks.Width != 0:
		return g, &Error{"from", "is where a block of the dataset begins", nil}
	case b.Blocks.Width%def.Every != 0: // follows from the window, but a proof should not hang on another package's check
		return g, &Error{"every", "divides the dataset's blocks", nil}
	case def.Horizon != 0 || def.Epochs > 1:
		return g, &Error{"horizon", "is the block where a dataset has blocks of time; leave it and epochs out", nil}
	}
	g.first, g.per = int64(since/b.Blocks.Width), int64(b.Blocks.Width/def.Every)
	return g, nil
}

// participations is in how many steps of an epoch one unit of the budget has a part at most. It does not rest on what the data is like:
//
//   - A unit with a window is a person's rows whose time lies in one window. Steps divide windows and lie on their grid, so a row of the
//     unit lies in one of the window/every steps of that window, which follow one another.
//   - A unit without a window may have rows in every step, and counts in every one.
func (p *Plan) participations(longest int) int {
	if p.Unit.Window > 0 {
		return int(min(int64(p.Unit.Window/p.Every), int64(longest)))
	}
	return longest
}
