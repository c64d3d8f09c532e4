package vault

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/scrimhq/scrim/privacy/deidentify/ff1"
)

// keyed derives a key of a technique from the present epoch's root: what it made dies with the epoch, as far as it could be opened or made again.
func (k *Keyring) keyed(kind string, size int, name string, scope []string) ([]byte, error) {
	key, err := k.forEpoch(k.primary(), size, append([]string{kind, name}, scope...)...)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of %s: %w", name, err)
	}
	return key, nil
}

// FF1 returns the format-preserving encryption of that name and scope in the present epoch: AES-256. Values of two scopes are not
// joinable; the recipient belongs into the scope. It returns an error that wraps [ff1.ErrKey] for a radix that FF1 does not take.
func (k *Keyring) FF1(radix int, name string, scope ...string) (*ff1.Cipher, error) {
	key, err := k.keyed("scrim ff1 1", 32, name, scope)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the cipher of %s: %w", name, err)
	}
	return ff1.New(block, radix, info(append([]string{"scrim ff1 1", name}, scope...)...))
}

// MAC is a keyed one-way function: HMAC-SHA256. It is safe for concurrent use.
type MAC struct {
	opaque
	pool sync.Pool
}

type macRoom struct {
	hash.Hash
	sum [sha256.Size]byte
}

func newMAC(key []byte) *MAC {
	return &MAC{pool: sync.Pool{New: func() any { return &macRoom{Hash: hmac.New(sha256.New, key)} }}}
}

// MAC returns the one-way function of that name and scope in the present epoch. The recipient belongs into the scope.
func (k *Keyring) MAC(name string, scope ...string) (*MAC, error) {
	key, err := k.keyed("scrim mac 1", 32, name, scope)
	if err != nil {
		return nil, err
	}
	return newMAC(key), nil
}

// MAC appends the 32 bytes of the message's code.
func (m *MAC) MAC(dst, message []byte) []byte {
	r := m.pool.Get().(*macRoom)
	defer m.pool.Put(r)
	r.Reset()
	r.Write(message)
	return append(dst, r.Sum(r.sum[:0])...)
}

// PRF is a keyed function to numbers, from which nobody without the key can tell anything of the message. It is safe for concurrent use.
type PRF struct{ mac MAC }

// Format implements [fmt.Formatter].
func (*PRF) Format(f fmt.State, v rune) { opaque{}.Format(f, v) }

// PRF returns the function of that name and scope in the present epoch. The recipient belongs into the scope.
func (k *Keyring) PRF(name string, scope ...string) (*PRF, error) {
	key, err := k.keyed("scrim prf 1", 32, name, scope)
	if err != nil {
		return nil, err
	}
	return newPRF(key), nil
}

func newPRF(key []byte) *PRF {
	return &PRF{mac: MAC{pool: sync.Pool{New: func() any { return &macRoom{Hash: hmac.New(sha256.New, key)} }}}}
}

// Uint64 returns the number of the message.
func (p *PRF) Uint64(message []byte) uint64 {
	r := p.mac.pool.Get().(*macRoom)
	defer p.mac.pool.Put(r)
	r.Reset()
	r.Write(message)
	return binary.BigEndian.Uint64(r.Sum(r.sum[:0]))
}
