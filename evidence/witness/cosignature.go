package witness

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/tile"
)

// Signature types of https://c2sp.org/signed-note.
const (
	typeLog         = 0x01
	typeCosignature = 0x04
)

const maxNote = 64 << 10

// message is what a cosignature signs: a heading, the time, and the checkpoint's text.
func message(text string, at int64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text)
}

// sign returns a signature line, "— name base64" and a newline.
func sign(name string, key crypto.Signer, pub ed25519.PublicKey, c tile.Checkpoint, at int64) ([]byte, error) {
	text, _, _ := strings.Cut(string(c.Note), "\n\n")
	sig, err := key.Sign(rand.Reader, message(text+"\n", at), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("cosigning: %w", err)
	}
	b := binary.BigEndian.AppendUint32(nil, keyID(name, typeCosignature, pub))
	b = binary.BigEndian.AppendUint64(b, uint64(at)) //nolint:gosec // at is positive
	return []byte("— " + name + " " + base64.StdEncoding.EncodeToString(append(b, sig...)) + "\n"), nil
}

// Peer is a witness that is asked for cosignatures.
type Peer struct {
	Name string // of its key
	Key  ed25519.PublicKey
	URL  string // below which it has add-checkpoint
}

// ParsePeer reads a witness's verifier key of type 0x04. The error is an [ErrKey].
func ParsePeer(vkey, url string) (Peer, error) {
	name, public, err := parseKey(vkey, typeCosignature)
	return Peer{Name: name, Key: public, URL: strings.TrimRight(url, "/")}, err
}

// Verifier verifies the witness's cosignatures on notes.
func (p Peer) Verifier() note.Verifier {
	return cosignatures{p, keyID(p.Name, typeCosignature, p.Key)}
}

type cosignatures struct {
	peer Peer
	id   uint32
}

// Name implements [note.Verifier].
func (v cosignatures) Name() string { return v.peer.Name }

// KeyHash implements [note.Verifier].
func (v cosignatures) KeyHash() uint32 { return v.id }

// Verify implements [note.Verifier].
func (v cosignatures) Verify(text, sig []byte) bool {
	at, ok := timeOf(sig)
	return ok && ed25519.Verify(v.peer.Key, message(string(text), at), sig[8:])
}

func timeOf(sig []byte) (int64, bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	t := binary.BigEndian.Uint64(sig)
	return int64(t), t <= math.MaxInt64 //nolint:gosec // compared
}

// Cosigned says which of the witnesses cosigned a checkpoint, and when. Others' signatures do not matter, and neither does whose log it is.
func Cosigned(signed []byte, peers []Peer) (map[string]time.Time, error) {
	var list []note.Verifier
	for _, p := range peers {
		list = append(list, p.Verifier())
	}
	n, err := note.Open(signed, note.VerifierList(list...))
	if _, none := err.(*note.UnverifiedNoteError); none { //nolint:errorlint // it is returned as it is
		return map[string]time.Time{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a cosignature does not fit", ErrSignature)
	}
	out := map[string]time.Time{}
	for _, s := range n.Sigs {
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || len(raw) < 4 {
			continue
		}
		if at, ok := timeOf(raw[4:]); ok {
			out[s.Name] = time.Unix(at, 0).UTC()
		}
	}
	return out, nil
}

// GoodName reports whether a key can have that name.
func GoodName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

func keyID(name string, kind byte, public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append(append([]byte(name), '\n', kind), public...))
	return binary.BigEndian.Uint32(sum[:])
}

func formatKey(name string, kind byte, public ed25519.PublicKey) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, kind, public), base64.StdEncoding.EncodeToString(append([]byte{kind}, public...)))
}

func parseKey(vkey string, kind byte) (string, ed25519.PublicKey, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 || !GoodName(parts[0]) {
		return "", nil, fmt.Errorf("%w: it is not of the form name+id+key", ErrKey)
	}
	id, err := hex.DecodeString(parts[1])
	if err != nil || len(id) != 4 {
		return "", nil, fmt.Errorf("%w: its id is not eight hexadecimal digits", ErrKey)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || base64.StdEncoding.EncodeToString(raw) != parts[2] {
		return "", nil, fmt.Errorf("%w: it is not a type and 32 bytes in base64", ErrKey)
	}
	if raw[0] != kind {
		return "", nil, fmt.Errorf("%w: it is of type 0x%02x, want 0x%02x", ErrKey, raw[0], kind)
	}
	if keyID(parts[0], kind, raw[1:]) != binary.BigEndian.Uint32(id) {
		return "", nil, fmt.Errorf("%w: its id does not belong to name and key", ErrKey)
	}
	return parts[0], ed25519.PublicKey(raw[1:]), nil
}
