package gateway

import (
	"errors"
	"math"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Question is what configuration says of questions to a dataset that a tool or skill answers. It is immutable.
type Question struct {
	Dataset   string
	Stream    string // what was published under this name is read; "": the dataset itself is asked
	Technique string // the action on the dataset that policy has to permit
	Columns   []string
	Tables    []string // of the dataset's source, that it reads
	Cost      account.Vector
	Schedule  answers.Schedule
	Catalog   [32]byte // of whatever gives the arguments their meaning
	Pad       time.Duration
	Label     string // what the ledger's entries call it
	Blocks    func(now time.Time) (budget.Range, error)
}

// told is what the record says of a question; nil: it is none.
func (q *Question) told() *flow.Question {
	if q == nil || q.Dataset == "" {
		return nil
	}
	return &flow.Question{Dataset: q.Dataset, Stream: q.Stream, Technique: q.Technique, Columns: q.Columns}
}

// Questions are those of one agent, by the name of a tool or skill; "*" stands for all others.
type Questions struct {
	Tools, Skills map[string]*Question
}

// Question returns what a call of a tool asks; nil: no dataset.
func (s *Snapshot) Question(agent flow.AgentID, tool string) *Question {
	return find(s.Questions[agent].Tools, tool)
}

// SkillQuestion returns what a message for a skill asks; nil: no dataset.
func (s *Snapshot) SkillQuestion(agent flow.AgentID, skill string) *Question {
	return find(s.Questions[agent].Skills, skill)
}

func find(among map[string]*Question, name string) *Question {
	if q := among[name]; q != nil {
		return q
	}
	return among["*"]
}

// NoWorkflow is the workflow of agents that configuration puts into none. No workflow can be called so.
const NoWorkflow = "-"

// payer is who a question is charged to. Configuration alone says it: nothing that a caller claims moves it.
func (s *Snapshot) payer(q *Question, caller flow.Party) budget.Scope {
	workflow, ok := s.Workflows[caller.Agent]
	if !ok {
		workflow = NoWorkflow
	}
	return budget.Scope{Dataset: q.Dataset, Domain: caller.Domain, Workflow: workflow, Agent: string(caller.Agent)}
}

// Loss is a cost as capabilities and the record count it: ε and δ, rounded up.
func Loss(v account.Vector) flow.Cost {
	c := flow.Cost{EpsilonNano: v.Epsilon, DeltaPico: v.Delta / 1000}
	switch {
	case v.Delta == account.Infinite:
		c.DeltaPico = math.MaxInt64
	case v.Delta%1000 != 0:
		c.DeltaPico++
	}
	return c
}

// mayAsk holds a question to policy, to the caller's capability and to contracts, as the flow of its answer.
func (g *Gateway) mayAsk(m *Message, q *Question) (Agreed, error) {
	if err := g.haltedDataset(q); err != nil {
		return nil, err
	}
	f := m.Query.Flow
	f.Direction, f.From, f.To = flow.Response, f.To, f.From
	bound := g.bound(&f)
	query := policy.Query{Flow: f, Capabilities: m.Authority.Names(), Contracts: bound.Names(m.Snapshot.Domain)}
	if ok, _, why := m.Snapshot.Policy.MayAsk(query, q.Dataset, q.Technique); !ok {
		return nil, refuse(RulePolicy, "", errors.New(why), notPermittedText)
	}
	if err := m.Snapshot.governsQuestion(&f, q); err != nil {
		return nil, err
	}
	if a := m.Authority; a != nil && a.Chain != nil && !a.Chain.AdmitsQuestion(q.Dataset, q.Columns, q.Technique) {
		return nil, refuse(RuleCapability, "", errNoQuestion, "The capability does not allow questions of this kind about this dataset.")
	}
	for _, c := range bound {
		if !c.AdmitsQuestion(f.From.Domain, q.Dataset, q.Columns, q.Technique) {
			return nil, refuse(RulePolicy, "", errNotAgreed, "The contract between the two domains does not cover questions of this kind about this dataset.")
		}
	}
	return bound, nil
}

// notPermittedText is what whoever may ask nothing about a dataset is told.
const notPermittedText = "Policy does not permit this caller to have questions about this dataset answered."

var (
	errNoQuestion = errors.New("capability does not admit the question")
	errNotAgreed  = errors.New("contract does not cover the question")
)
