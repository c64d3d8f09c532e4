package report

import (
	"fmt"
)

// What the catalog states.

func (d *draft) statedBasis([]string) []string     { return nil }
func (d *draft) statedRetention([]string) []string { return nil }

func (d *draft) retention(law string) {
	s := Section{ID: "retention", Title: "How long recipients keep it", Law: law, Columns: []string{"Stated by", "For", "How long", "Told"}}
	if d.Policy != nil {
		for _, id := range d.Policy.Names() {
			if duties, reason, _ := d.Policy.Annotated(id); duties.Retain > 0 {
				s.Rows = append(s.Rows, texts("policy "+string(id), reason, span(duties.Retain), lines(duties.Notify)))
			}
		}
	}
	d.section(s)
}

// data is what the catalog knows of.
func (d *draft) data(law string) {
	s := Section{ID: "data", Title: "Data that the catalog describes", Law: law, Columns: []string{"Dataset", "Field", "Data", "Tier", "About"}}
	if d.Catalog != nil {
		for _, c := range d.Catalog.Contracts() {
			for _, set := range c.Datasets {
				for _, f := range set.Fields {
					s.Rows = append(s.Rows, texts(fmt.Sprintf("%s (%s %s)", set.Name, c.ID, c.Version), f.Column, d.labelled(string(f.Label)), f.Tier.String(), set.Unit))
				}
			}
		}
	}
	d.section(s)
}
