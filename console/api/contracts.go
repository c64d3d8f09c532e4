package api

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
)

// ContractView is a negotiation, or what came of it, as commands show it.
type ContractView struct {
	Negotiation string
	ID          string // of exactly what was offered last, or agreed
	Name        string
	Peer        flow.DomainID
	State       offer.State
	Version     int
	Purposes    []flow.Purpose
	NotBefore   time.Time
	Expires     time.Time
	Changed     time.Time
	Signed      stdjson.RawMessage // the JWS
	Offer       stdjson.RawMessage // its payload
}

func contractView(e offer.Entry) ContractView {
	c := e.Signed.Contract
	return ContractView{
		Negotiation: c.Negotiation, ID: c.ID(), Name: c.Name, Peer: e.Peer, State: e.State, Version: c.Version, Purposes: c.Purposes,
		NotBefore: c.NotBefore, Expires: c.Expires, Changed: e.Changed, Signed: e.Signed.Bytes(), Offer: c.Payload(),
	}
}

// ContractRequest names a negotiation, or a peer for a new one.
type ContractRequest struct {
	Negotiation string        `json:",omitempty"`
	ID          string        `json:",omitempty"` // of what is to be accepted, as it was read
	Peer        flow.DomainID `json:",omitempty"`
	Draft       *offer.Draft  `json:",omitempty"`
}

// ListContracts returns all negotiations that have not expired.
func ListContracts(_ context.Context, b *offer.Book, _ ContractRequest) ([]ContractView, error) {
	all := []ContractView{}
	for _, e := range b.All() {
		all = append(all, contractView(e))
	}
	return all, nil
}

// ShowContract returns one.
func ShowContract(_ context.Context, b *offer.Book, q ContractRequest) (ContractView, error) {
	e, ok := b.Entry(q.Negotiation)
	if !ok {
		return ContractView{}, offer.ErrNoNegotiation
	}
	return contractView(e), nil
}

var errNoDraft = errors.New("nothing is offered")

// ProposeContract makes a first offer.
func ProposeContract(ctx context.Context, b *offer.Book, q ContractRequest) (ContractView, error) {
	if q.Draft == nil {
		return ContractView{}, errNoDraft
	}
	e, err := b.Propose(ctx, q.Peer, *q.Draft)
	return viewed(e, err)
}

// CounterContract answers an offer with a narrower one.
func CounterContract(ctx context.Context, b *offer.Book, q ContractRequest) (ContractView, error) {
	if q.Draft == nil {
		return ContractView{}, errNoDraft
	}
	e, err := b.Counter(ctx, q.Negotiation, *q.Draft)
	return viewed(e, err)
}

// AcceptContract signs what was offered.
func AcceptContract(ctx context.Context, b *offer.Book, q ContractRequest) (ContractView, error) {
	e, err := b.Accept(ctx, q.Negotiation, q.ID)
	return viewed(e, err)
}

// WithdrawContract ends a negotiation and what came of it.
func WithdrawContract(ctx context.Context, b *offer.Book, q ContractRequest) (ContractView, error) {
	e, err := b.Withdraw(ctx, q.Negotiation)
	return viewed(e, err)
}

func viewed(e offer.Entry, err error) (ContractView, error) {
	if err != nil {
		return ContractView{}, err
	}
	return contractView(e), nil
}

// TermsRequest asks on which terms an agent's data would pass, as that agent.
type TermsRequest struct {
	As     flow.AgentID
	Asking offer.Asking
}

// AskTerms asks as an agent of the configuration, with what it was granted. The question is on record.
func AskTerms(ctx context.Context, t *offer.Terms, s *gateway.Snapshot, q TermsRequest) (*offer.Told, error) {
	as, with := s.Agents[q.As], s.Agents[q.Asking.Agent]
	for name, a := range map[flow.AgentID]*gateway.Agent{q.As: as, q.Asking.Agent: with} {
		if a == nil {
			return nil, fmt.Errorf("%q: %w", name, ErrAgent)
		}
	}
	caller, _ := s.Identity.Known(as.Party) // one without a credential was granted nothing
	caller.Party = as.Party
	face := gateway.Inbound
	if with.Party.Domain != s.Domain {
		face = gateway.Outbound
	}
	raw, err := stdjson.Marshal(q.Asking)
	if err != nil {
		return nil, err
	}
	f := flow.Flow{ID: gateway.NewFlowID(), From: as.Party, Protocol: "a2a/1.0", Method: offer.TermsMethod}
	f.Purpose, f.Task.Criticality = caller.Choose("", "") // what holds for an agent that names none
	told, err := t.Ask(ctx, &offer.Call{Snapshot: s, Face: face, Caller: caller, Arguments: raw, Flow: f})
	if r, ok := errors.AsType[*gateway.Refusal](err); ok {
		return nil, errors.New(r.Text())
	}
	return told, err
}

// agreements adds the calls about terms and contracts.
func (a *API) agreements() {
	contractCall(a, "/api/v1/contracts/list", ListContracts)
	contractCall(a, "/api/v1/contracts/show", ShowContract)
	contractCall(a, "/api/v1/contracts/propose", ProposeContract)
	contractCall(a, "/api/v1/contracts/counter", CounterContract)
	contractCall(a, "/api/v1/contracts/accept", AcceptContract)
	contractCall(a, "/api/v1/contracts/withdraw", WithdrawContract)
	a.guarded("POST /api/v1/terms", func(w http.ResponseWriter, r *http.Request) {
		var q TermsRequest
		if !read(w, r, &q) {
			return
		}
		if a.opt.Terms == nil {
			fail(w, http.StatusNotFound, "this gateway tells no terms")
			return
		}
		told, err := AskTerms(r.Context(), a.opt.Terms, a.opt.Snapshot(), q)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		answer(w, told)
	})
}

func contractCall[A any](a *API, path string, do func(context.Context, *offer.Book, ContractRequest) (A, error)) {
	partCall(a, path, a.opt.Contracts, "this gateway keeps no contracts", do)
}
