package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Records of processing activities: Regulation (EU) 2016/679, article 30(1), letters a to g.

func (d *draft) ropaCounts() []Count {
	return append(d.shownCounts(),
		Count{ID: "activities", Sum: sumEntries, By: []string{"flow.purpose"}, Where: []Where{showing, toSome}},
		Count{ID: "totals", Sum: sumValues, By: []string{"flow.purpose"}, Where: []Where{showing, toSome, visible}},
		Count{ID: "people", Sum: sumPeople, By: []string{"flow.purpose"}, Where: []Where{showing, toSome}},
		Count{ID: "decided", Sum: sumEntries, By: []string{"flow.purpose", "policy_hash", "policies"}, Where: []Where{showing, toSome}},
		Count{ID: "levels", Sum: sumValues, By: []string{"levels.level"}, Where: []Where{showing, toSome}},
		Count{ID: "rules", Sum: sumEntries, By: []string{"rules.what", "rules.by", "time.day"}, Where: []Where{{At: "rules.what", Not: []string{""}}}},
		Count{ID: "refused", Sum: sumEntries, By: []string{}, Where: refused},
		Count{ID: "abroad", Sum: sumValues, By: []string{"flow.to.domain"}, Where: []Where{showing, toSome, visible, d.outside()}},
	)
}

func (d *draft) ropa() {
	d.controller("GDPR art. 30(1)(a)")
	d.activities()
	d.recipients("GDPR art. 30(1)(d)")
	d.abroad("GDPR art. 30(1)(e), 44–49")
	d.retention("GDPR art. 30(1)(f)")
	d.security("GDPR art. 30(1)(g), 32")
	d.changes("GDPR art. 24(1), 5(2)")
	d.data("GDPR art. 30(1)(c)")
	d.lacks("GDPR art. 30(1)", "processing that does not pass this gateway: what the domain's own systems do among themselves, and on paper")
}

// controller names who answers.
func (d *draft) controller(law string) {
	s := Section{ID: "controller", Title: "Controller", Law: law, Columns: []string{"Who", "Name", "Address", "Contact"}}
	for _, one := range []struct {
		who string
		Contact
		must bool
	}{{"controller", d.Settings.Controller, true}, {"representative", d.Settings.Representative, false}, {"data protection officer", d.Settings.Officer, true}} {
		if !one.empty() {
			s.Rows = append(s.Rows, texts(one.who, one.Name, one.Address, one.Contact.Contact))
		} else if one.must {
			d.lacks(law, "name and contact of the %s (reports: in the configuration)", one.who)
		}
	}
	d.section(s)
}

// activities is a row for each purpose.
func (d *draft) activities() {
	const law = "GDPR art. 30(1)(b)–(d), (f); legal basis: art. 6 and 9"
	s := Section{ID: "activities", Title: "Processing activities", Law: law, Columns: []string{
		"Purpose", "Legal basis", "Categories of people", "Categories of data", "Categories of recipients", "Recipients keep it", "Messages", "Values", "People, at most",
	}, Text: []string{"One row for each purpose for which something was shown in this time. Values are counted at any level but dropped; levels are under recipients."}}
	messages, totals, people, policies := d.count("activities"), d.count("totals"), d.count("people"), d.count("decided").decidedBy()
	for i, f := range messages.Figures {
		purpose := f.Key[0]
		labels, domains := d.shownFor(purpose)
		basis, retain, gone := d.basisOf(purpose, policies[purpose])
		basis, retain = append(basis, d.statedBasis(labels)...), append(retain, d.statedRetention(labels)...)
		if len(basis) == 0 {
			d.lacks("GDPR art. 6", "the legal basis of purpose %q: no policy (@legal_basis), contract or configuration names one", purpose)
		}
		if gone {
			d.lacks("GDPR art. 6", "the legal basis that policies gave which decided for purpose %q and are not kept any more", purpose)
		}
		if len(retain) == 0 {
			d.lacks("GDPR art. 30(1)(f)", "how long recipients keep what they are shown for purpose %q", purpose)
		}
		of := d.peopleOf(purpose, labels)
		if of == "" {
			d.lacks("GDPR art. 30(1)(c)", "the categories of people whom purpose %q is about", purpose)
		}
		row := append(texts(d.purposed(purpose), lines(basis), of, d.titles(labels), d.categories(domains), lines(retain)), messages.cell(i))
		row = append(row, totals.cellAt(purpose), people.cellAt(purpose))
		s.Rows = append(s.Rows, row)
	}
	d.section(s)
}

// cellAt shows the figure of a key; zero where nothing was counted.
func (c *Count) cellAt(key ...string) Cell {
	if i, ok := c.at(key...); ok {
		return c.cell(i)
	}
	return text("0")
}

