package report

import (
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Personal information by category: California Civil Code 1798.130(a)(5)(B) and (C), 1798.140(v)(1) and (ae); 11 CCR 7011(e)(1) and 7102.

// categoryOf are the categories of 1798.140(v)(1) of the built-in labels; the nearest ancestor counts.
var categoryOf = map[flow.Label]string{
	"person": "(A) identifiers", "person/birth-date": "(C) protected characteristics", "person/birth-place": "(C) protected characteristics", "person/age": "(C) protected characteristics",
	"person/gender": "(C) protected characteristics", "person/marital-status": "(C) protected characteristics", "person/nationality": "(C) protected characteristics",
	"person/language": "(C) protected characteristics", "person/family": "(C) protected characteristics", "person/photo": "(H) audio, electronic, visual or similar",
	"location": "(G) geolocation", "government-id": "(A) identifiers", "vehicle": "(A) identifiers", "health": "(B) customer records, 1798.80(e): medical", "health/genetic": "(C) protected characteristics",
	"finance": "(B) customer records, 1798.80(e): financial", "finance/amount": "(D) commercial information", "technical": "(F) internet or network activity", "technical/ip": "(A) identifiers",
	"technical/device-id": "(A) identifiers", "special": "(C) protected characteristics", "special/biometric": "(E) biometric information", "special/criminal": "(B) customer records, 1798.80(e)",
	"organization/employee-id": "(I) professional or employment", "organization/customer-id": "(A) identifiers", "organization/order-id": "(D) commercial information", "work": "(I) professional or employment",
	"work/title": "(I) professional or employment", "work/employer": "(I) professional or employment", "work/performance": "(I) professional or employment", "work/education": "(J) education",
	"secret": "(B) customer records, 1798.80(e)",
}

// sensitive are labels of sensitive personal information, 1798.140(ae).
var sensitive = []flow.Label{
	"government-id", "secret", "finance/card", "finance/account", "finance/iban", "location/coordinates", "special", "health", "person/nationality",
}

// category is that of a label: what the configuration says, else what is built in; "" for none.
func (d *draft) category(l string) string {
	for at := l; at != ""; at = parent(at) {
		if c := d.Settings.Categories[flow.Label(at)]; c != "" {
			return c
		}
	}
	for at := l; at != ""; at = parent(at) {
		if c := categoryOf[flow.Label(at)]; c != "" {
			return c
		}
	}
	return ""
}

func parent(label string) string {
	i := strings.LastIndexByte(label, '/')
	return label[:max(i, 0)]
}

func isSensitive(l string) bool {
	for at := l; at != ""; at = parent(at) {
		if slices.Contains(sensitive, flow.Label(at)) {
			return true
		}
	}
	return false
}

func (d *draft) ccpaCounts() []Count {
	by := []string{"levels.label", "flow.to.domain", "flow.purpose"}
	method := func(name string) Where { return Where{At: "flow.method", Is: []string{name}} }
	changed := Where{At: "outcome", Is: []string{string(flow.Changed)}}
	return []Count{
		{ID: "disclosed", Sum: sumValues, By: by, Where: []Where{showing, toSome, visible, d.outside()}},
		{ID: "watched", Sum: sumValues, By: by, Where: []Where{watched, toSome, d.outside()}},
		{ID: "inside", Sum: sumValues, By: []string{"levels.label", "flow.purpose"}, Where: []Where{showing, toSome, visible, {At: "flow.to.domain", Is: []string{string(d.Domain)}}}},
		{ID: "people", Sum: sumPeople, By: []string{"flow.to.domain"}, Where: []Where{showing, toSome, d.outside()}},
		{ID: "deletions", Sum: sumEntries, By: []string{}, Where: []Where{{At: "outcome", Is: []string{string(flow.Erased)}}}},
		{ID: "deletion-requests", Sum: sumEntries, By: []string{"reason"}, Where: []Where{changed, method("erase")}},
		{ID: "accesses", Sum: sumEntries, By: []string{}, Where: []Where{changed, method("report/subject")}},
	}
}

func (d *draft) ccpa() {
	const law = "Cal. Civ. Code 1798.130(a)(5)"
	d.controller(law)
	d.collected(law + "(B)")
	d.disclosed(law + "(C)")
	d.requests()
	for _, one := range [][2]string{
		{"11 CCR 7011(e)(1)", "categories of sources, and the business or commercial purpose of collecting, where no contract states them"},
		{"Cal. Civ. Code 1798.100(a)(3)", "how long each category is kept by the business itself"},
		{"11 CCR 7011(e)(2)–(3)", "the rights of consumers, and how they make requests"},
		{"11 CCR 7102(a)", "requests to correct, to opt out of sale and sharing and to limit, how many were denied, and the median of days to answer"},
		{"11 CCR 7011(e)(1)(G)", "whether personal information of consumers under 16 is sold or shared"},
	} {
		d.lacks(one[0], "%s", one[1])
	}
}

// collected are the categories that the catalog or the log knows.
func (d *draft) collected(law string) {
	labels := map[string]bool{}
	for _, id := range []string{"disclosed", "watched", "inside"} {
		for _, f := range d.count(id).Figures {
			labels[f.Key[0]] = true
		}
	}
	if d.Catalog != nil {
		for _, f := range d.Catalog.Fields() {
			labels[string(f.Label)] = true
		}
	}
	s := Section{ID: "collected", Title: "Categories of personal information", Law: law, Columns: []string{"Category", "Data", "Sensitive", "Sources", "Recipients keep it"}}
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		c := d.category(l)
		if c == "" {
			continue // nothing personal by itself
		}
		s.Rows = append(s.Rows, texts(c, d.labelled(l), yes(isSensitive(l)), lines(d.sourcesOf([]string{l})), lines(d.statedRetention([]string{l}))))
	}
	slices.SortStableFunc(s.Rows, func(a, b []Cell) int { return strings.Compare(a[0].Text, b[0].Text) })
	d.section(s)
}

