package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

// carrying is a file in the log's directory while rows of version 1 are on their way into the tree.
const carrying = "carrying"

// begin finds out where database and tree stand, and brings them together.
func (l *Log) begin(ctx context.Context) error {
	h, err := l.look(ctx)
	if err != nil {
		return err
	}
	if h.chained > 0 {
		if err := l.carry(ctx, h); err != nil {
			return fmt.Errorf("carrying the rows of version 1 into the log: %w", err)
		}
		if h, err = l.look(ctx); err != nil {
			return err
		}
	}
	l.guess.Store(&h)
	if err := l.find(ctx, h); err != nil {
		return err
	}
	if err := l.drain(ctx); err != nil {
		return err
	}
	return l.checkArchive()
}

// look reads the head and the trees, and makes the head of a new journal.
func (l *Log) look(ctx context.Context) (h head, err error) {
	var first, last int64
	create := false
	read := func(tx store.Tx) error {
		if h, err = readHead(tx); err != nil {
			return err
		}
		if l.trees, err = readTrees(tx); err != nil {
			return err
		}
		const ends = "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM audit_entries"
		return tx.QueryRow(ends).Scan(&first, &last)
	}
	if err := l.db.View(ctx, read); err != nil {
		return head{}, fmt.Errorf("reading the journal's end: %w", err)
	}
	switch {
	case first < 1:
		return head{}, &Tampered{first, "a row stands before the first"}
	case last > h.size:
		return head{}, &Tampered{h.size + 1, "there are rows beyond the head"}
	case last < h.size:
		return head{}, &Tampered{last + 1, "the row is missing"}
	}
	if create = h.size == 0; create {
		err = l.db.Update(ctx, func(tx store.Tx) error {
			_, err := tx.Exec("INSERT INTO audit_head (id, size) VALUES (1, 0) ON CONFLICT (id) DO NOTHING")
			return err
		})
	}
	return h, err
}

// find opens the newest tree that is on the disk and compares its end with the database.
func (l *Log) find(ctx context.Context, h head) error {
	if err := l.strangers(); err != nil {
		return err
	}
	for at := len(l.trees) - 1; at >= 0; at-- {
		t := l.trees[at]
		if !present(l.dir(t.name)) {
			continue
		}
		tree, err := l.openTree(t.name)
		if err != nil {
			return err
		}
		if tree.Size() == 0 { // the program ended between folder and header
			if err := tree.Close(); err != nil {
				return err
			}
			continue
		}
		l.current = tree
		l.become(at)
		l.unwitnessed(at - 1)
		return l.compare(ctx, h, at)
	}
	return nil
}

// unwitnessed has a tree that ended taken to the witnesses once more: the program may have ended before they signed its last checkpoint. What is
// wrong with such a tree is told, and stops nothing.
func (l *Log) unwitnessed(at int) {
	if at < 0 || l.opt.Cosign == nil || !present(l.dir(l.trees[at].name)) {
		return
	}
	switch tree, err := l.openTree(l.trees[at].name); {
	case err == nil:
		l.previous = append(l.previous, tree)
	case l.opt.OnError != nil:
		l.opt.OnError(err)
	}
}

// present reports whether a folder has a tree.
func present(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".state", "tail"))
	return err == nil
}

// strangers refuses trees on the disk that the database has never heard of.
func (l *Log) strangers() error {
	files, err := os.ReadDir(l.opt.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	known := map[string]bool{}
	for _, t := range l.trees {
		known[t.name] = true
	}
	for _, f := range files {
		if f.IsDir() && !known[f.Name()] && present(l.dir(f.Name())) {
			return &Tampered{1, fmt.Sprintf("the log has a tree of %s that the database does not know: the database was set back or another one was put in its place", f.Name())}
		}
	}
	return nil
}

// compare holds the last rows in the tree against the database.
func (l *Log) compare(ctx context.Context, h head, at int) error {
	t := l.trees[at]
	seq := t.first + l.current.Size() - 2
	if next := at + 1; next < len(l.trees) && seq > l.trees[next].first-1 {
		return &Tampered{l.trees[next].first, "the row is in two trees"}
	}
	l.mu.Lock()
	l.seq = seq
	l.mu.Unlock()
	if seq > h.size {
		return shorter(h.size+1, seq)
	}
	from := max(t.first, seq-63, h.pruned+1)
	rows, err := readRows(ctx, l.db, from, seq)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.seq != from+int64(i) { // that the last is there look has seen
			return &Tampered{from + int64(i), "the row is missing"}
		}
		hash, err := l.current.Leaf(Tree{First: t.first}.Index(r.seq))
		if err != nil {
			return err
		}
		if hash != LeafHash(r.leaf()) {
			return &Tampered{r.seq, "the row is not the one in the log"}
		}
	}
	return nil
}

// shorter says that the log has more rows than the journal, of which row seq is the first.
func shorter(seq, log int64) *Tampered {
	return &Tampered{seq, fmt.Sprintf("the journal ends, yet the log has %d rows: the database was set back or cut", log)}
}

