package impact

import (
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
)

// planKey is the same for decisions that come out alike.
type planKey struct {
	set                   *policy.Set
	like, then, old, next string
	from, to, tool        string
	purpose               flow.Purpose
	direction             flow.Direction
}

// plan is what becomes of decisions that come out alike. It is not changed once it is made.
type plan struct {
	moves   []moved // without counts
	unlike  bool    // the rules of its time do not say what was recorded
	outside bool    // something beside policy held values down
	duties  bool    // recipients may keep it longer, or need to tell fewer
}

// mostPlans bounds what a worker remembers.
const mostPlans = 1 << 14

// again decides one decision under the rules of its time and under both sides.
func (w *worker) again(ev *event, set *policy.Set, in *gateway.InputKinds) error {
	f := &in.Query.Flow
	key := planKey{set: set, like: in.Like}
	var p *plan
	if in.Like != "" {
		key.then, key.old, key.next = set.Key(&in.Query), w.old.Policy.Key(&in.Query), w.next.Policy.Key(&in.Query)
		key.from, key.to, key.tool, key.purpose, key.direction = string(f.From.Agent), string(f.To.Agent), f.Subject, f.Purpose, f.Direction
		p = w.plans[key]
	}
	if p == nil {
		var err error
		if p, err = w.plan(set, in); err != nil {
			return err
		}
		if len(w.plans) >= mostPlans {
			clear(w.plans)
		}
		if in.Like != "" {
			w.plans[key] = p
		}
	}
	if p.unlike {
		w.t.not(Otherwise)
		return nil
	}
	w.t.Decided++
	w.t.Checked++
	if p.outside || len(ev.Contracts) > 0 || f.Capability != nil || f.Hop > 0 {
		w.t.Limited++
	}
	w.t.count(ev, &in.Query, p, in.All)
	return nil
}

func (w *worker) plan(set *policy.Set, in *gateway.InputKinds) (*plan, error) {
	q, kinds := in.Query, in.All
	then, old, next, why := w.leaves(set, &q.Flow, kinds)
	was, err := decide(set, q, then)
	if err != nil {
		return nil, err
	}
	before := was
	if set != w.old.Policy {
		if before, err = decide(w.old.Policy, q, old); err != nil {
			return nil, err
		}
	}
	after, err := decide(w.next.Policy, q, next)
	if err != nil {
		return nil, err
	}
	p := &plan{moves: make([]moved, len(kinds)), duties: longer(before.Duties, after.Duties)}
	for i := range kinds {
		recorded := kinds[i].Terms
		class, _ := w.next.taxonomy().Class(labelOf(&next[i]))
		earlier, _ := w.old.taxonomy().Class(labelOf(&old[i]))
		at, _ := set.Taxonomy().Class(labelOf(&then[i]))
		how := held(at, &recorded, was.Leaves[i].Treatment)
		switch {
		case how == unlike:
			p.unlike = true
		case how == passing && why[i] == "":
			why[i] = StandIn
		}
		p.outside = p.outside || how == outside
		p.moves[i] = moved{
			label: labelOf(&next[i]), class: class, sameFamily: earlier.Family == class.Family, why: why[i],
			from: how.bound(earlier, recorded.Treatment, was.Leaves[i].Treatment, before.Leaves[i].Treatment),
			to:   how.bound(class, recorded.Treatment, was.Leaves[i].Treatment, after.Leaves[i].Treatment),
			old:  before.Leaves[i].Policies, next: after.Leaves[i].Policies,
		}
	}
	return p, nil
}

// decide is what a side says of a message, by policies and by data contracts.
func decide(set *policy.Set, q policy.Query, leaves []flow.Leaf) (flow.Terms, error) {
	terms, err := set.Decide(q, leaves)
	if err == nil {
		govern(set, &q.Flow, leaves, &terms)
	}
	return terms, err
}

// govern takes away what data contracts do not let a message show, and shortens how long the rest may be kept, as [gateway.Snapshot.Governed] does.
func govern(set *policy.Set, f *flow.Flow, leaves []flow.Leaf, terms *flow.Terms) {
	for i := range leaves {
		if leaves[i].Field == "" || terms.Leaves[i].Level == flow.Dropped {
			continue
		}
		use := set.Use(leaves[i].Field)
		if len(use.Purposes) > 0 && !slices.ContainsFunc(use.Purposes, func(p flow.Purpose) bool { return set.PurposeIn(f.Purpose, p) }) ||
			len(use.Techniques) > 0 && !slices.Contains(use.Techniques, "message") {
			terms.Leaves[i].Treatment = flow.Treatment{}
		} else if use.Retain > 0 {
			terms.Duties.Retain = min(terms.Duties.Retain, use.Retain)
		}
	}
}

