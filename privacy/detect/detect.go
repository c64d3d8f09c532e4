// Package detect finds personal data and secrets in text: what has a form of its own (addresses, numbers, dates, credentials,
// and the numbers that states and registries of some forty countries give out, package idnumber), what a cue announces, values
// that the caller already knows, and names of people, places, organisations and professions in prose (package tag).
//
// One pass over the bytes proposes typed candidates and validators decide. What has a form depends on at most 64 bytes before it
// and fewer than [Holdback] bytes from it; a name on all that came before it and the two words after it. So a [Stream] finds in
// a text that comes in pieces what [Engine.Find] finds in the whole, but for names that only a later sentence gives away. All of
// it takes linear time whatever the text.
//
// Identifiers that say nothing by themselves (UUIDs, hashes, order numbers, versions) are left alone. Amounts of money,
// spans of time, times of day and weekdays alone say little and have scores of at most .5.
package detect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/tag"
)

// Holdback is how much text, in bytes, a candidate may need to be decided. What is longer is a long finding.
const Holdback = 256

// Types of finding.
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
	Crypto     = "crypto" // an address of a crypto-asset
	Device     = "device" // an identifier of a device
	Record     = "record" // a medical record or patient number
	Member     = "member" // a member, subscriber or policy number
	Claim      = "claim"
	Account    = "account"
	Passport   = "passport"
	Licence    = "licence" // a driver's
	KnownValue = "known"   // a value out of a KnownSet
	Age        = "age"
	Duration   = "duration"
	Clock      = "time-of-day"
	Amount     = "amount"  // of money
	Address    = "address" // of a street, a post-office box or a field post
	Postal     = "postal-code"
	Position   = "coordinates"
	Case       = "case-number"
	Plate      = "plate"
	Long       = "long" // a run of text without a cut, or a web address, of Holdback bytes or more: nobody looked into it
)

// Finding is one place in a text that holds something to protect.
type Finding struct {
	Start, End int        // bytes of the text, End exclusive
	Type       string     // one of the types above, or the name of an official number's kind, such as "pl-pesel"
	Label      flow.Label // of the default taxonomy, or the known value's own; [flow.Unlabelled] for Long
	Score      float64    // how sure, above 0 and at most 1
	By         string     // the rule that decided
	Known      string     // for a known value: its Text as given to NewKnownSet, whatever spelling or part of it was found
}

// Listed reports whether the finding is a value of a user's own list, which is always found.
func (f *Finding) Listed() bool { return strings.HasPrefix(f.By, listed) }

// Detector finds things in text. Findings are sorted and do not overlap. An error means that the text must not be released.
// Implementations are safe for concurrent use.
type Detector interface {
	Find(ctx context.Context, text string, known *KnownSet) ([]Finding, error)
}

// Options of an [Engine]. The zero value is the default.
type Options struct {
	// Taxonomy ranks labels where one finding holds others, such as a web address with an e-mail address in it. Nil: the default one.
	Taxonomy *flow.Taxonomy
	// Rules are the user's own. Nil: none.
	Rules *Rules
	// Languages are those of the texts: of the user's own types that are for certain languages, the others are left out. None: all.
	Languages []string
	// FormsOnly leaves out names: what has a form is found, and what is known.
	FormsOnly bool
}

// Engine is the built-in detector. It is immutable and safe for concurrent use.
type Engine struct {
	tax    *flow.Taxonomy
	tagger *tag.Tagger // nil: names are not looked for
	rules  *rules      // nil: none

	standIns map[string]bool // the words, in small letters, that stand-ins for values of the classes begin with
}

var _ Detector = (*Engine)(nil)

// New returns an engine. If the rules are wrong, the error joins a [*RuleError] for each mistake.
func New(opt Options) (*Engine, error) {
	if opt.Taxonomy == nil {
		opt.Taxonomy = flow.DefaultTaxonomy()
	}
	e := &Engine{tax: opt.Taxonomy, standIns: map[string]bool{}}
	for _, c := range opt.Taxonomy.All() {
		e.standIns[strings.ToLower(c.Word)] = true
	}
	if !opt.Rules.none() {
		r, wrongs := compile(opt.Rules, opt.Taxonomy, opt.Languages)
		if len(wrongs) > 0 {
			all := make([]error, len(wrongs))
			for i, w := range wrongs {
				all[i] = w
			}
			return nil, errors.Join(all...)
		}
		e.rules = r
	}
	if !opt.FormsOnly {
		e.tagger = tag.Default().WithStandIns(slices.Collect(maps.Keys(e.standIns)))
	}
	return e, nil
}

func (e *Engine) scanner(known *KnownSet) scanner {
	if known == nil {
		known = noKnown
	}
	return scanner{tax: e.tax, known: known, rules: e.rules}
}

// Find returns what is in the text, sorted by place and not overlapping. Known may be nil. It takes time linear in the text.
// The only error is that of a ctx that is done, and with it come no findings.
func (e *Engine) Find(ctx context.Context, text string, known *KnownSet) ([]Finding, error) {
	return e.find(ctx, text, known, false)
}

// find with causal finds what a [Stream] does.
func (e *Engine) find(ctx context.Context, text string, known *KnownSet, causal bool) ([]Finding, error) {
	out, err := e.AppendForms(ctx, nil, text, known)
	if err != nil {
		return nil, err
	}
	return e.names(ctx, out, 0, text, causal)
}

// AppendForms appends what has a form of its own, and what is known, and looks for no names: for values that are not prose.
// With an error it returns nil.
func (e *Engine) AppendForms(ctx context.Context, dst []Finding, text string, known *KnownSet) ([]Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := dst
	c := e.scanner(known)
	c.s, c.final = text, true
	for f := range c.all {
		out = append(room(out, f.Start, len(text)), f)
		if len(out)%256 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// room makes room for another finding, and if it must, for as many as there will be at the rate so far, the text being total
// bytes and read up to at.
func room(out []Finding, at, total int) []Finding {
	if len(out) < cap(out) {
		return out
	}
	rest := (len(out) + 1) * (total - at) / (at + 1)
	return slices.Grow(out, 4+min(rest+rest/8, 7*len(out)))
}
