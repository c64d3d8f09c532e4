package trace

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
)

// Decision is what of a row's sealed inputs tells lineage: places with their labels, and what was decided of each.
type Decision struct {
	Leaves []flow.Leaf
	Terms  []flow.LeafTerms // one for each leaf
}

// leaf is one column that left, however often it did.
type leaf struct {
	field  string // in what the recipient got
	source lineage.Column
	own    bool // the source is a dataset that a schema of this domain names
	label  flow.Label
	how    flow.Treatment
}

// made is all that a run made of columns, each once, in the order of first mention.
type made struct {
	leaves []leaf
	had    map[leaf]bool
}

// mostColumns bounds the columns of one run. A message has no more leaves than its limits allow; a stream may go on.
const mostColumns = 10_000

func (m *made) add(l leaf) {
	if m.had[l] || len(m.leaves) >= mostColumns {
		return
	}
	if m.had == nil {
		m.had = map[leaf]bool{}
	}
	m.had[l] = true
	m.leaves = append(m.leaves, l)
}

// take adds what a decision let through. What was dropped, or replaced by a reference, did not leave.
func (t *Tracer) take(m *made, ev *flow.Event, d Decision) {
	for i := range min(len(d.Leaves), len(d.Terms)) {
		l, how := &d.Leaves[i], d.Terms[i].Treatment
		switch {
		case ev.Outcome == flow.Watched:
			how = flow.Treatment{Level: flow.Raw} // nothing was enforced
		case ev.Flow.Protocol == protocolTable && l.Need != nil:
			how = *l.Need // what the plan made of it; the terms say how much it may show
		}
		if how.Level == flow.Dropped {
			continue
		}
		message := ev.Flow.Protocol != protocolTable
		one := leaf{field: fieldOf(l.Path, message), label: l.Label, how: how}
		if l.Origin == flow.Detected && telling(l.Label) {
			one.field += "." + string(l.Label) // what was found in a text is a part of it
		}
		one.source = lineage.Column{Dataset: sent(&ev.Flow), Field: one.field}
		if dataset, column, ok := strings.Cut(l.Field, "/"); ok {
			one.source, one.own = lineage.Column{Dataset: t.dataset(dataset), Field: cut(column, longestField)}, true
		} else if !message {
			one.source.Dataset = t.source(ev)
		}
		m.add(one)
	}
}

// source is where a released table comes from.
func (t *Tracer) source(ev *flow.Event) lineage.Name {
	switch {
	case ev.Flow.Subject != "":
		return t.dataset(ev.Flow.Subject)
	case ev.Table != nil && len(ev.Table.Source) >= 16:
		return t.dataset("source/" + ev.Table.Source[:16])
	}
	return t.dataset("source")
}

// how is what a treatment does to a value, in words of OpenLineage. All but raw masks.
func how(t flow.Treatment) lineage.Transformation {
	if t.Level == flow.Raw {
		return lineage.Transformation{Type: "DIRECT", Subtype: "IDENTITY"}
	}
	return lineage.Transformation{Type: "DIRECT", Subtype: "TRANSFORMATION", Description: t.String(), Masking: true}
}

// aggregated is what a question does to the columns that it uses.
func aggregated(technique string) lineage.Transformation {
	if technique == "" {
		technique = "aggregate"
	}
	return lineage.Transformation{Type: "DIRECT", Subtype: "AGGREGATION", Description: technique, Masking: true}
}

// lineage says what the columns of the output were made of, with what the sender held of the same label as what they may have
// been made of.
func (m *made) lineage(held func(flow.Label) []lineage.Column) *lineage.ColumnLineage {
	out := &lineage.ColumnLineage{}
	at := map[string]int{}
	for _, l := range m.leaves {
		i, ok := at[l.field]
		if !ok {
			i = len(out.Fields)
			at[l.field] = i
			out.Fields = append(out.Fields, lineage.FieldLineage{Field: l.field})
		}
		f := &out.Fields[i]
		t := how(l.how)
		joined(f, l.source, t)
		if l.own || held == nil {
			continue
		}
		for _, c := range held(l.label) {
			joined(f, c, lineage.Transformation{Type: "INDIRECT", Description: "held by the sender", Masking: t.Masking})
		}
	}
	return out
}

// joined adds a column that a field was made of. One that is there is made of it in one more way.
func joined(f *lineage.FieldLineage, c lineage.Column, t lineage.Transformation) {
	i := slices.IndexFunc(f.Inputs, func(in lineage.Input) bool { return in.Column == c })
	if i < 0 {
		f.Inputs = append(f.Inputs, lineage.Input{Column: c, How: []lineage.Transformation{t}})
		return
	}
	if in := &f.Inputs[i]; !slices.Contains(in.How, t) {
		in.How = append(in.How, t)
	}
}

// datasets lists those that columns were made of, each with its columns and their labels.
func datasets(c *lineage.ColumnLineage, labels map[lineage.Column]flow.Label, tags func([]tag) lineage.Facets) []lineage.Dataset {
	var out []lineage.Dataset
	var marked [][]tag
	for i := range c.Fields {
		for _, in := range c.Fields[i].Inputs {
			at := slices.IndexFunc(out, func(d lineage.Dataset) bool { return d.Name == in.Dataset })
			if at < 0 {
				at = len(out)
				out, marked = append(out, lineage.Dataset{Name: in.Dataset}), append(marked, nil)
			}
			if in.Field == "" || slices.ContainsFunc(out[at].Schema, func(f lineage.Field) bool { return f.Name == in.Field }) {
				continue
			}
			out[at].Schema = append(out[at].Schema, lineage.Field{Name: in.Field})
			if l := labels[in.Column]; l != "" {
				marked[at] = append(marked[at], tag{in.Field, l})
			}
		}
	}
	for i := range out {
		out[i].Facets = tags(marked[i])
	}
	return out
}

// tag is the label of a column.
type tag struct {
	field string
	label flow.Label
}
