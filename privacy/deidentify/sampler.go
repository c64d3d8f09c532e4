package deidentify

import (
	"crypto/rand"
	"encoding/binary"
	"math/big"
	"math/bits"
	"sync"
)

// sampler draws from distributions exactly, with whole numbers alone, after C. Canonne, G. Kamath, T. Steinke, "The Discrete
// Gaussian for Differential Privacy" (2020), algorithms 1 to 3. Its randomness is crypto/rand's.
type sampler struct {
	buf  [256]byte
	left int // bytes of buf not yet used, at its end
}

var samplers = sync.Pool{New: func() any { return &sampler{} }}

func newSampler() *sampler { return samplers.Get().(*sampler) }

// done gives the sampler back, without the bytes that were not used.
func (s *sampler) done() {
	clear(s.buf[:])
	s.left = 0
	samplers.Put(s)
}

func (s *sampler) uint64() uint64 {
	if s.left < 8 {
		_, _ = rand.Read(s.buf[:]) // never fails
		s.left = len(s.buf)
	}
	at := len(s.buf) - s.left
	s.left -= 8
	return binary.LittleEndian.Uint64(s.buf[at:])
}

// below returns a number from 0 to n-1, each as likely.
func (s *sampler) below(n uint64) uint64 {
	over := -n % n
	for {
		if hi, lo := bits.Mul64(s.uint64(), n); lo >= over {
			return hi
		}
	}
}

// bernoulliExp is true with probability exp(-a/b), for a from 0 to b.
func (s *sampler) bernoulliExp(a, b uint64) bool {
	k := uint64(1)
	for s.below(b*k) < a {
		k++
	}
	return k%2 == 1
}

// laplace draws k with probability proportional to exp(-|k|/t).
func (s *sampler) laplace(t int64) int64 {
	for {
		u := s.below(uint64(t))
		if !s.bernoulliExp(u, uint64(t)) {
			continue
		}
		v := int64(0)
		for s.bernoulliExp(1, 1) {
			v++
		}
		x := int64(u) + t*v
		if negative := s.uint64()&1 == 1; !negative {
			return x
		} else if x != 0 {
			return -x
		}
	}
}

// gaussian draws k with probability proportional to exp(-k²/2σ²).
func (s *sampler) gaussian(sigma int64) int64 {
	t := sigma + 1
	square := new(big.Int).Mul(big.NewInt(sigma), big.NewInt(sigma))
	den := new(big.Int).Mul(big.NewInt(t), big.NewInt(t))
	den.Mul(den, square).Lsh(den, 1) // 2σ²t²
	for {
		y := s.laplace(t)
		num := new(big.Int).Mul(big.NewInt(max(y, -y)), big.NewInt(t))
		num.Sub(num, square)
		num.Mul(num, num) // (|y|t - σ²)²
		if s.bernoulliExpBig(num, den) {
			return y
		}
	}
}

// bernoulliExpBig is true with probability exp(-a/b).
func (s *sampler) bernoulliExpBig(a, b *big.Int) bool {
	whole, rest := new(big.Int).QuoRem(a, b, new(big.Int))
	for one := big.NewInt(1); whole.Sign() > 0; whole.Sub(whole, one) {
		if !s.bernoulliExp(1, 1) {
			return false
		}
	}
	k, n := 1, new(big.Int)
	for s.belowBig(n.Mul(b, big.NewInt(int64(k)))).Cmp(rest) < 0 {
		k++
	}
	return k%2 == 1
}

// belowBig returns a number from 0 to n-1, each as likely.
func (s *sampler) belowBig(n *big.Int) *big.Int {
	size := n.BitLen()
	words := make([]big.Word, (size+bits.UintSize-1)/bits.UintSize)
	for {
		for i := range words {
			words[i] = big.Word(s.uint64())
		}
		if extra := len(words)*bits.UintSize - size; extra > 0 {
			words[len(words)-1] >>= extra
		}
		if x := new(big.Int).SetBits(append([]big.Word(nil), words...)); x.Cmp(n) < 0 {
			return x
		}
	}
}
