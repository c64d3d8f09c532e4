// Package deidentify changes one value to a level: it makes a date shorter, a number coarser, masks a name.
//
// It is pure: no state, no keys, no I/O. What needs memory or keys, the tokens and surrogates, is package vault;
// what needs the place, the removal of a member or a span, is the caller's. A value that does not parse as its
// class says is masked, never passed on. Errors never hold a value.
//
// What a parameter does to a value:
//
//	day … decade   "1980-03-01T10:00:00Z" → "1980-03-01", "1980-03", "1980-Q1", "1980", "1980s"; the day is the one written, whatever
//	               its zone. A date that is already shorter stays. 03/04/1980, which is March or April, is a year.
//	bucket:N       1234 → 1200 (N 100), -1 → -100; strings keep their unit: "126 mg/dL" → "120 mg/dL". Ages end at 90.
//	round:N        1250 → 1300 (N 100), halves away from zero
//	prefix:N       postal "02139" → "021**": N letters or digits, at least one hidden, and always two asterisks;
//	               code "E11.9" → "E11": N letters or digits, and the separators between them
//	net:N          "203.0.113.9" → "203.0.113.0/24"; an IPv6 address keeps 2N+8 bits, at most 64
//	up:N           the N-th ancestor in the label's hierarchy, or the topmost
//	keep:N         "4111111111111234" → "***1234", or "Jan***" where the class keeps the beginning: letters and digits
//	               only, never more than a third of them; of an e-mail address nothing after the @
package deidentify

import (
	"errors"
	"strings"
	"unicode"

	"github.com/scrimhq/scrim/flow"
)

// Kind is the JSON type of a scalar. The zero value is [Null], which reveals nothing.
type Kind uint8

// The kinds of scalar.
const (
	Null Kind = iota
	String
	Number
	Bool
)

// Scalar is one value: the content of a string (unescaped), the literal of a number, or "true" and "false".
type Scalar struct {
	Kind Kind
	Text string
}

// ErrNotHere is returned for dropped and tokenized: the caller removes, package vault mints.
var ErrNotHere = errors.New("level is not one that a value can be changed to by itself")

// Apply returns the scalar changed to the treatment: raw, generalized or masked.
//
// The treatment is resolved against the class first ([flow.Class.Resolve]), so an absent parameter is the
// class's default and one that does not fit its kind masks. A null stays null; numbers stay numbers or become null.
// With an error comes Null. It returns [ErrNotHere] for dropped and tokenized.
//
// Whenever one treatment is coarser than another by [flow.Family.Meet], its result is a function of the
// other's result, so that nobody learns more from both (TestCoarserIsAFunctionOfFiner).
func Apply(c flow.Class, t flow.Treatment, s Scalar, h Hierarchies) (Scalar, error) {
	t = c.Resolve(t)
	t = c.Family.Meet(t, t) // a parameter out of range masks
	switch t.Level {
	case flow.Raw:
		return s, nil
	case flow.Generalized:
		if g, ok := generalize(c, t.Param, s, h); ok {
			return g, nil
		}
		return mask(c, "", s), nil
	case flow.Masked:
		return mask(c, t.Param, s), nil
	}
	return Scalar{}, ErrNotHere
}

// generalize returns false where the value does not parse as the class and parameter want it.
func generalize(c flow.Class, p flow.Param, s Scalar, h Hierarchies) (Scalar, bool) {
	if s.Kind == Null {
		return s, true
	}
	kind, n := p.Split()
	var text string
	var ok bool
	switch kind {
	case "day", "month", "quarter", "year", "decade":
		text, ok = shortenDate(s, steps[kind])
	case "bucket", "round", "top", "bottom":
		text, ok = coarsenNumber(c, s, kind, n)
	case "prefix":
		text, ok = cutPrefix(c, s, int(n))
	case "net":
		text, ok = cutNetwork(s, int(n))
	case "up":
		text, ok = h.climb(c.Label, s, int(n))
	}
	if !ok {
		return Scalar{}, false
	}
	return Scalar{Kind: s.Kind, Text: text}, true
}

// mask replaces a string by a part of it or by a placeholder, anything else by null.
func mask(c flow.Class, p flow.Param, s Scalar) Scalar {
	if s.Kind != String {
		return Scalar{}
	}
	if kind, n := p.Split(); kind == "keep" && c.Family == flow.Identifier {
		if part, ok := keepPart(c, s.Text, int(n)); ok {
			return Scalar{Kind: String, Text: part}
		}
	}
	return Scalar{Kind: String, Text: Placeholder(c)}
}

const stars = "***"

// keepPart shows at most n letters or digits and at most a third of them; false if that is none.
func keepPart(c flow.Class, text string, n int) (string, bool) {
	if at := strings.IndexByte(text, '@'); at >= 0 {
		text = text[:at] // the domain says where somebody works
	}
	var signs []rune
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			signs = append(signs, r)
		}
	}
	n = min(n, len(signs)/3)
	switch {
	case n <= 0:
		return "", false
	case c.KeepFirst:
		return string(signs[:n]) + stars, true
	default:
		return stars + string(signs[len(signs)-n:]), true
	}
}

// Placeholder returns what stands for a masked value of the class, such as "[email]": the class's word, as
// lower-case ASCII letters, spaces and hyphens, in brackets; "[value]" where it has none.
func Placeholder(c flow.Class) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z' || r == ' ' || r == '-':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, c.Word)
	word = strings.Join(strings.Fields(word), " ")
	if word = strings.Trim(word[:min(len(word), 30)], " -"); word == "" {
		word = "value"
	}
	return "[" + word + "]"
}
