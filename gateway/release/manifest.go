package release

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// The files beside a table, by what is appended to its name.
const (
	ManifestSuffix  = ".release.json"
	SignatureSuffix = ".release.sig"
	LineageSuffix   = ".lineage.json"
)

// Manifest tells a recipient what a table is. It holds no value, and of the source a commitment alone.
type Manifest struct {
	Version  int              `json:"version"` // 1
	Flow     flow.ID          `json:"flow"`
	Parent   flow.ID          `json:"parent,omitempty"` // the interrupted release that this one went on with
	Receipt  Receipt          `json:"receipt"`
	Time     time.Time        `json:"time"`
	From     flow.DomainID    `json:"from"`
	To       Recipient        `json:"to"`
	Purpose  flow.Purpose     `json:"purpose"`
	Dataset  string           `json:"dataset,omitempty"`
	Source   string           `json:"source"` // commitment
	Digest   string           `json:"digest"` // of the table, as the kind of destination computes it
	Plan     string           `json:"plan"`
	Policy   string           `json:"policy"`
	Config   string           `json:"config"`
	Rows     Rows             `json:"rows"`
	Promised policy.Model     `json:"promised"`
	Measured policy.Model     `json:"measured"`
	Duties   flow.Duties      `json:"duties"`
	Columns  []ManifestColumn `json:"columns"`
}

// Receipt is the row of the domain's journal.
type Receipt struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Recipient is whom the table is for.
type Recipient struct {
	Agent  flow.AgentID  `json:"agent"`
	Domain flow.DomainID `json:"domain"`
}

// Rows are counts. Those that the recipient cannot count itself are rounded up to a multiple of ten or of k, whichever is more: two
// exact ones of tables that differ by one person would tell of that person.
type Rows struct {
	In         int64 `json:"in"` // at most
	Out        int64 `json:"out"`
	Suppressed int64 `json:"suppressed"` // at most
	RoundedTo  int64 `json:"rounded_to"`
}

func counted(out Outcome) Rows {
	step := max(int64(out.Model.K), 10)
	up := func(n int64) int64 { return (max(n, 1) + step - 1) / step * step } // zero, too
	return Rows{up(out.In), out.Out, up(out.Suppressed), step}
}

// ManifestColumn is what became of a column.
type ManifestColumn struct {
	Name      string     `json:"name"`
	Label     flow.Label `json:"label"`
	Role      string     `json:"role,omitempty"`
	Technique string     `json:"technique"`
	Level     flow.Level `json:"level"`
	Param     flow.Param `json:"param,omitempty"`
	Step      *int       `json:"step,omitempty"` // of a quasi-identifier's hierarchy, where it is the same for all rows
	Covered   bool       `json:"covered,omitempty"`
	Preserves []string   `json:"preserves,omitempty"`
	Reveals   []string   `json:"reveals,omitempty"`
}

func (r *run) describe(out Outcome, ev flow.Event, rec flow.Receipt) *Manifest {
	d := r.decision
	f := &d.Query.Flow
	m := &Manifest{
		Version: 1, Flow: f.ID, Parent: f.Parent, Receipt: Receipt{rec.Seq, hex.EncodeToString(rec.Hash[:])}, Time: ev.Time.UTC(),
		From: f.From.Domain, To: Recipient{f.To.Agent, f.To.Domain}, Purpose: f.Purpose, Dataset: d.Query.Dataset,
		Source: ev.Table.Source, Digest: out.Digest, Plan: r.job.Plan, Policy: d.Terms.PolicyHash, Config: r.snap.ConfigHash,
		Rows: counted(out), Promised: r.job.Model, Measured: out.Model, Duties: d.Terms.Duties,
	}
	for i := range r.job.Columns {
		c := &r.job.Columns[i]
		mc := ManifestColumn{
			Name: c.Name, Label: d.Leaves[i].Label, Role: c.Role.String(), Technique: c.Says.Name, Level: c.Says.Level, Param: c.Says.Param,
			Covered: d.Terms.Covered[i], Preserves: c.Says.Preserves, Reveals: c.Says.Reveals,
		}
		if c.Role == Quasi {
			made := out.made(c)
			mc.Technique, mc.Level, mc.Param = "recode", made.Level, made.Param
			if step, same := out.Levels[c.Name]; same {
				mc.Step = &step
			}
		}
		m.Columns = append(m.Columns, mc)
	}
	return m
}

