package impact

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// Diff is what differs between two sides, without a look at what happened.
type Diff struct {
	Old      string       `json:"old"`
	New      string       `json:"new"`
	Reveals  bool         `json:"reveals"`       // see [Reveals]
	Why      []string     `json:"why,omitempty"` // likewise
	Policies []Edit       `json:"policies,omitempty"`
	Classes  []Edit       `json:"classes,omitempty"` // of the taxonomy
	Fields   []Edit       `json:"fields,omitempty"`  // of contracts
	Settings []Difference `json:"settings,omitempty"`
	Asked    int          `json:"asked"` // what was asked of both: recipient, purpose, criticality, consent and label or field
	Levels   []LevelMove  `json:"levels,omitempty"`
	Cut      bool         `json:"cut,omitempty"` // there was more to ask than is asked
}

// Edit is something that is on one side alone, or otherwise on the other.
type Edit struct {
	Name string `json:"name"`
	What string `json:"what"` // added, removed, changed
}

// LevelMove is a label or field that shows otherwise, with the recipients and purposes for which it does.
type LevelMove struct {
	Label    flow.Label     `json:"label"` // of the new side
	Field    string         `json:"field,omitempty"`
	From     string         `json:"from"`
	To       string         `json:"to"`
	Opens    bool           `json:"opens"`
	Agents   []flow.AgentID `json:"agents"`
	Purposes []flow.Purpose `json:"purposes"`
	Cases    int            `json:"cases"`
}

// mostAsked bounds what [Differences] asks.
const mostAsked = 400_000

// Differences compares two sides: by their policies, classes, fields and settings, and by what each shows of every label and field to every agent for every purpose
// at every criticality, sent by nobody in particular of the domain, without an approval; with and without consent where a policy asks for it. Its error is that of ctx.
func Differences(ctx context.Context, old, next Side) (*Diff, error) {
	d := &Diff{Old: old.hash(), New: next.hash(), Policies: edits(old.Policy.Texts(), next.Policy.Texts()), Settings: settingsDiffer(old.Settings, next.Settings)}
	d.Reveals, d.Why = Reveals(old, next)
	d.Classes = edits(classes(old.taxonomy()), classes(next.taxonomy()))
	d.Fields = edits(fieldsOf(old.Policy), fieldsOf(next.Policy))
	g := grid{old: old, next: next, moves: map[moveOf]*LevelMove{}}
	if err := g.ask(ctx, d); err != nil {
		return nil, err
	}
	for _, m := range g.moves {
		slices.Sort(m.Agents)
		slices.Sort(m.Purposes)
		d.Levels = append(d.Levels, *m)
	}
	slices.SortFunc(d.Levels, func(a, b LevelMove) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Field, b.Field), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return d, nil
}

func edits[K ~string, V comparable](old, next map[K]V) (out []Edit) {
	for k, v := range old {
		if now, ok := next[k]; !ok {
			out = append(out, Edit{string(k), "removed"})
		} else if now != v {
			out = append(out, Edit{string(k), "changed"})
		}
	}
	for k := range next {
		if _, ok := old[k]; !ok {
			out = append(out, Edit{string(k), "added"})
		}
	}
	slices.SortFunc(out, func(a, b Edit) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func classes(t *flow.Taxonomy) map[flow.Label]flow.Class {
	out := map[flow.Label]flow.Class{}
	for _, c := range t.All() {
		out[c.Label] = c
	}
	return out
}

type moveOf struct {
	label    flow.Label
	field    string
	from, to flow.Treatment
}

// grid is what is asked of both sides.
type grid struct {
	old, next   Side
	before, now []flow.Leaf
	moves       map[moveOf]*LevelMove
}

func (g *grid) ask(ctx context.Context, d *Diff) error {
	g.leaves()
	own := flow.DomainID(g.next.Settings["domain"])
	for _, to := range g.parties() {
		for _, p := range g.purposes() {
			for _, c := range []flow.Criticality{flow.Low, flow.Routine, flow.Critical} {
				q := policy.Query{Flow: flow.Flow{From: flow.Party{Domain: own}, To: to, Purpose: p, Task: flow.Task{Criticality: c}, Direction: flow.Response}}
				for _, q.Consent = range g.consents(&q) {
					if err := ctx.Err(); err != nil {
						return err
					}
					if d.Asked+len(g.now) > mostAsked {
						d.Cut = true
						return nil
					}
					d.Asked += len(g.now)
					if err := g.one(q); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// leaves are every label and every field, as each side labels them.
func (g *grid) leaves() {
	for _, c := range g.next.taxonomy().All() {
		leaf := flow.Leaf{Path: "/", Label: c.Label, Origin: flow.Catalogued}
		g.before, g.now = append(g.before, leaf), append(g.now, leaf)
	}
	old, next := fieldsOf(g.old.Policy), fieldsOf(g.next.Policy)
	for _, name := range slices.Sorted(maps.Keys(next)) {
		label, ok := old[name]
		if !ok {
			label = flow.Unlabelled // of what no contract describes nothing labels a place
		}
		g.before = append(g.before, flow.Leaf{Path: "/", Label: label, Field: name, Origin: flow.Catalogued})
		g.now = append(g.now, flow.Leaf{Path: "/", Label: next[name], Field: name, Origin: flow.Catalogued})
	}
}

// parties are the agents of both sides, as the new one knows them.
func (g *grid) parties() (all []flow.Party) {
	seen := map[flow.AgentID]bool{}
	for _, s := range []*policy.Set{g.next.Policy, g.old.Policy} {
		for _, p := range s.Entities().Agents {
			if !seen[p.Agent] {
				seen[p.Agent] = true
				all = append(all, p)
			}
		}
	}
	return all
}

func (g *grid) purposes() []flow.Purpose {
	all := map[flow.Purpose]bool{"": true}
	for _, s := range []*policy.Set{g.old.Policy, g.next.Policy} {
		for p := range s.Entities().Purposes {
			all[p] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// consents are the cases of consent that some policy tells apart.
func (g *grid) consents(q *policy.Query) []bool {
	with := *q
	with.Consent = true
	if g.old.Policy.Key(q) == g.old.Policy.Key(&with) && g.next.Policy.Key(q) == g.next.Policy.Key(&with) {
		return []bool{false}
	}
	return []bool{false, true}
}

func (g *grid) one(q policy.Query) error {
	was, err := decide(g.old.Policy, q, g.before)
	if err != nil {
		return err
	}
	is, err := decide(g.next.Policy, q, g.now)
	if err != nil {
		return err
	}
	for i := range g.now {
		a, _ := g.old.taxonomy().Class(g.before[i].Label)
		b, _ := g.next.taxonomy().Class(g.now[i].Label)
		m := moved{class: b, sameFamily: a.Family == b.Family, from: was.Leaves[i].Treatment, to: is.Leaves[i].Treatment}
		way := m.goes()
		if way == same {
			continue
		}
		key := moveOf{g.now[i].Label, g.now[i].Field, m.from, m.to}
		l := g.moves[key]
		if l == nil {
			l = &LevelMove{Label: key.label, Field: key.field, From: m.from.String(), To: m.to.String(), Opens: way == opens}
			g.moves[key] = l
		}
		l.Cases++
		if !slices.Contains(l.Agents, q.Flow.To.Agent) {
			l.Agents = append(l.Agents, q.Flow.To.Agent)
		}
		if !slices.Contains(l.Purposes, q.Flow.Purpose) {
			l.Purposes = append(l.Purposes, q.Flow.Purpose)
		}
	}
	return nil
}
