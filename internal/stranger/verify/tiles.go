package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	height   = 8
	width    = 1 << height
	maxEntry = 1<<16 - 1
	maxLevel = 7 // a tree of maxSize entries has no tile above
)

// Log is a source whose files are read as tiles and bundles.
type Log struct{ Source }

// Checkpoint reads the log's published checkpoint, unverified.
func (l Log) Checkpoint(ctx context.Context) ([]byte, error) {
	b, err := l.Read(ctx, "checkpoint", maxNote)
	if err != nil {
		return nil, at("checkpoint", err)
	}
	return b, nil
}

// tileName is the path of tile n of a level ("entries" for bundles), as in c2sp.org/tlog-tiles.
func tileName(level string, n int64, w int) string {
	number := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	if w == width {
		return "tile/" + level + "/" + number
	}
	return fmt.Sprintf("tile/%s/%s.p/%d", level, number, w)
}

// part reads a tile of w elements. When a partial one is gone, its full successor begins with the same elements.
func (l Log) part(ctx context.Context, level string, n int64, w int, size int64) ([]byte, bool, error) {
	name := tileName(level, n, w)
	b, err := l.Read(ctx, name, int64(w)*size)
	if w < width && errors.Is(err, ErrNone) {
		if whole, err := l.Read(ctx, tileName(level, n, width), width*size); err == nil {
			return whole, true, nil
		}
	}
	if err != nil {
		return nil, false, at(name, err)
	}
	return b, false, nil
}

// Tile reads the first w hashes of a tile, unverified.
func (l Log) Tile(ctx context.Context, level int, n int64, w int) ([]byte, error) {
	b, whole, err := l.part(ctx, fmt.Sprint(level), n, w, tlog.HashSize)
	if err != nil {
		return nil, err
	}
	want := w
	if whole {
		want = width
	}
	if len(b) != want*tlog.HashSize {
		return nil, failed(Tiles, tileName(fmt.Sprint(level), n, want), "it has %d bytes, want %d", len(b), want*tlog.HashSize)
	}
	return b[:w*tlog.HashSize], nil
}

// Bundle reads the first w entries of a bundle, unverified.
func (l Log) Bundle(ctx context.Context, n int64, w int) ([][]byte, error) {
	b, whole, err := l.part(ctx, "entries", n, w, 2+maxEntry)
	if err != nil {
		return nil, err
	}
	want := w
	if whole {
		want = width
	}
	entries, err := splitBundle(b, want)
	if err != nil {
		return nil, failed(Entries, tileName("entries", n, want), "%v", err)
	}
	return entries[:w], nil
}

// splitBundle cuts a bundle into exactly want entries, each after its length in two bytes.
func splitBundle(b []byte, want int) ([][]byte, error) {
	entries := make([][]byte, 0, want)
	for len(b) > 0 {
		if len(entries) == want {
			return nil, fmt.Errorf("it holds more than %d entries", want)
		}
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, fmt.Errorf("it ends inside entry %d", len(entries))
		}
		n := int(binary.BigEndian.Uint16(b))
		entries, b = append(entries, b[2:2+n:2+n]), b[2+n:]
	}
	if len(entries) != want {
		return nil, fmt.Errorf("it holds %d entries, want %d", len(entries), want)
	}
	return entries, nil
}

// hashes reads hashes of a tree from its tiles. What it returns is part of the tree with that checkpoint's root.
func (l Log) hashes(ctx context.Context, c Checkpoint) tlog.HashReader {
	r := &tileReader{ctx: ctx, log: l, kept: map[tlog.Tile][]byte{}}
	inner := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, r)
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		got, err := inner.ReadHashes(indexes)
		if err != nil && r.failed() == nil {
			return nil, failed(Tiles, "", "hash tiles do not lead to the signed root: %s", strings.TrimPrefix(err.Error(), "tlog: "))
		}
		if err != nil {
			return nil, r.failed()
		}
		return got, nil
	})
}

// tileReader implements [tlog.TileReader]. It remembers what was read, verified or not: the reader above it verifies each time.
type tileReader struct {
	ctx context.Context
	log Log

	mu   sync.Mutex
	kept map[tlog.Tile][]byte
	err  error // first failure to read
}

func (r *tileReader) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *tileReader) Height() int { return height }

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		r.mu.Lock()
		b := r.kept[t]
		r.mu.Unlock()
		if b == nil {
			var err error
			if b, err = r.log.Tile(r.ctx, t.L, t.N, t.W); err != nil {
				r.mu.Lock()
				r.err = err
				r.mu.Unlock()
				return nil, err
			}
		}
		out[i] = b
	}
	return out, nil
}

func (r *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) > 4096 {
		clear(r.kept)
	}
	for i, t := range tiles {
		r.kept[t] = data[i]
	}
}

var emptyRoot = tlog.Hash{ // SHA-256 of nothing, RFC 6962 section 2.1
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// rootAt is the root that the tree of checkpoint c had at an earlier size, by its tiles.
func (l Log) rootAt(ctx context.Context, c Checkpoint, size int64) (tlog.Hash, error) {
	if size == 0 {
		return emptyRoot, nil
	}
	return tlog.TreeHash(size, l.hashes(ctx, c))
}

// Consistent checks that the tree of an older checkpoint is the beginning of a newer one's. It returns a [Failure] of kind
// [Rollback] if old is the longer one, [Fork] if it is none of it.
func (l Log) Consistent(ctx context.Context, old, c Checkpoint) error {
	switch {
	case old.Origin != c.Origin:
		return failed(Misused, "", "checkpoints are of two logs")
	case old.Size > c.Size:
		return failed(Rollback, old.From, "the log had %d entries and now has %d", old.Size, c.Size)
	case old.Size == c.Size:
		return sameRoot(old, c.Root)
	}
	if c.Size == 0 {
		return nil
	}
	root, err := l.rootAt(ctx, c, old.Size)
	if err != nil {
		return err
	}
	return sameRoot(old, root)
}

func sameRoot(old Checkpoint, root tlog.Hash) error {
	if old.Root != root {
		return failed(Fork, old.From, "the log's first %d entries are not those of the checkpoint with root %v", old.Size, old.Root)
	}
	return nil
}

// Included reads entry index's hash from the log's tiles, with the proof that it is in the tree of the checkpoint.
func (l Log) Included(ctx context.Context, c Checkpoint, index int64) (tlog.Hash, tlog.RecordProof, error) {
	if index < 0 || index >= c.Size {
		return tlog.Hash{}, nil, failed(Absent, "", "entry %d is beyond the log's %d entries", index, c.Size)
	}
	r := l.hashes(ctx, c)
	got, err := r.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return tlog.Hash{}, nil, err
	}
	proof, err := tlog.ProveRecord(c.Size, index, r)
	if err != nil {
		return tlog.Hash{}, nil, err
	}
	if err := tlog.CheckRecord(proof, c.Size, c.Root, index, got[0]); err != nil {
		return tlog.Hash{}, nil, failed(Tiles, "", "the proof of entry %d does not lead to the signed root", index)
	}
	return got[0], proof, nil
}
