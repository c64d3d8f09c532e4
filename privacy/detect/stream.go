package detect

import "strings"

// Piece is part of a stream's text, in order. Without Finding it is text in which nothing was found.
type Piece struct {
	Text    string   // the bytes; empty if Long
	Finding *Finding // places count from the start of the stream
	Long    bool     // the text was swallowed and is gone; a placeholder must stand for it
}

// Stream finds things in a text that comes in chunks. Its pieces do not depend on where the chunks are cut, other than that
// plain text comes in more or fewer of them, and its findings are those that [Engine.Find] gives for the whole text. It holds
// fewer than [Holdback] bytes back: of text without candidates no more than the last word. It is for one goroutine.
type Stream struct {
	c     scanner
	buf   string // the last bytes that were released or swallowed, then what is held
	at    int    // where in buf what is held begins
	base  int    // place of buf in the stream
	sw    swallower
	start int // where in the stream what is being swallowed began; sw.mode says whether
}

// Stream returns a detector for one text that comes in chunks. Known may be nil.
func (e *Engine) Stream(known *KnownSet) *Stream { return &Stream{c: e.scanner(known)} }

// Know gives the stream another set of known values, for all that is not decided yet. Nil is the empty set.
func (s *Stream) Know(known *KnownSet) {
	if known == nil {
		known = noKnown
	}
	s.c.known = known
}

// Clone returns a detector that goes on from where this one is, by itself.
func (s *Stream) Clone() *Stream {
	out := *s
	return &out
}

// Held returns how many bytes were taken and neither returned nor swallowed. It is below [Holdback].
func (s *Stream) Held() int { return len(s.buf) - s.at }

// Write takes the next chunk, which may end within a rune, and returns what is decided by now.
func (s *Stream) Write(chunk string) []Piece {
	if chunk == "" {
		return nil
	}
	return s.push(chunk, false)
}

// Close ends the text and returns the rest. Nothing may be written afterwards.
func (s *Stream) Close() []Piece { return s.push("", true) }

func (s *Stream) push(chunk string, final bool) (out []Piece) {
	c := &s.c
	c.s, c.final, c.cueAt = s.buf+chunk, final, 0
	p := s.at
loop:
	for p < len(c.s) || s.sw.mode != swallowNone && final {
		if s.sw.mode != swallowNone {
			end, ended := s.sw.advance(c, p)
			p = end
			if !ended {
				break
			}
			f := s.sw.rule.finding(s.start, s.base+end)
			out = append(out, Piece{Finding: &f, Long: true})
			s.sw = swallower{}
			continue
		}
		v, begin := c.next(p)
		if begin > p {
			out = append(out, Piece{Text: c.s[p:begin]})
		}
		p = begin
		switch v {
		case found:
			f := c.f
			p = f.End
			out = append(out, Piece{Text: c.s[begin:p], Finding: &f})
			f.Start, f.End = f.Start+s.base, f.End+s.base
		case long:
			s.sw, s.start = c.sw, s.base+p
		default:
			break loop
		}
	}
	keep := max(0, p-behind)
	s.buf, s.at, s.base = strings.Clone(c.s[keep:]), p-keep, s.base+keep
	c.s = ""
	return out
}

type swallowMode uint8

const (
	swallowNone swallowMode = iota
	swallowRun              // to the end of the run
	swallowURL              // to the end of what a web address can hold
	swallowKey              // to the END line of a private key, or to where prose begins
)

// swallower finds the end of a long finding in bounded memory.
type swallower struct {
	mode swallowMode
	rule *rule

	dashes int // swallowKey: dashes just seen
	word   int // length of the word at hand
	short  int // short words since the last long one
	end    int // bytes since the END line began, 0: it did not
	match  int // of "END" matched after dashes
}

// advance swallows from p. It returns how far it came and whether the finding ends there; if not, more text is needed.
func (w *swallower) advance(c *scanner, p int) (int, bool) {
	c.lim, c.touched = len(c.s), false
	for p < len(c.s) {
		b := c.s[p]
		if w.mode == swallowKey {
			if w.keyEnds(b) {
				return p, true
			}
			p++
			continue
		}
		if classes[b]&cHigh != 0 {
			r, n := c.rune(p)
			if n == 0 {
				return p, false
			}
			if !letterRune(r) {
				return p, true
			}
			p += n
			continue
		}
		if classes[b]&(cRun|cURL) == 0 || w.mode == swallowRun && classes[b]&cRun == 0 {
			return p, true
		}
		p++
	}
	return p, c.final
}

const (
	keyWord  = 20  // letters that a word of prose hardly has and a line of a key has
	keyShort = 12  // short words in a row that are taken for prose
	keyTail  = 100 // bytes of an END line
)

// keyEnds takes the next byte of a private key and reports whether the key ended before it.
func (w *swallower) keyEnds(b byte) bool {
	if w.end > 0 {
		if w.end++; w.end > keyTail || w.dashes >= 5 && w.end > 6 {
			return true
		}
		if b == '-' {
			w.dashes++
		} else {
			w.dashes = 0
		}
		return false
	}
	switch {
	case b >= 0x80: // armour is ASCII
		return true
	case b == '-':
		w.dashes, w.match = w.dashes+1, 0
		w.word++
		return false
	case w.dashes >= 5 && b == "END"[w.match]:
		if w.match++; w.match == 3 {
			w.end, w.dashes = 1, 0
		}
		return false
	case isSpace(b) || b == '\\':
		if w.word > 0 && w.word < keyWord {
			w.short++
		} else if w.word > 0 {
			w.short = 0
		}
		w.word = 0
	default:
		w.word++
	}
	w.dashes, w.match = 0, 0
	return w.short >= keyShort
}
