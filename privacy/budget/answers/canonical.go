package answers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxForm  = 1 << 20 // bytes of JSON that has a canonical form
	maxDepth = 64
	maxExp   = 1 << 20 // decimal exponents beyond it are refused, as no number that a question needs
)

// ErrForm says that a JSON text has no canonical form.
var ErrForm = errors.New("question has no canonical form")

// Canonical returns the one form of a JSON value that two texts share exactly if they say the same: members sorted by
// their names' bytes, no white space, strings escaped in one way, and numbers as a whole number with a power of ten
// without trailing zeros ("1.50" and "15e-1" are 15e-1, "-0" is 0). Unlike RFC 8785 it rounds no number to 64 bits: two
// different numbers are two questions. A member that is given twice, bytes that are no UTF-8, and half a surrogate pair
// are refused with an error that is [ErrForm].
func Canonical(text []byte) ([]byte, error) {
	if len(text) > maxForm {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrForm, maxForm)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrForm)
	}
	if halfPair(text) {
		return nil, fmt.Errorf("%w: a string holds half a surrogate pair", ErrForm)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out bytes.Buffer
	if err := canonicalValue(d, &out, 0); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the value", ErrForm)
	}
	return out.Bytes(), nil
}

func canonicalValue(d *json.Decoder, out *bytes.Buffer, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: it is nested more than %d deep", ErrForm, maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("%w: it is not JSON", ErrForm) // the decoder's own error quotes the text
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return canonicalObject(d, out, depth)
		}
		return canonicalArray(d, out, depth)
	case json.Number:
		n, err := canonicalNumber(string(t))
		out.WriteString(n)
		return err
	case string:
		writeString(out, t)
	case bool:
		fmt.Fprint(out, t)
	default:
		out.WriteString("null")
	}
	return nil
}

func canonicalArray(d *json.Decoder, out *bytes.Buffer, depth int) error {
	out.WriteByte('[')
	for first := true; d.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if err := canonicalValue(d, out, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: it is not JSON", ErrForm)
	}
	out.WriteByte(']')
	return nil
}

func canonicalObject(d *json.Decoder, out *bytes.Buffer, depth int) error {
	type member struct {
		name string
		text []byte
	}
	var members []member
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return fmt.Errorf("%w: it is not JSON", ErrForm)
		}
		var v bytes.Buffer
		if err := canonicalValue(d, &v, depth+1); err != nil {
			return err
		}
		members = append(members, member{name, v.Bytes()})
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: it is not JSON", ErrForm)
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			if members[i-1].name == m.name {
				return fmt.Errorf("%w: a member is given twice", ErrForm)
			}
			out.WriteByte(',')
		}
		writeString(out, m.name)
		out.WriteByte(':')
		out.Write(m.text)
	}
	out.WriteByte('}')
	return nil
}

// writeString escapes what JSON demands and nothing else.
func writeString(out *bytes.Buffer, s string) {
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20:
			fmt.Fprintf(out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}

// canonicalNumber writes a JSON number as digits without leading or trailing zeros, and a power of ten if it is not 0.
func canonicalNumber(s string) (string, error) {
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	mantissa, power, _ := strings.Cut(strings.ToLower(s), "e")
	exp := 0
	if power != "" {
		negative := power[0] == '-'
		power = strings.TrimLeft(strings.TrimLeft(power, "+-"), "0")
		if len(power) > 7 {
			return "", fmt.Errorf("%w: a number's exponent is out of range", ErrForm)
		}
		for _, c := range power {
			exp = exp*10 + int(c-'0')
		}
		if negative {
			exp = -exp
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0", nil
	}
	exp -= len(fraction)
	kept := strings.TrimRight(digits, "0")
	exp += len(digits) - len(kept)
	switch {
	case exp < -maxExp || exp > maxExp:
		return "", fmt.Errorf("%w: a number's exponent is out of range", ErrForm)
	case exp == 0:
		return sign + kept, nil
	}
	return fmt.Sprintf("%s%se%d", sign, kept, exp), nil
}

// halfPair reports an escape of a surrogate without its other half, which the decoder would replace in silence, so that
// two questions became one.
func halfPair(text []byte) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if text[i+1] != 'u' {
			i++
			continue
		}
		switch r := escaped(text[i:]); {
		case r >= 0xdc00 && r < 0xe000:
			return true
		case r >= 0xd800 && r < 0xdc00:
			if low := escaped(text[i+6:]); low < 0xdc00 || low >= 0xe000 {
				return true
			}
			i += 11
		}
	}
	return false
}

// escaped reads \uXXXX at the start of the text, -1 if there is none.
func escaped(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	r := 0
	for _, c := range text[2:6] {
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if i < 0 {
			return -1
		}
		r = r<<4 | i
	}
	return r
}
