package csv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
)

// BenchmarkRead reads rows like those of a census: many short cells, with SHA-256 of the file.
func BenchmarkRead(b *testing.B) {
	for _, c := range []struct{ name, row string }{
		{"plain", "Male,39,White,Never-married,Bachelors,United-States,State-gov,Adm-clerical,<=50K,%d\n"},
		{"quoted", "\"Male\",\"39\",\"White\",\"Never-married\",\"Bachelors\",\"United-States\",\"State-gov\",\"Adm-clerical\",\"<=50K\",\"%d\"\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var in strings.Builder
			in.WriteString("sex,age,race,marital-status,education,native-country,workclass,occupation,salary-class,number\n")
			for i := range 1 << 20 {
				fmt.Fprintf(&in, c.row, i)
			}
			s, err := File(write(b, "in.csv", []byte(in.String())), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(in.Len()))
			for b.Loop() {
				r, err := s.Open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if err := table.Each(b.Context(), r, func(int, *table.Batch) error { return nil }, table.Options{}); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}