// checkArchive compares the newest archived checkpoint of the current tree with it: it must not know of more, or of something else. Nor may the
// archive know of a tree that the journal does not have.
func (l *Log) checkArchive() error {
	if l.current == nil {
		notes, err := l.archive.all()
		if err == nil && len(notes) > 0 {
			err = &Tampered{1, "the journal is empty, yet a signed checkpoint was archived: the database was set back"}
		}
		return err
	}
	archived, err := l.archive.trees()
	if err != nil {
		return err
	}
	for _, name := range archived {
		if slices.ContainsFunc(l.trees, func(t treeRow) bool { return t.name == name }) {
			continue
		}
		if _, found, err := l.archive.newest(name, l.parse); err != nil || found {
			return errors.Join(err, &Tampered{l.seq + 1, fmt.Sprintf("the journal ends, yet a signed checkpoint of %s was archived: the database was set back", name)})
		}
	}
	name := l.known[l.at].name
	c, found, err := l.archive.newest(name, l.parse)
	if err != nil || !found {
		return err
	}
	if c.Size > l.current.Size() {
		return &Tampered{l.seq + 1, setBack(l.known[l.at].first + c.Size - 2)}
	}
	root, err := tlog.TreeHash(c.Size, l.current)
	if err != nil {
		return err
	}
	if root != c.Root {
		return &Tampered{l.known[l.at].first + c.Size - 2, "an archived checkpoint has another root"}
	}
	l.archived, l.when = c, l.opt.Clock()
	return nil
}

// parse reads a checkpoint of the tree of a period.
func (l *Log) parse(name string, signed []byte) (tile.Checkpoint, error) {
	return tile.ParseCheckpoint(signed, treeOrigin(l.origin, name), append(l.opt.Earlier[:len(l.opt.Earlier):len(l.opt.Earlier)], l.key)...)
}

// carry verifies the chain of version 1 and takes its rows to the tree. It may have been interrupted before.
//
// Rows of a chain have no proof that needs our key, so they are taken only before any other row was written: the file that says that this has
// begun is made when there is no tree yet, and goes when all are there.
func (l *Log) carry(ctx context.Context, h head) error {
	mark := filepath.Join(l.opt.Dir, carrying)
	marked, err := os.ReadFile(mark)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if len(l.trees) > 0 || l.anyTree() {
			return &Tampered{1, "the database claims to have rows of version 1, yet the log has begun"}
		}
	case err != nil:
		return err
	case string(marked) != strconv.FormatInt(h.chained, 10):
		return &Tampered{1, "the database claims to have other rows of version 1 than before"}
	}
	c, err := openChain(ctx, l.db, l.opt.Chain, l.opt.Archive, append(l.opt.Earlier[:len(l.opt.Earlier):len(l.opt.Earlier)], l.key), h.chained)
	if err != nil {
		return err
	}
	if err := c.pass(ctx, 0, nil); err != nil {
		return err
	}
	if err := keepFile(mark, []byte(strconv.FormatInt(h.chained, 10))); err != nil {
		return err
	}
	if err := l.fill(ctx, c, h); err != nil {
		return err
	}
	err = l.db.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM audit_chained WHERE size >= 0"); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE audit_head SET chained = 0 WHERE id = 1")
		return err
	})
	if err != nil {
		return err
	}
	return os.Remove(mark)
}

func (l *Log) anyTree() bool {
	files, _ := os.ReadDir(l.opt.Dir)
	for _, f := range files {
		if present(l.dir(f.Name())) {
			return true
		}
	}
	return false
}

// fill takes the chain's rows to the first tree.
func (l *Log) fill(ctx context.Context, c *chain, h head) error {
	if len(l.trees) == 0 {
		now := l.opt.Clock()
		name := l.opt.Period.of(now).name
		err := l.db.Update(ctx, func(tx store.Tx) error {
			if _, err := tx.Exec("INSERT INTO audit_trees (name, tree_first, began) VALUES (?, ?, ?)", name, 1, now.UnixNano()); err != nil {
				return err
			}
			_, err := tx.Exec("UPDATE audit_head SET tree = ?, tree_first = 1 WHERE id = 1", name)
			return err
		})
		if err != nil {
			return err
		}
		l.trees = []treeRow{{name, 1, now}}
	}
	t := l.trees[0]
	tree, err := l.openTree(t.name)
	if err != nil {
		return err
	}
	if tree.Size() == 0 {
		leaf, err := Header{Origin: treeOrigin(l.origin, t.name), First: 1}.Leaf()
		if err == nil {
			err = tree.Append([][]byte{leaf})
		}
		if err != nil {
			return errors.Join(err, tree.Close())
		}
	}
	err = c.pass(ctx, tree.Size()-1, func(rows []row) error {
		var leaves [][]byte
		for i := range rows {
			leaf := rows[i].leaf()
			if len(leaf) > maxLeaf {
				return fmt.Errorf("entry %d: %w: it is too large for the log", rows[i].seq, ErrEvent)
			}
			leaves = append(leaves, leaf)
		}
		return tree.Append(leaves)
	})
	return errors.Join(err, tree.Close())
}
