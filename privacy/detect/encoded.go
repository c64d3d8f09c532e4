package detect

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Encoded is a run of text that is base64, hexadecimal, percent-encoded or written in HTML entities, with something in what it
// encodes, or with something compressed that nobody looks into.
const Encoded = "encoded"

// minEncoded is the length of the shortest run that is looked into.
const minEncoded = 16

// maxMarks is how many marks in front of a run are looked past to find where it begins.
const maxMarks = 8

// runOpens are the marks that a run may begin with. Others are passed over, whether or not something else is looked for there.
const runOpens = "%&+-:"

var (
	byBase64  = rule{Encoded, "", .9, "encoded/base64"}
	byHex     = rule{Encoded, "", .9, "encoded/hex"}
	byPercent = rule{Encoded, "", .9, "encoded/percent"}
	byHTML    = rule{Encoded, "", .9, "encoded/html"}
)

// The alphabets of encodings, by byte.
const (
	aStd     class = 1 << iota // base64
	aURL                       // base64url
	aPercent                   // percent-encoded: what needs no escape, and the sign
	aHTML                      // entities: what stands in an e-mail address or a number, and their own marks
)

var alphabets = func() (t [256]class) {
	for b := range t {
		if isAlnum(byte(b)) {
			t[b] = aStd | aURL | aPercent | aHTML
		}
		if b >= utf8.RuneSelf {
			t[b] = aHTML
		}
	}
	for _, a := range []struct {
		marks string
		class class
	}{{"+/", aStd}, {"-_", aURL}, {"-._~%+", aPercent}, {"-._~+&#;@:/'", aHTML}} {
		for i := range len(a.marks) {
			t[a.marks[i]] |= a.class
		}
	}
	return t
}()

// runBegins reports whether a run of an alphabet begins at q, marks in front of it apart.
func (c *scanner) runBegins(q int, a class) bool {
	for range maxMarks {
		switch b := c.prev(q, 1); {
		case q == 0 || alphabets[b]&a == 0:
			return true
		case isAlnum(b) || b == '%' || b == '&' || b == ';' || b >= utf8.RuneSelf:
			return false
		}
		q--
	}
	return false
}

// stretch returns where bytes of an alphabet from q on end, at or before end.
func (c *scanner) stretch(q, end int, a class) int {
	for q < end && alphabets[c.s[q]]&a != 0 {
		q++
	}
	return q
}

// encoded looks into a run that begins at q and says what is in it: once, never into what is encoded twice.
func (c *scanner) encoded(q int, acc class) (hit, flow.Label) {
	if c.decoded || !isAlnum(c.s[q]) && strings.IndexByte(runOpens, c.s[q]) < 0 && c.s[q] < utf8.RuneSelf {
		return hit{}, ""
	}
	if acc&cAmp != 0 {
		if h, l := c.fromHTML(q); h.end > 0 {
			return h, l
		}
	}
	end := min(c.end, c.lim)
	if acc&cPercent != 0 {
		if h, l := c.fromPercent(q, end); h.end > 0 {
			return h, l
		}
	}
	if end-q < minEncoded || !isAlnum(c.s[q]) {
		return hit{}, ""
	}
	if h, l := c.fromHex(q, end); h.end > 0 {
		return h, l
	}
	// The longest first: a run of both marks is neither.
	std, url, plain := 0, 0, c.stretch(q, end, aStd&aURL)
	if c.runBegins(q, aStd) {
		std = c.stretch(q, end, aStd)
		if h, l := c.fromBase64(q, std, end, base64.RawStdEncoding); h.end > 0 {
			return h, l
		}
	}
	if c.runBegins(q, aURL) {
		if url = c.stretch(q, end, aURL); url != std {
			if h, l := c.fromBase64(q, url, end, base64.RawURLEncoding); h.end > 0 {
				return h, l
			}
		}
	}
	for plain < end && isAlnum(c.s[plain]) {
		plain++
	}
	if plain != std && plain != url {
		return c.fromBase64(q, plain, end, base64.RawStdEncoding)
	}
	return hit{}, ""
}

