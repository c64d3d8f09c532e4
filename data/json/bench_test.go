package json

import (
	"strings"
	"testing"
)

// sendMessage is a request as an A2A client sends it: 1 KB, 20 scalar values.
const sendMessage = `{"jsonrpc":"2.0","id":"7f9c1c52-0e0f-4c55-9a3c-5f2b7a1d9e11","method":"SendMessage","params":{"message":{` +
	`"messageId":"msg-2c8f6f0e-7a0b-4c9e-8f53-1d2b9a4c6e70","contextId":"ctx-91b7c0d2-66f1-4c0a-b0de-3f6a5d1e2c48",` +
	`"taskId":"task-0b9d3c1e-54aa-4f0f-9c77-8e2d6b5a4f30","role":"ROLE_USER","parts":[{"text":"Please check whether the ` +
	`prior authorisation for the lumbar MRI of our patient has been granted, and if it has not, tell us which of the ` +
	`documents you still need. The referral was written on Monday by the treating physician; the last visit was ten ` +
	`days ago and the pain has not eased under the exercises that were agreed on then. We would be glad of an answer before the end of the week."},{"data":{"claim":{"number":` +
	`"PA-2026-0088231","plan":"silver","amount":1240.50,"currency":"EUR","urgent":false},"procedure":"72148",` +
	`"diagnosis":["M54.5","M51.26"]}}],"extensions":["https://scrim.dev/ext/privacy/v1"]},"configuration":{` +
	`"acceptedOutputModes":["text/plain"],"blocking":true,"historyLength":10}}}`

// tableMatcher stands for a schema: a step in a small table for each name.
type tableMatcher map[State]map[string]State

func (t tableMatcher) Root() State                           { return 1 }
func (t tableMatcher) Member(parent State, key []byte) State { return t[parent][string(key)] }
func (t tableMatcher) Element(parent State, index int) State { return parent + 1000 }

var messageMatcher = tableMatcher{
	1:    {"jsonrpc": 2, "id": 3, "method": 4, "params": 5},
	5:    {"message": 6, "configuration": 7},
	6:    {"messageId": 8, "contextId": 9, "taskId": 10, "role": 11, "parts": 12},
	1012: {"text": 13, "data": 14},
}

// lightMatcher costs next to nothing, so that the parser itself is measured.
type lightMatcher struct{}

func (lightMatcher) Root() State                           { return 1 }
func (lightMatcher) Member(parent State, key []byte) State { return parent*31 + State(len(key)) }
func (lightMatcher) Element(parent State, _ int) State     { return parent + 1 }

func benchmark(b *testing.B, src string, m Matcher) {
	in := []byte(src)
	var d Doc
	var e Edits
	var out []byte
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(in, m, Limits{}); err != nil {
			b.Fatal(err)
		}
		e.Reset(&d)
		var err error
		if out, err = e.Apply(out[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSplice(b *testing.B) {
	b.Run("message-1KB", func(b *testing.B) { benchmark(b, sendMessage, lightMatcher{}) })
	b.Run("message-1KB-maps", func(b *testing.B) { benchmark(b, sendMessage, messageMatcher) })
	b.Run("messages-10KB", func(b *testing.B) {
		benchmark(b, "["+strings.Repeat(sendMessage+",", 9)+sendMessage+"]", lightMatcher{})
	})
	b.Run("text-1KB", func(b *testing.B) {
		benchmark(b, `{"text":"`+strings.Repeat("nothing to see here, ", 48)+`"}`, lightMatcher{})
	})
	b.Run("escaped-1KB", func(b *testing.B) {
		benchmark(b, `{"text":"`+strings.Repeat(`line one\nline two\t\u00fc `, 40)+`"}`, lightMatcher{})
	})
	b.Run("greek-1KB", func(b *testing.B) {
		benchmark(b, `{"text":"`+strings.Repeat("ἐν ἀρχῇ ἦν ὁ λόγος ", 30)+`"}`, lightMatcher{})
	})
}

func BenchmarkParseSpliceFindings(b *testing.B) {
	in := []byte(sendMessage)
	var d Doc
	var e Edits
	var out []byte
	if err := d.Parse(in, nil, Limits{}); err != nil {
		b.Fatal(err)
	}
	id, text, number, message := at(b, &d, "/id"), at(b, &d, "/params/message/parts/0/text"),
		at(b, &d, "/params/message/parts/1/data/claim/number"), at(b, &d, "/params/message")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(in, lightMatcher{}, Limits{}); err != nil {
			b.Fatal(err)
		}
		e.Reset(&d)
		e.ReplaceText(id, "req-1")
		e.ReplaceSpans(text, []Span{{7, 12, "[verb]"}, {30, 43, "[noun]"}})
		e.Remove(number)
		e.Append(message, "note", []byte(`{"changed":3}`))
		var err error
		if out, err = e.Apply(out[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

// at returns the node at a JSON Pointer.
func at(tb testing.TB, d *Doc, pointer string) int {
	tb.Helper()
	for n := range d.Nodes {
		if string(d.Pointer(n, nil)) == pointer {
			return n
		}
	}
	tb.Fatalf("no value at %s", pointer)
	return -1
}

func BenchmarkParseManyMembers(b *testing.B) {
	var in []byte
	in = append(in, '{')
	for i := range 10_000 {
		if i > 0 {
			in = append(in, ',')
		}
		in = AppendString(in, "member number "+strings.Repeat("x", i%7)+string(rune('a'+i%26))+string(rune(0x4e00+i)))
		in = append(in, ":1"...)
	}
	benchmark(b, string(append(in, '}')), nil)
}
