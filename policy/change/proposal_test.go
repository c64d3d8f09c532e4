package change_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	base = change.Digest{1}
	next = change.Digest{2}
)

func approver(name string, roles ...string) change.Approver {
	return change.Approver{Name: name, SHA256: sha256.Sum256([]byte("secret of " + name)), Roles: roles}
}

func rules(names ...string) (r change.Rules) {
	for _, n := range names {
		r.Approvers = append(r.Approvers, approver(n))
	}
	return r
}

func proposal(author string, reveals bool) change.Proposal {
	p := change.Proposal{ID: "p", Base: base, Digest: next, Author: author, Made: noon, State: change.Open, Reveals: reveals}
	if author != change.Operator {
		p.Credential = approver(author).SHA256
	}
	return p
}

func TestWhoseEyesCount(t *testing.T) {
	ann, bob, eve := approver("ann"), approver("bob"), approver("eve")
	twin := change.Approver{Name: "ann2", SHA256: ann.SHA256}
	three := rules("ann", "bob", "eve")
	for _, c := range []struct {
		name    string
		author  string
		reveals bool
		by      []change.Approver
		rules   change.Rules
		refused error // of the last approval
		agreed  bool
	}{
		{"a narrower change needs one", change.Operator, false, []change.Approver{ann}, three, nil, true},
		{"who may be its author", "ann", false, []change.Approver{ann}, three, nil, true},
		{"but must say so", "ann", false, nil, three, nil, false},
		{"a wider change of an approver needs another", "ann", true, []change.Approver{bob}, three, nil, true},
		{"not the author", "ann", true, []change.Approver{ann}, three, change.ErrSame, false},
		{"nor the author by another name", "ann", true, []change.Approver{twin}, three, change.ErrSame, false},
		{"one of the operator needs two", change.Operator, true, []change.Approver{bob}, three, nil, false},
		{"two", change.Operator, true, []change.Approver{bob, eve}, three, nil, true},
		{"not one twice", change.Operator, true, []change.Approver{bob, bob}, three, change.ErrTwice, false},
		{"nor by two names", change.Operator, true, []change.Approver{ann, twin}, three, change.ErrTwice, false},
		{"the operator approves nothing", "ann", true, []change.Approver{{Name: change.Operator}}, three, change.ErrCredential, false},
		{"one who was taken off counts no more", "ann", true, []change.Approver{bob}, rules("ann", "eve"), nil, false},
		{"nor does an author who was", "ann", true, []change.Approver{bob}, rules("bob", "eve"), nil, false},
		{"three where three are required", "ann", true, []change.Approver{bob}, change.Rules{Approvers: three.Approvers, Required: 3}, nil, false},
		{"required is never less than two", change.Operator, true, []change.Approver{bob}, change.Rules{Approvers: three.Approvers, Required: 1}, nil, false},
		{"a role that nobody has is missing", "ann", true, []change.Approver{bob}, change.Rules{Approvers: three.Approvers, Roles: []string{"privacy"}}, nil, false},
		{"a role that one has is not", "ann", true, []change.Approver{bob}, change.Rules{Approvers: []change.Approver{ann, approver("bob", "privacy")}, Roles: []string{"privacy"}}, nil, true},
	} {
		p := proposal(c.author, c.reveals)
		var err error
		for _, by := range c.by {
			err = p.Approve(change.Rules{Approvers: append(three.Approvers, twin)}, by, next, base, noon)
		}
		if !errors.Is(err, c.refused) {
			t.Errorf("%s: approval = %v, want %v", c.name, err, c.refused)
		}
		if err := p.Agreed(c.rules); (err == nil) != c.agreed {
			t.Errorf("%s: Agreed = %v, want agreed %v", c.name, err, c.agreed)
		} else if err != nil && !errors.Is(err, change.ErrMissing) {
			t.Errorf("%s: Agreed = %v, want ErrMissing", c.name, err)
		}
	}
}

