package deidentify

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Alphabets that [FormatPreserving] knows by name. Any other text of at least two different ASCII letters and digits is an alphabet, too.
var alphabets = map[string]string{
	"":             "0123456789",
	"digits":       "0123456789",
	"lower":        "0123456789abcdefghijklmnopqrstuvwxyz",
	"upper":        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
	"alphanumeric": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}

// kept may stand between characters of the alphabet and stays where it is.
const kept = " -./()+:_"

// FormatOptions say what a value looks like. The zero value is digits.
type FormatOptions struct {
	Alphabet string // digits, lower, upper, alphanumeric, or the characters themselves; "": digits
	Luhn     bool   // the last digit is a check digit: it is made anew, so that what comes out is valid, too. Values that are not are [ErrForm]
}

// Radix returns how many characters the alphabet has, which the cipher must have as radix; 0 for what is no alphabet.
func (o FormatOptions) Radix() int { return len(o.letters()) }

func (o FormatOptions) letters() string {
	letters, ok := alphabets[o.Alphabet]
	if !ok {
		letters = o.Alphabet
	}
	for i := range len(letters) {
		c := letters[i]
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') || strings.IndexByte(letters[i+1:], c) >= 0 {
			return ""
		}
	}
	if len(letters) < 2 {
		return ""
	}
	return letters
}

// Format is the technique that [FormatPreserving] returns.
type Format struct {
	simple
	cipher Cipher
	opt    FormatOptions
	radix  string
	code   [256]int16 // of each character: its numeral, -1: stays where it is, -2: may not be there
}

// FormatPreserving returns the technique that puts another value of the same format in the place of one: FF1 of NIST SP 800-38G. Spaces
// and punctuation between the characters stay; anything else is [ErrForm], and so is a value with fewer than a million others of its
// length. Numbers stay numbers: they do not begin with a zero.
//
// FF3 and its repair FF3-1 are not here: the second draft of revision 1 of SP 800-38G (2025) withdraws them, after attacks on both.
func FormatPreserving(c Cipher, o FormatOptions) (*Format, error) {
	letters := o.letters()
	if letters == "" || c.Radix() != len(letters) || o.Luhn && letters != alphabets["digits"] {
		return nil, fmt.Errorf("%w: the alphabet has not the radix of the key, or is not one; check digits are for digits", ErrOptions)
	}
	f := &Format{cipher: c, opt: o, radix: letters}
	for i := range f.code {
		f.code[i] = -2
		if at := strings.IndexByte(letters, byte(i)); at >= 0 {
			f.code[i] = int16(at)
		} else if strings.IndexByte(kept, byte(i)) >= 0 {
			f.code[i] = -1
		}
	}
	f.says = Says{
		Name: "format", Does: fmt.Sprintf("FF1 over %d characters: another value of the same format", len(letters)),
		Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenFormat}, Reversible: true, Joinable: true, Out: OutSame,
		Preserves: []string{"equality within the scope of the key", "length, alphabet and separators, so that old software takes it"},
		Reveals:   []string{"which rows have equal values, and how often each occurs", "length and format", "that it is no stand-in cannot be seen: it may be taken for the value of somebody else"},
		Threat:    "stops whoever has not the key, two recipients who put their tables together included; not a guess by how often a value occurs, and not somebody who may have values of his choice encrypted and the domain is small",
	}
	f.apply = func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) { return f.permute(dst, v, c.Encrypt) }
	return f, nil
}

// Reverse appends the value that stands behind one that Apply made with the same key.
func (f *Format) Reverse(dst []byte, v Value) ([]byte, Kind, error) {
	out, kind, err := f.permute(dst, v, f.cipher.Decrypt)
	if err != nil {
		return dst, Null, err
	}
	return out, kind, nil
}

func (f *Format) permute(dst []byte, v Value, step func([]uint16) error) ([]byte, Kind, error) {
	if v.Kind == Bool || v.Kind == Null {
		return nil, Null, ErrForm
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	n := s.numerals[:0]
	for _, b := range v.Text {
		switch code := f.code[b]; {
		case code >= 0:
			n = append(n, uint16(code))
		case code == -2 || v.Kind == Number:
			return nil, Null, ErrForm
		}
	}
	s.numerals = n
	if f.opt.Luhn {
		if len(n) == 0 || luhn(n[:len(n)-1]) != n[len(n)-1] {
			return nil, Null, ErrForm
		}
		n = n[:len(n)-1]
	}
	for first := true; first || v.Kind == Number && f.radix[n[0]] == '0'; first = false { // cycle walking, nine times in ten not at all
		if v.Kind == Number && (len(n) == 0 || first && f.radix[n[0]] == '0') || step(n) != nil {
			return nil, Null, ErrForm
		}
	}
	if f.opt.Luhn {
		n = append(n, luhn(n))
	}
	for _, b := range v.Text {
		if f.code[b] >= 0 {
			b, n = f.radix[n[0]], n[1:]
		}
		dst = append(dst, b)
	}
	return dst, v.Kind, nil
}

// luhn returns the check digit of the digits (ISO/IEC 7812-1).
func luhn(digits []uint16) uint16 {
	sum := uint16(0)
	for i := range digits {
		d := digits[len(digits)-1-i]
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum = (sum + d) % 10
	}
	return (10 - sum) % 10
}
