package parquet_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/table"
)

// TestNumbersAreWhatCellsSay reads each column of files of two other writers as numbers and as cells.
func TestNumbersAreWhatCellsSay(t *testing.T) {
	raw, err := os.ReadFile("testdata/arrow.txt")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	names := strings.Split(first, "|")
	for path, names := range map[string][]string{
		writeOther(t, 2500, 1, &pq.Snappy): nil, writeOther(t, 2500, 2, &pq.Zstd): nil,
		"testdata/arrow-v1.parquet": names, "testdata/arrow-v2.parquet": names,
	} {
		kinds := map[parquet.WholeKind]int{}
		src, err := parquet.File(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := src.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if names != nil {
			if r, err = table.Select(path, r, names); err != nil {
				t.Fatal(err)
			}
		}
		by, ok := parquet.ByColumn(r)
		if !ok {
			t.Fatal("a reader of the package is none")
		}
		for {
			c, err := r.Next(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var all, one table.Batch
			if err := r.Read(t.Context(), c, &all); err != nil {
				t.Fatal(err)
			}
			for i, column := range r.Columns() {
				if err := by.Cells(t.Context(), c, i, &one); err != nil {
					t.Fatal(err)
				}
				w := by.Whole(i)
				kinds[w.Kind]++
				to, null := make([]int64, c.Rows), make([]bool, c.Rows)
				some, err := by.Numbers(t.Context(), c, i, to, null)
				if (err == nil) != (w.Kind != parquet.None) {
					t.Fatalf("%s: Numbers() of column %s: %v", path, column.Name, err)
				}
				for row := range c.Rows {
					want := all.Row(row)[i]
					if got := one.Row(row)[0]; got.Kind != want.Kind || string(got.Text) != string(want.Text) {
						t.Fatalf("%s: row %d, column %s alone is %s, among others %s", path, row, column.Name, got.Text, want.Text)
					}
					if w.Kind == parquet.None {
						continue
					}
					if null[row] != (want.Kind == table.Null) || null[row] && !some {
						t.Fatalf("%s: row %d, column %s: null is %v", path, row, column.Name, null[row])
					}
					if got := spell(w, to[row]); !null[row] && got != strings.TrimSuffix(string(want.Text), "Z") {
						t.Fatalf("%s: row %d, column %s = %s, want %s", path, row, column.Name, got, want.Text)
					}
				}
			}
		}
		if kinds[parquet.Scaled] == 0 || kinds[parquet.Days] == 0 || kinds[parquet.Moments] == 0 || kinds[parquet.Flag] == 0 {
			t.Errorf("%s: kinds of columns %v: some are not tried", path, kinds)
		}
		r.Close()
	}
}

// spell writes a whole number as a cell does.
func spell(w parquet.Whole, v int64) string {
	switch w.Kind {
	case parquet.Days:
		return time.Unix(v*86400, 0).UTC().Format(time.DateOnly)
	case parquet.Moments:
		sec, rest := v/w.Per, v%w.Per
		if rest < 0 {
			sec, rest = sec-1, rest+w.Per
		}
		return time.Unix(sec, rest*(1e9/w.Per)).UTC().Format("2006-01-02T15:04:05.999999999")
	case parquet.Flag:
		return fmt.Sprint(v == 1)
	}
	if w.Places == 0 {
		return fmt.Sprint(v)
	}
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	s := fmt.Sprintf("%0*d", w.Places+1, v)
	return sign + s[:len(s)-w.Places] + "." + s[len(s)-w.Places:]
}

// TestLenientReaderGivesNull reads values that their types do not allow, in dictionaries and without.
func TestLenientReaderGivesNull(t *testing.T) {
	type row struct {
		Day   int32  `parquet:"day,date"`
		Days  int32  `parquet:"days,date,dict"`
		At    int64  `parquet:"at,timestamp(millisecond)"`
		Text  string `parquet:"text"`
		Texts string `parquet:"texts,dict"`
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	const beyond = 4_000_000 // days: after the year 9999
	if err := pq.WriteFile(path, []row{{1, 1, 1, "a", "a"}, {beyond, beyond, beyond * 86_400_000, "\xff", "\xff"}, {2, 2, 2, "b", "b"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(t, path); err == nil {
		t.Error("without leniency the file is read")
	}
	src, err := parquet.File(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.(interface{ Lenient() }).Lenient()
	c, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b table.Batch
	if err := r.Read(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
	if got, want := line(b.Row(1)), "0:|0:|0:|0:|0:|"; got != want {
		t.Errorf("row 2 = %s, want nulls", got)
	}
	if got, want := line(b.Row(2)), "1:1970-01-03|1:1970-01-03|1:1970-01-01T00:00:00.002Z|1:b|1:b|"; got != want {
		t.Errorf("row 3 = %s, want %s", got, want)
	}
}
