package deidentify

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/bits"
	"sync"

	"github.com/scrimhq/scrim/flow"
)

// Token returns the technique that puts a reversible token, "stk1_…", in the place of a value. The scope of the tokens is that of t.
func Token(t Tokens) Technique {
	return &simple{says: Says{
		Name: "token", Does: "a token that policy can open", Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenReversible}, Reversible: true, Joinable: true,
		Preserves: []string{"equality within recipient, purpose group, label, epoch and, where it is known, subject", "length in steps of 16 bytes"},
		Reveals:   []string{"which rows have equal values, and how often each occurs", "length in steps of 16 bytes"},
		Threat:    "stops whoever has not the key, two recipients who put their tables together included; not a guess by how often a value occurs",
	}, apply: func(dst []byte, v Value, subject []byte) ([]byte, Kind, error) {
		dst, err := t.Token(dst, v.Text, subject)
		return dst, String, err
	}}
}

// OneWayOptions say how a one-way code is made. The zero value is a safe default.
type OneWayOptions struct {
	Class flow.Class // values are compared by the class's normal form: see [Normal]
	Bytes int        // of the code, 16 to 32; 0: 16
}

// OneWay returns the technique that puts a keyed one-way code (HMAC) in the place of a value, in base64url.
func OneWay(m MAC, o OneWayOptions) (Technique, error) {
	if o.Bytes == 0 {
		o.Bytes = 16
	}
	if o.Bytes < 16 || o.Bytes > 32 {
		return nil, fmt.Errorf("%w: a code has 16 to 32 bytes", ErrOptions)
	}
	return &simple{says: Says{
		Name: "one-way", Does: "a keyed one-way code", Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenOneWay}, Joinable: true,
		Preserves: []string{"equality within the scope of the key"},
		Reveals:   []string{"which rows have equal values, and how often each occurs"},
		Threat:    "stops whoever has not the key, with a list of all values, too; whoever may use the key can try a list",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		return oneWay(dst, v, m, o)
	}}, nil
}

func oneWay(dst []byte, v Value, m MAC, o OneWayOptions) ([]byte, Kind, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.text = AppendNormal(s.text[:0], o.Class, v.Text)
	s.code = m.MAC(s.code[:0], s.text)
	if len(s.code) < o.Bytes {
		return nil, Null, errShort
	}
	return base64.RawURLEncoding.AppendEncode(dst, s.code[:o.Bytes]), String, nil
}

// ShiftDate returns the technique that moves all dates of a subject by one number of days, drawn by the key for the subject: 1 to
// days (at most 3660), earlier or later, never 0.
//
// The key must be of one recipient: with another each recipient has other dates. A row without a subject is [ErrSubject].
func ShiftDate(p PRF, days int) (Technique, error) {
	if days < 1 || days > maxShift {
		return nil, fmt.Errorf("%w: dates are shifted by at most 1 to %d days", ErrOptions, maxShift)
	}
	return &simple{says: Says{
		Name: "shift-date", Does: fmt.Sprintf("all dates of one subject moved by the same 1 to %d days, earlier or later", days),
		Treatment: flow.Treatment{Level: flow.Generalized, Param: flow.Param(fmt.Sprintf("shift:%d", days))}, Reversible: true, Joinable: true, Subject: true, Out: OutSame,
		Preserves: []string{"the days between two dates of one subject, exactly", "the order of one subject's dates", "times of day and zones"},
		Reveals: []string{
			"the date up to the width of the shift", "the intervals, which can be as telling as a date: a stay of 43 days and one of 7 are nobody else's",
			"one known date of a subject tells all its others", "dates that all have, an admission in a holiday week or weekends without visits, narrow the shift",
		},
		Threat: "stops a look-up by one date; not somebody who knows one date of a person, or the intervals between several",
	}, apply: func(dst []byte, v Value, subject []byte) ([]byte, Kind, error) {
		if len(subject) == 0 {
			return nil, Null, ErrSubject
		}
		return shiftBytes(dst, v, ShiftOf(p, subject, days))
	}}, nil
}

const maxShift = 3660

// ShiftOf returns by how many days the dates of a subject move: 1 to days, earlier or later.
func ShiftOf(p PRF, subject []byte, days int) int {
	hi, _ := bits.Mul64(p.Uint64(subject), uint64(2*days)) // the unevenness is below 2·days in 2⁶⁴
	if n := int(hi) - days; n < 0 {
		return n
	}
	return int(hi) - days + 1
}

// Shift returns the date so many days later, as [ShiftDate] does, and false for what is no date known to the day.
func Shift(s Scalar, days int) (Scalar, bool) {
	out, kind, err := shiftBytes(nil, Value{s.Kind, []byte(s.Text)}, days)
	return Scalar{kind, string(out)}, err == nil
}

// SaltedHashOptions say how a hash is salted.
type SaltedHashOptions struct {
	Class  flow.Class // values are compared by the class's normal form, and its bits say whether a list of all values can be tried
	Salt   []byte     // at least 16 bytes; public: whoever has the table is taken to know it
	Public bool       // says that this is understood. Without it only labels of so many bits that no list can be tried are taken
}

// SaltedHash returns the technique that puts SHA-256 of a salt and the value in its place, in hexadecimal, as other systems do and
// can do again without a key of this domain. Prefer [OneWay]: the salt is no secret, so that whoever knows it can try every value.
//
// It is [ErrOptions] for a class of fewer than 64 bits unless Public is set: all telephone numbers are tried in seconds.
func SaltedHash(o SaltedHashOptions) (Technique, error) {
	switch {
	case len(o.Salt) < 16:
		return nil, fmt.Errorf("%w: a salt has at least 16 bytes", ErrOptions)
	case o.Class.Bits < hashBits && !o.Public:
		return nil, fmt.Errorf("%w: values of %d bits are found by trying all of them; use one-way, or say that the hash is as good as the value", ErrOptions, o.Class.Bits)
	}
	salt := append([]byte(nil), o.Salt...)
	s := Says{
		Name: "salted-hash", Does: "SHA-256 of a salt and the value", Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenOneWay}, Joinable: true,
		Preserves: []string{"equality wherever the salt is the same"},
		Reveals:   []string{"which rows have equal values, and how often each occurs", "the value, to whoever knows the salt and has a list of candidates", "joins between all who were given tables with this salt"},
		Threat:    "stops nobody who has the salt and can list the values: names, telephone and card numbers are found in seconds. For random identifiers of 64 bits and more it holds",
	}
	if o.Class.Bits < hashBits {
		s.Treatment = flow.Treatment{Level: flow.Raw}
	}
	return &simple{says: s, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		var room [128]byte
		sum := sha256.Sum256(AppendNormal(append(room[:0], salt...), o.Class, v.Text))
		const digits = "0123456789abcdef"
		for _, b := range sum {
			dst = append(dst, digits[b>>4], digits[b&15])
		}
		return dst, String, nil
	}}, nil
}

var errShort = fmt.Errorf("%w: the key's code is shorter than asked for", ErrOptions)

// scratch is room for one value on its way through a key: what is handed to an interface would be allocated each time.
type scratch struct {
	text, code []byte
	numerals   []uint16
}

var scratches = sync.Pool{New: func() any {
	return &scratch{text: make([]byte, 0, 256), code: make([]byte, 0, 64), numerals: make([]uint16, 0, 64)}
}}

// hashBits is what nobody tries: 2⁶⁴ hashes.
const hashBits = 64
