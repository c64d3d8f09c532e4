package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// longestLife is the most time for which anything has to be remembered. What wants more is not taken.
const longestLife = 15 * time.Minute

type takenKey [24]byte

func keyOfProof(p capability.Proof) takenKey {
	h := sha256.New()
	h.Write(p.Holder[:])
	h.Write([]byte(p.ID))
	return takenKey(h.Sum(nil)[:24])
}

// Claim takes a proof that was verified, once. Whoever gets an error must refuse the call: [ErrReplayed] for a proof that
// was taken before, [ErrFull] when no more can be remembered.
//
// Release gives the proof back, for a call that was refused before anything was recorded. After [Ledger.Charge] was
// called for the proof it does nothing: whether the transaction came to be may then be in doubt.
func (l *Ledger) Claim(p capability.Proof) (release func(), err error) {
	if p.ID == "" {
		return nil, &Error{Rule: ErrUnclaimed, Link: Whole, What: "it has no id"}
	}
	return l.proofs.claim(l.opt.Clock(), keyOfProof(p), p.IssuedAt, p.Until)
}

// taken remembers what is taken once. Entries lie in buckets by the second of their issue, which is signed and so the
// same each time; a bucket is forgotten when nothing issued then can still be in force, and from then on nothing that was issued so
// early is taken. So nothing comes twice, even if the clock goes back or what is in force changes.
type taken struct {
	most int // fixed

	mu      sync.Mutex                  // guards the fields below
	buckets map[int64]map[takenKey]bool // true: kept in the store, or about to be
	count   int
	life    int64 // seconds from issue to end: the most that was seen
	looked  int64 // up to which second of issue buckets were dropped last
	floor   int64 // the last second of issue of which anything was forgotten
}

func newTaken(most int) *taken {
	return &taken{most: most, buckets: make(map[int64]map[takenKey]bool)}
}

func (t *taken) claim(now time.Time, key takenKey, issued, until time.Time) (func(), error) {
	at, end := issued.Unix(), until.Unix()
	if until.Nanosecond() > 0 {
		end++
	}
	if at <= 0 || end-at > int64(longestLife/time.Second) || end < at {
		return nil, &Error{Rule: ErrReplayed, Link: Whole, What: "it would have to be remembered for too long"}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life = max(t.life, end-at)
	t.forget(now.Unix())
	if at <= t.floor || end < now.Unix() {
		return nil, &Error{Rule: ErrReplayed, Link: Whole, What: "it is too old"}
	}
	if _, there := t.buckets[at][key]; there {
		return nil, &Error{Rule: ErrReplayed, Link: Whole}
	}
	if t.count >= t.most {
		return nil, &Error{Rule: ErrFull, Link: Whole}
	}
	t.put(at, key, false)
	return sync.OnceFunc(func() { t.release(at, key) }), nil
}

func (t *taken) put(at int64, key takenKey, kept bool) {
	b := t.buckets[at]
	if b == nil {
		b = make(map[takenKey]bool)
		t.buckets[at] = b
	}
	b[key] = kept
	t.count++
}

// forget drops buckets that are too old to be of use. The floor rises only as far as there was something to forget: a clock that
// was ahead for a moment does not lock out what is issued afterwards.
func (t *taken) forget(now int64) {
	last := now - t.life - 1
	if last == t.looked {
		return
	}
	t.looked = last
	for at, b := range t.buckets {
		if at > last {
			continue
		}
		if len(b) > 0 {
			t.floor = max(t.floor, at)
		}
		t.count -= len(b)
		delete(t.buckets, at)
	}
}

func (t *taken) release(at int64, key takenKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kept, there := t.buckets[at][key]; there && !kept {
		delete(t.buckets[at], key)
		t.count--
	}
}

// keep writes an entry that was claimed. It may run again after a transaction that was undone.
func (t *taken) keep(tx store.Tx, key takenKey, at int64) error {
	t.mu.Lock()
	_, there := t.buckets[at][key]
	if there {
		t.buckets[at][key] = true
	}
	t.mu.Unlock()
	if !there {
		return &Error{Rule: ErrUnclaimed, Link: Whole, What: "or that was too long ago"}
	}
	n, err := tx.Exec("INSERT INTO ledger_taken (id) VALUES (?) ON CONFLICT (id) DO NOTHING", rowID(at, key[:]))
	if err != nil {
		return fmt.Errorf("remembering a proof: %w", err)
	}
	if n == 0 {
		return &Error{Rule: ErrReplayed, Link: Whole}
	}
	return nil
}

// rowID is time of issue and key.
func rowID(at int64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(at)), key...)
}

func (t *taken) load(tx store.Tx) error {
	rows, err := tx.Query("SELECT id FROM ledger_taken")
	if err != nil {
		return err
	}
	defer rows.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if len(id) != 8+len(takenKey{}) {
			return errors.New("a row of ledger_taken has not its form")
		}
		t.put(int64(binary.BigEndian.Uint64(id)), takenKey(id[8:]), true)
	}
	return rows.Err()
}

// sweep deletes rows of what memory has forgotten, and writes down that they are.
func (t *taken) sweep(ctx context.Context, db store.DB, now time.Time) error {
	t.mu.Lock()
	if t.life > 0 { // before anything came, nobody knows what is too old
		t.forget(now.Unix())
	}
	floor := t.floor
	t.mu.Unlock()
	if floor == 0 {
		return nil
	}
	last := rowID(floor+1, nil)
	for more := true; more; {
		upto := last
		err := db.Update(ctx, func(tx store.Tx) error {
			err := tx.QueryRow("SELECT id FROM ledger_taken WHERE id < ? ORDER BY id LIMIT 1 OFFSET ?", last, sweepStep).Scan(&upto)
			more = err == nil
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			n, err := tx.Exec("DELETE FROM ledger_taken WHERE id < ?", upto)
			if err != nil || n == 0 {
				return err
			}
			_, err = tx.Exec("UPDATE ledger_state SET forgotten = ? WHERE id = 1 AND forgotten < ?", floor, floor)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
