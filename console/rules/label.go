package rules

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// Labelled is a column with the label that somebody wants it to have.
type Labelled struct {
	Dataset string     `json:"dataset"`
	Column  string     `json:"column"`
	Label   flow.Label `json:"label"`
}

// About implements [page.Subject].
func (l Labelled) About() string { return l.Dataset }

func (p *pages) addLabels(g *page.Group) {
	page.Do(g, page.Action[Labelled, Begun]{
		Path: "/policies/drafts/label", Name: "console/label", Title: "Draft another label", Role: page.Steward,
		Summary: "Begins a draft of a contract in which a column has another label. Nothing changes before it is proposed and approved.",
		Then:    func(_ Labelled, b Begun) string { return "/policies/drafts/" + b.ID }, Do: p.relabel,
	})
}

// relabel writes a contract anew, with its comments.
func (p *pages) relabel(_ context.Context, r *page.Request, in Labelled) (Begun, error) {
	force, err := p.inForce()
	if err != nil {
		return Begun{}, err
	}
	cat, tax := p.opt.Catalog()
	class, ok := tax.Class(in.Label)
	if !ok {
		return Begun{}, page.Wrong("label: there is no such label")
	}
	for _, k := range cat.Contracts() {
		i := slices.IndexFunc(k.Datasets, func(d catalog.Dataset) bool { return d.Name == in.Dataset })
		if i < 0 {
			continue
		}
		next := *k
		next.Datasets = slices.Clone(k.Datasets)
		fields := slices.Clone(next.Datasets[i].Fields)
		at := slices.IndexFunc(fields, func(f catalog.Field) bool { return f.Column == in.Column })
		if at < 0 {
			return Begun{}, page.Wrong("column: there is no such column")
		}
		fields[at].Label, fields[at].Tier = class.Label, class.Tier
		next.Datasets[i].Fields = fields
		made, err := catalog.NewContract(next, tax)
		if err != nil {
			return Begun{}, page.Wrong("the contract with this label: %s", err.Error())
		}
		file := fileOf(force, k)
		if file == "" {
			return Begun{}, page.Wrong("the file of the contract is not one of the rules in force")
		}
		d, err := p.drafts.Begin(r.Who.Name, force.Rules.Digest(), map[string][]byte{file: made.AppendYAML(nil)}, time.Now())
		return Begun{d.ID, file}, told(err)
	}
	return Begun{}, page.Wrong("dataset: no contract describes it")
}

// fileOf is a contract's file as the rules in force name it.
func fileOf(force draft.Force, k *catalog.Contract) (file string) {
	for name := range force.Rules.Files {
		if (k.File() == name || strings.HasSuffix(k.File(), "/"+name)) && len(name) > len(file) {
			file = name
		}
	}
	return file
}
