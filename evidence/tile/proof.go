package tile

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// tiles lets package tlog read, which verifies each tile against the root it is given.
type tiles struct {
	ctx context.Context
	r   Reader
}

// Height implements [tlog.TileReader].
func (t tiles) Height() int { return Height }

// ReadTiles implements [tlog.TileReader].
func (t tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(list))
	err := each(len(list), func(i int) (err error) {
		data[i], err = t.r.Tile(t.ctx, list[i])
		return err
	})
	return data, err
}

// SaveTiles implements [tlog.TileReader].
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Hashes reads hashes of the tree under a checkpoint from its tiles; each has been verified against the root.
func Hashes(ctx context.Context, r Reader, c Checkpoint) tlog.HashReader {
	return tlog.TileHashReader(c.Tree(), tiles{ctx, r})
}

// Inclusion proves that leaf n is in the tree under the checkpoint (RFC 6962, section 2.1.1).
func Inclusion(ctx context.Context, r Reader, c Checkpoint, n int64) (tlog.RecordProof, error) {
	if n < 0 || n >= c.Size {
		return nil, fmt.Errorf("%w: leaf %d is not in a tree of %d", ErrTile, n, c.Size)
	}
	return tlog.ProveRecord(c.Size, n, Hashes(ctx, r, c))
}

// Consistency proves that the tree under the checkpoint begins with the tree of old leaves (RFC 6962, section 2.1.2). For the empty
// tree and for the whole one the proof is empty.
func Consistency(ctx context.Context, r Reader, c Checkpoint, old int64) (tlog.TreeProof, error) {
	return proveTree(c.Size, old, Hashes(ctx, r, c))
}

func proveTree(size, old int64, hashes tlog.HashReader) (tlog.TreeProof, error) {
	if old < 0 || old > size {
		return nil, fmt.Errorf("%w: a tree of %d leaves does not begin with one of %d", ErrTile, size, old)
	}
	if old == 0 || old == size {
		return tlog.TreeProof{}, nil
	}
	return tlog.ProveTree(size, old, hashes)
}

// Leaf returns the hash of leaf n under the checkpoint, verified.
func Leaf(ctx context.Context, r Reader, c Checkpoint, n int64) (tlog.Hash, error) {
	if n < 0 || n >= c.Size {
		return tlog.Hash{}, fmt.Errorf("%w: leaf %d is not in a tree of %d", ErrTile, n, c.Size)
	}
	h, err := Hashes(ctx, r, c).ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
	if err != nil {
		return tlog.Hash{}, err
	}
	return h[0], nil
}

// Entry returns entry n under the checkpoint, verified.
func Entry(ctx context.Context, r Reader, c Checkpoint, n int64) ([]byte, error) {
	want, err := Leaf(ctx, r, c, n)
	if err != nil {
		return nil, err
	}
	at := n / Width
	width := int(min(Width, c.Size-at*Width))
	bundle, err := r.Bundle(ctx, at, width%Width)
	if err != nil {
		return nil, err
	}
	entries, err := SplitBundle(bundle, width)
	if err != nil {
		return nil, err
	}
	if entry := entries[n%Width]; tlog.RecordHash(entry) == want {
		return entry, nil
	}
	return nil, fmt.Errorf("%w: entry %d is not the one in the tree", ErrTile, n)
}
