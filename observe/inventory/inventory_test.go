package inventory

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/json/lines"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// looker is a classifier that remembers what it was shown, and says nothing.
type looker map[string]column.Column

func (l looker) Table(_ context.Context, cols []column.Column) [][]column.Guess {
	for _, c := range cols {
		l[c.Table+"/"+c.Name] = c
	}
	return make([][]column.Guess, len(cols))
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func csvFile(path string) Source {
	return Files(path, []Opened{{Name: filepath.Base(path), Open: func() (table.Source, error) { return csv.File(path, csv.Options{}) }}})
}

func linesFile(path string) Source {
	return Files(path, []Opened{{Name: filepath.Base(path), Open: func() (table.Source, error) { return lines.File(path, lines.Options{}) }}})
}

func scan(t *testing.T, src Source, o Options) (*Inventory, looker) {
	t.Helper()
	l := looker{}
	inv, err := Scan(t.Context(), src, l, o)
	if err != nil {
		t.Fatal(err)
	}
	return inv, l
}

func TestSampleIsTheSameWhateverTheOrderOfGoroutines(t *testing.T) {
	var b strings.Builder
	b.WriteString("n,even\n")
	for i := range 50_000 {
		fmt.Fprintf(&b, "%d,%v\n", i, i%2 == 0)
	}
	path := written(t, "numbers.csv", b.String())
	inv, first := scan(t, csvFile(path), Options{Sample: 500})
	a := inv.Assets[0]
	if a.Rows != 50_000 || !a.Exact || a.Sampled != 500 || a.Columns[0].Looked != 500 {
		t.Fatalf("got %+v, want 500 of 50000 rows", a)
	}
	_, second := scan(t, csvFile(path), Options{Sample: 500})
	if !slices.Equal(first["numbers/n"].Values, second["numbers/n"].Values) {
		t.Error("two scans of the same file sampled different rows")
	}
	_, other := scan(t, csvFile(path), Options{Sample: 500, Seed: 1})
	if slices.Equal(first["numbers/n"].Values, other["numbers/n"].Values) {
		t.Error("another seed sampled the same rows")
	}
	early := 0 // rows of the first half: 250 are expected, with a standard deviation of 11
	for _, v := range first["numbers/n"].Values {
		if len(v) < 5 || v < "25000" && len(v) == 5 {
			early++
		}
	}
	if early < 180 || early > 320 {
		t.Errorf("%d of 500 sampled rows are of the first half", early)
	}
	if c := first["numbers/even"]; c.Distinct != 2 || c.Rows != 50_000 {
		t.Errorf("column even has %d different values of %d rows, want 2 of 50000", c.Distinct, c.Rows)
	}
	if c := first["numbers/n"]; c.Distinct != 50_000 {
		t.Errorf("column n has %d different values, want 50000", c.Distinct)
	}
}

func TestMembersOfObjectsBecomeColumnsUnlessTheirNamesAreValues(t *testing.T) {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `{"id":%d,"home":{"city":"Ulm","geo":{"lat":1.5}},"tags":["a","b"],"seen":{"canary%d@example.org":true}}`+"\n", i, i)
	}
	inv, l := scan(t, linesFile(written(t, "people.jsonl", b.String())), Options{})
	var names []string
	for _, c := range inv.Assets[0].Columns {
		names = append(names, c.Name)
	}
	want := []string{"id", "home", "home.city", "home.geo", "home.geo.lat", "tags", "seen"}
	if !slices.Equal(names, want) {
		t.Errorf("columns %q, want %q", names, want)
	}
	if c := l["people/seen"]; !slices.Contains(c.Values, "canary7@example.org") {
		t.Error("the names of a map's members were not looked at as values")
	}
	if c := l["people/tags"]; len(c.Values) != 80 {
		t.Errorf("%d values of tags, want the 80 elements", len(c.Values))
	}
}

func TestAFileWithoutAHeaderIsRefusedWithoutItsValues(t *testing.T) {
	for name, content := range map[string]string{
		"address":  "Anna,canary@example.org\nBen,b@example.org\n",
		"numbers":  "1,2,3\n4,5,6\n",
		"date":     "Anna,1970-05-17\nBen,1980-01-01\n",
		"doubled":  "4111111111111111,4111111111111111\n1,2\n",
		"the card": "x,4111 1111 1111 1111\n1,2\n",
	} {
		inv, _ := scan(t, csvFile(written(t, "x.csv", content)), Options{})
		a := inv.Assets[0]
		if !a.Failed || len(a.Columns) > 0 {
			t.Errorf("%s: %+v, want it refused", name, a)
		}
		if s := fmt.Sprint(a); strings.Contains(s, "canary") || strings.Contains(s, "4111") || strings.Contains(s, "1970") {
			t.Errorf("%s: the refusal holds a value", name)
		}
	}
	inv, _ := scan(t, csvFile(written(t, "x.csv", "id,2023,2024,h1_2024,weight (kg),Straße und Hausnummer\n1,2,3,4,5,6\n")), Options{})
	if inv.Assets[0].Failed {
		t.Errorf("a header with years is refused: %s", inv.Assets[0].Why)
	}
}

func TestLongValuesGiveASmallerSample(t *testing.T) {
	s := newSampler(Options{Sample: 10_000})
	long := make([]byte, 1<<20)
	wide := make([]table.Cell, 200)
	for i := range wide {
		wide[i] = table.Cell{Kind: table.Text, Text: long}
	}
	for i := range 2000 {
		s.row(int64(i), wide)
	}
	if s.bytes > maxBytes || len(s.rows) < 200 {
		t.Errorf("%d rows with %d bytes are kept, want some hundred with at most %d", len(s.rows), s.bytes, maxBytes)
	}
}
