package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	scan "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

const (
	maxEvent  = maxLeaf - maxAround // that is written
	readEvent = 64 << 10            // that is read: version 1 wrote as much
)

func checkOrigin(origin string) error {
	if origin == "" || !utf8.ValidString(origin) || strings.ContainsFunc(origin, notInOrigin) {
		return ErrOrigin
	}
	return nil
}

func notInOrigin(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) }

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
	if len(raw) > readEvent {
		return flow.Event{}, fmt.Errorf("%w: it is too large", ErrEvent)
	}
	if err := json.Unmarshal(raw, &ev); err != nil {
		return flow.Event{}, fmt.Errorf("%w: it is not readable", ErrEvent)
	}
	return ev, nil
}

// flowOf reads the ids that the journal's index holds, and nothing that a newer program may write differently. Bytes that are no
// JSON object are an error.
func flowOf(raw []byte) (id, parent string, err error) {
	d := scan.Borrow()
	defer d.Return()
	if err := d.Parse(raw, nil, scan.Limits{Bytes: readEvent}); err != nil || len(raw) == 0 || raw[0] != '{' {
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
