package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
)

type tellingKey struct{}

// Telling returns a context by which a verification tells of its progress: how many rows it has compared with their leaves. Tell must be quick.
func Telling(ctx context.Context, tell func(rows int64)) context.Context {
	return context.WithValue(ctx, tellingKey{}, tell)
}

// tell tells of progress, where somebody wants to know.
func tell(ctx context.Context, rows int64) {
	if f, _ := ctx.Value(tellingKey{}).(func(int64)); f != nil {
		f(rows)
	}
}

// Leaf returns the bytes whose hash is the entry's leaf. It is nil of a pruned entry that had something sealed: the log's files have its leaf.
func (e *Entry) Leaf() []byte {
	leaf := leafOf(e.Seq, e.Raw, e.Sealed, e.Payload, e.Subjects)
	if LeafHash(leaf) != e.Hash {
		return nil
	}
	return leaf
}

// Archived is a checkpoint that was kept.
type Archived struct {
	Tree string    // name of the period
	Time time.Time // it was kept, to the second
	tile.Checkpoint
}

// Archived returns the last checkpoints that were kept of a tree, the newest first, at most so many. Each is signed by one of the log's keys; one that is not is an error.
func (l *Log) Archived(tree string, most int) ([]Archived, error) {
	names, err := l.archive.names(tree)
	if err != nil {
		return nil, err
	}
	var all []Archived
	for _, name := range slices.Backward(names[max(len(names)-most, 0):]) {
		signed, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading an archived checkpoint: %w", err)
		}
		a := Archived{Tree: tree}
		origin, _, _ := bytes.Cut(signed, []byte("\n"))
		if string(origin) != treeOrigin(l.origin, tree) {
			return nil, fmt.Errorf("archived checkpoint %s: %w: it is of another tree", filepath.Base(name), tile.ErrCheckpoint)
		}
		if a.Checkpoint, err = tile.ParseCheckpoint(signed, string(origin), append([]ed25519.PublicKey{l.key}, l.opt.Earlier...)...); err != nil {
			return nil, fmt.Errorf("archived checkpoint %s: %w", filepath.Base(name), err)
		}
		if a.Time, err = time.Parse("20060102T150405Z", filepath.Base(name)[:16]); err != nil {
			return nil, fmt.Errorf("archived checkpoint %s: its name has no time", filepath.Base(name))
		}
		all = append(all, a)
	}
	return all, nil
}
