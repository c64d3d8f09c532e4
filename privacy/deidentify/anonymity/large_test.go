package anonymity

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// manyRows returns a table of nine attributes, gathered by two builders, almost all of whose rows are distinct.
func manyRows(t testing.TB, rows int) *Table {
	t.Helper()
	var attributes []Attribute
	for a, values := range []int{2, 100, 5, 7, 1 << 16, 40, 8, 14, 1 << 10} {
		levels := [][]uint32{make([]uint32, values), make([]uint32, values), make([]uint32, values), make([]uint32, values)}
		for v := range uint32(values) {
			levels[0][v], levels[1][v], levels[2][v] = v, v/8, v/64
		}
		h, err := NewHierarchy(levels)
		if err != nil {
			t.Fatal(err)
		}
		attributes = append(attributes, Attribute{Name: fmt.Sprint("a", a), Hierarchy: h})
	}
	builders := [2]*Builder{NewBuilder(9, 0), NewBuilder(9, 0)}
	var wg sync.WaitGroup
	for w, b := range builders {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			codes := make([]uint32, 9)
			for range rows / 2 {
				for a := range codes {
					codes[a] = uint32(r.IntN(attributes[a].Hierarchy.Codes(0)))
				}
				b.Add(codes, nil)
			}
		})
	}
	wg.Wait()
	if err := builders[0].Merge(builders[1]); err != nil {
		t.Fatal(err)
	}
	table, err := builders[0].Table(attributes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Ten million rows with as many distinct combinations are gathered and searched within 2 GB.
func TestTenMillionDistinctWithinTwoGigabytes(t *testing.T) {
	rows := 100_000
	if os.Getenv("SCRIM_LONG") == "1" {
		rows = 10_000_000
	}
	start := time.Now()
	table := manyRows(t, rows)
	built := time.Since(start)
	if table.Len() < rows*99/100 {
		t.Fatalf("only %d of %d rows are distinct", table.Len(), rows)
	}
	o := Options{Models: []Model{KAnonymity{5}}, Suppression: .05}
	s, err := Search(t.Context(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d distinct rows: table in %v, solution %v with loss %.4f after %d of %d nodes in %v, %d MB from the system",
		table.Len(), built.Round(time.Millisecond), s.Levels, s.Score, s.Checked, s.Nodes, (time.Since(start) - built).Round(time.Millisecond), m.Sys>>20)
	if m.Sys > 2_000_000_000 {
		t.Errorf("%d bytes were taken from the system, want at most 2 GB", m.Sys)
	}
}

// A row is nine codes; two goroutines gather, merge and sort.
func BenchmarkBuilder(b *testing.B) {
	for _, rows := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprint("distinct=", rows), func(b *testing.B) {
			if rows > 1_000_000 && os.Getenv("SCRIM_LONG") != "1" {
				b.Skip("ten million rows: SCRIM_LONG=1")
			}
			for b.Loop() {
				manyRows(b, rows)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(rows)*1e9, "ns/row")
		})
	}
}