func TestReplacedCredentialCountsNoMore(t *testing.T) {
	p := proposal("ann", true)
	if err := p.Approve(rules("ann", "bob"), approver("bob"), next, base, noon); err != nil {
		t.Fatal(err)
	}
	again := approver("bob")
	again.SHA256 = sha256.Sum256([]byte("another"))
	now := change.Rules{Approvers: []change.Approver{approver("ann"), again}}
	if err := p.Agreed(now); !errors.Is(err, change.ErrMissing) {
		t.Errorf("Agreed by a credential that was replaced = %v, want ErrMissing", err)
	}
	if err := p.Approve(now, again, next, base, noon); err != nil || p.Agreed(now) != nil || len(p.Approvals) != 1 {
		t.Errorf("approval by the new credential: %v, %v, %d approvals", err, p.Agreed(now), len(p.Approvals))
	}
}

func TestApprovalIsBoundToWhatWasLookedAt(t *testing.T) {
	r := rules("ann", "bob")
	p := proposal("ann", true)
	for _, c := range []struct {
		name            string
		state           change.State
		digest, inForce change.Digest
		want            error
	}{
		{"another digest", change.Open, change.Digest{3}, base, change.ErrDigest},
		{"no digest", change.Open, change.Digest{}, base, change.ErrDigest},
		{"a stale base", change.Open, next, change.Digest{9}, change.ErrStale},
		{"one that was rejected", change.Rejected, next, base, change.ErrState},
		{"one that is in force", change.Active, next, base, change.ErrState},
		{"one that has its approvals", change.Approved, next, base, change.ErrState},
	} {
		p := p
		p.State = c.state
		if err := p.Approve(r, approver("bob"), c.digest, c.inForce, noon); !errors.Is(err, c.want) || len(p.Approvals) != 0 {
			t.Errorf("approval of %s = %v, want %v", c.name, err, c.want)
		}
	}
	// An approval that was moved from another proposal's row counts nothing.
	p.Approvals = []change.Approval{{By: "bob", Credential: approver("bob").SHA256, Digest: change.Digest{7}}}
	if err := p.Agreed(r); !errors.Is(err, change.ErrMissing) {
		t.Errorf("Agreed by an approval of another digest = %v, want ErrMissing", err)
	}
}

func TestCredentialNamesItsApprover(t *testing.T) {
	r := rules("ann", "bob")
	r.Approvers = append(r.Approvers, change.Approver{Name: change.Operator, SHA256: sha256.Sum256([]byte("x"))})
	for text, want := range map[string]string{"secret of bob": "bob", "": change.Operator, "secret of eve": "", "x": ""} {
		got, err := r.Who(flow.NewSecret(text))
		if got.Name != want || (want == "") != errors.Is(err, change.ErrCredential) {
			t.Errorf("Who = %q, %v, want %q", got.Name, err, want)
		}
	}
}

func TestProposalsComeInOrderOfTheirDates(t *testing.T) {
	p := proposal("ann", false)
	if !p.Due(noon) || p.Late(change.Rules{}, noon.AddDate(9, 0, 0)) || !p.Late(change.Rules{Expire: time.Hour}, noon.Add(time.Hour)) {
		t.Error("one without a date is due at once, and late only where the rules say so")
	}
	p.Effective = noon.Add(time.Hour)
	if p.Due(noon) || !p.Due(p.Effective) {
		t.Error("one with a date is due from then on")
	}
	q := proposal("bob", false)
	q.ID, q.Made = "q", noon.Add(time.Minute)
	if change.Order(q, p) >= 0 || change.Order(p, q) <= 0 {
		t.Error("one that is due at once comes after one with a later date")
	}
	if err := p.End(change.Withdrawn, ""); err != nil || !errors.Is(p.End(change.Active, ""), change.ErrState) {
		t.Error("a proposal ends once")
	}
}
