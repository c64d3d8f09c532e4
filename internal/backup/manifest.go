package backup

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
)

// Version is that of the archives that this program writes, and the newest that it reads.
const Version = 1

// Kind is what an archive holds.
type Kind string

// The kinds.
const (
	General     Kind = "general" // all that a restart needs, and nothing that an erasure destroys
	SubjectKeys Kind = "subject-keys"
)

// Manifest says what an archive holds. It is the archive's last member but one, and signed in the last.
type Manifest struct {
	Backup  int           `json:"backup"` // [Version]
	Kind    Kind          `json:"kind"`
	ID      string        `json:"id"` // random; a file of subject keys has that of its archive
	Made    time.Time     `json:"made"`
	Domain  flow.DomainID `json:"domain"`
	Program string        `json:"program"` // version that wrote it
	Store   string        `json:"store"`   // sqlite; postgres: the database is not in the archive
	Schemas []Schema      `json:"schemas,omitempty"`
	Config  Placed        `json:"config"`
	Log     Standing      `json:"log"`
	Files   []File        `json:"files"`
}

// Schema is the version of a part of the database.
type Schema struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

// Placed is where the configuration had things, by paths from its directory.
type Placed struct {
	Main    string   `json:"main"` // file of the configuration in the archive
	Hash    string   `json:"hash"`
	Data    string   `json:"data"`              // data directory as it was written
	Keys    string   `json:"keys"`              // keyset as it was written
	Skipped []string `json:"skipped,omitempty"` // files that it refers to and that lie outside of its directory
}

// Standing is where the log stood.
type Standing struct {
	Origin     string `json:"origin"`
	Key        string `json:"key"`                  // verifier key
	Rows       int64  `json:"rows"`                 // of the journal in the archive
	Published  int64  `json:"published"`            // rows in the trees
	Tree       string `json:"tree,omitempty"`       // origin of the newest
	Size       int64  `json:"size,omitempty"`       // its leaves
	Root       string `json:"root,omitempty"`       // in hexadecimal
	Checkpoint string `json:"checkpoint,omitempty"` // the newest one that was published, with the signatures of witnesses
}

// File is one member.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ErrSignature is the error of a manifest that was not signed as it had to be.
var ErrSignature = errors.New("the archive's manifest is not signed by the key of this domain's backups")

// SignerName heads what the key of a domain's backups signs.
func SignerName(d flow.DomainID) string { return "scrim.dev/backup/" + string(d) }

// VerifierKey is the public key of a domain's backups, as it is told to people.
func VerifierKey(d flow.DomainID, key ed25519.PublicKey) (string, error) {
	return tile.VerifierKey(SignerName(d), key)
}

func statement(d flow.DomainID, manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return SignerName(d) + "\nscrim backup 1\n" + hex.EncodeToString(sum[:]) + "\n"
}

func sign(d flow.DomainID, key crypto.Signer, manifest []byte) ([]byte, error) {
	s, err := tile.NewSigner(SignerName(d), key)
	if err != nil {
		return nil, fmt.Errorf("signing the manifest: %w", err)
	}
	return note.Sign(&note.Note{Text: statement(d, manifest)}, s)
}

// verify checks the signature on a manifest.
func verify(d flow.DomainID, verifier note.Verifier, manifest, signed []byte) error {
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil || n.Text != statement(d, manifest) {
		return ErrSignature
	}
	return nil
}

// verifierOf reads a key that somebody was told.
func verifierOf(text string) (note.Verifier, error) {
	v, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the key of backups is not one: it begins with scrim.dev/backup/, as scrim backup prints it")
	}
	return v, nil
}

func parseManifest(b []byte) (m Manifest, err error) {
	var head struct {
		Backup int `json:"backup"`
	}
	if json.Unmarshal(b, &head) != nil || head.Backup < 1 {
		return m, corrupt("its manifest is not one")
	}
	if head.Backup > Version {
		return m, fmt.Errorf("%w: version %d, this program knows %d; restore it by the program that wrote it, or a newer one", ErrNewer, head.Backup, Version)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&m) != nil {
		return m, corrupt("its manifest is not one")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, corrupt("its manifest is not one")
	}
	if m.Kind != General && m.Kind != SubjectKeys || m.Domain == "" || m.Store != "sqlite" && m.Store != "postgres" {
		return m, corrupt("its manifest is not one")
	}
	return m, nil
}
