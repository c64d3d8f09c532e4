package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/policy/change"
)

// Rules is how the rules that decide are changed. All fields are needed.
type Rules struct {
	Office *governance.Office
	Apply  func(ctx context.Context) error                // puts in force what is due
	Status func(ctx context.Context) (RulesStatus, error) // without its version
}

// RulesStatus is which rules are in force, and what is to be done about them.
type RulesStatus struct {
	Version governance.Version `json:"version"`
	Drift   []string           `json:"drift,omitempty"` // files on disk that differ
	Wrong   string             `json:"wrong,omitempty"` // why those on disk are no rules
	Waiting []WaitingRules     `json:"waiting,omitempty"`
	Reviews []governance.Due   `json:"reviews,omitempty"`
}

// WaitingRules is a proposal that is not in force, though it was approved and its date has come.
type WaitingRules struct {
	Proposal string `json:"proposal"`
	Why      string `json:"why"`
	Restart  bool   `json:"restart,omitempty"` // it waits for a restart; otherwise it is tried again
}

// DraftRules is what somebody proposes.
type DraftRules struct {
	Base       change.Digest `json:"base"`
	Rules      []byte        `json:"rules"` // as [PackRules] makes it
	Reason     string        `json:"reason"`
	Effective  time.Time     `json:"effective,omitzero"`
	Credential string        `json:"credential,omitempty"`
	Look       bool          `json:"look,omitempty"` // only say what it would be
}

// mostDraft bounds a draft's body: rules as they are packed, in base64.
const mostDraft = 48 << 20

var errPacked = errors.New("the rules cannot be read")

// PackRules makes the form in which rules are sent.
func PackRules(rs change.RuleSet) ([]byte, error) {
	plain, err := rs.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(plain)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// UnpackRules reads what [PackRules] made. What would take more room than rules may is refused before it does.
func UnpackRules(packed []byte) (change.RuleSet, error) {
	const most = change.MaxBytes + change.MaxBytes/4
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return change.RuleSet{}, errPacked
	}
	plain, err := io.ReadAll(io.LimitReader(z, most+1))
	if err != nil || len(plain) > most {
		return change.RuleSet{}, errPacked
	}
	return change.ParseRuleSet(plain)
}

// ProposeRules makes a proposal, or says what it would be.
func ProposeRules(ctx context.Context, r *Rules, q DraftRules) (p change.Proposal, err error) {
	d := governance.Draft{Base: q.Base, Reason: q.Reason, Effective: q.Effective, Credential: flow.NewSecret(q.Credential)}
	if d.Rules, err = UnpackRules(q.Rules); err != nil {
		return p, err
	}
	if q.Look {
		return r.Office.Look(ctx, d)
	}
	return r.Office.Propose(ctx, d)
}

// OfRules names a proposal, or a version, for whoever has the credential; "": the operator.
type OfRules struct {
	ID         string        `json:"id,omitempty"`
	Version    int64         `json:"version,omitempty"`
	Digest     change.Digest `json:"digest,omitzero"` // that is approved
	Reason     string        `json:"reason,omitempty"`
	Effective  time.Time     `json:"effective,omitzero"`
	Credential string        `json:"credential,omitempty"`
	Ended      bool          `json:"ended,omitempty"` // proposals that ended
	What       string        `json:"what,omitempty"`  // that was reviewed
}

func (q OfRules) credential() flow.Secret { return flow.NewSecret(q.Credential) }

// ShowRulesStatus says which rules are in force.
func ShowRulesStatus(ctx context.Context, r *Rules, _ OfRules) (RulesStatus, error) {
	s, err := r.Status(ctx)
	v, _, ok := r.Office.Running()
	if err == nil && !ok {
		err = governance.ErrNone
	}
	s.Version = v
	return s, err
}

// ListProposals lists proposals under way, or those that ended.
func ListProposals(ctx context.Context, r *Rules, q OfRules) ([]change.Proposal, error) {
	all, err := r.Office.Proposals(ctx, q.Ended)
	if all == nil {
		all = []change.Proposal{}
	}
	return all, err
}

// ShownRules is a proposal, or a version, with both sides of what it changes.
type ShownRules struct {
	Proposal change.Proposal     `json:"proposal,omitzero"`
	Version  governance.Version  `json:"version,omitzero"`
	Changes  []change.FileChange `json:"changes"`           // from its base, or from the version before
	Gone     bool                `json:"gone,omitempty"`    // what it would have changed is not kept: nothing of it came into force
	Missing  string              `json:"missing,omitempty"` // what approvals are missing
}

