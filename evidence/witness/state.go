package witness

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

const (
	maxOrigins       = 4096 // periods of one log
	maxEquivocations = 100  // of one log that are kept; one is enough
)

// latest is a log as it was cosigned last.
type latest struct {
	size, time int64
	root       []byte
}

func readLatest(tx store.Tx, origin string) (l latest, known bool, err error) {
	err = tx.QueryRow("SELECT size, root, time FROM witness_logs WHERE origin = ?", origin).Scan(&l.size, &l.root, &l.time)
	if errors.Is(err, sql.ErrNoRows) {
		return latest{}, false, nil
	}
	return l, err == nil, err
}

// step takes a checkpoint of a log in, all or nothing, and returns when it is cosigned. If another checkpoint of its size was
// cosigned before, it records that and returns no time.
func (w *Witness) step(tx store.Tx, c tile.Checkpoint, l Log, r Request) (at int64, _ *Equivocation, err error) {
	// A shared store locks the row by the first UPDATE.
	if _, err := tx.Exec("UPDATE witness_logs SET size = size WHERE origin = ?", c.Origin); err != nil {
		return 0, nil, err
	}
	last, known, err := readLatest(tx, c.Origin)
	if err != nil {
		return 0, nil, err
	}
	e, err := w.fork(tx, c)
	if err != nil {
		return 0, nil, err
	}
	if e != nil {
		fresh, err := w.record(tx, *e, c)
		if !fresh {
			e = nil
		}
		return 0, e, err
	}
	if r.Old != last.size {
		return 0, nil, &Conflict{Size: last.size}
	}
	if err := continues(last, c, r.Proof); err != nil {
		return 0, nil, err
	}
	if !known && c.Origin != l.Origin {
		if err := room(tx, l.Origin); err != nil {
			return 0, nil, err
		}
	}
	at = max(w.opt.Clock().Unix(), last.time, 1)
	return at, nil, w.keep(tx, c, at)
}

// continues checks the proof from the latest checkpoint to the next.
func continues(last latest, c tile.Checkpoint, proof tlog.TreeProof) error {
	switch {
	case last.size == 0:
		if len(proof) > 0 {
			return fmt.Errorf("%w: from nothing to something there is none", ErrProof)
		}
		if c.Size == 0 && c.Root != emptyRoot {
			return fmt.Errorf("%w: the root is not that of an empty tree", ErrProof)
		}
		return nil
	case last.size == c.Size:
		if !bytes.Equal(last.root, c.Root[:]) { // fork has seen it already
			return &Conflict{Size: last.size, Fork: true}
		}
		if len(proof) > 0 {
			return fmt.Errorf("%w: to the same size there is none", ErrProof)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, c.Size, c.Root, last.size, tlog.Hash(last.root)); err != nil {
		return ErrProof
	}
	return nil
}

var emptyRoot = tlog.Hash{ // SHA-256 of nothing, RFC 6962 section 2.1
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// fork looks whether another root of that size was cosigned.
func (w *Witness) fork(tx store.Tx, c tile.Checkpoint) (*Equivocation, error) {
	var root, first []byte
	err := tx.QueryRow("SELECT root, note FROM witness_checkpoints WHERE origin = ? AND size = ?", c.Origin, c.Size).Scan(&root, &first)
	if errors.Is(err, sql.ErrNoRows) || err == nil && bytes.Equal(root, c.Root[:]) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Equivocation{Origin: c.Origin, Size: c.Size, Time: w.opt.Clock(), First: first, Second: c.Note}, nil
}

// record keeps an equivocation, unless it is known or there are enough.
func (w *Witness) record(tx store.Tx, e Equivocation, c tile.Checkpoint) (fresh bool, err error) {
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM witness_equivocations WHERE origin = ?", e.Origin).Scan(&n); err != nil {
		return false, err
	}
	if n >= maxEquivocations {
		return false, nil
	}
	added, err := tx.Exec("INSERT INTO witness_equivocations (origin, size, root, time, first, second) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		e.Origin, e.Size, c.Root[:], e.Time.Unix(), e.First, e.Second)
	if err != nil || added == 0 {
		return false, err
	}
	if w.opt.Record != nil {
		return true, w.opt.Record(tx, e)
	}
	return true, nil
}

// room refuses a further period of a log that begins periods without end.
func room(tx store.Tx, name string) error {
	var n int
	err := tx.QueryRow("SELECT count(*) FROM witness_logs WHERE substr(origin, 1, CAST(? AS INTEGER)) = ?", len([]rune(name))+1, name+"/").Scan(&n)
	if err == nil && n >= maxOrigins {
		return ErrBusy
	}
	return err
}

func (w *Witness) keep(tx store.Tx, c tile.Checkpoint, at int64) error {
	if _, err := tx.Exec("INSERT INTO witness_logs (origin, size, root, time) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time", c.Origin, c.Size, c.Root[:], at); err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO witness_checkpoints (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		c.Origin, c.Size, c.Root[:], c.Note); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM witness_checkpoints WHERE origin = ? AND size < (SELECT size FROM witness_checkpoints WHERE origin = ? ORDER BY size DESC LIMIT 1 OFFSET ?)",
		c.Origin, c.Origin, w.opt.Keep-1)
	return err
}

// Status is how far a log was cosigned.
type Status struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"`
	Time   time.Time `json:"time"` // of the latest cosignature
}

// Logs lists what was cosigned, by origin.
func (w *Witness) Logs(ctx context.Context) ([]Status, error) { return Logs(ctx, w.db) }

// Logs lists what was cosigned by the witness that keeps its state in db, by origin.
func Logs(ctx context.Context, db store.DB) (all []Status, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT origin, size, root, time FROM witness_logs ORDER BY origin")
		if err != nil {
			return err
		}
		for rows.Next() {
			var s Status
			var root []byte
			var at int64
			if err := rows.Scan(&s.Origin, &s.Size, &root, &at); err != nil {
				return err
			}
			if len(root) != len(s.Root) {
				return fmt.Errorf("the root of %s is not a hash", s.Origin)
			}
			s.Root, s.Time = tlog.Hash(root), time.Unix(at, 0).UTC()
			all = append(all, s)
		}
		return rows.Err()
	})
	return all, err
}

// Equivocations lists those on record, the oldest first. Each is two notes that anybody who has the log's key can verify.
func Equivocations(ctx context.Context, db store.DB) (all []Equivocation, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT origin, size, time, first, second FROM witness_equivocations ORDER BY time, origin, size")
		if err != nil {
			return err
		}
		for rows.Next() {
			var e Equivocation
			var at int64
			if err := rows.Scan(&e.Origin, &e.Size, &at, &e.First, &e.Second); err != nil {
				return err
			}
			e.Time = time.Unix(at, 0).UTC()
			all = append(all, e)
		}
		return rows.Err()
	})
	return all, err
}

// CountEquivocations counts those on record.
func CountEquivocations(ctx context.Context, db store.DB) (n int, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM witness_equivocations").Scan(&n)
	})
	return n, err
}
