package relation

import (
	"encoding/binary"
	"math/bits"
)

// The order in which groups and rows of a unit are chosen: SipHash-2-4 (Aumasson and Bernstein 2012, "SipHash: a fast short-input PRF") of two
// hashes, of the unit and of the group, under the first 16 bytes of the seed. That noise covers an answer does not hang on the hash: any
// function of the unit's own rows will do. That no row is preferred does.

// Encode appends values so that different ones, NULL among them, are different bytes.
func Encode(to []byte, values ...Value) []byte {
	for _, v := range values {
		switch {
		case v.Null:
			to = append(to, 0)
		case v.Kind == Text:
			to = append(to, 2)
			to = binary.BigEndian.AppendUint64(to, uint64(len(v.Text)))
			to = append(to, v.Text...)
		default:
			to = append(to, 1)
			to = binary.BigEndian.AppendUint64(to, uint64(v.Int))
		}
	}
	return to
}

// Hash is SipHash-2-4 of bytes, such as [Encode] makes of a unit or a group.
func (s *Seed) Hash(b []byte) uint64 {
	h := newSip(s)
	n := len(b)
	for ; len(b) >= 8; b = b[8:] {
		h.word(binary.LittleEndian.Uint64(b))
	}
	last := uint64(n) << 56
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	h.word(last)
	return h.sum()
}

// RankGroup orders the groups of a unit; the least count. Those of equal rank, which do not occur in practice, are ordered by [Encode].
func (s *Seed) RankGroup(unit, group uint64) uint64 {
	h := newSip(s)
	h.word(unit)
	h.word(group)
	h.word(16 << 56)
	return h.sum()
}

// RankBin orders what a unit has in the cells of one group; the least count. Those of equal rank are ordered by cell and number.
func (s *Seed) RankBin(unit, group uint64, cell int, number int64) uint64 {
	h := newSip(s)
	h.word(unit)
	h.word(group)
	h.word(uint64(cell))
	h.word(uint64(number))
	h.word(32 << 56)
	return h.sum()
}

type sip struct{ v0, v1, v2, v3 uint64 }

func newSip(s *Seed) sip {
	k0, k1 := binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:16])
	return sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (h *sip) round() {
	h.v0 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 13) ^ h.v0
	h.v0 = bits.RotateLeft64(h.v0, 32)
	h.v2 += h.v3
	h.v3 = bits.RotateLeft64(h.v3, 16) ^ h.v2
	h.v0 += h.v3
	h.v3 = bits.RotateLeft64(h.v3, 21) ^ h.v0
	h.v2 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 17) ^ h.v2
	h.v2 = bits.RotateLeft64(h.v2, 32)
}

func (h *sip) word(m uint64) {
	h.v3 ^= m
	h.round()
	h.round()
	h.v0 ^= m
}

func (h *sip) sum() uint64 {
	h.v2 ^= 0xff
	h.round()
	h.round()
	h.round()
	h.round()
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3
}
