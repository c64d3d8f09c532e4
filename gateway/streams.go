package gateway

import (
	"regexp"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/privacy/detect"
)

// maxTexts bounds how many texts of one stream may be open at once.
const maxTexts = 256

// TextStreams holds the texts of one event stream that are still coming, one for each task and artifact. What a
// text holds back is bounded by [detect.Holdback] and the length of a stand-in. It is for one goroutine.
type TextStreams struct {
	open  map[string]*textStream
	order []string

	counted int // bytes held that [Gateway.Held] counts

	// At says which text a string of an event belongs to, and whether it begins anew or ends with this event.
	At func(d *json.Doc, n int) (id TextID, ok bool)
}

// copied returns the texts as they are now, whatever comes of them.
func (ts *TextStreams) copied() *TextStreams {
	if ts == nil {
		return nil
	}
	out := &TextStreams{open: make(map[string]*textStream, len(ts.open)), order: slices.Clone(ts.order), At: ts.At, counted: ts.counted}
	for k, st := range ts.open {
		one := *st
		one.stream = st.stream.Clone()
		out.open[k] = &one
	}
	return out
}

// TextID names a text of a stream.
type TextID struct {
	Artifact string // with the task: whatever the protocol tells artifacts apart by
	Anew     bool   // the text replaces what came under this name before
	Last     bool   // nothing more comes
}

// textStream is one text: the detector's state, and plain text that may be the beginning of a stand-in.
type textStream struct {
	stream *detect.Stream
	tail   string
	last   bool
	held   string // of a text that may be JSON, or is kept: what came so far
	keep   bool   // it is only read as a whole, whatever it is
	begun  bool   // it is none, or it ended
	cut    bool   // it is too long to be read: no more of it is shown
}

// maxHeldJSON is how much of a text is held that may be JSON, or that a detector beside the engine is to see as a whole. What
// is longer cannot be read, so none of it is shown.
const maxHeldJSON = 256 << 10

// hold keeps back a text that may be JSON or is kept, since only the whole of it can be read as such. It returns what is to be read
// now, and whether that is to be read as a whole text, which is empty until it ends.
func (st *textStream) hold(chunk string) (text string, whole bool) {
	switch {
	case st.begun:
		return chunk, false
	case st.cut:
		return "", true
	}
	st.held += chunk
	start := strings.TrimLeft(st.held, jsonBlanks)
	if start != "" && !st.keep && !mayBeJSON(start) {
		text, st.held, st.begun = st.held, "", true
		return text, false
	}
	switch {
	case st.last:
		text, st.held, st.begun = st.held, "", true
		return text, true
	case len(st.held) <= maxHeldJSON:
		return "", true
	case start == "" && !st.keep: // nothing has begun yet
		text, st.held = st.held, ""
		return text, true
	}
	st.held, st.cut = "", true
	return unreadable, true
}

// unreadable is JSON that ends too early, which is taken out like any that cannot be read.
const unreadable = `{"`

const jsonBlanks = "\ufeff \t\r\n"

// firstOfList is the beginning of an array of numbers and the like, as far as it goes.
var firstOfList = regexp.MustCompile(`^(?:-?[0-9][0-9.eE+-]*|true|false|null)[ \t\r\n]*(?:,|$)`)

// mayBeJSON reports whether a text that begins so may turn out to be a JSON document. A short beginning gets the benefit
// of the doubt: it is not for long.
func mayBeJSON(start string) bool {
	if strings.IndexByte("{[\"", start[0]) < 0 {
		return false
	}
	return len(start) < 16 || jsonLike(start) || start[0] == '[' && firstOfList.MatchString(strings.TrimLeft(start[1:], jsonBlanks))
}

// at returns the stream that a string belongs to, or nil where it is a text by itself.
func (ts *TextStreams) at(c *collector, v *view, n int) *textStream {
	if ts == nil || v.parent != nil || infoAt(v, n) != nil || c.public {
		return nil
	}
	id, ok := ts.At(v.doc, n)
	if !ok {
		return nil
	}
	key := id.Artifact
	st := ts.open[key]
	if st == nil || id.Anew {
		st = &textStream{stream: c.detector().Stream(c.set), keep: c.m.Snapshot.holdsTexts()}
		if ts.open == nil {
			ts.open = map[string]*textStream{}
		}
		if _, again := ts.open[key]; !again {
			ts.order = append(ts.order, key)
		}
		ts.open[key] = st
	}
	st.stream.Know(c.set) // what was named or opened since it began is looked for in what is still to come
	st.last = id.Last
	return st
}

// full reports whether another text may not be opened.
func (ts *TextStreams) full() bool { return ts != nil && len(ts.open) > maxTexts }

// drop forgets texts that ended with the event.
func (ts *TextStreams) drop() {
	if ts == nil {
		return
	}
	ts.order = slices.DeleteFunc(ts.order, func(k string) bool {
		if !ts.open[k].last {
			return false
		}
		delete(ts.open, k)
		return true
	})
}

// held is how many bytes are held back.
func (ts *TextStreams) held() (n int) {
	for _, st := range ts.open {
		n += st.stream.Held() + len(st.tail) + len(st.held)
	}
	return n
}

// Held is how many bytes of streams are held back at this time, over all streams that came by the door.
func (g *Gateway) Held() int64 { return g.load.held.Load() }

// holds counts what the texts of a call's stream hold back.
func (e *entry) holds(ts *TextStreams) {
	if e == nil || ts == nil {
		return
	}
	n := ts.held()
	more := int64(n - ts.counted)
	ts.counted = n
	if more != 0 {
		e.held.Add(more)
		e.g.load.held.Add(more)
	}
}

// Rest is what a text still holds back when its stream ends.
type Rest struct {
	Artifact string
}

// Rests lists the texts that hold something back, in the order in which they began.
func (ts *TextStreams) Rests() []Rest {
	var out []Rest
	for _, k := range ts.order {
		if st := ts.open[k]; st.stream.Held() > 0 || st.tail != "" || st.held != "" {
			out = append(out, Rest{k})
		}
	}
	return out
}

// feed takes the next chunk and returns the parts that are decided.
func (st *textStream) feed(chunk string) []part {
	found := st.stream.Write(chunk)
	if st.last {
		found = append(found, st.stream.Close()...)
	}
	var out []part
	plain := st.tail
	st.tail = ""
	flush := func() {
		if plain != "" {
			out = append(out, plainParts(plain)...)
			plain = ""
		}
	}
	for _, p := range found {
		if p.Finding == nil {
			plain += p.Text
			continue
		}
		flush()
		text := p.Text
		if p.Long {
			text = ""
		}
		out = append(out, partOf(p.Finding, text))
	}
	if !st.last {
		plain, st.tail = holdStandIn(plain)
	}
	flush()
	return out
}

// plainParts cuts text without findings at its stand-ins.
func plainParts(text string) []part {
	stands := withStandIns(nil, text, 0)
	var out []part
	at := 0
	for _, s := range stands {
		if s.start > at {
			out = append(out, part{text: text[at:s.start]})
		}
		out = append(out, s)
		at = s.end
	}
	if at < len(text) {
		out = append(out, part{text: text[at:]})
	}
	return out
}

// longestSurrogate is the length of the longest stand-in with spaces in it.
const longestSurrogate = 48

// holdStandIn splits off an end of text that may be the beginning of a surrogate such as "[person 3]".
func holdStandIn(text string) (now, tail string) {
	open := strings.LastIndexByte(text, '[')
	if open < 0 || len(text)-open > longestSurrogate || strings.IndexByte(text[open:], ']') >= 0 {
		return text, ""
	}
	return text[:open], text[open:]
}
