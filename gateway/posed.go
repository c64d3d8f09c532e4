package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/store"
)

// Posed is a question to a dataset that the gateway answers itself, by a caller that was identified and proved its right.
type Posed struct {
	Snapshot  *Snapshot
	Flow      flow.Flow // of the request; its To is who answers
	Authority *Authority
	Question  *Question // Columns are those that it really uses, Cost is its own
	Plan      []byte    // what is computed, in canonical form
	Bounds    []byte    // how much a unit can contribute to it, likewise
	ID        string    // the asker's own: the same again is a retry; "": there is none
	Root      string    // stable name of the credential's root
	Request   []byte    // what was sent
	// Compute reads the data and draws the noise. It is called at most once, after the cost is reserved and the question is on record.
	Compute func(context.Context) ([]byte, error)
}

// Permits holds a question to policy, to its asker's capability and to contracts, and returns the contracts that bind it. Nothing is charged and
// nothing is put on record. The error is a [*Refusal] that is not on record yet.
func (g *Gateway) Permits(p *Posed) (Agreed, error) {
	m := p.message()
	if err := g.holdsNow(m); err != nil {
		return nil, err
	}
	return g.mayAsk(m, p.Question)
}

func (p *Posed) message() *Message {
	p.Authority.On(&p.Flow)
	if p.Flow.Task.ID == "" {
		p.Flow.Task.ID = flow.TaskID(p.Flow.ID)
	}
	return &Message{Snapshot: p.Snapshot, Query: policy.Query{Flow: p.Flow, Capabilities: p.Authority.Names()}, Authority: p.Authority}
}

// Payer is who a question is charged to, the contract that bounds what it may cost among them.
func (g *Gateway) Payer(ctx context.Context, p *Posed, bound Agreed) (budget.Scope, error) {
	s := p.Snapshot.payer(p.Question, p.Flow.From)
	if g.budgets == nil {
		return s, refuse(RuleBudget, "", errNoLedger, "This gateway keeps no ledger, so no question about a dataset is answered.")
	}
	var err error
	s.Contract, err = g.contractQuota(ctx, p.message(), s, bound)
	return s, err
}

// Answer answers a question once, and gives the same answer to whoever asks the same on the same version of the data. What is charged, who
// asked and what was given is on record before it returns, and it returns at a time that does not tell whether the answer was known. Fresh
// says that it was paid for now. The error is a [*Refusal] that is not on record yet.
func (g *Gateway) Answer(ctx context.Context, p *Posed) (body []byte, fresh bool, err error) {
	bound, err := g.Permits(p)
	if err != nil {
		return nil, false, err
	}
	a := &posing{g: g, p: p, bound: bound}
	req := &Request{
		Between: Between{Caller: p.Flow.From, Agent: p.Flow.To.Agent}, ID: p.ID, Root: p.Root, Method: p.Flow.Subject, Params: p.Request, Pins: g.Pins(p.Snapshot, p.Authority, p.Flow),
	}
	known, ticket, err := g.Once(ctx, req)
	if err != nil {
		return nil, false, err
	}
	a.ticket, a.again = ticket, known != nil
	defer ticket.End()
	if known != nil && known.SameAs {
		return known.Body, false, g.Replayed(ctx, p.Snapshot, p.Authority, p.Flow, known)
	}
	ask, err := a.ask(ctx, req)
	if err != nil {
		return nil, false, err
	}
	got, err := g.budgets.Book.Ask(ctx, ask)
	if err != nil {
		return nil, false, posedRefusal(ctx, err)
	}
	return got.Body, got.Fresh, nil
}

func posedRefusal(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return BrokenOff(ctx, err)
	}
	return budgetRefusal(nil, err)
}

// posing is one question on its way through the book.
type posing struct {
	g      *Gateway
	p      *Posed
	bound  Agreed
	ticket *Ticket // nil: the answer was given before, by other terms
	again  bool    // it is a retry, which takes no use
	paid   bool    // its answer is new
}

