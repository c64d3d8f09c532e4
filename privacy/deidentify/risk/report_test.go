package risk

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func sample(t *testing.T) *Report {
	t.Helper()
	r, err := Measure(Input{
		Table: "patients.csv", Columns: []string{"birth", "sex", "postcode"}, Models: []string{"5-anonymity", "distinct 3-diversity"}, K: 5,
		Before:     State{Sizes: Sizes{1: 733, 2: 61, 3: 20, 9: 11}},
		After:      &State{Sizes: Sizes{5: 24, 8: 33, 60: 10}, Suppressed: 30},
		Population: Population{Name: "patients of the region", Persons: 23_456},
		Utility: &Utility{Loss: 0.2419, NonUniform: 0.3321, Discernibility: 73_121, AverageClass: 14.64, SuppressedShare: 0.0291, Columns: []Column{
			{Name: "birth", Level: 2, Levels: 5, Technique: "hierarchy", Loss: 0.3, DistinctBefore: 803, DistinctAfter: 9, Reveals: []string{"the decade"}},
			{Name: "weight", Level: -1, Loss: 0.1, DistinctBefore: 203, DistinctAfter: 19, Shift: ShiftOf(Numbers{71, 70, 61, 81, 12}, Numbers{71.3, 70, 60, 80, 12.6})},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func forms(t *testing.T, r *Report) map[string][]byte {
	t.Helper()
	var text, html bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(&html); err != nil {
		t.Fatal(err)
	}
	j, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"txt": text.Bytes(), "html": html.Bytes(), "json": j}
}

func TestReportGolden(t *testing.T) {
	for who, r := range map[string]*Report{"operator": sample(t), "recipient": sample(t).ForRecipient()} {
		for form, got := range forms(t, r) {
			path := filepath.Join("testdata", who+"."+form)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs (-update writes it); got\n%s", path, got)
			}
		}
	}
}

func TestHTMLFetchesAndRunsNothing(t *testing.T) {
	html := string(forms(t, sample(t))["html"])
	if m := regexp.MustCompile(`(?i)<script|<img|<link|<iframe|<object|src=|href=|url\(|@import|\bon[a-z]+=|https?:`).FindString(html); m != "" {
		t.Errorf("the page holds %q", m)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "@media print", "width=device-width", "default-src 'none'"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestNamesCannotBreakTheReport(t *testing.T) {
	evil := "x\x1b[31m</td><script>alert(1)</script>\u202e"
	r, err := Measure(Input{Table: evil, Columns: []string{evil}, Models: []string{evil}, Population: Population{Name: evil, Persons: 9}, Before: State{Sizes: Sizes{1: 1}},
		Utility: &Utility{Columns: []Column{{Name: evil, Reveals: []string{evil}}}}})
	if err != nil {
		t.Fatal(err)
	}
	f := forms(t, r)
	for _, bad := range []string{"\x1b", "\u202e"} {
		if bytes.Contains(f["txt"], []byte(bad)) || bytes.Contains(f["html"], []byte(bad)) {
			t.Errorf("the report holds %q", bad)
		}
	}
	if bytes.Contains(f["html"], []byte("<script")) {
		t.Error("the page holds a script from a column's name")
	}
	if !json.Valid(f["json"]) {
		t.Error("the JSON is not valid")
	}
}

// One person more or less in the raw table must not show in the recipient's copy where the classes released are the same: none suppressed and one suppressed look
// alike.
func TestRecipientsCopyHidesOnePerson(t *testing.T) {
	with := func(uniques, suppressed int64) []byte {
		r, err := Measure(Input{
			Table: "t", K: 5, Before: State{Sizes: Sizes{1: uniques, 7: 3000}}, After: &State{Sizes: Sizes{7: 3000}, Suppressed: suppressed},
			Utility: &Utility{Discernibility: 147_000 + 21_000*float64(suppressed), SuppressedShare: float64(suppressed) / float64(21_000+suppressed)},
		})
		if err != nil {
			t.Fatal(err)
		}
		j, err := r.ForRecipient().JSON()
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	one, two := with(1, 1), with(2, 2)
	if !bytes.Equal(one, two) {
		t.Errorf("the copies tell one suppressed person from two:\n%s\n%s", one, two)
	}
	if zero, one, ten, eleven := up(0, 10), up(1, 10), up(10, 10), up(11, 10); zero != 10 || one != 10 || ten != 10 || eleven != 20 {
		t.Errorf("0, 1, 10 and 11 are rounded up to %d, %d, %d and %d, want 10, 10, 10 and 20", zero, one, ten, eleven)
	}
	small := func(suppressed int64) []byte {
		r, err := Measure(Input{Table: "t", Before: State{Sizes: Sizes{1: suppressed, 7: 5}}, After: &State{Sizes: Sizes{7: 5}, Suppressed: suppressed}})
		if err != nil {
			t.Fatal(err)
		}
		j, _ := r.ForRecipient().JSON()
		return j
	}
	if a, b := small(1), small(2); !bytes.Equal(a, b) {
		t.Errorf("hundredths of a small table tell one person from two:\n%s\n%s", a, b)
	}
	for _, exact := range []string{`"suppressed": 1,`, "21001", "0.00004"} {
		if bytes.Contains(one, []byte(exact)) {
			t.Errorf("the copy holds %s", exact)
		}
	}
}

func TestRecipientsCopyIsMadeOnceAndLeavesTheOriginal(t *testing.T) {
	r := sample(t)
	before, _ := r.JSON()
	c := r.ForRecipient()
	again, _ := c.ForRecipient().JSON()
	once, _ := c.JSON()
	after, _ := r.JSON()
	if !bytes.Equal(before, after) {
		t.Error("making the copy changed the report")
	}
	if !bytes.Equal(once, again) {
		t.Error("a copy of the copy differs")
	}
}

func TestShiftOfTellsNoNumberOfTheTable(t *testing.T) {
	if s := ShiftOf(Numbers{5, 5, 5, 5, 0}, Numbers{5, 5, 5, 5, 0}); s != nil {
		t.Errorf("ShiftOf(constant) = %+v, want nil", s)
	}
	s := ShiftOf(Numbers{100, 90, 80, 120, 10}, Numbers{105, 90, 80, 110, 5})
	if *s != (Shift{0.5, 0, 0, -1, 0.5}) {
		t.Errorf("ShiftOf() = %+v", *s)
	}
}
