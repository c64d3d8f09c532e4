package release

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
)

// Decision is what policy says of a table.
type Decision struct {
	Query  policy.TableQuery
	Leaves []flow.Leaf // one for each column
	Terms  policy.TableTerms
	Excess []Excess // columns of which the plan reveals too much
}

// Refused returns the refusal, nil if the table may leave.
func (d *Decision) Refused() *Refused {
	switch {
	case !d.Terms.Allowed:
		return &Refused{Reason: d.Terms.Reason}
	case len(d.Excess) > 0:
		return &Refused{Columns: d.Excess}
	}
	return nil
}

// Decide asks policy about a table and holds the plan's columns against the terms. It records nothing. Errors to act on are
// [ErrAgent] and [ErrDataset]; that the table may not leave is not one, see [Decision.Refused].
func Decide(s *gateway.Snapshot, o Order, columns []Column, model policy.Model) (*Decision, error) {
	agent := s.Agents[o.To]
	if agent == nil {
		return nil, fmt.Errorf("%q: %w", o.To, ErrAgent)
	}
	contract, err := contractOf(s, o.Dataset)
	if err != nil {
		return nil, err
	}
	d := &Decision{Query: policy.TableQuery{
		Query: policy.Query{
			Flow: flow.Flow{
				ID: gateway.NewFlowID(), From: flow.Party{Domain: s.Domain}, To: agent.Party, Purpose: o.Purpose, Task: flow.Task{Criticality: o.Criticality},
				Protocol: Protocol, Method: "anonymize", Subject: o.Dataset, Direction: flow.Response,
			},
			Consent: o.Consent, Approved: o.Approved,
		},
		Dataset: o.Dataset, Model: model,
	}}
	for i := range columns {
		d.Leaves = append(d.Leaves, leafOf(s.Taxonomy, contract, o.Dataset, &columns[i]))
		d.Query.Covered = append(d.Query.Covered, covers(&columns[i], model))
	}
	var bound gateway.Agreed
	if o.bound != nil {
		bound = o.bound(&d.Query.Flow)
	}
	d.Query.Contracts = bound.Names(s.Domain)
	if d.Terms, err = s.Policy.DecideTable(d.Query, d.Leaves); err != nil {
		return nil, err
	}
	named := named(d.Leaves, o.Dataset, columns)
	s.Governed(&d.Query.Flow, "extract", named, d.Terms.Leaves)
	bound.Meet(s.Taxonomy, s.Domain, d.Leaves, d.Terms.Leaves)
	d.Terms.Duties, d.Terms.Contracts = bound.Duties(s.Domain, d.Terms.Duties), bound.IDs()
	d.Terms.Duties, _ = s.Retained(named, d.Terms.Leaves, d.Terms.Duties)
	if !d.Terms.Allowed {
		return d, nil
	}
	for i := range columns {
		if x, over := excess(s.Taxonomy, &columns[i], &d.Leaves[i], d.Terms.Leaves[i], d.Terms.Covered[i]); over {
			d.Excess = append(d.Excess, x)
		}
	}
	return d, nil
}

// named returns leaves that know their dataset also where its contract does not know the column.
func named(leaves []flow.Leaf, dataset string, columns []Column) []flow.Leaf {
	if dataset == "" {
		return leaves
	}
	out := slices.Clone(leaves)
	for i := range out {
		if out[i].Field == "" {
			out[i].Field = dataset + "/" + columns[i].Name
		}
	}
	return out
}

// covers reports whether the promise of the models is about the column.
func covers(c *Column, m policy.Model) bool {
	switch c.Role {
	case Quasi:
		return m.K > 1
	case Sensitive:
		return m.L > 1 || m.T > 0 && m.T < 1000
	}
	return false
}

func contractOf(s *gateway.Snapshot, dataset string) (*catalog.Contract, error) {
	if dataset == "" {
		return nil, nil
	}
	for _, c := range s.Catalog.Contracts() {
		if _, ok := c.Dataset(dataset); ok {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", dataset, ErrDataset)
}

// leafOf labels a column: the strictest of what the contract, the plan and detection say. A contract that does not know the column
// leaves it unlabelled, and then only a label as strict as that counts.
func leafOf(tax *flow.Taxonomy, contract *catalog.Contract, dataset string, c *Column) flow.Leaf {
	leaf := flow.Leaf{Path: pathOf(c.Name), Label: flow.Unlabelled, Origin: flow.Supplied}
	if contract != nil {
		if f, ok := contract.Field(dataset + "/" + c.Name); ok {
			leaf.Label, leaf.Field, leaf.Origin = f.Label, f.Name, flow.Catalogued
		}
		leaf.Label = raised(tax, leaf.Label, c.Label)
	} else if _, known := tax.Class(c.Label); known {
		leaf.Label = c.Label
	}
	leaf.Label = raised(tax, leaf.Label, c.Found)
	return leaf
}

func raised(tax *flow.Taxonomy, l, by flow.Label) flow.Label {
	if _, known := tax.Class(by); !known || by == "" {
		return l
	}
	return tax.Stricter(l, by)
}

// pathOf is a column as a JSON Pointer.
func pathOf(name string) flow.Path {
	return flow.Path("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}

// excess holds a column of the plan against its terms.
func excess(tax *flow.Taxonomy, c *Column, leaf *flow.Leaf, terms flow.LeafTerms, covered bool) (Excess, bool) {
	class, _ := tax.Class(leaf.Label)
	x := Excess{Column: c.Name, Label: leaf.Label, Terms: terms, Ids: slices.Clone(terms.Policies)}
	shown := c.Says.Treatment
	within := c.Says.Within(class, terms.Treatment)
	if c.Role == Quasi {
		shown, within = flow.Treatment{Level: flow.Raw}, terms.Level == flow.Raw
		if c.Least > 0 {
			shown = flow.Treatment{Level: flow.Generalized}
			within = within || covered && terms.Level == flow.Generalized
		} else if covered && terms.Level == flow.Generalized {
			x.Hint = "allow no level below 1 of its hierarchy (least: 1)"
		}
	} else if covered && terms.Level == flow.Generalized && class.Family.Has(shown.Level) && !shown.Level.Reveals(flow.Generalized) {
		within = true // it is the model that says how coarse the column has to be
	}
	x.Plan = shown.String()
	if !within && terms.Level == flow.Dropped {
		x.Hint = "leave the column out"
	}
	if within && shown.Level == flow.Tokenized && shown.Param != flow.TokenSurrogate && shown.Param != flow.TokenRealistic && leaf.Origin != flow.Catalogued {
		x.Terms.Reason, x.Hint = "a column that no contract names has no tokens that are derived from its values", "name the dataset, or use surrogates"
		return x, true
	}
	return x, !within
}
