package program_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/internal/stranger/testlog"
)

// BenchmarkLog checks a log of a million entries, as the command does.
func BenchmarkLog(b *testing.B) {
	const size, batch = 1_000_000, 1000
	dir := b.TempDir()
	log, err := tile.Open(dir, testlog.Origin, testlog.LogKey, tile.Options{})
	if err != nil {
		b.Fatal(err)
	}
	entries := testlog.Scrim(testlog.Origin, 1, size, "")
	for from := 0; from < size; from += batch {
		if err := log.Append(entries[from : from+batch]); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := log.Publish(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
	args := []string{"log", "--key", testlog.VKey(testlog.Origin, 1, testlog.LogKey), dir}
	for b.Loop() {
		var out, bad bytes.Buffer
		if program.Main(args, strings.NewReader(""), &out, &bad) != done {
			b.Fatal(out.String(), bad.String())
		}
	}
}
