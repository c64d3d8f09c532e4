// Package detect finds personal data and secrets in text: e-mail addresses, telephone numbers, payment cards, IBANs, US social
// security numbers, network addresses, dates, web addresses, credentials, numbers that a cue word announces, and values that
// the caller already knows.
//
// One pass over the bytes proposes typed candidates and validators decide. It takes linear time whatever the text: what a
// position becomes depends on at most 64 bytes before it and fewer than [Holdback] bytes from it. A [Stream] therefore finds in
// a text that comes in pieces exactly what [Engine.Find] finds in the whole.
//
// Identifiers that say nothing by themselves (UUIDs, hashes, order numbers, versions, prices) are left alone.
package detect

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/flow"
)

// Holdback is how much text, in bytes, a candidate may need to be decided. What is longer is a long finding.
const Holdback = 256

// Types of finding. Long is a run of text without a cut, or a candidate, that reaches [Holdback] bytes: nobody looked into it.
const (
	Email      = "email"
	Phone      = "phone"
	Card       = "card"
	IBAN       = "iban"
	SSN        = "ssn"
	IP         = "ip"
	MAC        = "mac"
	Date       = "date"
	URL        = "url"
	Secret     = "secret"
	JWT        = "jwt"
	PrivateKey = "private-key"
	Record     = "record"
	Member     = "member"
	Claim      = "claim"
	Account    = "account"
	Passport   = "passport"
	Licence    = "licence"
	KnownValue = "known"
	Long       = "long"
)

// Finding is one place in a text that holds something to protect.
type Finding struct {
	Start, End int        // bytes of the text, End exclusive
	Type       string     // one of the types above
	Label      flow.Label // of the default taxonomy, or the known value's own
	Score      float64    // how sure, above 0 and at most 1
	By         string     // the rule that decided
	Known      string     // for a known value: its Text as given to NewKnownSet, whatever spelling or part was found
}

// Detector finds things in text. Findings are sorted and do not overlap. An error means that the text must not be released.
// Implementations are safe for concurrent use.
type Detector interface {
	Find(ctx context.Context, text string, known *KnownSet) ([]Finding, error)
}

// Options of an [Engine]. The zero value is the default.
type Options struct {
	// Taxonomy ranks labels where one finding holds others, such as a web address with an e-mail address in it. Nil: the default one.
	Taxonomy *flow.Taxonomy
}

// Engine is the built-in detector. It is immutable and safe for concurrent use.
type Engine struct {
	tax *flow.Taxonomy
}

var _ Detector = (*Engine)(nil)

// New returns an engine.
func New(opt Options) (*Engine, error) {
	if opt.Taxonomy == nil {
		opt.Taxonomy = flow.DefaultTaxonomy()
	}
	return &Engine{tax: opt.Taxonomy}, nil
}

// Find returns what is in the text, sorted by place and not overlapping. Known may be nil. It takes time linear in the text.
// The only error is that of a ctx that is done, and with it come no findings.
func (e *Engine) Find(ctx context.Context, text string, known *KnownSet) ([]Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, errors.ErrUnsupported
}

// Stream returns a detector for one text that comes in chunks. Known may be nil.
func (e *Engine) Stream(known *KnownSet) *Stream { return &Stream{} }

// Piece is part of a stream's text, in order. Without Finding it is text in which nothing was found.
type Piece struct {
	Text    string   // the bytes; empty if Long
	Finding *Finding // places count from the start of the stream
	Long    bool     // the finding's text was swallowed unread and is gone; a placeholder must stand for it
}

// Stream finds things in a text that comes in chunks. Pieces do not depend on where the chunks are cut, other than that plain
// text comes in more or fewer pieces, and the findings are those that [Engine.Find] gives for the whole text. It holds fewer
// than [Holdback] bytes back. It is for one goroutine.
type Stream struct{}

// Write takes the next chunk, which may end within a rune, and returns what is decided by now.
func (s *Stream) Write(chunk string) []Piece { return nil }

// Close ends the text and returns the rest. Nothing may be written afterwards.
func (s *Stream) Close() []Piece { return nil }

// Held returns how many bytes were taken and neither returned nor swallowed.
func (s *Stream) Held() int { return 0 }

// Known is a value to look for, such as a name that was found elsewhere in the same task.
type Known struct {
	Text  string
	Label flow.Label
}

// KnownSet is an immutable set of values to look for. It is safe for concurrent use.
type KnownSet struct{}

// ErrTooMany says that there are more known values, or longer ones, than a set takes.
var ErrTooMany = errors.New("too many known values")

// NewKnownSet compiles the values.
func NewKnownSet(vals []Known) (*KnownSet, error) { return &KnownSet{}, nil }

// HintLabel returns the label that a member's name suggests ("email", "ssn", "phoneNumber", "dob"), whatever its case and
// separators. It is a prior for members that no schema declares, never a reason to reveal more.
func HintLabel(member string) (flow.Label, bool) { return "", false }
