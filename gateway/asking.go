package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
)

// Budgets charges questions to datasets and keeps their answers.
type Budgets struct {
	Book   Book
	Quotas Quotas
}

// Book gives one answer to one question, once it was paid for: an [answers.Book].
type Book interface {
	Ask(context.Context, answers.Ask) (answers.Answer, error)
}

// Quotas limits scopes of datasets: a [budget.Ledger].
type Quotas interface {
	SetQuota(context.Context, budget.Scope, *budget.Plan) error
}

// Asking is one question to a dataset on its way. Its cost is reserved after the request was changed and before it is on record,
// so that what it costs a capability is charged in that record, and taken back if there is none; from then on it stays charged.
// An answer that is known already comes from the book, costs nothing and goes down the road like any other. A nil Asking is a
// call that asks no dataset. The methods are called in the order in which they are listed here, by one goroutine at a time; the
// ticket may end it from any.
type Asking struct {
	g       *Gateway
	q       *Question
	key     string
	request [32]byte
	plan    func(body []byte) ([]byte, error)
	run     atomic.Pointer[asked] // nil: nothing was asked yet, or nobody waits any more
}

// asked is one asking of a book. Its goroutine follows this side from step to step, and ends when this side does.
type asked struct {
	plan     []byte
	blocks   budget.Range  // that it is charged to
	gone     chan struct{} // closed when nobody waits any more
	leave    func()
	reserved chan struct{}       // closed when the cost is reserved
	recorded chan error          // whether the request is on record
	running  chan struct{}       // closed when the tool may be called
	until    context.Context     // of the call; set before running is closed
	reply    chan reply          // what the tool said
	known    chan answers.Answer // what is to be decided
	decided  chan error
	done     chan struct{} // closed when the book returned
	err      error         // what it returned; set before done is closed

	said, given bool // to recorded and to decided
	hit         *answers.Answer
}

type reply struct {
	content []byte
	err     error
}

var errGone = errors.New("nobody waits for the answer")

// Asking readies a call for the question that it asks; nil where q is. Plan returns what is asked, in one form however it is
// written, given the body that leaves for the tool. The ticket ends it.
func (g *Gateway) Asking(t *Ticket, b Between, q *Question, plan func(body []byte) ([]byte, error)) *Asking {
	if q == nil {
		return nil
	}
	a := &Asking{g: g, q: q, plan: plan}
	if t.req != nil && t.req.ID != "" {
		id, digest := g.alias(b, "question", t.req.ID), g.digest(t.req)
		a.key, a.request = hex.EncodeToString(id[:]), sha256.Sum256(digest[:])
	}
	t.asking = a
	return a
}

// reserve charges the question whose request leaves as body, or finds its answer.
func (a *Asking) reserve(ctx context.Context, m *Message, body []byte) error {
	bound, err := a.g.mayAsk(m, a.q)
	if err != nil {
		return err
	}
	plan, err := a.plan(body)
	if err != nil {
		return refuse(RulePlace, "", err, "A question to a dataset must have a form of its own: %s.", errors.Unwrap(err))
	}
	if run := a.run.Load(); run != nil && bytes.Equal(run.plan, plan) { // the message was changed anew, and asks the same
		return nil
	}
	a.leave()
	m.Cost, m.Outcome = flow.Cost{}, ""
	if a.g.budgets == nil {
		return refuse(RuleBudget, "", errNoLedger, "This gateway keeps no ledger, so no question about a dataset is answered.")
	}
	ask, err := a.ask(ctx, m, bound, plan)
	if err != nil {
		return err
	}
	run := a.g.begin(ctx, ask)
	a.run.Store(run)
	select {
	case <-run.reserved:
		m.Cost = Loss(a.q.Cost)
	case known := <-run.known:
		run.hit = &known
		m.Outcome = flow.Replayed
	case <-run.done:
		return budgetRefusal(m, run.err)
	case <-ctx.Done():
		a.leave()
		return BrokenOff(ctx, ctx.Err())
	}
	return nil
}

var errNoLedger = errors.New("no ledger of budgets is open")

// ask is the question as the book takes it.
func (a *Asking) ask(ctx context.Context, m *Message, bound Agreed, plan []byte) (answers.Ask, error) {
	ask := answers.Ask{Key: a.key, Request: a.request, Label: a.q.Label, Pad: a.q.Pad, Scope: m.Snapshot.payer(a.q, m.Query.Flow.From)}
	blocks, err := a.q.Blocks(a.g.now())
	if err != nil {
		return ask, budgetRefusal(m, err)
	}
	ask.Question = answers.Question{
		Dataset: a.q.Dataset, Schedule: a.q.Schedule, Plan: plan, Catalog: a.q.Catalog, Cost: a.q.Cost, Blocks: blocks,
	}
	ask.Scope.Contract, err = a.g.contractQuota(ctx, m, ask.Scope, bound)
	return ask, err
}

