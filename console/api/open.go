package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// OpenRequest asks for the value behind a token, for an agent to see.
type OpenRequest struct {
	Token       string           `json:"token"`
	As          flow.AgentID     `json:"as"` // whose eyes it is for
	Purpose     flow.Purpose     `json:"purpose,omitempty"`
	Criticality flow.Criticality `json:"criticality"`
}

// Opening is what became of it. Without Value it was refused; unknown, erased and one-way tokens and a refusal by
// policy look alike but for the reason.
type Opening struct {
	Value     string          `json:"value,omitempty"`
	Label     flow.Label      `json:"label,omitempty"`
	MintedFor flow.DomainID   `json:"minted_for,omitempty"`
	Policies  []flow.PolicyID `json:"policies,omitempty"`
	Reason    string          `json:"reason"`
	Reference flow.ID         `json:"reference"` // of the row in the journal
}

// ErrAgent is the error of an agent that is not configured.
var ErrAgent = errors.New("no such agent in the configuration")

// OpenToken resolves a token if the policy action open permits the agent to see the value. Whatever the answer, it is
// on record before OpenToken returns it.
func OpenToken(ctx context.Context, l Ledger, s *gateway.Snapshot, req OpenRequest) (Opening, error) {
	agent := s.Agents[req.As]
	if agent == nil {
		return Opening{}, fmt.Errorf("%q: %w", req.As, ErrAgent)
	}
	f := flow.Flow{
		ID: gateway.NewFlowID(), From: flow.Party{Domain: s.Domain}, To: agent.Party, Purpose: req.Purpose,
		Task: flow.Task{Criticality: req.Criticality}, Protocol: "admin", Method: "token/open", Direction: flow.Response,
	}
	out := Opening{Reference: f.ID}
	opened, err := l.Vault.Resolve(ctx, req.Token)
	switch {
	case errors.Is(err, vault.ErrNoToken):
		out.Reason = "there is no such token, or it cannot be opened"
	case err != nil:
		return Opening{}, fmt.Errorf("resolving a token: %w", err)
	default:
		f.From.Domain = opened.Recipient // the token comes back from whom it was minted for
		may, ids, reason, err := s.Policy.MayOpen(policy.OpenQuery{Query: policy.Query{Flow: f}, Label: opened.Label, MintedFor: opened.Recipient})
		if err != nil {
			return Opening{}, fmt.Errorf("asking the policies: %w", err)
		}
		out.Policies, out.Reason = ids, reason
		if may {
			out.Value, out.Label, out.MintedFor = opened.Value.Expose(), opened.Label, opened.Recipient
		}
	}
	ev := flow.Event{
		Time: time.Now(), Flow: f, Outcome: flow.Refused, Reason: "token not opened: " + out.Reason, Policies: out.Policies,
		PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash,
	}
	if out.Label != "" {
		ev.Outcome, ev.Reason = flow.Released, "token opened"
		ev.Levels = []flow.LevelCount{{Label: out.Label, Level: flow.Raw, By: flow.ByPolicy, Count: 1}}
	}
	if err := l.append(ctx, ev); err != nil {
		return Opening{}, err
	}
	return out, nil
}

func (l Ledger) append(ctx context.Context, ev flow.Event) error {
	err := l.DB.Update(ctx, func(tx store.Tx) error {
		_, err := l.Journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return fmt.Errorf("putting it on record: %w", err)
	}
	return nil
}

func (a *API) openToken(w http.ResponseWriter, r *http.Request) {
	var req OpenRequest
	if !read(w, r, &req) {
		return
	}
	out, err := OpenToken(r.Context(), a.opt.Ledger, a.opt.Snapshot(), req)
	if err != nil {
		fail(w, statusOf(err), err.Error())
		return
	}
	answer(w, out)
}

func statusOf(err error) int {
	if errors.Is(err, ErrAgent) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}
