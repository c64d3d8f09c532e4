package tile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Prove returns the proof that the checkpoint at hand continues the tree of old leaves (RFC 6962, section 2.1.2).
type Prove func(old int64) (tlog.TreeProof, error)

// Cosign asks others to sign a checkpoint and returns their signature lines, "— name base64" and a newline each, one after the other.
// An error keeps the checkpoint from being published.
type Cosign func(ctx context.Context, c Checkpoint, prove Prove) ([]byte, error)

// Publish shows the tree as it is now to readers: it writes the tiles, asks for cosignatures, and then puts the signed checkpoint
// in the old one's place. A nil cosign asks nobody. If nothing was added since the last time, it only asks for cosignatures, and
// returns what is published unless there are others now, and not fewer. Append goes on meanwhile.
func (l *Log) Publish(ctx context.Context, cosign Cosign) (Checkpoint, error) {
	l.publishing.Lock()
	defer l.publishing.Unlock()
	if err := ctx.Err(); err != nil {
		return Checkpoint{}, err
	}
	l.mu.Lock()
	closed, last, size := l.closed, l.published, l.signed.Size
	l.mu.Unlock()
	if closed {
		return Checkpoint{}, ErrClosed
	}
	if err := l.sweep(); err != nil {
		return Checkpoint{}, err
	}
	same := last.Note != nil && last.Size == size
	if same && cosign == nil {
		return last, nil
	}
	c, err := l.show()
	if err != nil {
		return Checkpoint{}, fmt.Errorf("writing tiles: %w", err)
	}
	if cosign != nil {
		if c, err = l.cosign(ctx, c, cosign); err != nil {
			return Checkpoint{}, err
		}
	}
	if same && c.Size == size && (bytes.Equal(c.Note, last.Note) || signatures(c) < signatures(last)) {
		return last, nil
	}
	path := filepath.Join(l.dir, "checkpoint")
	if err := l.disk.put(l.scratch("checkpoint"), c.Note); err != nil {
		return Checkpoint{}, fmt.Errorf("writing the checkpoint: %w", err)
	}
	if err := l.disk.rename(l.scratch("checkpoint"), path); err != nil {
		return Checkpoint{}, fmt.Errorf("writing the checkpoint: %w", err)
	}
	l.mu.Lock()
	l.published = c
	l.mu.Unlock()
	if err := l.disk.syncDir(path); err != nil {
		return Checkpoint{}, fmt.Errorf("writing the checkpoint: %w", err)
	}
	return c, nil
}

// signatures counts those on a checkpoint, the log's own too.
func signatures(c Checkpoint) int { return bytes.Count(c.Note, []byte("\n— ")) }

func (l *Log) cosign(ctx context.Context, c Checkpoint, cosign Cosign) (Checkpoint, error) {
	hashes := tlog.TileHashReader(c.Tree(), tiles{ctx, Dir(l.dir)})
	lines, err := cosign(ctx, c, func(old int64) (tlog.TreeProof, error) { return proveTree(c.Size, old, hashes) })
	if err != nil {
		return Checkpoint{}, fmt.Errorf("asking for cosignatures: %w", err)
	}
	with, err := parseCheckpoint(append(bytes.Clone(c.Note), lines...), l.origin, l.verifiers)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("cosignatures: %w", err)
	}
	if with.Size != c.Size || with.Root != c.Root {
		return Checkpoint{}, fmt.Errorf("cosignatures: %w: they changed it", ErrCheckpoint)
	}
	return with, nil
}

// show writes all tiles of the tree as it is now and returns its checkpoint.
func (l *Log) show() (Checkpoint, error) {
	v, err := l.flush()
	if err != nil {
		return Checkpoint{}, err
	}
	l.flushing.Lock()
	defer l.flushing.Unlock()
	var list []tlog.Tile
	for _, t := range partial(v.edge.size) {
		if l.shown[t.L] != t {
			list = append(list, t)
		}
	}
	if err := l.write(v.edge, list); err != nil {
		return Checkpoint{}, err
	}
	for _, t := range list {
		l.shown[t.L] = t
	}
	return v.signed, nil
}

// moment is a tree with its checkpoint.
type moment struct {
	edge   *edge
	signed Checkpoint
}

// flush writes the full tiles, durable, and forgets what they hold. It returns the tree as it was, so that its unfinished tiles
// can be written.
func (l *Log) flush() (moment, error) {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	now := moment{l.edge.view(), l.signed}
	l.mu.Unlock()
	list := full(l.durable, now.edge.size)
	if err := l.write(now.edge, list); err != nil {
		return moment{}, err
	}
	due := l.opt.Clock().Add(l.opt.Keep)
	for _, t := range list {
		l.old = append(l.old, stale{l.path(t) + ".p", due})
	}
	l.durable = now.edge.size &^ (Width - 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.edge.drop(l.durable)
	if l.tail.torn || l.tail.size > l.opt.Tail {
		if err := l.tail.replace(l.edge.begin(l.signed.Note)); err != nil {
			return moment{}, fmt.Errorf("beginning the tail anew: %w", err)
		}
	}
	return now, nil
}

func (l *Log) path(t tlog.Tile) string { return filepath.Join(l.dir, filepath.FromSlash(Path(t))) }

// scratch is where a file is written before it gets its name.
func (l *Log) scratch(name string) string { return filepath.Join(l.dir, tailFolder, name+".new") }

// write writes tiles and bundles, durable. None is ever seen half under its name.
func (l *Log) write(e *edge, list []tlog.Tile) error {
	for _, t := range list {
		if err := l.disk.mkdir(filepath.Dir(l.path(t))); err != nil {
			return err
		}
	}
	err := each(len(list), func(i int) error {
		t := list[i]
		fresh := l.scratch(strconv.Itoa(t.L) + "-" + strconv.FormatInt(t.N, 10))
		if err := l.disk.put(fresh, e.tile(t)); err != nil {
			return err
		}
		return l.disk.rename(fresh, l.path(t))
	})
	if err != nil {
		return err
	}
	folders := map[string]string{}
	for _, t := range list {
		path := l.path(t)
		folders[filepath.Dir(path)] = path
	}
	paths := slices.Collect(maps.Values(folders))
	return each(len(paths), func(i int) error { return l.disk.syncDir(paths[i]) })
}

// sweep removes partial tiles that are no longer needed. What cannot be removed is tried again the next time.
func (l *Log) sweep() error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	now := l.opt.Clock()
	for len(l.old) > 0 && !now.Before(l.old[0].due) {
		if err := l.disk.removeAll(l.old[0].path); err != nil {
			return fmt.Errorf("removing old partial tiles: %w", err)
		}
		l.old = l.old[1:]
	}
	return nil
}

// mend clears away what a crash left: files that never got their names, and partial tiles that full ones have replaced.
func (l *Log) mend() error {
	const lookBack = 4096 // more tiles than are finished while partial ones are kept
	left, err := filepath.Glob(l.scratch("*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := l.disk.removeAll(path); err != nil {
			return err
		}
	}
	due := l.opt.Clock().Add(l.opt.Keep)
	for level := -1; level <= maxLevel; level++ {
		last := l.edge.first >> (Height * (max(level, 0) + 1)) // tiles before this one are full on the disk
		for n := max(0, last-lookBack); n < last; n++ {
			path := l.path(tlog.Tile{H: Height, L: level, N: n, W: Width}) + ".p"
			if _, err := os.Lstat(path); err == nil {
				l.old = append(l.old, stale{path, due})
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