// begin asks the book. What it calls back waits for this side.
func (g *Gateway) begin(ctx context.Context, ask answers.Ask) *asked {
	r := &asked{
		plan: ask.Question.Plan, blocks: ask.Question.Blocks, gone: make(chan struct{}), reserved: make(chan struct{}), recorded: make(chan error, 1),
		running: make(chan struct{}), reply: make(chan reply, 1), known: make(chan answers.Answer, 1), decided: make(chan error, 1), done: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // an answer may come by another connection than its question
	r.leave = sync.OnceFunc(func() { close(r.gone); cancel() })
	wait := func(on <-chan error) error {
		select {
		case err := <-on:
			return err
		case <-r.gone:
			return errGone
		}
	}
	ask.Before = func(context.Context) error {
		close(r.reserved)
		return wait(r.recorded)
	}
	ask.Compute = func(ctx context.Context) ([]byte, error) {
		r.until = ctx
		close(r.running)
		select {
		case got := <-r.reply:
			return got.content, got.err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.gone:
			return nil, errGone
		}
	}
	ask.Decide = func(_ context.Context, known answers.Answer) error {
		r.known <- known
		return wait(r.decided)
	}
	go func() {
		defer close(r.done)
		_, r.err = g.budgets.Book.Ask(ctx, ask)
		cancel()
	}()
	return r
}

// recorded says whether the request is on record. If it is not, what was reserved is taken back before it returns.
func (a *Asking) recorded(err error) {
	run := a.current()
	switch {
	case run == nil || run.said:
		return
	case run.hit != nil:
		if err != nil {
			_ = a.Told(err) // it is told already
		}
		return
	}
	run.said = true
	run.recorded <- err
	if err != nil {
		<-run.done // with the padding that every refusal has
	}
}

// current is what is asked now; nil where nothing is.
func (a *Asking) current() *asked {
	if a == nil {
		return nil
	}
	return a.run.Load()
}

// Known returns the answer if it is known already, and the tool is not to be called.
func (a *Asking) Known() ([]byte, bool) {
	run := a.current()
	if run == nil || run.hit == nil {
		return nil, false
	}
	return run.hit.Body, true
}

// Within returns a context for calling the tool, which ends when its time is over.
func (a *Asking) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	run := a.current()
	if run == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	select {
	case <-run.running:
		stop := context.AfterFunc(run.until, cancel)
		return ctx, func() { stop(); cancel() }
	case <-run.done:
		cancel()
		return ctx, cancel
	}
}

// Answered keeps what the tool said, and returns the answer that is to be decided. An error of the tool's own, which nobody has
// paid for, is never told: every failure is the same refusal, which is not on record yet.
func (a *Asking) Answered(content []byte, failed error) ([]byte, error) {
	if a == nil {
		return content, failed
	}
	run := a.current()
	if run == nil {
		return nil, refuse(RuleConflict, "", errGone, "A question to a dataset is answered once.")
	}
	if failed == nil {
		failed = a.within(run)
	}
	select {
	case run.reply <- reply{content, failed}:
	default: // it said something before
		return nil, refuse(RuleConflict, "", errGone, "A question to a dataset is answered once.")
	}
	select {
	case known := <-run.known:
		return known.Body, nil
	case <-run.done:
		return nil, budgetRefusal(nil, run.err)
	}
}

// within returns an error if a block of the dataset began since the question was charged: the tool may have read what was not
// paid for.
func (a *Asking) within(run *asked) error {
	if now, err := a.q.Blocks(a.g.now()); err != nil || now != run.blocks {
		return errBlock
	}
	return nil
}

var errBlock = errors.New("another block of the dataset began meanwhile")

// Told ends a question whose answer was decided: with err nil it may leave when Told returns, which is at a time that does not
// tell whether it was known before.
func (a *Asking) Told(err error) error {
	run := a.current()
	switch {
	case a != nil && run == nil && err == nil:
		return refuse(RuleConflict, "", errGone, "A question to a dataset is answered once.")
	case run == nil || run.given:
		return err
	}
	run.given = true
	run.decided <- err
	<-run.done
	if err == nil && run.err != nil {
		return budgetRefusal(nil, run.err)
	}
	return err
}

// end leaves a question as it is: what was reserved and went to the tool stays charged.
func (a *Asking) end() {
	if a != nil {
		a.leave()
	}
}

// leave lets go of the asking that is under way.
func (a *Asking) leave() {
	if run := a.run.Swap(nil); run != nil {
		run.leave()
	}
}

