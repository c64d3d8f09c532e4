package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span, written as Go does ("90s", "24h") or in whole days ("30d").
type Duration time.Duration

// String returns the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errDuration
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, written with a unit: B, KiB, MiB, GiB.
type Size int64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (z *Size) UnmarshalText(b []byte) error {
	s, shift := string(b), 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			s, shift = n, 10*(i+1)
		}
	}
	if shift == 0 {
		s = strings.TrimSuffix(s, "B")
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return errSize
	}
	*z = Size(n << shift)
	return nil
}

var (
	errDuration = errors.New(`a time span such as 90s, 24h or 30d is expected`)
	errSize     = errors.New(`a number of bytes such as 512KiB or 4MiB is expected`)
)
