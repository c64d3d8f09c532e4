package policy

import (
	"errors"
	"fmt"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/scrimhq/scrim/flow"
)

// Model is what a table guarantees of everybody in it. The zero value guarantees nothing.
type Model struct {
	K    int `json:"k,omitempty"`    // rows that nobody can tell apart by the quasi-identifiers, at least; 0 and 1: none
	L    int `json:"l,omitempty"`    // different values of each sensitive column among them, at least; 0 and 1: none
	T    int `json:"t,omitempty"`    // how far a sensitive column's values among them may be from the whole table's, in thousandths; 0: not bounded
	Risk int `json:"risk,omitempty"` // highest chance to find somebody who is known to be in the table, in thousandths; 0: not bounded
}

// tableAttributes are what a policy on the action extract may ask besides. A larger k or l is the stronger guarantee, a smaller t
// or risk.
var tableAttributes = []struct {
	name, typ, doc string
	more           bool // a larger number guarantees more
	most           int64
	of             func(Model) int
}{
	{"k", "Long", "rows that cannot be told apart, at least; 1: no guarantee", true, 1 << 31, func(m Model) int { return max(m.K, 1) }},
	{"l", "Long", "different sensitive values among them, at least; 1: no guarantee", true, 1 << 31, func(m Model) int { return max(m.L, 1) }},
	{"t", "Long", "distance of sensitive values from the whole table's, at most, in thousandths", false, 1000, func(m Model) int { return bounded(m.T) }},
	{"risk", "Long", "chance to find somebody known to be in the table, at most, in thousandths", false, 1000, func(m Model) int { return bounded(m.Risk) }},
}

func bounded(n int) int {
	if n <= 0 || n > 1000 {
		return 1000
	}
	return n
}

// TableQuery asks for the terms on which rows may leave as a table.
type TableQuery struct {
	Query
	Dataset string // "": one that no contract knows
	Model   Model
	Covered []bool // for each leaf, whether the model's guarantee is about this column; nil: about none
}

// TableTerms are the terms of a table. The zero value forbids it.
type TableTerms struct {
	flow.Terms
	Allowed  bool            // rows may leave at all
	Policies []flow.PolicyID // that determined this
	Reason   string          // of the policies, or the rule's own words
	Covered  []bool          // for each leaf, whether its terms come from the guarantee
}

// DecideTable returns whether rows of a dataset may leave with this guarantee, and on which terms each column.
//
// Without a policy that permits the action extract no rows leave; of a formal dataset none leave whatever policies say. A column
// that the guarantee covers may show what no policy forbids: up to raw where the permit is an exception for exactly this
// dataset, else within the tier's cap. Its terms have no parameter, since it is the model that says how coarse it is. Only
// attributes are covered, and no prose; every other column is decided as [Set.Decide] does. With an error come zero terms.
func (s *Set) DecideTable(q TableQuery, leaves []flow.Leaf) (TableTerms, error) {
	if q.Covered != nil && len(q.Covered) != len(leaves) {
		return TableTerms{}, errors.New("what the model covers does not match the leaves")
	}
	terms, err := s.Decide(q.Query, leaves)
	if err != nil {
		return TableTerms{}, err
	}
	out := TableTerms{Terms: terms, Covered: make([]bool, len(leaves))}
	v := s.view(&q.Query)
	ans := s.extract(v, &q)
	out.Allowed, out.Policies, out.Reason = s.mayExtract(&q, ans)
	if !out.Allowed {
		return out, nil
	}
	v.context = cedar.NewRecord(v.asked) // the field policies' own again
	lifted := slices.ContainsFunc(ans.permits, func(r *rule) bool {
		return r.exception && r.exactResource == uid(typeDataset, q.Dataset)
	})
	for i, leaf := range leaves {
		leaf.Label = labelOf(leaf)
		if q.Covered == nil || !q.Covered[i] || !s.coverable(leaf) {
			continue
		}
		t := s.covered(v, &q.Query, leaf, ans.permits, lifted)
		if t.Level.Reveals(terms.Leaves[i].Level) || t.Level == terms.Leaves[i].Level {
			out.Leaves[i], out.Covered[i] = t, true
		}
	}
	out.Duties, err = s.tableDuties(&q.Query, leaves, out.Covered, ans.permits)
	return out, err
}

// tableDuties are those of the permit that lets the table out, and of the columns that it does not cover.
func (s *Set) tableDuties(q *Query, leaves []flow.Leaf, covered []bool, by []*rule) (flow.Duties, error) {
	var rest []flow.Leaf
	for i, leaf := range leaves {
		if class, _ := s.snap.tax.Class(labelOf(leaf)); !covered[i] && (class.Tier != flow.Public || len(s.reached(leaf.Field)) > 0) {
			rest = append(rest, leaf)
		}
	}
	terms, err := s.Decide(*q, rest)
	if err != nil {
		return flow.Duties{}, err
	}
	own := dutiesOf(by)
	for i, leaf := range leaves {
		if covered[i] {
			f := s.snap.fields[leaf.Field]
			own = s.snap.outer.retain(s.snap.outer.retain(own, labelOf(leaf), ""), f.Label, f.Dataset)
		}
	}
	if !slices.ContainsFunc(terms.Leaves, func(t flow.LeafTerms) bool { return t.Level != flow.Dropped }) {
		return own, nil
	}
	return mergeDuties(terms.Duties, own), nil
}

// coverable reports whether a model can protect values of the label: what names somebody does so however many rows share it, and
// prose tells what no model counts.
func (s *Set) coverable(leaf flow.Leaf) bool {
	for _, l := range append([]flow.Label{leaf.Label}, s.reached(leaf.Field)...) {
		class, known := s.snap.tax.Class(l)
		if !known || class.Family != flow.Attribute || l.Within("text") || l.Within("health/note") || l.Within("person/photo") {
			return false
		}
	}
	return true
}

