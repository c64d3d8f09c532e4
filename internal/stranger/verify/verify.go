// Package verify checks transparency logs in the C2SP tlog-tiles form, from their files alone.
//
// It is written apart from the program that writes such logs and shares no code with it: a mistake there is not repeated
// here. It trusts the keys it was given and nothing else; whoever keeps the log, or serves it, is taken to be lying.
//
// Formats: c2sp.org/tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature (Ed25519), tlog-proof, tlog-policy; hashes as
// in RFC 6962, section 2.1.
package verify

import (
	"errors"
	"fmt"
)

// Kinds of failure. All but [Early], [Unreadable] and [Misused] mean that what was checked is not what the log's keeper promised.
const (
	Signature  = "signature"  // not signed by the log's key, or a signature that does not fit
	Form       = "form"       // not in the form its format prescribes
	Quorum     = "quorum"     // fewer witnesses than demanded, or too long ago
	Rollback   = "rollback"   // the log is shorter than it was known to be
	Fork       = "fork"       // what was signed or seen before is no part of the log
	Entries    = "entries"    // entries and hash tiles do not fit each other
	Tiles      = "tiles"      // hash tiles do not fit each other, or the signed root
	Order      = "order"      // an entry that is not the one that belongs there
	Absent     = "absent"     // a promised entry that is not in the log
	Early      = "early"      // a promise whose deadline is not over
	Unreadable = "unreadable" // something could not be read, so nothing is known
	Misused    = "misused"    // what was asked makes no sense
)

// Failure says what does not fit, and where.
type Failure struct {
	Kind  string `json:"kind"`
	Where string `json:"where,omitempty"` // a file of the log, or an entry's place
	What  string `json:"what"`

	cause error
}

// Unwrap is what made a file unreadable.
func (f *Failure) Unwrap() error { return f.cause }

// Error implements error.
func (f *Failure) Error() string {
	if f.Where == "" {
		return f.Kind + ": " + f.What
	}
	return f.Kind + ": " + f.Where + ": " + f.What
}

func failed(kind, where, format string, args ...any) *Failure {
	return &Failure{Kind: kind, Where: where, What: fmt.Sprintf(format, args...)}
}

// AsFailure returns the failure that err is or holds; whatever else went wrong is [Unreadable].
func AsFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return failed(Unreadable, "", "%v", err)
}

// at gives a failure without a place its place.
func at(where string, err error) error {
	if f, ok := errors.AsType[*Failure](err); ok {
		if f.Where == "" {
			f.Where = where
		}
		return f
	}
	return &Failure{Unreadable, where, err.Error(), err}
}
