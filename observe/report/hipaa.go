package report

import (
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// Accounting of disclosures: 45 CFR 164.528. A disclosure is what is shown outside the entity that holds the information (45 CFR 160.103), here
// to another domain.

// exemptions are the words for why a disclosure needs no accounting, with their paragraphs of 164.528(a)(1).
var exemptions = map[string]string{
	"treatment":        "(i) treatment, 164.506",
	"payment":          "(i) payment, 164.506",
	"operations":       "(i) health care operations, 164.506",
	"individual":       "(ii) to the individual, 164.502",
	"authorization":    "(iv) by authorization, 164.508",
	"limited-data-set": "(viii) limited data set, 164.514(e)",
}

// exempt are the purposes that need no accounting.
func (d *draft) exempt() (purposes []string) {
	for _, p := range slices.Sorted(maps.Keys(d.Settings.Purposes)) {
		if exemptions[d.Settings.purpose(p).HIPAA] != "" {
			purposes = append(purposes, string(p))
		}
	}
	return purposes
}

func (d *draft) hipaaCounts() []Count {
	accountable := []Where{toSome, d.outside()}
	if exempt := d.exempt(); len(exempt) > 0 {
		accountable = append(accountable, Where{At: "flow.purpose", Not: exempt})
	}
	list := []Count{}
	if d.of == nil {
		by := []string{"flow.to.domain", "flow.to.agent", "flow.purpose", "levels.label", "time.day"}
		list = append(list,
			Count{ID: "disclosed", Sum: sumValues, By: by, Where: append([]Where{showing, visible}, accountable...)},
			Count{ID: "disclosed-watched", Sum: sumValues, By: by, Where: append([]Where{watched}, accountable...)},
			Count{ID: "disclosures", Sum: sumEntries, By: by[:3], Where: append([]Where{showing}, accountable...)},
			Count{ID: "people", Sum: sumPeople, By: by[:3], Where: append([]Where{showing}, accountable...)},
			Count{ID: "tables", Sum: sumRows, By: []string{"flow.to.domain", "flow.to.agent", "flow.purpose", "flow.subject", "time.day"}, Where: append(slices.Clone(tables), accountable[1:]...)},
		)
	}
	return append(list, Count{ID: "exempt", Sum: sumEntries, By: []string{"flow.purpose"}, Where: append([]Where{showing, toSome, d.outside()}, exemptOnly(d.exempt())...)})
}

func exemptOnly(purposes []string) []Where {
	if len(purposes) == 0 {
		purposes = []string{"\x00"} // none: no purpose is called so
	}
	return []Where{{At: "flow.purpose", Is: purposes}}
}

func (d *draft) hipaa() {
	d.controller("45 CFR 164.528(c)")
	if d.of != nil {
		d.accountFor()
	} else {
		d.accountAll()
	}
	n := d.count("exempt")
	s := Section{ID: "exempt", Title: "Disclosures that need no accounting", Law: "45 CFR 164.528(a)(1)", Columns: []string{"Purpose", "Why", "Messages to all"}}
	for i, f := range n.Figures {
		s.Rows = append(s.Rows, append(texts(f.Key[0], exemptions[d.Settings.purpose(flow.Purpose(f.Key[0])).HIPAA]), n.cell(i)))
	}
	d.section(s)
	d.lacks("45 CFR 164.528(a)(1)(iii), (v)–(vii)", "disclosures that are exempt for another reason: incident to others, for a facility's directory, national security, correctional institutions")
	d.lacks("45 CFR 164.528(a)(2)", "suspensions of the right to an accounting that an agency asked for")
	d.lacks("45 CFR 164.528(b)(4)", "for research on 50 people or more, the protocol and whom to contact")
	d.lacks("45 CFR 164.528(b)(1)", "disclosures by business associates, and those that did not pass this gateway")
}

// accountAll is the register that single accountings are taken from, by day.
func (d *draft) accountAll() {
	s := Section{ID: "disclosures", Title: "Disclosures by day", Law: "45 CFR 164.528(b)(2)", Columns: []string{"Day", "To", "Address", "Agent", "Purpose", "What", "Values"},
		Text: []string{"Of all people together. What one person is to be told is in the report with --subject."}}
	for _, id := range []string{"disclosed", "disclosed-watched"} {
		c := d.count(id)
		for i, f := range c.Figures {
			s.Rows = append(s.Rows, append(texts(f.Key[4], d.named(f.Key[0]), d.address(f.Key[0]), f.Key[1], d.purposed(f.Key[2]), d.labelled(f.Key[3])), c.cell(i)))
		}
	}
	slices.SortStableFunc(s.Rows, func(a, b []Cell) int { return slices.Compare([]string{a[0].Text}, []string{b[0].Text}) })
	d.section(s)
	t := Section{ID: "recipients", Title: "Recipients", Law: "45 CFR 164.528(b)(3)", Columns: []string{"To", "Agent", "Purpose", "Disclosures", "People, at most"}}
	c, people := d.count("disclosures"), d.count("people")
	for i, f := range c.Figures {
		t.Rows = append(t.Rows, append(texts(d.named(f.Key[0]), f.Key[1], d.purposed(f.Key[2])), c.cell(i), people.cellAt(f.Key...)))
		d.address(f.Key[0])
	}
	d.section(t)
	rows := d.count("tables")
	tables := Section{ID: "tables", Title: "Tables that were released", Columns: []string{"Day", "To", "Agent", "Purpose", "Table", "Rows"}}
	for i, f := range rows.Figures {
		tables.Rows = append(tables.Rows, append(texts(f.Key[4], d.named(f.Key[0]), f.Key[1], d.purposed(f.Key[2]), f.Key[3]), rows.cell(i)))
	}
	d.section(tables)
}

// accountFor is the accounting of one person: each disclosure with date, recipient, description and purpose.
func (d *draft) accountFor() {
	exempt := d.exempt()
	s := Section{ID: "disclosures", Title: "Disclosures about the person", Law: "45 CFR 164.528(b)(2)", Columns: disclosureColumns,
		Text: []string{d.whom(), "What stands in places of messages of which no schema says whom they are about, such as texts, is not told of. Disclosures for purposes that need no accounting are left out."}}
	for i := range d.seen {
		one := &d.seen[i]
		if one.event.Flow.To.Domain == d.Domain || slices.Contains(exempt, string(one.event.Flow.Purpose)) {
			continue
		}
		s.Rows = append(s.Rows, d.disclosure(one)...)
	}
	d.section(s)
}

func (d *draft) address(domain string) string {
	known := d.Settings.Domains[flow.DomainID(domain)]
	if known.Address == "" {
		d.lacks("45 CFR 164.528(b)(2)(ii)", "the address of domain %q, if it is known", domain)
	}
	return known.Address
}

// purposed is a purpose with its title.
func (d *draft) purposed(p string) string {
	if t := d.Settings.Purposes[flow.Purpose(p)].Title; t != "" {
		return t + " (" + p + ")"
	}
	return p
}