// shownFor are labels and domains of what was shown for a purpose.
func (d *draft) shownFor(purpose string) (labels, domains []string) {
	for _, id := range []string{"values", "watched"} {
		for _, f := range d.count(id).Figures {
			if f.Key[2] == purpose {
				labels, domains = append(labels, f.Key[3]), append(domains, f.Key[0])
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(labels))), slices.Compact(slices.Sorted(slices.Values(domains)))
}

func (d *draft) titles(labels []string) string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = d.labelled(l)
		if d.special(l) {
			out[i] += " [special category]"
		}
	}
	return lines(out)
}

func (d *draft) categories(domains []string) string {
	var out []string
	for _, name := range domains {
		switch c := d.Settings.Domains[flow.DomainID(name)].Category; {
		case name == string(d.Domain):
			out = append(out, "own agents")
		case c != "":
			out = append(out, c)
		default:
			out = append(out, d.named(name))
		}
	}
	return lines(out)
}

// recipients is a row for each recipient, purpose, label and level.
func (d *draft) recipients(law string) {
	s := Section{ID: "recipients", Title: "What was shown to whom", Law: law, Columns: []string{"Domain", "Agent", "Purpose", "Data", "Level", "Values"}}
	values, seen := d.count("values"), d.count("watched")
	for i, f := range values.Figures {
		s.Rows = append(s.Rows, append(texts(d.named(f.Key[0]), f.Key[1], f.Key[2], d.labelled(f.Key[3]), f.Key[4]), values.cell(i)))
	}
	for i, f := range seen.Figures {
		s.Rows = append(s.Rows, append(texts(d.named(f.Key[0]), f.Key[1], f.Key[2], d.labelled(f.Key[3]), "raw (learn mode)"), seen.cell(i)))
	}
	d.section(s)
	d.released()
}

// released are tables and answers, which are not counted value by value.
func (d *draft) released() {
	rows, n := d.count("tables"), d.count("answers")
	t := Section{ID: "tables", Title: "Tables that were released", Columns: []string{"Domain", "Agent", "Purpose", "Table", "Day", "Rows"}}
	for i, f := range rows.Figures {
		t.Rows = append(t.Rows, append(texts(d.named(f.Key[0]), f.Key[1], f.Key[2], f.Key[3], f.Key[4]), rows.cell(i)))
	}
	a := Section{ID: "answers", Title: "Answers about datasets", Columns: []string{"Domain", "Agent", "Purpose", "Dataset", "Answers"}}
	for i, f := range n.Figures {
		a.Rows = append(a.Rows, append(texts(d.named(f.Key[0]), f.Key[1], f.Key[2], f.Key[3]), n.cell(i)))
	}
	d.section(t)
	d.section(a)
	d.charged()
}

// abroad is a row for each domain outside.
func (d *draft) abroad(law string) {
	s := Section{ID: "transfers", Title: "Transfers to other domains", Law: law, Columns: []string{"Domain", "Role", "Country", "Safeguard", "Values"}}
	values := d.count("abroad")
	for i, f := range values.Figures {
		known := d.Settings.Domains[flow.DomainID(f.Key[0])]
		if known.Country == "" {
			d.lacks(law, "the country that domain %q is in, and the safeguard if it is a third one", f.Key[0])
		}
		s.Rows = append(s.Rows, append(texts(d.named(f.Key[0]), known.Role, known.Country, known.Safeguard), values.cell(i)))
	}
	d.section(s)
}

// security says what was done to values, and what else the configuration states.
func (d *draft) security(law string) {
	s := Section{ID: "security", Title: "Security measures", Law: law, Text: slices.Clone(d.Settings.Security), Columns: []string{"Measure", "Count"}}
	s.Text = append(s.Text, "Every flow is decided by policy, changed to the level that policy allows and recorded in a log that others can verify before anything leaves.")
	levels := d.count("levels")
	for i, f := range levels.Figures {
		s.Rows = append(s.Rows, append(texts(fmt.Sprintf("values shown %s", f.Key[0])), levels.cell(i)))
		if f.Key[0] == flow.Dropped.String() {
			s.Rows[len(s.Rows)-1][0] = text("values that were not shown (dropped)")
		}
	}
	s.Rows = append(s.Rows, append(texts("messages refused"), d.count("refused").cellAt()))
	if len(d.Settings.Security) == 0 {
		d.lacks(law, "a general description of the other technical and organisational measures (reports.security in the configuration)")
	}
	d.section(s)
}

// changes are the steps in which the rules changed, which the log has where rules are under governance.
func (d *draft) changes(law string) {
	s := Section{ID: "changes", Title: "Changes of the rules", Law: law, Columns: []string{"Day", "Step", "By", "Count"}, Text: []string{"Steps of proposals for policies, contracts and configuration. A gateway without governance takes them from its files and has no such steps."}}
	c := d.count("rules")
	for i, f := range c.Figures {
		s.Rows = append(s.Rows, append(texts(f.Key[2], f.Key[0], f.Key[1]), c.cell(i)))
	}
	slices.SortStableFunc(s.Rows, func(a, b []Cell) int { return strings.Compare(a[0].Text, b[0].Text) })
	d.section(s)
}
