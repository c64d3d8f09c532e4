package deidentify

import (
	"errors"

	"github.com/scrimhq/scrim/flow"
)

// Value is one value as bytes: the content of a string (unescaped), the literal of a number, or "true" and "false".
// The text of Null is empty. A technique neither keeps nor changes the bytes.
type Value struct {
	Kind Kind
	Text []byte
}

// Technique changes one value. It is made once and used for many, and is safe for concurrent use.
type Technique interface {
	// Apply appends to dst what the value becomes and returns the longer slice and the kind of what was appended: [Null] and
	// nothing appended if the value is dropped. Subject is the value of the unit column in the value's row, nil where there is
	// none; techniques that do not need it ignore it. A null stays null, but for [Constant].
	//
	// With an error dst is returned as it was, with Null. Errors are [ErrForm], [ErrUncovered], [ErrSubject], [ErrFull] and what a
	// key or memory returns; none holds the value, and none is made anew for each value.
	Apply(dst []byte, v Value, subject []byte) ([]byte, Kind, error)
	// Says tells what the technique preserves and what it still reveals.
	Says() Says
}

// Errors of a technique that meets a value it cannot change. The caller drops the value or stops; it never passes it on.
var (
	ErrForm      = errors.New("value does not have the form that the technique takes")
	ErrUncovered = errors.New("hierarchy does not cover the value")
	ErrSubject   = errors.New("technique needs the subject of the row and there is none")
	ErrFull      = errors.New("memory for stand-ins is full")
)

// ErrOptions is wrapped by the errors of constructors: the options make no technique.
var ErrOptions = errors.New("technique cannot be made so")

// Out says what comes out of a technique, so that a table's column can have the right type. The zero value is [OutText].
type Out uint8

// What comes out.
const (
	OutText Out = iota // text, whatever went in
	OutSame            // what went in: numbers stay numbers, dates dates
	OutNull            // nothing
)

// Says is what a technique says of itself: in plans, on docs/spec/deidentification.md, and beside a release.
type Says struct {
	Name           string // as plans call it: "drop", "shift-date"
	Does           string // one line, its parameters in it
	flow.Treatment        // the level and parameter it amounts to: it reveals no more than that. See [Says.Within]
	Preserves      []string
	Reveals        []string
	Threat         string // whom it stops and whom it does not
	Reversible     bool   // whoever may use the key gets the value back
	Joinable       bool   // equal values stay equal beyond one release: what was given at two times can be joined
	Subject        bool   // it needs the subject of each row
	Remembers      bool   // it keeps a memory of the run: an interrupted run cannot go on with another memory
	Random         bool   // two runs give two results
	Out            Out

	bounds []flow.Treatment // further treatments that it reveals no more than
}

// Within reports whether the technique, used on values of the class, reveals no more than the terms allow. A technique whose
// level is not of the class's family counts as raw: a token of a diagnosis, say, tells how often each diagnosis occurs.
func (s Says) Within(c flow.Class, terms flow.Treatment) bool {
	terms = c.Resolve(terms)
	for _, t := range append([]flow.Treatment{s.Treatment}, s.bounds...) {
		if !c.Family.Has(t.Level) || t.Level == flow.Generalized && (t.Param == "" || !c.Generalizes(t.Param)) {
			t = flow.Treatment{Level: flow.Raw}
		}
		if !c.Family.Reveals(t, terms) {
			return true
		}
	}
	return false
}

// Keys and memories that techniques use. Package vault has them: keys never leave it.
type (
	// Tokens mints one token a value, the same for the same value and scope.
	Tokens interface {
		// Token appends the value's token. Subject is the value of the unit column; nil: unknown.
		Token(dst, value, subject []byte) ([]byte, error)
	}
	// MAC is a keyed one-way function.
	MAC interface {
		// MAC appends the code of the message, at least 16 bytes.
		MAC(dst, message []byte) []byte
	}
	// Cipher permutes the strings of one length over an alphabet: FF1.
	Cipher interface {
		// Encrypt permutes the numerals in place, each below the radix. It returns an error for fewer or more than it takes.
		Encrypt(numerals []uint16) error
		// Decrypt reverses Encrypt.
		Decrypt(numerals []uint16) error
		// Radix is the size of the alphabet.
		Radix() int
	}
	// PRF is a keyed function that looks random to whoever has not the key.
	PRF interface {
		// Uint64 returns the number of the message.
		Uint64(message []byte) uint64
	}
)
