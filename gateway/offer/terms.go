package offer

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
)

// Names under which terms are asked for.
const (
	TermsTool   = "scrim_terms"
	TermsMethod = "scrim/terms"
)

// Terms tells agents on which terms data would pass, before they send any. Nothing is told but levels, duties and which of the
// caller's own choices would change them: no policy, and nothing that depends on what the other side already holds, or on
// anybody's consent. Set its fields before it is used; it is safe for concurrent use and must not be copied.
type Terms struct {
	Gateway *gateway.Gateway
	Limits  func() Limits    // in force at the moment; nil: the defaults
	Clock   func() time.Time // nil: time.Now

	rates rates
}

// Limits bound what a caller may ask; zero fields have the defaults named.
type Limits struct {
	Rate     int // questions a minute; 60
	Variants int // other choices that are decided for one question; 16
}

// maxEntries bounds how many kinds of value one answer lists.
const maxEntries = 256

// Told is the answer to a question.
type Told struct {
	Agent       flow.AgentID     `json:"agent"`
	Direction   flow.Direction   `json:"direction"`
	Purpose     flow.Purpose     `json:"purpose"` // that holds: one that was not granted does not count
	Criticality flow.Criticality `json:"criticality"`
	Passes      bool             `json:"passes"` // of a request: nothing that was asked about would have to be left out
	Labels      []Shown          `json:"labels"`
	Duties      Duties           `json:"duties"`
	More        []Change         `json:"more"` // what would show more, each by itself
}

// Shown is what would show of one kind of value.
type Shown struct {
	Label flow.Label `json:"label"`
	Field string     `json:"field,omitempty"` // "dataset/column" where the question was about a dataset
	Level flow.Level `json:"level"`
	Param flow.Param `json:"param,omitempty"`
	By    string     `json:"by,omitempty"` // what holds it there: policy, need, tier, contract, capability, hop; "" where nothing shows

	Handle int64 `json:"handle,omitempty"` // it goes by reference only, which lasts so many seconds; where no reference can stand it does not go
}

// Duties are what the recipient would take on.
type Duties struct {
	Retain int64    `json:"retain"` // seconds; 0: for the task only
	Notify []string `json:"notify,omitempty"`
	Basis  []string `json:"basis,omitempty"`
}

// Change is something that would show more, and what it would show.
type Change struct {
	By      string   `json:"by"`           // purpose, criticality, attestation, approval, columns
	To      string   `json:"to,omitempty"` // the purpose or criticality
	Columns []string `json:"columns,omitempty"`
	Passes  bool     `json:"passes"`
	Labels  []Shown  `json:"labels,omitempty"` // those that differ
}

// Tool returns the tool by which agents ask.
func (t *Terms) Tool() Tool {
	return Tool{
		Name: TermsTool, Method: TermsMethod, Title: "Ask on which terms data would pass",
		Description: "Tells, before anything is sent, how much of each kind of information would show if you sent it to an agent or received it from one, and what would change that. It sends nothing.",
		Input:       askingForm, Output: `{"type":"object"}`, ReadOnly: true,
		Call: func(ctx context.Context, c *Call) (Answer, error) {
			told, err := t.Ask(ctx, c)
			if err != nil {
				return Answer{}, err
			}
			body, err := stdjson.Marshal(told)
			return Answer{Body: body, Padded: true}, err
		},
	}
}

// question is one asking, with whom it is about.
type question struct {
	t      *Terms
	c      *Call
	asked  Asking
	agent  *gateway.Agent // nil: none that this caller can reach
	leaves []flow.Leaf
	named  int // how many of the leaves the question names itself, first in order
}

// Ask answers a question and puts it on record. An agent that is not there and one that the caller may not reach are answered
// alike: nothing would show. The error is a [*gateway.Refusal] that is not on record yet.
func (t *Terms) Ask(ctx context.Context, c *Call) (*Told, error) {
	if wait := t.rates.take(c.Caller.Party, t.now(), t.limits().Rate); wait > 0 {
		t.Gateway.RetryAfter(ctx, wait)
		return nil, gateway.Refuse(gateway.RuleRate, nil, "This caller may ask for terms %d times a minute.", t.limits().Rate)
	}
	asked, err := ParseAsking(c.Arguments)
	if err != nil {
		return nil, err
	}
	if c.Agent != "" {
		if asked.Agent != "" && asked.Agent != c.Agent {
			return nil, misasked("The question names another agent than the one at whose address it was asked.")
		}
		asked.Agent = c.Agent
	}
	if asked.Agent == "" {
		return nil, misasked("The question names no agent.")
	}
	q := &question{t: t, c: c, asked: asked}
	if a, err := c.Snapshot.Reach(c.Face, c.Caller.Party, asked.Agent); err == nil && t.Gateway.Halted(&flow.Flow{To: a.Party}) == nil {
		q.agent = a
	}
	if q.leaves, q.named, err = q.kinds(); err != nil {
		return nil, err
	}
	return q.answer(ctx)
}

