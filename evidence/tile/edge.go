package tile

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right border of a tree: the leaves and hashes that no full tile on the disk holds yet, and what is needed to
// add more. Its zero value is the empty tree.
type edge struct {
	size   int64
	stack  []tlog.Hash // roots of the perfect trees that size is made of, the largest first
	levels []level     // hashes by the level of their tile
	first  int64       // index of leaves[0], a multiple of Width
	leaves [][]byte
	bytes  int64 // of leaves
}

// level is a run of hashes at the bottom of the tiles of one level.
type level struct {
	first  int64 // index of hashes[0] within the level, a multiple of Width
	hashes []tlog.Hash
}

// push adds one leaf, which it keeps.
func (e *edge) push(leaf []byte) {
	e.leaves = append(e.leaves, leaf)
	e.bytes += int64(len(leaf))
	h := tlog.RecordHash(leaf)
	n := e.size
	e.size++
	for height := 0; ; height++ {
		if height%Height == 0 {
			e.put(height/Height, n, h)
		}
		if n&1 == 0 {
			e.stack = append(e.stack, h)
			return
		}
		last := len(e.stack) - 1
		h = tlog.NodeHash(e.stack[last], h)
		e.stack = e.stack[:last]
		n >>= 1
	}
}

func (e *edge) put(l int, n int64, h tlog.Hash) {
	if l == len(e.levels) {
		e.levels = append(e.levels, level{first: n &^ (Width - 1)})
	}
	e.levels[l].hashes = append(e.levels[l].hashes, h)
}

// root is the root of the tree (RFC 6962, section 2.1).
func (e *edge) root() tlog.Hash {
	if len(e.stack) == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	h := e.stack[len(e.stack)-1]
	for _, left := range slices.Backward(e.stack[:len(e.stack)-1]) {
		h = tlog.NodeHash(left, h)
	}
	return h
}

// mark is a state to which an edge can be taken back.
type mark struct {
	size, bytes int64
	leaves      int
	stack       []tlog.Hash
	levels      []int
}

func (e *edge) mark() mark {
	m := mark{size: e.size, bytes: e.bytes, leaves: len(e.leaves), stack: slices.Clone(e.stack)}
	for _, l := range e.levels {
		m.levels = append(m.levels, len(l.hashes))
	}
	return m
}

// back undoes all that was pushed since the mark.
func (e *edge) back(m mark) {
	e.size, e.bytes, e.stack = m.size, m.bytes, m.stack
	e.leaves = e.leaves[:m.leaves]
	e.levels = e.levels[:len(m.levels)]
	for i, n := range m.levels {
		e.levels[i].hashes = e.levels[i].hashes[:n]
	}
}

// view is the edge as it is now, for reading while leaves are pushed to the original: what is shared is only ever added to.
func (e *edge) view() *edge {
	v := *e
	v.stack = slices.Clone(e.stack)
	v.levels = slices.Clone(e.levels)
	return &v
}

// drop forgets what full tiles of a tree of the given size hold; size is a multiple of Width.
func (e *edge) drop(size int64) {
	if size <= e.first {
		return
	}
	e.leaves = slices.Clone(e.leaves[size-e.first:])
	e.first, e.bytes = size, 0
	for _, leaf := range e.leaves {
		e.bytes += int64(len(leaf))
	}
	for i := range e.levels {
		l := &e.levels[i]
		first := size >> (Height * i) &^ (Width - 1)
		l.hashes = slices.Clone(l.hashes[first-l.first:])
		l.first = first
	}
}

// restore is the inverse of what a tail keeps of an edge: levels[i] has the hashes of the last, unfinished tile at level i+1 of a
// tree of size first.
func restore(first int64, levels [][]tlog.Hash) *edge {
	e := &edge{size: first, first: first}
	if first == 0 {
		return e
	}
	e.levels = append(e.levels, level{first: first})
	for i, hashes := range levels {
		e.levels = append(e.levels, level{first >> (Height * (i + 1)) &^ (Width - 1), hashes})
	}
	for _, l := range slices.Backward(e.levels) {
		at := 0
		for bit := Width / 2; bit > 0; bit /= 2 {
			if len(l.hashes)&bit != 0 {
				e.stack = append(e.stack, subtree(l.hashes[at:at+bit]))
				at += bit
			}
		}
	}
	return e
}

// subtree is the root over 2^n hashes.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// hash returns the hash with the stored index of package tlog, if the edge holds what it is made of.
func (e *edge) hash(index int64) (h tlog.Hash, ok bool, err error) {
	height, n := tlog.SplitStoredHashIndex(index)
	if (n+1)<<height > e.size {
		return tlog.Hash{}, false, fmt.Errorf("hash %d is not in a tree of %d leaves", index, e.size)
	}
	l := e.levels[height/Height]
	from := n<<(height%Height) - l.first
	if from < 0 {
		return tlog.Hash{}, false, nil
	}
	return subtree(l.hashes[from : from+1<<(height%Height)]), true, nil
}

// tile is the content of a tile, which the edge must hold whole; a bundle for level −1.
func (e *edge) tile(t tlog.Tile) []byte {
	var data []byte
	if t.L < 0 {
		for _, leaf := range e.leaves[t.N*Width-e.first:][:t.W] {
			data = appendLeaf(data, leaf)
		}
		return data
	}
	l := e.levels[t.L]
	for _, h := range l.hashes[t.N*Width-l.first:][:t.W] {
		data = append(data, h[:]...)
	}
	return data
}

// full lists the full tiles, bundles among them, that a tree of size has and one of size old had not.
func full(old, size int64) []tlog.Tile {
	var list []tlog.Tile
	for l := -1; l <= maxLevel; l++ {
		shift := Height * (max(l, 0) + 1)
		if shift >= 63 {
			break
		}
		for n := old >> shift; n < size>>shift; n++ {
			list = append(list, tlog.Tile{H: Height, L: l, N: n, W: Width})
		}
	}
	return list
}

// partial lists the unfinished tiles, bundles among them, that a tree of size has.
func partial(size int64) []tlog.Tile {
	var list []tlog.Tile
	for l := -1; l <= maxLevel; l++ {
		n := size >> (Height * max(l, 0))
		if w := int(n % Width); w > 0 {
			list = append(list, tlog.Tile{H: Height, L: l, N: n / Width, W: w})
		}
	}
	return list
}