// promised is the most that the plan lets through of a column, before the table is read.
func (c *Column) promised() flow.Treatment {
	switch {
	case c.Role != Quasi:
		return c.Says.Treatment
	case c.Least == 0:
		return flow.Treatment{Level: flow.Raw}
	}
	return flow.Treatment{Level: flow.Generalized}
}

// made is what became of a column of a table that is written; of some rows at least, where rows differ.
func (out *Outcome) made(c *Column) flow.Treatment {
	if step, same := out.Levels[c.Name]; c.Role == Quasi && same {
		level := flow.Generalized
		if step == 0 {
			level = flow.Raw
		}
		return flow.Treatment{Level: level}
	}
	return c.promised()
}

// beside keeps manifest, signature and lineage beside the table.
func (r *run) beside(m *Manifest) error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	sig, err := Sign(r.office.Signer, m.From, raw)
	if err != nil {
		return fmt.Errorf("signing the manifest: %w", err)
	}
	lineage, err := r.lineage(m)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		suffix  string
		content []byte
	}{{ManifestSuffix, raw}, {SignatureSuffix, sig}, {LineageSuffix, lineage}} {
		if err := r.job.Beside(f.suffix, f.content); err != nil {
			return fmt.Errorf("keeping %s beside the table: %w", f.suffix, err)
		}
	}
	return nil
}

// Origin names a domain's releases in signatures. It is not that of its journal, so that neither passes for the other.
func Origin(d flow.DomainID) string { return "scrim.dev/release/" + string(d) }

// text is what is signed: the domain's origin and the digest of the manifest.
func text(origin string, manifest []byte) string {
	return fmt.Sprintf("%s\nsha256 %x\n", origin, sha256.Sum256(manifest))
}

// Sign returns a signed note about a manifest, which lies in a file of its own.
func Sign(key crypto.Signer, d flow.DomainID, manifest []byte) ([]byte, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the signer is not an Ed25519 key")
	}
	origin := Origin(d)
	return note.Sign(&note.Note{Text: text(origin, manifest)}, &noteSigner{origin, keyHash(origin, pub), key})
}

// VerifierKey is the domain's public key as a recipient needs it to check releases: a verifier key of the signed note format.
func VerifierKey(d flow.DomainID, pub ed25519.PublicKey) string {
	origin := Origin(d)
	return fmt.Sprintf("%s+%08x+%s", origin, keyHash(origin, pub), base64.StdEncoding.EncodeToString(append([]byte{1}, pub...)))
}

func keyHash(origin string, pub ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(origin + "\n\x01"))
	h.Write(pub)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

type noteSigner struct {
	origin string
	hash   uint32
	key    crypto.Signer
}

// Name implements [note.Signer].
func (s *noteSigner) Name() string { return s.origin }

// KeyHash implements [note.Signer].
func (s *noteSigner) KeyHash() uint32 { return s.hash }

// Sign implements [note.Signer].
func (s *noteSigner) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}

// Errors of a check.
var (
	ErrSignature = errors.New("the manifest is not signed by that key")
	ErrManifest  = errors.New("the manifest cannot be read")
	ErrTable     = errors.New("the table is not the one that the manifest is about")
)

// Verify checks a manifest's signature by a verifier key and returns what it says. Whether the table is the one that it is about
// is for [Manifest.Check].
func Verify(key string, manifest, signature []byte) (*Manifest, error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return nil, fmt.Errorf("the verifier key cannot be read: %w", ErrSignature)
	}
	n, err := note.Open(signature, note.VerifierList(v))
	if err != nil || n.Text != text(v.Name(), manifest) {
		return nil, ErrSignature
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(manifest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil || m.Version != 1 || Origin(m.From) != v.Name() {
		return nil, ErrManifest
	}
	return &m, nil
}

// Check reads the table as a file and compares it with the manifest's digest. It returns [ErrTable] if it is another one, or if its
// digest is not one of a file's bytes: then the table was written to a database.
func (m *Manifest) Check(file io.Reader) error {
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if want, ok := strings.CutPrefix(m.Digest, "sha256:"); !ok || want != hex.EncodeToString(h.Sum(nil)) {
		return ErrTable
	}
	return nil
}
