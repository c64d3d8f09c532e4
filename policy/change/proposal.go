package change

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Operator is who has no credential of an approver: whoever can use the admin API, or the data directory.
const Operator = "operator"

// DefaultRequired is how many people stand behind a change that may reveal more, if nothing else is said.
const DefaultRequired = 2

// Errors a caller may act on.
var (
	ErrCredential = errors.New("credential is not one of an approver")
	ErrSame       = errors.New("who made a proposal that may reveal more cannot approve it")
	ErrTwice      = errors.New("the approver has approved it already")
	ErrDigest     = errors.New("the approval names another digest than the proposal has")
	ErrStale      = errors.New("the proposal was made on a base that is not in force any more")
	ErrState      = errors.New("the proposal is not open")
	ErrMissing    = errors.New("approvals are missing")
)

// State is how far a proposal is.
type State string

// The states. Open and Approved are under way; the others are ends.
const (
	Open      State = "open"      // waits for approvals
	Approved  State = "approved"  // waits for its date, or for a restart
	Active    State = "active"    // came into force
	Rejected  State = "rejected"  // an approver said no
	Withdrawn State = "withdrawn" // its author took it back
	Stale     State = "stale"     // another came into force first
	Expired   State = "expired"   // approvals did not come in time
	Failed    State = "failed"    // could not be put in force; the rules before stayed
)

// Ended reports whether nothing becomes of a proposal any more.
func (s State) Ended() bool { return s != Open && s != Approved }

// Approver may approve and reject.
type Approver struct {
	Name   string
	SHA256 [32]byte // of the credential
	Roles  []string
}

// Rules say who must agree.
type Rules struct {
	Approvers []Approver
	Required  int           // people behind a change that may reveal more, its author among them if they have a credential; less than 2: 2
	Roles     []string      // each must be held by somebody among them
	Expire    time.Duration // how long a proposal is open; 0: for ever
}

// Who returns the approver of a credential. None is the [Operator]; another one that nobody has is an [ErrCredential].
func (r Rules) Who(credential flow.Secret) (Approver, error) {
	if credential.IsZero() {
		return Approver{Name: Operator}, nil
	}
	sum := sha256.Sum256([]byte(credential.Expose()))
	found := Approver{}
	for _, a := range r.Approvers {
		if subtle.ConstantTimeCompare(sum[:], a.SHA256[:]) == 1 {
			found = a
		}
	}
	if found.Name == "" || found.Name == Operator {
		return Approver{}, ErrCredential
	}
	return found, nil
}

// Named returns the approver of a name, for whoever proved it otherwise than by the credential. The [Operator] and names that nobody has are an [ErrCredential].
func (r Rules) Named(name string) (Approver, error) {
	i := slices.IndexFunc(r.Approvers, func(a Approver) bool { return a.Name == name })
	if i < 0 || name == "" || name == Operator {
		return Approver{}, ErrCredential
	}
	return r.Approvers[i], nil
}

// holds reports whether the name still has the credential.
func (r Rules) holds(name string, credential Digest) bool {
	return slices.ContainsFunc(r.Approvers, func(a Approver) bool { return a.Name == name && a.Name != Operator && Digest(a.SHA256) == credential })
}

// Approval is one approver's yes to one digest.
type Approval struct {
	By         string    `json:"by"`
	Credential Digest    `json:"credential"` // digest of the credential it was given with: one that was replaced counts no more
	Digest     Digest    `json:"digest"`     // of the rule set that was approved
	Time       time.Time `json:"time"`
}

// Proposal is a rule set that is to come into the place of another.
type Proposal struct {
	ID         string     `json:"id"`
	Base       Digest     `json:"base"`   // in force when it was made
	Digest     Digest     `json:"digest"` // of the rule set that is proposed
	Back       int64      `json:"back,omitempty"`
	Author     string     `json:"author"` // an approver's name, or [Operator]
	Credential Digest     `json:"credential,omitzero"`
	Reason     string     `json:"reason"`
	Made       time.Time  `json:"made"`
	Effective  time.Time  `json:"effective,omitzero"` // zero: as soon as it is approved
	State      State      `json:"state"`
	Ended      string     `json:"ended,omitempty"` // why it ended or waits
	Approvals  []Approval `json:"approvals,omitempty"`
	Reveals    bool       `json:"reveals"` // it may reveal more, or cannot be shown not to
	Why        string     `json:"why,omitempty"`
	Restart    bool       `json:"restart,omitempty"` // it changes what is fixed while a gateway runs
}

