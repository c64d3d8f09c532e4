package capability

import (
	"slices"
	"strings"
	"unicode"
)

// Arguments bound the arguments of one tool, by name. An argument that is not named is refused, unless "*" is [Any];
// one that is named must be there, unless it is optional. No names at all: any arguments.
type Arguments map[string]Constraint

// Kind says what a constraint demands. There are no regular expressions: what they contain cannot be compared in bounded time.
type Kind uint8

// The kinds of constraint.
const (
	Wildcard  Kind = iota // any value
	Exactly               // one scalar
	Among                 // one of some scalars
	InRange               // a number between bounds
	StartsOn              // a string that begins with another, byte by byte
	UnderPath             // a path at or under another, segment by segment
)

var kindNames = [...]string{"wildcard", "exact", "one_of", "range", "prefix", "sub_path"}

// String returns the name that tokens use.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "invalid"
	}
	return kindNames[k]
}

// Constraint bounds one argument.
type Constraint struct {
	Kind     Kind
	Optional bool     // the argument may be left out
	Values   []Scalar // of exact, which has one, and one_of
	Min, Max *Edge    // of range; nil: no bound
	Text     string   // of prefix and sub_path
}

// Edge is one end of a range.
type Edge struct {
	Value float64
	Open  bool // the value itself lies outside
}

// Scalar is a string, a number, a truth value or null. Scalars are equal where their canonical JSON (RFC 8785) is:
// 1 and 1.0 are, 1 and "1" are not.
type Scalar struct {
	kind kind
	text string // of a number, canonical
}

// Text returns a string.
func Text(s string) Scalar { return Scalar{isString, s} }

// Number returns a number. One that JSON cannot write is refused by [Mint] and [Derive].
func Number(f float64) Scalar { return Scalar{isNumber, formatNumber(f)} }

// Truth returns true or false.
func Truth(b bool) Scalar {
	if b {
		return Scalar{kind: isTrue}
	}
	return Scalar{kind: isFalse}
}

// Null returns null.
func Null() Scalar { return Scalar{} }

// scalar returns the value as one; false for arrays, objects, and numbers that are not exactly a double.
func (v *value) scalar() (Scalar, bool) {
	switch v.kind {
	case isArray, isObject:
		return Scalar{}, false
	case isNumber:
		_, text, ok := canonicalNumber(v.text)
		return Scalar{isNumber, text}, ok
	}
	return Scalar{v.kind, v.text}, true
}

func (s Scalar) raw() []byte {
	switch s.kind {
	case isString:
		return appendText(nil, s.text)
	case isNumber:
		return []byte(s.text)
	case isTrue:
		return []byte("true")
	case isFalse:
		return []byte("false")
	}
	return []byte("null")
}

// Any admits any value.
func Any() Constraint { return Constraint{} }

// Equal admits one value.
func Equal(v Scalar) Constraint { return Constraint{Kind: Exactly, Values: []Scalar{v}} }

// OneOf admits some values.
func OneOf(v ...Scalar) Constraint { return Constraint{Kind: Among, Values: v} }

// Between admits numbers from least to most, both included.
func Between(least, most float64) Constraint {
	return Constraint{Kind: InRange, Min: &Edge{Value: least}, Max: &Edge{Value: most}}
}

// AtMost admits numbers up to most, included.
func AtMost(most float64) Constraint { return Constraint{Kind: InRange, Max: &Edge{Value: most}} }

// AtLeast admits numbers from least on, included.
func AtLeast(least float64) Constraint { return Constraint{Kind: InRange, Min: &Edge{Value: least}} }

// Prefix admits strings that begin with the text, byte by byte. For paths take [SubPath]: a path can begin with another
// and lead out of it.
func Prefix(text string) Constraint { return Constraint{Kind: StartsOn, Text: text} }

// SubPath admits the path root and paths under it, in plain form only: no empty, "." or ".." segments, no escapes.
func SubPath(root string) Constraint { return Constraint{Kind: UnderPath, Text: root} }

// Optionally returns the constraint for an argument that may be left out; the tool's own default then holds.
func (c Constraint) Optionally() Constraint { c.Optional = true; return c }

// admits reports whether an argument's value fulfils the constraint. Values in arrays and objects are not looked into.
func (c *Constraint) admits(v *value) bool {
	if c.Kind == Wildcard {
		return true
	}
	s, ok := v.scalar()
	return ok && c.admitsScalar(s)
}

func (c *Constraint) admitsScalar(s Scalar) bool {
	switch c.Kind {
	case Wildcard:
		return true
	case Exactly, Among:
		return slices.Contains(c.Values, s)
	case InRange:
		if s.kind != isNumber {
			return false
		}
		f, _, ok := canonicalNumber(s.text)
		return ok && c.Min.above(f) && c.Max.below(f)
	case StartsOn:
		return s.kind == isString && strings.HasPrefix(s.text, c.Text)
	case UnderPath:
		return s.kind == isString && plainPath(s.text) && underPath(s.text, c.Text)
	}
	return false
}

func (e *Edge) above(f float64) bool { return e == nil || f > e.Value || f == e.Value && !e.Open }
func (e *Edge) below(f float64) bool { return e == nil || f < e.Value || f == e.Value && !e.Open }

// underPath compares plain paths by whole segments.
func underPath(path, root string) bool {
	return path == root || root == "/" && strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, root) && len(path) > len(root) && path[len(root)] == '/'
}

// plainPath reports whether the text can be read as one path only: absolute or relative, without empty segments, segments
// that end in a dot or a space (some systems drop those), percent signs, backslashes, unprintable characters, or
// characters that compatibility normalisation turns into one of these.
func plainPath(s string) bool {
	if s == "/" {
		return true
	}
	for seg := range strings.SplitSeq(strings.TrimPrefix(s, "/"), "/") {
		if seg == "" || strings.HasSuffix(seg, ".") || strings.HasSuffix(seg, " ") {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r == '%' || r == '\\' || !unicode.IsPrint(r) || strings.ContainsRune("．．／＼％﹒﹨﹪․‥…", r)
	})
}
