package document

import (
	"bytes"
	"math"
	"strconv"
)

// What a PDF is made of. Numbers are float64, booleans bool, null nil.
type (
	name    string
	text    string // a string's bytes
	ref     int    // the number of an object
	array   []any
	dict    map[name]any
	keyword string // an operator, or a word of the file's structure
	mark    byte   // a delimiter that closes
)

// stream is a dictionary with data.
type stream struct {
	dict dict
	raw  []byte
	data []byte // once decoded
	read bool   // decoded is right
	used bool   // something read what is in it
}

// lexer reads objects, and tells the reader what they say beside their meaning.
type lexer struct {
	r     *reader
	b     []byte
	at    int
	depth int
	drawn bool // a content stream: no references, and strings are told by whoever draws
	quiet bool // numbers are checked by whoever reads them
}

func space(b byte) bool {
	return b == ' ' || b == '\n' || b == '\r' || b == '\t' || b == '\f' || b == 0
}

func delimiter(b byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), b) >= 0 }

// skip passes over white space and comments, which count as terms.
func (l *lexer) skip() {
	for l.at < len(l.b) {
		switch b := l.b[l.at]; {
		case space(b):
			l.at++
		case b == '%':
			end := l.at
			for end < len(l.b) && l.b[end] != '\n' && l.b[end] != '\r' {
				end++
			}
			l.r.term(latin(l.b[l.at:end]))
			l.r.step(end - l.at)
			l.at = end
		default:
			return
		}
	}
}

// next returns the next object, keyword or closing mark; false at the end.
func (l *lexer) next() (any, bool) {
	l.skip()
	if l.at >= len(l.b) {
		return nil, false
	}
	l.r.step(1)
	switch b := l.b[l.at]; b {
	case '/':
		l.at++
		return l.name(), true
	case '(':
		l.at++
		return l.literal(), true
	case '<':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '<' {
			l.at += 2
			return l.dict(), true
		}
		l.at++
		return l.hex(), true
	case '[':
		l.at++
		return l.array(), true
	case ']':
		l.at++
		return mark(']'), true
	case '>':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '>' {
			l.at += 2
			return mark('>'), true
		}
		fail("a mark stands alone")
	case ')', '{', '}':
		fail("a mark stands alone")
	}
	return l.word(), true
}

func (l *lexer) token() []byte {
	start := l.at
	for l.at < len(l.b) && !space(l.b[l.at]) && !delimiter(l.b[l.at]) {
		l.at++
	}
	return l.b[start:l.at]
}

func (l *lexer) word() any {
	tok := l.token()
	switch string(tok) {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	if c := tok[0]; c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') {
		if len(tok) > 24 {
			fail("a word is too long")
		}
		l.r.term(latin(tok))
		return keyword(tok)
	}
	if len(tok) > 32 || bytes.IndexFunc(tok, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' && r != '+' }) >= 0 {
		fail("a number is none")
	}
	v, err := strconv.ParseFloat(string(tok), 64)
	if err != nil || math.Abs(v) > 1e12 {
		fail("a number is none")
	}
	if len(tok) >= 9 && !l.quiet {
		l.r.term(string(tok))
	}
	if l.drawn || v != math.Trunc(v) || v < 0 {
		return v
	}
	return l.reference(v)
}

// reference looks ahead for "12 0 R".
func (l *lexer) reference(v float64) any {
	at := l.at
	for at < len(l.b) && space(l.b[at]) {
		at++
	}
	if at == l.at || at >= len(l.b) || l.b[at] != '0' {
		return v
	}
	back := at + 1
	at = back
	for at < len(l.b) && space(l.b[at]) {
		at++
	}
	if at == back || at >= len(l.b) || l.b[at] != 'R' || at+1 < len(l.b) && !space(l.b[at+1]) && !delimiter(l.b[at+1]) {
		return v
	}
	l.at = at + 1
	if v > 1<<30 {
		fail("an object's number is too large")
	}
	return ref(v)
}

func (l *lexer) name() name {
	tok := l.token()
	if bytes.IndexByte(tok, '#') >= 0 {
		var out []byte
		for i := 0; i < len(tok); i++ {
			if tok[i] != '#' {
				out = append(out, tok[i])
				continue
			}
			if i+2 >= len(tok) {
				fail("a name is cut")
			}
			b, err := strconv.ParseUint(string(tok[i+1:i+3]), 16, 8)
			if err != nil {
				fail("a name is not spelled right")
			}
			out = append(out, byte(b))
			i += 2
		}
		tok = out
	}
	if len(tok) > 127 {
		fail("a name is too long")
	}
	l.r.term(latin(tok))
	return name(tok)
}

