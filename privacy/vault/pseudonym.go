package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// Deterministic is authenticated encryption that gives equal bytes for equal bytes: AES-SIV (RFC 5297) under a key that
// outlives epochs, so that what was given out before a rotation opens after it. It is for identifiers, which must be
// recognised; whoever holds two sealed strings of one scope can tell whether they are of one. It is safe for concurrent use.
type Deterministic struct {
	opaque
	siv *subtle.AESSIV
}

// Deterministic returns the encryption of that name and scope. What one scope sealed, another does not open.
func (k *Keyring) Deterministic(name string, scope ...string) *Deterministic {
	siv, err := subtle.NewAESSIV(k.forever(64, append([]string{"scrim deterministic 1", name}, scope...)...))
	if err != nil {
		panic("vault: key size: " + err.Error())
	}
	return &Deterministic{siv: siv}
}

// Seal encrypts and authenticates plain, and authenticates ad. The result is 16 bytes longer: the synthetic IV, then the ciphertext.
func (d *Deterministic) Seal(plain, ad []byte) ([]byte, error) {
	out, err := d.siv.EncryptDeterministically(plain, ad)
	if err != nil {
		return nil, fmt.Errorf("sealing deterministically: %w", err)
	}
	return out, nil
}

// Open reverses Seal. It returns [ErrSealed] for anything that Seal with the same ad did not make.
func (d *Deterministic) Open(sealed, ad []byte) ([]byte, error) {
	plain, err := d.siv.DecryptDeterministically(sealed, ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// Permutation is a keyed permutation of 16-byte blocks: AES-256 under a key that outlives epochs. It hides and gives back
// random identifiers without making them longer; it authenticates nothing. It is safe for concurrent use.
type Permutation struct {
	opaque
	block cipher.Block
}

// Permutation returns the permutation of that name and scope.
func (k *Keyring) Permutation(name string, scope ...string) *Permutation {
	block, err := aes.NewCipher(k.forever(32, append([]string{"scrim permutation 1", name}, scope...)...))
	if err != nil {
		panic("vault: key size: " + err.Error())
	}
	return &Permutation{block: block}
}

// Forward permutes the block in place.
func (p *Permutation) Forward(b *[16]byte) { p.block.Encrypt(b[:], b[:]) }

// Backward reverses Forward.
func (p *Permutation) Backward(b *[16]byte) { p.block.Decrypt(b[:], b[:]) }
