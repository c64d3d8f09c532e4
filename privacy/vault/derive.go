package vault

import (
	"crypto"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"golang.org/x/crypto/chacha20poly1305"
)

// opaque makes what embeds it print as [secret].
type opaque struct{}

// Format implements [fmt.Formatter].
func (opaque) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue implements [slog.LogValuer].
func (opaque) LogValue() slog.Value { return slog.StringValue("[secret]") }

// info encodes the parts of a key's purpose so that no two lists of parts have one encoding: each with its length before it.
func info(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// forEpoch derives a key from an epoch's root, and returns [ErrEpoch] if the epoch was retired.
func (k *Keyring) forEpoch(epoch uint32, size int, parts ...string) ([]byte, error) {
	k.mu.RLock()
	root, ok := k.epochs.PRFs[epoch]
	k.mu.RUnlock()
	if !ok {
		return nil, ErrEpoch
	}
	return root.ComputePRF(info(parts...), uint32(size))
}

func (k *Keyring) has(epoch uint32) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.epochs.PRFs[epoch]
	return ok
}

// forever derives a key that outlives epochs.
func (k *Keyring) forever(size int, parts ...string) []byte {
	key, err := k.identity.ComputePRF(info(parts...), uint32(size))
	if err != nil { // only a size beyond HKDF's limit
		panic("vault: key size: " + err.Error())
	}
	return key
}

// fromSecret derives a key from a subject's or a task's own key.
func fromSecret(secret []byte, size int, parts ...string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, string(info(parts...)), size)
	if err != nil {
		panic("vault: key size: " + err.Error())
	}
	return key
}

// newSecret returns a key of 32 bytes from crypto/rand.
func newSecret() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}

type signer struct {
	opaque
	key ed25519.PrivateKey
}

// Public implements [crypto.Signer].
func (s signer) Public() crypto.PublicKey { return s.key.Public() }

// Sign implements [crypto.Signer].
func (s signer) Sign(r io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(r, message, opts)
}

// Signer returns the Ed25519 key of that name; it stays the same for the life of the keyring.
func (k *Keyring) Signer(name string) crypto.Signer {
	return signer{key: ed25519.NewKeyFromSeed(k.forever(ed25519.SeedSize, "scrim signer 1", name))}
}

// Seed returns the key of that name for a keyed hash that nobody else computes; it stays the same for the life of the keyring.
func (k *Keyring) Seed(name string) [32]byte { return [32]byte(k.forever(32, "scrim seed 1", name)) }

// AEAD returns the authenticated encryption of that name. What one name sealed, another does not open.
func (k *Keyring) AEAD(name string) *AEAD { return &AEAD{keyring: k, name: name} }

// AEAD seals and opens bytes: XChaCha20-Poly1305 under a key of the present epoch, with random nonces. It opens what any epoch sealed.
// It is safe for concurrent use.
type AEAD struct {
	opaque
	keyring *Keyring
	name    string
	ciphers sync.Map // epoch → *subtle.XChaCha20Poly1305
}

const sealedVersion = 1

// Seal encrypts and authenticates plain, and authenticates ad. The result is 45 bytes longer:
// version 1, epoch (4 bytes, big endian), nonce (24), ciphertext, tag (16).
func (a *AEAD) Seal(plain, ad []byte) ([]byte, error) {
	epoch := a.keyring.primary()
	c, err := a.cipher(epoch)
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", a.name, err)
	}
	const nonce = chacha20poly1305.NonceSizeX
	out := make([]byte, 5+nonce, 5+nonce+len(plain)+c.Overhead())
	out[0] = sealedVersion
	binary.BigEndian.PutUint32(out[1:], epoch)
	_, _ = rand.Read(out[5:]) // never fails
	return c.Seal(out, out[5:], plain, ad), nil
}

// Open reverses Seal. It returns [ErrSealed] for anything that Seal with the same ad did not make, and for what a retired epoch sealed.
func (a *AEAD) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < 5 || sealed[0] != sealedVersion {
		return nil, ErrSealed
	}
	epoch := binary.BigEndian.Uint32(sealed[1:])
	c, err := a.cipher(epoch)
	if err != nil {
		return nil, ErrSealed
	}
	const head = 5 + chacha20poly1305.NonceSizeX
	if len(sealed) < head {
		return nil, ErrSealed
	}
	plain, err := c.Open(nil, sealed[5:head], sealed[head:], ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func (a *AEAD) cipher(epoch uint32) (cipher.AEAD, error) {
	if c, ok := a.ciphers.Load(epoch); ok && a.keyring.has(epoch) { // it may have been retired
		return c.(cipher.AEAD), nil
	}
	key, err := a.keyring.forEpoch(epoch, 32, "scrim aead 1", a.name)
	if err != nil {
		a.ciphers.Delete(epoch)
		return nil, err
	}
	c, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	a.ciphers.Store(epoch, c)
	return c, nil
}

// secretCipher is the AEAD of one subject's or task's own key.
func secretCipher(secret []byte, parts ...string) *subtle.XChaCha20Poly1305 {
	c, err := subtle.NewXChaCha20Poly1305(fromSecret(secret, 32, parts...))
	if err != nil {
		panic("vault: key size: " + err.Error())
	}
	return c
}
