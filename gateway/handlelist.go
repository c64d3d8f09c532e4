package gateway

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// KeptHandle is what an operator may know of a handle. Nothing in it redeems, and nothing says whom it is for or about.
type KeptHandle struct {
	Name    string    `json:"name"` // the first sixteen hexadecimal digits of what is kept of its id
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"` // left; -1: until it expires
	Bytes   int64     `json:"bytes"`
	Forms   int       `json:"forms"` // redeemers whose form is kept
}

// ErrHandleName means that a name is neither a reference nor one of [ListHandles].
var ErrHandleName = errors.New("neither a reference nor the name of a handle")

const handleNameBytes = 8

// HandleName returns the name of a handle by its name or by its reference.
func HandleName(s string) (string, error) {
	if id := HandleID(s); id != "" {
		key := keyOfHandle(id)
		return hex.EncodeToString(key[:handleNameBytes]), nil
	}
	if b, err := hex.DecodeString(s); err != nil || len(b) != handleNameBytes {
		return "", ErrHandleName
	}
	return s, nil
}

// ListHandles returns the handles that there are, those that end first before others, and at most as many as asked for.
func ListHandles(tx store.Tx, most int) ([]KeptHandle, error) {
	rows, err := tx.Query("SELECT id, expires, uses, size, (SELECT count(*) FROM gateway_handle_forms WHERE handle = id) FROM gateway_handles ORDER BY expires LIMIT ?", most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []KeptHandle{}
	for rows.Next() {
		var id []byte
		var expires int64
		var h KeptHandle
		if err := rows.Scan(&id, &expires, &h.Uses, &h.Bytes, &h.Forms); err != nil {
			return nil, err
		}
		h.Name, h.Expires = hex.EncodeToString(id[:min(handleNameBytes, len(id))]), time.Unix(expires, 0).UTC()
		all = append(all, h)
	}
	return all, rows.Err()
}

// DropHandles deletes the handle of a name, or, if the name is empty, all there are, and returns how many.
func DropHandles(tx store.Tx, name string) (int, error) {
	if name == "" {
		return dropHandles(tx, "expires > ?", int64(0))
	}
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != handleNameBytes {
		return 0, ErrHandleName
	}
	return dropHandles(tx, "substr(id, 1, ?) = ?", handleNameBytes, b)
}

// HandlesDropped is the event that puts it on record.
func HandlesDropped(s *Snapshot, now time.Time) flow.Event {
	f := flow.Flow{ID: NewFlowID(), From: flow.Party{Domain: s.Domain}, To: flow.Party{Domain: s.Domain}, Protocol: "admin", Method: "handle/drop"}
	return flow.Event{Time: now, Flow: f, Outcome: flow.Changed, Reason: "parts that went by reference are dropped", PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash}
}
