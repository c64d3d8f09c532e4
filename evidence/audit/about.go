package audit

import (
	"bytes"
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// aboutRows is how many rows one statement writes.
const aboutRows = 16

// writeAbout writes whom a row is about.
func writeAbout(tx store.Tx, seq int64, about []About) error {
	for len(about) > 0 {
		n, query := 1, insertAbout
		if len(about) >= aboutRows {
			n, query = aboutRows, insertAboutMany
		}
		args := make([]any, 0, 3*aboutRows)
		for i := range about[:n] {
			args = append(args, about[i].Subject[:], seq, about[i].Sealed)
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return fmt.Errorf("writing whom entry %d is about: %w", seq, err)
		}
		about = about[n:]
	}
	return nil
}

const insertAbout = "INSERT INTO audit_about (subject, seq, sealed) VALUES (?, ?, ?)"

var insertAboutMany = insertAbout + string(bytes.Repeat([]byte(", (?, ?, ?)"), aboutRows-1))

// Of is one event about a subject.
type Of struct {
	Seq    int64
	Sealed []byte // a [Share], under the subject's own key
}

// EventsOf returns up to limit events about a subject from a sequence number on, in order.
func EventsOf(tx store.Tx, s flow.SubjectRef, from int64, limit int) ([]Of, error) {
	rows, err := tx.Query("SELECT seq, sealed FROM audit_about WHERE subject = ? AND seq >= ? ORDER BY seq LIMIT ?", s[:], from, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for a subject's events: %w", err)
	}
	defer rows.Close()
	var all []Of
	for rows.Next() {
		var o Of
		if err := rows.Scan(&o.Seq, &o.Sealed); err != nil {
			return nil, fmt.Errorf("looking for a subject's events: %w", err)
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

// CountOf returns how many events are about a subject.
func CountOf(tx store.Tx, s flow.SubjectRef) (n int64, err error) {
	err = tx.QueryRow("SELECT count(*) FROM audit_about WHERE subject = ?", s[:]).Scan(&n)
	return n, err
}

// EraseAbout deletes what leads from a subject to the events about it, in the transaction that erases it. The events stay, and so do all proofs of them.
func EraseAbout(tx store.Tx, s flow.SubjectRef) error {
	_, err := tx.Exec("DELETE FROM audit_about WHERE subject = ?", s[:])
	return err
}

// TasksOf adds to a set the tasks of events about a subject from a sequence number on, and returns the number to go on from. Entries that are
// not kept any more name none.
func TasksOf(tx store.Tx, s flow.SubjectRef, from int64, into map[flow.TaskID]bool) (next int64, err error) {
	rows, err := tx.Query("SELECT a.seq, e.event FROM audit_about a JOIN audit_entries e ON e.seq = a.seq WHERE a.subject = ? AND a.seq >= ? AND length(e.event) > 0 ORDER BY a.seq", s[:], from)
	if err != nil {
		return from, fmt.Errorf("looking for a subject's tasks: %w", err)
	}
	defer rows.Close()
	for next = from; rows.Next(); next++ {
		var raw []byte
		if err := rows.Scan(&next, &raw); err != nil {
			return from, fmt.Errorf("looking for a subject's tasks: %w", err)
		}
		ev, err := decodeEvent(raw)
		if err != nil {
			return from, fmt.Errorf("entry %d: %w", next, err)
		}
		if t := ev.Flow.Task.ID; t != "" {
			into[t] = true
		}
	}
	return next, rows.Err()
}
