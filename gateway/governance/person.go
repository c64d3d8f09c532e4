package governance

import (
	"context"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
)

// whoever says who takes a step, by the rules in force.
type whoever func(change.Rules) (change.Approver, error)

func holder(credential flow.Secret) whoever {
	return func(r change.Rules) (change.Approver, error) { return r.Who(credential) }
}

// Person is an approver who was recognised by something else than the credential: by a session that began with it, or by an identity that configuration
// gives to one name. What they approve is bound to the credential that the rules in force have for the name, as if they had shown it: once it is replaced
// it counts no more.
type Person struct {
	office *Office
	name   string
}

// As is for a name that the caller has proof of. Steps by a name that no approver has are a [change.ErrCredential].
func (o *Office) As(name string) Person { return Person{o, name} }

func (p Person) who(r change.Rules) (change.Approver, error) { return r.Named(p.name) }

// Propose is [Office.Propose] by this person, whatever credential the draft has.
func (p Person) Propose(ctx context.Context, d Draft) (change.Proposal, error) {
	d.who = p.who
	return p.office.Propose(ctx, d)
}

// Back is [Office.Back] by this person.
func (p Person) Back(ctx context.Context, version int64, d Draft) (change.Proposal, error) {
	d.who = p.who
	return p.office.Back(ctx, version, d)
}

// Approve is [Office.Approve] by this person.
func (p Person) Approve(ctx context.Context, id string, digest change.Digest) (change.Proposal, error) {
	return p.office.approve(ctx, id, digest, p.who)
}

// Reject is [Office.Reject] by this person.
func (p Person) Reject(ctx context.Context, id, reason string) (change.Proposal, error) {
	return p.office.reject(ctx, id, reason, p.who)
}

// Withdraw is [Office.Withdraw] by this person.
func (p Person) Withdraw(ctx context.Context, id string) (change.Proposal, error) {
	return p.office.withdraw(ctx, id, p.who)
}

// Reviewed is [Office.Reviewed] by this person.
func (p Person) Reviewed(ctx context.Context, what, note string) error {
	return p.office.reviewed(ctx, what, note, p.who)
}
