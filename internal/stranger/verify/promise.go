package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	promiseLine = "scrim.dev/promise@v1"
	promiseTime = "2006-01-02T15:04:05.000Z"
	maxPromise  = 64 << 10
)

// Promise is a log's word that an entry will be in its tree by the deadline (docs/spec/receipts.md).
type Promise struct {
	Origin         string
	Seq, Index     int64
	Leaf           tlog.Hash
	Time, Deadline time.Time
}

// OpenPromise checks a signed promise, or its base64 as the header Scrim-Receipt has it. It returns a [Failure] of kind [Form] or [Signature].
func (p *Policy) OpenPromise(signed []byte) (Promise, error) {
	if len(signed) > maxPromise {
		return Promise{}, failed(Form, "", "promise is larger than 64 KiB")
	}
	if raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(signed))); err == nil {
		signed = raw
	}
	lines := strings.SplitN(string(signed), "\n", 3)
	if len(lines) < 3 || lines[0] != promiseLine {
		return Promise{}, failed(Form, "", "it is no promise of version %s", promiseLine)
	}
	own := Policy{Keys: p.Keys} // witnesses promise nothing
	_, verifiers := own.verifiers(lines[1])
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		_, unverified := errors.AsType[*note.UnverifiedNoteError](err)
		_, invalid := errors.AsType[*note.InvalidSignatureError](err)
		if unverified || invalid {
			return Promise{}, failed(Signature, "", "promise is not signed by the log's key")
		}
		return Promise{}, failed(Form, "", "promise is no signed note")
	}
	return parsePromise(n.Text)
}

func parsePromise(text string) (Promise, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 8 || lines[7] != "" {
		return Promise{}, failed(Form, "", "promise has not seven lines")
	}
	p := Promise{Origin: lines[1]}
	for i, name := range []string{"seq", "index", "leaf", "time", "deadline"} {
		value, ok := strings.CutPrefix(lines[i+2], name+" ")
		var err error
		switch name {
		case "seq":
			p.Seq, err = count(value)
		case "index":
			p.Index, err = count(value)
		case "leaf":
			p.Leaf, err = parseHash(value)
		case "time":
			p.Time, err = stamp(value)
		case "deadline":
			p.Deadline, err = stamp(value)
		}
		if !ok || err != nil {
			return Promise{}, failed(Form, "", "its %s is not in its form", name)
		}
	}
	return p, nil
}

func count(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != s {
		return 0, errors.New("no number from 1 upwards")
	}
	return n, nil
}

func stamp(s string) (time.Time, error) {
	t, err := time.Parse(promiseTime, s)
	if err == nil && t.Format(promiseTime) != s {
		err = errors.New("not in its shortest form")
	}
	return t, err
}

// Kept checks a promise against the log. It returns a [Failure] of kind [Absent] if it is broken, and of kind [Early] if the entry
// is not there, and need not be yet.
func (l Log) Kept(ctx context.Context, p Promise, c Checkpoint, now time.Time) error {
	if c.Origin != p.Origin {
		return failed(Misused, "", "the promise is of %s, and this log is %s", short(p.Origin), short(c.Origin))
	}
	if p.Index >= c.Size {
		if now.Before(p.Deadline) {
			return failed(Early, "", "the entry is not in the log, which has until %s", p.Deadline.Format(time.RFC3339))
		}
		return failed(Absent, "", "the promise is broken: entry %d was due at %s, and the log has %d entries", p.Index, p.Deadline.Format(time.RFC3339), c.Size)
	}
	got, _, err := l.Included(ctx, c, p.Index)
	if err != nil {
		return err
	}
	if got != p.Leaf {
		return failed(Absent, "", "the promise is broken: the log holds another entry at %d, with leaf hash %v", p.Index, got)
	}
	return nil
}
