package audit

import (
	"bytes"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

func at() time.Time { return time.Date(2026, 11, 22, 19, 30, 0, 0, time.UTC) }

// FuzzEvent: what can be read is written again in a form that stays the same from then on.
func FuzzEvent(f *testing.F) {
	for _, ev := range []flow.Event{
		{},
		{
			Flow:    flow.Flow{ID: "f1", Parent: "f0", From: flow.Party{Agent: "a", Roles: []flow.Role{"r"}}, Direction: flow.Response},
			Outcome: flow.Segment, Segment: 3, Cost: flow.Cost{EpsilonNano: 1}, Took: time.Second,
			Levels: []flow.LevelCount{{Label: "person/name", Level: flow.Tokenized, Param: "oneway", Count: 1}},
		},
	} {
		raw, err := encodeEvent(ev, at)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"flow":{"id":"\u0000"}}`))
	f.Add([]byte(`{"time":"0000-01-01T00:00:00+23:59"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ev, err := decodeEvent(raw)
		if err != nil {
			return
		}
		once, err := encodeEvent(ev, at)
		if err != nil {
			return // such as an id with a zero byte
		}
		again, err := decodeEvent(once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		twice, err := encodeEvent(again, at)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("one event has two forms (error %v):\n%s\n%s", err, once, twice)
		}
		id, parent, err := flowOf(once)
		if err != nil || id != string(ev.Flow.ID) || parent != string(ev.Flow.Parent) {
			t.Fatalf("the index reads %q and %q (error %v), the event has %q and %q", id, parent, err, ev.Flow.ID, ev.Flow.Parent)
		}
	})
}
