package gateway

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// EraseAbout deletes what leads from a subject to what the gateway keeps, in the transaction that erases it: handles, and whom entries of the journal are
// about. It is for [vault.Options].
func EraseAbout(tx store.Tx, s flow.SubjectRef) error {
	if err := EraseHandles(tx, s); err != nil {
		return err
	}
	return audit.EraseAbout(tx, s)
}

// Erasing is the erasure of one subject, as far as the gateway keeps anything of it. A stored answer, a notification and the memory of a task do not
// know whom they are about, so they go with every subject that an event of their task was about.
type Erasing struct {
	of    flow.SubjectRef
	tasks map[flow.TaskID]bool
	next  int64 // entry of the journal up to which the tasks are known

	// Traces are bytes that no file holds when the erasure is over; see [store.Scrubber]. Also fills them.
	Traces [][]byte
}

// NewErasing begins an erasure: it looks for the subject's tasks before the transaction, which has only those to add that came after.
func NewErasing(ctx context.Context, db store.DB, s flow.SubjectRef) (*Erasing, error) {
	e := &Erasing{of: s, tasks: map[flow.TaskID]bool{}}
	err := db.View(ctx, func(tx store.Tx) (err error) {
		e.next, err = audit.TasksOf(tx, s, 0, e.tasks)
		return err
	})
	return e, err
}

// KeptOf is how much the gateway keeps of a subject.
type KeptOf struct {
	Events        int64 `json:"events"`        // entries of the journal that are about it; they stay, and what leads to them goes
	Tasks         int64 `json:"tasks"`         // that it was mentioned in, whose memory is forgotten
	Handles       int64 `json:"handles"`       // that are about it, or about somebody unknown
	Answers       int64 `json:"answers"`       // stored for retries
	Notifications int64 `json:"notifications"` // on their way
}

// Count counts what goes.
func (e *Erasing) Count(tx store.Tx) (k KeptOf, err error) {
	if k.Events, err = audit.CountOf(tx, e.of); err != nil {
		return k, err
	}
	var unknown flow.SubjectRef
	k.Tasks = int64(len(e.tasks))
	if err := tx.QueryRow("SELECT count(*) FROM gateway_handles WHERE id IN (SELECT handle FROM gateway_handle_subjects WHERE subject IN (?, ?))",
		e.of[:], unknown[:]).Scan(&k.Handles); err != nil {
		return k, err
	}
	for task := range e.tasks {
		for n, table := range map[*int64]string{&k.Answers: "gateway_answers", &k.Notifications: "gateway_notifications"} {
			var more int64
			if err := tx.QueryRow("SELECT count(*) FROM "+table+" WHERE task = ? AND length(sealed) > 0", handleTask(task)).Scan(&more); err != nil {
				return k, err
			}
			*n += more
		}
	}
	return k, nil
}

// Also is what goes along with the subject's keys.
func (e *Erasing) Also() vault.Also { return vault.Also{Tasks: e.erase} }

func (e *Erasing) erase(tx store.Tx) (all []flow.TaskID, err error) {
	if e.next, err = audit.TasksOf(tx, e.of, e.next, e.tasks); err != nil {
		return nil, err
	}
	e.Traces = [][]byte{e.of[:]}
	var unknown flow.SubjectRef
	const handles = "(SELECT handle FROM gateway_handle_subjects WHERE subject IN (?, ?))"
	for _, q := range []string{
		"SELECT head FROM gateway_handles WHERE id IN " + handles, "SELECT content FROM gateway_handles WHERE id IN " + handles,
		"SELECT sealed FROM gateway_handle_forms WHERE handle IN " + handles,
	} {
		if err := e.trace(tx, q, e.of[:], unknown[:]); err != nil {
			return nil, err
		}
	}
	more, err := vault.TracesOf(tx, e.of)
	if err != nil {
		return nil, err
	}
	e.Traces = append(e.Traces, more...)
	// Of rows that were written before rows had a task, anything may be about the subject.
	if err := e.forget(tx, "task IS NULL"); err != nil {
		return nil, err
	}
	for task := range e.tasks {
		all = append(all, task)
		if err := e.forget(tx, "task = ?", handleTask(task)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// forget empties stored answers, whose rows stay so that nothing is carried out twice, and deletes notifications.
func (e *Erasing) forget(tx store.Tx, where string, args ...any) error {
	for _, table := range []string{"gateway_answers", "gateway_notifications"} {
		if err := e.trace(tx, "SELECT sealed FROM "+table+" WHERE "+where, args...); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("UPDATE gateway_answers SET sealed = ? WHERE "+where, append([]any{[]byte{}}, args...)...); err != nil {
		return fmt.Errorf("emptying stored answers: %w", err)
	}
	if _, err := tx.Exec("DELETE FROM gateway_notifications WHERE "+where, args...); err != nil {
		return fmt.Errorf("deleting notifications: %w", err)
	}
	return nil
}

// trace notes the random part of what was sealed, by which a copy is found.
func (e *Erasing) trace(tx store.Tx, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return fmt.Errorf("looking for what is to be erased: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var sealed []byte
		if err := rows.Scan(&sealed); err != nil {
			return fmt.Errorf("looking for what is to be erased: %w", err)
		}
		if len(sealed) > 21 {
			e.Traces = append(e.Traces, sealed[5:21:21]) // of the nonce; see [vault.AEAD.Seal]
		}
	}
	return rows.Err()
}
