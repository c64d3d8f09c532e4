package csv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
)

// TestResumedRunsWriteTheSameFile breaks runs off at many rows and goes on with chunks of another size. What is published must be
// what a run writes that nothing disturbed, dropped rows, changed cells and the last line without an end included.
func TestResumedRunsWriteTheSameFile(t *testing.T) {
	var in, want strings.Builder
	in.WriteString("n;text")
	want.WriteString("n;text")
	for i := 1; i <= 300; i++ {
		fmt.Fprintf(&in, "\r\n%d;\"line %d\n\"", i, i)
		if i%7 != 0 {
			fmt.Fprintf(&want, "\r\n%d;\"changed\n%d\"", i, i)
		}
	}
	path := write(t, "in.csv", []byte(in.String()))
	broken := errors.New("power is gone")
	run := func(dst string, chunk int, last int64, tag string, resume bool) (int64, error) {
		s, err := File(path, Options{chunk: chunk})
		if err != nil {
			return 0, err
		}
		r, err := s.Open(t.Context())
		if err != nil {
			return 0, err
		}
		defer r.Close()
		w, err := Target(dst, Options{}).Create(t.Context(), r.Columns(), table.Run{Tag: tag, Resume: resume})
		if err != nil {
			return 0, err
		}
		defer w.Close()
		began := w.Rows()
		err = table.Copy(t.Context(), r, w, func(b *table.Batch) error {
			b.Drop = make([]bool, b.Rows)
			for i := range b.Rows {
				n := b.First + int64(i)
				if n > last {
					return broken
				}
				b.Drop[i] = n%7 == 0
				b.Row(i)[1] = table.Cell{Kind: table.Text, Text: fmt.Appendf(nil, "changed\n%d", n)}
			}
			return nil
		}, table.Options{Workers: 3, Checkpoint: -1})
		if err != nil {
			return began, err
		}
		if _, err := w.Finish(t.Context()); err != nil {
			return began, err
		}
		return began, w.Commit(t.Context())
	}
	for _, stop := range []int64{0, 1, 6, 7, 100, 299} {
		dst := filepath.Join(t.TempDir(), "out.csv")
		if _, err := run(dst, 64, stop, "tag", false); err != broken {
			t.Fatalf("broken off behind row %d: %v", stop, err)
		}
		if _, err := os.Lstat(dst); err == nil {
			t.Fatalf("broken off behind row %d: something has the final name", stop)
		}
		if _, err := run(dst, 64, 300, "other", true); !errors.Is(err, table.ErrPartial) {
			t.Errorf("another run resumed it: %v", err)
		}
		if began, err := run(dst, 200, 250, "tag", true); stop < 250 && err != broken || began > stop {
			t.Fatalf("broken off behind row %d, resumed behind %d: %v", stop, began, err)
		}
		began, err := run(dst, 101, 300, "tag", true)
		if stop < 250 && (err != nil || began < 200) {
			t.Fatalf("resumed behind %d: %v, want behind 200 at least", began, err)
		}
		if b, err := os.ReadFile(dst); err != nil || string(b) != want.String() {
			t.Errorf("broken off behind row %d: %d bytes published, %v, want %d others", stop, len(b), err, want.Len())
		}
	}
}
