package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

// Verify publishes what there is and then walks all of it as the function [Verify] does, with the log's own key and archive.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	if !l.closed.Load() {
		if _, err := l.Checkpoint(ctx); err != nil {
			if bad, ok := errors.AsType[*Tampered](err); ok {
				return Report{Entries: max(bad.Seq-1, 0)}, err
			}
			return Report{}, err
		}
	}
	notes, err := l.archive.all()
	if err != nil {
		return Report{}, err
	}
	return Verify(ctx, l.db, l.opt.Dir, l.origin, l.key, Against{Checkpoints: notes, Earlier: l.opt.Earlier})
}

// Verify walks the journal in db and the trees in dir: every row against its leaf, every leaf and hash against the signed root, each tree
// against the one before, and all against checkpoints that were kept elsewhere.
//
// It returns a [*Tampered] naming the first row that does not fit; the report then says how far everything did fit. A
// checkpoint given in against that is not signed by the key is a [tile.ErrCheckpoint]. Rows that no published checkpoint covers yet are counted and
// no more. It needs nothing but the public key; to notice that database and trees were set back together, it needs checkpoints kept elsewhere.
func Verify(ctx context.Context, db store.DB, dir, origin string, key ed25519.PublicKey, against ...Against) (Report, error) {
	if err := checkOrigin(origin); err != nil {
		return Report{}, err
	}
	v := &verifier{ctx: ctx, db: db, dir: dir, origin: origin, keys: []ed25519.PublicKey{key}, bad: Tampered{Seq: math.MaxInt64}}
	if _, err := tile.NewVerifier(origin, key); err != nil {
		return Report{}, err
	}
	var notes [][]byte
	for _, a := range against {
		v.keys = append(v.keys, a.Earlier...)
		notes = append(notes, a.Checkpoints...)
	}
	err := v.run(notes)
	if err == nil && v.bad.What != "" {
		err = &v.bad
		v.report.Entries, v.report.Head = max(min(v.report.Entries, v.bad.Seq-1), 0), tlog.Hash{}
	}
	return v.report, err
}

// verifier walks and compares. It is used once.
type verifier struct {
	ctx    context.Context
	db     store.DB
	dir    string
	origin string
	keys   []ed25519.PublicKey
	report Report
	bad    Tampered // the first that was found
}

// shown is a tree with what its signed checkpoint says.
type shown struct {
	treeRow
	end      tile.Checkpoint // Note nil: none was published
	archived []tile.Checkpoint
}

func (v *verifier) suspect(seq int64, what string, args ...any) {
	if seq < v.bad.Seq {
		v.bad = Tampered{seq, fmt.Sprintf(what, args...)}
	}
}

func (v *verifier) run(notes [][]byte) error {
	var rows []treeRow
	if err := v.db.View(v.ctx, func(tx store.Tx) (err error) { rows, err = readTrees(tx); return err }); err != nil {
		return fmt.Errorf("reading the journal's trees: %w", err)
	}
	trees := make([]shown, len(rows))
	for i := range rows { // checkpoints before the journal's end: what they cover is committed
		trees[i].treeRow = rows[i]
		if err := v.checkpoint(&trees[i]); err != nil {
			return err
		}
	}
	if err := v.elsewhere(trees, notes); err != nil {
		return err
	}
	end, err := v.ends()
	if err != nil {
		return err
	}
	for i := range trees {
		if err := v.tree(trees, i); err != nil {
			return err
		}
	}
	v.report.Entries, v.report.Pruned = end.size, end.pruned
	if end.size < v.report.Covered {
		v.suspect(end.size+1, "the journal ends, yet the log has %d rows: the database was set back or cut", v.report.Covered)
	}
	return v.rest(end.size)
}