func (l *lexer) say(b []byte) text {
	l.r.step(len(b))
	if !l.drawn {
		l.r.say(textString(b))
	}
	return text(b)
}

func (l *lexer) literal() text {
	var out []byte
	for open := 1; ; l.at++ {
		if l.at >= len(l.b) {
			fail("a string has no end")
		}
		b := l.b[l.at]
		switch b {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				l.at++
				return l.say(out)
			}
		case '\r':
			if l.at+1 < len(l.b) && l.b[l.at+1] == '\n' {
				l.at++
			}
			b = '\n'
		case '\\':
			out = l.escape(out)
			continue
		}
		out = append(out, b)
	}
}

// escape reads what follows a backslash and stays on its last byte.
func (l *lexer) escape(out []byte) []byte {
	l.at++
	if l.at >= len(l.b) {
		fail("a string has no end")
	}
	switch b := l.b[l.at]; b {
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case '\r':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '\n' {
			l.at++
		}
		return out
	case '\n':
		return out
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v := 0
		for i := 0; i < 3 && l.at < len(l.b) && l.b[l.at] >= '0' && l.b[l.at] <= '7'; i++ {
			v = v<<3 | int(l.b[l.at]-'0')
			l.at++
		}
		l.at--
		return append(out, byte(v))
	default:
		return append(out, b)
	}
}

func (l *lexer) hex() text {
	var out []byte
	half, have := byte(0), false
	for ; ; l.at++ {
		if l.at >= len(l.b) {
			fail("a string has no end")
		}
		b := l.b[l.at]
		if b == '>' {
			break
		}
		if space(b) {
			continue
		}
		v, ok := hexValue(b)
		if !ok {
			fail("a string is not hexadecimal")
		}
		if half = half<<4 | v; have {
			out = append(out, half)
			half = 0
		}
		have = !have
	}
	l.at++
	if have {
		out = append(out, half<<4)
	}
	return l.say(out)
}

func hexValue(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func (l *lexer) deeper() func() {
	if l.depth++; l.depth > l.r.Depth {
		fail("it is nested too deep")
	}
	return func() { l.depth-- }
}

func (l *lexer) array() array {
	defer l.deeper()()
	out := array{}
	for {
		v, ok := l.next()
		if !ok || v == mark('>') {
			fail("an array has no end")
		}
		if v == mark(']') {
			return out
		}
		if _, word := v.(keyword); word {
			fail("a word stands in an array")
		}
		out = append(out, v)
	}
}

// closed are names that stand for what is not read: programs, forms, files and media.
var closed = map[name]bool{
	"JS": true, "JavaScript": true, "AA": true, "AcroForm": true, "XFA": true, "EmbeddedFile": true, "EmbeddedFiles": true, "EF": true, "AF": true,
	"Filespec": true, "FileAttachment": true, "RichMedia": true, "RichMediaContent": true, "Movie": true, "Sound": true, "Screen": true, "Rendition": true,
	"3D": true, "Launch": true, "ImportData": true, "SubmitForm": true, "GoToR": true, "GoToE": true, "Collection": true, "AP": true, "Encrypt": true,
	"F": true, "FFilter": true, "PieceInfo": true, "Thumb": true, "Alternates": true, "OPI": true, "Ref": true, "SMask": true, "WebCapture": true,
}

func (l *lexer) dict() dict {
	defer l.deeper()()
	out := dict{}
	for {
		k, ok := l.next()
		if !ok {
			fail("a dictionary has no end")
		}
		if k == mark('>') {
			return out
		}
		key, ok := k.(name)
		if !ok {
			fail("a dictionary has a key that is no name")
		}
		v, ok := l.next()
		if _, word := v.(keyword); !ok || word || v == mark('>') || v == mark(']') {
			fail("a dictionary has no end")
		}
		if _, twice := out[key]; twice {
			fail("a dictionary has a key twice")
		}
		if number, flag := v.(float64); closed[key] && !(key == "F" && flag && number >= 0) && !(key == "SMask" && v == name("None")) {
			fail("it holds a form, a program, a file or media")
		}
		if n, ok := v.(name); ok && closed[n] && (key == "S" || key == "Type" || key == "Subtype") {
			fail("it holds a form, a program, a file or media")
		}
		out[key] = v
	}
}