// budgetRefusal is what an asker is told of an error of book or ledger. Of budgets that others draw on too it is told no more than
// that there is no room: what others spent is theirs.
func budgetRefusal(m *Message, err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	e, _ := errors.AsType[*budget.Error](err)
	switch {
	case errors.Is(err, budget.ErrExhausted):
		level := budget.Global
		if e != nil {
			level = levelOf(e.Scope)
		}
		return refuse(RuleBudget, "", err, "%s", exhausted(level))
	case errors.Is(err, answers.ErrConflict), errors.Is(err, budget.ErrConflict):
		return refuse(RuleConflict, "", err, "This message id was used before with another request; use a new one.")
	case errors.Is(err, answers.ErrBusy), errors.Is(err, budget.ErrPending):
		return refuse(RuleConflict, "", err, "The same question is still being answered; ask again in a moment.")
	case errors.Is(err, answers.ErrFailed), errors.Is(err, budget.ErrLost):
		return refuse(RuleUpstream, "", err, "The question could not be answered; what it costs is spent.")
	}
	return refuse(RuleBudget, "", err, "The question could not be charged to the dataset's budget, so it was not asked.")
}

// levelOf is how far down a scope lies.
func levelOf(s budget.Scope) budget.Level {
	switch {
	case s.Contract != "":
		return budget.Contract
	case s.Agent != "":
		return budget.Agent
	case s.Workflow != "":
		return budget.Workflow
	case s.Domain != "":
		return budget.Domain
	}
	return budget.Global
}

// exhausted is the text of a refusal. A caller's own quota and a contract's are its own affair.
func exhausted(level budget.Level) string {
	switch level {
	case budget.Agent:
		return "Your own quota for questions about this dataset has no room for this one. Ask the owning domain for more, or ask what costs less."
	case budget.Contract:
		return "What the contract between the two domains lets questions cost has no room for this one. Negotiate another, or ask what costs less."
	}
	return "The budget for questions about this dataset has no room for this one. Ask what costs less, or what was answered before on the same data."
}

// contractQuota returns the id of the contract that bounds what the flow may cost, with its quota in force. Where it covers several
// datasets, each has an equal part, so that together they cannot cost more than was agreed.
func (g *Gateway) contractQuota(ctx context.Context, m *Message, of budget.Scope, bound Agreed) (string, error) {
	id := ""
	var most flow.Cost
	covered := int64(0)
	for _, c := range bound {
		p, ok := c.Party(m.Snapshot.Domain)
		if !ok || p.Gives.Cost == nil {
			continue
		}
		if id != "" {
			return "", refuse(RuleBudget, "", errTwoContracts, "Two contracts between the domains bound what questions cost; end one of them.")
		}
		id, most = c.ID(), *p.Gives.Cost
		for _, dataset := range m.Snapshot.datasets() {
			if _, given := p.Gives.Datasets[dataset]; given || p.Gives.Datasets == nil {
				covered++
			}
		}
	}
	if id == "" {
		return "", nil
	}
	covered = max(covered, 1)
	plan := budget.Plan{Epsilon: most.EpsilonNano / covered, Delta: min(most.DeltaPico/covered, 1e12-1) * 1000}
	scope := budget.Scope{Dataset: of.Dataset, Domain: of.Domain, Contract: id}
	g.quotas.mu.Lock()
	defer g.quotas.mu.Unlock()
	if g.quotas.set[scope] == plan {
		return id, nil
	}
	if err := g.budgets.Quotas.SetQuota(ctx, scope, &plan); err != nil {
		return "", budgetRefusal(m, fmt.Errorf("setting the quota of a contract: %w", err))
	}
	if g.quotas.set == nil || len(g.quotas.set) > maxRights {
		g.quotas.set = map[budget.Scope]budget.Plan{}
	}
	g.quotas.set[scope] = plan
	return id, nil
}

var errTwoContracts = errors.New("two contracts bound what questions cost")

// quotas remembers which quotas of contracts are in force.
type quotas struct {
	mu  sync.Mutex // held while one is set, too, so that none is charged before
	set map[budget.Scope]budget.Plan
}

// datasets are those that questions are asked about, each once.
func (s *Snapshot) datasets() (all []string) {
	seen := map[string]bool{}
	for name := range s.Datasets {
		seen[name] = true
		all = append(all, name)
	}
	for _, qs := range s.Questions {
		for _, among := range []map[string]*Question{qs.Tools, qs.Skills} {
			for _, q := range among {
				if !seen[q.Dataset] {
					seen[q.Dataset] = true
					all = append(all, q.Dataset)
				}
			}
		}
	}
	return all
}
