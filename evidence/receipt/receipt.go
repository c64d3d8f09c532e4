// Package receipt is what a party takes home from a gateway: a promise that an entry will be in the log, and later the proof that it is.
//
// A [Promise] is given at the moment of a release, when the entry is on record but not in the published tree yet; it is signed
// by the log's key and binds the log to a place, a hash and a deadline, as a signed certificate timestamp does (RFC 6962, section 3.2). A [Proof] leads
// from the entry's hash to a signed checkpoint. It travels as text (https://c2sp.org/tlog-proof) with the checkpoint's
// cosignatures, or as a COSE receipt (RFC 9942). Whoever holds a promise past its deadline and gets no proof has shown that the
// log broke it.
//
// The forms are docs/spec/receipts.md.
package receipt

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/tile"
)

// Errors a caller may act on.
var (
	ErrForm      = errors.New("receipt is not in its form")
	ErrSignature = errors.New("receipt is not signed by the log's key")
	ErrProof     = errors.New("proof does not lead from the entry to the checkpoint")
	ErrBroken    = errors.New("promise is not kept by this proof")
)

const maxText = 64 << 10

// InLog reports whether a tree with this origin belongs to a log: it is the log's own, or that of one of its periods.
func InLog(origin, log string) bool {
	period, ok := strings.CutPrefix(origin, log)
	return ok && (period == "" || len(period) > 1 && period[0] == '/' && !strings.Contains(period[1:], "/"))
}

// openNote opens a note that one of the keys signed under the name of the tree; the tree must be the log's.
func openNote(signed []byte, origin, log string, keys []ed25519.PublicKey) (text string, err error) {
	if !InLog(origin, log) {
		return "", fmt.Errorf("%w: it is of another log", ErrSignature)
	}
	var list []note.Verifier
	for _, key := range keys {
		v, err := tile.NewVerifier(origin, key)
		if err != nil {
			return "", err
		}
		list = append(list, v)
	}
	n, err := note.Open(signed, note.VerifierList(list...))
	if err != nil {
		if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
			return "", ErrSignature
		}
		if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
			return "", ErrSignature
		}
		return "", fmt.Errorf("%w: it is not a signed note", ErrForm)
	}
	return n.Text, nil
}
