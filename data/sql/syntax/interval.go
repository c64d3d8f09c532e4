package syntax

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

const intervals = "use INTERVAL '1 year 2 months 3 days 4 hours 5 minutes 6 seconds'"

// units of an interval: months, days, microseconds in one.
var units = map[string][3]int64{
	"year": {12, 0, 0}, "yr": {12, 0, 0}, "month": {1, 0, 0}, "mon": {1, 0, 0}, "quarter": {3, 0, 0},
	"week": {0, 7, 0}, "day": {0, 1, 0},
	"hour": {0, 0, 3_600_000_000}, "hr": {0, 0, 3_600_000_000}, "minute": {0, 0, 60_000_000}, "min": {0, 0, 60_000_000},
	"second": {0, 0, 1_000_000}, "sec": {0, 0, 1_000_000},
}

// fields are PostgreSQL's masks of INTERVAL '…' FIELD.
var fields = map[int64]string{1 << 1: "month", 1 << 2: "year", 1 << 3: "day", 1 << 10: "hour", 1 << 11: "minute", 1 << 12: "second"}

var (
	amount = regexp.MustCompile(`^([+-]?[0-9]{1,12})(\.[0-9]{1,6})?$`)
	clock  = regexp.MustCompile(`^([+-]?)([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9])(\.[0-9]{1,6})?)?$`)
)

// interval reads the constant of an interval. Its parts are exact: fractions are of seconds alone.
func (r *reader) interval(at Pos, x Expr, mods []int64) Expr {
	text, ok := x.(*Text)
	if !ok {
		r.refuse(at, "interval", "an interval is a constant", intervals)
		return nil
	}
	words := strings.Fields(strings.ToLower(text.Value))
	if len(mods) > 0 {
		unit, ok := fields[mods[0]]
		if !ok || len(mods) > 1 || len(words) != 1 {
			r.refuse(at, "interval", "this form of an interval is not answered", intervals)
			return nil
		}
		words = append(words, unit)
	}
	v := &Interval{Node: Node{at}}
	if len(words) == 0 || !v.read(words) {
		r.refuse(at, "interval", "this interval is not understood", intervals)
		return nil
	}
	return v
}

func (v *Interval) read(words []string) bool {
	for len(words) > 0 {
		if m := clock.FindStringSubmatch(words[0]); m != nil {
			sign := int64(1)
			if m[1] == "-" {
				sign = -1
			}
			h, _ := strconv.ParseInt(m[2], 10, 64)
			mi, _ := strconv.ParseInt(m[3], 10, 64)
			s, _ := strconv.ParseInt("0"+m[4], 10, 64)
			v.Micros += sign * (h*3_600_000_000 + mi*60_000_000 + s*1_000_000 + micros(m[5]))
			words = words[1:]
			continue
		}
		m := amount.FindStringSubmatch(words[0])
		if m == nil || len(words) < 2 {
			return false
		}
		unit, ok := units[strings.TrimSuffix(words[1], "s")]
		if !ok || m[2] != "" && unit[2] == 0 {
			return false
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if !v.add(n, unit) {
			return false
		}
		if m[2] != "" {
			part := new(big.Int).Mul(big.NewInt(micros(m[2])), big.NewInt(unit[2]/1_000_000)).Int64()
			if strings.HasPrefix(m[1], "-") {
				part = -part
			}
			v.Micros += part
		}
		words = words[2:]
	}
	return true
}

// longest is 10,000 years, of which sums and shifts stay far from 64 bits.
var longest = [3]int64{120_000, 3_660_000, 316_224_000_000_000_000}

// add adds n of a unit, unless it gets too long.
func (v *Interval) add(n int64, unit [3]int64) bool {
	for i, part := range []*int64{&v.Months, &v.Days, &v.Micros} {
		if unit[i] == 0 {
			continue
		}
		if most := longest[i] / unit[i]; n > most || n < -most {
			return false
		}
		if *part += n * unit[i]; *part > longest[i] || *part < -longest[i] {
			return false
		}
	}
	return true
}

// micros is ".5" as 500,000.
func micros(s string) int64 {
	if s == "" {
		return 0
	}
	n, _ := strconv.ParseInt((s[1:] + "000000")[:6], 10, 64)
	return n
}
