package anonymity

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// adultCases are those on which ARX was timed: k=5 and 5 % suppression on all nine attributes, and with occupation sensitive.
var adultCases = []struct {
	name      string
	sensitive []string
	models    []Model
}{
	{"k5", nil, []Model{KAnonymity{5}}},
	{"k5+l3", []string{"occupation"}, []Model{KAnonymity{5}, DistinctLDiversity{"occupation", 3}}},
	{"k5+t0.2-equal", []string{"occupation"}, []Model{KAnonymity{5}, EqualTCloseness{"occupation", .2}}},
	{"k5+t0.2-hierarchical", []string{"occupation"}, []Model{KAnonymity{5}, HierarchicalTCloseness{"occupation", .2}}},
	{"k5+entropy-l3", []string{"occupation"}, []Model{KAnonymity{5}, EntropyLDiversity{"occupation", 3}}},
}

// From the table of distinct combinations to the solution with its utility; reading and encoding are not in it.
func BenchmarkAdult(b *testing.B) {
	for _, c := range adultCases {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(b *testing.B) {
				table, _ := adult(b, c.sensitive...)
				var s *Solution
				for b.Loop() {
					var err error
					s, err = Search(b.Context(), table, Options{Models: c.models, Suppression: .05, Workers: workers})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(s.Checked), "nodes")
				b.ReportMetric(s.Score, "loss")
			})
		}
	}
}

// From the bytes of the CSV file and its hierarchies to the solution.
func BenchmarkAdultFromFile(b *testing.B) {
	dir := dataDir(b)
	for b.Loop() {
		raw, err := os.ReadFile(filepath.Join(dir, "arx_adult.csv"))
		if err != nil {
			b.Fatal(err)
		}
		table, _ := encode(b, dir, raw)
		if _, err := Search(b.Context(), table, Options{Models: []Model{KAnonymity{5}}, Suppression: .05, Workers: 2}); err != nil {
			b.Fatal(err)
		}
	}
}
