package story

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/policy"
)

// facts are those of the whole flow.
func (t *teller) facts() {
	first, last := t.first(), t.last()
	s := &t.s
	s.Began, s.Ended, s.Flow, s.Outcome = first.Time, last.Time, first.Flow, last.Outcome
	highest := -1
	for i := range t.entries {
		ev := &t.entries[i].Event
		if ev.Outcome == flow.Refused || ev.Outcome == flow.Conflict {
			s.Refused, s.Outcome = true, ev.Outcome
			s.Rule, s.Place, _ = strings.Cut(ev.Reason, " ")
		}
		if left(ev) {
			for _, l := range ev.Levels {
				if l.Count > 0 {
					highest = max(highest, int(l.Level))
				}
			}
		}
	}
	if highest >= 0 {
		s.Highest = flow.Level(highest).String()
	}
}

// left reports whether values of an event left.
func left(ev *flow.Event) bool {
	return ev.Outcome != flow.Refused && ev.Outcome != flow.Conflict && ev.Outcome != flow.Asked && (ev.Outcome != flow.Opened || ev.Table == nil)
}

func who(p flow.Party) string {
	switch {
	case p.Agent == "" && p.Domain == "":
		return "somebody who did not prove who they are"
	case p.Agent == "":
		return "domain " + string(p.Domain)
	}
	return string(p.Agent) + " of " + string(p.Domain)
}

// asked tells who sent it, to whom, for what and by what right.
func (t *teller) asked() error {
	f := &t.s.Flow
	words := []string{fmt.Sprintf("%s to %s, %s over %s.", who(f.From), who(f.To), f.Direction, cmp.Or(f.Protocol, "the gateway itself"))}
	facts := []Fact{{Name: "from", Value: who(f.From)}, {Name: "to", Value: who(f.To)}, {Name: "purpose", Value: cmp.Or(string(f.Purpose), "none")}, {Name: "criticality", Value: f.Task.Criticality.String()}}
	for _, c := range []Fact{{Name: "method", Value: f.Method}, {Name: "skill or tool", Value: f.Subject}, {Name: "task", Value: string(f.Task.ID)}} {
		if c.Value != "" {
			facts = append(facts, c)
		}
	}
	for _, r := range []flow.Party{f.From, f.To} {
		if len(r.Roles) > 0 {
			facts = append(facts, Fact{Name: "roles of " + string(r.Agent), Value: join(r.Roles)})
		}
		if r.Attested {
			words = append(words, fmt.Sprintf("The runtime of %s was attested.", r.Agent))
		}
	}
	if c := f.Capability; c != nil {
		words = append(words, fmt.Sprintf("By a capability that %s issued, %s.", c.Issuer, links(len(c.Tokens))))
		for i, token := range c.Tokens {
			facts = append(facts, Fact{Name: fmt.Sprintf("link %d", i+1), Value: token, Href: "/capabilities/" + token})
		}
	}
	for i, p := range f.Chain {
		facts = append(facts, Fact{Name: fmt.Sprintf("handed on, %d", i+1), Value: who(p)})
	}
	t.add(Step{Kind: Asked, Title: "Who asked, and by what right", Words: words, Who: facts})
	return nil
}

func links(n int) string {
	if n == 1 {
		return "as it was given"
	}
	return fmt.Sprintf("which was handed on %d times, each time narrower or alike", n-1)
}

func join[T ~string](all []T) string {
	var s []string
	for _, a := range all {
		s = append(s, string(a))
	}
	return strings.Join(s, ", ")
}

// found tells which labels the message had.
func (t *teller) found() error {
	count := map[Label]int{}
	if t.opened {
		for i := range t.leaves {
			count[Label{Label: t.leaves[i].Label, Origin: t.leaves[i].Origin.String()}]++
		}
	} else {
		for i := range t.entries {
			for _, l := range t.entries[i].Event.Levels {
				count[Label{Label: l.Label}] += l.Count
			}
		}
	}
	step := Step{Kind: Found, Title: "What was found"}
	total := 0
	for l, n := range count {
		l.Count = n
		step.Labels, total = append(step.Labels, l), total+n
	}
	slices.SortFunc(step.Labels, func(a, b Label) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Origin, b.Origin))
	})
	if total == 0 {
		if t.s.Refused {
			return nil // it did not come so far
		}
		step.Words = []string{"Nothing that has a label."}
	} else {
		step.Words = []string{fmt.Sprintf("%s of %s.", counted(total, "value", "values"), counted(len(labelsOf(step.Labels)), "label", "labels"))}
	}
	known, unknown := 0, 0
	for i := range t.entries {
		known, unknown = known+t.entries[i].Event.Subjects, unknown+t.entries[i].Event.NoSubject
	}
	if known+unknown > 0 {
		step.Words = append(step.Words, fmt.Sprintf("About %s that are known; of %s it is not known whom they are about.", counted(known, "person or thing", "people or things"), counted(unknown, "value", "values")))
	}
	if total > 0 && !t.opened {
		step.Words = append(step.Words, "The places are not kept any more, or were not recorded; the counts are those of the event.")
	}
	t.add(step)
	return nil
}

