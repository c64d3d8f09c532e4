package audit

import (
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Subject is one of those whom an entry is about.
type Subject struct {
	Subject flow.SubjectRef
	Sealed  []byte // a [Share], under the subject's own key
}

// SubjectsOf returns whom the entries from one sequence number to another, both included, are about. Who was erased is not among them.
func SubjectsOf(tx store.Tx, from, to int64) (map[int64][]Subject, error) {
	rows, err := tx.Query("SELECT seq, subject, sealed FROM audit_about WHERE seq >= ? AND seq <= ?", from, to)
	if err != nil {
		return nil, fmt.Errorf("looking for whom entries are about: %w", err)
	}
	defer rows.Close()
	all := map[int64][]Subject{}
	for rows.Next() {
		var seq int64
		var ref []byte
		var s Subject
		if err := rows.Scan(&seq, &ref, &s.Sealed); err != nil {
			return nil, fmt.Errorf("looking for whom entries are about: %w", err)
		}
		if len(ref) != len(s.Subject) {
			return nil, fmt.Errorf("entry %d is about a subject without a reference", seq)
		}
		s.Subject = flow.SubjectRef(ref)
		all[seq] = append(all[seq], s)
	}
	return all, rows.Err()
}
