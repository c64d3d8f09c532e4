package anonymity

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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
				start := cpu(b)
				for b.Loop() {
					var err error
					s, err = Search(b.Context(), table, Options{Models: c.models, Suppression: .05, Workers: workers})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpu(b)-start)/1e6/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(s.Checked), "nodes")
				b.ReportMetric(s.Score, "loss")
			})
		}
	}
}

// From the bytes of the CSV file and its hierarchies to the solution.
func BenchmarkAdultFromFile(b *testing.B) {
	dir, start := dataDir(b), cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-start)/1e6/float64(b.N), "cpu-ms/op") }()
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

// Local recoding of Adult, age in ranges: from the table of distinct combinations to the solution.
func BenchmarkMondrian(b *testing.B) {
	for _, c := range adultCases {
		b.Run(c.name, func(b *testing.B) {
			table, _ := adult(b, c.sensitive...)
			for a := range table.attributes {
				table.attributes[a].Ordered = table.attributes[a].Name == "age"
			}
			var s *Solution
			start := cpu(b)
			for b.Loop() {
				var err error
				if s, err = Mondrian(b.Context(), table, Options{Models: c.models, Suppression: .05}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-start)/1e6/float64(b.N), "cpu-ms/op")
			b.ReportMetric(s.Score, "loss")
		})
	}
}

// cpu is what the process has used of all processors: on a busy machine it says more than the clock.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
