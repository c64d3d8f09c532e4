package json

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Text returns the content of string n without its escapes, and "" for other kinds.
func (d *Doc) Text(n int) string {
	node := &d.Nodes[n]
	if node.Kind != String {
		return ""
	}
	if !node.Escaped {
		return string(d.Src[node.Start+1 : node.End-1])
	}
	return string(d.AppendText(nil, n))
}

// AppendText appends the content of string n without its escapes to dst; nothing for other kinds.
func (d *Doc) AppendText(dst []byte, n int) []byte {
	node := &d.Nodes[n]
	if node.Kind != String {
		return dst
	}
	return appendUnescaped(dst, d.Src[node.Start+1:node.End-1])
}

// Key returns the name of member n without its escapes, or nil if n is not a member of an object. The result may be
// part of Src and must not be changed.
func (d *Doc) Key(n int) []byte {
	node := &d.Nodes[n]
	if node.KeyStart < 0 {
		return nil
	}
	_, name := node.name(d.Src, nil)
	return name
}

// Raw returns the bytes of value n as they stand in Src. They must not be changed.
func (d *Doc) Raw(n int) []byte {
	node := &d.Nodes[n]
	return d.Src[node.Start:node.End:node.End]
}

// Member finds the member called key, without escapes, of object obj. It is false also if obj is not an object. The
// time is linear in the number of members.
func (d *Doc) Member(obj int, key string) (int, bool) {
	around := &d.Nodes[obj]
	if around.Kind != Object {
		return 0, false
	}
	for n := obj + 1; n < int(around.Next); n = int(d.Nodes[n].Next) {
		node := &d.Nodes[n]
		raw := d.Src[node.KeyStart+1 : node.KeyEnd-1]
		if node.KeyEscaped {
			raw = appendUnescaped(nil, raw)
		}
		if string(raw) == key {
			return n, true
		}
	}
	return 0, false
}

// Children yields the indices of the members or elements of n, in order; none for scalars.
func (d *Doc) Children(n int) iter.Seq[int] {
	end := int(d.Nodes[n].Next)
	return func(yield func(int) bool) {
		for c := n + 1; c < end; c = int(d.Nodes[c].Next) {
			if !yield(c) {
				return
			}
		}
	}
}

// Pointer returns the place of n as a JSON Pointer (RFC 6901) that may be printed: the names of members for which
// declared is false appear as "*", since a name can be a value. A nil declared means that all names may be shown.
// The root is "".
func (d *Doc) Pointer(n int, declared func(n int) bool) flow.Path {
	var small [16]int
	up := small[:0]
	for ; d.Nodes[n].Parent >= 0; n = int(d.Nodes[n].Parent) {
		up = append(up, n)
	}
	var out []byte
	for i := len(up) - 1; i >= 0; i-- {
		n := up[i]
		out = append(out, '/')
		switch {
		case d.Nodes[n].KeyStart < 0:
			out = strconv.AppendInt(out, int64(d.Nodes[n].Index), 10)
		case declared != nil && !declared(n):
			out = append(out, '*')
		default:
			for _, c := range d.Key(n) {
				switch c {
				case '~':
					out = append(out, "~0"...)
				case '/':
					out = append(out, "~1"...)
				default:
					out = append(out, c)
				}
			}
		}
	}
	return flow.Path(out)
}

// appendUnescaped appends the content of a checked string, given without quotes.
func appendUnescaped(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		size, r, err := escape(raw[i:])
		if err != nil {
			panic("json: a string changed after it was parsed")
		}
		dst = utf8.AppendRune(dst, r)
		raw = raw[i+size:]
	}
}

// AppendString appends s to dst as a JSON string: quoted, with the fewest escapes, and with U+FFFD in place of each
// byte that is not UTF-8.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped is AppendString without the quotes.
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf && plain[c] {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		i += size
		start = i
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c >= utf8.RuneSelf {
				dst = append(dst, "\uFFFD"...)
			} else {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
	}
	return append(dst, s[start:]...)
}
