package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	scan "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// What is hashed begins with what it is, so that no bytes of one kind can pass for another.
const (
	genesisDomain = "scrim journal v1\n"
	entryDomain   = "scrim journal entry v1\n"

	maxEvent = 64 << 10
)

// point is a place in the chain: after size rows it ends in hash.
type point struct {
	size int64
	hash [32]byte
}

// genesis is the point before the first row.
func genesis(origin string) point {
	return point{0, sha256.Sum256([]byte(genesisDomain + origin))}
}

// next returns the point after one more row.
func (p point) next(event, sealed []byte) point {
	var commitment [32]byte // zeros: nothing was sealed
	if len(sealed) > 0 {
		commitment = sha256.Sum256(sealed)
	}
	n := point{size: p.size + 1}
	b := make([]byte, 0, 1024)
	b = append(b, entryDomain...)
	b = binary.BigEndian.AppendUint64(b, uint64(n.size))
	b = append(b, p.hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(event)))
	b = append(b, event...)
	b = append(b, commitment[:]...)
	n.hash = sha256.Sum256(b)
	return n
}

// encodeEvent returns the bytes that are stored and hashed. The same event gives the same bytes.
func encodeEvent(ev flow.Event, now func() time.Time) ([]byte, error) {
	if ev.Time.IsZero() {
		ev.Time = now()
	}
	ev.Time = ev.Time.UTC().Round(0) // no zone of ours, no monotonic clock
	for _, id := range []flow.ID{ev.Flow.ID, ev.Flow.Parent} {
		if !utf8.ValidString(string(id)) || strings.ContainsRune(string(id), 0) {
			return nil, fmt.Errorf("%w: flow id is not text", ErrEvent) // JSON would keep another one than the index
		}
	}
	raw, err := marshalEvent(&ev)
	if err != nil {
		return nil, fmt.Errorf("%w: it has no JSON form", ErrEvent)
	}
	if len(raw) > maxEvent {
		return nil, fmt.Errorf("%w: it takes %d bytes, at most %d are allowed", ErrEvent, len(raw), maxEvent)
	}
	return raw, nil
}

// decodeEvent reads what encodeEvent wrote. Fields that a newer program added are skipped.
func decodeEvent(raw []byte) (flow.Event, error) {
	var ev flow.Event
	if len(raw) > maxEvent {
		return flow.Event{}, fmt.Errorf("%w: it is too large", ErrEvent)
	}
	if err := json.Unmarshal(raw, &ev); err != nil {
		return flow.Event{}, fmt.Errorf("%w: it is not readable", ErrEvent)
	}
	return ev, nil
}

// flowOf reads the ids that the journal's index holds, and nothing that a newer program may write differently.
func flowOf(raw []byte) (id, parent string, err error) {
	d := scan.Borrow()
	defer d.Return()
	if err := d.Parse(raw, nil, scan.Limits{Bytes: maxEvent}); err != nil {
		return "", "", ErrEvent
	}
	f, ok := d.Member(0, "flow")
	if !ok || d.Nodes[f].Kind != scan.Object {
		return "", "", nil
	}
	text := func(name string) string {
		n, ok := d.Member(f, name)
		switch {
		case !ok || d.Nodes[n].Kind == scan.Null:
			return ""
		case d.Nodes[n].Kind != scan.String:
			err = ErrEvent
			return ""
		}
		return d.Text(n)
	}
	id, parent = text("id"), text("parent")
	return id, parent, err
}
