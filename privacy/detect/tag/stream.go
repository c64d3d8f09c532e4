package tag

import "github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"

// Stream tags a text that comes in pieces, each word from what came before it and the two words after it. What it finds does
// not depend on where the pieces are cut. It is for one goroutine.
type Stream struct {
	run  run
	rest string // not read yet: the beginning of a word
	base int    // place of rest in the stream
}

// Stream returns a tagger for one text.
func (t *Tagger) Stream() *Stream {
	s := new(Stream)
	s.run.begin(t, nil)
	return s
}

// Write takes the next piece; final says that nothing follows. It returns the spans that are decided now, with places in the
// stream, and up to where everything is decided. The spans are good until the next call.
func (s *Stream) Write(piece string, final bool) (spans []Span, decided int) {
	r := &s.run
	r.out = r.out[:0]
	text := piece
	if s.rest != "" {
		text = s.rest + piece
	}
	p := 0
	var tok feature.Token
	for feature.Next(text, p, final, &tok) {
		p = tok.End
		tok.Start += s.base
		tok.End += s.base
		if r.win.Push(&tok) {
			r.decide()
		}
	}
	if final {
		r.end()
		return r.out, s.base + len(text)
	}
	keep := tok.Start
	s.rest, s.base = text[keep:], s.base+keep
	decided = s.base
	if w := r.win.Waiting(); w >= 0 {
		decided = w
	}
	if r.open.Kind != 0 {
		decided = min(decided, r.open.Start)
	}
	if r.title.Kind != 0 {
		decided = min(decided, r.title.Start)
	}
	return r.out, decided
}

// Clone returns a stream that goes on from where this one is, by itself.
func (s *Stream) Clone() *Stream {
	out := *s
	out.run.win.Memory = s.run.win.Memory.Clone()
	out.run.out, out.run.passed = nil, nil
	return &out
}
