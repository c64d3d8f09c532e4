package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// Wrapper seals the keyring file: a passphrase, or a key management service.
type Wrapper interface {
	// Wrap encrypts and authenticates the keyring.
	Wrap(ctx context.Context, plain []byte) ([]byte, error)
	// Unwrap reverses Wrap, and fails for anything that Wrap did not make.
	Unwrap(ctx context.Context, sealed []byte) ([]byte, error)
}

// Errors of a keyring.
var (
	ErrLax     = errors.New("keyring file can be read by others; chmod 600 it")
	ErrUnwrap  = errors.New("keyring cannot be unwrapped: another passphrase or key made it, or the file was changed")
	ErrWrapped = errors.New("keyring is wrapped and no passphrase or key was given")
	ErrPlain   = errors.New("keyring is not wrapped although a passphrase or key was given; wrap it first")
	ErrEpoch   = errors.New("keyring has no such earlier epoch")
	ErrSealed  = errors.New("sealed bytes cannot be opened")
)

// Keyring holds a domain's root keys: one for identity, which stays, and one for each epoch. Both are Tink keysets of
// HKDF-SHA256 keys; every key in use is derived from one of them for one purpose, but for [Pairs], which are random, so
// that one can end. They leave only as [AEAD] and [crypto.Signer]. It is safe for concurrent use, and prints as [secret]. The file is described in docs/spec/tokens.md.
type Keyring struct {
	opaque
	path string // fixed by OpenKeyring
	id   string

	identity prf.PRF

	mu         sync.RWMutex // guards the fields below; held while writing the file
	wrapper    Wrapper
	identities *keyset.Handle
	handle     *keyset.Handle // the epochs
	epochs     *prf.Set
	pairs      map[string][]*pair // by the set's name; replaced, never changed in place
}

// contents is what is wrapped.
type contents struct {
	ID       string                  `json:"id"`
	Identity []byte                  `json:"identity"` // Tink keysets, in binary form
	Epochs   []byte                  `json:"epochs"`
	Pairs    map[string][]pairRecord `json:"pairs,omitempty"`
}

// OpenKeyring reads the keyring at path, or makes one at first use with keys from crypto/rand.
//
// Without a wrapper the file's mode (0600) is its only guard, so [ErrLax] is returned for a file that others can read.
// Other errors to act on: [ErrWrapped], [ErrPlain], [ErrUnwrap].
func OpenKeyring(ctx context.Context, path string, w Wrapper) (*Keyring, error) {
	plain, err := readKeyFile(ctx, path, w)
	if errors.Is(err, errAbsent) {
		if plain, err = newContents(); err != nil {
			return nil, err
		}
		// Somebody else may be making it just now: what is in the file in the end is what counts.
		if err := writeKeyFile(ctx, path, w, plain, false); err != nil {
			return nil, err
		}
		plain, err = readKeyFile(ctx, path, w)
	}
	if err != nil {
		return nil, err
	}
	return parseKeyring(path, w, plain)
}

func newContents() ([]byte, error) {
	var c contents
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	c.ID = hex.EncodeToString(id[:])
	for _, into := range []*[]byte{&c.Identity, &c.Epochs} {
		h, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
		if err != nil {
			return nil, fmt.Errorf("making a keyset: %w", err)
		}
		if *into, err = keysetBytes(h); err != nil {
			return nil, err
		}
	}
	return json.Marshal(c)
}

func keysetBytes(h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&b)); err != nil {
		return nil, fmt.Errorf("writing a keyset: %w", err)
	}
	return b.Bytes(), nil
}

func parseKeyring(path string, w Wrapper, plain []byte) (*Keyring, error) {
	var c contents
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if dec.Decode(&c) != nil || c.ID == "" { // the decoder's own text may quote a key
		return nil, fmt.Errorf("keyring %s: contents are not as written", path)
	}
	k := &Keyring{path: path, id: c.ID, wrapper: w}
	var err error
	var identities *prf.Set
	if k.identities, identities, err = parseKeyset(c.Identity); err != nil {
		return nil, fmt.Errorf("keyring %s: identity: %w", path, err)
	}
	k.identity = identities.PRFs[identities.PrimaryID]
	if k.handle, k.epochs, err = parseKeyset(c.Epochs); err != nil {
		return nil, fmt.Errorf("keyring %s: epochs: %w", path, err)
	}
	if k.pairs, err = parsePairs(c.Pairs); err != nil {
		return nil, fmt.Errorf("keyring %s: pairs: %w", path, err)
	}
	return k, nil
}

