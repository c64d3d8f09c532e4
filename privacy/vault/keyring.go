package vault

import (
	"context"
	"crypto"
	"errors"

	"github.com/scrimhq/scrim/flow"
)

// Wrapper seals the keyring file: a passphrase, or a key management service.
type Wrapper interface {
	Wrap(ctx context.Context, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, sealed []byte) ([]byte, error)
}

// Errors of a keyring.
var (
	ErrLax    = errors.New("keyring file can be read by others")
	ErrUnwrap = errors.New("keyring cannot be unwrapped")
	ErrSealed = errors.New("sealed bytes cannot be opened")
)

// Keyring holds a domain's root keys. Keys leave it only as [AEAD] and [crypto.Signer].
type Keyring struct{}

// OpenKeyring reads the keyring at path, or makes one at first use. Without a wrapper the file's mode (0600) is its only guard.
func OpenKeyring(ctx context.Context, path string, w Wrapper) (*Keyring, error) {
	return &Keyring{}, nil
}

// Passphrase returns a wrapper that derives its key from a passphrase by Argon2id.
func Passphrase(phrase flow.Secret) Wrapper { return nil }

// ID names the keyring. It is random and no secret.
func (k *Keyring) ID() string { return "" }

// Epoch names the epoch that new tokens belong to.
func (k *Keyring) Epoch() string { return "" }

// Rotate begins a new epoch. Earlier ones still open what was sealed in them.
func (k *Keyring) Rotate(ctx context.Context) error { return nil }

// Retire destroys an epoch that is not the present one; its tokens stop resolving.
func (k *Keyring) Retire(ctx context.Context, epoch string) error { return nil }

// Signer returns the Ed25519 key of that name; it stays the same for the life of the keyring.
func (k *Keyring) Signer(name string) crypto.Signer { return nil }

// AEAD returns the authenticated encryption of that name. It opens what any epoch sealed.
func (k *Keyring) AEAD(name string) *AEAD { return &AEAD{} }

// AEAD seals and opens bytes. It is safe for concurrent use.
type AEAD struct{}

// Seal encrypts and authenticates plain, and authenticates ad.
func (a *AEAD) Seal(plain, ad []byte) ([]byte, error) { return nil, ErrSealed }

// Open reverses Seal. It returns [ErrSealed] for anything that Seal with the same ad did not make.
func (a *AEAD) Open(sealed, ad []byte) ([]byte, error) { return nil, ErrSealed }
