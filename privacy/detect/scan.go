package detect

import (
	"math/bits"
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

// eight returns eight bytes as one number, the first lowest.
func eight(x string) uint64 {
	_ = x[7]
	return uint64(x[0]) | uint64(x[1])<<8 | uint64(x[2])<<16 | uint64(x[3])<<24 | uint64(x[4])<<32 | uint64(x[5])<<40 | uint64(x[6])<<48 | uint64(x[7])<<56
}

const lows = 0x0101010101010101

// letterBits returns a bit for each of the eight bytes of x, the first lowest, that is set if it is a letter.
func letterBits(x uint64) uint64 {
	const highs = 0x80 * lows
	y := (x | 0x20*lows) &^ highs
	letters := (y + (0x80-'a')*lows) &^ (y + (0x80-'z'-1)*lows) &^ x & highs
	return letters >> 7 * 0x0102040810204080 >> 56
}

// letterMap returns which bytes of s are letters, from a place at or before p on, for 64 bytes or to the end of s, which has
// eight bytes or more.
func letterMap(s string, p int) (base int, m uint64) {
	if p+64 <= len(s) {
		x := s[p : p+64]
		return p, letterBits(eight(x[0:8])) | letterBits(eight(x[8:16]))<<8 | letterBits(eight(x[16:24]))<<16 | letterBits(eight(x[24:32]))<<24 |
			letterBits(eight(x[32:40]))<<32 | letterBits(eight(x[40:48]))<<40 | letterBits(eight(x[48:56]))<<48 | letterBits(eight(x[56:64]))<<56
	}
	base = max(0, len(s)-64)
	for i := base; i+8 <= len(s); i += 8 {
		m |= letterBits(eight(s[i:i+8])) << (uint(i-base) & 63)
	}
	last := len(s) - 8
	return base, m | letterBits(eight(s[last:last+8]))<<(uint(last-base)&63)
}

// plainWords skips words of letters that a space or another mark outside runs follows and that cannot begin anything. It is a
// short cut through next, never a different answer: known values and forms of words can begin at such a word, and the filter has
// both, or beforeName sees it.
func (c *scanner) plainWords(p int) int {
	s, known := c.s, c.known
	base, m := p-64, uint64(0)
	for p+9 <= len(s) {
		if p-base > 64-minEncoded && base+64 < len(s) || p < base {
			base, m = letterMap(s, p)
		}
		n := bits.TrailingZeros64(^(m >> (uint(p-base) & 63)))
		q := p + n
		if n >= minEncoded || q >= len(s) {
			return p
		}
		if n > 0 {
			w := eight(s[p:p+8]) | 0x20*lows
			var h uint64
			if n < 8 {
				h = mix(w & (1<<(uint(8*n)&63) - 1))
			} else if h = mix(w); n > 8 {
				h = mix(h ^ (eight(s[q-8:q])|0x20*lows)>>(uint(128-8*n)&63))
			}
			if known.filter.mayWeakly(h) && (known.filter.surely(h) || q+2 >= len(s) || weakly(s, p, q)) {
				return p
			}
		}
		switch b := s[q]; {
		case b == ' ' && !isUpper(s[p]):
			p = q + 1
		case isUpper(s[p]) && (b == ' ' || b == '.') && (q+2 >= len(s) || beforeName(b, s[q+1], s[q+2])):
			return p
		case known.skip[b]:
			p = q + 1
		case (b == '.' || b == ':') && q+1 < len(s) && (s[q+1] == ' ' || s[q+1] == '\n') && !known.marks[b]:
			p = q + 2
		default:
			return p
		}
	}
	return p
}

// beforeName reports whether a word with a capital may begin an address or an amount, by the three bytes after it: another such
// word or a number follows.
func beforeName(a, b, c byte) bool {
	if a == ' ' {
		return isUpper(b) || isDigit(b) || b >= utf8.RuneSelf
	}
	return a == '-' && isUpper(b) || a == '.' && b == ' ' && isDigit(c)
}

// weakly reports whether the word [p, q), which begins a form only now and then, may do so here. Two more bytes follow it.
func weakly(s string, p, q int) bool {
	return isUpper(s[p]) || afterAged(s[:p]) || beforeUnit(s[q], s[q+1], s[q+2])
}

// afterAged reports whether "aged " ends left: "aged twelve".
func afterAged(left string) bool {
	n := len(left)
	return n >= 4 && left[n-1] == ' ' && left[n-2] == 'd' && left[n-3] == 'e' && left[n-4] == 'g'
}

// beforeUnit reports whether a number or a unit of time may follow a word, by the three bytes after it.
func beforeUnit(mark, a, b byte) bool {
	switch mark {
	case ' ':
	case '.', '/', '#', '-':
		return true
	default:
		return false
	}
	switch a | 0x20 {
	case 'd':
		return b == 'a' || b == 'e' || b == 'i'
	case 'w':
		return b == 'e'
	case 'm':
		return b == 'o'
	case 'y':
		return b == 'e' || b == 'r'
	case 'h':
		return b == 'u'
	case 'o': // "summer of 2003"
		return b == 'f'
	}
	return isDigit(a)
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

// proposals are what may begin at one place: something of a form of its own, a known value, something of the user's own rules.
type proposals struct {
	form   hit
	formed bool
	known  hit
	val    *Known
	own    Finding
	owned  bool
}

// end is where the longest ends.
func (p *proposals) end() int { return max(p.form.end, p.known.end, p.own.End) }

// try decides what begins at q, where the word or mark [q, we) stands. May is what the filter says of it.
func (c *scanner) try(q, we int, acc class, may bool) verdict {
	c.open(q)
	c.place = q
	var p proposals
	p.form, p.formed = c.structured(q, we, acc, may)
	if may {
		p.known, p.val = c.known.match(c, q)
	}
	if c.rules != nil {
		p.own, p.owned = c.rules.match(c, q)
	}
	if !c.plain && (c.disguised(q) || may && c.haltDisguised(q)) && c.startsWord(q) {
		if v := c.unmask(q, p.end()); v != done {
			return v
		}
	}
	var in hit
	var label flow.Label
	if acc&cAmp != 0 || (!p.formed || p.form.end < c.end) && (c.end-q >= minEncoded || acc&cPercent != 0) { // an address is looked into by itself
		in, label = c.encoded(q, acc)
	}
	if v, bad := c.stuck(q); bad {
		c.sw = swallower{mode: swallowURL, rule: &byLength}
		return v
	}
	switch {
	case in.end > p.end():
		if p.formed {
			label = c.tax.Stricter(label, c.labelOf(p.form))
		}
		if p.val != nil {
			label = c.tax.Stricter(label, p.val.Label)
		}
		if p.owned {
			label = c.tax.Stricter(label, p.own.Label)
		}
		c.take(q, in, label, "")
		if p.val != nil {
			c.f.Score = 1
		}
		if p.owned {
			c.f.Score = max(c.f.Score, p.own.Score)
		}
		return found
	case p.val != nil && p.known.end >= max(p.form.end, p.own.End):
		label = p.val.Label
		if p.owned {
			label = c.tax.Stricter(label, p.own.Label)
		}
		if p.formed { // a value that is known under a mild label is still what it looks like
			label = c.tax.Stricter(label, c.labelOf(p.form))
		}
		if c.rules != nil {
			label, _ = c.rules.raise(label, c.s[q:p.known.end])
		}
		c.take(q, p.known, label, p.val.Text)
		return found
	case p.formed && p.form.rule == &byArmour:
		c.sw = swallower{mode: swallowKey, rule: p.form.rule}
		return long
	case p.formed:
		c.take(q, p.form, c.labelOf(p.form), "")
	}
	if c.rules != nil {
		return c.settled(p.formed, p.own, p.owned)
	}
	if !p.formed {
		return done
	}
	return found
}

// take lets f be the hit that begins at q.
func (c *scanner) take(q int, h hit, label flow.Label, known string) {
	c.f = h.rule.finding(q, h.end)
	c.f.Label, c.f.Known = label, known
}

// unmask takes what is disguised at q, if it is longer than what ends at end.
func (c *scanner) unmask(q, end int) verdict {
	d, ok := c.undisguise(q)
	if !ok || d.end <= end {
		return done
	}
	if v, bad := c.stuck(q); bad {
		c.sw = swallower{mode: swallowURL, rule: &byLength}
		return v
	}
	known := ""
	if d.known != nil {
		known = d.known.Text
	}
	c.take(q, d.hit, d.label, known)
	return found
}

// settled decides between what was found by form, in f if ok, and by a rule of the user's own. The longer counts, the user's
// own of two alike, under the stricter label: to name a thing otherwise does not make it milder.
func (c *scanner) settled(ok bool, own Finding, hasOwn bool) verdict {
	if ok {
		stays, gone := c.rules.settle(&c.f, c.s[c.f.Start:c.f.End])
		if gone && !hasOwn {
			return skip
		}
		ok = stays
	}
	switch {
	case !ok && !hasOwn:
		return done
	case !ok:
		c.f = own
		c.f.Score = c.surest(own)
	case hasOwn && own.End >= c.f.End:
		own.Label, own.Score = c.tax.Stricter(own.Label, c.f.Label), max(c.surest(own), c.f.Score)
		c.f = own
	case hasOwn:
		c.f.Label, c.f.Score = c.tax.Stricter(c.f.Label, own.Label), max(c.f.Score, own.Score)
	}
	return found
}

// surest is the score of a finding of the user's own, or that of something surer within it: a vague pattern makes nothing vague.
func (c *scanner) surest(own Finding) float64 {
	if own.Score >= 1 {
		return own.Score
	}
	score, text := own.Score, c.s[own.Start:own.End]
	inner := scanner{s: text, final: true, tax: c.tax, known: c.known, inner: true}
	for p := 0; p < len(text); {
		switch v, _ := inner.next(p); v {
		case found:
			score = max(score, inner.f.Score)
			p = inner.f.End
		case long:
			return 1
		default:
			return score
		}
	}
	return score
}

// labelOf is the label of what structured just took.
func (c *scanner) labelOf(h hit) flow.Label {
	if h.rule == &byURL {
		return c.label
	}
	return h.rule.label
}

// structured tries what has a form of its own, the longest and surest forms first.
func (c *scanner) structured(q, we int, acc class, may bool) (hit, bool) {
	b := c.s[q]
	switch {
	case isDigit(b):
		return c.digits(q, we, acc)
	case isLetter(b):
		return c.letters(q, we, acc, may)
	case b >= utf8.RuneSelf:
		if acc&cAt != 0 {
			if h, ok := c.email(q); ok {
				return h, true
			}
		}
		if i := c.currencySign(q); i > q {
			return c.signed(q, i)
		}
		if c.starts {
			return c.words(q, we)
		}
	case b == '$':
		return c.signed(q, q+1)
	case b == '+' || b == '(':
		return c.phone(q)
	case b == ':':
		return c.ipv6(q)
	case b == '-':
		return c.privateKey(q)
	}
	return hit{}, false
}

func (c *scanner) digits(q, we int, acc class) (hit, bool) {
	if acc&cAt != 0 {
		if h, ok := c.email(q); ok {
			return h, true
		}
	}
	if h, ok := c.document(q); ok {
		return h, true
	}
	if c.s[q] == '1' && c.at(we) == '/' {
		if h, ok := c.secret(q); ok {
			return h, true
		}
	}
	if h, ok := c.credential(q); ok {
		return h, true
	}
	if h, ok := c.wallet(q, we); ok {
		return h, true
	}
	switch b := c.at(we); {
	case we-q > 4:
	case b == '-' || b == '/' || b == '.':
		if h, ok := c.numericDate(q); ok {
			return h, true
		}
		if h, ok := c.ipv4(q); ok {
			return h, true
		}
		fallthrough
	case b == ' ' || b >= utf8.RuneSelf:
		if h, ok := c.dayNamed(q); ok {
			return h, true
		}
	}
	if acc&cColon != 0 {
		if h, ok := c.ipv6(q); ok {
			return h, true
		}
	}
	if h, ok := c.mac(q, we); ok {
		return h, true
	}
	if c.s[q] == '8' && c.at(q+1) == '9' { // an ICCID, which in groups begins as other numbers do
		if h, ok := c.device(q); ok {
			return h, true
		}
	}
	if h, ok := c.official(q); ok {
		return h, true
	}
	if h, ok := c.number(q); ok {
		return h, true
	}
	if h, ok := c.cued(q, we); ok {
		return h, true
	}
	if h, ok := c.device(q); ok {
		return h, true
	}
	return c.figures(q, we)
}

func (c *scanner) letters(q, we int, acc class, may bool) (hit, bool) {
	if acc&cColon != 0 || c.s[q]|0x20 == 'w' {
		if h, ok := c.url(q); ok {
			return h, true
		}
	}
	if acc&cAt != 0 {
		if h, ok := c.email(q); ok {
			return h, true
		}
	}
	if c.starts {
		if h, ok := c.words(q, we); ok {
			return h, true
		}
	}
	if acc&cDigit == 0 && acc&cColon == 0 {
		if c.end-q > minSecretBody {
			if h, ok := c.secret(q); ok {
				return h, true
			}
		}
		if twoCapitals(c.s[q:we]) && c.at(we) == ' ' && isDigit(c.at(we+1)) {
			if h, ok := c.document(q); ok {
				return h, true
			}
			if h, ok := c.official(q); ok {
				return h, true
			}
			return c.plate(q)
		}
		return hit{}, false
	}
	if h, ok := c.secret(q); ok {
		return h, true
	}
	if h, ok := c.credential(q); ok {
		return h, true
	}
	if h, ok := c.wallet(q, we); ok {
		return h, true
	}
	if h, ok := c.iban(q); ok {
		return h, true
	}
	if h, ok := c.document(q); ok {
		return h, true
	}
	if h, ok := c.official(q); ok {
		return h, true
	}
	if acc&cColon != 0 {
		if h, ok := c.ipv6(q); ok {
			return h, true
		}
	}
	if h, ok := c.mac(q, we); ok {
		return h, true
	}
	if h, ok := c.cued(q, we); ok {
		return h, true
	}
	if h, ok := c.device(q); ok {
		return h, true
	}
	return c.mixed(q, we)
}
