package audit

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

const entriesPage = 64

// Entries yields rows in order; the events of pruned ones it reads from the log's files. It reads in pages, so that a slow reader holds
// up nobody. After an error it ends.
func (l *Log) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return entries(ctx, l.db, l.opt.Dir, q)
}

// Entries yields rows of the journal in db in order, as [Log.Entries] does, without opening it for writing.
// It does not verify them. A row that was pruned is an [ErrPruned]: it needs the log's files.
func Entries(ctx context.Context, db store.DB, q Query) iter.Seq2[Entry, error] {
	return entries(ctx, db, "", q)
}

// EntriesIn is [Entries] with the log's files at hand, which have the events of pruned rows.
func EntriesIn(ctx context.Context, db store.DB, dir string, q Query) iter.Seq2[Entry, error] {
	return entries(ctx, db, dir, q)
}

func entries(ctx context.Context, db store.DB, dir string, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		left := q.Limit
		if left <= 0 {
			left = math.MaxInt
		}
		r := &bundles{dir: dir}
		for from := q.From; left > 0; {
			page, err := readPage(ctx, db, q, from, min(left, entriesPage))
			if err == nil {
				err = r.complete(ctx, db, page)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < entriesPage {
				return
			}
			left -= len(page)
			from = page[len(page)-1].Seq + 1
		}
	}
}

func readPage(ctx context.Context, db store.DB, q Query, from int64, limit int) ([]Entry, error) {
	where, args := []string{"seq >= ?"}, []any{from}
	for _, c := range []struct {
		cond string
		use  bool
		arg  any
	}{
		{"seq <= ?", q.To > 0, q.To},
		{"flow = ?", q.Flow != "", string(q.Flow)},
		{"parent = ? AND parent <> ''", q.Parent != "", string(q.Parent)},
	} {
		if c.use {
			where, args = append(where, c.cond), append(args, c.arg)
		}
	}
	query := "SELECT seq, event, sealed, payload, subjects FROM audit_entries WHERE " + strings.Join(where, " AND ") + " ORDER BY seq LIMIT ?"
	var page []Entry
	err := db.View(ctx, func(tx store.Tx) error {
		page = nil
		rows, err := tx.Query(query, append(args, limit)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			if err := rows.Scan(&e.Seq, &e.Raw, &e.Sealed, &e.Payload, &e.Subjects); err != nil {
				return err
			}
			if len(e.Sealed) == 0 {
				e.Sealed = nil
			}
			page = append(page, e)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return page, nil
}

// Wrote returns an [ErrTampered] if a row that is in the tree, and whose leaf now has this hash, is not as it was appended. It believes the row's proof, so it can
// tell before the tree is published. Rows of version 1 have none.
func (l *Log) Wrote(ctx context.Context, seq int64, leaf [32]byte) error {
	rows, err := readRows(ctx, l.db, seq, seq)
	if err != nil {
		return err
	}
	t, ok := l.TreeOf(seq)
	if !ok || len(rows) == 0 || !hmac.Equal(rows[0].proof, l.prove(t.Name, t.First, leaf)) {
		return &Tampered{seq, "the row is not as it was appended"}
	}
	return nil
}

// bundles reads leaves of pruned rows.
type bundles struct {
	dir    string
	trees  []treeRow
	tree   string // that the rest belongs to
	n      int64
	leaves [][]byte // of bundle n
}

// complete fills in events and hashes.
func (b *bundles) complete(ctx context.Context, db store.DB, page []Entry) error {
	for i := range page {
		e := &page[i]
		if len(e.Raw) == 0 {
			leaf, err := b.leaf(ctx, db, e.Seq)
			if err != nil {
				return fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			l, err := ParseLeaf(leaf)
			if err != nil || l.Seq != e.Seq {
				return fmt.Errorf("entry %d: %w", e.Seq, errors.Join(ErrLeaf, err))
			}
			e.Raw, e.Payload, e.Subjects, e.Pruned, e.Hash = l.Event, l.Payload, l.Subjects, true, LeafHash(leaf)
		} else {
			e.Hash = LeafHash(leafOf(e.Seq, e.Raw, e.Sealed, e.Payload, e.Subjects))
		}
		var err error
		if e.Event, err = decodeEvent(e.Raw); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	return nil
}

// leaf reads the leaf of a row whose tree has been published beyond it, as that of every pruned row has.
func (b *bundles) leaf(ctx context.Context, db store.DB, seq int64) ([]byte, error) {
	if b.dir == "" {
		return nil, ErrPruned
	}
	if b.trees == nil {
		err := db.View(ctx, func(tx store.Tx) (err error) { b.trees, err = readTrees(tx); return err })
		if err != nil {
			return nil, err
		}
	}
	at := len(b.trees) - 1
	for at >= 0 && b.trees[at].first > seq {
		at--
	}
	if at < 0 {
		return nil, ErrPruned
	}
	t := b.trees[at]
	index := Tree{First: t.first}.Index(seq)
	if b.tree == t.name && b.n == index/tile.Width && index%tile.Width < int64(len(b.leaves)) {
		return b.leaves[index%tile.Width], nil
	}
	r := tile.Dir(treeDir(b.dir, t.name))
	signed, err := r.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPruned, err)
	}
	text, _, _ := strings.Cut(string(signed), "\n\n")
	c, err := tile.ParseText(text + "\n")
	if err != nil {
		return nil, err
	}
	if index >= c.Size {
		return nil, ErrPruned
	}
	leaves, err := readBundle(ctx, r, c.Size, index/tile.Width)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPruned, err)
	}
	b.tree, b.n, b.leaves = t.name, index/tile.Width, leaves
	return leaves[index%tile.Width], nil
}

// readBundle reads the leaves of a bundle in a tree of a size.
func readBundle(ctx context.Context, r tile.Reader, size, n int64) ([][]byte, error) {
	width := int(min(tile.Width, size-n*tile.Width))
	b, err := r.Bundle(ctx, n, width%tile.Width)
	if err != nil {
		return nil, err
	}
	return tile.SplitBundle(b, width)
}
