package report

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/budget"
)

// kind is how a document of a kind is made.
type kind struct {
	title, law string
	years      int // how long it looks back unless asked otherwise
	one        bool
	either     bool
	counts     func(*draft) []Count
	write      func(*draft)
}

var kinds = map[Kind]kind{
	Disclosures: {title: "Accounting of disclosures", law: "45 CFR 164.528", years: 6, either: true, counts: (*draft).hipaaCounts, write: (*draft).hipaa},
	CCPA:        {title: "Personal information collected, disclosed and sold", law: "Cal. Civ. Code 1798.130(a)(5), 11 CCR 7011(e) and 7102", years: 1, counts: (*draft).ccpaCounts, write: (*draft).ccpa},
	DPIA:        {title: "Data protection impact assessment: what the log shows", law: "GDPR article 35(7)", years: 1, counts: (*draft).dpiaCounts, write: (*draft).dpia},
	Transfers:   {title: "Transfers to other domains", law: "GDPR articles 44 to 49", years: 1, counts: (*draft).transferCounts, write: (*draft).transfers},
	Budgets:     {title: "Privacy budgets", years: 1, counts: (*draft).budgetCounts, write: (*draft).budgets},
	Access:      {title: "What was disclosed about one person", law: "GDPR article 15(1) and (2)", years: 6, one: true, counts: (*draft).accessCounts, write: (*draft).access},
	ROPA:        {title: "Records of processing activities", law: "GDPR article 30", years: 1, counts: (*draft).ropaCounts, write: (*draft).ropa},
}

// Kinds are all of them, in order.
func Kinds() []Kind { return slices.Sorted(maps.Keys(kinds)) }

// What outcomes show.
var (
	showing = Where{At: "outcome", Is: []string{string(flow.Released), string(flow.Replayed), string(flow.Segment)}}
	watched = Where{At: "outcome", Is: []string{string(flow.Watched)}}
	toSome  = Where{At: "flow.to.agent", Not: []string{""}}
	visible = Where{At: "levels.level", Not: []string{flow.Dropped.String()}}
	tables  = []Where{{At: "outcome", Is: []string{string(flow.Closed)}}, {At: "table.digest", Not: []string{""}}, toSome}
	answers = []Where{showing, {At: "question.dataset", Not: []string{""}}, {At: "flow.direction", Is: []string{flow.Response.String()}}}
	refused = []Where{{At: "outcome", Is: []string{string(flow.Refused), string(flow.Conflict)}}}
)

// outside leaves out what stays in the domain.
func (d *draft) outside() Where { return Where{At: "flow.to.domain", Not: []string{string(d.Domain)}} }

// charges are what the ledger of budgets says was charged for whom, and given back because nothing was answered.
func charges(extra ...Where) []Count {
	by := []string{"flow.from.domain", "flow.from.agent", "flow.subject"}
	of := func(method string) []Where {
		return append([]Where{{At: "outcome", Is: []string{string(flow.Budgeted)}}, {At: "flow.method", Is: []string{method}}}, extra...)
	}
	charged, back := of(budget.Reserved.String()), of(budget.Released.String())
	return []Count{
		{ID: "epsilon", Sum: sumEpsilon, By: by, Where: charged}, {ID: "epsilon-back", Sum: sumEpsilon, By: by, Where: back},
		{ID: "delta", Sum: sumDelta, By: by, Where: charged}, {ID: "delta-back", Sum: sumDelta, By: by, Where: back},
	}
}

func (d *draft) charged() {
	s := Section{ID: "charges", Title: "Privacy loss that was charged", Columns: []string{"Domain", "Agent", "Dataset", "ε", "ε given back", "δ", "δ given back"},
		Text: []string{"By whoever asked, as the ledger of budgets has it; an empty agent is the domain's own publishing. A charge whose answer could not be given is given back."}}
	c := d.count("epsilon")
	for i, f := range c.Figures {
		row := append(texts(d.named(f.Key[0]), f.Key[1], f.Key[2]), c.cell(i))
		s.Rows = append(s.Rows, append(row, d.count("epsilon-back").cellAt(f.Key...), d.count("delta").cellAt(f.Key...), d.count("delta-back").cellAt(f.Key...)))
	}
	d.section(s)
}

func (d *draft) shownCounts(extra ...Where) []Count {
	by := []string{"flow.to.domain", "flow.to.agent", "flow.purpose", "levels.label", "levels.level"}
	return append(charges(), []Count{
		{ID: "values", Sum: sumValues, By: by, Where: append([]Where{showing, toSome, visible}, extra...)},
		{ID: "watched", Sum: sumValues, By: by[:4], Where: append([]Where{watched, toSome}, extra...)},
		{ID: "tables", Sum: sumRows, By: []string{"flow.to.domain", "flow.to.agent", "flow.purpose", "flow.subject", "time.day"}, Where: append(slices.Clone(tables), extra...)},
		{ID: "answers", Sum: sumEntries, By: []string{"flow.to.domain", "flow.to.agent", "flow.purpose", "question.dataset"}, Where: append(slices.Clone(answers), extra...)},
	}...)
}

