package plan

import (
	"math/big"
	"strings"
)

// parseShare reads "5%" or "0.05".
func parseShare(s string) (Share, bool) {
	r, ok := Share(s).rat()
	return Share(s), ok && r.Sign() >= 0 && r.Cmp(big.NewRat(1, 1)) <= 0
}

func (s Share) rat() (*big.Rat, bool) {
	text, percent := strings.CutSuffix(string(s), "%")
	text = strings.TrimSpace(text)
	if !decimalForm.MatchString(text) {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(text)
	if ok && percent {
		r.Quo(r, big.NewRat(100, 1))
	}
	return r, ok
}

// of returns the greatest whole number that is no more than the share of n; 0 for the empty share.
func (s Share) of(n int64) int64 {
	r, ok := s.rat()
	if !ok {
		return 0
	}
	r.Mul(r, new(big.Rat).SetInt64(n))
	return new(big.Int).Quo(r.Num(), r.Denom()).Int64()
}

// Float returns the share as the nearest number, and whether one is given.
func (s Share) Float() (float64, bool) {
	r, ok := s.rat()
	if !ok {
		return 0, false
	}
	f, _ := r.Float64()
	return f, true
}

// Float returns the number nearest to the decimal; 0 for the empty one.
func (d Decimal) Float() float64 {
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return 0
	}
	f, _ := r.Float64()
	return f
}
