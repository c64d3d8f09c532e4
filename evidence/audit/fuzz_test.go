package audit

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

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

const fuzzOrigin = "hospital.example/journal"

func fuzzSigner(f testing.TB) (*noteSigner, ed25519.PublicKey) {
	s, key, err := newNoteSigner(fuzzOrigin, ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		f.Fatal(err)
	}
	return s, key
}

// FuzzCheckpoint: bytes from a stranger are refused, whatever they are, unless the key signed exactly their text.
func FuzzCheckpoint(f *testing.F) {
	signer, key := fuzzSigner(f)
	text := Checkpoint{Origin: fuzzOrigin, Size: 4, Time: at()}.text()
	good, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("\n4\n"), []byte("\n5\n"), 1))
	f.Add([]byte(text))
	f.Add([]byte("\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCheckpoint(b, fuzzOrigin, key)
		if err == nil && c.text() != text {
			t.Fatalf("accepted a checkpoint that was never signed: %s", b)
		}
	})
}

// FuzzCheckpointText: a text that is accepted is the one form of what it says.
func FuzzCheckpointText(f *testing.F) {
	f.Add(Checkpoint{Origin: fuzzOrigin, Size: 4, Time: at()}.text())
	f.Add("a\n0\n" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\ntime 0000-01-01T00:00:00Z\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parseText(text); err == nil && c.text() != text {
			t.Fatalf("%q was read, and written as %q", text, c.text())
		}
	})
}
