package vault

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"golang.org/x/crypto/argon2"

	"github.com/scrimhq/scrim/flow"
)

// The cost of a guess: about a tenth of a second and 32 MiB on one core of 2026 (RFC 9106; OWASP asks for 19 MiB and 2 passes at least).
const (
	argonPasses  = 4
	argonKiB     = 32 << 10
	argonThreads = 1

	maxArgonPasses = 64
	maxArgonKiB    = 1 << 20
)

const passphraseMagic = "SCP1"

// Passphrase returns a wrapper that derives its key from a passphrase by Argon2id, afresh each time. The phrase should come from a
// generator: four random words at the very least. An empty phrase is refused by Wrap and Unwrap.
//
// Wrapped form: "SCP1", passes (4 bytes, big endian), KiB (4), threads (1), salt (16), then XChaCha20-Poly1305 with
// all before as associated data: nonce (24), ciphertext, tag (16).
func Passphrase(phrase flow.Secret) Wrapper { return passphrase{phrase} }

type passphrase struct{ phrase flow.Secret }

const passphraseHeader = len(passphraseMagic) + 4 + 4 + 1 + 16

var errPassphrase = errors.New("passphrase does not open it")

func (p passphrase) Wrap(_ context.Context, plain []byte) ([]byte, error) {
	if p.phrase.IsZero() {
		return nil, errors.New("passphrase is empty")
	}
	header := append([]byte(passphraseMagic), make([]byte, passphraseHeader-len(passphraseMagic))...)
	binary.BigEndian.PutUint32(header[4:], argonPasses)
	binary.BigEndian.PutUint32(header[8:], argonKiB)
	header[12] = argonThreads
	_, _ = rand.Read(header[13:]) // never fails
	c, err := p.cipher(header)
	if err != nil {
		return nil, err
	}
	box, err := c.Encrypt(plain, header)
	return append(header, box...), err
}

func (p passphrase) Unwrap(_ context.Context, sealed []byte) ([]byte, error) {
	if len(sealed) < passphraseHeader || string(sealed[:4]) != passphraseMagic || p.phrase.IsZero() {
		return nil, errPassphrase
	}
	header := sealed[:passphraseHeader]
	c, err := p.cipher(header)
	if err != nil {
		return nil, err
	}
	plain, err := c.Decrypt(sealed[passphraseHeader:], header)
	if err != nil {
		return nil, errPassphrase
	}
	return plain, nil
}

func (p passphrase) cipher(header []byte) (*subtle.XChaCha20Poly1305, error) {
	passes, kib, threads := binary.BigEndian.Uint32(header[4:]), binary.BigEndian.Uint32(header[8:]), header[12]
	if passes == 0 || passes > maxArgonPasses || kib == 0 || kib > maxArgonKiB || threads == 0 {
		return nil, errPassphrase // a changed file must not cost us all memory
	}
	key := argon2.IDKey([]byte(p.phrase.Expose()), header[13:passphraseHeader], passes, kib, threads, 32)
	return subtle.NewXChaCha20Poly1305(key)
}
