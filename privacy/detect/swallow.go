package detect

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