func (a *posing) ask(ctx context.Context, req *Request) (answers.Ask, error) {
	p, g := a.p, a.g
	ask := answers.Ask{Label: p.Question.Label, Pad: p.Question.Pad, Before: a.before, Decide: a.decide}
	if p.ID != "" {
		id, digest := g.alias(req.Between, "question", p.ID), g.digest(req)
		ask.Key, ask.Request = hex.EncodeToString(id[:]), sha256.Sum256(digest[:])
	}
	var err error
	if ask.Scope, err = g.Payer(ctx, p, a.bound); err != nil {
		return ask, err
	}
	blocks, err := p.Question.Blocks(g.now())
	if err != nil {
		return ask, budgetRefusal(nil, err)
	}
	q := p.Question
	ask.Question = answers.Question{Dataset: q.Dataset, Schedule: q.Schedule, Plan: p.Plan, Bounds: p.Bounds, Catalog: q.Catalog, Cost: q.Cost, Blocks: blocks}
	ask.Compute = func(ctx context.Context) ([]byte, error) {
		body, err := p.Compute(ctx)
		if now, e := q.Blocks(g.now()); err == nil && (e != nil || now != blocks) {
			err = errBlock
		}
		return body, err
	}
	return ask, nil
}

// before puts the question on record with what it costs, in the transaction that charges every link of the capability.
func (a *posing) before(ctx context.Context) error {
	m := a.p.message()
	m.Use, m.Cost = !a.again, Loss(a.p.Question.Cost)
	a.paid = true
	return a.g.recordPosed(ctx, a, m, flow.Released, nil)
}

// decide puts the answer on record before it leaves, and the question too where its answer was known.
func (a *posing) decide(ctx context.Context, known answers.Answer) error {
	m := a.p.message()
	if !a.paid {
		m.Use = !a.again
		return a.g.recordPosed(ctx, a, m, flow.Replayed, known.Body)
	}
	return a.g.recordPosed(ctx, a, m, "", known.Body)
}

// recordPosed writes the row of the request, if there is an outcome for it, and that of the answer, if there is one.
func (g *Gateway) recordPosed(ctx context.Context, a *posing, m *Message, outcome flow.Outcome, answer []byte) error {
	p := a.p
	m.Query.Contracts = a.bound.Names(p.Snapshot.Domain)
	base := flow.Event{Time: g.now(), Flow: p.Flow, PolicyHash: p.Snapshot.Policy.Hash(), ConfigHash: p.Snapshot.ConfigHash, Contracts: a.bound.IDs(), Question: p.Question.told()}
	var rows []flow.Event
	if outcome != "" {
		ev := base
		ev.Outcome, ev.Cost, ev.Bytes = outcome, m.Cost, len(p.Request)
		rows = append(rows, ev)
	}
	if answer != nil {
		ev := base
		ev.Outcome, ev.Bytes = flow.Released, len(answer)
		if outcome == flow.Replayed {
			ev.Outcome = flow.Replayed
		}
		ev.Flow.ID, ev.Flow.Parent, ev.Flow.Direction, ev.Flow.From, ev.Flow.To = NewFlowID(), p.Flow.ID, flow.Response, p.Flow.To, p.Flow.From
		rows = append(rows, ev)
	}
	if err := g.holdsNow(m); err != nil {
		return err
	}
	err := g.update(ctx, func(tx store.Tx) error {
		if !g.stillBound(m, a.bound.IDs()) {
			return refuse(RuleConflict, "", errContract, "A contract between the two domains changed meanwhile; ask again.")
		}
		if err := g.haltedDataset(p.Question); err != nil {
			return err
		}
		if err := g.charge(tx, m); err != nil {
			return err
		}
		if answer != nil {
			if err := a.ticket.Store(tx, &Answer{Status: http.StatusOK, Body: answer}); err != nil {
				return err
			}
		}
		for i := range rows {
			if _, err := g.journal.Append(tx, rows[i], audit.Private{}); err != nil {
				return err
			}
		}
		return nil
	})
	p.Authority.charged(m, err == nil)
	if err != nil {
		return unrecorded(err)
	}
	for i := range rows {
		g.told(rows[i])
	}
	return nil
}

var errContract = errors.New("a contract began or ended meanwhile")
