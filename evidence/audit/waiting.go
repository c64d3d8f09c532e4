package audit

import (
	"sync"
	"time"
)

// maxWaiting is how many bytes of leaves wait in memory; beyond that they are read from the database again.
const maxWaiting = 64 << 20

// waiting holds the leaves that were appended and are not in the tree yet. A transaction that was rolled back leaves some that never will be:
// whoever writes the row of that number puts another in its place.
type waiting struct {
	mu     sync.Mutex
	first  int64 // number of leaves[0]
	leaves []waiter
	bytes  int
}

type waiter struct {
	leaf []byte
	at   time.Time
}

func (w *waiting) put(seq int64, leaf []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := seq - w.first
	if i < 0 || i > int64(len(w.leaves)) || w.bytes > maxWaiting {
		w.first, w.leaves, w.bytes, i = seq, nil, 0, 0
	}
	for _, old := range w.leaves[i:] { // of transactions that are gone
		w.bytes -= len(old.leaf)
	}
	w.leaves = append(w.leaves[:i], waiter{leaf, time.Now()})
	w.bytes += len(leaf)
}

// take returns the leaves of rows from one number to another, as far as they are here and make no more than so many bytes, and when the first was appended.
// If the first is not here it returns none, and the number of the first that is.
func (w *waiting) take(from, to int64, most int) (leaves [][]byte, since time.Time, here int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := from - w.first
	if i < 0 || i >= int64(len(w.leaves)) {
		if i >= 0 || len(w.leaves) == 0 {
			return nil, time.Time{}, to + 1
		}
		return nil, time.Time{}, w.first
	}
	size := 0
	for _, x := range w.leaves[i:min(to-w.first+1, int64(len(w.leaves)))] {
		if size += len(x.leaf); size > most && leaves != nil {
			break
		}
		leaves = append(leaves, x.leaf)
	}
	return leaves, w.leaves[i].at, from
}

// drop forgets rows up to a number.
func (w *waiting) drop(to int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(max(to-w.first+1, 0), int64(len(w.leaves)))
	for i := range w.leaves[:n] {
		w.bytes -= len(w.leaves[i].leaf)
		w.leaves[i] = waiter{}
	}
	w.first, w.leaves = w.first+n, w.leaves[n:]
}

// since is when a row was appended; false: it is not here.
func (w *waiting) since(seq int64) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := seq - w.first; i >= 0 && i < int64(len(w.leaves)) {
		return w.leaves[i].at, true
	}
	return time.Time{}, false
}
