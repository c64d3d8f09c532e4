package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// Carrying returns a set that knows of some fields, by name, which labels reached them beside their own: because of the data that they were
// made of. Such a field shows what policies and tier allow of its own label and of each of these, all of them together, so that a label more never
// reveals more. Its hash is another one. What fields were said to carry before is forgotten, and without any the set is s.
func (s *Set) Carrying(labels map[string][]flow.Label) *Set {
	bare := *s
	if s.bare != nil {
		bare = *s.bare
	}
	carried := map[string][]flow.Label{}
	h := sha256.New()
	h.Write([]byte(bare.hash))
	for _, field := range slices.Sorted(maps.Keys(labels)) {
		f, known := bare.snap.fields[field]
		if !known {
			continue
		}
		for _, l := range slices.Sorted(slices.Values(labels[field])) {
			if l != f.Label && l != "" && !slices.Contains(carried[field], l) {
				carried[field] = append(carried[field], l)
				h.Write([]byte("\n" + field + "\x00" + string(l)))
			}
		}
	}
	if len(carried) == 0 {
		return &bare
	}
	out := bare
	out.bare, out.carried, out.hash = &bare, carried, hex.EncodeToString(h.Sum(nil))
	if bare.cache != nil {
		out.cache = newCache(bare.cache.most * cacheShards)
	}
	return &out
}

// meetCarried holds what was judged of a field to the labels that reached it.
func (s *Set) meetCarried(out verdict, x *index, v *view, q *Query, leaf flow.Leaf) verdict {
	for _, l := range s.reached(leaf.Field) {
		if l != leaf.Label {
			leaf := leaf
			leaf.Label = l
			out = out.meet(s.judge(x, v, q, leaf, s.snap.class(l)))
		}
	}
	return out
}
