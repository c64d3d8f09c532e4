package exposure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Erase forgets, within the transaction that erases a subject, what every audience holds about it, and what tasks that were about it
// showed of somebody unknown.
func Erase(tx store.Tx, ref flow.SubjectRef) error {
	for _, q := range []string{
		"DELETE FROM exposure_held WHERE EXISTS (SELECT 1 FROM exposure_tasks t WHERE t.subject = ? AND t.task = exposure_held.subject AND t.audience = exposure_held.audience)",
		"DELETE FROM exposure_held WHERE subject = ?",
		"DELETE FROM exposure_tasks WHERE subject = ?",
	} {
		if _, err := tx.Exec(q, ref[:]); err != nil {
			return fmt.Errorf("forgetting a subject's exposure: %w", err)
		}
	}
	return removed(tx)
}

// EraseTask forgets, within the transaction that forgets a task, what it showed of somebody unknown; ref is its [TaskRef].
func EraseTask(tx store.Tx, ref flow.SubjectRef) error {
	for _, q := range []string{"DELETE FROM exposure_held WHERE subject = ?", "DELETE FROM exposure_tasks WHERE task = ?"} {
		if _, err := tx.Exec(q, ref[:]); err != nil {
			return fmt.Errorf("forgetting a task's exposure: %w", err)
		}
	}
	return removed(tx)
}

// Reset forgets what one audience holds, of one subject or, where ref is unknown, of all; audience "" is every audience. It returns of how
// many subjects something was forgotten. It belongs into the transaction that puts it on record.
func Reset(tx store.Tx, a Audience, ref flow.SubjectRef) (int64, error) {
	where, args := "1 = 1", []any{}
	if a != "" {
		where, args = where+" AND audience = ?", append(args, string(a))
	}
	all := where
	agents := slices.Clone(args)
	if ref.Known() {
		where, args = where+" AND subject = ?", append(args, ref[:])
	}
	n, err := tx.Exec("DELETE FROM exposure_held WHERE "+where, args...)
	if err == nil {
		_, err = tx.Exec("DELETE FROM exposure_tasks WHERE "+where, args...)
	}
	if err == nil && !ref.Known() {
		_, err = tx.Exec("DELETE FROM exposure_added WHERE "+all, agents...)
	}
	if err != nil {
		return 0, fmt.Errorf("resetting the exposure memory: %w", err)
	}
	return n, removed(tx)
}

// Sweep deletes what has expired. Nobody relies on it by then, so that whoever is looking need not look again.
func (m *Memory) Sweep(ctx context.Context, now time.Time) error {
	err := m.db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM exposure_tasks WHERE EXISTS (SELECT 1 FROM exposure_held h WHERE h.subject = exposure_tasks.task AND h.audience = exposure_tasks.audience AND h.expires <= ?)", now.Unix())
		if err == nil {
			_, err = tx.Exec("DELETE FROM exposure_held WHERE expires <= ?", now.Unix())
		}
		if err == nil {
			_, err = tx.Exec("DELETE FROM exposure_added WHERE day < ?", now.Unix()/86400-1)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sweeping the exposure memory: %w", err)
	}
	return m.again(ctx, now)
}

// Held is how much one audience holds.
type Held struct {
	Audience Audience `json:"audience"`
	Subjects int64    `json:"subjects"` // tasks that were about somebody unknown included
	Facts    int64    `json:"facts"`
}

// Added is how many facts an agent has added for its audience today.
type Added struct {
	Audience Audience     `json:"audience"`
	Agent    flow.AgentID `json:"agent"`
	Facts    int64        `json:"facts"`
}

// List returns what is held, by audience, and what was added on a day.
func List(tx store.Tx, now time.Time) (held []Held, added []Added, err error) {
	rows, err := tx.Query("SELECT audience, COUNT(*), SUM(facts) FROM exposure_held WHERE expires > ? GROUP BY audience ORDER BY audience", now.Unix())
	if err != nil {
		return nil, nil, fmt.Errorf("listing exposure: %w", err)
	}
	for rows.Next() {
		var h Held
		if err := rows.Scan(&h.Audience, &h.Subjects, &h.Facts); err != nil {
			return nil, nil, fmt.Errorf("listing exposure: %w", err)
		}
		held = append(held, h)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("listing exposure: %w", err)
	}
	rows, err = tx.Query("SELECT audience, agent, facts FROM exposure_added WHERE day = ? ORDER BY audience, agent", now.Unix()/86400)
	if err != nil {
		return nil, nil, fmt.Errorf("listing exposure: %w", err)
	}
	for rows.Next() {
		var a Added
		if err := rows.Scan(&a.Audience, &a.Agent, &a.Facts); err != nil {
			return nil, nil, fmt.Errorf("listing exposure: %w", err)
		}
		added = append(added, a)
	}
	return held, added, rows.Err()
}

// Shown is that an audience was shown values of a label about one subject, at a level.
type Shown struct {
	Audience Audience   `json:"audience"`
	Label    flow.Label `json:"label"`
	Level    flow.Level `json:"level"`
	Param    flow.Param `json:"param,omitempty"`
	Values   int        `json:"values"`
	Sure     bool       `json:"sure"` // it is known that they are about the subject; else a message that was about it had them
}

// About returns what every audience was shown about a subject.
func About(tx store.Tx, ref flow.SubjectRef, now time.Time) ([]Shown, error) {
	rows, err := tx.Query("SELECT audience, held FROM exposure_held WHERE subject = ? AND expires > ? ORDER BY audience", ref[:], now.Unix())
	if err != nil {
		return nil, fmt.Errorf("reading a subject's exposure: %w", err)
	}
	var out []Shown
	for rows.Next() {
		var audience Audience
		var held []byte
		if err := rows.Scan(&audience, &held); err != nil {
			return nil, fmt.Errorf("reading a subject's exposure: %w", err)
		}
		facts, err := decodeHeld(held)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			s := Shown{Audience: audience, Label: f.label, Level: f.shown.Level, Param: f.shown.Param, Sure: f.about, Values: 1}
			i := slices.IndexFunc(out, func(o Shown) bool { o.Values = 1; return o == s })
			if i >= 0 {
				out[i].Values++
			} else {
				out = append(out, s)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Shown) int {
		return cmp.Or(cmp.Compare(a.Audience, b.Audience), cmp.Compare(a.Label, b.Label))
	})
	return out, rows.Err()
}
