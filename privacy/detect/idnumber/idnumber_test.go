package idnumber_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/idnumber"
)

func Example() {
	idnumber.Match([]byte("1M8GDM9AXKP042788"), func(k *idnumber.Kind) bool {
		fmt.Println(k.Name, k.Label)
		return true
	})
	// Output: x-vin vehicle/vin
}

func is(name, number string) (found bool) {
	idnumber.Match([]byte(number), func(k *idnumber.Kind) bool {
		found = k.Name == name
		return !found
	})
	return found
}

func TestVectors(t *testing.T) {
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	valid := map[string]int{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var name, number, want string
		if _, err := fmt.Sscan(lines.Text(), &name, &number, &want); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if want == "valid" {
			valid[name]++
		}
		if got := is(name, number); got != (want == "valid") {
			t.Errorf("line %d: %s %s: %v, want it %s", n, name, number, got, want)
		}
	}
	for _, k := range idnumber.Kinds() {
		switch k.Name {
		case "dk-cpr-2007", "ng-nin", "sa-id", "ae-id", "nz-ird-8", "gr-amka", "fr-nir-corsica": // form and little more, or a variant
			continue
		}
		if valid[k.Name] == 0 {
			t.Errorf("%s has no valid vector", k.Name)
		}
	}
}

func TestKindsAreWhole(t *testing.T) {
	countries, names := map[string]bool{}, map[string]bool{}
	for _, k := range idnumber.Kinds() {
		country, _, _ := strings.Cut(k.Name, "-")
		countries[country] = true
		if names[k.Name] || k.Title == "" || len(k.Cues) == 0 || !flow.DefaultTaxonomy().Known(k.Label) {
			t.Errorf("%s is there twice, or has no title, cue or known label", k.Name)
		}
		names[k.Name] = true
		if country != "x" && !idnumber.Countries[strings.ToUpper(country)] {
			t.Errorf("%s is of no country", k.Name)
		}
		for _, c := range k.Cues {
			if c != strings.ToLower(c) {
				t.Errorf("%s: cue %s is not in lower case", k.Name, c)
			}
		}
	}
	if len(countries) < 40 || len(names) < 80 {
		t.Errorf("%d kinds of %d countries", len(names), len(countries))
	}
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"99999999A", "1M8GDM9AXKP042788", "AAAAAAAAAAAAAAAA", "000000000000000000", "A", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := []byte(strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' {
				return r
			}
			return -1
		}, s))
		before := string(b)
		idnumber.Match(b, func(*idnumber.Kind) bool { return true })
		if string(b) != before {
			t.Errorf("Match changed its input")
		}
	})
}
