package catalog

import (
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
)

// scalar is a value that a const or enum lists. Of arrays and objects only the kind is kept.
type scalar struct {
	kind json.Kind
	text string
}

func (s scalar) equal(k json.Kind, text string) bool {
	if s.kind != k {
		return false
	}
	switch k {
	case json.String:
		return s.text == text
	case json.Number:
		a, errA := strconv.ParseFloat(s.text, 64)
		b, errB := strconv.ParseFloat(text, 64)
		return s.text == text || errA == nil && errB == nil && a == b && !wide(s.text) && !wide(text)
	}
	return true
}

// wide reports whether a number has more digits than a float64 keeps apart.
func wide(s string) bool { return len(s) > 15 }

// Accepts reports whether the place could hold the value: text is the content of a string or the literal of a number,
// and does not matter for other kinds. Of arrays and objects only the type is checked.
//
// Of several alternatives (anyOf, oneOf) one must accept. Formats that are checked: date, time, date-time, duration,
// email, hostname, ipv4, ipv6, uri, uuid; others accept any string. A place that is not declared accepts everything.
func (s *Schema) Accepts(st json.State, k json.Kind, text string) bool {
	if int(st) >= len(s.states) || st < firstDeclared {
		return true
	}
	row := &s.states[st]
	steps := maxSteps
	for _, n := range row.must {
		if !n.accepts(k, text, &steps) {
			return false
		}
	}
	if len(row.may) == 0 {
		return true
	}
	return slices.ContainsFunc(row.may, func(n *node) bool { return n.accepts(k, text, &steps) })
}

// maxSteps bounds how many subschemas one value is checked against: alternatives of alternatives could be
// exponentially many. Beyond it the value is not accepted.
const maxSteps = 1000

func (n *node) accepts(k json.Kind, text string, steps *int) bool {
	*steps--
	if n.never || *steps < 0 {
		return false
	}
	if !n.checks.accept(k, text) || n.ref != nil && !n.ref.accepts(k, text, steps) {
		return false
	}
	for _, sub := range n.all {
		if !sub.accepts(k, text, steps) {
			return false
		}
	}
	for _, group := range n.alts {
		if !slices.ContainsFunc(group, func(sub *node) bool { return sub.accepts(k, text, steps) }) {
			return false
		}
	}
	return true
}

func (c *checks) accept(k json.Kind, text string) bool {
	integral := k == json.Number && isInteger(text)
	if c.types != 0 && !c.types.has(k, integral) {
		return false
	}
	if c.hasEnum && !slices.ContainsFunc(c.enum, func(s scalar) bool { return s.equal(k, text) }) {
		return false
	}
	switch k {
	case json.String:
		return c.acceptString(text)
	case json.Number:
		return c.acceptNumber(text)
	}
	return true
}

func isInteger(text string) bool {
	if !strings.ContainsAny(text, ".eE") {
		return true
	}
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && f == math.Trunc(f)
}

func (c *checks) acceptString(text string) bool {
	if c.minLen > 0 || c.maxLen >= 0 {
		n := utf8.RuneCountInString(text)
		if n < c.minLen || c.maxLen >= 0 && n > c.maxLen {
			return false
		}
	}
	if c.pattern != nil && !c.pattern.MatchString(text) {
		return false
	}
	check, ok := formats[c.format]
	return !ok || check(text)
}

func (c *checks) acceptNumber(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	switch {
	case c.min != nil && f < *c.min, c.max != nil && f > *c.max:
		return false
	case c.overMin != nil && f <= *c.overMin, c.underMax != nil && f >= *c.underMax:
		return false
	}
	if c.multiple > 0 {
		q := f / c.multiple
		return math.Abs(q-math.Round(q)) < 1e-9
	}
	return true
}

var formats = map[string]func(string) bool{
	"date":      func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	"date-time": func(s string) bool { _, err := time.Parse(time.RFC3339Nano, s); return err == nil },
	"time":      func(s string) bool { _, err := time.Parse("15:04:05.999999999Z07:00", s); return err == nil },
	"duration":  durationFormat.MatchString,
	"email": func(s string) bool {
		a, err := mail.ParseAddress(s)
		return err == nil && a.Address == s
	},
	"hostname": hostnameFormat.MatchString,
	"ipv4":     func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	"ipv6":     func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() && a.Zone() == "" },
	"uri":      func(s string) bool { u, err := url.Parse(s); return err == nil && u.Scheme != "" },
	"uuid":     uuidFormat.MatchString,
}

var (
	durationFormat = regexp.MustCompile(`^P(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?)$`)
	hostnameFormat = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	uuidFormat     = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

const anyType = NullType | BooleanType | IntegerType | NumberType | StringType | ArrayType | ObjectType

// typesOf returns which types the sources leave, 0 for any.
func typesOf(sources []source) Types {
	left, alts, hasAlt, steps := anyType, Types(0), false, maxSteps
	for _, src := range sources {
		if src.alt {
			alts, hasAlt = alts|src.node.typesLeft(&steps), true
		} else {
			left &= src.node.typesLeft(&steps)
		}
	}
	if hasAlt {
		left &= alts
	}
	if left == anyType {
		return 0
	}
	return left
}

func (n *node) typesLeft(steps *int) Types {
	left := n.checks.types
	if left == 0 {
		left = anyType
	}
	if left&NumberType != 0 {
		left |= IntegerType
	}
	*steps--
	if *steps < 0 {
		return left
	}
	if n.ref != nil {
		left &= n.ref.typesLeft(steps)
	}
	for _, sub := range n.all {
		left &= sub.typesLeft(steps)
	}
	for _, group := range n.alts {
		var alts Types
		for _, sub := range group {
			if !sub.never {
				alts |= sub.typesLeft(steps)
			}
		}
		left &= alts
	}
	return left
}
