package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Reading is how a whole log is read.
type Reading struct {
	Hashes  bool         // do not ask for entries: begin with the hashes of level 0
	Foreign bool         // entries are not Scrim's: do not look into them
	Earlier []Checkpoint // each must be a beginning of the log

	// Each is given every entry in order once its hash was found to be that of its tile; nil: nothing is. What it is given is believed no
	// sooner than Whole returns.
	Each func(index int64, entry []byte, leaf tlog.Hash) error
}

// Whole is what a whole log turned out to be.
type Whole struct {
	Entries int64 // looked at, byte by byte; 0 if only hashes were read
	Tiles   int64 // hash tiles that were compared
	First   int64 // sequence number of the first entry; 0: unknown
	Header  *Header
}

// Whole reads every entry and every hash tile of the tree of a checkpoint, computes the root anew and compares. If the very first
// bundle is refused to us, it goes on with hashes alone and says so by Entries = 0.
func (l Log) Whole(ctx context.Context, c Checkpoint, r Reading) (Whole, error) {
	for _, e := range r.Earlier {
		if e.Size > c.Size {
			return Whole{}, failed(Rollback, e.From, "the log had %d entries and now has %d", e.Size, c.Size)
		}
	}
	r.Earlier = slices.Clone(r.Earlier)
	slices.SortFunc(r.Earlier, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	if c.Size > 0 && !r.Hashes {
		_, err := l.Bundle(ctx, 0, int(min(c.Size, width)))
		r.Hashes = errors.Is(err, ErrRefused)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := &walk{log: l, Reading: r, checkpoint: c}
	err := w.run(ctx)
	return w.Whole, err
}

// walk goes through a tree from left to right. levels[i] holds the last, unfinished tile of level i.
type walk struct {
	log Log
	Reading
	Whole
	checkpoint Checkpoint

	levels [maxLevel + 1][]tlog.Hash
	done   [maxLevel + 1]int64 // full tiles of each level so far
}

// piece is one bundle of entries, read and hashed.
type piece struct {
	hashes  []tlog.Hash
	entries int64
	raw     [][]byte // for Each
	first   int64
	header  *Header
	err     error
}

func (w *walk) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup // nobody reads on when this returns
	defer all.Wait()
	defer stop()
	pieces := make(chan chan piece, 2*runtime.GOMAXPROCS(0)+4)
	all.Go(func() {
		defer close(pieces)
		for n := int64(0); n*width < w.checkpoint.Size; n++ {
			p := make(chan piece, 1)
			select {
			case pieces <- p:
			case <-ctx.Done():
				return
			}
			all.Go(func() { p <- w.read(ctx, n, int(min(w.checkpoint.Size-n*width, width))) })
		}
	})
	if err := w.earlier(0, nil); err != nil {
		return err
	}
	for n := int64(0); n*width < w.checkpoint.Size; n++ {
		in, ok := <-pieces
		if !ok || ctx.Err() != nil {
			return cmp.Or(ctx.Err(), context.Canceled)
		}
		if err := w.add(ctx, n, <-in); err != nil {
			return err
		}
	}
	for level, hashes := range w.levels {
		if len(hashes) > 0 && level > 0 {
			if err := w.compare(ctx, level, w.done[level], hashes); err != nil {
				return err
			}
		}
	}
	if root := w.root(len(w.levels[0])); root != w.checkpoint.Root {
		return failed(Tiles, "checkpoint", "the tree's root is %v, the signed one is %v", root, w.checkpoint.Root)
	}
	return nil
}

func (w *walk) add(ctx context.Context, n int64, p piece) error {
	if p.err != nil {
		return p.err
	}
	if p.header != nil {
		w.Header, w.First = p.header, p.header.First
	}
	if p.first != 0 && w.First != 0 && p.first != w.First { // each entry's number less its place
		return failed(Order, tileName("entries", n, len(p.hashes)), "its first entry has the number %d, want %d",
			p.first+n*width-1, w.First+n*width-1)
	}
	w.Entries += p.entries
	w.Tiles++
	for i, e := range p.raw {
		if err := w.Each(n*width+int64(i), e, p.hashes[i]); err != nil {
			return err
		}
	}
	w.levels[0] = p.hashes
	if err := w.earlier(n*width, p.hashes); err != nil {
		return err
	}
	for level := 0; level < maxLevel && len(w.levels[level]) == width; level++ {
		if level > 0 {
			if err := w.compare(ctx, level, w.done[level], w.levels[level]); err != nil {
				return err
			}
		}
		w.levels[level+1] = append(w.levels[level+1], fold(w.levels[level]))
		w.levels[level] = w.levels[level][:0]
		w.done[level]++
	}
	return nil
}

// earlier compares the earlier checkpoints whose trees end after base and not after base+len(hashes).
func (w *walk) earlier(base int64, hashes []tlog.Hash) error {
	for len(w.Earlier) > 0 && w.Earlier[0].Size <= base+int64(len(hashes)) {
		e := w.Earlier[0]
		if err := sameRoot(e, w.root(int(e.Size-base))); err != nil {
			return err
		}
		w.Earlier = w.Earlier[1:]
	}
	return nil
}

// compare holds a tile of the source against the hashes computed from what lies below.
func (w *walk) compare(ctx context.Context, level int, n int64, hashes []tlog.Hash) error {
	b, err := w.log.Tile(ctx, level, n, len(hashes))
	if err != nil {
		return err
	}
	w.Tiles++
	for i, h := range hashes {
		if !bytes.Equal(b[i*tlog.HashSize:][:tlog.HashSize], h[:]) {
			return failed(Tiles, tileName(fmt.Sprint(level), n, len(hashes)), "hash %d is not that of what lies below it", i)
		}
	}
	return nil
}

// root is that of all finished tiles and the first k hashes of the unfinished one of level 0.
func (w *walk) root(k int) tlog.Hash {
	var peaks []tlog.Hash
	for level := maxLevel; level > 0; level-- {
		peaks = appendPeaks(peaks, w.levels[level])
	}
	if k > 0 {
		peaks = appendPeaks(peaks, w.levels[0][:k])
	}
	if len(peaks) == 0 {
		return emptyRoot
	}
	root := peaks[len(peaks)-1]
	for _, p := range slices.Backward(peaks[:len(peaks)-1]) {
		root = tlog.NodeHash(p, root)
	}
	return root
}

// appendPeaks cuts hashes into perfect trees, the largest first, and appends their roots.
func appendPeaks(peaks, hashes []tlog.Hash) []tlog.Hash {
	for len(hashes) > 0 {
		n := 1
		for n*2 <= len(hashes) {
			n *= 2
		}
		peaks, hashes = append(peaks, fold(hashes[:n])), hashes[n:]
	}
	return peaks
}

// fold is the root of a perfect tree.
func fold(hashes []tlog.Hash) tlog.Hash {
	level := slices.Clone(hashes)
	for len(level) > 1 {
		for i := 0; i < len(level); i += 2 {
			level[i/2] = tlog.NodeHash(level[i], level[i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

// read reads bundle n, compares it with its tile of level 0 and looks into its entries.
func (w *walk) read(ctx context.Context, n int64, count int) piece {
	tile, err := w.log.Tile(ctx, 0, n, count)
	if err != nil {
		return piece{err: err}
	}
	p := piece{hashes: make([]tlog.Hash, count)}
	if w.Hashes {
		for i := range p.hashes {
			copy(p.hashes[i][:], tile[i*tlog.HashSize:])
		}
		return p
	}
	entries, err := w.log.Bundle(ctx, n, count)
	if err != nil {
		return piece{err: err}
	}
	for i, e := range entries {
		p.hashes[i] = tlog.RecordHash(e)
		if !bytes.Equal(tile[i*tlog.HashSize:][:tlog.HashSize], p.hashes[i][:]) {
			return piece{err: failed(Entries, tileName("entries", n, count), "entry %d has not the hash that tile/0 gives it", n*width+int64(i))}
		}
	}
	p.entries = int64(count)
	if w.Each != nil {
		p.raw = entries
	}
	if w.Foreign {
		return p
	}
	for i, e := range entries {
		if err := p.look(w.checkpoint, n*width+int64(i), e); err != nil {
			return piece{err: err}
		}
	}
	return p
}

// look reads an entry. Its number less its place must be that of all others.
func (p *piece) look(c Checkpoint, index int64, entry []byte) error {
	where := fmt.Sprintf("entry %d", index)
	leaf, err := parseLeaf(entry)
	if err != nil {
		return failed(Form, where, "%v", err)
	}
	if (leaf.Header != nil) != (index == 0) {
		return failed(Order, where, "the header is the first entry, and only the first")
	}
	if leaf.Header != nil {
		if leaf.Header.Origin != c.Origin {
			return failed(Order, where, "it is the header of %q", short(leaf.Header.Origin))
		}
		p.header, p.first = leaf.Header, leaf.Header.First
		return nil
	}
	first := leaf.Seq - index + 1
	if p.first == 0 {
		p.first = first
	}
	if p.first != first || first < 1 {
		return failed(Order, where, "it has the number %d, want %d", leaf.Seq, max(p.first, 1)+index-1)
	}
	return nil
}

// Follows checks that a log's header names the end of the log of the period before: its last checkpoint and its last number.
func (h *Header) Follows(p *Policy, before Checkpoint, first int64) error {
	if h.Previous == nil {
		return failed(Fork, "entry 0", "the log names none before it, but there is %s", before.Origin)
	}
	signed, err := p.open([]byte(h.Previous.Checkpoint), false)
	if err != nil {
		return at("entry 0", err)
	}
	switch {
	case h.Previous.Origin != before.Origin || signed.Origin != before.Origin:
		return failed(Fork, "entry 0", "the log follows %s, not %s", short(h.Previous.Origin), before.Origin)
	case signed.Size != before.Size || signed.Root != before.Root:
		return failed(Fork, "entry 0", "%s ended with another checkpoint than the one that the log follows", before.Origin)
	case first > 0 && before.Size > 0 && h.First != first+before.Size-1:
		return failed(Order, "entry 0", "the log begins with the number %d, want %d", h.First, first+before.Size-1)
	}
	return nil
}

// CheckPrevious checks what the header alone tells of the log before: that the same key signed how it ended.
func (h *Header) CheckPrevious(p *Policy) error {
	if h == nil || h.Previous == nil {
		return nil
	}
	c, err := p.open([]byte(h.Previous.Checkpoint), false)
	if err != nil {
		return at("entry 0", err)
	}
	if c.Origin != h.Previous.Origin {
		return failed(Form, "entry 0", "the checkpoint of the log before is another's")
	}
	return nil
}
