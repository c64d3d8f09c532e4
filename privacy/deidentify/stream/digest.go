package stream

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// digest stands for a subject, a combination or a sensitive value. Two that collide, which nobody can look for without the key, happen
// with probability n²/2¹²⁹ among n.
type digest [16]byte

// What a digest is of. Digests of different kinds never meet.
const (
	ofSubject byte = iota + 1
	ofSensitive
	ofValues
)

// keyed makes digests under a key of its own.
type keyed struct {
	mac hash.Hash // HMAC-SHA-256
	buf []byte
	sum [sha256.Size]byte
}

func newKeyed() *keyed {
	key := make([]byte, 32)
	rand.Read(key) // never fails: it ends the program instead
	k := &keyed{mac: hmac.New(sha256.New, key)}
	clear(key)
	return k
}

// bytes returns the digest of a text.
func (k *keyed) bytes(kind byte, text []byte) digest {
	k.buf = append(k.buf[:0], kind)
	k.buf = append(k.buf, text...)
	return k.finish()
}

// values returns the digest of values, of which the first is that of the given attribute.
func (k *keyed) values(first int, values []Value) digest {
	k.buf = append(k.buf[:0], ofValues)
	k.buf = binary.AppendUvarint(k.buf, uint64(first))
	for _, v := range values {
		if v.Null {
			k.buf = append(k.buf, 0)
			continue
		}
		k.buf = append(k.buf, 1)
		k.buf = binary.AppendUvarint(k.buf, uint64(len(v.Text)))
		k.buf = append(k.buf, v.Text...)
	}
	return k.finish()
}

func (k *keyed) finish() digest {
	k.mac.Reset()
	k.mac.Write(k.buf)
	k.mac.Sum(k.sum[:0])
	clear(k.buf)
	if cap(k.buf) > 1<<16 {
		k.buf = nil
	}
	return digest(k.sum[:len(digest{})])
}

// Format keeps keys and buffers out of prints.
func (k *keyed) String() string { return "[secret]" }

// GoString does the same for %#v.
func (k *keyed) GoString() string { return "[secret]" }
