package query

import (
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// parseDecimal reads a decimal literal as v·10^−places, with the places that it was written with: 7.0 is no whole number, so that what is
// divided by it is none either. Zeros beyond [relation.MaxPlaces] are left out. It says no where there are more digits, or the number
// is beyond the range.
func parseDecimal(s string) (v int64, places int, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 64 || strings.TrimLeft(s, "+-.0123456789") != "" {
		return 0, 0, false
	}
	whole, fraction, point := strings.Cut(s, ".")
	for len(fraction) > relation.MaxPlaces && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	if len(fraction) > relation.MaxPlaces || strings.ContainsAny(fraction, "+-") || point && strings.TrimLeft(whole, "+-") == "" && fraction == "" {
		return 0, 0, false
	}
	if strings.TrimLeft(whole, "+-") == "" {
		whole += "0"
	}
	v, err := strconv.ParseInt(whole+fraction, 10, 64)
	return v, len(fraction), err == nil && v >= relation.MinNumber
}

// The forms of dates and times that are read: ISO 8601, in UTC where no zone is named.
var momentForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999Z07:00",
	"2006-01-02 15:04:05.999999Z07", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

func moment(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	for _, f := range momentForms {
		if t, err := time.Parse(f, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// dayOf is the number of a day since 1970-01-01.
func dayOf(t time.Time) int64 {
	s := t.Unix()
	return (s - floorMod(s, 86400)) / 86400
}

// constant is a value that is nothing but v.
func (b *binder) constant(at syntax.Pos, v relation.Value, places int) (value, error) {
	c, err := relation.NewConst(v, places)
	if err != nil {
		return value{}, b.refuse(at, ruleLiteral, "", "this constant is out of range")
	}
	return value{expr: c, low: true, high: true, domain: []relation.Value{v}, total: true, size: 1}, nil
}

func (b *binder) number(at syntax.Pos, v int64, places int) (value, error) {
	return b.constant(at, relation.Value{Kind: relation.Number, Int: v}, places)
}

// as reads a text constant, which has no type of its own, as a kind.
func (b *binder) as(at syntax.Pos, v value, k relation.Kind) (value, error) {
	c, ok := v.constant()
	if !ok || !v.literal {
		return value{}, b.refuse(at, ruleType, "", "%v where %v is needed", v.kind(), k)
	}
	switch k {
	case relation.Text:
		v.literal = false
		return v, nil
	case relation.Number:
		if n, places, ok := parseDecimal(c.Text); ok {
			return b.number(at, n, places)
		}
		return value{}, b.refuse(at, ruleLiteral, "numbers are decimal, with nine places at most", "this constant is no number")
	case relation.Truth:
		switch strings.ToLower(strings.TrimSpace(c.Text)) {
		case "true", "t", "yes", "on", "1":
			return b.constant(at, relation.Value{Kind: k, Int: 1}, 0)
		case "false", "f", "no", "off", "0":
			return b.constant(at, relation.Value{Kind: k}, 0)
		}
		return value{}, b.refuse(at, ruleLiteral, "", "this constant is no truth value")
	}
	t, ok := moment(c.Text)
	if !ok {
		return value{}, b.refuse(at, ruleLiteral, "write DATE 'year-month-day' or TIMESTAMP 'year-month-day hour:minute:second'", "this constant is no date")
	}
	n := t.UnixMicro()
	if k == relation.Date {
		n = dayOf(t)
	}
	return b.constant(at, relation.Value{Kind: k, Int: n}, 0)
}
