package detect

import (
	"slices"

	"github.com/scrimhq/scrim/privacy/detect/tag"
)

// MaxHeld bounds what a [Stream] holds back: a name that a candidate follows.
const MaxHeld = Holdback + tag.MaxSpan

// Piece is part of a stream's text, in order. Without Finding it is text in which nothing was found.
type Piece struct {
	Text    string   // the bytes; empty if Long
	Finding *Finding // places count from the start of the stream
	Long    bool     // the text was swallowed and is gone; a placeholder must stand for it
}

// Stream finds things in a text that comes in chunks. Its pieces do not depend on where the chunks are cut, other than that
// plain text comes in more or fewer of them. Its findings are those that [Engine.Find] gives for the whole text, but for one
// thing that only who has the whole can do: a name that a later sentence gives away is found from there on, and not before.
// It holds fewer than [MaxHeld] bytes back, mostly three words. It is for one goroutine.
type Stream struct {
	engine *Engine
	forms  formStream
	names  *tag.Stream // nil: none are looked for

	queue []queued   // what the forms decided, and the tagger did not yet
	spans []tag.Span // names that are not passed yet
	known int        // all of the names that begin before it are in spans
	done  int        // how much of it was returned or swallowed
}

// queued is a piece with its place.
type queued struct {
	Piece
	start, end int
}

// Stream returns a detector for one text that comes in chunks. Known may be nil.
func (e *Engine) Stream(known *KnownSet) *Stream {
	s := &Stream{engine: e, forms: formStream{c: e.scanner(known)}}
	if e.tagger != nil {
		s.names = e.tagger.Stream()
	}
	return s
}

// Know gives the stream another set of known values, for all that is not decided yet. Nil is the empty set.
func (s *Stream) Know(known *KnownSet) { s.forms.know(known) }

// Clone returns a detector that goes on from where this one is, by itself.
func (s *Stream) Clone() *Stream {
	out := *s
	if s.names != nil {
		out.names = s.names.Clone()
	}
	out.queue, out.spans = slices.Clone(s.queue), slices.Clone(s.spans)
	return &out
}

// Held returns how many bytes were taken and neither returned nor swallowed. It is below [MaxHeld].
func (s *Stream) Held() int {
	held := s.forms.held()
	for i := range s.queue {
		held += len(s.queue[i].Text)
	}
	return held
}

// Write takes the next chunk, which may end within a rune, and returns what is decided by now.
func (s *Stream) Write(chunk string) []Piece {
	if chunk == "" {
		return nil
	}
	return s.push(chunk, false)
}

// Close ends the text and returns the rest. Nothing may be written afterwards.
func (s *Stream) Close() []Piece { return s.push("", true) }

func (s *Stream) push(chunk string, final bool) []Piece {
	decided := s.forms.push(chunk, final)
	if s.names == nil {
		return decided
	}
	for _, p := range decided {
		s.add(p)
	}
	spans, known := s.names.Write(chunk, final)
	s.spans = append(s.spans, spans...)
	s.known = known
	return s.release(final)
}

// add queues a piece that the forms decided.
func (s *Stream) add(p Piece) {
	start := s.done
	if n := len(s.queue); n > 0 {
		start = s.queue[n-1].end
	}
	end := start + len(p.Text)
	if p.Finding != nil {
		end = p.Finding.End
	}
	if n := len(s.queue); p.Finding == nil && n > 0 && s.queue[n-1].Finding == nil {
		s.queue[n-1].Text += p.Text
		s.queue[n-1].end = end
		return
	}
	s.queue = append(s.queue, queued{p, start, end})
}

// release returns what both have decided.
func (s *Stream) release(final bool) (out []Piece) {
	for len(s.queue) > 0 {
		q := &s.queue[0]
		for len(s.spans) > 0 && s.spans[0].End <= q.start {
			s.spans = s.spans[1:]
		}
		if q.Finding != nil {
			if s.known < q.start {
				break
			}
			out = append(out, q.Piece)
			s.done = q.end
			s.queue = s.queue[1:]
			continue
		}
		last := len(s.queue) == 1 && !final
		if len(s.spans) > 0 && s.spans[0].Start < q.end {
			span := s.spans[0]
			if last && span.End > q.end { // the forms may still find something within the name
				out = s.plain(out, q, max(q.start, span.Start))
				break
			}
			f := trimmed(named(&span), max(span.Start, q.start), min(span.End, q.end), q.Text, q.start)
			if f.Start >= f.End || !s.engine.keeps(&f, q.Text[f.Start-q.start:f.End-q.start]) {
				out = s.plain(out, q, min(span.End, q.end))
			} else {
				out = s.plain(out, q, f.Start)
				text := q.Text[:f.End-q.start]
				q.Text, q.start, s.done = q.Text[len(text):], f.End, f.End
				out = append(out, Piece{Text: text, Finding: &f})
			}
			if q.start == q.end {
				s.queue = s.queue[1:]
			}
			if span.End <= s.done {
				s.spans = s.spans[1:]
			}
			continue
		}
		out = s.plain(out, q, min(q.end, s.known))
		if q.start < q.end {
			break
		}
		s.queue = s.queue[1:]
	}
	return out
}

// plain returns text of a piece up to a place, in which nothing was found.
func (s *Stream) plain(out []Piece, q *queued, to int) []Piece {
	if to <= q.start {
		return out
	}
	n := to - q.start
	out = append(out, Piece{Text: q.Text[:n]})
	q.Text, q.start, s.done = q.Text[n:], to, to
	return out
}
