package detect

import "strings"

// formStream is the part of a [Stream] that finds what has a form, and what is known. Of text without candidates it holds no
// more than the last word back.
type formStream struct {
	c     scanner
	buf   string // the last bytes that were released or swallowed, then what is held
	at    int    // where in buf what is held begins
	base  int    // place of buf in the stream
	sw    swallower
	start int // where in the stream what is being swallowed began; sw.mode says whether
}

func (s *formStream) know(known *KnownSet) {
	if known == nil {
		known = noKnown
	}
	s.c.known = known
}

func (s *formStream) held() int { return len(s.buf) - s.at }

func (s *formStream) push(chunk string, final bool) (out []Piece) {
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
