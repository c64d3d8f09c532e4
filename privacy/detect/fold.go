package detect

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/scrimhq/scrim/flow"
)

// What a rune looks like to a reader, for values that are written so that a byte-wise search passes them by.
type foldKind uint8

const (
	foldNone   foldKind = iota // like nothing else
	foldDrop                   // nothing is seen, or a mark over the letter before
	foldSpace                  // a space of another kind
	foldMark                   // a mark of ASCII
	foldSign                   // a letter or digit in another guise: full width, mathematical, circled, or another script's digit
	foldLetter                 // a letter of another script that looks like one of ours
)

// foldReach is how many bytes of the text a window of folded text covers at most, foldWalk how far one is looked for.
const foldReach, foldWalk = 200, 64

// alike has the letters of the Greek, Cyrillic and Armenian blocks that look like a Latin one.
var alike = func() (t [0x590 - 0x370]byte) {
	const pairs = "аaеeоoрpсcуyхxіiјjѕsԁdһhԛqԝwӏlАAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSԌGԚQԜWΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXαaοoνvρpυuιiκkօoսuոnհhցgԼL"
	for i := 0; i < len(pairs); {
		r, n := utf8.DecodeRuneInString(pairs[i:])
		t[r-0x370] = pairs[i+n]
		i += n + 1
	}
	return t
}()

// foldRune returns what r looks like.
func foldRune(r rune) (byte, foldKind) {
	switch {
	case 0x3041 <= r && r < 0xFE00 && r != 0x30FB && !(0xA620 <= r && r < 0xAC00):
		return 0, foldNone
	case r == 0xAD, 0x300 <= r && r <= 0x36F, r == 0x61C, r == 0x180E, 0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E,
		0x2060 <= r && r <= 0x206F, 0xFE00 <= r && r <= 0xFE0F, r == 0xFEFF, 0xE0000 <= r && r <= 0xE01EF:
		return 0, foldDrop
	case r == 0xA0, r == 0x1680, 0x2000 <= r && r <= 0x200A, r == 0x202F, r == 0x205F, r == 0x3000:
		return ' ', foldSpace
	case r == 0xB7, 0x2010 <= r && r <= 0x2015, r == 0x2022, r == 0x2027, r == 0x2043, r == 0x2212, r == 0x2219, r == 0x22C5, r == 0x30FB,
		r == 0xFE58, r == 0xFE63, r == 0xFF65:
		return '-', foldMark
	case r == 0x2024, r == 0x3002, r == 0xFF61, r == 0xFE52:
		return '.', foldMark
	case r == 0xFE6B:
		return '@', foldMark
	case r == 0x2044, r == 0x2215:
		return '/', foldMark
	case 0xFF01 <= r && r <= 0xFF5E:
		if b := byte(r - 0xFEE0); !isAlnum(b) {
			return b, foldMark
		}
		return byte(r - 0xFEE0), foldSign
	case 0x1D400 <= r && r <= 0x1D6A3:
		n := byte((r - 0x1D400) % 52)
		if n < 26 {
			return 'A' + n, foldSign
		}
		return 'a' + n - 26, foldSign
	case 0x24B6 <= r && r <= 0x24CF:
		return byte(r-0x24B6) + 'A', foldSign
	case 0x24D0 <= r && r <= 0x24E9:
		return byte(r-0x24D0) + 'a', foldSign
	case 0x2460 <= r && r <= 0x2468:
		return byte(r-0x2460) + '1', foldSign
	case r == 0x24EA:
		return '0', foldSign
	case 0x370 <= r && r < 0x590 && alike[r-0x370] != 0:
		return alike[r-0x370], foldLetter
	case r == 0x131:
		return 'i', foldLetter
	case r == 0x251:
		return 'a', foldLetter
	case r == 0x261:
		return 'g', foldLetter
	case r >= 0x660 && unicode.Is(unicode.Nd, r):
		return digitOf(r), foldSign
	}
	return 0, foldNone
}

// digitOf returns the ASCII digit of r, which is one of category Nd: those come in tens, the zero first.
func digitOf(r rune) byte {
	for _, x := range unicode.Nd.R16 {
		if rune(x.Lo) <= r && r <= rune(x.Hi) {
			return '0' + byte((r-rune(x.Lo))%10)
		}
	}
	for _, x := range unicode.Nd.R32 {
		if rune(x.Lo) <= r && r <= rune(x.Hi) {
			return '0' + byte((r-rune(x.Lo))%10)
		}
	}
	return '0'
}

// foldOpens reports whether something can begin at a rune that stands alone, once it is folded.
func foldOpens(r rune) bool {
	b, kind := foldRune(r)
	return kind == foldSign || kind == foldMark && (b == '+' || b == '(')
}

// disguised reports whether at q a word or number begins that is not all it seems: marks nobody sees, signs of another width or
// script, letters that look like ours among ours, separators of other kinds.
func (c *scanner) disguised(q int) bool {
	if q+foldWalk <= c.lim && !highIn(c.s[q:q+foldWalk]) {
		return false
	}
	letters, ascii, raw := false, false, false
	digit := false // the last sign was one
	i := q
	for i < q+foldWalk {
		b := c.at(i)
		if b < utf8.RuneSelf {
			switch {
			case isAlnum(b):
				ascii, digit = true, isDigit(b)
			case (b == ' ' || b == '(' || b == ')') && digit && (isDigit(c.at(i+1)) || c.at(i+1) >= utf8.RuneSelf || b != ' ' && c.at(i+1) == ' '):
			case classes[b]&cRun != 0:
			default:
				return letters && (ascii || !raw)
			}
			i++
			continue
		}
		r, n := c.rune(i)
		if n == 0 {
			break
		}
		switch _, kind := foldRune(r); kind {
		case foldDrop, foldMark, foldSign:
			return i > q || kind != foldDrop
		case foldSpace:
			if digit {
				return true
			}
			return letters && (ascii || !raw)
		case foldLetter:
			letters = true
		default:
			if !letterRune(r) {
				return letters && (ascii || !raw)
			}
			if raw = true; letters && !ascii { // an honest word of another script
				return false
			}
		}
		i += n
	}
	return letters && (ascii || !raw)
}

