package wire

import (
	"bytes"
	"slices"
)

// Append appends the event with data in place of its own. The other lines keep their bytes and their order; if data
// equals the event's own, all bytes do. An event without a data line gets one before its end.
func (e Event) Append(dst, data []byte) []byte {
	if e.same(data) {
		return append(dst, e.Raw...)
	}
	return e.reframe(dst, data, framing{})
}

// AppendPlain is Append for an event from a stranger: it says nothing but the data and what the standard gives a
// meaning. Comments are emptied unless they are a heartbeat's word; fields that the standard does not know are left out,
// and so is an id, a name or a retry that could carry text.
func (e Event) AppendPlain(dst, data []byte) []byte {
	if e.same(data) && e.plain() {
		return append(dst, e.Raw...)
	}
	return e.reframe(dst, data, framing{plain: true})
}

// AppendPlainAs is AppendPlain with another id in the place of the event's own; "" leaves it out.
func (e Event) AppendPlainAs(dst, data []byte, id string) []byte {
	return e.reframe(dst, data, framing{plain: true, renamed: true, id: string(oneLine(id))})
}

// framing says what becomes of an event's lines but its data.
type framing struct {
	plain, renamed bool
	id             string // with renamed
}

func (e Event) same(data []byte) bool {
	return bytes.Equal(data, e.Data) && (e.HasData || len(data) == 0)
}

// plain reports whether AppendPlain has nothing to take out.
func (e Event) plain() bool {
	for rest := e.body(); len(rest) > 0; {
		line, end := cutLine(rest)
		rest = rest[len(line)+len(end):]
		if kept, ok := e.plainLine(line); !ok || len(kept) != len(line) {
			return false
		}
	}
	return true
}

func (e Event) body() []byte {
	if e.mark {
		return e.Raw[len(byteOrderMark):]
	}
	return e.Raw
}

func (e Event) reframe(dst, data []byte, as framing) []byte {
	f := framer{dst: dst, from: len(dst), data: data, todo: !e.same(data) || e.HasData}
	if e.mark {
		f.dst = append(f.dst, byteOrderMark...)
		f.from = len(f.dst)
	}
	for rest := e.body(); len(rest) > 0; {
		line, end := cutLine(rest)
		rest = rest[len(line)+len(end):]
		name, _ := splitField(line)
		switch {
		case len(line) > 0 && string(name) == "data":
			f.payload(line, end)
			continue
		case len(line) == 0 && len(rest) == 0:
			f.payload([]byte("data: "), end)
		case as.renamed && string(name) == "id":
			if as.id == "" {
				continue
			}
			line = []byte("id: " + as.id)
		case as.plain:
			var ok bool
			if line, ok = e.plainLine(line); !ok {
				continue
			}
		}
		f.put(line, end)
	}
	if f.todo { // an incomplete event without a data line
		if last := len(f.dst) - 1; last >= f.from && f.dst[last] != '\n' && f.dst[last] != '\r' {
			f.dst = append(f.dst, '\n')
		}
		f.payload([]byte("data: "), []byte("\n"))
	}
	return f.dst
}

// framer writes the lines of one event.
type framer struct {
	dst  []byte
	from int // where the event's lines begin in dst
	data []byte
	todo bool // data is still to be written
}

// put writes a line. Where a line that stood between a CR and an LF is gone, the two must not become one line's end.
func (f *framer) put(line, end []byte) {
	if len(line) == 0 && len(end) > 0 && end[0] == '\n' && len(f.dst) > f.from && f.dst[len(f.dst)-1] == '\r' {
		f.dst = append(f.dst, '\n')
	}
	f.dst = append(append(f.dst, line...), end...)
}

// payload writes the data in place of the first data line, in its spelling, and nothing for the others.
func (f *framer) payload(like, end []byte) {
	if !f.todo {
		return
	}
	f.todo = false
	prefix := []byte("data:")
	if bytes.HasPrefix(like, []byte("data: ")) {
		prefix = []byte("data: ")
	}
	for rest := f.data; ; {
		line, cut := cutLine(rest)
		rest = rest[len(line)+len(cut):]
		f.dst = append(f.dst, prefix...)
		if len(prefix) == len("data:") && bytes.HasPrefix(line, []byte(" ")) {
			f.dst = append(f.dst, ' ') // the one that readers take away
		}
		f.dst = append(f.dst, line...)
		if len(cut) == 0 {
			f.dst = append(f.dst, end...)
			return
		}
		if len(end) > 0 {
			f.dst = append(f.dst, end...)
		} else {
			f.dst = append(f.dst, '\n')
		}
	}
}

// cutLine returns the first line of b and its end, CR, LF, CRLF or nothing.
func cutLine(b []byte) (line, end []byte) {
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0:
		return b, nil
	case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
		return b[:i], b[i : i+2]
	default:
		return b[:i], b[i : i+1]
	}
}

var (
	heartbeats = []string{"", "ping", "keep-alive", "keepalive", "heartbeat"}
	eventNames = []string{"", "message", "ping", "error"}
)

// plainLine is the function of that name, but of several ids only the last, which counts, may pass: without it an
// earlier one would.
func (e Event) plainLine(line []byte) (kept []byte, ok bool) {
	if name, value := splitField(line); string(name) == "id" && !bytes.Equal(value, e.ID) {
		return nil, false
	}
	return plainLine(line)
}

// plainLine returns what of a line other than data may pass: all of it, an empty comment, or nothing.
func plainLine(line []byte) (kept []byte, ok bool) {
	if len(line) == 0 {
		return line, true
	}
	name, value := splitField(line)
	switch string(name) {
	case "":
		if slices.Contains(heartbeats, string(value)) {
			return line, true
		}
		return line[:1], true
	case "data":
		return line, true
	case "id":
		return line, len(value) <= maxID && visible(value)
	case "event":
		return line, slices.Contains(eventNames, string(value))
	case "retry":
		return line, len(value) <= 9 && len(bytes.Trim(value, "0123456789")) == 0
	default:
		return nil, false
	}
}

// AppendEvent appends a new event with the data. Id and name may be empty; line ends in them are left out.
func AppendEvent(dst []byte, id, name string, data []byte) []byte {
	for _, f := range [...]struct{ name, value string }{{"event: ", name}, {"id: ", id}} {
		if f.value != "" {
			dst = append(append(dst, f.name...), oneLine(f.value)...)
			dst = append(dst, '\n')
		}
	}
	f := framer{dst: dst, data: data, todo: true}
	f.payload([]byte("data: "), []byte("\n"))
	return append(f.dst, '\n')
}

func oneLine(s string) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, []byte(s))
}
