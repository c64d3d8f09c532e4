package plan

import (
	"math/big"
	"strings"
	"testing"
)

func TestAppendAlike(t *testing.T) {
	for in, want := range map[string]string{
		"30": "30", "030.00": "30", "+30": "30", "3e1": "30", "3.0E+1": "30", "300e-1": "30", ".5": "0.5", "0.050": "0.05", "-0.0": "0", "-7.50": "-7.5",
		"0e9": "0", "5.": "5", "5e-3": "0.005", " Flu  A ": "flu a", "": "", "\u00a0": "", "e": "e", "-": "-", ".": ".", "1e": "1e", "1.2.3": "1.2.3", "1e999": "1e999",
		"--1": "--1", "１２": "12",
	} {
		if got := string(appendAlike([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("appendAlike(%q) = %q, want %q", in, got[1:], want)
		}
	}
}

// FuzzAppendAlike: a number stays that number, and what is alike stays as it is.
func FuzzAppendAlike(f *testing.F) {
	for _, s := range []string{"30.0", "-0", "1e-59", "1e60", "0.1e1", "12345678901234567890.5", "x", "٣", "1_0", "\xf0ϑ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := string(appendAlike(nil, []byte(s)))
		if again := string(appendAlike(nil, []byte(got))); again != got {
			t.Errorf("appendAlike(%q) = %q, and of that %q", s, got, again)
		}
		if len(s) > longestNumber || strings.Trim(s, "0123456789.eE+-") != "" {
			return
		}
		if _, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok && len(exponent) > 3 {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			return
		}
		if is, ok := new(big.Rat).SetString(got); !ok || is.Cmp(want) != 0 {
			t.Errorf("appendAlike(%q) = %q, which is another number", s, got)
		}
	})
}