func labelsOf(all []Label) map[flow.Label]bool {
	m := map[flow.Label]bool{}
	for _, l := range all {
		m[l.Label] = true
	}
	return m
}

func counted(n int, one, many string) string {
	return fmt.Sprintf("%d %s", n, flow.Plural(n, one, many))
}

// refused tells why, in an operator's words.
func (t *teller) refused() error {
	if !t.s.Refused {
		return nil
	}
	rule := words(t.s.Rule)
	step := Step{Kind: Refused, Title: "Refused by " + t.s.Rule, Bad: true, Words: []string{rule.why}}
	if p := strings.TrimSpace(t.s.Place); p != "" {
		step.Words = append(step.Words, "The record says: "+p+".")
	}
	if rule.what != "" {
		step.Words = append(step.Words, rule.what)
	}
	step.Words = append(step.Words, "Nothing of the message went further. The caller was told the rule, the place and this reference, and no more.")
	t.add(step)
	return nil
}

// decided tells the terms, and what determined them.
func (t *teller) decided() error {
	step := Step{Kind: Decided, Title: "The terms, and what determined them"}
	type key struct {
		label    flow.Label
		how      flow.Treatment
		by       flow.Limit
		reason   string
		policies string
		handle   bool
	}
	at := map[key]int{}
	add := func(term Term) {
		k := key{term.Label, flow.Treatment{Level: term.Level, Param: term.Param}, term.By, term.Reason, join(term.Policies), term.Handle}
		i, ok := at[k]
		if !ok {
			i = len(step.Terms)
			at[k] = i
			term.Because = because[term.By]
			step.Terms = append(step.Terms, term)
			step.Terms[i].Count = 0
		}
		step.Terms[i].Count += term.Count
	}
	if t.opened {
		for i := range t.terms {
			l := &t.terms[i]
			add(Term{Label: t.leaves[i].Label, Level: l.Level, Param: l.Param, By: l.By, Reason: l.Reason, Policies: l.Policies, Handle: l.Handle > 0, Count: 1})
		}
	} else {
		for i := range t.entries {
			for _, l := range t.entries[i].Event.Levels {
				add(Term{Label: l.Label, Level: l.Level, Param: l.Param, By: l.By, Count: l.Count})
			}
		}
	}
	slices.SortStableFunc(step.Terms, func(a, b Term) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.Label, b.Label), cmp.Compare(b.Count, a.Count))
	})
	var ids []flow.PolicyID
	hash := ""
	var contracts []string
	for i := range t.entries {
		ev := &t.entries[i].Event
		hash = cmp.Or(ev.PolicyHash, hash)
		ids, contracts = append(ids, ev.Policies...), append(contracts, ev.Contracts...)
	}
	for i := range step.Terms {
		ids = append(ids, step.Terms[i].Policies...)
	}
	slices.Sort(ids)
	slices.Sort(contracts)
	var err error
	if step.Rules, err = t.rules(hash, slices.Compact(ids)); err != nil {
		return err
	}
	for _, c := range slices.Compact(contracts) {
		step.Words = append(step.Words, "Under contract "+c+".")
	}
	if t.s.Refused && len(step.Terms) == 0 && len(step.Rules) == 0 {
		return nil
	}
	if hash != "" {
		step.Words = append(step.Words, "Decided by policies "+short(hash)+".")
	}
	t.add(step)
	return nil
}

func short(s string) string { return s[:min(len(s), 12)] }

