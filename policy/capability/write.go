package capability

import (
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf16"
)

// encoding is base64url without padding, of which each value has one spelling only.
var encoding = base64.RawURLEncoding.Strict()

func encode(b []byte) string { return encoding.EncodeToString(b) }

// decode reads base64url. The decoder of the standard library skips line ends, so they are refused before.
func decode(s string) ([]byte, bool) {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' {
			return nil, false
		}
	}
	b, err := encoding.DecodeString(s)
	return b, err == nil
}

// object writes a JSON object in canonical form (RFC 8785): members in the order of their UTF-16 names.
type object []struct {
	name string
	raw  []byte
}

func (o *object) put(name string, raw []byte) {
	*o = append(*o, struct {
		name string
		raw  []byte
	}{name, raw})
}

func (o *object) text(name, s string)         { o.put(name, appendText(nil, s)) }
func (o *object) number(name string, n int64) { o.put(name, strconv.AppendInt(nil, n, 10)) }

func (o object) bytes() []byte {
	slices.SortFunc(o, func(a, b struct {
		name string
		raw  []byte
	}) int {
		return compareUTF16(a.name, b.name)
	})
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, m.name), ':')
		out = append(out, m.raw...)
	}
	return append(out, '}')
}

func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// texts writes an array of strings.
func texts[S ~string](list []S) []byte {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, string(s))
	}
	return append(out, ']')
}

const hexDigits = "0123456789abcdef"

// appendText writes a string as RFC 8785 section 3.2.2.2 does.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c == '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, '"')
}