// ShowRules shows a proposal or a version.
func ShowRules(ctx context.Context, r *Rules, q OfRules) (s ShownRules, err error) {
	var from, to change.Digest
	if q.ID != "" {
		if s.Proposal, err = r.Office.Proposal(ctx, q.ID); err != nil {
			return s, err
		}
		from, to = s.Proposal.Base, s.Proposal.Digest
		if missing := r.Office.Missing(s.Proposal); missing != nil && s.Proposal.State == change.Open {
			s.Missing = missing.Error()
		}
	} else {
		if s.Version, err = r.Office.Version(ctx, q.Version); err != nil {
			return s, err
		}
		to = s.Version.Digest
		if q.Version > 1 {
			before, err := r.Office.Version(ctx, q.Version-1)
			if err != nil {
				return s, err
			}
			from = before.Digest
		}
	}
	var old change.RuleSet
	if !from.IsZero() {
		if old, err = r.Office.RuleSet(ctx, from); err != nil {
			return s, err
		}
	}
	now, err := r.Office.RuleSet(ctx, to)
	if errors.Is(err, governance.ErrGone) && q.ID != "" && s.Proposal.State.Ended() && s.Proposal.State != change.Active {
		s.Gone, s.Changes = true, []change.FileChange{}
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Changes = change.Diff(old, now)
	return s, nil
}

// ApproveRules adds an approval, and puts the rules in force if no more are needed and the date has come.
func ApproveRules(ctx context.Context, r *Rules, q OfRules) (change.Proposal, error) {
	p, err := r.Office.Approve(ctx, q.ID, q.Digest, q.credential())
	if err != nil || p.State != change.Approved {
		return p, err
	}
	if err := r.Apply(ctx); err != nil {
		return p, err
	}
	return r.Office.Proposal(ctx, p.ID)
}

// RejectRules ends a proposal by an approver's no.
func RejectRules(ctx context.Context, r *Rules, q OfRules) (change.Proposal, error) {
	return r.Office.Reject(ctx, q.ID, q.Reason, q.credential())
}

// WithdrawRules ends a proposal by its author.
func WithdrawRules(ctx context.Context, r *Rules, q OfRules) (change.Proposal, error) {
	return r.Office.Withdraw(ctx, q.ID, q.credential())
}

// BackRules proposes to go back to an earlier version.
func BackRules(ctx context.Context, r *Rules, q OfRules) (change.Proposal, error) {
	return r.Office.Back(ctx, q.Version, governance.Draft{Reason: q.Reason, Effective: q.Effective, Credential: q.credential()})
}

// RulesHistory lists the versions, the newest first, after it was seen that the log knows of no later one.
func RulesHistory(ctx context.Context, r *Rules, _ OfRules) ([]governance.Version, error) {
	if err := errors.Join(r.Office.Verify(ctx), r.Office.VerifyNewest(ctx)); err != nil {
		return nil, err
	}
	return r.Office.History(ctx, 0)
}

// ReviewRules puts a review on record.
func ReviewRules(ctx context.Context, r *Rules, q OfRules) (struct{}, error) {
	return struct{}{}, r.Office.Reviewed(ctx, q.What, q.Reason, q.credential())
}

func (a *API) governance() {
	const none = "this gateway keeps no versions of its rules"
	a.guarded("POST /api/v1/rules/propose", func(w http.ResponseWriter, r *http.Request) {
		var q DraftRules
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostDraft))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			fail(w, http.StatusBadRequest, "the body is not what this call takes")
			return
		}
		if a.opt.Rules == nil {
			fail(w, http.StatusNotFound, none)
			return
		}
		p, err := ProposeRules(r.Context(), a.opt.Rules, q)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		answer(w, p)
	})
	partCall(a, "/api/v1/rules/status", a.opt.Rules, none, ShowRulesStatus)
	partCall(a, "/api/v1/rules/proposals", a.opt.Rules, none, ListProposals)
	partCall(a, "/api/v1/rules/show", a.opt.Rules, none, ShowRules)
	partCall(a, "/api/v1/rules/approve", a.opt.Rules, none, ApproveRules)
	partCall(a, "/api/v1/rules/reject", a.opt.Rules, none, RejectRules)
	partCall(a, "/api/v1/rules/withdraw", a.opt.Rules, none, WithdrawRules)
	partCall(a, "/api/v1/rules/rollback", a.opt.Rules, none, BackRules)
	partCall(a, "/api/v1/rules/history", a.opt.Rules, none, RulesHistory)
	partCall(a, "/api/v1/rules/review", a.opt.Rules, none, ReviewRules)
}