func (q *question) answer(ctx context.Context) (*Told, error) {
	first := q.first()
	terms, err := q.decide(ctx, first)
	if err != nil {
		return nil, err
	}
	f := &first.query.Flow
	told := &Told{
		Agent: q.asked.Agent, Direction: q.asked.Direction, Purpose: f.Purpose, Criticality: f.Task.Criticality,
		Passes: q.passes(terms), Labels: q.shown(terms), More: []Change{},
	}
	if told.Duties, err = q.duties(ctx, first, terms); err != nil {
		return nil, err
	}
	for _, v := range q.variants(first, terms) {
		other, err := q.decide(ctx, v)
		if err != nil {
			return nil, err
		}
		if c, more := q.compare(v, terms, other); more {
			told.More = append(told.More, c)
		}
	}
	return told, q.record(ctx, f, terms)
}

// decide asks what a message of these leaves would be decided by. What the caller's right does not admit at all shows nothing.
func (q *question) decide(ctx context.Context, v variant) (flow.Terms, error) {
	s := q.c.Snapshot
	leaves := q.leaves
	if v.leaves != nil {
		leaves = v.leaves
	}
	if q.agent != nil && s.Passes(q.agent.Party.Agent) {
		leaves = public(leaves)
	}
	terms, err := q.t.Gateway.Terms(s, q.c.Authority, v.query, leaves)
	if err != nil {
		return flow.Terms{}, err
	}
	admitted := q.t.Gateway.Prove(ctx, s, q.c.Authority, gateway.Invocation{Flow: v.query.Flow, NoTool: true, Of: v.query.Flow.Subject}) == nil
	if q.agent == nil || !admitted { // it was decided all the same, so that time tells little
		return flow.Terms{Leaves: make([]flow.LeafTerms, len(leaves)), PolicyHash: terms.PolicyHash}, nil
	}
	return terms, nil
}

// public is what is decided where configuration declares all that goes to and comes from an agent public.
func public(leaves []flow.Leaf) []flow.Leaf {
	out := make([]flow.Leaf, len(leaves))
	for i := range out {
		out[i] = flow.Leaf{Label: flow.PublicData, Origin: flow.Catalogued}
	}
	return out
}

// first is the question as it was asked. A purpose or criticality that was not granted does not count, as with a message.
func (q *question) first() variant {
	c, f := q.c, q.c.Flow
	if q.asked.Purpose != "" || q.asked.Criticality != "" {
		f.Purpose, f.Task.Criticality = c.Caller.Choose(q.asked.Purpose, q.asked.Criticality)
	}
	other := flow.Party{}
	f.Subject = q.asked.Tool
	if q.agent != nil {
		other = q.agent.Party
		if f.Subject == "" && q.mcp() == "" {
			f.Subject = q.agent.Skill // what a message to it is said to be for
		}
	}
	f.Protocol = cmp.Or(q.asked.Protocol, q.mcp(), f.Protocol)
	f.From, f.To, f.Direction = c.Caller.Party, other, flow.Request
	if q.asked.Direction == flow.Response {
		f.From, f.To, f.Direction = other, c.Caller.Party, flow.Response
	}
	return variant{query: policy.Query{Flow: f}}
}

// mcp is the protocol of a question about a server that speaks MCP alone, or about a tool; "" for all others.
func (q *question) mcp() string {
	if q.asked.Protocol != "" {
		if q.asked.Protocol[:3] == "mcp" {
			return q.asked.Protocol
		}
		return ""
	}
	if q.asked.Tool != "" || q.agent != nil && q.agent.A2A == nil && q.agent.MCP != nil {
		if len(q.c.Flow.Protocol) > 3 && q.c.Flow.Protocol[:4] == "mcp/" {
			return q.c.Flow.Protocol
		}
		return "mcp/2025-11-25"
	}
	return ""
}

// kinds lists the kinds of value that a question is about: those it names, then those of a dataset and of schemas.
func (q *question) kinds() (leaves []flow.Leaf, named int, err error) {
	add := func(l flow.Leaf) {
		same := func(o flow.Leaf) bool {
			return o.Label == l.Label && o.Field == l.Field && (o.Need == l.Need || o.Need != nil && l.Need != nil && *o.Need == *l.Need)
		}
		if len(leaves) <= maxEntries && !slices.ContainsFunc(leaves, same) {
			leaves = append(leaves, l)
		}
	}
	for _, l := range q.asked.Labels {
		add(flow.Leaf{Label: l, Origin: flow.Catalogued})
	}
	named = len(leaves)
	for _, f := range q.columns() {
		add(flow.Leaf{Label: f.Label, Field: f.Name, Origin: flow.Catalogued})
	}
	var declared []flow.Leaf
	for _, s := range q.schemas() {
		for info := range s.Values() {
			declared = append(declared, flow.Leaf{Label: info.Label, Field: info.Field, Origin: info.Origin, Need: info.Need})
		}
	}
	slices.SortStableFunc(declared, func(a, b flow.Leaf) int { return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Field, b.Field)) })
	for _, l := range declared {
		add(l)
	}
	if len(leaves) > maxEntries && q.c.Caller.Party.Domain != q.c.Snapshot.Domain {
		return leaves[:maxEntries], named, nil // how many there are is not theirs to know either
	}
	if len(leaves) > maxEntries {
		return nil, 0, misasked("The question is about more than %d kinds of value; ask about fewer columns or labels.", maxEntries)
	}
	return leaves, named, nil
}

