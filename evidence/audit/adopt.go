package audit

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

// Adopt brings a journal that is older than the log in dir up to it: rows that the trees have and the database has not are written from their leaves, as rows
// that were pruned. What was sealed with them is lost; so all rows are pruned. It returns how many rows were added, and opens neither: nobody else may have them open.
//
// That all of it fits together is for [Verify] to say afterwards.
func Adopt(ctx context.Context, db store.DB, dir, origin string, signer crypto.Signer) (added int64, err error) {
	_, secret, err := rowSecret(signer, origin)
	if err != nil {
		return 0, err
	}
	l := &Log{origin: origin, secret: secret}
	trees, err := shownTrees(ctx, dir, origin, signer)
	if err != nil {
		return 0, err
	}
	err = db.Update(ctx, func(tx store.Tx) error {
		added = 0
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		known, err := readTrees(tx)
		if err != nil {
			return err
		}
		for i := range trees {
			n, err := l.adopt(ctx, tx, dir, &trees[i], &h, known)
			if err != nil {
				return fmt.Errorf("taking up the log of %s: %w", trees[i].name, err)
			}
			added += n
		}
		if added == 0 {
			return nil
		}
		if _, err := tx.Exec("INSERT INTO audit_head (id, size) VALUES (1, 0) ON CONFLICT (id) DO NOTHING"); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE audit_entries SET event = ?, sealed = NULL WHERE seq > ?", []byte{}, h.pruned); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE audit_head SET size = ?, tree = ?, tree_first = ?, pruned = ? WHERE id = 1", h.size, h.tree, h.first, h.size)
		return err
	})
	return added, err
}

// shownTree is one on the disk, published as far as it goes.
type shownTree struct {
	name  string
	first int64
	size  int64
}

// shownTrees publishes the trees of a directory and reads where each begins.
func shownTrees(ctx context.Context, dir, origin string, signer crypto.Signer) (all []shownTree, err error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !f.IsDir() || !present(treeDir(dir, f.Name())) {
			continue
		}
		t, err := tile.Open(treeDir(dir, f.Name()), treeOrigin(origin, f.Name()), signer, tile.Options{})
		if err != nil {
			return nil, fmt.Errorf("the log of %s: %w", f.Name(), err)
		}
		c, err := t.Publish(ctx, nil)
		if err := errors.Join(err, t.Close()); err != nil {
			return nil, fmt.Errorf("the log of %s: %w", f.Name(), err)
		}
		if c.Size == 0 {
			continue
		}
		leaves, err := readBundle(ctx, tile.Dir(treeDir(dir, f.Name())), c.Size, 0)
		if err != nil {
			return nil, fmt.Errorf("the log of %s: %w", f.Name(), err)
		}
		h, err := ParseHeader(leaves[0])
		if err != nil {
			return nil, fmt.Errorf("the log of %s: %w", f.Name(), err)
		}
		all = append(all, shownTree{f.Name(), h.First, c.Size})
	}
	slices.SortFunc(all, func(a, b shownTree) int { return cmp.Compare(a.first, b.first) })
	return all, nil
}

// adopt adds the rows of a tree that come after the head, and moves it.
func (l *Log) adopt(ctx context.Context, tx store.Tx, dir string, t *shownTree, h *head, known []treeRow) (n int64, err error) {
	last := t.first + t.size - 2
	if last <= h.size {
		return 0, nil
	}
	if t.first > h.size+1 {
		return 0, &Tampered{h.size + 1, "the row is in no tree"}
	}
	fresh := !slices.ContainsFunc(known, func(k treeRow) bool { return k.name == t.name })
	if !fresh && h.tree != t.name {
		return 0, &Tampered{h.size + 1, "the row is in a tree that had ended"}
	}
	var leaves [][]byte
	for seq := h.size + 1; seq <= last; seq++ {
		index := Tree{First: t.first}.Index(seq)
		if leaves == nil || index%tile.Width == 0 {
			if leaves, err = readBundle(ctx, tile.Dir(treeDir(dir, t.name)), t.size, index/tile.Width); err != nil {
				return n, err
			}
		}
		leaf, err := ParseLeaf(leaves[index%tile.Width])
		if err != nil || leaf.Seq != seq {
			return n, fmt.Errorf("entry %d: %w", seq, errors.Join(ErrLeaf, err))
		}
		if fresh {
			ev, err := decodeEvent(leaf.Event)
			if err != nil {
				return n, fmt.Errorf("entry %d: %w", seq, err)
			}
			if _, err := tx.Exec("INSERT INTO audit_trees (name, tree_first, began) VALUES (?, ?, ?)", t.name, t.first, ev.Time.UnixNano()); err != nil {
				return n, err
			}
			fresh = false
		}
		id, parent, err := flowOf(leaf.Event)
		if err != nil {
			return n, fmt.Errorf("entry %d: %w", seq, err)
		}
		proof := l.prove(t.name, t.first, LeafHash(leaves[index%tile.Width]))
		const insert = "INSERT INTO audit_entries (seq, flow, parent, event, sealed, proof, payload, subjects) VALUES (?, ?, ?, ?, NULL, ?, ?, ?)"
		if _, err := tx.Exec(insert, seq, id, parent, []byte{}, proof, orNull(leaf.Payload), orNull(leaf.Subjects)); err != nil {
			return n, err
		}
		n++
	}
	h.size, h.tree, h.first = last, t.name, t.first
	return n, nil
}

// Place is where a journal stands, without opening it.
type Place struct {
	Rows   int64     // of the journal
	Pruned int64     // of them, from the first
	Tree   string    // of the newest row; "": there is none
	Began  time.Time // when that tree did
}

// PlaceOf reads where the journal in db stands.
func PlaceOf(ctx context.Context, db store.DB) (p Place, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		p = Place{Rows: h.size, Pruned: h.pruned, Tree: h.tree}
		trees, err := readTrees(tx)
		for _, t := range trees {
			if t.name == h.tree {
				p.Began = t.began
			}
		}
		return err
	})
	if err != nil {
		return Place{}, fmt.Errorf("reading where the journal stands: %w", err)
	}
	return p, nil
}

// RootAt returns the root that a published tree in dir had at a size.
func RootAt(ctx context.Context, dir, origin, tree string, key ed25519.PublicKey, size int64) (tlog.Hash, error) {
	r := tile.Dir(treeDir(dir, tree))
	signed, err := r.Checkpoint(ctx)
	if err != nil {
		return tlog.Hash{}, err
	}
	c, err := tile.ParseCheckpoint(signed, treeOrigin(origin, tree), key)
	if err != nil {
		return tlog.Hash{}, err
	}
	if size > c.Size {
		return tlog.Hash{}, fmt.Errorf("the tree of %s has %d leaves and not %d", tree, c.Size, size)
	}
	return tlog.TreeHash(size, tile.Hashes(ctx, r, c))
}

// NewestIn reads the published checkpoint of a tree in dir.
func NewestIn(ctx context.Context, dir, origin, tree string, key ed25519.PublicKey) (tile.Checkpoint, error) {
	signed, err := tile.Dir(treeDir(dir, tree)).Checkpoint(ctx)
	if err != nil {
		return tile.Checkpoint{}, fmt.Errorf("reading the checkpoint of %s: %w", tree, err)
	}
	return tile.ParseCheckpoint(signed, treeOrigin(origin, tree), key)
}
