package noise

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"math/bits"
	"sync"
)

// Source gives random bits out of a buffer that is filled from crypto/rand. Words are erased once they are given, so that
// memory read later does not tell noise drawn earlier. Each word is given once, however many goroutines ask: a word given twice would be the same
// noise on two answers. They wait for each other; where that matters make a source for each with [NewSource].
type Source struct {
	mu    sync.Mutex // guards the rest, and lets go vet refuse copies, which would give the same words again
	left  int        // words not given yet: none in the zero value, which has no randomness
	words [sourceWords]uint64
	coins uint64 // unused coin flips, above them a 1 as sentinel
	raw   [8 * sourceWords]byte
	from  io.Reader
}

const sourceWords = 128

// NewSource returns a source of the operating system's randomness.
func NewSource() *Source { return &Source{from: rand.Reader} }

// SourceFrom returns a source that reads r: for known-answer tests and nothing else. TestOnlyTestsChooseRandomness
// holds that no program does. Words are big-endian, 128 at a time; it panics where r ends.
func SourceFrom(r io.Reader) *Source { return &Source{from: r} }

// Uint64 returns 64 random bits.
func (s *Source) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next()
}

// next is the next word; mu is held.
func (s *Source) next() uint64 {
	if s.left == 0 {
		s.fill()
	}
	i := (sourceWords - s.left) % sourceWords
	v := s.words[i]
	s.words[i] = 0
	s.left--
	return v
}

func (s *Source) fill() {
	if s.from == nil {
		panic("noise: a Source that was not made by NewSource has no randomness")
	}
	if _, err := io.ReadFull(s.from, s.raw[:]); err != nil {
		panic("noise: the source of randomness ended")
	}
	for i := range s.words {
		s.words[i] = binary.BigEndian.Uint64(s.raw[8*i:])
	}
	clear(s.raw[:])
	s.left = sourceWords
}

// Coin returns 0 or 1 with probability ½ each.
func (s *Source) Coin() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.coin()
}

func (s *Source) coin() uint64 {
	if s.coins <= 1 {
		v := s.next()
		s.coins = v>>1 | 1<<63
		return v & 1
	}
	c := s.coins & 1
	s.coins >>= 1
	return c
}

// Below returns a uniform integer in [0, n) exactly (Lemire 2019, algorithm 5): a product in 128 bits, rejected while its low half falls into the
// 2^64 mod n values that would favour some results. It panics if n is 0.
func (s *Source) Below(n uint64) uint64 {
	if n == 0 {
		panic("noise: no integer is below 0")
	}
	hi, lo := bits.Mul64(s.Uint64(), n)
	if lo < n {
		for floor := -n % n; lo < floor; {
			hi, lo = bits.Mul64(s.Uint64(), n)
		}
	}
	return hi
}