// highIn reports whether one of the foldWalk bytes of x is beyond ASCII.
func highIn(x string) bool {
	var all uint64
	for i := 0; i+8 <= len(x); i += 8 {
		all |= eight(x[i : i+8])
	}
	return all&(0x80*lows) != 0
}

// haltDisguised reports whether the word that no known value goes on with is not what it seems.
func (c *scanner) haltDisguised(q int) bool {
	i := c.halt
	if i <= q {
		return false
	}
	for i < c.halt+foldWalk && isAlnum(c.at(i)) {
		i++
	}
	return c.at(i) >= utf8.RuneSelf && c.disguised(c.halt)
}

// startsWord reports whether no letter or digit, in whatever guise, stands before q; what is not seen does not count.
func (c *scanner) startsWord(q int) bool {
	for range 4 {
		if q == 0 {
			return true
		}
		b := c.s[q-1]
		if b < utf8.RuneSelf {
			return !isAlnum(b)
		}
		r, n := utf8.DecodeLastRuneInString(c.s[max(0, q-utf8.UTFMax):q])
		switch _, kind := foldRune(r); kind {
		case foldDrop:
			q -= n
		case foldSign, foldLetter:
			return false
		default:
			return !letterRune(r)
		}
	}
	return false
}

// folded is a part of a text as a reader sees it.
type folded struct {
	n   int
	b   [foldReach]byte
	end [foldReach]uint8 // where in the part of the text each byte ends
	odd int              // where the first thing that was folded begins
}

// fold reads the text from q on, until a line ends or something comes that can be part of nothing.
func (f *folded) fold(c *scanner, q int) {
	f.n, f.odd = 0, -1
	for i := q; i < q+foldReach-utf8.UTFMax; {
		b := c.at(i)
		if b < utf8.RuneSelf {
			if b == '\n' || b == 0 {
				return
			}
			f.put(b, i+1-q)
			i++
			continue
		}
		r, n := c.rune(i)
		if n == 0 {
			return
		}
		to, kind := foldRune(r)
		switch {
		case kind == foldNone && !letterRune(r):
			return
		case kind == foldNone:
			for j := range n {
				f.put(c.s[i+j], i+n-q)
			}
		case kind == foldDrop && unicode.IsMark(r) && f.n > 0:
			f.end[f.n-1] = uint8(i + n - q)
		case kind != foldDrop:
			f.put(to, i+n-q)
		}
		if kind != foldNone && f.odd < 0 {
			f.odd = i - q
		}
		i += n
	}
}

func (f *folded) put(b byte, end int) {
	f.b[f.n], f.end[f.n] = b, uint8(end)
	f.n++
}

// foldText is the text as a reader sees it, without accents.
func foldText(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range norm.NFKD.String(text) {
		switch b, kind := foldRune(r); kind {
		case foldNone:
			out = utf8.AppendRune(out, r)
		case foldDrop:
		default:
			out = append(out, b)
		}
	}
	return string(out)
}

// foldedLeft returns what stands before q as a reader sees it, from a word's beginning on.
func (c *scanner) foldedLeft(q int) string {
	left := c.left(q)
	if len(left) == behind { // the first word may be cut
		i := 0
		for i < len(left) && !isSpace(left[i]) {
			i++
		}
		left = left[i:]
	}
	plain := true
	for i := range len(left) {
		plain = plain && left[i] < utf8.RuneSelf
	}
	if plain {
		return left
	}
	out := make([]byte, 0, len(left))
	for _, r := range left {
		b, kind := foldRune(r)
		switch {
		case kind == foldNone:
			out = utf8.AppendRune(out, r)
		case kind != foldDrop:
			out = append(out, b)
		}
	}
	return string(out)
}

// disguise is what was found in folded text.
type disguise struct {
	hit
	label flow.Label
	known *Known
}

// undisguise decides what begins at q, once the text is folded. What it takes has something in it that was folded: all else is
// for others to find. It reads less than Holdback bytes.
func (c *scanner) undisguise(q int) (d disguise, ok bool) {
	var f folded
	f.fold(c, q)
	if f.odd < 0 || f.n == 0 {
		return d, false
	}
	left := c.foldedLeft(q)
	in := scanner{s: left + string(f.b[:f.n]), final: true, tax: c.tax, known: c.known, inner: c.inner, plain: true}
	at := len(left)
	in.open(at)
	e, acc := in.measure(at)
	in.end, in.noMail = e, at
	we := at
	for we < e && classes[in.s[we]]&cWord != 0 {
		we++
	}
	we = max(we, at+1)
	may := c.known.filter.may(hashWord(in.s[at:we]))
	h, ok := in.structured(at, we, acc, may)
	if ok && h.rule == &byArmour {
		ok = false
	}
	if ok {
		d = disguise{hit: h, label: in.labelOf(h)}
	}
	if known, val := c.known.match(&in, at); val != nil && known.end >= d.end {
		label := val.Label
		if ok {
			label = c.tax.Stricter(label, d.label)
		}
		d, ok = disguise{known, label, val}, true
	}
	if !ok {
		return d, false
	}
	end := int(f.end[d.end-at-1])
	if end <= f.odd {
		return d, false
	}
	d.end = q + end
	return d, true
}