func (d *draft) count(id string) *Count {
	at := slices.IndexFunc(d.Counts, func(c Count) bool { return c.ID == id })
	return &d.Counts[at]
}

func (d *draft) section(s Section) {
	if s.Rows == nil {
		s.Rows = [][]Cell{}
	}
	d.Sections = append(d.Sections, s)
}

func (d *draft) lacks(law, format string, args ...any) {
	d.Missing = append(d.Missing, Missing{law, fmt.Sprintf(format, args...)})
}

// missing puts what is missing into order, each once.
func (d *draft) missing() {
	slices.SortStableFunc(d.Missing, func(a, b Missing) int { return cmp.Compare(a.Law, b.Law) })
	d.Missing = slices.Compact(d.Missing)
}

func text(s string) Cell { return Cell{Text: s} }

func texts(list ...string) []Cell {
	out := make([]Cell, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

// list writes words once each, in order.
func list[T ~string](words []T) string {
	words = slices.Compact(slices.Sorted(slices.Values(words)))
	return strings.ReplaceAll(joined(words), " ", ", ")
}

func lines(words []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), "; ")
}

// labelled is a label with its title.
func (d *draft) labelled(l string) string {
	c, ok := d.class(flow.Label(l))
	if !ok || c.Title == "" {
		return l
	}
	return c.Title + " (" + l + ")"
}

func (d *draft) class(l flow.Label) (flow.Class, bool) { return d.Taxonomy.Class(l) }

// special reports whether a label is of a special category.
func (d *draft) special(l string) bool { c, ok := d.class(flow.Label(l)); return ok && c.Special }

// named is a domain with the name of who stands behind it.
func (d *draft) named(domain string) string {
	if n := d.Settings.Domains[flow.DomainID(domain)].Name; n != "" {
		return n + " (" + domain + ")"
	}
	return domain
}

// span writes a duration in days where it is whole days.
func span(t time.Duration) string {
	switch {
	case t == 0:
		return ""
	case t%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", t/(24*time.Hour))
	}
	return t.String()
}

// ruling is a policy of the set that decided.
type ruling struct{ hash, id string }

// basisOf are the legal bases that policies and the configuration give for a purpose, and how long recipients keep it. Gone says that some
// policy is not known any more.
func (d *draft) basisOf(purpose string, policies map[ruling]bool) (basis, retain []string, gone bool) {
	basis = slices.Clone(d.Settings.purpose(flow.Purpose(purpose)).Basis)
	for p := range policies {
		set := d.set(p.hash)
		if set == nil {
			gone = true
			continue
		}
		duties, _, ok := set.Annotated(flow.PolicyID(p.id))
		gone = gone || !ok
		basis = append(basis, duties.Basis...)
		if duties.Retain > 0 {
			retain = append(retain, span(duties.Retain))
		}
	}
	return basis, retain, gone
}

// set is the policies of a hash; nil if they are not known.
func (d *draft) set(hash string) *policy.Set {
	if d.Policy != nil && hash == d.Policy.Hash() {
		return d.Policy
	}
	return d.sets[hash]
}

// learn looks for the policies of a time.
func (d *draft) learn(ctx context.Context, hash string) error {
	if _, there := d.sets[hash]; there || hash == "" || d.Sets == nil || d.Policy != nil && hash == d.Policy.Hash() {
		return nil
	}
	if len(d.sets) == mostSets {
		return nil
	}
	set, err := d.Sets(ctx, hash)
	if err != nil {
		return fmt.Errorf("reading the policies of a time: %w", err)
	}
	d.sets[hash] = set
	return nil
}

// mostSets bounds how many sets of policies are held; those of further ones are told of as not known.
const mostSets = 256

// decidedBy are the policies that decided, by the first part of a count's key; the others are their hash and names.
func (c *Count) decidedBy() map[string]map[ruling]bool {
	out := map[string]map[ruling]bool{}
	for _, f := range c.Figures {
		if out[f.Key[0]] == nil {
			out[f.Key[0]] = map[ruling]bool{}
		}
		for id := range strings.FieldsSeq(f.Key[2]) {
			out[f.Key[0]][ruling{f.Key[1], id}] = true
		}
	}
	return out
}

// wordsBy are the words of the last part of a count's key, by the first.
func (c *Count) wordsBy() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, f := range c.Figures {
		if out[f.Key[0]] == nil {
			out[f.Key[0]] = map[string]bool{}
		}
		for id := range strings.FieldsSeq(f.Key[len(f.Key)-1]) {
			out[f.Key[0]][id] = true
		}
	}
	return out
}
