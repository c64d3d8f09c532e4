package anonymity

import (
	"fmt"
	"math"
)

// Hierarchy says what each value of an attribute becomes at each level of generalisation. It is immutable.
type Hierarchy struct {
	levels [][]uint32 // code of a value at a level
	up     [][]uint32 // code of a level → code of the next one
	leaves [][]uint32 // how many values a code of a level stands for
}

// NewHierarchy returns a hierarchy from levels[l][v], the code of value v at level l.
//
// Level 0 is the value itself, and there are at most 64. The codes of a level are 0 … n-1, each of them used, and a level is a function of the one before:
// what is one code stays one. Errors wrap [ErrHierarchy].
func NewHierarchy(levels [][]uint32) (*Hierarchy, error) {
	if len(levels) == 0 || len(levels) > maxLevels || len(levels[0]) == 0 || len(levels[0]) > math.MaxInt32 {
		return nil, fmt.Errorf("%w: it has no values, too many, or more than %d levels", ErrHierarchy, maxLevels)
	}
	h := &Hierarchy{}
	values := len(levels[0])
	for l, codes := range levels {
		if len(codes) != values {
			return nil, fmt.Errorf("%w: level %d has %d values, level 0 has %d", ErrHierarchy, l, len(codes), values)
		}
		n := 0
		for v, c := range codes {
			if int(c) >= values || l == 0 && int(c) != v {
				return nil, fmt.Errorf("%w: level %d: value %d has code %d", ErrHierarchy, l, v, c)
			}
			n = max(n, int(c)+1)
		}
		leaves := make([]uint32, n)
		for _, c := range codes {
			leaves[c]++
		}
		for c, many := range leaves {
			if many == 0 {
				return nil, fmt.Errorf("%w: level %d: code %d is not used", ErrHierarchy, l, c)
			}
		}
		h.levels = append(h.levels, append([]uint32(nil), codes...))
		h.leaves = append(h.leaves, leaves)
		if l > 0 {
			up, err := stepUp(levels[l-1], codes, len(h.leaves[l-1]))
			if err != nil {
				return nil, fmt.Errorf("level %d: %w", l, err)
			}
			h.up = append(h.up, up)
		}
	}
	return h, nil
}

// stepUp returns the code above each code of a level with n codes.
func stepUp(below, above []uint32, n int) ([]uint32, error) {
	const unset = math.MaxUint32
	up := make([]uint32, n)
	for i := range up {
		up[i] = unset
	}
	for v, c := range below {
		if up[c] != unset && up[c] != above[v] {
			return nil, fmt.Errorf("%w: code %d of the level before falls apart", ErrHierarchy, c)
		}
		up[c] = above[v]
	}
	return up, nil
}

// Levels returns the number of levels, the values' own included.
func (h *Hierarchy) Levels() int { return len(h.levels) }

// Codes returns the number of codes at a level: at level 0 that of the values.
func (h *Hierarchy) Codes(level int) int { return len(h.leaves[level]) }

// At returns the code of a value at a level.
func (h *Hierarchy) At(level int, value uint32) uint32 { return h.levels[level][value] }

// Up returns the code at the next level of a code of this one.
func (h *Hierarchy) Up(level int, code uint32) uint32 { return h.up[level][code] }

// Leaves returns how many values a code of a level stands for.
func (h *Hierarchy) Leaves(level int, code uint32) int { return int(h.leaves[level][code]) }
