package policy

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/scrimhq/scrim/flow"
)

// Asked is the answer of the policies for one level.
type Asked struct {
	Level     flow.Level
	Allowed   bool            // by the policies
	Capped    bool            // allowed, but above the tier's cap and without an exception
	Permits   []flow.PolicyID // whose conditions hold
	Forbids   []flow.PolicyID // whose conditions hold
	Errors    []flow.PolicyID // that could not be evaluated
	Exception flow.PolicyID   // the permit that lifts the tier's cap to this level; empty: none
}

// Explanation tells how one leaf came by its terms.
type Explanation struct {
	Flow       flow.Flow
	Leaf       flow.Leaf
	Class      flow.Class
	Asked      []Asked        // most revealing level first; twice if both field and class were asked, the field first
	Policy     flow.Treatment // what the policies permit
	Cap        flow.Level     // what tier and criticality admit without an exception
	Result     flow.LeafTerms
	Duties     flow.Duties
	Shadow     *flow.LeafTerms // what would hold with the shadow policies; nil: there are none
	PolicyHash string
}

// Explain returns how the leaf comes by its terms: each level asked, and what answered. Its result is that of [Set.Decide].
func (s *Set) Explain(q Query, leaf flow.Leaf) (Explanation, error) {
	leaf.Label = labelOf(leaf)
	d := s.decideLeaf(s.view(&q), &q, leaf)
	v := &d.enforced
	e := Explanation{
		Flow: q.Flow, Leaf: leaf, Class: v.class, Policy: v.permits, Cap: v.cap,
		Result: v.terms(&q, leaf.Need), PolicyHash: s.hash,
	}
	var duties dutySum
	duties.add(v, e.Result.Treatment)
	e.Duties = duties.duties()
	for _, r := range v.rungs {
		a := Asked{
			Level: r.level, Allowed: r.allowed, Capped: r.allowed && r.level.Reveals(v.cap) && r.exception == nil,
			Permits: ids(r.ans.permits), Forbids: ids(r.ans.forbids), Errors: ids(r.ans.failed),
		}
		if r.outer != "" {
			a.Forbids = append(a.Forbids, r.outer)
		}
		if r.exception != nil && r.level.Reveals(v.cap) {
			a.Exception = r.exception.id
		}
		e.Asked = append(e.Asked, a)
	}
	if d.shadow != nil {
		shadow := d.shadow.terms(&q, leaf.Need)
		e.Shadow = &shadow
	}
	return e, nil
}

// String returns the explanation as aligned plain text of several lines.
func (e Explanation) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	label := fmt.Sprintf("%s (%s, %s", e.Leaf.Label, e.Class.Tier, e.Class.Family)
	if e.Class.Special {
		label += ", special category"
	}
	row("label", "%s)", label)
	if e.Leaf.Field != "" {
		row("field", "%s", e.Leaf.Field)
	}
	if e.Leaf.Score > 0 {
		row("score", "%d %%", e.Leaf.Certainty())
	}
	row("recipient", "%s", partyWords(e.Flow.To))
	row("sender", "%s", partyWords(e.Flow.From))
	row("purpose", "%s, %s criticality", orNone(string(e.Flow.Purpose)), e.Flow.Task.Criticality)
	for _, a := range e.Asked {
		row(a.Level.String()+"?", "%s", a.words())
	}
	row("policy", "%s", e.Policy)
	row("tier", "at most %s", e.Cap)
	if e.Leaf.Need != nil {
		row("need", "%s", e.Leaf.Need)
	}
	row("result", "%s, by %s", e.Result.Treatment, e.Result.By)
	if e.Result.Reason != "" {
		row("reason", "%s", e.Result.Reason)
	}
	if e.Result.Handle > 0 {
		row("handle", "by reference only, for %s", e.Result.Handle)
	}
	e.dutyRows(row)
	if e.Shadow != nil {
		row("shadow", "%s, by %s (not enforced)", e.Shadow.Treatment, e.Shadow.By)
	}
	if err := w.Flush(); err != nil { // a strings.Builder takes everything
		panic(err)
	}
	return b.String()
}

func (e Explanation) dutyRows(row func(name, format string, args ...any)) {
	if e.Duties.Retain > 0 {
		row("retain", "%s", e.Duties.Retain)
	}
	if len(e.Duties.Notify) > 0 {
		row("notify", "%s", strings.Join(e.Duties.Notify, ", "))
	}
	if len(e.Duties.Basis) > 0 {
		row("legal basis", "%s", strings.Join(e.Duties.Basis, ", "))
	}
}

func (a Asked) words() string {
	var parts []string
	add := func(what string, ids []flow.PolicyID) {
		if len(ids) > 0 {
			names := make([]string, len(ids))
			for i, id := range ids {
				names[i] = string(id)
			}
			parts = append(parts, what+" "+strings.Join(names, ", "))
		}
	}
	add("could not be evaluated:", a.Errors)
	add("forbidden by", a.Forbids)
	add("permitted by", a.Permits)
	if len(parts) == 0 {
		parts = append(parts, "no policy permits it")
	}
	if a.Exception != "" {
		parts = append(parts, "exception "+string(a.Exception))
	}
	if a.Capped {
		parts = append(parts, "above the tier's cap")
	}
	answer := "no"
	if a.Allowed && !a.Capped {
		answer = "yes"
	}
	return answer + ": " + strings.Join(parts, "; ")
}

func partyWords(p flow.Party) string {
	var more []string
	if p.Domain != "" {
		more = append(more, "domain "+string(p.Domain))
	}
	for _, r := range p.Roles {
		more = append(more, "role "+string(r))
	}
	if p.Attested {
		more = append(more, "attested")
	}
	if len(more) == 0 {
		return orNone(string(p.Agent))
	}
	return orNone(string(p.Agent)) + " (" + strings.Join(more, ", ") + ")"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
