package report

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// Transfers: Regulation (EU) 2016/679, articles 44 to 49.

// area are the countries of the European Economic Area.
var area = strings.Fields("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK")

// third says whether a country is a third one in the words of the regulation.
func third(country string) string {
	switch {
	case country == "":
		return "(not stated)"
	case slices.Contains(area, country):
		return "(within the EEA)"
	}
	return "(third country)"
}

func (d *draft) transferCounts() []Count {
	return append(d.shownCounts(d.outside()),
		Count{ID: "messages", Sum: sumEntries, By: []string{"flow.to.domain"}, Where: []Where{showing, toSome, d.outside()}},
		Count{ID: "totals", Sum: sumValues, By: []string{"flow.to.domain"}, Where: []Where{showing, toSome, visible, d.outside()}},
		Count{ID: "people", Sum: sumPeople, By: []string{"flow.to.domain"}, Where: []Where{showing, toSome, d.outside()}},
		Count{ID: "agreed", Sum: sumEntries, By: []string{"flow.to.domain", "contracts"}, Where: []Where{showing, toSome, d.outside()}},
	)
}

func (d *draft) transfers() {
	const law = "GDPR art. 44–49"
	d.controller(law)
	s := Section{ID: "domains", Title: "Domains that were shown something", Law: law, Columns: []string{"Domain", "Role", "Country", "Safeguard", "Contracts", "Messages", "Values", "People, at most"}}
	messages, totals, people, agreed := d.count("messages"), d.count("totals"), d.count("people"), d.count("agreed").wordsBy()
	for i, f := range messages.Figures {
		known := d.Settings.Domains[flow.DomainID(f.Key[0])]
		where := third(known.Country)
		switch {
		case known.Country == "":
			d.lacks(law, "the country that domain %q is in, and the safeguard if it is a third one", f.Key[0])
		case known.Safeguard == "" && where == "(third country)":
			d.lacks(law, "what transfers to %q in %s rest on: an adequacy decision (45), safeguards (46, 47) or a derogation (49)", f.Key[0], known.Country)
		}
		if known.Role == "" {
			d.lacks("GDPR art. 26, 28", "whether domain %q is a processor, a controller or a joint one, and the contract with it", f.Key[0])
		}
		var contracts []string
		for id := range agreed[f.Key[0]] {
			contracts = append(contracts, id)
		}
		row := append(texts(d.named(f.Key[0]), known.Role, strings.TrimSpace(known.Country+" "+where), known.Safeguard, lines(contracts)), messages.cell(i))
		s.Rows = append(s.Rows, append(row, totals.cellAt(f.Key[0]), people.cellAt(f.Key[0])))
	}
	d.section(s)
	d.recipients(law)
	t := Section{ID: "stated", Title: "Transfers that contracts state", Law: law, Columns: []string{"Dataset", "Field", "Countries and safeguards", "Categories of recipients"}}
	d.fields(nil, func(c *catalog.Contract, set *catalog.Dataset, f *catalog.Field) {
		if g := f.Governance.Within(set.Governance.Within(c.Governance)); len(g.Transfers) > 0 || len(g.Recipients) > 0 {
			t.Rows = append(t.Rows, texts(set.Name, f.Column, lines(g.Transfers), lines(g.Recipients)))
		}
	})
	d.section(t)
	d.lacks("GDPR art. 46, Schrems II", "the assessment of the law of third countries, and measures that supplement safeguards")
	d.lacks(law, "onward transfers by recipients, and those that did not pass this gateway")
}

// recipientsStated are categories of recipients that contracts state of a label.
func (d *draft) recipientsStated(label string) string {
	var out []string
	d.governed([]string{label}, func(g catalog.Governance) { out = append(out, g.Recipients...) })
	return lines(out)
}
