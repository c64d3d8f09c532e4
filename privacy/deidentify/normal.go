package deidentify

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/scrimhq/scrim/flow"
)

// Normal is the form in which values of the class are compared: NFKC, lower case, spaces folded; numbers of fixed format without separators.
func Normal(c flow.Class, value string) string {
	if Separated(c) {
		return NormalDigits(value)
	}
	return NormalText(value)
}

// NormalText is NFKC, lower case, and one space where there were several.
func NormalText(value string) string {
	return strings.Join(strings.Fields(lowered(value)), " ")
}

// NormalDigits is [NormalText] without separators, if anything is left.
func NormalDigits(value string) string {
	value = lowered(value)
	if bare := separators.Replace(value); bare != "" {
		return bare
	}
	return strings.Join(strings.Fields(value), " ")
}

// lowered is NFKC in lower case. Bytes that are no UTF-8 go first: what stands behind one would be left as it was written.
func lowered(value string) string {
	return strings.ToLower(norm.NFKC.String(strings.ToValidUTF8(value, "\ufffd")))
}

var separators = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "")

// Separated reports whether spaces, hyphens and the like within a value of the class mean nothing.
func Separated(c flow.Class) bool {
	return c.Kind == flow.Digits || c.Label.Within("person/contact/phone") || c.Label.Within("finance/iban")
}

// AppendNormal appends the normal form of the value. ASCII goes without an allocation.
func AppendNormal(dst []byte, c flow.Class, value []byte) []byte {
	bare := Separated(c)
	from, space := len(dst), false
	for _, b := range value {
		switch {
		case b >= 0x80:
			return append(dst[:from], Normal(c, string(value))...)
		case bare && (b == ' ' || b == '-' || b == '.' || b == '(' || b == ')' || b == '/'):
			continue
		case !bare && (b == ' ' || b >= '\t' && b <= '\r'):
			space = true
			continue
		case 'A' <= b && b <= 'Z':
			b += 'a' - 'A'
		}
		if space && len(dst) > from {
			dst = append(dst, ' ')
		}
		space = false
		dst = append(dst, b)
	}
	if bare && len(dst) == from {
		return append(dst, Normal(c, string(value))...)
	}
	return dst
}

// NormalMarks is the text without the marks above and below its letters.
func NormalMarks(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(text))
}