// columns are those of the dataset that the question names, in the order of its contract.
func (q *question) columns() (out []catalog.Field) {
	if q.asked.Dataset == "" {
		return nil
	}
	for _, f := range q.c.Snapshot.Catalog.Fields() {
		if f.Dataset == q.asked.Dataset && (q.asked.Columns == nil || slices.Contains(q.asked.Columns, f.Column)) {
			out = append(out, f)
		}
	}
	return out
}

// schemas are those that label what a message of the question's kind would hold; none where it names what it is about itself.
func (q *question) schemas() []*catalog.Schema {
	if q.agent == nil {
		return nil
	}
	cat, id, dir := q.c.Snapshot.Catalog, q.agent.Party.Agent, q.asked.Direction
	switch {
	case q.asked.Tool != "":
		return cat.Schemas(catalog.Tool, id, q.asked.Tool, dir)
	case q.asked.Skill != "":
		return cat.Schemas(catalog.Skill, id, q.asked.Skill, dir)
	case len(q.asked.Labels) > 0 || q.asked.Dataset != "":
		return nil
	}
	return append(cat.Schemas(catalog.Skill, id, q.agent.Skill, dir), cat.Schemas(catalog.Data, id, "", dir)...)
}

// shown lists what would show of the kinds that the caller is told of.
func (q *question) shown(terms flow.Terms) []Shown {
	out := []Shown{}
	for i := range terms.Leaves {
		if t := &terms.Leaves[i]; q.tellable(i, t) {
			if s := shownOf(&q.leaves[i], t); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func shownOf(leaf *flow.Leaf, t *flow.LeafTerms) Shown {
	s := Shown{Label: leaf.Label, Field: leaf.Field, Level: t.Level, Param: t.Param}
	if t.Level != flow.Dropped {
		s.By = t.By.String()
		if t.Handle > 0 {
			s.Handle = max(1, int64(t.Handle/time.Second))
		}
	}
	return s
}

// duties are those that the kinds which the caller is told of bring with them.
func (q *question) duties(ctx context.Context, asked variant, terms flow.Terms) (Duties, error) {
	asked.leaves = []flow.Leaf{}
	for i := range terms.Leaves {
		if q.tellable(i, &terms.Leaves[i]) {
			asked.leaves = append(asked.leaves, q.leaves[i])
		}
	}
	if len(asked.leaves) == len(q.leaves) {
		return dutiesOf(terms), nil
	}
	told, err := q.decide(ctx, asked)
	return dutiesOf(told), err
}

func dutiesOf(terms flow.Terms) Duties {
	d := terms.Duties
	return Duties{Retain: int64(d.Retain / time.Second), Notify: d.Notify, Basis: d.Basis}
}

// record puts the question on record: who asked about whom, and what was told of which labels.
func (q *question) record(ctx context.Context, f *flow.Flow, terms flow.Terms) error {
	rec := *f
	reason := "terms asked for"
	if q.agent == nil {
		reason = "terms asked for with an agent that this caller does not reach"
	}
	if rec.Subject != "" && rec.Subject != TermsTool && (q.agent == nil || !q.declared()) {
		rec.Subject = "*" // nothing declares it, so it may be a value
	}
	labels := slices.Clone(q.leaves)
	for i := range labels {
		if !q.c.Snapshot.Taxonomy.Known(labels[i].Label) {
			labels[i].Label = flow.Unlabelled // a stranger's text
		}
	}
	return q.t.Gateway.Asked(ctx, q.c.Snapshot, rec, reason, flow.CountLevels(labels, terms.Leaves))
}

func (q *question) declared() bool {
	return q.asked.Tool == "" || q.c.Snapshot.Catalog.Names(catalog.Tool, q.agent.Party.Agent, q.asked.Tool)
}

func (t *Terms) now() time.Time {
	if t.Clock != nil {
		return t.Clock()
	}
	return time.Now()
}

func (t *Terms) limits() Limits {
	var l Limits
	if t.Limits != nil {
		l = t.Limits()
	}
	l.Rate, l.Variants = cmp.Or(l.Rate, 60), cmp.Or(l.Variants, 16)
	return l
}
