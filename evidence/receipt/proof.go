package receipt

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

const (
	proofLine = "c2sp.org/tlog-proof@v1"
	maxPath   = 63 // hashes of a proof in a tree of fewer than 2^63 leaves
)

// Proof leads from a leaf to a checkpoint.
type Proof struct {
	Index      int64
	Hashes     tlog.RecordProof
	Checkpoint tile.Checkpoint // with its note
	Extra      []byte          // what else travels with it; nobody signed it
}

// Prove proves that leaf index is under the checkpoint. What it reads it verifies, so a proof that it returns holds.
func Prove(ctx context.Context, r tile.Reader, c tile.Checkpoint, index int64) (Proof, error) {
	hashes, err := tile.Inclusion(ctx, r, c, index)
	if err != nil {
		return Proof{}, fmt.Errorf("proving leaf %d: %w", index, err)
	}
	return Proof{Index: index, Hashes: hashes, Checkpoint: c}, nil
}

// Verify returns nil if the leaf with this hash has the proof's place in the tree under its checkpoint, else an [ErrProof]. Who signed the checkpoint
// [ParseProof] has looked at.
func (p Proof) Verify(leaf tlog.Hash) error {
	if tlog.CheckRecord(p.Hashes, p.Checkpoint.Size, p.Checkpoint.Root, p.Index, leaf) != nil {
		return ErrProof
	}
	return nil
}

// Text is the proof as https://c2sp.org/tlog-proof has it, with all signatures of the checkpoint.
func (p Proof) Text() []byte {
	b := []byte(proofLine + "\n")
	if len(p.Extra) > 0 {
		b = fmt.Appendf(b, "extra %s\n", base64.StdEncoding.EncodeToString(p.Extra))
	}
	b = fmt.Appendf(b, "index %d\n", p.Index)
	for _, h := range p.Hashes {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), p.Checkpoint.Note...)
}

// ParseProof reads a proof whose checkpoint one of the keys signed for the log. It returns [ErrForm] or [ErrSignature]; that the proof leads
// anywhere is for [Proof.Verify] to say.
func ParseProof(text []byte, log string, keys ...ed25519.PublicKey) (Proof, error) {
	bad := fmt.Errorf("%w: it is no proof", ErrForm)
	if len(text) > maxText {
		return Proof{}, fmt.Errorf("%w: it is too large", ErrForm)
	}
	head, signed, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return Proof{}, bad
	}
	lines := strings.Split(string(head), "\n")
	if lines[0] != proofLine {
		return Proof{}, bad
	}
	var p Proof
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		var err error
		if p.Extra, err = base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[0], "extra ")); err != nil || len(p.Extra) == 0 {
			return Proof{}, bad
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || len(lines) > 1+maxPath {
		return Proof{}, bad
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil || index < 0 {
		return Proof{}, bad
	}
	p.Index = index
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return Proof{}, bad
		}
		p.Hashes = append(p.Hashes, tlog.Hash(h))
	}
	origin, _, _ := strings.Cut(string(signed), "\n")
	noted, err := openNote(signed, origin, log, keys)
	if err != nil {
		return Proof{}, err
	}
	if p.Checkpoint, err = tile.ParseText(noted); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if p.Checkpoint.Note = bytes.Clone(signed); !bytes.Equal(p.Text(), text) {
		return Proof{}, bad
	}
	return p, nil
}