func (c *scanner) fromBase64(q, stop, end int, form *base64.Encoding) (hit, flow.Label) {
	if stop-q < minEncoded-2 || stop-q > Holdback {
		return hit{}, ""
	}
	text := c.s[q:stop]
	if len(text)%4 == 1 { // a last character that carries nothing
		text = text[:len(text)-1]
	}
	var four [4]byte
	var buf [Holdback]byte
	copy(four[:], text[:4])
	if n, err := form.Decode(buf[:], four[:]); err != nil || n == 0 {
		return hit{}, ""
	} else if b := buf[0]; b < utf8.RuneSelf && control(b) && b != 0x1f { // most that is no text ends here
		return hit{}, ""
	}
	n, err := form.Decode(buf[:], append(make([]byte, 0, Holdback), text...))
	if err != nil {
		return hit{}, ""
	}
	pad := stop
	for pad < end && pad < stop+2 && c.s[pad] == '=' {
		pad++
	}
	if pad-q < minEncoded {
		return hit{}, ""
	}
	return c.inside(pad, buf[:n], &byBase64)
}

func (c *scanner) fromHex(q, end int) (hit, flow.Label) {
	i := q
	if c.s[i] == '0' && c.s[i+1]|0x20 == 'x' {
		i += 2
	}
	stop := i
	for stop < end && isHex(c.s[stop]) {
		stop++
	}
	if stop-i < minEncoded || (stop-i)%2 != 0 || stop < end && isAlnum(c.s[stop]) {
		return hit{}, ""
	}
	var buf [Holdback / 2]byte
	n, err := hex.Decode(buf[:], append(make([]byte, 0, Holdback), c.s[i:stop]...))
	if err != nil {
		return hit{}, ""
	}
	return c.inside(stop, buf[:n], &byHex)
}

func (c *scanner) fromPercent(q, end int) (hit, flow.Label) {
	if !c.runBegins(q, aPercent) {
		return hit{}, ""
	}
	stop := c.stretch(q, end, aPercent)
	for stop > q && strings.IndexByte(".-+~_%", c.s[stop-1]) >= 0 {
		stop--
	}
	if stop-q < minEncoded {
		return hit{}, ""
	}
	var buf [Holdback]byte
	n, escapes := 0, 0
	for i := q; i < stop; i++ {
		b := c.s[i]
		switch {
		case b == '+':
			b = ' '
		case b == '%' && i+2 < stop && isHex(c.s[i+1]) && isHex(c.s[i+2]):
			b = hexDigit(c.s[i+1])<<4 | hexDigit(c.s[i+2])
			i, escapes = i+2, escapes+1
		}
		buf[n] = b
		n++
	}
	if escapes == 0 {
		return hit{}, ""
	}
	return c.inside(stop, buf[:n], &byPercent)
}

func hexDigit(b byte) byte {
	if isDigit(b) {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}

// fromHTML looks beyond the run, since a semicolon ends one.
func (c *scanner) fromHTML(q int) (hit, flow.Label) {
	if !c.runBegins(q, aHTML) {
		return hit{}, ""
	}
	stop, entities, open := q, 0, -1
	for {
		b := c.at(stop)
		if b == 0 || alphabets[b]&aHTML == 0 {
			break
		}
		switch {
		case b == '&':
			open = stop
		case b == ';' && open >= 0:
			entities, open = entities+1, -1
		}
		stop++
	}
	for stop > q && strings.IndexByte(".:/-'", c.s[stop-1]) >= 0 {
		stop--
	}
	if stop-q < minEncoded || entities == 0 {
		return hit{}, ""
	}
	return c.inside(stop, []byte(html.UnescapeString(c.s[q:stop])), &byHTML)
}

// packed is how compressed data begins.
var packed = [...]string{"\x1f\x8b\x08", "PK\x03\x04", "\x28\xb5\x2f\xfd", "\xfd7zXZ\x00"}

func control(b byte) bool {
	return b < ' ' && b != '\t' && b != '\n' && b != '\r' && b != '\f' || b == 0x7f
}

// inside says what is in the bytes that a run ending at end encodes.
func (c *scanner) inside(end int, b []byte, by *rule) (hit, flow.Label) {
	for _, magic := range packed {
		if len(b) >= len(magic) && string(b[:len(magic)]) == magic {
			return hit{end, by}, flow.OpaqueFile
		}
	}
	for _, x := range b {
		if control(x) {
			return hit{}, ""
		}
	}
	if !utf8.Valid(b) {
		return hit{}, ""
	}
	text := string(b)
	in := scanner{s: text, final: true, tax: c.tax, known: c.known, rules: c.rules, inner: c.inner, plain: c.plain, decoded: true}
	var label flow.Label
	for f, long := range in.all {
		if long {
			label = c.tax.Stricter(label, flow.Unlabelled)
		} else {
			label = c.tax.Stricter(label, f.Label)
		}
	}
	if label == "" {
		return hit{}, ""
	}
	return hit{end, by}, label
}