// disclosed is what went to other domains, and whether it was sold or shared.
func (d *draft) disclosed(law string) {
	s := Section{ID: "disclosed", Title: "Disclosed to others", Law: law, Columns: []string{"Category", "Data", "To", "Role", "Category of recipients", "Sold or shared", "Purpose", "Values"}}
	for _, id := range []string{"disclosed", "watched"} {
		c := d.count(id)
		for i, f := range c.Figures {
			known := d.Settings.Domains[flow.DomainID(f.Key[1])]
			category := d.category(f.Key[0])
			if category == "" {
				category = "none by itself"
			}
			if known.Role == "" {
				d.lacks("Cal. Civ. Code 1798.140(ag), (j), (ai)", "whether domain %q is a service provider, a contractor or a third party", f.Key[1])
			}
			s.Rows = append(s.Rows, append(texts(category, d.labelled(f.Key[0]), d.named(f.Key[1]), known.Role, known.Category, yes(known.Sale), d.purposed(f.Key[2])), c.cell(i)))
		}
	}
	slices.SortStableFunc(s.Rows, func(a, b []Cell) int { return strings.Compare(a[0].Text, b[0].Text) })
	d.section(s)
	people := d.count("people")
	p := Section{ID: "consumers", Title: "Consumers about whom something was disclosed", Law: law, Columns: []string{"To", "People, at most"}}
	for i, f := range people.Figures {
		p.Rows = append(p.Rows, append(texts(d.named(f.Key[0])), people.cell(i)))
	}
	d.section(p)
}

// requests are those of consumers that this gateway carried out.
func (d *draft) requests() {
	s := Section{ID: "requests", Title: "Requests of consumers", Law: "11 CCR 7102(a)(1)", Columns: []string{"Request", "What became of it", "Count"}}
	s.Rows = append(s.Rows, append(texts("to delete", "carried out at this gateway"), d.count("deletions").cellAt()), append(texts("to know", "reports that were made"), d.count("accesses").cellAt()))
	c := d.count("deletion-requests")
	for i, f := range c.Figures {
		s.Rows = append(s.Rows, append(texts("to delete", f.Key[0]), c.cell(i)))
	}
	d.section(s)
}
