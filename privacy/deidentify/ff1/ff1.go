// Package ff1 encrypts a string of numerals to another of the same length over the same alphabet: FF1 of NIST SP 800-38G,
// with the bounds of its revision 1 (a domain of at least a million).
//
// It hides a value and nothing else: equal values have equal ciphertexts under one key and tweak, and length and alphabet show.
// It authenticates nothing, so that every string of the right length decrypts to something. FF3 and FF3-1, its siblings, are not here: the second
// draft of revision 1 (2025) withdraws them, after attacks that recover messages of small domains.
package ff1

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"sync"
)

// Bounds of a string.
const (
	MinDomain = 1_000_000 // strings that there must be of its length
	MaxLen    = 4096      // numerals
	maxTweak  = 1 << 16
	rounds    = 10
)

// Errors of a cipher. None holds a numeral.
var (
	ErrLength  = errors.New("string is too short for format-preserving encryption, or too long")
	ErrNumeral = errors.New("numeral is not below the radix")
	ErrKey     = errors.New("radix, block size or tweak is not one that FF1 takes")
)

// Cipher encrypts under one key, radix and tweak. It is safe for concurrent use.
type Cipher struct {
	block cipher.Block
	radix uint64
	tweak []byte
	least int // numerals
	big   *big.Int
	rooms sync.Pool
}

// New returns FF1 over an AES of any key size, with a radix from 2 to 65,536. It returns [ErrKey] for anything else.
func New(block cipher.Block, radix int, tweak []byte) (*Cipher, error) {
	if block.BlockSize() != 16 || radix < 2 || radix > 1<<16 || len(tweak) > maxTweak {
		return nil, ErrKey
	}
	c := &Cipher{block: block, radix: uint64(radix), tweak: append([]byte(nil), tweak...), big: big.NewInt(int64(radix))}
	domain := uint64(1)
	for domain < MinDomain || c.least < 2 {
		domain *= uint64(radix)
		c.least++
	}
	c.rooms.New = func() any { return new(room) }
	return c, nil
}

// Format implements [fmt.Formatter]: a cipher prints as [secret].
func (*Cipher) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// Radix is the size of the alphabet.
func (c *Cipher) Radix() int { return int(c.radix) }

// MinLen is how many numerals a string has at least.
func (c *Cipher) MinLen() int { return c.least }

// Encrypt permutes the strings of x's length, in place. It returns [ErrLength] or [ErrNumeral], and then x is as it was.
func (c *Cipher) Encrypt(x []uint16) error { return c.run(x, true) }

// Decrypt reverses Encrypt, with the same errors.
func (c *Cipher) Decrypt(x []uint16) error { return c.run(x, false) }

func (c *Cipher) run(x []uint16, forward bool) error {
	if len(x) < c.least || len(x) > MaxLen {
		return ErrLength
	}
	for _, n := range x {
		if uint64(n) >= c.radix {
			return ErrNumeral
		}
	}
	r := c.rooms.Get().(*room)
	defer c.rooms.Put(r)
	u := len(x) / 2
	v := len(x) - u
	if w, ok := c.power(v); ok {
		c.short(x, r, u, w, forward)
	} else {
		c.long(x, r, u, forward)
	}
	return nil
}

// power returns radix^m, and false from 2⁶³ on.
func (c *Cipher) power(m int) (uint64, bool) {
	p := uint64(1)
	for range m {
		hi, lo := bits.Mul64(p, c.radix)
		if hi != 0 || lo > 1<<63-1 {
			return 0, false
		}
		p = lo
	}
	return p, true
}

// room is what one run needs; it is kept, since what a [cipher.Block] is handed would be allocated each time.
type room struct {
	p, y, s [16]byte
	q       []byte
}

// begin writes P, and Q without round and number, and returns where the number's b bytes begin.
func (c *Cipher) begin(r *room, u, n, b int) int {
	r.p = [16]byte{1, 2, 1, byte(c.radix >> 16), byte(c.radix >> 8), byte(c.radix), rounds, byte(u)}
	binary.BigEndian.PutUint32(r.p[8:], uint32(n))
	binary.BigEndian.PutUint32(r.p[12:], uint32(len(c.tweak)))
	c.block.Encrypt(r.p[:], r.p[:])
	size := (len(c.tweak) + 1 + b + 15) / 16 * 16
	if cap(r.q) < size {
		r.q = make([]byte, size)
	}
	r.q = r.q[:size]
	clear(r.q[copy(r.q, c.tweak):])
	return size - b
}

