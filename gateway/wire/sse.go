package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
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

const defaultEvent = 8 << 20

// Event is one server-sent event as it stood in the stream. Its slices are valid until the next call of Next.
type Event struct {
	Raw        []byte // every byte, the empty line that ends it included
	Data       []byte // the data lines, joined by newlines
	HasData    bool   // there was a data line, be it empty
	ID, Name   []byte // of the id and event fields
	HasID      bool
	Incomplete bool // the stream ended before the empty line: readers of the standard ignore such an event

	mark bool // Raw begins with a byte order mark
}

// EventReader cuts a stream into server-sent events and loses no byte: the Raw of all events together is the stream.
//
// It follows the WHATWG standard: lines end in CR, LF or CRLF, a byte order mark at the beginning is passed over. An
// event is handed out as soon as its last byte is there, so an LF that follows a CR may become the first byte of the
// next event. It is not safe for concurrent use.
type EventReader struct {
	r    io.Reader
	lim  EventLimits
	err  error // of r, or a limit; kept
	buf  []byte
	from int    // where the current event begins in buf
	to   int    // how far the current event was looked at
	data []byte // of the current event, as id and name
	id   []byte
	name []byte

	started bool // the byte order mark is behind
	cr      bool // the last line ended in CR at the end of buf: an LF now would belong to it
}

// NewEventReader returns a reader of r.
func NewEventReader(r io.Reader, lim EventLimits) *EventReader {
	if lim.Event <= 0 {
		lim.Event = defaultEvent
	}
	if lim.Line <= 0 {
		lim.Line = defaultEvent
	}
	return &EventReader{r: r, lim: lim}
}

// Next returns the next event as soon as its last byte was read. What stands between events, such as lone empty lines,
// comes as an event without data. At the end it returns [io.EOF], after what was left as an incomplete event; other
// errors are [ErrEventTooBig], [ErrLineTooLong] and those of the underlying reader. After an error there are no more events.
func (e *EventReader) Next() (Event, error) {
	e.from = e.to
	e.data, e.id, e.name = e.data[:0], e.id[:0], e.name[:0]
	ev := Event{}
	if err := e.skipMark(&ev); err != nil {
		return Event{}, err
	}
	for {
		line, whole, err := e.line()
		if err != nil {
			if !errors.Is(err, io.EOF) || e.to == e.from {
				return Event{}, err
			}
			whole = false
		}
		if len(line) > 0 {
			e.field(&ev, line)
		}
		if len(line) == 0 || !whole {
			ev.Raw, ev.Incomplete = e.buf[e.from:e.to], !whole
			ev.Data, ev.ID, ev.Name = bytes.TrimSuffix(e.data, []byte("\n")), e.id, e.name
			return ev, nil
		}
	}
}

// field takes in one line that is not empty. Slices into the buffer are copied, since a later read may move it.
func (e *EventReader) field(ev *Event, line []byte) {
	name, value := splitField(line)
	switch string(name) {
	case "data":
		ev.HasData = true
		e.data = append(append(e.data, value...), '\n')
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			ev.HasID = true
			e.id = append(e.id[:0], value...)
		}
	case "event":
		e.name = append(e.name[:0], value...)
	}
}

// splitField cuts a line into a field's name and value, less the one space that may stand before it.
func splitField(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte(":"))
	return name, bytes.TrimPrefix(value, []byte(" "))
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

// skipMark passes over a byte order mark at the beginning of the stream; it stays in Raw.
func (e *EventReader) skipMark(ev *Event) error {
	for !e.started {
		have := e.buf[e.from:]
		switch {
		case bytes.HasPrefix(have, byteOrderMark):
			e.to += len(byteOrderMark)
			e.started, ev.mark = true, true
		case !bytes.HasPrefix(byteOrderMark, have):
			e.started = true
		default:
			if err := e.fill(); err != nil {
				if !errors.Is(err, io.EOF) || len(e.buf) == 0 {
					return err
				}
				e.started = true
			}
		}
	}
	return nil
}

// line returns the next line without its end. What is left at the end of the stream comes as a line that is not whole.
func (e *EventReader) line() (line []byte, whole bool, err error) {
	if e.cr {
		if err := e.skipLF(); err != nil {
			return nil, false, err
		}
	}
	start, seen := e.to-e.from, 0
	for {
		rest := e.buf[e.from+start:]
		if i := bytes.IndexAny(rest[seen:], "\r\n"); i >= 0 {
			line, err = e.cut(start, seen+i)
			return line, true, err
		}
		seen = len(rest)
		if seen > e.lim.Line {
			return nil, false, e.fail(ErrLineTooLong)
		}
		err := e.fill()
		if errors.Is(err, io.EOF) && seen > 0 {
			e.to = len(e.buf)
			return e.buf[e.from+start:], false, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// cut ends the line that begins at start, from the event's beginning, and is length bytes long.
func (e *EventReader) cut(start, length int) ([]byte, error) {
	if length > e.lim.Line {
		return nil, e.fail(ErrLineTooLong)
	}
	begin := e.from + start
	end := begin + length
	e.to = end + 1
	if e.buf[end] == '\r' {
		switch {
		case e.to == len(e.buf):
			e.cr = true
		case e.buf[e.to] == '\n':
			e.to++
		}
	}
	if e.to-e.from > e.lim.Event {
		return nil, e.fail(ErrEventTooBig)
	}
	return e.buf[begin:end], nil
}

// skipLF takes the LF of a CRLF that was cut between two reads.
func (e *EventReader) skipLF() error {
	for e.to == len(e.buf) {
		if err := e.fill(); err != nil {
			return err
		}
	}
	e.cr = false
	if e.buf[e.to] == '\n' {
		e.to++
	}
	return nil
}

// fill reads more, after moving the current event to the front of the buffer. Offsets from e.from stay right.
func (e *EventReader) fill() error {
	if e.err != nil {
		return e.err
	}
	if len(e.buf)-e.from > e.lim.Event+e.lim.Line {
		return e.fail(ErrEventTooBig)
	}
	if e.from > 0 {
		e.buf = e.buf[:copy(e.buf, e.buf[e.from:])]
		e.to -= e.from
		e.from = 0
	}
	e.buf = slices.Grow(e.buf, 1024) // which doubles what is too small: most streams wait, and their events are short
	for range 100 {
		n, err := e.r.Read(e.buf[len(e.buf):cap(e.buf)])
		e.buf = e.buf[:len(e.buf)+n]
		if err != nil {
			e.err = err
		}
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return e.fail(io.ErrNoProgress)
}

func (e *EventReader) fail(err error) error {
	e.err = err
	e.from, e.to, e.buf = 0, 0, e.buf[:0]
	return err
}
