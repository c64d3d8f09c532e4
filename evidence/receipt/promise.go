package receipt

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

// promiseLine heads every promise. No log is called so, and a checkpoint's second line is a number: neither can be taken for the other.
const promiseLine = "scrim.dev/promise@v1"

// Promise is the log's word that an entry will be leaf Index of its tree by the deadline.
type Promise struct {
	Origin   string // of the tree
	Seq      int64  // number of the entry in the journal
	Index    int64  // of the leaf
	Leaf     tlog.Hash
	Time     time.Time // when it was given
	Deadline time.Time // when the entry is in the published tree at the latest
	Note     []byte    // the signed note
}

// text is what is signed.
func (p Promise) text() string {
	return fmt.Sprintf("%s\n%s\nseq %d\nindex %d\nleaf %s\ntime %s\ndeadline %s\n", promiseLine, p.Origin, p.Seq, p.Index,
		base64.StdEncoding.EncodeToString(p.Leaf[:]), stamp(p.Time), stamp(p.Deadline))
}

const stampForm = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampForm) }

// Sign returns the promise with its note. Times lose what is below a millisecond. It returns [tile.ErrSigner] or [tile.ErrOrigin].
func (p Promise) Sign(key crypto.Signer) (Promise, error) {
	s, err := tile.NewSigner(p.Origin, key)
	if err != nil {
		return Promise{}, err
	}
	p.Time, p.Deadline = p.Time.UTC().Truncate(time.Millisecond), p.Deadline.UTC().Truncate(time.Millisecond)
	if p.Note, err = note.Sign(&note.Note{Text: p.text()}, s); err != nil {
		return Promise{}, fmt.Errorf("signing a promise: %w", err)
	}
	return p, nil
}

// ParsePromise reads a promise that one of the keys signed for the log, whose name is the origin without a period. It returns [ErrForm]
// or [ErrSignature].
func ParsePromise(signed []byte, log string, keys ...ed25519.PublicKey) (Promise, error) {
	if len(signed) > maxText {
		return Promise{}, fmt.Errorf("%w: it is too large", ErrForm)
	}
	lines := strings.SplitN(string(signed), "\n", 3)
	if len(lines) < 3 || lines[0] != promiseLine {
		return Promise{}, fmt.Errorf("%w: it is no promise", ErrForm)
	}
	text, err := openNote(signed, lines[1], log, keys)
	if err != nil {
		return Promise{}, err
	}
	p, err := parsePromise(text)
	if err != nil {
		return Promise{}, err
	}
	p.Note = bytes.Clone(signed)
	return p, nil
}

func parsePromise(text string) (Promise, error) {
	bad := fmt.Errorf("%w: it is no promise", ErrForm)
	lines := strings.Split(text, "\n")
	if len(lines) != 8 {
		return Promise{}, bad
	}
	var (
		p   = Promise{Origin: lines[1]}
		raw []byte
		err [5]error
	)
	value := func(line int, name string) string {
		v, ok := strings.CutPrefix(lines[line], name+" ")
		if !ok {
			return "absent"
		}
		return v
	}
	p.Seq, err[0] = strconv.ParseInt(value(2, "seq"), 10, 64)
	p.Index, err[1] = strconv.ParseInt(value(3, "index"), 10, 64)
	raw, err[2] = base64.StdEncoding.DecodeString(value(4, "leaf"))
	p.Time, err[3] = time.Parse(stampForm, value(5, "time"))
	p.Deadline, err[4] = time.Parse(stampForm, value(6, "deadline"))
	for _, e := range err {
		if e != nil {
			return Promise{}, bad
		}
	}
	if len(raw) != tlog.HashSize || p.Seq < 1 || p.Index < 1 {
		return Promise{}, bad
	}
	if p.Leaf = tlog.Hash(raw); p.text() != text {
		return Promise{}, bad
	}
	return p, nil
}

// Header is the promise in one line, base64 of its note, for the HTTP header Scrim-Receipt.
func (p Promise) Header() string { return base64.StdEncoding.EncodeToString(p.Note) }

// ParseHeader is [ParsePromise] of what [Promise.Header] returned.
func ParseHeader(value, log string, keys ...ed25519.PublicKey) (Promise, error) {
	if len(value) > 2*maxText {
		return Promise{}, fmt.Errorf("%w: it is too large", ErrForm)
	}
	signed, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return Promise{}, fmt.Errorf("%w: it is not base64", ErrForm)
	}
	return ParsePromise(signed, log, keys...)
}

// Kept returns nil if the proof keeps the promise: the promised hash is in the promised place of the promised tree. Otherwise it is an [ErrBroken].
// That the proof came in time it cannot tell; its checkpoint says when, if witnesses cosigned it.
func (p Promise) Kept(by Proof) error {
	if by.Checkpoint.Origin != p.Origin {
		return fmt.Errorf("%w: it is of another tree", ErrBroken)
	}
	if by.Index != p.Index {
		return fmt.Errorf("%w: leaf %d was promised, and leaf %d is proven", ErrBroken, p.Index, by.Index)
	}
	if err := by.Verify(p.Leaf); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}
