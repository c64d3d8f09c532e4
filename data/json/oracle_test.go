package json

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ref is a value as the reference reader sees it: a plain recursive descent that keeps all white space. It shares no
// code with the package, so that the two can be held against each other.
type ref struct {
	id   int // place in the order of the text
	kind Kind
	raw  string // scalars
	text string // strings, without escapes
	kids []*ref

	name, nameRaw string
	lead          string // white space before the name, or before the element
	colon         string // from behind the name to before the value
	trail         string // white space behind the value
	inner         string // white space in an empty container
}

type refReader struct {
	s   string
	n   int
	lim Limits
}

// readRef returns the document in s, or false if it is not acceptable.
func readRef(s string, lim Limits) (v *ref, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if r != refused {
				panic(r)
			}
			v, ok = nil, false
		}
	}()
	lim = lim.withDefaults()
	if len(s) > lim.Bytes || !utf8.ValidString(s) {
		return nil, false
	}
	r := &refReader{s: s, lim: lim}
	lead := r.space()
	v = r.value(0)
	v.lead, v.trail = lead, r.space()
	r.want(r.s == "")
	return v, true
}

const refused = "refused by the reference"

func (r *refReader) want(ok bool) {
	if !ok {
		panic(refused)
	}
}

func (r *refReader) take(n int) string {
	r.want(n <= len(r.s))
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *refReader) space() string {
	return r.take(len(r.s) - len(strings.TrimLeft(r.s, " \t\r\n")))
}

func (r *refReader) value(depth int) *ref {
	v := &ref{id: r.n}
	r.n++
	r.want(r.n <= r.lim.Nodes && r.s != "")
	switch c := r.s[0]; {
	case c == '{' || c == '[':
		r.container(v, depth+1)
	case c == '"':
		v.kind = String
		v.raw, v.text = r.str()
	default:
		for k, word := range []string{"null", "false", "true"} {
			if strings.HasPrefix(r.s, word) {
				v.kind, v.raw = Kind(k), r.take(len(word))
				return v
			}
		}
		v.kind, v.raw = Number, r.num()
		r.want(len(v.raw) <= r.lim.Number)
	}
	return v
}

func (r *refReader) container(v *ref, depth int) {
	r.want(depth <= r.lim.Depth)
	v.kind = Array
	end := "]"
	if r.take(1) == "{" {
		v.kind, end = Object, "}"
	}
	space := r.space()
	if strings.HasPrefix(r.s, end) {
		r.take(1)
		v.inner = space
		return
	}
	names := map[string]bool{}
	for {
		var name, nameRaw, colon string
		if v.kind == Object {
			nameRaw, name = r.str()
			r.want(!names[name])
			names[name] = true
			colon = r.space()
			r.want(strings.HasPrefix(r.s, ":"))
			colon += r.take(1) + r.space()
		}
		kid := r.value(depth)
		kid.lead, kid.name, kid.nameRaw, kid.colon = space, name, nameRaw, colon
		kid.trail = r.space()
		v.kids = append(v.kids, kid)
		if next := r.take(1); next == end {
			return
		} else {
			r.want(next == ",")
		}
		space = r.space()
	}
}

func (r *refReader) str() (raw, text string) {
	whole := r.s
	r.want(strings.HasPrefix(r.s, `"`))
	r.take(1)
	var units []uint16
	for {
		c, size := utf8.DecodeRuneInString(r.s)
		r.want(size > 0 && c >= ' ')
		r.take(size)
		switch c {
		case '"':
			text = string(utf16.Decode(units))
			// A surrogate without its other half decodes as U+FFFD and does not come back as it was.
			r.want(fmt.Sprint(utf16.Encode([]rune(text))) == fmt.Sprint(units))
			return whole[:len(whole)-len(r.s)], text
		case '\\':
			e := r.take(1)
			if e == "u" {
				var u uint16
				for _, h := range r.take(4) {
					digit := strings.IndexRune("0123456789abcdef", h)
					if digit < 0 {
						digit = strings.IndexRune("0123456789ABCDEF", h)
					}
					r.want(digit >= 0)
					u = u<<4 | uint16(digit)
				}
				units = append(units, u)
				continue
			}
			k := strings.Index(`"\/bfnrt`, e)
			r.want(k >= 0)
			units = append(units, uint16("\"\\/\b\f\n\r\t"[k]))
		default:
			units = utf16.AppendRune(units, c)
		}
	}
}

func (r *refReader) num() string {
	whole := r.s
	digits := func() int {
		n := len(r.s) - len(strings.TrimLeft(r.s, "0123456789"))
		r.want(n > 0)
		r.take(n)
		return n
	}
	if strings.HasPrefix(r.s, "-") {
		r.take(1)
	}
	zero := strings.HasPrefix(r.s, "0")
	n := digits()
	r.want(!zero || n == 1)
	if strings.HasPrefix(r.s, ".") {
		r.take(1)
		digits()
	}
	if strings.HasPrefix(r.s, "e") || strings.HasPrefix(r.s, "E") {
		r.take(1)
		if strings.HasPrefix(r.s, "+") || strings.HasPrefix(r.s, "-") {
			r.take(1)
		}
		digits()
	}
	return whole[:len(whole)-len(r.s)]
}

// meaning writes v without white space and escapes, numbers as they are: equal for documents that say the same.
func (v *ref) meaning() string {
	var b strings.Builder
	v.writeMeaning(&b)
	return b.String()
}

func (v *ref) writeMeaning(b *strings.Builder) {
	switch v.kind {
	case String:
		fmt.Fprintf(b, "%q", v.text)
	case Array, Object:
		fmt.Fprintf(b, "%v(", v.kind)
		for _, kid := range v.kids {
			if v.kind == Object {
				fmt.Fprintf(b, "%q=", kid.name)
			}
			kid.writeMeaning(b)
			b.WriteByte(' ')
		}
		b.WriteByte(')')
	default:
		b.WriteString(v.raw)
	}
}

// walk calls f for v and all in it, in the order of the text.
func (v *ref) walk(f func(v *ref)) {
	f(v)
	for _, kid := range v.kids {
		kid.walk(f)
	}
}
