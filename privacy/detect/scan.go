package detect

import (
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// behind is how many bytes before a position may matter to what is found there.
const behind = 64

// scanner looks at one text, or at the part of a stream that is at hand. What it decides at a position is a function of the
// behind bytes before and the Holdback bytes from there, and of whether the text ends: that makes a stream equal the whole.
type scanner struct {
	s     string
	final bool // the text ends where s ends
	tax   *flow.Taxonomy
	known *KnownSet
	rules *rules // of the user's own; nil: none
	inner bool   // within a web address: no web addresses
	plain bool   // the text is folded already

	decoded bool // within what a run encodes: nothing encoded

	lim     int  // end of what the candidate at hand may look at
	touched bool // it wanted to look further

	end    int // of the run at hand
	noMail int // no e-mail address begins before it in the run at hand: saves looking again

	halt int // where match last came to a word that no value goes on with

	cueAt   int // where lastCue was read, from 1: a number asks several times
	lastCue cue

	starts bool // the word at hand may begin a form of words

	label flow.Label // of the web address that url just took
	place int        // where what the last verdict is about begins
	f     Finding    // after found
	sw    swallower  // after long
}

type verdict uint8

const (
	done  verdict = iota // nothing more in the text
	hold                 // undecided from start on: more text is needed
	found                // f
	skip                 // f is never found, and its text is not looked at again
	long                 // a long finding starts; its end is sw's to find
)

// at returns the byte at i, or 0 beyond what may be looked at.
func (c *scanner) at(i int) byte {
	if i < c.lim {
		return c.s[i]
	}
	c.touched = true
	return 0
}

// rune returns the rune at i and its size, which is 0 if it is not all there.
func (c *scanner) rune(i int) (rune, int) {
	if i >= c.lim {
		c.touched = true
		return 0, 0
	}
	x := c.s[i:min(i+utf8.UTFMax, c.lim)]
	if !utf8.FullRuneInString(x) && !(c.final && c.lim == len(c.s)) {
		c.touched = true
		return 0, 0
	}
	return utf8.DecodeRuneInString(x)
}

func (c *scanner) open(q int) { c.lim, c.touched = min(q+Holdback, len(c.s)), false }

// stuck reports whether what was opened at q wanted to see more than is there, and says what follows from it.
func (c *scanner) stuck(q int) (verdict, bool) {
	switch {
	case !c.touched:
		return done, false
	case c.lim == q+Holdback:
		return long, true
	case c.final:
		return done, false
	}
	return hold, true
}

// left returns what may be seen before q.
func (c *scanner) left(q int) string { return c.s[max(0, q-behind):q] }

// prev returns the byte n places before q, 0 at the start of the text. n is small.
func (c *scanner) prev(q, n int) byte {
	if q < n {
		return 0
	}
	return c.s[q-n]
}

// next looks for the first thing to say at or after p, and returns where it begins.
func (c *scanner) next(p int) (verdict, int) {
	for p < len(c.s) {
		if c.rules == nil {
			if p = c.plainWords(p); p >= len(c.s) {
				break
			}
		}
		b := c.s[p]
		if classes[b]&cRun == 0 {
			if b == '(' || c.known.marks[b] || c.rules != nil && c.rules.first[b] {
				if v := c.try(p, p+1, 0, true); v == skip {
					p = c.f.End
					continue
				} else if v != done {
					return v, p
				}
			}
			p++
			continue
		}
		c.open(p)
		c.starts = false
		e, acc := c.measure(p)
		if v, bad := c.stuck(p); bad {
			c.sw = swallower{mode: swallowRun, rule: &byLength}
			return v, p
		}
		if e == p { // a rune that stands alone, or an invalid byte
			r, n := c.rune(p)
			if c.known.wide || c.rules != nil && c.rules.wide || r >= 0xB2 && foldOpens(r) || c.currencySign(p) > p {
				if v := c.try(p, p+n, cHigh, true); v == skip {
					p = c.f.End
					continue
				} else if v != done {
					return v, p
				}
			}
			p += n
			continue
		}
		if v := c.run(p, e, acc); v == skip {
			p = c.f.End
			continue
		} else if v != done {
			return v, c.place
		}
		p = e
	}
	return done, len(c.s)
}

// measure returns the end of the run at p and the classes of its bytes.
func (c *scanner) measure(p int) (e int, acc class) {
	for e = p; e < c.lim; {
		cl := classes[c.s[e]]
		if cl&cHigh != 0 {
			r, n := c.rune(e)
			if n == 0 || !letterRune(r) {
				return e, acc
			}
			e += n
		} else if cl&cRun == 0 {
			return e, acc
		} else {
			e++
		}
		acc |= cl
	}
	c.touched = true
	return e, acc
}

// run looks at each place in the run [p, e) where something can begin.
func (c *scanner) run(p, e int, acc class) verdict {
	c.end, c.noMail = e, p
	if acc&(cDigit|cAt|cColon) == cColon && !strings.Contains(c.s[p:e], "://") { // "said:"
		acc &^= cColon
	}
	odd := acc&cHigh != 0 || e < len(c.s) && c.s[e] >= utf8.RuneSelf
	for q := p; q < e; {
		b := c.s[q]
		if classes[b]&cWord == 0 {
			if b == '+' || b == ':' || b == '-' || b == '%' || b == '&' || b == '$' || c.known.marks[b] || c.rules != nil && c.rules.first[b] {
				if v := c.try(q, q+1, acc, true); v != done {
					return v
				}
			}
			q++
			continue
		}
		we := q
		for we < e && classes[c.s[we]]&cWord != 0 {
			we++
		}
		may := c.begins(q, we)
		if acc&(cDigit|cColon|cAt|cPercent|cAmp) != 0 || e-q >= minEncoded || odd || b|0x20 == 'w' || may || c.starts || twoCapitals(c.s[q:we]) || c.rules != nil && c.rules.may(c, q, we) {
			if v := c.try(q, we, acc, may); v != done {
				return v
			}
		}
		q = we
	}
	return done
}

// begins reports whether a known value may begin with the word [q, we), and lets starts say whether a form may. Where the text
// that is at hand ends too early to say, it may.
func (c *scanner) begins(q, we int) bool {
	h := hashWord(c.s[q:we])
	weak := c.known.filter.mayWeakly(h)
	may := weak && c.known.filter.surely(h)
	switch {
	case may || we+2 >= len(c.s):
		c.starts = true
	case startsUpper(c.s[q:we]):
		c.starts = weak || c.s[we] == '$' || beforeName(c.s[we], c.s[we+1], c.s[we+2]) || isDigit(c.s[we-1])
	default:
		c.starts = weak && weakly(c.s, q, we)
	}
	return may
}

// all goes through what is found in a text that is all at hand, until it is told to stop. Long says that nobody looked into the
// finding.
func (c *scanner) all(yield func(f Finding, long bool) bool) {
	for p := 0; p < len(c.s); {
		v, begin := c.next(p)
		switch v {
		case found:
			p = c.f.End
		case long:
			p, _ = c.sw.advance(c, begin)
			c.f = c.sw.rule.finding(begin, p)
		default:
			return
		}
		if !yield(c.f, v == long) {
			return
		}
	}
}