// longer reports whether the later duties ask for less.
func longer(before, after flow.Duties) bool {
	return after.Retain > before.Retain || slices.ContainsFunc(before.Notify, func(n string) bool { return !slices.Contains(after.Notify, n) })
}

// holding says what set the treatment that was recorded, as far as it matters to what other rules would have come to.
type holding uint8

const (
	policyAlone holding = iota // the rules of the time, and nothing else
	coarser                    // they allowed it, and the value could not be treated so, or its object went as a whole
	outside                    // something beside policy that only narrows
	passing                    // a token passed as it was, or was opened: no decision on a level
	unlike                     // the rules of the time do not say so
)

// held compares what was recorded with what the rules of the time say again.
func held(class flow.Class, recorded *flow.LeafTerms, said flow.Treatment) holding {
	f := class.Family
	switch recorded.By {
	case flow.ByPolicy, flow.ByNeed, flow.ByTier, flow.ByCatalog:
	default:
		if recorded.Level.Reveals(said.Level) {
			return unlike
		}
		return outside
	}
	switch {
	case recorded.Treatment == said:
		return policyAlone
	case !f.Reveals(recorded.Treatment, said) && (recorded.Param == "" || recorded.Level == flow.Tokenized):
		return coarser // a placeholder, nothing, or another stand-in; a coarser value is never put where a finer one was asked for
	case recorded.Level == flow.Tokenized && said.Level == flow.Tokenized && said.Param == flow.TokenRealistic:
		return coarser // a value of which none could be invented
	case recorded.By == flow.ByPolicy && (recorded.Treatment == flow.Treatment{Level: flow.Raw} || recorded.Treatment == flow.Treatment{Level: flow.Tokenized, Param: flow.TokenReversible}):
		return passing
	}
	return unlike
}

// bound is what would have shown if rules had said so: what held a value down for another reason still does.
func (h holding) bound(class flow.Class, recorded, then, now flow.Treatment) flow.Treatment {
	switch {
	case h == policyAlone || h == passing:
		return now
	case now == then:
		return recorded
	case h == coarser && class.Family.Reveals(now, then):
		return now
	}
	return class.Family.Meet(now, recorded)
}

func labelOf(l *flow.Leaf) flow.Label {
	if l.Label == "" {
		return flow.Unlabelled
	}
	return l.Label
}

// leaves are those of a decision as its time, the old side and the new one label them. Why says of which values that is not known.
func (w *worker) leaves(set *policy.Set, f *flow.Flow, kinds []gateway.InputKind) (then, old, next []flow.Leaf, why []Reason) {
	otherSchema := w.otherSchema(f)
	for i := range kinds {
		leaf := kinds[i].Leaf
		then = append(then, leaf)
		reason := Reason("")
		switch {
		case otherSchema && leaf.Origin != flow.Detected:
			reason = OtherSchema
		case w.public && leaf.Label == flow.PublicData && leaf.Field == "":
			reason = Transparent
		}
		a, ok := relabelled(leaf, set, w.oldFields, w.old.taxonomy())
		b, also := relabelled(leaf, set, w.newFields, w.next.taxonomy())
		if !ok || !also {
			reason = Gone
		}
		old, next, why = append(old, a), append(next, b), append(why, reason)
	}
	return then, old, next, why
}

// relabelled is a leaf of the time of a set with the label that another catalog gives its field. It is false if that has no such field.
func relabelled(leaf flow.Leaf, of *policy.Set, fields map[string]flow.Label, tax *flow.Taxonomy) (flow.Leaf, bool) {
	if leaf.Field == "" {
		return leaf, true
	}
	then, known := of.FieldLabel(leaf.Field)
	now, still := fields[leaf.Field]
	switch {
	case !known: // no contract had it at its time: it was decided by its label
		return leaf, true
	case !still:
		return leaf, false
	case now == then:
	case labelOf(&leaf) == then:
		leaf.Label = now
	default: // the schema or a detector found something stricter
		leaf.Label = tax.Stricter(now, leaf.Label)
	}
	return leaf, true
}