// mac is the CBC-MAC of P and Q, in r.y.
func (c *Cipher) mac(r *room) {
	r.y = r.p
	for q := r.q; len(q) > 0; q = q[16:] {
		lo := binary.LittleEndian.Uint64(r.y[:]) ^ binary.LittleEndian.Uint64(q)
		hi := binary.LittleEndian.Uint64(r.y[8:]) ^ binary.LittleEndian.Uint64(q[8:])
		binary.LittleEndian.PutUint64(r.y[:], lo)
		binary.LittleEndian.PutUint64(r.y[8:], hi)
		c.block.Encrypt(r.y[:], r.y[:])
	}
}

// short is FF1 where a half fits 64 bits; w is radix^v.
func (c *Cipher) short(x []uint16, r *room, u int, w uint64, forward bool) {
	b := (bits.Len64(w-1) + 7) / 8
	at := c.begin(r, u, len(x), b)
	d := (b+3)/4*4 + 4 // at most 12 bytes of y are used
	small := w
	if 2*u < len(x) {
		small /= c.radix // radix^u
	}
	left, right := c.number(x[:u]), c.number(x[u:])
	for i := range rounds {
		if !forward {
			i = rounds - 1 - i
		}
		m := small
		if i%2 == 1 {
			m = w
		}
		r.q[at-1] = byte(i)
		seen := right
		if !forward {
			seen = left
		}
		for j := len(r.q) - 1; j >= at; j-- {
			r.q[j] = byte(seen)
			seen >>= 8
		}
		c.mac(r)
		y := remainder(r.y[:d], m)
		if forward {
			sum := left + y // both below m, which is below 2⁶³
			if sum >= m {
				sum -= m
			}
			left, right = right, sum
		} else {
			if right < y {
				right += m
			}
			left, right = right-y, left
		}
	}
	c.digits(x[:u], left)
	c.digits(x[u:], right)
}

// remainder returns the big-endian number of 8 or 12 bytes modulo m.
func remainder(y []byte, m uint64) uint64 {
	var hi uint64
	lo := binary.BigEndian.Uint64(y[len(y)-8:])
	if len(y) > 8 {
		hi = uint64(binary.BigEndian.Uint32(y))
	}
	_, rem := bits.Div64(hi%m, lo, m)
	return rem
}

func (c *Cipher) number(x []uint16) uint64 {
	n := uint64(0)
	for _, d := range x {
		n = n*c.radix + uint64(d)
	}
	return n
}

func (c *Cipher) digits(x []uint16, n uint64) {
	for i := len(x) - 1; i >= 0; i-- {
		x[i] = uint16(n % c.radix)
		n /= c.radix
	}
}

// long is FF1 for halves of any size.
func (c *Cipher) long(x []uint16, r *room, u int, forward bool) {
	v := len(x) - u
	small := new(big.Int).Exp(c.big, big.NewInt(int64(u)), nil)
	w := small
	if v != u {
		w = new(big.Int).Mul(small, c.big)
	}
	b := (new(big.Int).Sub(w, big.NewInt(1)).BitLen() + 7) / 8
	at := c.begin(r, u, len(x), b)
	d := (b+3)/4*4 + 4
	left, right, y := c.bigNumber(x[:u]), c.bigNumber(x[u:]), new(big.Int)
	stream := make([]byte, (d+15)/16*16)
	for i := range rounds {
		if !forward {
			i = rounds - 1 - i
		}
		m := small
		if i%2 == 1 {
			m = w
		}
		seen := right
		if !forward {
			seen = left
		}
		r.q[at-1] = byte(i)
		seen.FillBytes(r.q[at:])
		c.mac(r)
		copy(stream, r.y[:])
		for j := 1; 16*j < d; j++ {
			r.s = r.y
			binary.BigEndian.PutUint64(r.s[8:], binary.BigEndian.Uint64(r.s[8:])^uint64(j))
			c.block.Encrypt(r.s[:], r.s[:])
			copy(stream[16*j:], r.s[:])
		}
		y.SetBytes(stream[:d])
		if forward {
			left, right = right, left.Mod(left.Add(left, y), m)
		} else {
			left, right = right.Mod(right.Sub(right, y), m), left
		}
	}
	c.bigDigits(x[:u], left)
	c.bigDigits(x[u:], right)
}

func (c *Cipher) bigNumber(x []uint16) *big.Int {
	n, d := new(big.Int), new(big.Int)
	for _, digit := range x {
		n.Mul(n, c.big)
		n.Add(n, d.SetUint64(uint64(digit)))
	}
	return n
}

func (c *Cipher) bigDigits(x []uint16, n *big.Int) {
	d := new(big.Int)
	for i := len(x) - 1; i >= 0; i-- {
		n.QuoRem(n, c.big, d)
		x[i] = uint16(d.Uint64())
	}
}
