package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Signature types of c2sp.org/signed-note.
const (
	typeEd25519     = 0x01
	typeCosignature = 0x04
)

// Key is a log's public key. It is good for the log of that name and for the log's periods, which are called Name/PERIOD.
type Key struct {
	Name   string
	Public ed25519.PublicKey
}

// ParseKey reads a verifier key: name, "+", key id in hexadecimal, "+", base64 of type and key.
func ParseKey(vkey string) (Key, error) {
	name, public, err := parseVKey(vkey, typeEd25519)
	return Key{name, public}, err
}

func (k Key) verifier(origin string) note.Verifier {
	if origin != k.Name && !strings.HasPrefix(origin, k.Name+"/") {
		return nil
	}
	return &verifier{name: origin, id: keyID(origin, typeEd25519, k.Public), verify: func(text, sig []byte) bool {
		return ed25519.Verify(k.Public, text, sig)
	}}
}

// Witness is the key of somebody who cosigns.
type Witness struct {
	Name   string // of the key, as it stands in signature lines
	Public ed25519.PublicKey
}

// ParseWitness reads a verifier key of type 0x04, Ed25519 cosignatures.
func ParseWitness(vkey string) (Witness, error) {
	name, public, err := parseVKey(vkey, typeCosignature)
	return Witness{name, public}, err
}

func (w Witness) id() uint32 { return keyID(w.Name, typeCosignature, w.Public) }

func (w Witness) verifier() note.Verifier {
	return &verifier{name: w.Name, id: w.id(), verify: func(text, sig []byte) bool {
		at, ok := cosignedAt(sig)
		return ok && ed25519.Verify(w.Public, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), sig[8:])
	}}
}

// cosignedAt is the time that a timestamped signature states, in seconds since the epoch (c2sp.org/tlog-cosignature).
func cosignedAt(sig []byte) (int64, bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	t := binary.BigEndian.Uint64(sig)
	return int64(t), t <= math.MaxInt64 //nolint:gosec // compared
}

func keyID(name string, kind byte, public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append(append([]byte(name), '\n', kind), public...))
	return binary.BigEndian.Uint32(sum[:])
}

func parseVKey(vkey string, kind byte) (string, ed25519.PublicKey, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 {
		return "", nil, errors.New("key is not of the form name+id+key")
	}
	name := parts[0]
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsSpace) {
		return "", nil, errors.New("key has no name, or one with spaces")
	}
	id, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil || len(parts[1]) != 8 {
		return "", nil, errors.New("key id is not eight hexadecimal digits")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) == 0 || base64.StdEncoding.EncodeToString(raw) != parts[2] {
		return "", nil, errors.New("key is not base64")
	}
	if raw[0] != kind {
		return "", nil, fmt.Errorf("key is of type 0x%02x, want 0x%02x", raw[0], kind)
	}
	public := ed25519.PublicKey(bytes.Clone(raw[1:]))
	if len(public) != ed25519.PublicKeySize {
		return "", nil, errors.New("key is not 32 bytes")
	}
	if keyID(name, kind, public) != uint32(id) {
		return "", nil, errors.New("key id does not belong to name and key: was one of them changed?")
	}
	return name, public, nil
}

type verifier struct {
	name   string
	id     uint32
	verify func(text, sig []byte) bool
}

func (v *verifier) Name() string                 { return v.name }
func (v *verifier) KeyHash() uint32              { return v.id }
func (v *verifier) Verify(text, sig []byte) bool { return v.verify(text, sig) }
