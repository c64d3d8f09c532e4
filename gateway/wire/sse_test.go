package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// event is what a test compares: the fields, copied.
type event struct {
	data, id, name string
	hasData, hasID bool
	incomplete     bool
}

// readAll reads every event and checks that no byte is lost.
func readAll(t testing.TB, r io.Reader, want string, lim EventLimits) ([]event, error) {
	t.Helper()
	er := NewEventReader(r, lim)
	var events []event
	var raw []byte
	for {
		e, err := er.Next()
		if err != nil {
			if errors.Is(err, io.EOF) && string(raw) != want {
				t.Fatalf("raw bytes of all events = %q, want %q", raw, want)
			}
			if _, again := er.Next(); again == nil {
				t.Fatal("an event after an error")
			}
			return events, err
		}
		raw = append(raw, e.Raw...)
		if !bytes.Equal(e.Append(nil, e.Data), e.Raw) {
			t.Fatalf("Append of an event's own data is not the event")
		}
		if e.HasData || e.HasID || len(e.Name) > 0 || e.Incomplete {
			events = append(events, event{string(e.Data), string(e.ID), string(e.Name), e.HasData, e.HasID, e.Incomplete})
		}
	}
}

func TestEventReader(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         []event
	}{
		{"one event", "data: hello\n\n", []event{{data: "hello", hasData: true}}},
		{"no space", "data:hello\n\n", []event{{data: "hello", hasData: true}}},
		{"two spaces", "data:  hello\n\n", []event{{data: " hello", hasData: true}}},
		{"many lines", "data: a\ndata\ndata: c\n\n", []event{{data: "a\n\nc", hasData: true}}},
		{"all fields", "event: message\nid: 7_0\nretry: 3\n: hi\ndata: x\n\n", []event{{data: "x", id: "7_0", name: "message", hasData: true, hasID: true}}},
		{"an empty priming event", "id: 1\ndata:\n\ndata: x\n\n", []event{{id: "1", hasID: true, hasData: true}, {data: "x", hasData: true}}},
		{"CR", "data: a\rdata: b\r\rdata: c\r\r", []event{{data: "a\nb", hasData: true}, {data: "c", hasData: true}}},
		{"CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", []event{{data: "a\nb", hasData: true}, {data: "c", hasData: true}}},
		{"a byte order mark", "\xEF\xBB\xBFdata: a\n\n", []event{{data: "a", hasData: true}}},
		{"a mark that is not one", "\xEF\xBBdata: a\n\ndata: b\n\n", []event{{data: "b", hasData: true}}},
		{"heartbeats", ":\n\n: ping\n\n\n\ndata: a\n\n", []event{{data: "a", hasData: true}}},
		{"no end", "data: a\n\ndata: b", []event{{data: "a", hasData: true}, {data: "b", hasData: true, incomplete: true}}},
		{"half an end", "data: b\n", []event{{data: "b", hasData: true, incomplete: true}}},
		{"an id with a zero byte", "id: a\x00b\ndata: x\n\n", []event{{data: "x", hasData: true}}},
		{"nothing", "", nil},
		{"half a mark", "\xEF", []event{{incomplete: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"whole":        strings.NewReader(c.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)),
				"data and end": iotest.DataErrReader(strings.NewReader(c.stream)),
			} {
				got, err := readAll(t, r, c.stream, EventLimits{})
				if !errors.Is(err, io.EOF) {
					t.Fatalf("%s: error = %v, want io.EOF", how, err)
				}
				if strings.HasSuffix(c.stream, "\r\n") {
					got = trimmed(got)
				}
				if len(got) != len(c.want) {
					t.Fatalf("%s: events = %+v, want %+v", how, got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("%s: event %d = %+v, want %+v", how, i, got[i], c.want[i])
					}
				}
			}
		})
	}
}

// An event must not wait for a byte of the next one: an agent may pause for minutes.
func TestEventReaderDoesNotWait(t *testing.T) {
	for _, stream := range []string{"data: a\n\n", "data: a\r\r", "data: a\r\n\r\n"} {
		pr, pw := io.Pipe()
		go func() { _, _ = pw.Write([]byte(stream)) }() // and no end
		e, err := NewEventReader(pr, EventLimits{}).Next()
		if err != nil || string(e.Data) != "a" {
			t.Errorf("Next() = %q, %v", e.Data, err)
		}
		_ = pr.Close()
	}
}

func TestEventReaderLimits(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		lim    EventLimits
		want   error
	}{
		"a long line":                    {"data: " + strings.Repeat("x", 100) + "\n\n", EventLimits{Line: 50}, ErrLineTooLong},
		"a line without end":             {strings.Repeat("x", 100_000), EventLimits{Line: 50}, ErrLineTooLong},
		"an event of many lines":         {strings.Repeat("data: x\n", 100_000), EventLimits{Event: 1000}, ErrEventTooBig},
		"the reader's own error":         {"", EventLimits{}, iotest.ErrTimeout},
		"an event that is just in limit": {"data: xy\n\n", EventLimits{Line: 8, Event: 10}, io.EOF},
	} {
		r := io.Reader(strings.NewReader(c.stream))
		if errors.Is(c.want, iotest.ErrTimeout) {
			r = iotest.ErrReader(iotest.ErrTimeout)
		}
		if _, err := readAll(t, r, c.stream, c.lim); !errors.Is(err, c.want) {
			t.Errorf("%s: error = %v, want %v", name, err, c.want)
		}
	}
}

