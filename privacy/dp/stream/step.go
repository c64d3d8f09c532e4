package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
)

// next takes the step after the last one if it is due, or says how long it is until then. Which step it is, the store says and not the clock:
// one that goes back delays a step, and none is taken again.
func (w *worker) next(ctx context.Context) (time.Duration, error) {
	if w.frozen() { // before anything is charged, and before the source is asked
		return 0, ErrFrozen
	}
	last, err := w.know(ctx)
	if err != nil {
		return 0, err
	}
	step := last + 1
	term, local := w.plan.grid.term(step)
	if wait := w.plan.due(step).Sub(w.p.opt.Clock()); wait > 0 {
		return wait, nil
	}
	if err := w.enter(ctx, term, local); err != nil {
		if now, again := w.know(ctx); errors.Is(err, ErrSetBack) && again == nil && now != last {
			return 0, nil // another process was faster between the two looks
		}
		return 0, err
	}
	if local > total(w.plan.params) {
		return 0, continual.ErrEnded
	}
	values, err := w.values(ctx, step)
	if err != nil {
		return 0, err
	}
	_, err = w.sums.Add(ctx, local, values)
	switch {
	case errors.Is(err, continual.ErrConflict), errors.Is(err, continual.ErrPast), errors.Is(err, continual.ErrGap):
		w.sums = nil // another process took the step meanwhile, perhaps by rows that this one did not see: what that one released stands
	case err != nil:
		w.sums = nil // what is stored says whether the step was taken
		return 0, fmt.Errorf("taking step %d: %w", step, err)
	}
	if last, err = w.know(ctx); err == nil && last < step { // the sums know of a step that nothing was released of
		err = ErrSetBack
	}
	return 0, err
}

// total is how many steps the parameters allow.
func total(p continual.Params) int64 { return int64(p.Horizon) * (1<<max(p.Epochs, 1) - 1) }

// know returns the last step that was released. It makes the stream's row where there is none, and refuses one of another definition.
func (w *worker) know(ctx context.Context) (int64, error) {
	row, err := w.p.row(ctx, w.plan)
	if errors.Is(err, errNoRow) {
		if err := w.p.make(ctx, w.plan); err != nil {
			return 0, err
		}
		row, err = w.p.row(ctx, w.plan)
	}
	if err != nil {
		return 0, err
	}
	w.params = &row.params
	return row.step, nil
}

// enter opens the running sums of a term, which pays for its first epoch, and checks that they stand before the step.
func (w *worker) enter(ctx context.Context, term, local int64) error {
	if w.sums == nil || w.term != term {
		streams, err := continual.Open(w.p.opt.DB, continual.Options{
			Seal: w.p.opt.Seal, Random: w.p.opt.Random,
			Charge:  func(ctx context.Context, c continual.Charge) error { return w.charge(ctx, term, c) },
			Journal: func(tx store.Tx, r continual.Release) error { return w.record(tx, term, r) },
		})
		if err != nil {
			return err
		}
		sums, err := streams.Create(ctx, fmt.Sprintf("%s#%d", w.plan.key(), term), *w.params)
		if err != nil {
			return fmt.Errorf("opening the running sums: %w", err)
		}
		w.sums, w.term = sums, term
	}
	last, err := w.sums.Last(ctx)
	if err != nil {
		w.sums = nil
		return err
	}
	if last.Step != local-1 && last.Step != local { // one more: another process has just taken it
		w.sums = nil
		return ErrSetBack
	}
	return nil
}

// values asks the source about one step.
func (w *worker) values(ctx context.Context, step int64) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, w.p.opt.Limit)
	defer cancel()
	src, err := w.p.opt.Source(ctx, w.plan.Dataset)
	if err != nil {
		return nil, fmt.Errorf("opening the source: %w", err)
	}
	defer src.Engine.Close()
	return w.plan.values(ctx, src, step)
}

