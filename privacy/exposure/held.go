package exposure

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Bounds of what is known by heart of which subjects and tasks something is held about. Beyond them more is looked up than need be.
const (
	bitsEach  = 12      // for one in two hundred that is looked up in vain
	probes    = 6       //
	leastBits = 1 << 19 // 64 KiB
	mostBits  = 1 << 28 // 32 MiB
	readAhead = 200_000 // rows that opening waits for
	mostRows  = 4 << 20 // rows of which it is still learnt

	recallEvery = time.Hour // at most
)

// known is a Bloom filter of the subjects and tasks of which something is held: of what is not in it nothing is held, as far as this gateway knows. Another
// one that shares the store may have written since; whoever trusts the filter then meets the row at its commit, which is refused, and reads it.
type known struct {
	seed maphash.Seed
	bits []uint64
	mask uint64
	n    uint64 // added, more or less
}

// newKnown returns one for so many rows.
func newKnown(rows int64) *known {
	size := uint64(leastBits)
	for size < mostBits && size < uint64(rows)*2*bitsEach {
		size *= 2
	}
	return &known{seed: maphash.MakeSeed(), bits: make([]uint64, size/64), mask: size - 1}
}

func (k *known) add(key entryKey) {
	at, step := k.start(key)
	fresh := false
	for range probes {
		word, bit := &k.bits[(at&k.mask)/64], uint64(1)<<(at%64)
		fresh = fresh || *word&bit == 0
		*word |= bit
		at += step
	}
	if fresh {
		k.n++
	}
}

// full reports whether too much is in it to tell much.
func (k *known) full() bool { return k.n > (k.mask+1)/bitsEach }

func (k *known) has(key entryKey) bool {
	at, step := k.start(key)
	for range probes {
		if k.bits[(at&k.mask)/64]&(1<<(at%64)) == 0 {
			return false
		}
		at += step
	}
	return true
}

func (k *known) start(key entryKey) (at, step uint64) {
	h := maphash.Comparable(k.seed, key)
	return h, h>>32 | 1
}

// heldBy notes that something is held, or may be. The caller holds m.mu.
func (m *Memory) heldBy(key entryKey) {
	if m.known != nil {
		m.known.add(key)
	}
	if m.next != nil {
		m.next.add(key)
	}
}

// nothing is what is held of whom nothing is. It is not changed.
var nothing = &entry{}

// absent reports whether it is known by heart that nothing is held. The caller holds m.mu.
func (m *Memory) absent(key entryKey) bool { return m.known != nil && !m.known.has(key) }

// again learns anew of whom something is held where that is not known or the filter is full, now and then.
func (m *Memory) again(ctx context.Context, now time.Time) error {
	m.mu.Lock()
	due := (m.known == nil || m.known.full()) && !now.Before(m.recalled.Add(recallEvery))
	if due {
		m.recalled = now
	}
	m.mu.Unlock()
	if !due {
		return nil
	}
	return m.recall(ctx, mostRows)
}

// recall reads of whom something is held. Of more than most rows it learns nothing.
func (m *Memory) recall(ctx context.Context, most int64) error {
	err := m.db.View(ctx, func(tx store.Tx) error {
		var rows int64
		if err := tx.QueryRow("SELECT COUNT(*) FROM exposure_held").Scan(&rows); err != nil || rows > most {
			return err
		}
		next := newKnown(rows)
		m.mu.Lock()
		m.next = next
		m.mu.Unlock()
		return nil
	})
	m.mu.Lock()
	next := m.next
	m.mu.Unlock()
	if err != nil || next == nil {
		return recalled(err)
	}
	// What commits from here on is noted in both, so what this reads may be older.
	var keys []entryKey
	err = m.db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT audience, subject FROM exposure_held")
		if err != nil {
			return err
		}
		for rows.Next() {
			var audience string
			var ref []byte
			if err := rows.Scan(&audience, &ref); err != nil {
				return err
			}
			if len(ref) != len(flow.SubjectRef{}) {
				return errHeld
			}
			if keys = append(keys, entryKey{Audience(audience), flow.SubjectRef(ref)}); len(keys) == 1024 {
				m.noteAll(next, keys)
				keys = keys[:0]
			}
		}
		return rows.Err()
	})
	m.noteAll(next, keys)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = nil
	if err == nil {
		m.known = next
	}
	return recalled(err)
}

func (m *Memory) noteAll(k *known, keys []entryKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		k.add(key)
	}
}

func recalled(err error) error {
	if err != nil {
		return fmt.Errorf("reading of whom something is held: %w", err)
	}
	return nil
}
