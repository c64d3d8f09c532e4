package gateway

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/dp/query"
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

// governsQuestion holds a question to the contracts of its dataset, of the tables that it reads and of every column that it uses.
func (s *Snapshot) governsQuestion(f *flow.Flow, q *Question) error {
	if !s.Catalog.Governs() {
		return nil
	}
	for _, name := range s.contracted(q) {
		if why := s.ungoverned(f, s.Catalog.Governance(name), q.Technique); why != "" {
			return refuse(RulePolicy, "", errGoverned, notPermittedText)
		}
	}
	return nil
}

// contracted are the names, as data contracts have them, of what a question is about.
func (s *Snapshot) contracted(q *Question) []string {
	names := []string{q.Dataset}
	d := s.Datasets[q.Dataset]
	if d == nil || d.Query == nil {
		for _, column := range q.Columns {
			names = append(names, q.Dataset+"/"+column)
			if _, bare, of := strings.Cut(column, "."); of {
				names = append(names, q.Dataset+"/"+bare)
			}
		}
		if q.Columns == nil {
			names = append(names, s.fieldsOf(q.Dataset)...)
		}
		return names
	}
	for i := range d.Query.Tables {
		t := &d.Query.Tables[i]
		described := cmp.Or(d.Described[t.Name], q.Dataset)
		if q.Columns == nil {
			names = append(append(names, described), s.fieldsOf(described)...)
			continue
		}
		if slices.Contains(q.Tables, t.Name) {
			names = append(names, described)
		}
		for _, column := range q.Columns {
			table, bare, of := strings.Cut(column, ".")
			if !of || len(d.Query.Tables) == 1 {
				table, bare = t.Name, column
			}
			if table != t.Name {
				continue
			}
			source := bare
			if j := slices.IndexFunc(t.Columns, func(c query.Column) bool { return c.Name == bare }); j >= 0 {
				source = cmp.Or(t.Columns[j].Source, bare)
			}
			names = append(names, described+"/"+source)
		}
	}
	return names
}

// fieldsOf are the fields of a dataset that a data contract describes.
func (s *Snapshot) fieldsOf(dataset string) (names []string) {
	for _, c := range s.Catalog.Contracts() {
		if d, ok := c.Dataset(dataset); ok {
			for i := range d.Fields {
				names = append(names, d.Fields[i].Name)
			}
		}
	}
	return names
}