// rules are policies with their own words, as they were when the flow was decided.
func (t *teller) rules(hash string, ids []flow.PolicyID) (all []Rule, err error) {
	var set *policy.Set
	if t.src.Policies != nil && hash != "" && len(ids) > 0 {
		if set, err = t.src.Policies(t.ctx, hash); err != nil && !errors.Is(err, policy.ErrKept) {
			return nil, err
		}
	}
	for _, id := range ids {
		r := Rule{ID: id, Gone: set == nil}
		if set != nil {
			duties, reason, ok := set.Annotated(id)
			r.Reason, r.Basis, r.Notify, r.Gone = reason, duties.Basis, duties.Notify, !ok
			if duties.Retain > 0 {
				r.Retain = duties.Retain.String()
			}
		}
		all = append(all, r)
	}
	return all, nil
}

// shown tells what the recipient may see.
func (t *teller) shown() error {
	step := Step{Kind: Shown, Title: "What " + who(t.s.Flow.To) + " may see"}
	type key struct {
		label flow.Label
		how   flow.Treatment
		by    flow.Limit
	}
	sum := map[key]int{}
	bytes := 0
	for i := range t.entries {
		ev := &t.entries[i].Event
		if !left(ev) {
			continue
		}
		bytes += ev.Bytes
		for _, l := range ev.Levels {
			sum[key{l.Label, flow.Treatment{Level: l.Level, Param: l.Param}, l.By}] += l.Count
		}
	}
	for k, n := range sum {
		step.Terms = append(step.Terms, Term{Label: k.label, Level: k.how.Level, Param: k.how.Param, By: k.by, Because: because[k.by], Count: n})
	}
	slices.SortFunc(step.Terms, func(a, b Term) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Param, b.Param), cmp.Compare(a.By, b.By))
	})
	switch {
	case t.s.Refused && len(step.Terms) == 0:
		step.Words = []string{"Nothing: the flow did not happen."}
	case t.s.Outcome == flow.Asked:
		step.Words = []string{"Nothing was sent: terms were asked for."}
	case t.s.Outcome == flow.Watched:
		step.Words = []string{"Everything, as it was sent: learn mode enforces nothing. The levels are what would have been."}
	default:
		step.Words = []string{fmt.Sprintf("The message as it left had %s. What has no label passed as it was.", counted(bytes, "byte", "bytes"))}
	}
	t.add(step)
	return nil
}

// cost tells what it took of a budget, and how long.
func (t *teller) cost() error {
	var c flow.Cost
	var took time.Duration
	step := Step{Kind: Cost, Title: "What it cost"}
	for i := range t.entries {
		ev := &t.entries[i].Event
		c.EpsilonNano, c.DeltaPico = c.EpsilonNano+ev.Cost.EpsilonNano, c.DeltaPico+ev.Cost.DeltaPico
		took += ev.Took
		if q := ev.Question; q != nil && len(step.Who) == 0 {
			step.Who = append(step.Who, Fact{Name: "dataset", Value: q.Dataset, Href: "/budgets/" + q.Dataset})
			for _, f := range []Fact{{Name: "technique", Value: q.Technique}, {Name: "stream", Value: q.Stream}, {Name: "columns", Value: join(q.Columns)}} {
				if f.Value != "" {
					step.Who = append(step.Who, f)
				}
			}
		}
	}
	if c == (flow.Cost{}) {
		step.Words = []string{"No privacy budget was charged."}
	} else {
		step.Words = []string{fmt.Sprintf("ε = %s and δ = %s were charged to the dataset's budget.", flow.Decimal(c.EpsilonNano, 9), flow.Decimal(c.DeltaPico, 12))}
	}
	if took > 0 {
		step.Words = append(step.Words, fmt.Sprintf("From its arrival to its durable record it took %v.", took.Round(10*time.Microsecond)))
	}
	if t.s.Refused && len(step.Words) == 1 && len(step.Who) == 0 {
		return nil
	}
	t.add(step)
	return nil
}

