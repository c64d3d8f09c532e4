package continual

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// ErrSealed is returned when what is stored cannot be opened: it was altered, belongs elsewhere or was sealed with another key.
var ErrSealed = errors.New("stored state of the stream cannot be opened")

// place is bound to what is sealed, so that no row can stand in for another.
func place(kind string, instance []byte, step int64) []byte {
	b := append([]byte("scrim continual 1 "+kind+" "), instance...)
	return binary.BigEndian.AppendUint64(b, uint64(step))
}

// Sealer keeps what is stored from whoever can read the database. An AEAD of privacy/vault is one, and [AEAD] makes one.
type Sealer interface {
	// Seal encrypts and authenticates plain, bound to associated data.
	Seal(plain, associated []byte) ([]byte, error)
	// Open returns what was sealed with the same associated data.
	Open(sealed, associated []byte) ([]byte, error)
}

// AEAD returns a sealer by a, which puts a random nonce of the size that a asks for before what it seals.
func AEAD(a cipher.AEAD) Sealer { return sealer{a} }

type sealer struct{ aead cipher.AEAD }

// Seal implements [Sealer].
func (s sealer) Seal(plain, associated []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plain, associated), nil
}

// Open implements [Sealer].
func (s sealer) Open(sealed, associated []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, ErrSealed
	}
	return s.aead.Open(nil, sealed[:n], sealed[n:], associated)
}

// String says what it is and not what it holds.
func (sealer) String() string { return "[secret]" }

// open returns what was sealed for a place, or [ErrSealed], which does not say why.
func open(s Sealer, where, sealed []byte) ([]byte, error) {
	plain, err := s.Open(sealed, where)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

const (
	headVersion = 1
	digestSize  = 32
)

// head is the state after a step, but for the noise of the steps before it, with the digest of the step's values.
func (s *state) head(digest [digestSize]byte) []byte {
	b := make([]byte, 0, 1+digestSize+12+s.keys*(32+16*len(s.nodes)/s.keys+16))
	b = append(b, headVersion)
	b = append(b, digest[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.e.number))
	b = binary.BigEndian.AppendUint64(b, uint64(s.t))
	for k := range s.keys {
		b = binary.BigEndian.AppendUint64(b, uint64(s.released[k]))
		b = binary.BigEndian.AppendUint64(b, uint64(s.base[k]))
		b = s.sums[k].append(b)
		for rest := s.t; rest > 0 && s.e.c == nil; rest &= rest - 1 {
			b = s.nodes[bits.TrailingZeros(uint(rest))*s.keys+k].append(b)
		}
		if s.e.c != nil {
			b = s.noise[k].append(b)
		}
	}
	return b
}

// trail is what later steps and windows need of a step: what was released, and w.
func (s *state) trail() []byte {
	b := make([]byte, 0, 16*s.keys)
	for k := range s.keys {
		b = binary.BigEndian.AppendUint64(b, uint64(s.released[k]))
		if band := len(s.e.c); band > 0 {
			b = binary.BigEndian.AppendUint64(b, uint64(s.recent[k*band+s.t%band]))
		}
	}
	return b
}

// readHead returns the state whose head this is; epochOf derives the n-th.
func readHead(b []byte, keys int, epochOf func(int) (*epoch, error)) (*state, [digestSize]byte, error) {
	var digest [digestSize]byte
	if len(b) < 1+digestSize+12 || b[0] != headVersion {
		return nil, digest, fmt.Errorf("%w: it is of another version", ErrSealed)
	}
	copy(digest[:], b[1:])
	b = b[1+digestSize:]
	e, err := epochOf(int(binary.BigEndian.Uint32(b)))
	if err != nil {
		return nil, digest, err
	}
	s := newState(e, keys, make([]int64, keys))
	s.t = int(binary.BigEndian.Uint64(b[4:]))
	b = b[12:]
	each := 48
	if e.c == nil {
		each = 32 + 16*bits.OnesCount(uint(s.t))
	}
	if len(b) != keys*each || s.t < 1 || s.t > e.steps {
		return nil, digest, fmt.Errorf("%w: it is not of these parameters", ErrSealed)
	}
	for k := range keys {
		s.released[k] = int64(binary.BigEndian.Uint64(b))
		s.base[k] = int64(binary.BigEndian.Uint64(b[8:]))
		s.sums[k] = readWide(b[16:])
		b = b[32:]
		for rest := s.t; rest > 0 && e.c == nil; rest &= rest - 1 {
			s.nodes[bits.TrailingZeros(uint(rest))*keys+k] = readWide(b)
			b = b[16:]
		}
		if e.c != nil {
			s.noise[k] = readWide(b)
			b = b[16:]
		}
	}
	return s, digest, nil
}

// follow puts back the noise of an earlier step of the epoch, the t-th.
func (s *state) follow(b []byte, t int) error {
	if len(b) != 16*s.keys {
		return ErrSealed
	}
	band := len(s.e.c)
	for k := range s.keys {
		s.recent[k*band+t%band] = int64(binary.BigEndian.Uint64(b[16*k+8:]))
	}
	return nil
}

// readTrail returns what was released.
func readTrail(b []byte, keys int) ([]int64, error) {
	if len(b) != 8*keys && len(b) != 16*keys {
		return nil, ErrSealed
	}
	each := len(b) / keys
	r := make([]int64, keys)
	for k := range r {
		r[k] = int64(binary.BigEndian.Uint64(b[k*each:]))
	}
	return r, nil
}
