package ask

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Technique is what policies, capabilities and contracts call questions of this package: an action on the dataset.
const Technique = "aggregate"

// Service answers questions. Set its fields before it is used; it is safe for concurrent use and must not be copied.
type Service struct {
	Gateway  *gateway.Gateway
	Ledger   Standings // nil: nothing is told of budgets
	Language Language
	Streams  Streams          // nil: none are published
	Clock    func() time.Time // nil: time.Now
}

// Standings tells where scopes stand: a [budget.Ledger].
type Standings interface {
	Remaining(context.Context, budget.Scope, budget.Range) ([]budget.Standing, error)
}

// Language understands questions and prices them, by what the owner declares alone.
type Language interface {
	// Price returns the question ready to be answered. Its error is a [*Mistake] where the asker can mend it.
	Price(d *query.Dataset, q query.Question, c gateway.Costs) (Priced, error)
}

// Priced is a question that was understood, with what its answer will cost and how exact it will be.
type Priced interface {
	Cost() account.Vector
	Canonical() []byte // what is computed, with which noise
	Scans() []relation.Scan
	Restricted() bool // to the blocks of time that are paid for
	Explain() *query.Explanation
	Epsilon() int64                  // nano: what the noise was chosen for
	Offers(query.Room) []query.Offer // questions like it that there is room for, the nearest first
	// Pilot is whether it is only a first answer, from which follows what one costs that is as exact as was asked for: After tells, and fails with
	// a [*Mistake] if there is none, or nothing more to pay.
	Pilot() bool
	After(pilot []byte) (Priced, error)
	Answer(ctx context.Context, e relation.Engine, seed relation.Seed) ([]byte, error)
}

// Asker is who asks, as a door found out.
type Asker struct {
	Snapshot  *gateway.Snapshot
	Caller    identity.Caller
	Authority *gateway.Authority // that [gateway.Gateway.Holds] let through; nil: none
	Flow      flow.Flow          // ID, From, Protocol, Method, and which purpose and criticality hold
	ID        string             // the asker's own name of this message: the same again is a retry
	Arguments []byte             // as they came
}

// asking is one call on its way.
type asking struct {
	*Service
	Asker
	tool string
}

func (s *Service) asking(a Asker, tool string) *asking {
	a.Flow.From, a.Flow.To, a.Flow.Subject, a.Flow.Direction = a.Caller.Party, flow.Party{Agent: offer.Server, Domain: a.Snapshot.Domain}, tool, flow.Request
	a.Authority.On(&a.Flow)
	return &asking{Service: s, Asker: a, tool: tool}
}

// proven holds the call to its right: as a tool of the agent scrim, whatever the door.
func (a *asking) proven(ctx context.Context) error {
	return a.Gateway.Prove(ctx, a.Snapshot, a.Authority, gateway.Invocation{Flow: a.Flow, Task: a.Flow.Task.ID, Tool: a.tool, Arguments: a.Arguments})
}

// may returns the dataset that the caller may ask about. One that is not there and one that it may not ask about are refused alike.
func (a *asking) may(name string) (*gateway.Dataset, error) {
	d := a.Snapshot.Datasets[name]
	known := name
	if d == nil {
		known = "" // it is asked about all the same, so that time tells little
	}
	if _, err := a.Gateway.Permits(a.posed(&gateway.Question{Dataset: known, Technique: Technique, Columns: []string{}})); err != nil || d == nil {
		return nil, gateway.Refuse(gateway.RulePolicy, err, "There is no dataset of this name that this caller may ask about.")
	}
	return d, nil
}

func (a *asking) posed(q *gateway.Question) *gateway.Posed {
	return &gateway.Posed{Snapshot: a.Snapshot, Flow: a.Flow, Authority: a.Authority, Question: q, ID: a.ID, Root: a.Caller.TokenRoot, Request: a.Arguments}
}

// told puts on record that something was asked that answers nothing about anybody.
func (a *asking) told(ctx context.Context, what string) error {
	return a.Gateway.Asked(ctx, a.Snapshot, a.Flow, what, nil)
}

// datasets are the names of those that the caller may ask about.
func (a *asking) datasets() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(a.Snapshot.Datasets)) {
		if _, err := a.may(name); err == nil {
			names = append(names, name)
		}
	}
	return names
}

func (s *Service) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}

// question is what configuration says of a question that was understood.
func (a *asking) question(d *gateway.Dataset, q *query.Question, p Priced) *gateway.Question {
	return &gateway.Question{
		Dataset: d.Query.Name, Technique: Technique, Columns: columnsOf(d.Query, p.Scans()), Tables: tablesOf(d.Query, p.Scans()), Cost: p.Cost(), Schedule: d.Schedule, Catalog: d.Catalog,
		Pad: d.Pad, Label: "sql",
		Blocks: func(now time.Time) (budget.Range, error) {
			r, _, _, err := d.Over(q.From, q.Until, now)
			return r, err
		},
	}
}

// tablesOf are the names of the tables that a question reads.
func tablesOf(d *query.Dataset, scans []relation.Scan) (names []string) {
	for i := range d.Tables {
		if slices.ContainsFunc(scans, func(s relation.Scan) bool { return s.Table == d.Tables[i].Source }) {
			names = append(names, d.Tables[i].Name)
		}
	}
	return names
}

// columnsOf are the columns that a question uses, as capabilities and contracts name them: by their names, and behind that of their table where the
// dataset has several. Columns that say whose a row is are part of every question, and public tables are nobody's.
func columnsOf(d *query.Dataset, scans []relation.Scan) []string {
	all := []string{}
	for _, s := range scans {
		for i := range d.Tables {
			t := &d.Tables[i]
			if t.Source != s.Table || t.Public {
				continue
			}
			for j := range s.Fields {
				for _, name := range namesOf(t, &s.Fields[j]) {
					if len(d.Tables) > 1 {
						name = t.Name + "." + name
					}
					if !slices.Contains(all, name) {
						all = append(all, name)
					}
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// namesOf are the names by which a column of the source is declared, as it is read; none where it says whose a row is. Several columns may be
// the same one of the source, such as a time and its day: which of them a question uses is seen by its type, and where that leaves it open it uses
// all of them. One that is not declared keeps the source's name, so that nothing covers it.
func namesOf(t *query.Table, f *relation.Field) []string {
	var like, all []*query.Column
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Source != f.Source {
			continue
		}
		if all = append(all, c); c.Type == f.Type {
			like = append(like, c)
		}
	}
	if len(like) == 0 {
		like = all
	}
	if len(like) == 0 {
		return []string{f.Source}
	}
	var names []string
	for _, c := range like {
		if t.Via == nil && slices.Contains(t.Unit, c.Name) || t.Via != nil && t.Via.Column == c.Name {
			continue
		}
		names = append(names, c.Name)
	}
	return names
}