// Approve adds an approver's yes to the digest they looked at. Whoever made a proposal that may reveal more is refused.
func (p *Proposal) Approve(r Rules, by Approver, digest, inForce Digest, now time.Time) error {
	switch {
	case by.Name == Operator || by.Name == "":
		return ErrCredential
	case p.State != Open:
		return fmt.Errorf("%w: it is %s", ErrState, p.State)
	case digest != p.Digest:
		return ErrDigest
	case p.Base != inForce:
		return ErrStale
	case p.Reveals && (by.Name == p.Author || Digest(by.SHA256) == p.Credential):
		return ErrSame
	}
	for _, a := range p.Approvals {
		if (a.By == by.Name || a.Credential == Digest(by.SHA256)) && r.holds(a.By, a.Credential) {
			return ErrTwice
		}
	}
	p.Approvals = slices.DeleteFunc(slices.Clone(p.Approvals), func(a Approval) bool { return a.By == by.Name })
	p.Approvals = append(p.Approvals, Approval{By: by.Name, Credential: by.SHA256, Digest: digest, Time: now.UTC()})
	return nil
}

// Agreed returns nil if enough people stand behind it by the rules, and otherwise an [ErrMissing] that says what is missing. What counts is who is an
// approver now: of one who was taken off, or whose credential was replaced, neither approval nor authorship does.
func (p *Proposal) Agreed(r Rules) error {
	people := map[string]bool{}
	credentials := map[Digest]bool{}
	approvals := 0
	for _, a := range p.Approvals {
		if a.Digest != p.Digest || !r.holds(a.By, a.Credential) || p.Reveals && a.By == p.Author || people[a.By] || credentials[a.Credential] {
			continue
		}
		people[a.By], credentials[a.Credential] = true, true
		approvals++
	}
	if approvals == 0 {
		return fmt.Errorf("%w: nobody has approved it", ErrMissing)
	}
	if !p.Reveals {
		return nil
	}
	if r.holds(p.Author, p.Credential) && !credentials[p.Credential] {
		people[p.Author] = true
	}
	if need := max(r.Required, DefaultRequired); len(people) < need {
		return fmt.Errorf("%w: %d of %d people stand behind it", ErrMissing, len(people), need)
	}
	var none []string
	for _, role := range r.Roles {
		if !slices.ContainsFunc(r.Approvers, func(a Approver) bool { return people[a.Name] && slices.Contains(a.Roles, role) }) {
			none = append(none, role)
		}
	}
	if len(none) > 0 {
		return fmt.Errorf("%w: none of them has the role %s", ErrMissing, strings.Join(none, ", "))
	}
	return nil
}

// Due reports whether its date has come.
func (p *Proposal) Due(now time.Time) bool { return p.Effective.IsZero() || !now.Before(p.Effective) }

// Late reports whether it was open for longer than the rules let it be.
func (p *Proposal) Late(r Rules, now time.Time) bool {
	return p.State == Open && r.Expire > 0 && now.Sub(p.Made) >= r.Expire
}

// End ends it. One that has ended stays as it is.
func (p *Proposal) End(s State, why string) error {
	if p.State.Ended() {
		return fmt.Errorf("%w: it is %s", ErrState, p.State)
	}
	p.State, p.Ended = s, why
	return nil
}

// Order is in which order proposals come into force: by date, then by when they were made.
func Order(a, b Proposal) int {
	at := func(p Proposal) time.Time {
		if p.Effective.IsZero() {
			return p.Made
		}
		return p.Effective
	}
	return cmp.Or(at(a).Compare(at(b)), a.Made.Compare(b.Made), cmp.Compare(a.ID, b.ID))
}
