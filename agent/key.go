package agent

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/policy/capability"
)

// ErrKey is wrapped by the errors of [LoadKey].
var ErrKey = errors.New("not a private key of an agent")

// Key is the private key of one agent at one task: the holder key of its capabilities. It prints as [secret]. An agent
// that hands work on has the other agent make a key of its own; a key is never shared.
type Key struct {
	private ed25519.PrivateKey
}

// NewKey makes a key of 256 random bits.
func NewKey() *Key {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return &Key{private}
}

// LoadKey reads a key that [Key.Save] wrote, or any Ed25519 key in PKCS #8, PEM. A file that others than its owner may
// read is refused. The error does not repeat what is in the file.
func LoadKey(name string) (*Key, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !private(info) {
		return nil, fmt.Errorf("%w: others may read %s; close it to them (chmod 600)", ErrKey, name)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	return ParseKey(b)
}

const maxKeyFile = 16 << 10

// ParseKey reads an Ed25519 key in PKCS #8, PEM.
func ParseKey(b []byte) (*Key, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("%w: it is no PEM file of a %s", ErrKey, pemType)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not PKCS #8", ErrKey)
	}
	private, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: it is not of Ed25519", ErrKey)
	}
	return &Key{private}, nil
}

const pemType = "PRIVATE KEY"

// Save writes the key to a new file that its owner alone may read (PKCS #8, PEM). A file that is there already is not replaced.
func (k *Key) Save(name string) (err error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Clean(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(name) // half a key is none
		}
	}()
	if err := pem.Encode(f, &pem.Block{Type: pemType, Bytes: der}); err != nil {
		return err
	}
	return f.Sync()
}

// Public is what others need to give this key a capability.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// noHash says that Ed25519 takes the message itself.
const noHash = crypto.Hash(0)

// Signer signs as the holder of this key.
func (k *Key) Signer() crypto.Signer { return k.private }

// Thumbprint names the key (RFC 7638).
func (k *Key) Thumbprint() capability.Thumbprint { return capability.ThumbprintOf(k.Public()) }

// Format implements [fmt.Formatter]: a key never prints.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[secret]") }

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText implements [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
