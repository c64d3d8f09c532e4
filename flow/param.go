package flow

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Param is the parameter of a level, in canonical text form.
//
//	generalized  day month quarter year decade       dates and times, each coarser than the one before
//	             bucket:N                            numbers to the lower edge of a bucket of width N
//	             round:N                             numbers to the nearest multiple of N
//	             prefix:N                            the first N characters of a postal code or a code
//	             net:N                               the first N bits of an IPv4 address, 2N+8 at most 64 of an IPv6 one
//	             up:N                                N steps up the label's hierarchy
//	             shift:N                             dates of one subject all moved by the same 1 to N days, earlier or later
//	             top:N bottom:N                      numbers end at N
//	tokenized    format                              like reversible, and of the value's own format
//	             reversible oneway surrogate         can be opened by policy; can only be joined; holds for one task only
//	             realistic                           like surrogate, and looks like a value of its kind
//	masked       keep:N                              identifiers: N characters (1 to 4) stay readable; without it a typed placeholder
//
// The empty parameter stands for the label's own default, see [Class.Resolve].
type Param string

// The parameters of tokenized, most revealing first. Realistic stands beside the chain, above surrogate alone: what looks
// like a value is given only where nobody asked for something that does not.
const (
	TokenFormat     Param = "format"
	TokenReversible Param = "reversible"
	TokenOneWay     Param = "oneway"
	TokenRealistic  Param = "realistic"
	TokenSurrogate  Param = "surrogate"
)

var (
	dateSteps  = []string{"day", "month", "quarter", "year", "decade"}
	tokenKinds = []string{string(TokenFormat), string(TokenReversible), string(TokenOneWay), string(TokenSurrogate)}
	numbered   = map[string]struct{ min, max int64 }{
		"bucket": {1, math.MaxInt32}, "round": {1, math.MaxInt32}, "prefix": {1, 16},
		"net": {8, 28}, "up": {1, 16}, "keep": {1, 4},
		"shift": {1, 3660}, "top": {0, math.MaxInt32}, "bottom": {0, math.MaxInt32},
	}
)

// Split returns the kind and the number of a parameter; the number is 0 for kinds that have none.
func (p Param) Split() (kind string, n int64) {
	kind, digits, ok := strings.Cut(string(p), ":")
	if !ok {
		return kind, 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return "", 0
	}
	return kind, n
}

// ParseParam reads a parameter for a level, and returns an error that says what the level takes.
func ParseParam(l Level, s string) (Param, error) {
	p := Param(s)
	if s == "" {
		return p, nil
	}
	for _, f := range []Family{Identifier, Attribute} {
		if f.Has(l) && p.fits(f, l) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%q is not a parameter of %s (%s)", s, l, paramHelp[min(int(l), len(paramHelp)-1)])
}

var paramHelp = [...]string{
	Dropped:     "it takes none",
	Masked:      "keep:1 to keep:4",
	Tokenized:   "format, reversible, oneway, surrogate or realistic",
	Generalized: "day, month, quarter, year, decade, bucket:N, round:N, prefix:N, net:N, up:N, shift:N, top:N or bottom:N",
	Raw:         "it takes none",
}

func (p Param) fits(f Family, l Level) bool {
	kind, n := p.Split()
	if bound, ok := numbered[kind]; ok {
		if n < bound.min || n > bound.max || string(p) != kind+":"+strconv.FormatInt(n, 10) {
			return false
		}
		if kind == "keep" {
			return l == Masked && f == Identifier
		}
		return l == Generalized
	}
	if strings.Contains(string(p), ":") {
		return false
	}
	switch l {
	case Generalized:
		return slices.Contains(dateSteps, kind)
	case Tokenized:
		return slices.Contains(tokenKinds, kind) || p == TokenRealistic
	}
	return false
}

// meetParams returns the coarsest of two parameters of one level, and false where they have none.
// An absent parameter of masked is the placeholder, which is below every keep:N.
func meetParams(l Level, a, b Param) (Param, bool) {
	switch {
	case l == Masked && (a == "" || b == ""):
		return "", true
	case l == Tokenized && (a == TokenRealistic || b == TokenRealistic): // they are not the same
		return TokenSurrogate, true
	}
	ka, na := a.Split()
	kb, nb := b.Split()
	for _, chain := range [][]string{dateSteps, tokenKinds} {
		if i, j := slices.Index(chain, ka), slices.Index(chain, kb); i >= 0 && j >= 0 {
			return Param(chain[max(i, j)]), true
		}
	}
	if ka != kb {
		return "", false
	}
	switch ka {
	case "prefix", "net", "keep", "top":
		return numberedParam(ka, min(na, nb)), true
	case "up", "bottom":
		return numberedParam(ka, max(na, nb)), true
	case "bucket": // floor to N is a function of floor to M where M divides N, so the meet is the least common multiple
		m := na / gcd(na, nb) * nb
		if m > numbered["bucket"].max {
			return "", false
		}
		return numberedParam(ka, m), true
	}
	return "", false // neither round:N nor shift:N is nested in another of its kind
}

func numberedParam(kind string, n int64) Param {
	return Param(kind + ":" + strconv.FormatInt(n, 10))
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
