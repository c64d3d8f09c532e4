package detect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestPhonesOfManyCountries has numbers that regulators set aside for fiction or that are published examples of a form.
func TestPhonesOfManyCountries(t *testing.T) {
	e := engine(t)
	for _, number := range strings.Split(`+1 202-555-0143|+7 495 123-45-67|+20 2 2345 6789|+27 11 123 4567|+30 21 0123 4567|+31 20 123 4567|+32 2 123 45 67|+33 1 99 00 12 34
+34 912 34 56 78|+36 1 234 5678|+39 06 1234 5678|+40 21 123 4567|+41 44 123 45 67|+43 1 2345678|+44 20 7946 0123|+44 (0)20 7946 0123|+45 32 12 34 56|+46 8 123 456 78
+47 21 23 45 67|+48 12 345 67 89|+49 30 123456|+49 (0)30 123456|+51 1 1234567|+52 55 1234 5678|+54 11 2345-6789|+55 11 2345-6789|+55 (11) 91234-5678|+56 2 2123 4567
+57 601 1234567|+58 212-1234567|+60 3-2385 6789|+61 2 1234 5678|+62 21 1234567|+63 2 8123 4567|+64 3 345 6789|+65 6123 4567|+66 2 123 4567|+81 3-1234-5678
+82 2-123-4567|+84 210 1234 567|+86 10 1234 5678|+90 212 345 67 89|+91 74104 10123|+92 21 23456789|+94 11 234 5678|+212 5201-23456|+213 12 34 56 78|+234 803 123 4567
+254 20 1234567|+351 21 234 5678|+352 27 12 34 56|+353 1 234 5678|+354 410 1234|+358 13 123456|+359 2 123 456|+370 (5) 123 4567|+371 63 123 456|+372 321 2345
+380 44 123 4567|+381 10 234567|+385 1 2345 678|+386 1 123 45 67|+420 212 345 678|+421 2 1234 5678|+852 2123 4567|+886 2 1234 5678|+961 1 123 456|+966 11 234 5678
+971 2 234 5678|+972 2-123-4567|+974 4412 3456|+995 32 212 34 56|8 (495) 123-45-67|(11) 91234-5678|0033 1 99 00 12 34|(020) 7946 0123
555 0143 office|555-0143-Fax|Handy: 0151 12345678|Tel. 912 345 678`, "\n") {
		for one := range strings.SplitSeq(number, "|") {
			want := one
			for _, cut := range []string{"Handy: ", "Tel. ", " office", "-Fax"} {
				want = strings.ReplaceAll(want, cut, "")
			}
			if one[0] < '0' { // a cue must not be needed
				one = "ask " + one + " then"
			}
			if one == "555 0143 office" || one == "555-0143-Fax" {
				want = want[:8]
			}
			if got := spans(t, e, one, nil); len(got) != 1 || got[0] != "phone "+want {
				t.Errorf("Find(%q) = %q, want phone %s", one, got, want)
			}
		}
	}
	for _, text := range []string{"+999 1234 5678", "+44 4123 456789", "+49 0", "+1 115 555 0100", "+352 12", "+210 123 4567", "5550143 officers", "1234 5678 fax: none"} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", text, got)
		}
	}
}

// TestPhonesOfOddLengths has short and long numbers of plans that allow them, and numbers within a country that only a word before
// them tells from others.
func TestPhonesOfOddLengths(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ text, number string }{
		{"it is +683 7012 there", "+683 7012"}, {"it is +290 8999 there", "+290 8999"}, {"it is +593 1800 123 4567 there", "+593 1800 123 4567"},
		{"it is +853 0800 501 there", "+853 0800 501"}, {"it is +380 (0)44 123 4567 there", "+380 (0)44 123 4567"},
		{"call 0800 1234 there", "0800 1234"}, {"call 0 801 23 45 67 there", "0 801 23 45 67"}, {"call (2) 2123 4567 there", "(2) 2123 4567"},
		{"call (0-612) 34567 there", "(0-612) 34567"}, {"call 0800 1234567890 there", "0800 1234567890"},
		{"it is +683 701 there", ""}, {"it is 0800 1234 there", ""}, {"it is (2) 2123 4567 there", ""}, {"it is (0-612) 34567 there", ""},
	} {
		var want []string
		if c.number != "" {
			want = []string{"phone " + c.number}
		}
		if got := spans(t, e, c.text, nil); !slices.Equal(got, want) {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, want)
		}
	}
}

// TestIdentifiersAreNoPhones makes 100 of each of many kinds of identifier. At most one in a hundred may be taken for a number
// of ours, and none of a kind more than one in twenty.
func TestIdentifiersAreNoPhones(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	e := engine(t)
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	hex := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789abcdef"[r.IntN(16)]
		}
		return string(b)
	}
	kinds := map[string]func() string{
		"uuid":      func() string { return hex(8) + "-" + hex(4) + "-4" + hex(3) + "-a" + hex(3) + "-" + hex(12) },
		"sha-1":     func() string { return hex(40) },
		"sha-256":   func() string { return "sha256:" + hex(64) },
		"order":     func() string { return "order " + digits(3) + "-" + digits(7) + "-" + digits(7) },
		"invoice":   func() string { return "Invoice no. " + digits(10) },
		"price":     func() string { return "$" + digits(1) + "," + digits(3) + "," + digits(3) + ".00" },
		"isbn":      func() string { return "ISBN 978-" + digits(1) + "-" + digits(4) + "-" + digits(4) + "-" + digits(1) },
		"epoch":     func() string { return "17" + digits(8) },
		"millis":    func() string { return "17" + digits(11) },
		"version":   func() string { return "v" + digits(2) + "." + digits(2) + "." + digits(3) },
		"build":     func() string { return "build " + digits(9) },
		"ticket":    func() string { return "JIRA-" + digits(7) },
		"decimal":   func() string { return digits(2) + "." + digits(8) },
		"range":     func() string { return digits(4) + "-" + digits(4) },
		"thousands": func() string { return "1 " + digits(3) + " " + digits(3) },
		"tracking":  func() string { return "tracking 1Z" + hex(6) + digits(10) },
		"row":       func() string { return digits(2) + ", " + digits(3) + ", " + digits(4) },
		"number":    func() string { return digits(7 + r.IntN(5)) },
	}
	all, alarms := 0, 0
	for _, name := range slices.Sorted(maps.Keys(kinds)) { // the numbers drawn are the same each time
		n, make := 0, kinds[name]
		for range 100 {
			fs, err := e.Find(ctx, fmt.Sprintf("we saw %s there", make()), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fs {
				if f.Type == Phone || f.Type == Card || f.Type == SSN {
					n++
				}
			}
		}
		if n > 5 {
			t.Errorf("%s: %d of 100 were taken for a telephone, card or social security number", name, n)
		}
		all, alarms = all+100, alarms+n
	}
	if alarms*100 > all {
		t.Errorf("%d alarms in %d identifiers", alarms, all)
	}
}
