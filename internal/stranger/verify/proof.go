package verify

import (
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofLine = "c2sp.org/tlog-proof@v1"
	maxProof  = 2 << 20
	maxPath   = 64 // hashes; a tree of 2^63 entries has no longer path
)

// Proof is a tlog-proof: that an entry was in a log when the checkpoint in it was signed.
type Proof struct {
	Index      int64
	Path       tlog.RecordProof
	Checkpoint []byte // signed
	Extra      []byte // authenticated by nothing
}

// ParseProof reads c2sp.org/tlog-proof. It returns a [Failure] of kind [Form].
func ParseProof(b []byte) (Proof, error) {
	if len(b) > maxProof {
		return Proof{}, failed(Form, "", "proof is larger than 2 MiB")
	}
	head, signed, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != proofLine {
		return Proof{}, failed(Form, "", "it is no proof of version %s", proofLine)
	}
	p, lines := Proof{Checkpoint: []byte(signed)}, lines[1:]
	if len(lines) > 0 {
		if extra, ok := strings.CutPrefix(lines[0], "extra "); ok {
			var err error
			if p.Extra, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil {
				return Proof{}, failed(Form, "", "its extra data is no base64")
			}
			lines = lines[1:]
		}
	}
	if len(lines) == 0 || len(lines) > 1+maxPath {
		return Proof{}, failed(Form, "", "it has no index, or more hashes than a tree is high")
	}
	index, ok := strings.CutPrefix(lines[0], "index ")
	n, err := strconv.ParseInt(index, 10, 64)
	if !ok || err != nil || n < 0 || strconv.FormatInt(n, 10) != index {
		return Proof{}, failed(Form, "", "its index is no decimal number")
	}
	p.Index = n
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return Proof{}, failed(Form, "", "a hash of its path is not 32 bytes of base64")
		}
		p.Path = append(p.Path, h)
	}
	return p, nil
}

// Check checks a proof for an entry by its leaf hash: the checkpoint in it, as [Policy.Open] does, and the path to its root.
func (p *Policy) Check(proof Proof, leaf tlog.Hash) (Checkpoint, error) {
	c, err := p.Open(proof.Checkpoint)
	if err != nil {
		return c, err
	}
	if proof.Index >= c.Size {
		return c, failed(Absent, "", "entry %d is beyond the checkpoint's %d entries", proof.Index, c.Size)
	}
	if err := tlog.CheckRecord(proof.Path, c.Size, c.Root, proof.Index, leaf); err != nil {
		return c, failed(Absent, "", "the path does not lead from this entry at %d to the signed root", proof.Index)
	}
	return c, nil
}

// LeafHash is the hash of an entry as it stands in the tree.
func LeafHash(entry []byte) tlog.Hash { return tlog.RecordHash(entry) }

// ParseHash reads 32 bytes of base64.
func ParseHash(s string) (tlog.Hash, error) {
	h, err := parseHash(s)
	if err != nil {
		return h, failed(Form, "", "a hash is 32 bytes of base64")
	}
	return h, nil
}
