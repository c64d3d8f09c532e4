package tile

import (
	"encoding/binary"
	"fmt"
)

// appendLeaf adds a leaf as bundles have it: two bytes of length, then the leaf.
func appendLeaf(to, leaf []byte) []byte {
	to = binary.BigEndian.AppendUint16(to, uint16(len(leaf)))
	return append(to, leaf...)
}

// nextLeaf is the inverse of appendLeaf; leaf and rest are parts of b.
func nextLeaf(b []byte) (leaf, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// SplitBundle returns the entries of a bundle, which must be exactly want, or an [ErrTile]. They are parts of the bundle.
func SplitBundle(bundle []byte, want int) ([][]byte, error) {
	if want < 1 || want > Width {
		return nil, fmt.Errorf("%w: no bundle has %d entries", ErrTile, want)
	}
	entries := make([][]byte, 0, want)
	for len(bundle) > 0 && len(entries) < want {
		leaf, rest, ok := nextLeaf(bundle)
		if !ok {
			return nil, fmt.Errorf("%w: the bundle ends within entry %d", ErrTile, len(entries))
		}
		entries, bundle = append(entries, leaf), rest
	}
	if len(entries) != want || len(bundle) > 0 {
		return nil, fmt.Errorf("%w: the bundle has not %d entries", ErrTile, want)
	}
	return entries, nil
}

// firstEntries cuts a bundle after want entries.
func firstEntries(bundle []byte, want int) ([]byte, error) {
	rest := bundle
	for i := range want {
		var ok bool
		if _, rest, ok = nextLeaf(rest); !ok {
			return nil, fmt.Errorf("%w: the bundle ends within entry %d", ErrTile, i)
		}
	}
	return bundle[:len(bundle)-len(rest)], nil
}