// extract asks the policies about the dataset as a whole.
func (s *Set) extract(v *view, q *TableQuery) answer {
	m := s.context(&q.Query)
	for _, a := range tableAttributes {
		m[cedar.String(a.name)] = cedar.Long(a.of(q.Model))
	}
	v.context = cedar.NewRecord(m)
	dataset, ok := s.snap.static[uid(typeDataset, q.Dataset)]
	if !ok {
		dataset = datasetEntity(Dataset{Name: q.Dataset})
	}
	return s.enforced.ask(v, dataset, actExtract).to(actExtract)
}

func (s *Set) mayExtract(q *TableQuery, ans answer) (bool, []flow.PolicyID, string) {
	switch {
	case s.snap.formal[q.Dataset]:
		return false, nil, "the dataset is formal: its rows do not leave, and questions about it are answered through the ledger"
	case ans.allowed():
		return true, ids(ans.permits), firstReason(ans.permits)
	case len(ans.failed) > 0:
		return false, ids(ans.failed, ans.forbids), "policy " + string(ids(ans.failed)[0]) + " could not be evaluated"
	case len(ans.forbids) > 0:
		if words := firstReason(ans.forbids); words != "" {
			return false, ids(ans.forbids), words
		}
		return false, ids(ans.forbids), "policy " + string(ids(ans.forbids)[0]) + " forbids it"
	}
	return false, nil, "no policy permits to extract rows of this dataset with such a guarantee"
}

// covered returns the terms of a column that the guarantee covers: the most revealing level that nothing forbids, within the cap.
func (s *Set) covered(v *view, q *Query, leaf flow.Leaf, by []*rule, lifted bool) flow.LeafTerms {
	resources := []cedar.Entity{s.snap.class(leaf.Label)}
	if f, ok := s.snap.fields[leaf.Field]; ok {
		asField := s.snap.static[uid(typeField, f.Name)]
		if f.Label == leaf.Label {
			resources = nil
		}
		resources = append(resources, asField)
	}
	class, _ := s.snap.tax.Class(leaf.Label)
	limit, top := tierCap(class, q), ceiling{}
	for _, l := range s.reached(leaf.Field) {
		resources = append(resources, s.snap.class(l))
		if other, _ := s.snap.tax.Class(l); limit.Reveals(tierCap(other, q)) { // all are attributes
			class.Tier, limit = other.Tier, tierCap(other, q)
		}
	}
	s.ofScore(v, leaf.Certainty())
	asked := make([]matched, len(resources))
	for i, r := range resources {
		asked[i] = s.enforced.ask(v, r, actLevels)
		if of, _ := s.snap.tax.Class(flow.Label(r.UID.ID)); r.UID.Type == typeClass {
			if more := s.snap.outer.ceiling(of, q); more.by != "" {
				top = top.meet(more.level, more.by)
			}
		} else if more := s.ceiling(class, q, r); more.by != "" {
			top = top.meet(more.level, more.by)
		}
	}
	out := flow.LeafTerms{Policies: ids(by), Reason: firstReason(by)}
	for _, level := range class.Family.Levels() {
		out.Treatment = flow.Treatment{Level: level}
		if level == flow.Dropped {
			break
		}
		var denied []*rule
		for _, m := range asked {
			ans := m.to(levelAction(level))
			denied = append(denied, slices.Concat(ans.failed, ans.forbids)...)
		}
		if len(denied) > 0 {
			out.By, out.Policies = flow.ByPolicy, ids(by, denied)
			if out.Reason = firstReason(denied); out.Reason == "" {
				out.Reason = fmt.Sprintf("policy %s forbids more", ids(denied)[0])
			}
			continue
		}
		if top.above(level) {
			out.By, out.Policies = flow.ByPolicy, append(ids(by), top.by)
			out.Reason = fmt.Sprintf("policy %s forbids more", top.by)
			continue
		}
		if level.Reveals(limit) && !lifted {
			out.By, out.Reason = flow.ByTier, capReason(class.Tier, q.Flow.Task.Criticality, limit)
			continue
		}
		break
	}
	return out
}

// tables checks that conditions ask for a guarantee only so that a stronger one opens: a permit that a weaker table fulfils and a
// stronger one does not would be a reason to weaken tables.
func (l *linter) tables() {
	for _, a := range tableAttributes {
		for _, c := range l.tree.Conditions {
			opens := (c.Condition == ast.ConditionWhen) != l.rule.forbid
			l.ordered(c.Body, &opens, orderedAttr{a.name, a.more, a.most})
		}
	}
}

// orderedAttr is an attribute of the context whose numbers are ordered by how much they guarantee.
type orderedAttr struct {
	name string
	more bool
	most int64
}

// ordered checks one part of a condition. Opens says whether more is permitted where the part is true; nil: it cannot be said.
func (l *linter) ordered(n ast.IsNode, opens *bool, a orderedAttr) {
	if part, done := inner(n, opens); done {
		for _, p := range part {
			l.ordered(p.node, p.opens, a)
		}
		return
	}
	where := "context." + a.name
	b, isBound := boundOn(n, a.name, a.most)
	switch {
	case !asksAttr(n, a.name):
	case !isBound || opens == nil:
		l.at(where, fmt.Sprintf("%s is compared with a whole number, by itself", a.name), fmt.Sprintf("write %s %s", where, a.example()))
	case b.below == a.more == *opens:
		l.at(where, "a stronger guarantee may not open less than a weaker one", fmt.Sprintf("write %s %s in a permit", where, a.example()))
	}
}

func (a orderedAttr) example() string {
	if a.more {
		return ">= 5"
	}
	return "<= 200"
}
