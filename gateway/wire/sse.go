package wire

import (
	"errors"
	"io"
)

// Errors of [EventReader.Next].
var (
	ErrEventTooBig = errors.New("server-sent event is too big")
	ErrLineTooLong = errors.New("line of a server-sent event is too long")
)

// EventLimits bound what [EventReader] holds. A field that is zero or negative means its default.
type EventLimits struct {
	Event int // bytes of one event; default 8 MiB
	Line  int // bytes of one line; default 8 MiB
}

// Event is one server-sent event as it stood in the stream. Its slices are valid until the next call of Next.
type Event struct {
	Raw        []byte // every byte, the empty line that ends it included
	Data       []byte // the data lines, joined by newlines
	HasData    bool   // there was a data line, be it empty
	ID, Name   []byte // of the id and event fields
	HasID      bool
	Incomplete bool // the stream ended before the empty line: readers of the standard ignore such an event
}

// EventReader cuts a stream into server-sent events and loses no byte: the Raw of all events is the stream.
// It is not safe for concurrent use.
type EventReader struct{ r io.Reader }

// NewEventReader returns a reader of r.
func NewEventReader(r io.Reader, lim EventLimits) *EventReader { return &EventReader{r: r} }

// Next returns the next event as soon as its last byte was read. At the end it returns [io.EOF]; other errors are
// [ErrEventTooBig], [ErrLineTooLong] and those of the underlying reader. After an error there are no more events.
func (e *EventReader) Next() (Event, error) { return Event{}, io.EOF }

// Append appends the event with data in place of its own. The other lines keep their bytes and their order; if data
// equals the event's own, all bytes do.
func (e Event) Append(dst, data []byte) []byte { return nil }

// AppendPlain is Append that says nothing but what the standard gives a meaning: comments are emptied, fields it does
// not know left out, and so are an id, name or retry that could carry text.
func (e Event) AppendPlain(dst, data []byte) []byte { return nil }

// AppendEvent appends a new event with the data; id and name may be empty.
func AppendEvent(dst []byte, id, name string, data []byte) []byte { return nil }
