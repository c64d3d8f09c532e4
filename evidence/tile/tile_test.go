package tile_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

const origin = "scrim.dev/log/clinic.example"

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func asKey(key []byte) ed25519.PrivateKey { return ed25519.PrivateKey(key) }

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func open(t testing.TB, dir string, key ed25519.PrivateKey, opt tile.Options) *tile.Log {
	t.Helper()
	l, err := tile.Open(dir, origin, key, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// leaf is the nth leaf of all logs here; their lengths differ, and some are empty.
func leaf(n int64) []byte {
	text := fmt.Sprintf("leaf %d", n)
	return bytes.Repeat([]byte(text), int(n)%5)
}

func leaves(from, to int64) [][]byte {
	var list [][]byte
	for n := from; n < to; n++ {
		list = append(list, leaf(n))
	}
	return list
}

// reference keeps all hashes of a tree as package tlog stores them.
type reference struct{ hashes []tlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range indexes {
		list = append(list, r.hashes[i])
	}
	return list, nil
}

func newReference(t testing.TB, size int64) *reference {
	t.Helper()
	r := &reference{}
	for n := range size {
		more, err := tlog.StoredHashes(n, leaf(n), r)
		if err != nil {
			t.Fatal(err)
		}
		r.hashes = append(r.hashes, more...)
	}
	return r
}

func (r *reference) root(t testing.TB, size int64) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(size, r)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestLogIsTheTreeOfItsLeaves grows a log by batches of odd sizes past the first tile of level 1 and compares it with package tlog.
func TestLogIsTheTreeOfItsLeaves(t *testing.T) {
	const size = 66_000
	want := newReference(t, size)
	dir, key := t.TempDir(), newKey(t)
	l := open(t, dir, key, tile.Options{Tail: 64 << 10})
	steps := []int64{0, 1, 2, 3, 255, 256, 257, 511, 512, 700, 1024, 5000, 65_535, 65_536, 65_537, size}
	for i, to := range steps {
		if err := l.Append(leaves(l.Size(), to)); err != nil {
			t.Fatal(err)
		}
		if l.Size() != to || l.Root() != want.root(t, to) {
			t.Fatalf("after %d leaves: size %d, root %v, want %v", to, l.Size(), l.Root(), want.root(t, to))
		}
		c, err := l.Publish(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := published(t, l.Reader(), key); got.Size != to || got.Root != want.root(t, to) || !bytes.Equal(got.Note, c.Note) {
			t.Fatalf("published %d %v, want %d", got.Size, got.Root, to)
		}
		if i%3 == 2 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, dir, key, tile.Options{Tail: 64 << 10})
			if l.Size() != to || l.Root() != want.root(t, to) {
				t.Fatalf("opened again: size %d, want %d", l.Size(), to)
			}
		}
		checkProofs(t, l.Reader(), c, want)
	}
	for n := int64(0); n < size; n += 997 {
		h, err := l.Leaf(n)
		if err != nil || h != tlog.RecordHash(leaf(n)) {
			t.Fatalf("Leaf(%d) = %v, %v", n, h, err)
		}
	}
}

func published(t testing.TB, r tile.Reader, key ed25519.PrivateKey) tile.Checkpoint {
	t.Helper()
	signed, err := r.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := tile.ParseCheckpoint(signed, origin, public(key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkProofs checks some proofs by what a reader gets against the reference.
func checkProofs(t testing.TB, r tile.Reader, c tile.Checkpoint, want *reference) {
	t.Helper()
	for _, n := range []int64{0, 1, 254, 255, 256, 511, 512, 60_000, c.Size / 2, c.Size - 1} {
		if n < 0 || n >= c.Size {
			if _, err := tile.Inclusion(t.Context(), r, c, n); !errors.Is(err, tile.ErrTile) {
				t.Fatalf("Inclusion(%d of %d) error = %v, want ErrTile", n, c.Size, err)
			}
			continue
		}
		p, err := tile.Inclusion(t.Context(), r, c, n)
		if err != nil {
			t.Fatalf("Inclusion(%d of %d): %v", n, c.Size, err)
		}
		if err := tlog.CheckRecord(p, c.Size, want.root(t, c.Size), n, tlog.RecordHash(leaf(n))); err != nil {
			t.Fatalf("inclusion of %d in %d: %v", n, c.Size, err)
		}
		entry, err := tile.Entry(t.Context(), r, c, n)
		if err != nil || !bytes.Equal(entry, leaf(n)) {
			t.Fatalf("Entry(%d of %d) = %q, %v", n, c.Size, entry, err)
		}
		tree, err := tile.Consistency(t.Context(), r, c, n)
		if err != nil {
			t.Fatalf("Consistency(%d to %d): %v", n, c.Size, err)
		}
		if n > 0 {
			if err := tlog.CheckTree(tree, c.Size, c.Root, n, want.root(t, n)); err != nil {
				t.Fatalf("consistency of %d with %d: %v", n, c.Size, err)
			}
		}
	}
}

func TestLeafThatDoesNotFitIsRefused(t *testing.T) {
	l := open(t, t.TempDir(), newKey(t), tile.Options{})
	if err := l.Append([][]byte{leaf(1), make([]byte, tile.MaxLeaf+1)}); !errors.Is(err, tile.ErrLeaf) || l.Size() != 0 {
		t.Fatalf("Append() of a leaf of 64 KiB: error = %v, size %d; want ErrLeaf and nothing added", err, l.Size())
	}
	if err := l.Append([][]byte{make([]byte, tile.MaxLeaf)}); err != nil {
		t.Fatal(err)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	dir, key := t.TempDir(), newKey(t)
	l := open(t, dir, key, tile.Options{})
	if _, err := tile.Open(dir, origin, key, tile.Options{}); !errors.Is(err, tile.ErrLocked) {
		t.Fatalf("Open() of an open log: error = %v, want ErrLocked", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(leaves(0, 1)); !errors.Is(err, tile.ErrClosed) {
		t.Fatalf("Append() after Close: error = %v, want ErrClosed", err)
	}
	if _, err := l.Publish(context.Background(), nil); !errors.Is(err, tile.ErrClosed) {
		t.Fatalf("Publish() after Close: error = %v, want ErrClosed", err)
	}
	open(t, dir, key, tile.Options{})
}

func TestPathsAreThoseOfTlogTiles(t *testing.T) {
	for path, want := range map[string]tlog.Tile{
		"tile/0/000":                  {H: 8, L: 0, N: 0, W: 256},
		"tile/entries/273.p/112":      {H: 8, L: -1, N: 273, W: 112},
		"tile/3/x001/x234/067":        {H: 8, L: 3, N: 1234067, W: 256},
		"tile/63/x001/x234/067.p/255": {H: 8, L: 63, N: 1234067, W: 255},
	} {
		got, err := tile.ParsePath(path)
		if err != nil || got != want || tile.Path(got) != path {
			t.Errorf("ParsePath(%q) = %v, %v, want %v", path, got, err, want)
		}
	}
	for _, path := range []string{
		"", "tile", "tile/0", "tile/0/00", "tile/0/0000", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
		"tile/00/000", "tile/64/000", "tile/-1/000", "tile/data/000", "tile/0/../000", "tile/0/000/", "/tile/0/000", "tile/0/x1/000",
		"tile/0/+01", "tile/entries/000.p/", "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
	} {
		if got, err := tile.ParsePath(path); !errors.Is(err, tile.ErrTile) {
			t.Errorf("ParsePath(%q) = %v, %v, want ErrTile", path, got, err)
		}
	}
}

// TestOldPartialTilesGo sees them stay for readers on their way and go later, also after a restart.
func TestOldPartialTilesGo(t *testing.T) {
	dir, key, now := t.TempDir(), newKey(t), time.Unix(1_000_000, 0)
	opt := tile.Options{Clock: func() time.Time { return now }, Keep: time.Minute}
	l := open(t, dir, key, opt)
	grow := func(to int64) tile.Checkpoint {
		t.Helper()
		if err := l.Append(leaves(l.Size(), to)); err != nil {
			t.Fatal(err)
		}
		c, err := l.Publish(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	there := func(path string) bool {
		_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(path)))
		return err == nil
	}
	old := grow(10)
	grow(300)
	if !there("tile/0/000.p/10") || !there("tile/entries/000.p/10") || !there("tile/0/000") {
		t.Fatal("a partial tile went before its time")
	}
	now = now.Add(time.Minute)
	grow(301)
	if there("tile/0/000.p") || there("tile/entries/000.p") || !there("tile/0/001.p/44") {
		t.Fatal("partial tiles stay after their time")
	}
	checkProofs(t, l.Reader(), old, newReference(t, 10)) // from the full tile
	grow(600)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, key, opt)
	grow(601)
	now = now.Add(2 * time.Minute)
	grow(602)
	if there("tile/0/001.p") || there("tile/entries/001.p") {
		t.Fatal("partial tiles of before the restart stay")
	}
}

func TestCheckpointIsASignedNote(t *testing.T) {
	key, other := newKey(t), newKey(t)
	signer, err := tile.NewSigner(origin, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tile.Checkpoint{Origin: origin, Size: math.MaxInt64, Root: tlog.RecordHash(nil)}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tile.ParseCheckpoint(c.Note, origin, public(other), public(key)); err != nil || got.Size != c.Size || got.Root != c.Root {
		t.Fatalf("ParseCheckpoint() = %v, %v", got, err)
	}
	for name, bad := range map[string]func() (tile.Checkpoint, error){
		"another key":    func() (tile.Checkpoint, error) { return tile.ParseCheckpoint(c.Note, origin, public(other)) },
		"another origin": func() (tile.Checkpoint, error) { return tile.ParseCheckpoint(c.Note, origin+"/x", public(key)) },
		"another size": func() (tile.Checkpoint, error) {
			return tile.ParseCheckpoint(bytes.Replace(c.Note, []byte("807\n"), []byte("806\n"), 1), origin, public(key))
		},
		"nothing": func() (tile.Checkpoint, error) { return tile.ParseCheckpoint(nil, origin, public(key)) },
	} {
		if got, err := bad(); !errors.Is(err, tile.ErrCheckpoint) || got.Note != nil {
			t.Errorf("%s: ParseCheckpoint() = %v, %v, want ErrCheckpoint", name, got, err)
		}
	}
	for _, text := range []string{"", "o\n", "o\n1\n", "o\n01\n" + hash64 + "\n", "o\n-1\n" + hash64 + "\n", "o\n1\nAA==\n", "\n1\n" + hash64 + "\n", "o\n1\n" + hash64, "o\n1\n" + hash64 + "\n\n"} {
		if c, err := tile.ParseText(text); !errors.Is(err, tile.ErrCheckpoint) {
			t.Errorf("ParseText(%q) = %v, %v, want ErrCheckpoint", text, c, err)
		}
	}
	if _, err := tile.ParseText("o\n1\n" + hash64 + "\nanother line\n"); err != nil {
		t.Errorf("a checkpoint with an extension: %v", err)
	}
}

const hash64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

func TestBundleHasItsEntriesAndNoMore(t *testing.T) {
	two := []byte{0, 1, 'a', 0, 0}
	if got, err := tile.SplitBundle(two, 2); err != nil || len(got) != 2 || string(got[0]) != "a" || len(got[1]) != 0 {
		t.Fatalf("SplitBundle() = %q, %v", got, err)
	}
	for name, bad := range map[string][]byte{"one more": append(two, 0, 0), "torn": two[:4], "empty": nil, "too long": binary.BigEndian.AppendUint16(nil, 9)} {
		if got, err := tile.SplitBundle(bad, 2); !errors.Is(err, tile.ErrTile) {
			t.Errorf("%s: SplitBundle() = %q, %v, want ErrTile", name, got, err)
		}
	}
}
