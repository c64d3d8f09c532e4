package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// HeaderNonce is the response header in which a caller is given a nonce.
const HeaderNonce = "Scrim-Nonce"

// ErrNonce is the error for a nonce that this process did not give out, or not lately.
var ErrNonce = errors.New("the nonce is not one that was given out here lately")

// Nonces gives out nonces that say by themselves that they are fresh, and keeps none of them. A nonce can be shown more than
// once while it is fresh: whoever needs it once remembers what came with it. It is safe for concurrent use.
//
// A nonce is 32 bytes in base64url: 8 of time, 8 of chance, and 16 of an HMAC with SHA-256 over both, by a key that dies with the process.
type Nonces struct {
	key [32]byte
	now func() time.Time
	age time.Duration
}

const (
	nonceAge = 2 * time.Minute // for which a nonce is fresh, where nothing else is said
	nonceLen = 43              // characters of 32 bytes in base64url
)

// NewNonces returns a source of nonces that are fresh for age; 0 is two minutes. A nil clock is time.Now.
func NewNonces(age time.Duration, clock func() time.Time) *Nonces {
	n := &Nonces{now: clock, age: age}
	if clock == nil {
		n.now = time.Now
	}
	if age == 0 {
		n.age = nonceAge
	}
	_, _ = rand.Read(n.key[:]) // never fails
	return n
}

// New returns a fresh nonce.
func (n *Nonces) New() string {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(n.now().UnixMilli()))
	_, _ = rand.Read(b[8:16]) // never fails
	copy(b[16:], n.sum(b[:16]))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (n *Nonces) sum(b []byte) []byte {
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write(b)
	return mac.Sum(nil)[:16]
}

// Check returns nil for a nonce of this source that is fresh, otherwise [ErrNonce].
func (n *Nonces) Check(nonce string) error {
	if len(nonce) != nonceLen {
		return ErrNonce
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != 32 || !hmac.Equal(n.sum(b[:16]), b[16:]) {
		return ErrNonce
	}
	age := n.now().Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(b))))
	if age < -time.Second || age > n.age { // a clock that was set back makes no nonce last
		return ErrNonce
	}
	return nil
}
