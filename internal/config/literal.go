package config

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
)

var (
	errOutside = errors.New("the value is outside the column's bounds")
	errTruth   = errors.New("true or false is expected")
	errNumber  = errors.New("a number such as 12, -3.5 or 1e6 is expected")
	errDate    = errors.New("a date such as 2026-01-31 is expected")
	errTime    = errors.New("a time such as 2026-01-31T12:00:00Z is expected, to the microsecond")
)

// parseLiteral reads a number, date or time into the units of its type.
func parseLiteral(s string, t relation.Type) (int64, error) {
	switch t.Kind {
	case relation.Date:
		day, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return 0, errDate
		}
		return day.Unix() / (24 * 60 * 60), nil
	case relation.Time:
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || at.Nanosecond()%1000 != 0 || at.Year() < 1 || at.Year() > 9999 {
			return 0, errTime
		}
		return at.UnixMicro(), nil
	}
	return parseNumber(s, t.Places)
}

// parseNumber reads a decimal number in units of 10 to the power of -places, exactly.
func parseNumber(s string, places int) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	var x Exact
	if err := x.UnmarshalText([]byte(digits)); err != nil {
		return 0, errNumber
	}
	n, ok := x.In(places)
	if !ok || n > relation.MaxNumber {
		return 0, fmt.Errorf("the number is too large, or has more than %d decimal places", places)
	}
	if negative {
		n = -n
	}
	return n, nil
}

// inward brings a bound to whole units of 10 to the power of -places: up where it is the least value, down where it is the greatest.
func inward(f float64, places int, up bool) (int64, bool) {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', -1, 64)) // the shortest decimal is what the contract says
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)))
	n, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if up && rest.Sign() != 0 {
		n.Add(n, big.NewInt(1))
	}
	if n.CmpAbs(big.NewInt(relation.MaxNumber)) > 0 {
		n.SetInt64(int64(n.Sign()) * relation.MaxNumber)
	}
	return n.Int64(), true
}
