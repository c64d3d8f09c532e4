package trust

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/policy/contract"
)

// Freezes are what is at a halt, and the last that was.
type Freezes struct {
	Absent bool `json:"absent,omitempty"`
	api.Frozen
	Target string `json:"-"` // to begin with
}

// FreezeRequest names what is to be frozen or thawed, and why.
type FreezeRequest struct {
	Target string `json:"target"`
	Reason string `json:"reason"`
}

// About is the target.
func (f *FreezeRequest) About() string { return f.Target }

func (p *Pages) freezes(ctx context.Context, r *page.Request) (m Freezes, err error) {
	m.Target = r.Q("target")
	if p.Ledger.Freezes == nil {
		m.Absent = true
		return m, nil
	}
	m.Frozen, err = api.ListFrozen(ctx, p.Ledger)
	return m, err
}

func (p *Pages) freezing(do func(context.Context, api.Ledger, api.FreezeRequest) (freeze.Entry, error)) func(context.Context, *page.Request, FreezeRequest) (freeze.Entry, error) {
	return func(ctx context.Context, _ *page.Request, in FreezeRequest) (freeze.Entry, error) {
		if p.Ledger.Freezes == nil {
			return freeze.Entry{}, errAbsent
		}
		e, err := do(ctx, p.Ledger, api.FreezeRequest{Target: strings.TrimSpace(in.Target), Reason: strings.TrimSpace(in.Reason)})
		return e, told(err, freeze.ErrTarget, freeze.ErrReason, freeze.ErrOwn, freeze.ErrNotFrozen, freeze.ErrFull)
	}
}

func (p *Pages) addFreezes(g *page.Group) {
	page.Add(g, page.Page[Freezes]{
		Path: "/freezes", Title: "Freezes", Summary: "What is at a halt, since when and why, and what was.", Section: "/domains",
		Template: "freezes.html", Role: page.Viewer, Model: p.freezes, Query: []page.Param{{Name: "target", What: "to begin the form with"}},
	})
	then := func(FreezeRequest, freeze.Entry) string { return "/freezes" }
	page.Do(g, page.Action[FreezeRequest, freeze.Entry]{
		Path: "/freezes", Name: "console/freeze", Title: "Freeze", Role: page.Approver, Do: p.freezing(api.Freeze), Then: then,
		Summary: "Brings an agent, a domain or a dataset to a halt at once.",
	})
	page.Do(g, page.Action[FreezeRequest, freeze.Entry]{
		Path: "/freezes/thaw", Name: "console/thaw", Title: "Thaw", Role: page.Approver, Do: p.freezing(api.Thaw), Then: then,
		Summary: "Lets what was frozen go on.",
	})
}

// Contracts are what is negotiated and agreed with other domains.
type Contracts struct {
	Absent    bool               `json:"absent,omitempty"`
	Contracts []api.ContractView `json:"contracts"`
}

// ContractRequest names a negotiation, and exactly what was read.
type ContractRequest struct {
	Negotiation string `json:"negotiation"`
	ID          string `json:"id"`
}

// About is the negotiation.
func (c *ContractRequest) About() string { return c.Negotiation }

// ProposeRequest is a first offer.
type ProposeRequest struct {
	Peer  flow.DomainID `json:"peer"`
	Draft string        `json:"draft"` // JSON, as "scrim contract propose" takes it
}

// About is the other domain.
func (c *ProposeRequest) About() string { return string(c.Peer) }

func (p *Pages) contracts(ctx context.Context, _ *page.Request) (m Contracts, err error) {
	m.Contracts = []api.ContractView{}
	if p.Contracts == nil {
		m.Absent = true
		return m, nil
	}
	m.Contracts, err = api.ListContracts(ctx, p.Contracts, api.ContractRequest{})
	return m, err
}

func contractError(err error) error {
	if e, ok := errors.AsType[*contract.Error](err); ok {
		return page.Wrong("%v", e)
	}
	return told(err, offer.ErrNoNegotiation, offer.ErrTurn, offer.ErrOther, offer.ErrNoPeer, offer.ErrNoKey)
}

func (p *Pages) contract(do func(context.Context, *offer.Book, api.ContractRequest) (api.ContractView, error)) func(context.Context, *page.Request, ContractRequest) (api.ContractView, error) {
	return func(ctx context.Context, _ *page.Request, in ContractRequest) (api.ContractView, error) {
		if p.Contracts == nil {
			return api.ContractView{}, errAbsent
		}
		v, err := do(ctx, p.Contracts, api.ContractRequest{Negotiation: in.Negotiation, ID: in.ID})
		return v, contractError(err)
	}
}

func (p *Pages) propose(ctx context.Context, _ *page.Request, in ProposeRequest) (api.ContractView, error) {
	if p.Contracts == nil {
		return api.ContractView{}, errAbsent
	}
	var d offer.Draft
	dec := json.NewDecoder(strings.NewReader(in.Draft))
	dec.DisallowUnknownFields()
	if dec.Decode(&d) != nil || dec.More() {
		return api.ContractView{}, page.Wrong("draft: it is not the JSON of an offer: purposes, expires, ours and theirs")
	}
	v, err := api.ProposeContract(ctx, p.Contracts, api.ContractRequest{Peer: in.Peer, Draft: &d})
	return v, contractError(err)
}

func (p *Pages) addContracts(g *page.Group) {
	page.Add(g, page.Page[Contracts]{
		Path: "/contracts", Title: "Contracts", Summary: "What is negotiated and agreed with other domains, as it was signed.", Section: "/domains",
		Template: "contracts.html", Role: page.Viewer, Model: p.contracts,
	})
	then := func(ContractRequest, api.ContractView) string { return "/contracts" }
	page.Do(g, page.Action[ContractRequest, api.ContractView]{
		Path: "/agreements/accept", Name: "console/accept-contract", Title: "Accept", Role: page.Approver, Do: p.contract(api.AcceptContract), Then: then,
		Summary: "Signs exactly the offer that was read.",
	})
	page.Do(g, page.Action[ContractRequest, api.ContractView]{
		Path: "/agreements/withdraw", Name: "console/withdraw-contract", Title: "Withdraw", Role: page.Approver, Do: p.contract(api.WithdrawContract), Then: then,
		Summary: "Ends a negotiation and what came of it.",
	})
	page.Do(g, page.Action[ProposeRequest, api.ContractView]{
		Path: "/agreements/propose", Name: "console/propose-contract", Title: "Propose", Role: page.Approver, Do: p.propose,
		Summary: "Makes a first offer to a peer, signed by this domain.", Then: func(ProposeRequest, api.ContractView) string { return "/contracts" },
	})
}