// values is what one step adds, without noise: as secret as the data.
func (p *Plan) values(ctx context.Context, src Source, step int64) ([]int64, error) {
	b, err := p.at(step)
	if err != nil {
		return nil, err
	}
	out := make([]int64, p.cells)
	err = src.Engine.Run(ctx, b, src.Seed, func(g relation.Group) error {
		i, ok := p.cell(g.Keys)
		if !ok || len(g.Sums) <= p.sum {
			return errGroup
		}
		out[i] = g.Sums[p.sum]
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("asking about step %d: %w", step, err)
	}
	return out, nil
}

var errGroup = errors.New("a group came back that was not asked for")

// cell is the place of a group among the values of a step.
func (p *Plan) cell(keys []relation.Value) (int, bool) {
	if len(keys) != len(p.Keys) {
		return 0, false
	}
	i := 0
	for k, v := range keys {
		at := -1
		for n, known := range p.Keys[k].Values {
			if known == v {
				at = n
			}
		}
		if at < 0 {
			return 0, false
		}
		i = i*len(p.Keys[k].Values) + at
	}
	return i, true
}

// group is the reverse of cell.
func (p *Plan) group(i int) []relation.Value {
	out := make([]relation.Value, len(p.Keys))
	for k := len(p.Keys) - 1; k >= 0; k-- {
		n := len(p.Keys[k].Values)
		out[k] = p.Keys[k].Values[i%n]
		i /= n
	}
	return out
}

// charge pays for an epoch, from the blocks of its term.
//
// A charge that is reserved and never came to its end stays charged, and that is all that an epoch needs: no program releases one that has
// the key of an epoch. So a process that died between the ledger's answer and the epoch's opening does not pay again.
func (w *worker) charge(ctx context.Context, term int64, c continual.Charge) error {
	cost := c.Cost
	if w.plan.Delta > 0 {
		var err error
		if cost, err = w.params.CostAt(c.Epoch, float64(w.plan.Delta)/1e15); err != nil {
			return err
		}
	}
	asked := budget.Charge{
		Scope: budget.Scope{Dataset: w.plan.Dataset}, Blocks: w.plan.grid.blocks(term), Cost: cost,
		Key: c.Key, Request: w.request(term, c), Label: "stream " + w.plan.Name,
	}
	r, err := w.p.opt.Ledger.Reserve(ctx, asked)
	for try := 0; errors.Is(err, budget.ErrPending) && try < 5; try++ { // another process is at it, or died: what is still there is durable
		time.Sleep(20 * time.Millisecond)
		r, err = w.p.opt.Ledger.Reserve(ctx, asked)
	}
	if errors.Is(err, budget.ErrLost) || errors.Is(err, budget.ErrPending) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, paid := r.Answer(); paid {
		return nil
	}
	if err := r.Begin(); err != nil {
		return err
	}
	return r.Commit(ctx, nil)
}

// record keeps what a step released, and puts it on record, in the transaction that stores the step. Sums go on from where the term before ended.
func (w *worker) record(tx store.Tx, term int64, r continual.Release) error {
	step := r.Step
	if w.plan.grid.per > 0 {
		step += term * w.plan.grid.per
	}
	sums := r.Sums
	if before := step - r.Step; before > 0 {
		base, err := w.p.released(tx, w.plan, before)
		if err != nil {
			return err
		}
		for i := range sums {
			sums[i] = plus(sums[i], base[i])
		}
	}
	if err := w.p.keep(tx, w.plan, step, w.shown(step), sums); err != nil {
		return err
	}
	if w.p.opt.Record == nil {
		return nil
	}
	return w.p.opt.Record(tx, Step{w.plan.Dataset, w.plan.Name, step, w.plan.grid.begin(step), w.plan.grid.begin(step + 1)})
}

// shown is from when on the step is told: a multiple of the padding after it was due, with some time to store it, so that how long the
// source took is not seen: neither for this step nor, where several are made good, for those before it.
func (w *worker) shown(step int64) time.Time {
	now, pad := w.p.opt.Clock(), w.plan.Pad
	if pad <= 0 {
		return now
	}
	due := w.plan.due(step)
	took := max(now.Sub(due), 0) + pad/4
	return due.Add((took + pad - 1) / pad * pad)
}

// plus adds and saturates.
func plus(a, b int64) int64 {
	s := a + b
	switch {
	case a > 0 && b > 0 && s < 0:
		return 1<<63 - 1
	case a < 0 && b < 0 && s >= 0:
		return -1 << 63
	}
	return s
}
