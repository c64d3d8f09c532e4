package audit

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/store"
)

const walkPage = 512 // rows read in one view, so that a walk holds up no checkpoint of the database

// Verify walks the journal in db: chain, head, checkpoints and signatures.
//
// It returns a [*Tampered] naming the first row that does not fit; the report then says how far everything did fit. A
// checkpoint given in against that is not signed by the key is an [ErrCheckpoint]. Rows written meanwhile are left out.
// It needs nothing but the public key; to notice a database that was set back as a whole, or a tail cut off together
// with its checkpoints, it needs checkpoints kept elsewhere.
func Verify(ctx context.Context, db store.DB, origin string, key ed25519.PublicKey, against ...Against) (Report, error) {
	keys := []ed25519.PublicKey{key}
	var notes [][]byte
	for _, a := range against {
		keys = append(keys, a.Earlier...)
		notes = append(notes, a.Checkpoints...)
	}
	if err := checkOrigin(origin); err != nil {
		return Report{}, err
	}
	verifiers, err := verifiersOf(origin, keys)
	if err != nil {
		return Report{}, err
	}
	v := &verifier{db: db, origin: origin, verifiers: verifiers}
	if err := v.against(notes); err != nil {
		return Report{}, err
	}
	return v.run(ctx, genesis(origin))
}

// verifier walks rows and compares. It is used once.
type verifier struct {
	db        store.DB
	origin    string
	verifiers note.Verifiers
	archived  []Checkpoint // by size
	report    Report
	at        point // the last row that fits
	end       point // what the head row says
	late      *Tampered
}

// against takes checkpoints kept elsewhere.
func (v *verifier) against(notes [][]byte) error {
	for _, n := range notes {
		c, err := parseCheckpoint(n, v.origin, v.verifiers)
		if err != nil {
			return fmt.Errorf("archived checkpoint: %w", err)
		}
		v.archived = append(v.archived, c)
	}
	slices.SortStableFunc(v.archived, func(a, b Checkpoint) int { return int(min(max(a.Size-b.Size, -1), 1)) })
	return nil
}

// run walks from a point that is known to be good.
func (v *verifier) run(ctx context.Context, from point) (Report, error) {
	v.at = from
	if err := v.ends(ctx); err != nil {
		return Report{}, err
	}
	err := v.walk(ctx)
	if err == nil && v.late != nil {
		err = v.late
	}
	v.report.Entries, v.report.Head = v.at.size, v.at.hash
	if bad, ok := errors.AsType[*Tampered](err); ok {
		if v.late != nil && v.late.Seq < bad.Seq {
			bad, err = v.late, v.late
		}
		v.report.Entries, v.report.Head = min(v.at.size, max(bad.Seq-1, 0)), [32]byte{}
	}
	return v.report, err
}

// ends looks at where everything stops. What is wrong there is told only if nothing before it is.
func (v *verifier) ends(ctx context.Context) error {
	var first, last, newest int64
	err := v.db.View(ctx, func(tx store.Tx) error {
		var err error
		if v.end, err = readHead(tx, v.origin); err != nil {
			return err
		}
		if err := tx.QueryRow("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM audit_entries").Scan(&first, &last); err != nil {
			return err
		}
		return tx.QueryRow("SELECT coalesce(max(size), 0) FROM audit_checkpoints").Scan(&newest)
	})
	if err != nil {
		return fmt.Errorf("reading the journal's head: %w", err)
	}
	if len(v.archived) > 0 {
		if size := v.archived[len(v.archived)-1].Size; size > v.end.size {
			v.suspect(v.end.size+1, setBack(size))
		}
	}
	switch {
	case first < 1:
		v.suspect(first, "a row stands before the first")
	case last > v.end.size:
		v.suspect(v.end.size+1, "there are rows beyond the head")
	case newest > v.end.size:
		v.suspect(v.end.size+1, fmt.Sprintf("the journal ends, yet its checkpoint covers %d entries: it was cut", newest))
	case v.end.size < v.at.size:
		v.suspect(v.end.size+1, fmt.Sprintf("the journal ends, yet %d entries were verified before: it was cut", v.at.size))
	}
	return nil
}

func setBack(size int64) string {
	return fmt.Sprintf("the journal ends, yet an archived checkpoint covers %d entries: the database was set back or cut", size)
}

