package risk

import (
	"bufio"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func person(name string, known ...string) Person { return Person{Name: name, Known: known} }

func TestLinkByHand(t *testing.T) {
	register := []Person{person("ann", "33", "02139"), person("bob", "34", "02139"), person("cid", "51", "02140"), person("dan", "70", "02141"), person("eve", "33", "02139")}
	table := []Row{
		{"ann", []string{"30s", "0213"}, "flu"}, {"bob", []string{"30s", "0213"}, "flu"},
		{"cid", []string{"50s", "0214"}, "asthma"},
		{"dan", []string{"*", "*"}, "gout"},
	}
	covers := func(column int, shown, known string) bool {
		switch {
		case shown == "*":
			return true
		case column == 0:
			return shown[0] == known[0]
		}
		return known[:4] == shown
	}
	got, err := Link(register, table, covers)
	if err != nil {
		t.Fatal(err)
	}
	// Cid is found, and so is Dan: he alone fits no row but the suppressed one. Ann and Bob are not found, and yet their illness is.
	want := Outcome{Persons: 5, Present: 4, Claimed: 2, Correct: 2, Share: 0.5, Fewest: 1, Best: 1, Expected: 0.75, Learnt: 4}
	if got != want {
		t.Errorf("Link() = %+v, want %+v", got, want)
	}
}

func TestLinkRefusesRaggedTables(t *testing.T) {
	if _, err := Link([]Person{person("a", "1")}, []Row{{"a", []string{"1", "2"}, ""}}, nil); !errors.Is(err, ErrInput) {
		t.Errorf("Link() error = %v, want ErrInput", err)
	}
	if _, err := Link([]Person{person("a", "1"), person("b")}, []Row{{"a", []string{"1"}, ""}}, nil); !errors.Is(err, ErrInput) {
		t.Errorf("Link() error = %v, want ErrInput", err)
	}
}

// adult reads the table and its hierarchies: for each column value → what it is at each level.
func adult(t *testing.T) (header []string, rows [][]string, hierarchies []map[string][]string) {
	t.Helper()
	dir := os.Getenv("SCRIM_DATA")
	if dir == "" {
		dir = "../../../../shared/data"
	}
	read := func(name string) [][]string {
		f, err := os.Open(filepath.Join(dir, "tables/adult", name))
		if err != nil {
			if os.Getenv("SCRIM_REQUIRE") == "1" {
				t.Fatal(err)
			}
			t.Skipf("the Adult table is not under SCRIM_DATA: %v", err)
		}
		defer f.Close()
		r := csv.NewReader(bufio.NewReader(f))
		r.Comma, r.FieldsPerRecord = ';', -1
		all, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := read("arx_adult.csv")
	header, rows = all[0], all[1:]
	for _, name := range header {
		h := map[string][]string{}
		for _, line := range read("hierarchies/" + name + ".csv") {
			h[line[0]] = line
		}
		hierarchies = append(hierarchies, h)
	}
	return header, rows, hierarchies
}

// The attack that k-anonymity is against: with all nine quasi-identifiers of everybody most rows of the raw table are found, and at the
// generalisation that keeps five rows alike, with what is left over suppressed, nobody is.
func TestLinkOnAdultSucceedsRawAndFailsReleased(t *testing.T) {
	_, rows, hierarchies := adult(t)
	levels := []int{0, 3, 0, 0, 2, 1, 1, 2, 0}
	var register []Person
	var raw, released []Row
	sizes := map[string]int64{}
	for i, row := range rows {
		name := strconv.Itoa(i)
		shown := make([]string, len(row))
		for c, v := range row {
			shown[c] = hierarchies[c][v][min(levels[c], len(hierarchies[c][v])-1)]
		}
		register = append(register, Person{name, row})
		raw = append(raw, Row{Subject: name, Shown: row})
		released = append(released, Row{Subject: name, Shown: shown})
		sizes[key(shown)]++
	}
	released = slices.DeleteFunc(released, func(r Row) bool { return sizes[key(r.Shown)] < 5 })
	before, err := Link(register, raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Link(register, released, func(column int, shown, known string) bool { return slices.Contains(hierarchies[column][known], shown) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("raw: %+v; released (%d of %d rows): %+v", before, len(released), len(rows), after)
	if before.Share < 0.4 || before.Correct != before.Claimed {
		t.Errorf("on the raw table %+v, want most claims right and over 40 %% of persons found", before)
	}
	if len(released) < len(rows)*95/100 {
		t.Errorf("%d of %d rows released, want at most 5 %% suppressed", len(released), len(rows))
	}
	if after.Correct != 0 || after.Fewest < 5 || after.Best > 1./5 {
		t.Errorf("on the release %+v, want nobody found, at least 5 rows for everybody, and a chance of at most 1/5", after)
	}
	// The attack and the figures agree: what a prosecutor finds on average is what the attacker names rightly by guessing.
	classes := Sizes{}
	for _, n := range sizes {
		if n >= 5 {
			classes.Add(n)
		}
	}
	r, err := Measure(Input{Before: State{Sizes: classes}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "what the attacker names rightly", after.Expected, r.Before.Prosecutor.Average, 1e-9)
}

// A sample of Adult against Adult: the truth is known.
func TestUniquenessOfAdultFromASample(t *testing.T) {
	_, rows, _ := adult(t)
	codes, cells := map[string]int{}, []int{}
	for _, row := range rows {
		k := key(row[:6])
		if _, ok := codes[k]; !ok {
			codes[k] = len(codes)
		}
		cells = append(cells, codes[k])
	}
	for _, fraction := range []float64{0.05, 0.1, 0.3, 0.6} {
		s, truth := drawn(testRand(11), cells, fraction)
		u := EstimateUniqueness(s, float64(len(rows)))
		t.Logf("at %v: %s says %.4f, truth %.4f (%+v)", fraction, u.Taken, u.Share, truth, u.Each)
		near(t, "share at "+strconv.FormatFloat(fraction, 'g', -1, 64), u.Share, truth, 0.05)
	}
}
