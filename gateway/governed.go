package gateway

import (
	"errors"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// messageTechnique is what contracts call data that leave value by value, in messages. The other techniques are actions of policy.
const messageTechnique = "message"

// Governed takes away what data contracts do not let the flow's purpose or a technique have. It is done outside policy, so that no policy
// can open what a contract closes. Technique "" stands for messages, in which values leave one by one.
func (s *Snapshot) Governed(f *flow.Flow, technique string, leaves []flow.Leaf, terms []flow.LeafTerms) {
	if !s.Catalog.Governs() {
		return
	}
	for i := range terms {
		if i >= len(leaves) || leaves[i].Field == "" || terms[i].Level == flow.Dropped {
			continue
		}
		if why := s.ungoverned(f, s.Catalog.Governance(leaves[i].Field), technique); why != "" {
			t := &terms[i]
			t.Treatment, t.By, t.Reason = flow.Treatment{}, flow.ByCatalog, why
		}
	}
}

// ungoverned says why a data contract does not let data be used, "" if it does.
func (s *Snapshot) ungoverned(f *flow.Flow, g *catalog.Governance, technique string) string {
	if technique == "" {
		technique = messageTechnique
	}
	switch {
	case g == nil:
		return ""
	case len(g.Purposes) > 0 && !slices.ContainsFunc(g.Purposes, func(p flow.Purpose) bool { return s.Policy.PurposeIn(f.Purpose, p) }):
		return "its data contract does not have it used for this purpose"
	case len(g.Techniques) > 0 && !slices.Contains(g.Techniques, technique):
		return "its data contract does not have it leave in this way"
	}
	return ""
}

// Retained shortens how long a recipient may keep what is shown to what data contracts say, and reports whether any says something.
func (s *Snapshot) Retained(leaves []flow.Leaf, terms []flow.LeafTerms, d flow.Duties) (flow.Duties, bool) {
	said := false
	if !s.Catalog.Governs() {
		return d, said
	}
	for i := range terms {
		if i >= len(leaves) || leaves[i].Field == "" || terms[i].Level == flow.Dropped {
			continue
		}
		if g := s.Catalog.Governance(leaves[i].Field); g != nil && g.Retention > 0 {
			d.Retain, said = min(d.Retain, g.Retention), true
		}
	}
	return d, said
}

var errGoverned = errors.New("a data contract does not have the dataset used so")

// governsQuestion holds a question to the contract of its dataset and of every column that it uses.
func (s *Snapshot) governsQuestion(f *flow.Flow, q *Question) error {
	if !s.Catalog.Governs() {
		return nil
	}
	names := []string{q.Dataset}
	if q.Columns == nil {
		for _, c := range s.Catalog.Contracts() {
			if d, ok := c.Dataset(q.Dataset); ok {
				for i := range d.Fields {
					names = append(names, d.Fields[i].Name)
				}
			}
		}
	}
	for _, column := range q.Columns {
		for _, source := range s.sources(q.Dataset, column) {
			names = append(names, q.Dataset+"/"+source)
		}
	}
	for _, name := range names {
		if why := s.ungoverned(f, s.Catalog.Governance(name), q.Technique); why != "" {
			return refuse(RulePolicy, "", errGoverned, notPermittedText)
		}
	}
	return nil
}

// sources returns what contracts may call a column that a question names: its name, and that of the source's column that it is.
func (s *Snapshot) sources(dataset, column string) []string {
	names := []string{column}
	table, bare, of := strings.Cut(column, ".")
	if !of {
		table, bare = "", column
	}
	if bare != column {
		names = append(names, bare)
	}
	d := s.Datasets[dataset]
	if d == nil || d.Query == nil {
		return names
	}
	for i := range d.Query.Tables {
		t := &d.Query.Tables[i]
		if of && t.Name != table {
			continue
		}
		for j := range t.Columns {
			if c := &t.Columns[j]; (c.Name == bare || c.Name == column) && !slices.Contains(names, c.Source) {
				names = append(names, c.Source)
			}
		}
	}
	return names
}