func TestEventAppend(t *testing.T) {
	for _, c := range []struct{ name, raw, data, want, plain string }{
		{"other fields stay", "id: 1\ndata: a\nevent: message\n: c\n\n", "b", "id: 1\ndata: b\nevent: message\n: c\n\n", "id: 1\ndata: b\nevent: message\n:\n\n"},
		{"many lines become one", "data: a\ndata: b\n\n", "x", "data: x\n\n", "data: x\n\n"},
		{"one line becomes many", "data:a\r\n\r\n", "x\ny", "data:x\r\ndata:y\r\n\r\n", "data:x\r\ndata:y\r\n\r\n"},
		{"an event without data", "id: 1\n\n", "x", "id: 1\ndata: x\n\n", "id: 1\ndata: x\n\n"},
		{"a CR before an LF", "data: a\rdata: b\n\n", "x", "data: x\r\n\n", "data: x\r\n\n"},
		{"the same data", "data: a\n:Alice\nfoo: bar\n\n", "a", "data: a\n:Alice\nfoo: bar\n\n", "data: a\n:\n\n"},
		{"a heartbeat", ": ping\n\n", "", ": ping\n\n", ": ping\n\n"},
		{"fields that could carry text", "id: a b\nevent: Alice\nretry: soon\nretry: 10\nfoo\ndata: x\n\n", "y", "id: a b\nevent: Alice\nretry: soon\nretry: 10\nfoo\ndata: y\n\n", "retry: 10\ndata: y\n\n"},
		{"a mark", "\xEF\xBB\xBFdata: a\n\n", "b", "\xEF\xBB\xBFdata: b\n\n", "\xEF\xBB\xBFdata: b\n\n"},
	} {
		e, err := NewEventReader(strings.NewReader(c.raw), EventLimits{}).Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Append(nil, []byte(c.data)); string(got) != c.want {
			t.Errorf("%s: Append = %q, want %q", c.name, got, c.want)
		}
		if got := e.AppendPlain(nil, []byte(c.data)); string(got) != c.plain {
			t.Errorf("%s: AppendPlain = %q, want %q", c.name, got, c.plain)
		}
	}
	if got := string(AppendEvent(nil, "1\n2", "message", []byte("a\nb"))); got != "event: message\nid: 12\ndata: a\ndata: b\n\n" {
		t.Errorf("AppendEvent = %q", got)
	}
}

// However a stream is cut, it holds the same events, no byte is lost, and an event with other data reads back as that
// data with the same id and name.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("\xEF\xBB\xBFdata: a\r\ndata: b\r\n\r\nid: 1\ndata\n\n: c\r\rdata: d"), 3, []byte("new\ndata"))
	f.Add([]byte("data: a\rdata: b\n\nevent: x\rid: 1\rdata: b\n\n"), 1, []byte("x"))
	f.Add([]byte("\n\n\r\r\n\r\n"), 2, []byte(""))
	f.Fuzz(func(t *testing.T, stream []byte, size int, data []byte) {
		size = 1 + max(size, -size)%64
		whole, err1 := readAll(t, bytes.NewReader(stream), string(stream), EventLimits{})
		cut, err2 := readAll(t, &chunks{stream, size}, string(stream), EventLimits{})
		if !errors.Is(err1, io.EOF) || !errors.Is(err2, io.EOF) {
			t.Fatalf("errors = %v, %v", err1, err2)
		}
		if w, c := trimmed(whole), trimmed(cut); len(w) != len(c) {
			t.Fatalf("%d events whole, %d cut", len(w), len(c))
		} else {
			for i := range w {
				if w[i] != c[i] {
					t.Fatalf("event %d: %+v whole, %+v cut", i, w[i], c[i])
				}
			}
		}
		er := NewEventReader(&chunks{stream, size}, EventLimits{})
		for e, err := er.Next(); err == nil; e, err = er.Next() {
			checkReframed(t, e, data)
		}
	})
}

// trimmed leaves out an incomplete event that is nothing but the LF of a CRLF.
func trimmed(events []event) []event {
	if n := len(events); n > 0 && events[n-1] == (event{incomplete: true}) {
		return events[:n-1]
	}
	return events
}

func checkReframed(t *testing.T, e Event, data []byte) {
	want := string(bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n")))
	for _, again := range [][]byte{e.Append(nil, data), e.AppendPlain(nil, data)} {
		if e.Incomplete {
			again = append(again, "\n\n"...)
		}
		again = bytes.TrimPrefix(again, []byte("\n")) // of a CRLF whose CR ended the event before
		if len(again) == 0 {
			continue
		}
		if !e.mark && bytes.HasPrefix(again, byteOrderMark) {
			continue // an event that is not the first may begin so
		}
		got, err := NewEventReader(bytes.NewReader(again), EventLimits{}).Next()
		if err != nil || string(got.Data) != want {
			t.Fatalf("%q with data %q became %q, which reads %q, %v", e.Raw, data, again, got.Data, err)
		}
		if len(got.ID) > 0 && !bytes.Equal(got.ID, e.ID) {
			t.Fatalf("id %q became %q", e.ID, got.ID)
		}
	}
}

type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func BenchmarkEventReader(b *testing.B) {
	stream := []byte(strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n\n", 100))
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		er := NewEventReader(bytes.NewReader(stream), EventLimits{})
		for _, err := er.Next(); err == nil; _, err = er.Next() {
		}
	}
}
