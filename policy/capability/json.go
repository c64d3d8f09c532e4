package capability

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is the kind of a JSON value.
type kind uint8

const (
	isNull kind = iota
	isTrue
	isFalse
	isNumber
	isString
	isArray
	isObject
)

// value is one JSON value as a token holds it.
type value struct {
	kind    kind
	text    string // of a string, decoded; of a number, as written
	items   []value
	members []member
}

type member struct {
	name string
	value
}

// get returns the member of the name; a value that is no object has none.
func (v *value) get(name string) (*value, bool) {
	for i := range v.members {
		if v.members[i].name == name {
			return &v.members[i].value, true
		}
	}
	return nil, false
}

// Limits of the JSON that this package reads: deeper or larger than any token of the profile has to be.
const (
	maxNesting = 16
	maxValues  = 4096

	maxFlatNesting = 256 // of arguments, which are only passed over
	maxFlatValues  = 1 << 24
)

// reader reads JSON (RFC 8259) strictly: UTF-8, no member name twice, no lone surrogates, nothing behind the value.
// It is the package's own because a policy package may not import the one that reads messages, and because
// encoding/json keeps the last of two members of one name.
type reader struct {
	src   string
	at    int
	left  int // values that may still come
	depth int
	flat  bool // keep nothing of what lies in members' values
}

// parse reads one JSON text; false where it is not strict JSON, or beyond the limits.
func parse(src string) (v value, ok bool) {
	r := reader{src: src, left: maxValues}
	if !utf8.ValidString(src) || !r.value(&v) {
		return value{}, false
	}
	r.space()
	return v, r.at == len(r.src)
}

func (r *reader) space() {
	for r.at < len(r.src) {
		switch r.src[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next skips space and returns the byte there, without taking it; 0 at the end.
func (r *reader) next() byte {
	r.space()
	if r.at == len(r.src) {
		return 0
	}
	return r.src[r.at]
}

// take takes the byte if it is next.
func (r *reader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) value(v *value) bool {
	if r.left--; r.left < 0 {
		return false
	}
	switch c := r.next(); c {
	case '{', '[':
		if r.depth++; r.depth > maxNesting && (!r.flat || r.depth > maxFlatNesting) {
			return false
		}
		r.at++
		ok := false
		if c == '{' {
			v.kind = isObject
			ok = r.object(v)
		} else {
			v.kind = isArray
			ok = r.array(v)
		}
		r.depth--
		return ok
	case '"':
		v.kind = isString
		return r.string(&v.text)
	case 't':
		v.kind = isTrue
		return r.word("true")
	case 'f':
		v.kind = isFalse
		return r.word("false")
	case 'n':
		v.kind = isNull
		return r.word("null")
	default:
		v.kind = isNumber
		return r.number(&v.text)
	}
}

func (r *reader) word(w string) bool {
	if len(r.src)-r.at < len(w) || r.src[r.at:r.at+len(w)] != w {
		return false
	}
	r.at += len(w)
	return true
}

func (r *reader) array(v *value) bool {
	if r.take(']') {
		return true
	}
	for {
		v.items = append(v.items, value{})
		if !r.value(&v.items[len(v.items)-1]) {
			return false
		}
		if r.flat {
			v.items = v.items[:0]
		}
		if r.take(']') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

func (r *reader) object(v *value) bool {
	if r.take('}') {
		return true
	}
	var seen map[string]struct{} // only of objects with many members
	for {
		if r.next() != '"' {
			return false
		}
		var m member
		if !r.string(&m.name) || !r.take(':') || twice(v.members, m.name, &seen) || !r.value(&m.value) {
			return false
		}
		if !r.flat || r.depth == 1 {
			v.members = append(v.members, m)
		}
		if r.take('}') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

// twice reports whether the name is among the members, and notes it.
func twice(members []member, name string, seen *map[string]struct{}) bool {
	if len(members) < 16 {
		for i := range members {
			if members[i].name == name {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 2*len(members))
		for i := range members {
			(*seen)[members[i].name] = struct{}{}
		}
	}
	if _, ok := (*seen)[name]; ok {
		return true
	}
	(*seen)[name] = struct{}{}
	return false
}

// number takes a number as RFC 8259 section 6 writes it.
func (r *reader) number(out *string) bool {
	from := r.at
	if r.at < len(r.src) && r.src[r.at] == '-' {
		r.at++
	}
	whole := r.at
	if !r.digits() || r.src[whole] == '0' && r.at > whole+1 {
		return false
	}
	if r.at < len(r.src) && r.src[r.at] == '.' {
		r.at++
		if !r.digits() {
			return false
		}
	}
	if r.at < len(r.src) && r.src[r.at]|0x20 == 'e' {
		r.at++
		if r.at < len(r.src) && (r.src[r.at] == '+' || r.src[r.at] == '-') {
			r.at++
		}
		if !r.digits() {
			return false
		}
	}
	*out = r.src[from:r.at]
	return true
}

func (r *reader) digits() bool {
	from := r.at
	for r.at < len(r.src) && r.src[r.at] >= '0' && r.src[r.at] <= '9' {
		r.at++
	}
	return r.at > from
}

// string takes a string and decodes it. Strings without escapes, nearly all, are not copied.
func (r *reader) string(out *string) bool {
	r.at++
	from := r.at
	for r.at < len(r.src) {
		switch c := r.src[r.at]; {
		case c == '"':
			*out = r.src[from:r.at]
			r.at++
			return true
		case c == '\\':
			return r.escaped([]byte(r.src[from:r.at]), out)
		case c < 0x20:
			return false
		}
		r.at++
	}
	return false
}

func (r *reader) escaped(b []byte, out *string) bool {
	for r.at < len(r.src) {
		c := r.src[r.at]
		r.at++
		switch {
		case c == '"':
			*out = string(b)
			return true
		case c < 0x20:
			return false
		case c != '\\':
			b = append(b, c)
			continue
		}
		if r.at == len(r.src) {
			return false
		}
		c = r.src[r.at]
		r.at++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			c, ok := r.unicode()
			if !ok {
				return false
			}
			b = utf8.AppendRune(b, c)
		default:
			return false
		}
	}
	return false
}

// unicode takes the digits of \uXXXX, and the whole second half of a pair. Half a pair is refused: it denotes nothing,
// and readers differ in what they make of it.
func (r *reader) unicode() (rune, bool) {
	c, ok := r.hex()
	if !ok || !utf16.IsSurrogate(c) {
		return c, ok
	}
	if !r.word(`\u`) {
		return 0, false
	}
	low, ok := r.hex()
	c = utf16.DecodeRune(c, low)
	return c, ok && c != utf8.RuneError
}

func (r *reader) hex() (rune, bool) {
	if len(r.src)-r.at < 4 {
		return 0, false
	}
	for _, c := range []byte(r.src[r.at : r.at+4]) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(r.src[r.at:r.at+4], 16, 32)
	r.at += 4
	return rune(n), err == nil
}

// parseArguments reads the arguments of a tool: an object of any size, of whose members only the scalar ones are kept whole.
func parseArguments(src string) ([]member, bool) {
	r := reader{src: src, left: maxFlatValues, flat: true}
	var v value
	if !utf8.ValidString(src) || !r.value(&v) || v.kind != isObject {
		return nil, false
	}
	r.space()
	return v.members, r.at == len(r.src)
}