func (v *verifier) suspect(seq int64, what string) {
	if v.late == nil || seq < v.late.Seq {
		v.late = &Tampered{seq, what}
	}
}

// walk goes page by page up to the head.
func (v *verifier) walk(ctx context.Context) error {
	if err := v.db.View(ctx, v.checkpoints(v.at.size, v.at.size, map[int64][32]byte{v.at.size: v.at.hash})); err != nil {
		return err
	}
	for v.at.size < v.end.size {
		if err := v.db.View(ctx, v.page); err != nil {
			return err
		}
	}
	if v.at != v.end && v.at.size == v.end.size {
		return &Tampered{v.at.size, "the head has another hash"}
	}
	return nil
}

// page verifies the next rows and the checkpoints over them.
func (v *verifier) page(tx store.Tx) error {
	to := min(v.at.size+walkPage, v.end.size)
	from := v.at.size + 1
	hashes := make(map[int64][32]byte, walkPage)
	rowErr := v.rows(tx, to, hashes)
	// Checkpoints over the good rows of the page come first in order.
	if err := v.checkpoints(from, v.at.size, hashes)(tx); err != nil {
		return err
	}
	return rowErr
}

func (v *verifier) rows(tx store.Tx, to int64, hashes map[int64][32]byte) error {
	rows, err := tx.Query("SELECT seq, flow, parent, event, sealed, hash FROM audit_entries WHERE seq > ? AND seq <= ? ORDER BY seq", v.at.size, to)
	if err != nil {
		return fmt.Errorf("reading entries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var id, parent string
		var event, sealed, hash sql.RawBytes
		if err := rows.Scan(&seq, &id, &parent, &event, &sealed, &hash); err != nil {
			return &Tampered{v.at.size + 1, "the row cannot be read"}
		}
		next := v.at.next(event, sealed)
		switch {
		case seq != next.size:
			return &Tampered{next.size, "the row is missing"}
		case string(next.hash[:]) != string(hash):
			return &Tampered{next.size, "the row does not follow from the one before"}
		}
		if inID, inParent, err := flowOf(event); err != nil || inID != id || inParent != parent {
			return &Tampered{next.size, "the index names another flow than the event"}
		}
		v.at = next
		hashes[seq] = next.hash
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading entries: %w", err)
	}
	if v.at.size < to {
		return &Tampered{v.at.size + 1, "the row is missing"}
	}
	return nil
}

// checkpoints compares those whose size lies between from and to, our own and the archived.
func (v *verifier) checkpoints(from, to int64, hashes map[int64][32]byte) func(store.Tx) error {
	return func(tx store.Tx) error {
		for len(v.archived) > 0 && v.archived[0].Size <= to {
			c := v.archived[0]
			if c.Size >= from {
				if c.Hash != hashes[c.Size] {
					return &Tampered{c.Size, "an archived checkpoint has another hash"}
				}
				v.report.Archived++
			}
			v.archived = v.archived[1:]
		}
		rows, err := tx.Query("SELECT size, note FROM audit_checkpoints WHERE size >= ? AND size <= ? ORDER BY size", from, to)
		if err != nil {
			return fmt.Errorf("reading checkpoints: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var size int64
			var signed []byte
			if err := rows.Scan(&size, &signed); err != nil {
				return &Tampered{from, "a checkpoint cannot be read"}
			}
			c, err := parseCheckpoint(signed, v.origin, v.verifiers)
			switch {
			case err != nil:
				return &Tampered{size, fmt.Sprintf("the checkpoint is forged: %v", err)}
			case c.Size != size || c.Hash != hashes[size]:
				return &Tampered{size, "the checkpoint has another size or hash"}
			}
			v.report.Checkpoints++
			v.report.Covered = size
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("reading checkpoints: %w", err)
		}
		return nil
	}
}

// readHead returns the head row, or the genesis of a journal that never had one.
func readHead(tx store.Tx, origin string) (point, error) {
	var p point
	var hash []byte
	err := tx.QueryRow("SELECT size, hash FROM audit_head WHERE id = 1").Scan(&p.size, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return genesis(origin), nil // rows or checkpoints without a head are noticed as beyond it
	}
	if err != nil {
		return point{}, err
	}
	if len(hash) != len(p.hash) {
		return point{}, &Tampered{p.size, "the head is not a hash"}
	}
	p.hash = [32]byte(hash)
	return p, nil
}
