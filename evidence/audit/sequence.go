package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

const (
	linger     = 10 * time.Millisecond // after the first new row, so that one sync serves many
	retryAfter = 250 * time.Millisecond
	glance     = time.Second // between looks for rows that nobody told of

	maxBatch      = 4096
	maxBatchBytes = 8 << 20
)

// sequence takes rows to the tree as they come.
func (l *Log) sequence(ctx context.Context) {
	for {
		pause := glance
		err := l.drain(ctx)
		switch {
		case canceled(ctx, err):
			return
		case err != nil:
			pause = retryAfter
		case l.guess.Load().size > l.Sequenced():
			pause = linger // a row is about to be committed, or was rolled back
		}
		l.report(err)
		if err != nil { // new rows do not mend it
			if !sleep(ctx, pause, nil) {
				return
			}
			continue
		}
		if !sleep(ctx, pause, l.wake) || pause == glance && !sleep(ctx, linger, nil) {
			return
		}
	}
}

// sleep waits for a time or a signal, and reports false when the work is to end.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-early:
	case <-t.C:
	}
	return true
}

// drain takes all committed rows to the tree.
func (l *Log) drain(ctx context.Context) error {
	l.driving.Lock()
	defer l.driving.Unlock()
	for {
		end, err := l.end(ctx)
		if err != nil {
			return err
		}
		seq := l.Sequenced()
		switch {
		case end.size < seq:
			return shorter(end.size+1, seq)
		case end.size == seq:
			l.late.Store(0)
			return nil
		}
		if err := l.advanceTree(ctx, end.size); err != nil {
			return err
		}
	}
}

// end reads how many rows are committed, and the trees that they are in if one is new.
func (l *Log) end(ctx context.Context) (h head, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		if h, err = readHead(tx); err != nil {
			return err
		}
		if n := len(l.trees); h.tree != "" && (n == 0 || l.trees[n-1].name != h.tree) {
			l.trees, err = readTrees(tx)
		}
		return err
	})
	if err != nil {
		return head{}, fmt.Errorf("reading the journal's end: %w", err)
	}
	return h, nil
}

// advanceTree takes one batch of rows to their tree. The caller holds driving.
func (l *Log) advanceTree(ctx context.Context, end int64) error {
	next := l.Sequenced() + 1
	at := 0
	for at+1 < len(l.trees) && l.trees[at+1].first <= next {
		at++
	}
	if len(l.trees) == 0 || l.trees[at].first > next {
		return &Tampered{next, "the row is in no tree"}
	}
	if at+1 < len(l.trees) {
		end = min(end, l.trees[at+1].first-1)
	}
	leaves, since, here := l.wait.take(next, min(end, next+maxBatch-1), maxBatchBytes)
	if leaves == nil {
		var err error
		if leaves, err = l.stored(ctx, l.trees[at], next, min(end, here-1, next+walkPage-1)); err != nil {
			return err
		}
		since = time.Now()
	}
	l.late.CompareAndSwap(0, max(int64(since.Sub(l.began)), 1))
	if l.current == nil || l.trees[at].first == next {
		if err := l.turn(ctx, at); err != nil {
			return err
		}
	}
	if err := l.current.Append(leaves); err != nil {
		return fmt.Errorf("taking rows to the log: %w", err)
	}
	seq := next + int64(len(leaves)) - 1
	l.wait.drop(seq)
	l.late.Store(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq = seq
	close(l.grown)
	l.grown = make(chan struct{})
	return nil
}

// stored returns the leaves of rows that no longer wait in memory, if each has the proof that we wrote it.
func (l *Log) stored(ctx context.Context, t treeRow, from, to int64) ([][]byte, error) {
	rows, err := readRows(ctx, l.db, from, to)
	if err != nil {
		return nil, err
	}
	var leaves [][]byte
	for i := range rows {
		r := &rows[i]
		if r.seq != from+int64(i) {
			break
		}
		leaf := r.leaf()
		if len(r.event) == 0 {
			return nil, &Tampered{r.seq, "the row was pruned, yet the log does not have it: its files were removed or set back"}
		}
		if len(leaf) > maxLeaf {
			return nil, fmt.Errorf("entry %d: %w: it is too large for the log", r.seq, ErrEvent)
		}
		if !bytes.Equal(r.proof, l.prove(t.name, t.first, LeafHash(leaf))) {
			return nil, &Tampered{r.seq, "the row is not as this log's key wrote it"}
		}
		leaves = append(leaves, leaf)
	}
	if len(leaves) == 0 {
		return nil, &Tampered{from, "the row is missing"}
	}
	return leaves, nil
}

// turn makes trees[at] the current one and gives it its header if it has none. The caller holds driving.
func (l *Log) turn(ctx context.Context, at int) error {
	t := l.trees[at]
	if l.current != nil && l.isCurrent(at) && l.current.Size() > 0 {
		return nil
	}
	h := Header{Origin: treeOrigin(l.origin, t.name), First: t.first}
	if at > 0 {
		last, err := l.ended(ctx, at-1)
		if err != nil {
			return err
		}
		h.Previous = &Previous{treeOrigin(l.origin, l.trees[at-1].name), string(last.Note)}
	}
	next, err := l.openTree(t.name)
	if err != nil {
		return err
	}
	if next.Size() == 0 {
		leaf, err := h.Leaf()
		if err == nil {
			err = next.Append([][]byte{leaf})
		}
		if err != nil {
			return errors.Join(fmt.Errorf("beginning the log of %s: %w", t.name, err), next.Close())
		}
	}
	if l.current != nil {
		l.previous = append(l.previous, l.current)
	}
	l.current = next
	l.become(at)
	return nil
}

func (l *Log) isCurrent(at int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at == at && at < len(l.known) && l.known[at].name == l.trees[at].name
}

// become makes trees[at] known to readers.
func (l *Log) become(at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.at = append([]treeRow(nil), l.trees[:at+1]...), at
}

// ended publishes the last checkpoint of a tree that gets no more rows.
func (l *Log) ended(ctx context.Context, at int) (tile.Checkpoint, error) {
	name := l.trees[at].name
	if l.current == nil || !l.isCurrent(at) {
		return tile.Checkpoint{}, fmt.Errorf("the log of %s is not there: restore it", name)
	}
	c, err := l.current.Publish(ctx, nil)
	if err != nil {
		return tile.Checkpoint{}, fmt.Errorf("ending the log of %s: %w", name, err)
	}
	return c, l.keep(name, c, true)
}

func (l *Log) openTree(name string) (*tile.Log, error) {
	t, err := tile.Open(l.dir(name), treeOrigin(l.origin, name), l.signer, tile.Options{Clock: l.opt.Clock, Earlier: l.opt.Earlier, Fault: l.opt.fault})
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	return t, nil
}
