package governance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/policy/change"
)

// A session that knows who somebody is stands for the credential, and for no more: its owner is one pair of eyes, whichever way they come.
func TestWhoIsKnownByASessionIsOnePairOfEyes(t *testing.T) {
	r := begun(t)
	v, _, _ := r.Running()
	wide := ruleSet("govern ann bob eve", "permit permit")
	p, err := r.As("ann").Propose(t.Context(), governance.Draft{Base: v.Digest, Rules: wide, Reason: "more"})
	if err != nil || p.Author != "ann" || !p.Reveals {
		t.Fatalf("proposed by a session: %+v, %v", p, err)
	}
	for who, want := range map[string]error{"ann": change.ErrSame, "mallory": change.ErrCredential, "": change.ErrCredential, change.Operator: change.ErrCredential} {
		_, err := r.As(who).Approve(t.Context(), p.ID, p.Digest)
		r.want(err, want)
	}
	_, err = r.Approve(t.Context(), p.ID, p.Digest, secret("ann"))
	r.want(err, change.ErrSame)
	if p, err = r.As("bob").Approve(t.Context(), p.ID, p.Digest); err != nil || p.State != change.Approved {
		t.Fatalf("approved by another session: %+v, %v", p, err)
	}
	if _, err := r.Approve(t.Context(), p.ID, p.Digest, secret("bob")); err == nil {
		t.Error("bob approved twice, by session and by credential")
	}
	if err := r.As("bob").Reviewed(t.Context(), "policies", "looked"); err != nil || !strings.Contains(r.said(), "reviewed bob") {
		t.Errorf("review: %v, %s", err, r.said())
	}
	_, err = r.As("eve").Withdraw(t.Context(), p.ID)
	r.want(err, governance.ErrAuthor)
	if p, err = r.As("eve").Reject(t.Context(), p.ID, "no"); err != nil || p.State != change.Rejected {
		t.Errorf("rejected: %+v, %v", p, err)
	}
}

// An approval by a session is bound to the credential that the name had: who replaces it takes the approval back.
func TestApprovalBySessionEndsWithTheCredential(t *testing.T) {
	r := begun(t)
	v, _, _ := r.Running()
	p, err := r.As("ann").Propose(t.Context(), governance.Draft{Base: v.Digest, Rules: ruleSet("govern ann bob eve", "permit permit"), Reason: "more", Effective: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = r.As("bob").Approve(t.Context(), p.ID, p.Digest); err != nil {
		t.Fatal(err)
	}
	c, _ := check(first)
	c.Rules.Approvers[1].SHA256[0] ^= 1
	r.Run(v, first, c)
	if err := r.Missing(p); !errors.Is(err, change.ErrMissing) {
		t.Errorf("missing with another credential of bob's = %v", err)
	}
}
