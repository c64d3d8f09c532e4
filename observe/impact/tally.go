package impact

import (
	"cmp"
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
)

// mostKinds bounds how much of a sort a tally tells apart.
const mostKinds = 50_000

// moved is what becomes of values of one kind in one flow.
type moved struct {
	label      flow.Label // under the new side
	class      flow.Class // likewise
	sameFamily bool       // as under the old side
	why        Reason     // not decided, because
	from, to   flow.Treatment
	old, next  []flow.PolicyID
}

// direction is what a change does.
type direction uint8

const (
	same direction = iota
	opens
	closes
)

// goes says where a value goes. What cannot be compared opens, since it cannot be said to show no more.
func (m *moved) goes() direction {
	f := m.class.Family
	switch {
	case m.from == m.to:
		return same
	case !m.sameFamily:
		if m.from.Level.Reveals(m.to.Level) {
			return closes
		}
		return opens
	case f.Reveals(m.to, m.from):
		return opens
	case f.Reveals(m.from, m.to):
		return closes
	}
	return same
}

func (c *Change) add(d direction, n int64) {
	switch d {
	case same:
		c.Same += n
	case opens:
		c.Open += n
	default:
		c.Close += n
	}
}

func (c *Change) plus(o Change) {
	c.Same, c.Open, c.Close, c.Mixed, c.Duties = c.Same+o.Same, c.Open+o.Open, c.Close+o.Close, c.Mixed+o.Mixed, c.Duties+o.Duties
}

type recipientKey struct {
	domain flow.DomainID
	agent  flow.AgentID
}

type moveKey struct {
	domain   flow.DomainID
	label    flow.Label
	from, to flow.Treatment
	opens    bool
}

// tally is the counts of one worker.
type tally struct {
	Impact
	recipients map[recipientKey]*Recipient
	labels     map[flow.Label]*Change
	purposes   map[flow.Purpose]*Change
	policies   map[flow.PolicyID]*Change
	of         map[moveKey]int64
	examples   map[bool][]Example // by whether they open, ordered by entry
	most       int                // examples of each
}

func newTally(examples int) *tally {
	return &tally{
		Impact: Impact{Not: map[Reason]int64{}, Of: map[Reason]int64{}}, recipients: map[recipientKey]*Recipient{}, labels: map[flow.Label]*Change{},
		purposes: map[flow.Purpose]*Change{}, policies: map[flow.PolicyID]*Change{}, of: map[moveKey]int64{}, examples: map[bool][]Example{}, most: examples,
	}
}

// not counts a decision that was not decided again.
func (t *tally) not(r Reason) {
	t.Decisions++
	t.Not[r]++
}

// slot returns the counts of a key, or somebody else's where there are too many to be told apart.
func slot[K comparable, V any](t *tally, m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		if len(m) >= mostKinds {
			t.Cut = true
			return v
		}
		m[k] = v
	}
	return v
}

// count adds a flow that was decided again.
func (t *tally) count(ev *event, q *policy.Query, p *plan, kinds []gateway.InputKind) {
	t.Decisions++
	to := q.Flow.To
	r := slot(t, t.recipients, recipientKey{to.Domain, to.Agent})
	purpose := slot(t, t.purposes, q.Flow.Purpose)
	var opened, closed bool
	for i := range p.moves {
		m, n := &p.moves[i], kinds[i].Count
		if m.why != "" {
			t.Of[m.why] += n
			continue
		}
		d := m.goes()
		opened, closed = opened || d == opens, closed || d == closes
		t.Values.add(d, n)
		r.Values.add(d, n)
		purpose.add(d, n)
		slot(t, t.labels, m.label).add(d, n)
		if d == same {
			continue
		}
		key := moveKey{to.Domain, m.label, m.from, m.to, d == opens}
		if _, known := t.of[key]; known || len(t.of) < mostKinds {
			t.of[key] += n
		} else {
			t.Cut = true
		}
		for _, id := range determine(m, d) {
			slot(t, t.policies, id).add(d, n)
		}
	}
	var f Change
	switch {
	case opened && closed:
		f.Mixed = 1
	case opened:
		f.Open = 1
	case closed:
		f.Close = 1
	default:
		f.Same = 1
		if p.duties {
			f.Duties = 1
		}
	}
	t.Flows.plus(f)
	r.Flows.plus(f)
	if opened || closed {
		t.example(Example{Flow: ev.Flow.ID, Seq: ev.seq, Time: ev.Time.UTC(), Opens: opened})
	}
}

// determine are the policies by which a value changes: those that determine it on one side alone, or else all of the side that shows more.
func determine(m *moved, d direction) []flow.PolicyID {
	var out []flow.PolicyID
	for _, id := range m.old {
		if !slices.Contains(m.next, id) {
			out = append(out, id)
		}
	}
	for _, id := range m.next {
		if !slices.Contains(m.old, id) {
			out = append(out, id)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case d == opens:
		return m.next
	}
	return m.old
}

// example keeps the first flows of each direction.
func (t *tally) example(x Example) {
	list := t.examples[x.Opens]
	at, _ := slices.BinarySearchFunc(list, x, func(a, b Example) int { return cmp.Compare(a.Seq, b.Seq) })
	if at >= t.most {
		return
	}
	list = slices.Insert(list, at, x)
	t.examples[x.Opens] = list[:min(len(list), t.most)]
}

// add adds the counts of another worker.
func (t *tally) add(o *tally) {
	t.Entries, t.Decisions, t.Decided, t.Checked, t.Limited = t.Entries+o.Entries, t.Decisions+o.Decisions, t.Decided+o.Decided, t.Checked+o.Checked, t.Limited+o.Limited
	t.Flows.plus(o.Flows)
	t.Values.plus(o.Values)
	t.Cut = t.Cut || o.Cut
	for r, n := range o.Not {
		t.Not[r] += n
	}
	for r, n := range o.Of {
		t.Of[r] += n
	}
	for k, v := range o.recipients {
		r := slot(t, t.recipients, k)
		r.Flows.plus(v.Flows)
		r.Values.plus(v.Values)
	}
	join(t, t.labels, o.labels)
	join(t, t.purposes, o.purposes)
	join(t, t.policies, o.policies)
	for k, n := range o.of {
		t.of[k] += n
	}
	for _, list := range o.examples {
		for _, x := range list {
			t.example(x)
		}
	}
}

func join[K comparable](t *tally, to, from map[K]*Change) {
	for k, v := range from {
		slot(t, to, k).plus(*v)
	}
}

// told makes the answer of all counts.
func (c *comparison) told(t *tally) *Impact {
	out := &t.Impact
	out.Old, out.New, out.Beside = c.old.hash(), c.next.hash(), c.beside
	out.Since, out.Until = c.opt.Since, c.opt.Until
	for k, r := range t.recipients {
		r.Domain, r.Agent = k.domain, k.agent
		out.Recipients = append(out.Recipients, *r)
	}
	slices.SortFunc(out.Recipients, func(a, b Recipient) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Agent, b.Agent))
	})
	out.Labels, out.Purposes, out.Policies = namedOf(t.labels), namedOf(t.purposes), namedOf(t.policies)
	for k, n := range t.of {
		out.Moves = append(out.Moves, Move{Domain: k.domain, Label: k.label, From: k.from.String(), To: k.to.String(), Opens: k.opens, Values: n})
	}
	slices.SortFunc(out.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Label, b.Label), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	out.Examples = slices.Concat(t.examples[true], t.examples[false])
	return out
}

func namedOf[K ~string](m map[K]*Change) (out []Named) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Named{string(k), *m[k]})
	}
	return out
}
