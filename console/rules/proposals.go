package rules

import (
	"context"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/policy/change"
)

// Step is what an approver says. An empty credential is whom the session knows its owner as.
type Step struct {
	Digest     change.Digest `json:"digest,omitzero"` // of the rules that were looked at
	Reason     string        `json:"reason,omitempty"`
	Credential string        `json:"credential,omitempty"`
}

// Return is a way back to an earlier version.
type Return struct {
	Version    int64     `json:"version"`
	Reason     string    `json:"reason"`
	Effective  time.Time `json:"effective,omitzero"`
	Credential string    `json:"credential,omitempty"`
}

// Looked is what somebody looked at again.
type Looked struct {
	What       string `json:"what"` // policies, budgets, or a contract's id
	Reason     string `json:"reason"`
	Credential string `json:"credential,omitempty"`
}

// About implements [page.Subject].
func (l Looked) About() string { return l.What }

// Shown is a proposal with both sides. Of the configuration itself only stewards see the lines.
type Shown struct {
	api.ShownRules
	Waiting string `json:"waiting,omitempty"` // why it is not in force, though it was approved
	Restart bool   `json:"restart,omitempty"` // it waits for one
	Hidden  int    `json:"hidden,omitempty"`  // files whose lines this role does not see
	Known   string `json:"-"`                 // as which approver the session knows its owner
}

func (p *pages) addProposals(g *page.Group) {
	page.Add(g, page.Page[[]change.Proposal]{
		Path: "/policies/proposals", Title: "Proposals", Template: "proposals.html", Role: page.Viewer, Summary: "Proposals that are under way, or that ended.",
		Query: []page.Param{{Name: "ended", What: "true: those that ended"}},
		Model: keptPage(p, func(ctx context.Context, r *page.Request) ([]change.Proposal, error) {
			all, err := api.ListProposals(ctx, p.opt.Rules, api.OfRules{Ended: r.Q("ended") == "true"})
			return all, told(err)
		}),
	})
	page.Add(g, page.Page[Shown]{
		Path: "/policies/proposals/{id}", Title: "Proposal", Template: "proposal.html", Role: page.Viewer,
		Summary: "A proposal with every line that differs, who approved it and whose approval is missing.", Model: keptPage(p, p.proposal),
	})
	then := func(_ Step, c change.Proposal) string { return "/policies/proposals/" + c.ID }
	step := func(verb, title, summary string, role page.Role, do func(context.Context, *page.Request, Step) (change.Proposal, error)) {
		page.Do(g, page.Action[Step, change.Proposal]{
			Path: "/policies/proposals/{id}/" + verb, Name: "console/" + verb, Title: title, Summary: summary, Role: role, Then: then,
			Do: kept(p, func(ctx context.Context, r *page.Request, in Step) (change.Proposal, error) {
				c, err := do(ctx, r, in)
				return c, told(err)
			}),
		})
	}
	step("approve", "Approve a proposal", "Approves a proposal by an approver of the rules in force, who is not its author where it may reveal more.", page.Steward, p.approve)
	step("reject", "Reject a proposal", "Ends a proposal by an approver's no.", page.Steward, p.reject)
	step("withdraw", "Withdraw a proposal", "Ends a proposal by its author.", page.Steward, p.withdraw)
	page.Do(g, page.Action[Return, change.Proposal]{
		Path: "/policies/rollback", Name: "console/rollback", Title: "Propose to go back", Summary: "Proposes an earlier version in the place of the rules in force.", Role: page.Steward,
		Then: func(_ Return, c change.Proposal) string { return "/policies/proposals/" + c.ID }, Do: kept(p, p.back),
	})
	page.Do(g, page.Action[Looked, Looked]{
		Path: "/policies/review", Name: "console/review", Title: "Put a review on record", Summary: "Says that an approver looked again at something in force.", Role: page.Steward,
		Then: func(Looked, Looked) string { return "/policies" }, Do: kept(p, p.review),
	})
}

func (p *pages) proposal(ctx context.Context, r *page.Request) (s Shown, err error) {
	if s.ShownRules, err = api.ShowRules(ctx, p.opt.Rules, api.OfRules{ID: r.PathValue("id")}); err != nil {
		return s, told(err)
	}
	s.Known = r.Who.Approver
	if !r.Who.May(page.Steward) {
		kept := s.Changes[:0]
		for _, c := range s.Changes {
			if c.Name == change.Main {
				s.Hidden++
				continue
			}
			kept = append(kept, c)
		}
		s.Changes = kept
	}
	status, err := p.opt.Rules.Status(ctx)
	for _, w := range status.Waiting {
		if w.Proposal == s.Proposal.ID {
			s.Waiting, s.Restart = w.Why, w.Restart
		}
	}
	return s, told(err)
}

var errWho = page.Wrong("your session is of no approver: type an approver's credential")

// person is whom a session knows its owner as; ok is false where the credential that was typed says who it is.
func (p *pages) person(r *page.Request, credential string) (who governance.Person, ok bool) {
	return p.opt.Rules.Office.As(r.Who.Approver), credential == "" && r.Who.Approver != ""
}

func (p *pages) approve(ctx context.Context, r *page.Request, in Step) (change.Proposal, error) {
	id := r.PathValue("id")
	who, ok := p.person(r, in.Credential)
	if !ok {
		if in.Credential == "" {
			return change.Proposal{}, errWho
		}
		return api.ApproveRules(ctx, p.opt.Rules, api.OfRules{ID: id, Digest: in.Digest, Credential: in.Credential})
	}
	c, err := who.Approve(ctx, id, in.Digest)
	if err != nil || c.State != change.Approved {
		return c, err
	}
	if err := p.opt.Rules.Apply(ctx); err != nil {
		return c, err
	}
	return p.opt.Rules.Office.Proposal(ctx, id)
}

func (p *pages) reject(ctx context.Context, r *page.Request, in Step) (change.Proposal, error) {
	if who, ok := p.person(r, in.Credential); ok {
		return who.Reject(ctx, r.PathValue("id"), in.Reason)
	}
	if in.Credential == "" {
		return change.Proposal{}, errWho
	}
	return p.opt.Rules.Office.Reject(ctx, r.PathValue("id"), in.Reason, flow.NewSecret(in.Credential))
}

func (p *pages) withdraw(ctx context.Context, r *page.Request, in Step) (change.Proposal, error) {
	id := r.PathValue("id")
	if who, ok := p.person(r, in.Credential); ok {
		return who.Withdraw(ctx, id)
	}
	return p.opt.Rules.Office.Withdraw(ctx, id, flow.NewSecret(in.Credential))
}

func (p *pages) back(ctx context.Context, r *page.Request, in Return) (change.Proposal, error) {
	d := governance.Draft{Reason: in.Reason, Effective: in.Effective, Credential: flow.NewSecret(in.Credential)}
	if who, ok := p.person(r, in.Credential); ok {
		c, err := who.Back(ctx, in.Version, d)
		return c, told(err)
	}
	c, err := p.opt.Rules.Office.Back(ctx, in.Version, d)
	return c, told(err)
}

func (p *pages) review(ctx context.Context, r *page.Request, in Looked) (Looked, error) {
	out := Looked{What: in.What, Reason: in.Reason}
	if who, ok := p.person(r, in.Credential); ok {
		return out, told(who.Reviewed(ctx, in.What, in.Reason))
	}
	if in.Credential == "" {
		return out, errWho
	}
	return out, told(p.opt.Rules.Office.Reviewed(ctx, in.What, in.Reason, flow.NewSecret(in.Credential)))
}
