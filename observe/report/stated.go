package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// fields calls f for every field of the catalog that has one of the labels; all fields if there are none.
func (d *draft) fields(labels []string, f func(*catalog.Contract, *catalog.Dataset, *catalog.Field)) {
	if d.Catalog == nil {
		return
	}
	for _, c := range d.Catalog.Contracts() {
		for i := range c.Datasets {
			set := &c.Datasets[i]
			for j := range set.Fields {
				if one := &set.Fields[j]; labels == nil || slices.Contains(labels, string(one.Label)) {
					f(c, set, one)
				}
			}
		}
	}
}

// governed adds up what the catalog says of fields with these labels.
func (d *draft) governed(labels []string, add func(catalog.Governance)) {
	if labels == nil {
		labels = []string{}
	}
	d.fields(labels, func(c *catalog.Contract, set *catalog.Dataset, f *catalog.Field) {
		add(f.Governance.Within(set.Governance.Within(c.Governance)))
	})
}

func (d *draft) statedBasis(labels []string) (basis []string) {
	d.governed(labels, func(g catalog.Governance) { basis = append(basis, g.LegalBasis...) })
	return basis
}

func (d *draft) statedRetention(labels []string) (retain []string) {
	d.governed(labels, func(g catalog.Governance) {
		if g.Retention > 0 {
			retain = append(retain, span(g.Retention))
		}
	})
	return retain
}

// sourcesOf are the datasets that have fields of a label.
func (d *draft) sourcesOf(labels []string) (sources []string) {
	d.fields(labels, func(c *catalog.Contract, set *catalog.Dataset, _ *catalog.Field) {
		sources = append(sources, fmt.Sprintf("%s (%s %s)", set.Name, c.ID, c.Version))
	})
	return sources
}

// retention is how long recipients may keep what they were shown, by whoever says so.
func (d *draft) retention(law string) {
	s := Section{ID: "retention", Title: "How long recipients keep it", Law: law, Columns: []string{"Stated by", "For", "How long", "Told"}}
	if d.Policy != nil {
		for _, id := range d.Policy.Names() {
			if duties, reason, _ := d.Policy.Annotated(id); duties.Retain > 0 {
				s.Rows = append(s.Rows, texts("policy "+string(id), reason, span(duties.Retain), lines(duties.Notify)))
			}
		}
	}
	d.fields(nil, func(c *catalog.Contract, set *catalog.Dataset, f *catalog.Field) {
		if g := f.Governance.Within(set.Governance.Within(c.Governance)); g.Retention > 0 {
			s.Rows = append(s.Rows, texts(fmt.Sprintf("contract %s %s", c.ID, c.Version), f.Name, span(g.Retention), ""))
		}
	})
	d.section(s)
}

// data is what the catalog knows of.
func (d *draft) data(law string) {
	s := Section{ID: "data", Title: "Data that the catalog describes", Law: law, Columns: []string{
		"Dataset", "Field", "Data", "Tier", "About", "Owners", "Purposes", "Legal basis", "Recipients", "Transfers", "To be looked at again",
	}}
	due := false
	d.fields(nil, func(c *catalog.Contract, set *catalog.Dataset, f *catalog.Field) {
		g := f.Governance.Within(set.Governance.Within(c.Governance))
		due = due || !g.Review.IsZero() && g.Review.Before(d.Made)
		s.Rows = append(s.Rows, texts(fmt.Sprintf("%s (%s %s)", set.Name, c.ID, c.Version), f.Column, d.titles([]string{string(f.Label)}), f.Tier.String(), set.Unit,
			lines(g.Owners), list(g.Purposes), lines(g.LegalBasis), lines(g.Recipients), lines(g.Transfers), day(g.Review)))
	})
	if len(s.Rows) == 0 {
		d.lacks(law, "data that no contract describes: the catalog is empty")
	}
	if due {
		d.lacks(law, "a review of contracts whose date of review is over")
	}
	d.section(s)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// people are the categories that purposes and units name.
func (d *draft) peopleOf(purpose string, labels []string) string {
	if p := d.Settings.purpose(flow.Purpose(purpose)).People; p != "" {
		return p
	}
	var units []string
	d.fields(labels, func(_ *catalog.Contract, set *catalog.Dataset, _ *catalog.Field) {
		if set.Unit != "" {
			units = append(units, set.Unit)
		}
	})
	return lines(units)
}
