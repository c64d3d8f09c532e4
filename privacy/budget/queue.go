package budget

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/store"
)

// op is one thing to be done in a transaction that many share. Its methods run in the ledger's one goroutine. A transaction may be
// undone and run again, so all but settle keep what they found in the batch or in members that they set anew each time. An error
// of rows or run is the outcome of this op alone.
type op interface {
	key() (k [32]byte, ok bool) // the idempotency key that is to be looked up first
	rows(b *batch) error        // asks for the rows that run changes
	run(b *batch) error         // decides, and writes to the batch
	settle(l *Ledger)           // the transaction is durable
}

// request is an op on its way.
type request struct {
	op    op
	taken atomic.Bool // by the goroutine, which runs it, or by a caller that gives up
	done  chan error  // gets the outcome, once
}

const queueLength = 1024

// do runs an op and returns its outcome. A context that ends before the op was taken skips it.
func (l *Ledger) do(ctx context.Context, o op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{op: o, done: make(chan error, 1)}
	l.closing.RLock()
	if l.closed {
		l.closing.RUnlock()
		return &Error{Rule: ErrClosed}
	}
	select {
	case l.queue <- r:
		l.closing.RUnlock()
	case <-ctx.Done():
		l.closing.RUnlock()
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return ctx.Err() // it never ran
		}
		return <-r.done
	}
}

// run is the ledger's goroutine: it puts whatever waits into one transaction. It ends when the queue is closed and empty.
func (l *Ledger) run() {
	defer close(l.ended)
	tick := time.NewTicker(leaseTick)
	defer tick.Stop()
	group := make([]*request, 0, l.opt.MaxBatch)
	for {
		group = group[:0]
		select {
		case r, open := <-l.queue:
			if !open {
				l.failed = l.endLeases()
				return
			}
			group = l.take(append(group, r))
		case <-tick.C:
		}
		for _, s := range l.overdue() {
			group = append(group, &request{op: &giveBack{slice: s}, done: make(chan error, 1)})
		}
		if len(group) > 0 {
			l.transact(group)
		}
	}
}

// take adds what else is waiting, as many as fit.
func (l *Ledger) take(group []*request) []*request {
	for len(group) < l.opt.MaxBatch {
		select {
		case r, open := <-l.queue:
			if !open {
				return group
			}
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// errRace undoes a transaction in which another process was faster, so that it runs again.
var errRace = errors.New("another process was faster")

// inTheWay reports whether a transaction was undone because of another one, and may run again.
func inTheWay(err error) bool { return errors.Is(err, errRace) || errors.Is(err, store.ErrConflict) }

// tries bounds how often a transaction runs that others were in the way of.
const tries = 20

// transact runs the requests in one transaction and answers them.
func (l *Ledger) transact(group []*request) {
	mine := group[:0]
	for _, r := range group {
		if r.taken.CompareAndSwap(false, true) {
			mine = append(mine, r)
		}
	}
	err := l.settleDoubt()
	var b *batch
	for try := 0; err == nil; try++ {
		b = newBatch(l, mine)
		err = l.db.Update(context.Background(), b.run)
		if err == nil || try == tries || !inTheWay(err) {
			break
		}
		err = nil
		time.Sleep(time.Duration(rand.Int64N(int64(try+1))) * time.Millisecond)
	}
	switch {
	case err == nil:
		l.settle(b)
	case b != nil && len(b.entries) > 0:
		l.doubt = b // it may be durable all the same
		if e := l.settleDoubt(); e == nil && l.seq >= b.last() {
			err = nil
		}
	}
	for i, r := range mine {
		if err == nil {
			r.done <- b.errs[i]
		} else {
			r.done <- err
		}
	}
}

// settle takes over what a durable transaction changed.
func (l *Ledger) settle(b *batch) {
	if n := len(b.entries); n > 0 {
		l.seq, l.hash = b.entries[n-1].Seq, b.entries[n-1].Hash
		l.tip.Store(&Head{l.id, l.seq, l.hash})
	}
	l.adopt(b)
	for i, r := range b.group {
		if b.errs[i] == nil {
			r.op.settle(l)
		}
	}
	for k, t := range b.seen {
		l.seen[k] = t
	}
}

// settleDoubt finds out about a transaction whose end was not confirmed: whether the chain holds its entries. As long as the
// database does not say so, nothing else is charged.
func (l *Ledger) settleDoubt() error {
	if l.doubt == nil {
		return nil
	}
	var seq int64
	var hash []byte
	err := l.db.View(context.Background(), func(tx store.Tx) error {
		return tx.QueryRow("SELECT seq, hash FROM budget_writers WHERE id = ?", l.id).Scan(&seq, &hash)
	})
	if err != nil {
		return err
	}
	b := l.doubt
	switch {
	case seq == l.seq && string(hash) == string(l.hash[:]):
	case seq == b.last() && string(hash) == string(b.hash[:]):
		l.settle(b)
	default:
		return &Error{Rule: ErrChain, What: "another process writes by this one's name"}
	}
	l.doubt = nil
	return nil
}