// recorded tells where the evidence is.
func (t *teller) recorded() error {
	step := Step{Kind: Recorded, Title: "On record"}
	if !t.s.Recorded {
		step.Words = []string{"This refusal has no row of its own: there were more in this second than are put on record one by one. It is counted in the next row, and known here until others have pushed it out of memory or the gateway ends."}
		t.add(step)
		return nil
	}
	var a proofs.Answer
	if t.src.Receipts != nil {
		var err error
		if a, err = t.src.Receipts(t.ctx, t.s.Reference); err != nil && !errors.Is(err, proofs.ErrUnknown) && !errors.Is(err, audit.ErrBehind) {
			return err
		}
	}
	in := 0
	for i := range t.entries {
		e := &t.entries[i]
		entry := Entry{Seq: e.Seq, Time: e.Event.Time, Outcome: e.Event.Outcome, Segment: e.Event.Segment, Hash: hex.EncodeToString(e.Hash[:])}
		if i < len(a.Records) {
			entry.Promise, entry.InTree = a.Records[i].Promise != "", a.Records[i].Proof != ""
		}
		if entry.InTree {
			in++
		}
		step.Entries = append(step.Entries, entry)
	}
	if a.Log != "" {
		told := min(len(a.Records), len(t.entries))
		step.Words = append(step.Words, fmt.Sprintf("%s in the log %s; of the first %d, %d are in its published tree and %d are promised.", counted(len(t.entries), "entry", "entries"), a.Log, told, in, told-in))
	} else {
		step.Words = append(step.Words, counted(len(t.entries), "entry", "entries")+" of the journal.")
	}
	if t.src.Cosigned != nil {
		if have, want := t.src.Cosigned(); want > 0 {
			step.Words = append(step.Words, fmt.Sprintf("The newest checkpoint has the signatures of %d of the %d witnesses that it should have.", have, want))
		}
	}
	t.add(step)
	return nil
}

// came tells which datasets the values came from.
func (t *teller) came() error {
	type column struct{ dataset, name string }
	count := map[column]int{}
	for i := range t.leaves {
		if dataset, name, ok := strings.Cut(t.leaves[i].Field, "/"); ok {
			count[column{dataset, name}]++
		}
	}
	if len(count) == 0 {
		return nil
	}
	step := Step{Kind: Came, Title: "Where it came from"}
	for c, n := range count {
		i := slices.IndexFunc(step.Sources, func(d Dataset) bool { return d.Name == c.dataset })
		if i < 0 {
			i = len(step.Sources)
			step.Sources = append(step.Sources, Dataset{Name: c.dataset})
		}
		d := &step.Sources[i]
		d.Columns, d.Count = append(d.Columns, c.name), d.Count+n
	}
	for i := range step.Sources {
		slices.Sort(step.Sources[i].Columns)
	}
	slices.SortFunc(step.Sources, func(a, b Dataset) int { return cmp.Compare(a.Name, b.Name) })
	step.Words = []string{fmt.Sprintf("Values of %s.", counted(len(step.Sources), "dataset", "datasets"))}
	t.add(step)
	return nil
}

// went tells the flows before and after.
func (t *teller) went() error {
	f := &t.s.Flow
	step := Step{Kind: Went, Title: "Before and after"}
	if f.Hop > 0 {
		step.Words = append(step.Words, fmt.Sprintf("It came through %s before this one; what they let through it is held to.", counted(f.Hop, "gateway", "gateways")))
	}
	if f.Parent != "" {
		how := "it continues"
		if f.Direction == flow.Response {
			how = "it answers"
		}
		r := Related{ID: f.Parent, How: how}
		for e, err := range t.src.Entries(t.ctx, audit.Query{Flow: f.Parent, Limit: 1}) {
			if err != nil {
				return fmt.Errorf("reading the journal: %w", err)
			}
			r.Here, r.Outcome, r.From, r.To = true, e.Event.Outcome, who(e.Event.Flow.From), who(e.Event.Flow.To)
		}
		if !r.Here {
			step.Words = append(step.Words, fmt.Sprintf("The flow before it is on record at the gateway of %s, whose signed statement named it; here is what that statement said of it.", f.From.Domain))
		}
		step.Flows = append(step.Flows, r)
	}
	for e, err := range t.src.Entries(t.ctx, audit.Query{Parent: t.s.Reference, Limit: mostRelated * 4}) {
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		ev := &e.Event
		if i := slices.IndexFunc(step.Flows, func(r Related) bool { return r.ID == ev.Flow.ID }); i >= 0 {
			step.Flows[i].Outcome = ev.Outcome
			continue
		}
		if len(step.Flows) > mostRelated {
			step.Words = append(step.Words, "There are more flows after it than are told here.")
			break
		}
		how := "continues it"
		if ev.Flow.Direction == flow.Response {
			how = "answers it"
		}
		step.Flows = append(step.Flows, Related{ID: ev.Flow.ID, How: how, Outcome: ev.Outcome, From: who(ev.Flow.From), To: who(ev.Flow.To), Here: true})
	}
	if len(step.Flows) == 0 && len(step.Words) == 0 {
		return nil
	}
	t.add(step)
	return nil
}
