package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

const maxNote = 64 << 10

// text is what is signed: origin, size, hash and time, a line each.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\ntime %s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Hash[:]),
		c.Time.UTC().Format(time.RFC3339))
}

// ParseCheckpoint reads a signed note and returns it if one of the keys signed it for the origin, otherwise an [ErrCheckpoint].
// Signatures by others, such as witnesses, may stand beside it; they are not looked at.
func ParseCheckpoint(signed []byte, origin string, keys ...ed25519.PublicKey) (Checkpoint, error) {
	verifiers, err := verifiersOf(origin, keys)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseCheckpoint(signed, origin, verifiers)
}

func parseCheckpoint(signed []byte, origin string, verifiers note.Verifiers) (Checkpoint, error) {
	if len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: it is too large", ErrCheckpoint)
	}
	n, err := note.Open(signed, verifiers)
	if err != nil {
		if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
			return Checkpoint{}, fmt.Errorf("%w: none of the journal's keys signed it", ErrCheckpoint)
		}
		return Checkpoint{}, fmt.Errorf("%w: it is not a note with a good signature", ErrCheckpoint)
	}
	c, err := parseText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("%w: it is of another journal", ErrCheckpoint)
	}
	c.Note = signed
	return c, nil
}

func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return Checkpoint{}, fmt.Errorf("%w: it has not four lines", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0]}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fmt.Errorf("%w: its size is not a number", ErrCheckpoint)
	}
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(hash) != len(c.Hash) {
		return Checkpoint{}, fmt.Errorf("%w: its hash is not 32 bytes of base64", ErrCheckpoint)
	}
	at, ok := strings.CutPrefix(lines[3], "time ")
	if !ok {
		return Checkpoint{}, fmt.Errorf("%w: it has no time", ErrCheckpoint)
	}
	if c.Time, err = time.Parse(time.RFC3339, at); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: its time is not RFC 3339", ErrCheckpoint)
	}
	c.Size, c.Hash, c.Time = size, [32]byte(hash), c.Time.UTC()
	if c.text() != text {
		return Checkpoint{}, fmt.Errorf("%w: it is not in its canonical form", ErrCheckpoint)
	}
	return c, nil
}

// VerifierKey returns the key in the form that note verifiers take: origin, key hash and key.
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	if err := checkOrigin(origin); err != nil {
		return "", err
	}
	k, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", ErrSigner
	}
	return k, nil
}

func checkOrigin(origin string) error {
	if origin == "" || !utf8.ValidString(origin) || strings.ContainsFunc(origin, notInOrigin) {
		return ErrOrigin
	}
	return nil
}

func notInOrigin(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) }

func verifiersOf(origin string, keys []ed25519.PublicKey) (note.Verifiers, error) {
	var list []note.Verifier
	for _, key := range keys {
		text, err := VerifierKey(origin, key)
		if err != nil {
			return nil, err
		}
		v, err := note.NewVerifier(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSigner, err)
		}
		list = append(list, v)
	}
	return note.VerifierList(list...), nil
}

// noteSigner lets any Ed25519 [crypto.Signer] sign notes.
type noteSigner struct {
	origin string
	hash   uint32
	key    crypto.Signer
}

func newNoteSigner(origin string, key crypto.Signer) (*noteSigner, ed25519.PublicKey, error) {
	if key == nil {
		return nil, nil, ErrSigner
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, nil, ErrSigner
	}
	text, err := VerifierKey(origin, public)
	if err != nil {
		return nil, nil, err
	}
	hash, err := hex.DecodeString(strings.Split(text, "+")[1])
	if err != nil {
		return nil, nil, ErrSigner
	}
	return &noteSigner{origin, binary.BigEndian.Uint32(hash), key}, public, nil
}

// Name implements [note.Signer].
func (s *noteSigner) Name() string { return s.origin }

// KeyHash implements [note.Signer].
func (s *noteSigner) KeyHash() uint32 { return s.hash }

// Sign implements [note.Signer].
func (s *noteSigner) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}
