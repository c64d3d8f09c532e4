package verify

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	maxNote = 1 << 20 // notes accept up to 100 signatures, some of which may be 5 kB long
	maxSize = 1 << 48 // entries; what is beyond is nobody's log
)

// Cosigned is a witness's valid signature.
type Cosigned struct {
	Name string    `json:"name"`
	Time time.Time `json:"time"`
}

// Checkpoint is what a log signed: how many entries it has, and the root of their tree.
type Checkpoint struct {
	Origin   string
	Size     int64
	Root     tlog.Hash
	Cosigned []Cosigned
	Text     string // what was signed
	From     string // where it was kept, for failures
}

// Open checks a signed checkpoint: form, signature of one of the policy's keys for its origin, and the quorum.
// It returns a [Failure] of kind [Form], [Signature] or [Quorum].
func (p *Policy) Open(signed []byte) (Checkpoint, error) { return p.open(signed, true) }

func (p *Policy) open(signed []byte, quorum bool) (Checkpoint, error) {
	if len(signed) > maxNote {
		return Checkpoint{}, failed(Form, "", "checkpoint is larger than 1 MiB")
	}
	origin, _, _ := strings.Cut(string(signed), "\n")
	logs, verifiers := p.verifiers(origin)
	if len(logs) == 0 {
		return Checkpoint{}, failed(Signature, "", "origin %q is none that a given key is for", short(origin))
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
			return Checkpoint{}, failed(Signature, "", "checkpoint is signed by none of the given keys")
		}
		if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
			return Checkpoint{}, failed(Signature, "", "a signature under a known key does not fit the checkpoint")
		}
		return Checkpoint{}, failed(Form, "", "checkpoint is no signed note")
	}
	// A witness's signature alone opens the note, but makes no checkpoint of it.
	if !slices.ContainsFunc(n.Sigs, func(s note.Signature) bool { return s.Name == origin && slices.Contains(logs, s.Hash) }) {
		return Checkpoint{}, failed(Signature, "", "checkpoint is cosigned, but not signed by the log")
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, failed(Form, "", "checkpoint has two origins")
	}
	c.Cosigned = p.cosigned(n.Sigs)
	if quorum {
		return c, p.quorum(n.Sigs)
	}
	return c, nil
}

// verifiers are those for notes of an origin, and the ids of those among them that are the log's own.
func (p *Policy) verifiers(origin string) (logs []uint32, all []note.Verifier) {
	for _, k := range p.Keys {
		if v := k.verifier(origin); v != nil && !slices.Contains(logs, v.KeyHash()) {
			logs, all = append(logs, v.KeyHash()), append(all, v)
		}
	}
	for _, w := range p.Witnesses {
		all = append(all, w.verifier())
	}
	return logs, all
}

func (p *Policy) cosigned(sigs []note.Signature) []Cosigned {
	var out []Cosigned
	for _, w := range p.Witnesses {
		if at, ok := timeOf(w, sigs); ok {
			out = append(out, Cosigned{w.Name, time.Unix(at, 0).UTC()})
		}
	}
	return out
}

// timeOf is when a witness cosigned. The signatures were verified.
func timeOf(w Witness, sigs []note.Signature) (int64, bool) {
	for _, s := range sigs {
		if s.Name != w.Name || s.Hash != w.id() {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || len(raw) < 4 {
			return 0, false
		}
		return cosignedAt(raw[4:])
	}
	return 0, false
}

// ahead is how far a witness's clock may be before ours; what was signed later than that was not signed when it says.
const ahead = 10 * time.Minute

func (p *Policy) quorum(sigs []note.Signature) error {
	if p.Quorum == nil {
		return nil
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	met := p.Quorum.met(func(w Witness) bool {
		unix, ok := timeOf(w, sigs)
		if !ok {
			return false
		}
		age := now().Sub(time.Unix(unix, 0))
		return age >= -ahead && (p.MaxAge == 0 || age <= p.MaxAge)
	})
	if !met {
		return failed(Quorum, "", "not cosigned by %s in time", p.Quorum.Name)
	}
	return nil
}

// parseCheckpoint reads the text of c2sp.org/tlog-checkpoint.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" || slices.Contains(lines[:len(lines)-1], "") {
		return Checkpoint{}, failed(Form, "", "checkpoint is not three or more lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, failed(Form, "", "size is no decimal number")
	}
	if size > maxSize {
		return Checkpoint{}, failed(Form, "", "size is beyond 2^48 entries")
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, failed(Form, "", "root is not 32 bytes of base64")
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root, Text: text}, nil
}

func parseHash(s string) (tlog.Hash, error) {
	var h tlog.Hash
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != len(h) || base64.StdEncoding.EncodeToString(raw) != s {
		return h, errors.New("not 32 bytes of base64")
	}
	return tlog.Hash(raw), nil
}

func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// OpenOld is [Policy.Open] for a checkpoint that was kept: no quorum is asked of it.
func (p *Policy) OpenOld(signed []byte) (Checkpoint, error) { return p.open(signed, false) }