func parseKeyset(b []byte) (*keyset.Handle, *prf.Set, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(b)))
	if err != nil {
		return nil, nil, errors.New("keyset is not valid")
	}
	set, err := prf.NewPRFSet(h)
	if err != nil {
		return nil, nil, errors.New("keyset is not one of HKDF keys")
	}
	return h, set, nil
}

// ID names the keyring. It is random and no secret.
func (k *Keyring) ID() string { return k.id }

// Epoch names the epoch that new tokens belong to: eight hexadecimal digits.
func (k *Keyring) Epoch() string { return epochName(k.primary()) }

// Epochs names all epochs that can still be opened, the present one among them.
func (k *Keyring) Epochs() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var names []string
	for _, id := range slices.Sorted(maps.Keys(k.epochs.PRFs)) {
		names = append(names, epochName(id))
	}
	return names
}

func (k *Keyring) primary() uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.epochs.PrimaryID
}

func epochName(id uint32) string { return fmt.Sprintf("%08x", id) }

func parseEpoch(name string) (uint32, error) {
	id, err := strconv.ParseUint(name, 16, 32)
	if err != nil || epochName(uint32(id)) != name {
		return 0, ErrEpoch
	}
	return uint32(id), nil
}

// Rotate begins a new epoch, and returns when the file holds it. Earlier epochs still open what was sealed in them.
func (k *Keyring) Rotate(ctx context.Context) error {
	return k.change(ctx, func(m *keyset.Manager, _ uint32) error {
		id, err := m.Add(prf.HKDFSHA256PRFKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

// Retire destroys an epoch that is not the present one, and returns when the file no longer holds it. Everything
// sealed in it is gone: its tokens whose subject is unknown, and subjects' keys and answers that were never sealed again.
// It returns [ErrEpoch] for the present epoch and for one that is not there.
func (k *Keyring) Retire(ctx context.Context, epoch string) error {
	id, err := parseEpoch(epoch)
	if err != nil {
		return err
	}
	return k.change(ctx, func(m *keyset.Manager, primary uint32) error {
		if id == primary || m.Delete(id) != nil {
			return ErrEpoch
		}
		return nil
	})
}

// Rewrap writes the file under another wrapper; nil leaves it to the file's mode.
func (k *Keyring) Rewrap(ctx context.Context, w Wrapper) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write(ctx, w, k.handle, k.pairs); err != nil {
		return err
	}
	k.wrapper = w
	return nil
}

// change edits the epochs; the keyring is as before if the file cannot be written.
func (k *Keyring) change(ctx context.Context, edit func(m *keyset.Manager, primary uint32) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := keyset.NewManagerFromHandle(k.handle)
	if err := edit(m, k.epochs.PrimaryID); err != nil {
		return fmt.Errorf("changing the keyring's epochs: %w", err)
	}
	h, err := m.Handle()
	if err != nil {
		return fmt.Errorf("changing the keyring's epochs: %w", err)
	}
	set, err := prf.NewPRFSet(h)
	if err != nil {
		return fmt.Errorf("changing the keyring's epochs: %w", err)
	}
	if err := k.write(ctx, k.wrapper, h, k.pairs); err != nil {
		return err
	}
	k.handle, k.epochs = h, set
	return nil
}

func (k *Keyring) write(ctx context.Context, w Wrapper, epochs *keyset.Handle, pairs map[string][]*pair) error {
	c := contents{ID: k.id}
	var err error
	if c.Identity, err = keysetBytes(k.identities); err != nil {
		return err
	}
	if c.Epochs, err = keysetBytes(epochs); err != nil {
		return err
	}
	if c.Pairs, err = writePairs(pairs); err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	return writeKeyFile(ctx, k.path, w, plain, true)
}
