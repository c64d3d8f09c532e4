package lines

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
)

// record is about 1 KB in 20 members.
func record(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%d,"name":"Jane Roe %d","email":"jane%d@example.org","born":"1970-01-02","amount":%d.50,"member":true`, i, i, i, i%1000)
	for c := range 14 {
		fmt.Fprintf(&b, `,"column_%d":"%s"`, c, strings.Repeat("text of a cell ", 3))
	}
	return b.String() + "}\n"
}

// BenchmarkCopy reads, changes five cells of twenty in each record, and writes, SHA-256 of both files and the disk included.
func BenchmarkCopy(b *testing.B) {
	var in strings.Builder
	for i := range 64 << 10 {
		in.WriteString(record(i))
	}
	s := open(b, in.String(), Options{})
	b.SetBytes(int64(in.Len()))
	dst := filepath.Join(b.TempDir(), "out.jsonl")
	for b.Loop() {
		r, err := s.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		target := Target(dst, Options{})
		w, err := target.Create(b.Context(), r.Columns(), table.Run{})
		if err != nil {
			b.Fatal(err)
		}
		err = table.Copy(b.Context(), r, w, func(t *table.Batch) error {
			for i := range t.Rows {
				row := t.Row(i)
				for c := range 5 {
					row[c+1].Kind, row[c+1].Src = table.Text, nil
				}
			}
			return nil
		}, table.Options{})
		if err != nil {
			b.Fatal(err)
		}
		w.Close()
		r.Close()
		target.Discard(b.Context())
	}
}
