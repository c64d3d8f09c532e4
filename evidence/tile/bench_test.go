package tile

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

const benchOrigin = "scrim.dev/log/bench"

// layTiles writes the tiles of a large tree without a log: no fsync, no tail, and bundles only where they are wanted.
func layTiles(b *testing.B, size int64, bundles bool) (Reader, Checkpoint) {
	b.Helper()
	dir := b.TempDir()
	write := func(e *edge, t tlog.Tile) {
		path := filepath.Join(dir, filepath.FromSlash(Path(t)))
		err := os.WriteFile(path, e.tile(t), 0o600)
		if os.IsNotExist(err) {
			if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
				err = os.WriteFile(path, e.tile(t), 0o600)
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	wanted := func(t tlog.Tile) bool { return bundles || t.L >= 0 }
	var e edge
	for n := range size {
		e.push(benchLeaf(n))
		if e.size%Width == 0 {
			for _, t := range full(e.first, e.size) {
				if wanted(t) {
					write(&e, t)
				}
			}
			e.drop(e.size)
		}
	}
	for _, t := range partial(size) {
		if wanted(t) {
			write(&e, t)
		}
	}
	return Dir(dir), Checkpoint{Origin: benchOrigin, Size: size, Root: e.root()}
}

func benchLeaf(n int64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 300), uint64(n))[:300]
}

// BenchmarkProof proves inclusion in a tree of ten million leaves from its files and verifies the proof, each time another leaf.
func BenchmarkProof(b *testing.B) {
	const size = 10_000_000
	r, c := layTiles(b, size, false)
	ctx, n := context.Background(), int64(0)
	for b.Loop() {
		n = (n + 6_700_417) % size
		p, err := Inclusion(ctx, r, c, n)
		if err != nil {
			b.Fatal(err)
		}
		if err := tlog.CheckRecord(p, c.Size, c.Root, n, tlog.RecordHash(benchLeaf(n))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoot computes the root of a log of a million entries from its bundles.
func BenchmarkRoot(b *testing.B) {
	const size = 1_000_000
	r, c := layTiles(b, size, true)
	ctx := context.Background()
	for b.Loop() {
		var e edge
		for n := int64(0); n*Width < size; n++ {
			width := int(min(Width, size-n*Width))
			bundle, err := r.Bundle(ctx, n, width%Width)
			if err != nil {
				b.Fatal(err)
			}
			entries, err := SplitBundle(bundle, width)
			if err != nil {
				b.Fatal(err)
			}
			for _, entry := range entries {
				e.push(entry)
			}
			e.drop(e.size &^ (Width - 1))
		}
		if e.root() != c.Root {
			b.Fatal("another root")
		}
	}
}

// BenchmarkAppend appends batches of leaves of 300 bytes, durable each, and counts the fsyncs. Publishing is not in it.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 64, 256, 1024} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			syncs := 0
			key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
			l, err := Open(b.TempDir(), benchOrigin, key, Options{Memory: 1 << 40, Tail: 1 << 40, Fault: func(op, _ string) error {
				if op == "sync" {
					syncs++
				}
				return nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			var leaves [][]byte
			for n := range batch {
				leaves = append(leaves, benchLeaf(int64(n)))
			}
			syncs = 0
			n := 0
			for b.Loop() {
				n++
				if err := l.Append(leaves); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*batch)/b.Elapsed().Seconds(), "leaves/s")
			b.ReportMetric(float64(syncs)/float64(n), "fsyncs/batch")
			b.StopTimer()
			_ = l.lock.Close()
			_ = l.tail.f.Close()
		})
	}
}