func (v *verifier) checkpoint(t *shown) error {
	signed, err := tile.Dir(treeDir(v.dir, t.name)).Checkpoint(v.ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if t.end, err = tile.ParseCheckpoint(signed, treeOrigin(v.origin, t.name), v.keys...); err != nil {
		v.suspect(t.first, "the checkpoint is forged: %v", err)
		return nil
	}
	v.report.Trees++
	return nil
}

// elsewhere sorts checkpoints that were kept elsewhere to their trees.
func (v *verifier) elsewhere(trees []shown, notes [][]byte) error {
	for _, n := range notes {
		name, _, _ := bytes.Cut(n, []byte("\n"))
		at := slices.IndexFunc(trees, func(t shown) bool { return treeOrigin(v.origin, t.name) == string(name) })
		origin := v.origin
		if at >= 0 || bytes.HasPrefix(name, []byte(v.origin+"/")) {
			origin = string(name)
		}
		c, err := tile.ParseCheckpoint(n, origin, v.keys...)
		if err != nil {
			return fmt.Errorf("archived checkpoint: %w", err)
		}
		if at < 0 {
			v.suspect(1, "an archived checkpoint is of the tree %s, which the journal does not have: it was set back", c.Origin)
			continue
		}
		trees[at].archived = append(trees[at].archived, c)
	}
	for i := range trees {
		slices.SortStableFunc(trees[i].archived, func(a, b tile.Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	}
	return nil
}

// ends looks at where the rows stop.
func (v *verifier) ends() (h head, err error) {
	var first, last int64
	err = v.db.View(v.ctx, func(tx store.Tx) error {
		if h, err = readHead(tx); err != nil {
			return err
		}
		return tx.QueryRow("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM audit_entries").Scan(&first, &last)
	})
	if err != nil {
		return head{}, fmt.Errorf("reading the journal's end: %w", err)
	}
	switch {
	case first < 1:
		v.suspect(first, "a row stands before the first")
	case last > h.size:
		v.suspect(h.size+1, "there are rows beyond the head")
	case last < h.size:
		v.suspect(last+1, "the row is missing")
	}
	return h, nil
}

// tree walks one tree.
func (v *verifier) tree(trees []shown, i int) error {
	t := &trees[i]
	switch {
	case t.end.Note != nil:
	case i+1 < len(trees):
		v.suspect(t.first, "the tree of %s is not there", t.name)
		return nil
	default:
		if len(t.archived) > 0 {
			v.suspect(t.first, "the tree of %s is not there, yet an archived checkpoint covers it: it was set back", t.name)
		}
		return nil
	}
	if i+1 < len(trees) && t.end.Size != trees[i+1].first-t.first+1 {
		v.suspect(min(t.first+t.end.Size-1, trees[i+1].first), "the tree of %s does not end where the next begins", t.name)
	}
	w := &walk{v: v, t: t, r: tile.Dir(treeDir(v.dir, t.name)), index: Tree{First: t.first}.Index}
	if i > 0 {
		w.before = &trees[i-1]
	}
	if err := w.run(); err != nil {
		return err
	}
	v.report.Covered = t.first + t.end.Size - 2
	v.report.Origin, v.report.Size, v.report.Head = t.end.Origin, t.end.Size, t.end.Root
	return nil
}

// rest looks at rows that no checkpoint covers yet.
func (v *verifier) rest(end int64) error {
	for at := v.report.Covered; at < end; {
		rows, err := readRows(v.ctx, v.db, at+1, min(at+walkPage, end))
		if err != nil {
			return err
		}
		for i := range rows {
			v.index(&rows[i])
			if rows[i].seq != at+1 {
				break
			}
			at++
		}
		if len(rows) == 0 || rows[len(rows)-1].seq != at {
			v.suspect(at+1, "the row is missing")
			return nil
		}
	}
	return nil
}

func (v *verifier) index(r *row) {
	if id, parent, err := flowOf(r.event); err != nil || id != r.flow || parent != r.parent {
		v.suspect(r.seq, "the index names another flow than the event")
	}
}

// walk goes through one tree, leaf by leaf.
type walk struct {
	v      *verifier
	t      *shown
	before *shown // nil: it is the first tree
	r      tile.Reader
	index  func(int64) int64
	size   int64
	shown  []byte        // hashes of the bundle at hand, as they are published
	stack  []tlog.Hash   // roots of the perfect trees that size is made of
	levels [][]tlog.Hash // hashes of the unfinished tiles
}

func (w *walk) row(index int64) int64 { return w.t.first + index - 1 }

func (w *walk) run() error {
	for n := int64(0); n*tile.Width < w.t.end.Size; n++ {
		leaves, err := readBundle(w.v.ctx, w.r, w.t.end.Size, n)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, tile.ErrTile) {
			w.v.suspect(max(w.row(n*tile.Width), w.t.first), "the log's entries of %s are damaged or missing", w.t.name)
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.bundle(n, leaves); err != nil {
			return err
		}
		if w.v.bad.Seq < w.t.first {
			return nil
		}
	}
	for level := range w.levels {
		w.hashes(level)
	}
	if w.root() != w.t.end.Root && w.v.bad.What == "" { // else that is why
		w.v.suspect(w.t.first, "the log's entries of %s do not give the root that was signed", w.t.name)
	}
	if len(w.t.archived) > 0 {
		if c := w.t.archived[0]; c.Size > w.size {
			w.v.suspect(w.row(w.size), "%s", setBack(w.row(c.Size-1)))
		}
	}
	return nil
}

// bundle compares leaves with rows and adds them.
func (w *walk) bundle(n int64, leaves [][]byte) error {
	from := w.row(n * tile.Width)
	rows, err := readRows(w.v.ctx, w.v.db, max(from, w.t.first), from+int64(len(leaves))-1)
	if err != nil {
		return err
	}
	w.shown, _ = w.r.Tile(w.v.ctx, tlog.Tile{H: tile.Height, N: n, W: len(leaves)}) // what is wrong with it is found at its end
	for i, leaf := range leaves {
		if index := n*tile.Width + int64(i); index == 0 {
			w.header(leaf)
		} else {
			seq := w.row(index)
			for len(rows) > 0 && rows[0].seq < seq {
				rows = rows[1:]
			}
			if len(rows) == 0 || rows[0].seq != seq {
				w.v.suspect(seq, "the row is missing")
			} else {
				w.compare(&rows[0], leaf, i)
			}
		}
		w.push(leaf)
	}
	tell(w.v.ctx, w.row(n*tile.Width+int64(len(leaves))-1))
	return nil
}

func (w *walk) header(leaf []byte) {
	h, err := ParseHeader(leaf)
	switch {
	case err != nil || h.Origin != w.t.end.Origin || h.First != w.t.first || (h.Previous == nil) != (w.before == nil):
		w.v.suspect(w.t.first, "the header of %s is not that of the tree", w.t.name)
	case w.before != nil:
		c, err := tile.ParseCheckpoint([]byte(h.Previous.Checkpoint), treeOrigin(w.v.origin, w.before.name), w.v.keys...)
		if err != nil || h.Previous.Origin != c.Origin || c.Size != w.before.end.Size || c.Root != w.before.end.Root {
			w.v.suspect(w.t.first, "the tree of %s does not follow the one before", w.t.name)
		}
	}
}

func (w *walk) compare(r *row, leaf []byte, i int) {
	if len(r.event) > 0 {
		if mine := r.leaf(); !bytes.Equal(mine, leaf) {
			if h := LeafHash(mine); len(w.shown) >= (i+1)*tlog.HashSize && string(w.shown[i*tlog.HashSize:][:tlog.HashSize]) == string(h[:]) {
				w.v.suspect(r.seq, "the log's entry is damaged: its hash is that of the row")
			} else {
				w.v.suspect(r.seq, "the row is not the one in the log")
			}
			return
		}
		w.v.index(r)
		return
	}
	l, err := ParseLeaf(leaf)
	if err != nil || l.Seq != r.seq || !bytes.Equal(l.Payload, r.payload) || !bytes.Equal(l.Subjects, r.subjects) {
		w.v.suspect(r.seq, "the pruned row is not the one in the log")
		return
	}
	pruned := *r
	pruned.event = l.Event
	w.v.index(&pruned)
	var h head
	if err := w.v.db.View(w.v.ctx, func(tx store.Tx) (err error) { h, err = readHead(tx); return err }); err != nil || h.pruned < r.seq {
		w.v.suspect(r.seq, "the row has lost its event")
	}
}

// push adds a leaf to the tree that is built anew, compares finished tiles, and archived checkpoints of that size.
func (w *walk) push(leaf []byte) {
	h := tlog.RecordHash(leaf)
	n := w.size
	w.size++
	for height := 0; ; height++ {
		if height%tile.Height == 0 {
			w.put(height/tile.Height, h)
		}
		if n&1 == 0 {
			w.stack = append(w.stack, h)
			break
		}
		last := len(w.stack) - 1
		h, w.stack = tlog.NodeHash(w.stack[last], h), w.stack[:last]
		n >>= 1
	}
	for len(w.t.archived) > 0 && w.t.archived[0].Size <= w.size {
		if c := w.t.archived[0]; c.Size == w.size && c.Root != w.root() {
			w.v.suspect(w.row(w.size-1), "an archived checkpoint has another root")
		} else {
			w.v.report.Archived++
		}
		w.t.archived = w.t.archived[1:]
	}
}

func (w *walk) put(level int, h tlog.Hash) {
	if level == len(w.levels) {
		w.levels = append(w.levels, nil)
	}
	if len(w.levels[level]) == tile.Width {
		w.levels[level] = w.levels[level][:0]
	}
	w.levels[level] = append(w.levels[level], h)
	if len(w.levels[level]) == tile.Width {
		w.hashes(level)
	}
}

// hashes compares the newest tile of a level.
func (w *walk) hashes(level int) {
	count := len(w.levels[level])
	n := (w.size>>(tile.Height*level) - 1) / tile.Width
	got, err := w.r.Tile(w.v.ctx, tlog.Tile{H: tile.Height, L: level, N: n, W: count})
	want := make([]byte, 0, count*tlog.HashSize)
	for _, h := range w.levels[level] {
		want = append(want, h[:]...)
	}
	if err == nil && bytes.Equal(got, want) {
		return
	}
	i := 0
	for (i+1)*tlog.HashSize < min(len(got), len(want)) && bytes.Equal(got[i*tlog.HashSize:][:tlog.HashSize], want[i*tlog.HashSize:][:tlog.HashSize]) {
		i++
	}
	seq := max(w.row((n*tile.Width+int64(i))<<(tile.Height*level)), w.t.first)
	if level == 0 || w.v.bad.What == "" { // a bad leaf makes bad hashes above it
		w.v.suspect(seq, "the log's hashes of %s are damaged or missing", w.t.name)
	}
}

func (w *walk) root() tlog.Hash {
	if len(w.stack) == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	h := w.stack[len(w.stack)-1]
	for _, left := range slices.Backward(w.stack[:len(w.stack)-1]) {
		h = tlog.NodeHash(left, h)
	}
	return h
}
