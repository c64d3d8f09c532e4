package tile

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a log's statement of how many leaves its tree has and what its root is (https://c2sp.org/tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   []byte // the signed note, with all its signatures
}

// text is what is signed.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Tree is the checkpoint as package tlog wants it.
func (c Checkpoint) Tree() tlog.Tree { return tlog.Tree{N: c.Size, Hash: c.Root} }

// Sign returns the checkpoint with a note that the signers signed; the note that it had does not matter.
func (c Checkpoint) Sign(signers ...note.Signer) (Checkpoint, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("signing a checkpoint: %w", err)
	}
	c.Note = signed
	return c, nil
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
			return Checkpoint{}, fmt.Errorf("%w: none of the log's keys signed it", ErrCheckpoint)
		}
		return Checkpoint{}, fmt.Errorf("%w: it is not a note with a good signature", ErrCheckpoint)
	}
	c, err := ParseText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("%w: it is of another log", ErrCheckpoint)
	}
	c.Note = signed
	return c, nil
}

// ReadCheckpoint reads a checkpoint without looking at its signatures, for the log's own.
func ReadCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: it is not a signed note", ErrCheckpoint)
	}
	c, err := ParseText(text + "\n")
	if err != nil {
		return Checkpoint{}, err
	}
	c.Note = signed
	return c, nil
}

// ParseText reads what a checkpoint's note says, or returns an [ErrCheckpoint]. Who signed the note it does not ask: that is for
// the one who opened it. Lines after the third are let pass, as the format has it, if they are not empty.
func ParseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return Checkpoint{}, fmt.Errorf("%w: it has not three lines", ErrCheckpoint)
	}
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			return Checkpoint{}, fmt.Errorf("%w: it has an empty line", ErrCheckpoint)
		}
	}
	c := Checkpoint{Origin: lines[0]}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fmt.Errorf("%w: its size is not a number", ErrCheckpoint)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return Checkpoint{}, fmt.Errorf("%w: its root is not 32 bytes of base64", ErrCheckpoint)
	}
	c.Size, c.Root = size, tlog.Hash(root)
	if !strings.HasPrefix(text, c.text()) {
		return Checkpoint{}, fmt.Errorf("%w: it is not in its canonical form", ErrCheckpoint)
	}
	return c, nil
}

// VerifierKey returns the key in the form that note verifiers take: origin, key hash and key.
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	if origin == "" || !utf8.ValidString(origin) || strings.ContainsFunc(origin, notInOrigin) {
		return "", ErrOrigin
	}
	k, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", ErrSigner
	}
	return k, nil
}

func notInOrigin(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) }

// NewVerifier returns what verifies the signatures that the key makes under the name origin.
func NewVerifier(origin string, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := VerifierKey(origin, key)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigner, err)
	}
	return v, nil
}

func verifiersOf(origin string, keys []ed25519.PublicKey) (note.Verifiers, error) {
	var list []note.Verifier
	for _, key := range keys {
		v, err := NewVerifier(origin, key)
		if err != nil {
			return nil, err
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

// NewSigner lets an Ed25519 key sign notes under the name origin. It returns [ErrOrigin] or [ErrSigner].
func NewSigner(origin string, key crypto.Signer) (note.Signer, error) {
	if key == nil {
		return nil, ErrSigner
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, ErrSigner
	}
	text, err := VerifierKey(origin, public)
	if err != nil {
		return nil, err
	}
	hash, err := hex.DecodeString(strings.Split(text, "+")[1])
	if err != nil {
		return nil, ErrSigner
	}
	return &noteSigner{origin, binary.BigEndian.Uint32(hash), key}, nil
}

// Name implements [note.Signer].
func (s *noteSigner) Name() string { return s.origin }

// KeyHash implements [note.Signer].
func (s *noteSigner) KeyHash() uint32 { return s.hash }

// Sign implements [note.Signer].
func (s *noteSigner) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}

// EmptyRoot is the root of a tree without leaves: SHA-256 of nothing (RFC 6962, section 2.1).
var EmptyRoot = tlog.Hash(sha256.Sum256(nil))
