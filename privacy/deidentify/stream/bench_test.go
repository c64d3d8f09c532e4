package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// crowd returns records of many subjects, made before the clock of a benchmark starts.
func crowd(n int) []Record {
	rng, out := rand.New(rand.NewPCG(1, 2)), make([]Record, n)
	for i := range out {
		out[i] = Record{
			Subject:   fmt.Append(nil, "subject-", rng.IntN(20_000)),
			Values:    texts(fmt.Sprint(rng.IntN(100)), fmt.Sprintf("%05d", min(rng.IntN(500), rng.IntN(500)))),
			Sensitive: fmt.Append(nil, rng.IntN(20)),
		}
	}
	return out
}

func BenchmarkZ(b *testing.B) {
	records := crowd(1 << 16)
	for _, z := range []int{5, 50} {
		b.Run(fmt.Sprint("z=", z), func(b *testing.B) {
			s, _ := NewZ(ZOptions{Z: z, Window: time.Hour, Attributes: []string{"age", "code"}})
			b.ReportAllocs()
			for i := range b.N {
				if _, err := s.Push(records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkCastle(b *testing.B) {
	records := crowd(1 << 16)
	for _, o := range []CastleOptions{{K: 5, Delay: 200}, {K: 5, Delay: 2000}, {K: 10, L: 3, Delay: 2000, Reuse: 50}} {
		b.Run(fmt.Sprintf("k=%d,l=%d,delay=%d,reuse=%d", o.K, o.L, o.Delay, o.Reuse), func(b *testing.B) {
			o.Attributes = []Attribute{{Name: "age", Range: &Range{Least: "0", Most: "120"}}, {Name: "code", Hierarchy: newCodes(500)}}
			s, err := NewCastle(o)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := range b.N {
				if _, err := s.Push(records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			st := s.Stats()
			b.ReportMetric(100*float64(st.Suppressed)/float64(max(1, st.Published+st.Suppressed)), "%suppressed")
		})
	}
}
