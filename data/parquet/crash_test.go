package parquet_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/table"
)

const crashing = "SCRIM_TEST_PARQUET_CRASH"

// TestCrashChild is what TestKilledRunGoesOn starts and kills: it writes, with a checkpoint behind every batch, until it dies.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashing)
	if path == "" {
		return // nothing is tested here
	}
	w := create(t, path, table.Run{Tag: "a", Resume: true})
	for at := int(w.Rows()); ; at += 250 {
		put(t, w, at, at+250)
		if err := w.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("checkpoint\n")
	}
}

func TestKilledRunGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	for run := range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
		child.Env = append(os.Environ(), crashing+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 4+run && lines.Scan(); n++ {
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
	}
	w := create(t, path, table.Run{Tag: "a", Resume: true})
	from := int(w.Rows())
	if from < 250*(4+5+6) {
		t.Fatalf("Rows() = %d after three runs, want at least %d", from, 250*(4+5+6))
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("something stands under the final name")
	}
	put(t, w, from, from+100)
	publish(t, w)

	whole := filepath.Join(t.TempDir(), "t.parquet")
	w = create(t, whole, table.Run{Tag: "a"})
	put(t, w, 0, from+100)
	publish(t, w)
	var sides [2][]string
	for i, p := range []string{path, whole} {
		src, err := rowsOf(t, p)
		if err != nil {
			t.Fatal(err)
		}
		sides[i] = src
	}
	if len(sides[0]) != len(sides[1]) {
		t.Fatalf("%d rows, want %d", len(sides[0]), len(sides[1]))
	}
	for i := range sides[0] {
		if sides[0][i] != sides[1][i] {
			t.Fatalf("row %d = %s, want %s", i+1, sides[0][i], sides[1][i])
		}
	}
}

// rowsOf reads a file whole, however many rows it has.
func rowsOf(t *testing.T, path string) (rows []string, err error) {
	t.Helper()
	src, err := parquet.File(path)
	if err != nil {
		return nil, err
	}
	r, err := src.Open(t.Context())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	err = table.Each(t.Context(), r, func(_ int, b *table.Batch) error {
		for i := range b.Rows {
			rows = append(rows, line(b.Row(i)))
		}
		return nil
	}, table.Options{Workers: 1})
	return rows, err
}
