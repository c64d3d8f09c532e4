package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/scrimhq/scrim/privacy/detect"
)

// kinds are the numbers that an agent's texts have: of people, of offices, of hotlines.
var kinds = []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE}

// spellings are the ways to write a number, and the least share of the examples that must be found, exactly from end to end.
var spellings = []struct {
	name  string
	least float64
	write func(n *phonenumbers.PhoneNumber) string
	text  string // around it
}{
	{"E.164", .99, e164, "it is %s there"},
	{"international", .99, international, "it is %s there"},
	{"link", .99, func(n *phonenumbers.PhoneNumber) string {
		return strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.RFC3966), "tel:")
	}, "it is %s there"},
	{"international with 00", .98, func(n *phonenumbers.PhoneNumber) string {
		return "00" + strings.TrimPrefix(international(n), "+")
	}, "call %s there"},
	{"national after a word", .94, national, "call %s there"},
	{"national in one piece after a word", .93, func(n *phonenumbers.PhoneNumber) string {
		return strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return r
			}
			return -1
		}, national(n))
	}, "phone: %s"},
	{"national alone", .5, national, "it is %s there"},
}

func e164(n *phonenumbers.PhoneNumber) string { return phonenumbers.Format(n, phonenumbers.E164) }

func international(n *phonenumbers.PhoneNumber) string {
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

func national(n *phonenumbers.PhoneNumber) string {
	return phonenumbers.Format(n, phonenumbers.NATIONAL)
}

// share counts what was found.
type share struct {
	found, all int
	missed     []string
}

func (s *share) add(ok bool, what string) {
	s.all++
	if ok {
		s.found++
	} else {
		s.missed = append(s.missed, what)
	}
}

func (s *share) rate() float64 { return float64(s.found) / float64(max(s.all, 1)) }

func (s *share) String() string {
	return fmt.Sprintf("%d of %d (%.1f %%)", s.found, s.all, 100*s.rate())
}

func engine(t *testing.T) *detect.Engine {
	e, err := detect.New(detect.Options{FormsOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// finds reports whether exactly the number is found as a telephone number in the text.
func finds(t *testing.T, e *detect.Engine, text, number string) bool {
	t.Helper()
	got, err := e.Find(t.Context(), text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(got, func(f detect.Finding) bool {
		return f.Type == detect.Phone && text[f.Start:f.End] == number
	})
}

// regions returns the library's, in order.
func regions() []string {
	var all []string
	for region := range phonenumbers.GetSupportedRegions() {
		all = append(all, region)
	}
	slices.Sort(all)
	return all
}

// TestExampleNumbers looks for the library's examples of all regions in every spelling.
func TestExampleNumbers(t *testing.T) {
	e := engine(t)
	if n := len(regions()); n < 240 {
		t.Fatalf("the library knows %d regions, want 240 or more", n)
	}
	for _, sp := range spellings {
		var s share
		for _, region := range regions() {
			for _, kind := range kinds {
				n := phonenumbers.GetExampleNumberForType(region, kind)
				if n == nil {
					continue
				}
				number := sp.write(n)
				s.add(finds(t, e, fmt.Sprintf(sp.text, number), number), region+" "+number)
			}
		}
		t.Logf("%-36s %s", sp.name, &s)
		if s.rate() < sp.least || s.all < 600 {
			t.Errorf("%s: %s are found, want %.0f %% of 600 or more; not: %q", sp.name, &s, 100*sp.least, s.missed)
		}
	}
}

// callingCodes returns those of the library's regions.
func callingCodes() []int {
	var codes []int
	for _, region := range regions() {
		codes = append(codes, phonenumbers.GetCountryCodeForRegion(region))
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// draw returns a number with the calling code and so many random digits, as E.164 writes it.
func draw(r *rand.Rand, code, digits int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "+%d", code)
	for range digits {
		b.WriteByte('0' + byte(r.IntN(10)))
	}
	return b.String()
}

// TestRandomNumbers draws numbers for each calling code, 4 to 13 digits after it, the same ones each time. Of those that the
// library calls valid nearly all must be found; of those whose length it calls impossible, and without the +, hardly any.
func TestRandomNumbers(t *testing.T) {
	e := engine(t)
	r := rand.New(rand.NewPCG(164, 2026))
	var valid, invalid, impossible, unassigned, bare share
	worst := map[int]*share{}
	for _, code := range callingCodes() {
		worst[code] = &share{}
		for range 1200 {
			number := draw(r, code, 4+r.IntN(10))
			n, err := phonenumbers.Parse(number, "")
			if err != nil {
				continue
			}
			text := "it is " + number + " there"
			switch {
			case e164(n) != number: // the library takes a prefix off, or puts a digit in
			case phonenumbers.IsValidNumber(n):
				if worst[code].all < 100 {
					ok := finds(t, e, text, number)
					valid.add(ok, number)
					worst[code].add(ok, number)
				}
			case !phonenumbers.IsPossibleNumber(n):
				impossible.add(finds(t, e, text, number), number)
			default:
				invalid.add(finds(t, e, text, number), number)
			}
			bare.add(finds(t, e, "it is "+number[1:]+" there", number[1:]), number)
		}
	}
	for code := 1; code < 1000; code++ {
		if phonenumbers.GetRegionCodeForCountryCode(code) != "ZZ" || phonenumbers.GetRegionCodeForCountryCode(code/10) != "ZZ" || phonenumbers.GetRegionCodeForCountryCode(code/100) != "ZZ" || code < 100 {
			continue
		}
		for range 20 {
			number := draw(r, code, 4+r.IntN(8))
			unassigned.add(finds(t, e, "it is "+number+" there", number), number)
		}
	}
	t.Logf("valid: %s; invalid of a possible length: %s; of an impossible length: %s; of no country: %s; without +: %s", &valid, &invalid,
		&impossible, &unassigned, &bare)
	for code, s := range worst {
		if s.all > 0 && s.rate() < .9 {
			t.Errorf("+%d: %s valid numbers are found; not: %q", code, s, s.missed[:min(5, len(s.missed))])
		}
	}
	if valid.all < 6_000 || valid.rate() < .99 {
		t.Errorf("%s valid numbers are found, want 99 %% of 6000 or more", &valid)
	}
	if invalid.all < 6_000 || invalid.rate() > .9 { // lengths and first digits are looked at, areas are not
		t.Errorf("%s invalid numbers of a possible length are taken, want at most 90 %%", &invalid)
	}
	if bare.rate() > .001 {
		t.Errorf("%s numbers in one piece, without a word, are taken, want at most 0.1 %%", &bare)
	}
	if impossible.all < 10_000 || impossible.rate() > .06 {
		t.Errorf("%s numbers of an impossible length are taken, want at most 6 %%", &impossible)
	}
	if unassigned.all < 500 || unassigned.rate() > .01 {
		t.Errorf("%s numbers of no country are taken, want at most 1 %%", &unassigned)
	}
}
