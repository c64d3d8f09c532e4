package oracle

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

const origin = "scrim.dev/log/clinic.example"

func leaf(n int64) []byte { return fmt.Appendf(nil, "leaf %d", n) }

func newKey(t *testing.T) (ed25519.PrivateKey, note.Verifier, note.Signer) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := tile.NewVerifier(origin, public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tile.NewSigner(origin, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, v, s
}

func hashBundle(raw []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, e := range b.Entries {
		h := tlog.RecordHash(e)
		hashes = append(hashes, h[:])
	}
	return hashes, nil
}

func check(ctx context.Context, dir string, v note.Verifier) error {
	return fsck.New(origin, v, client.FileFetcher{Root: dir}, hashBundle, fsck.Opts{N: 2}).Check(ctx)
}

// TestTesseraAcceptsOurDirectories grows a log past a tile of level 1 and has its checker walk every entry, tile and hash.
func TestTesseraAcceptsOurDirectories(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	key, v, _ := newKey(t)
	l, err := tile.Open(dir, origin, key, tile.Options{Tail: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	roots := map[int64]tlog.Hash{}
	for _, to := range []int64{1, 255, 256, 257, 600, 65_536, 65_537, 70_000} {
		var batch [][]byte
		for n := l.Size(); n < to; n++ {
			batch = append(batch, leaf(n))
		}
		if err := l.Append(batch); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Publish(ctx, nil); err != nil {
			t.Fatal(err)
		}
		roots[to] = l.Root()
		if err := check(ctx, dir, v); err != nil {
			t.Fatalf("tessera's fsck of %d leaves: %v", to, err)
		}
		if to == 600 {
			flipped(t, dir, v)
		}
	}
	compareProofs(t, dir, v, roots)
}

// flipped has the checker find a flipped bit, so that it is no rubber stamp. Its version 1.0.4 finds one in a large log too, but
// then waits for ever.
func flipped(t *testing.T, dir string, v note.Verifier) {
	t.Helper()
	path := filepath.Join(dir, "tile", "entries", "001")
	bundle, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []bool{false, true} {
		bundle[1000] ^= 1
		if err := os.WriteFile(path, bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := check(t.Context(), dir, v); (err == nil) != good {
			t.Fatalf("tessera's fsck: %v; the bundle is good: %v", err, good)
		}
	}
}

// compareProofs compares its proofs with ours, hash by hash.
func compareProofs(t *testing.T, dir string, v note.Verifier, roots map[int64]tlog.Hash) {
	t.Helper()
	ctx, fetch := t.Context(), client.FileFetcher{Root: dir}
	cp, raw, _, err := client.FetchCheckpoint(ctx, fetch.ReadCheckpoint, v, origin)
	if err != nil {
		t.Fatal(err)
	}
	c := tile.Checkpoint{Origin: origin, Size: int64(cp.Size), Root: tlog.Hash(cp.Hash), Note: raw}
	theirs, err := client.NewProofBuilder(ctx, cp.Size, fetch.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(0); n < c.Size; n += 611 {
		want, err := theirs.InclusionProof(ctx, uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		got, err := tile.Inclusion(ctx, tile.Dir(dir), c, n)
		if err != nil || !same([]tlog.Hash(got), want) {
			t.Fatalf("inclusion of %d: %v, %v; tessera has %x", n, got, err, want)
		}
	}
	for old := range roots {
		want, err := theirs.ConsistencyProof(ctx, uint64(old), cp.Size)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tile.Consistency(ctx, tile.Dir(dir), c, old)
		if err != nil || !same([]tlog.Hash(got), want) {
			t.Fatalf("consistency from %d: %v, %v; tessera has %x", old, got, err, want)
		}
		if err := tlog.CheckTree(got, c.Size, c.Root, old, roots[old]); old < c.Size && err != nil {
			t.Fatalf("consistency from %d: %v", old, err)
		}
	}
}

func same(got []tlog.Hash, want [][]byte) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if string(got[i][:]) != string(want[i]) {
			return false
		}
	}
	return true
}

// TestWeReadWhatTesseraWrote lets its POSIX driver write a log, which our reader takes apart.
func TestWeReadWhatTesseraWrote(t *testing.T) {
	const size = 3000
	dir := t.TempDir()
	key, _, signer := newKey(t)
	ctx, stop := context.WithCancel(t.Context())
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(200*time.Millisecond).WithBatching(256, 10*time.Millisecond)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		t.Fatal(err)
	}
	entries := map[uint64][]byte{}
	var waiting []tessera.IndexFuture
	for n := range int64(size) {
		waiting = append(waiting, appender.Add(ctx, tessera.NewEntry(leaf(n))))
	}
	for n, index := range waiting {
		i, err := index()
		if err != nil {
			t.Fatal(err)
		}
		entries[i.Index] = leaf(int64(n))
	}
	if err := shutdown(ctx); err != nil { // waits until all is published
		t.Fatal(err)
	}
	stop()

	r := tile.Dir(dir)
	signed, err := r.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := tile.ParseCheckpoint(signed, origin, key.Public().(ed25519.PublicKey))
	if err != nil || c.Size != size {
		t.Fatalf("checkpoint of %d leaves, %v; want %d", c.Size, err, size)
	}
	for n := int64(0); n < size; n += 37 {
		entry, err := tile.Entry(t.Context(), r, c, n)
		if err != nil || string(entry) != string(entries[uint64(n)]) {
			t.Fatalf("entry %d: %q, %v; want %q", n, entry, err, entries[uint64(n)])
		}
		proof, err := tile.Inclusion(t.Context(), r, c, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, c.Size, c.Root, n, tlog.RecordHash(entry)); err != nil {
			t.Fatalf("inclusion of %d: %v", n, err)
		}
	}
}
