package report

import (
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// What a data protection impact assessment needs of the running system: Regulation (EU) 2016/679, article 35(7).

func (d *draft) dpiaCounts() []Count {
	var special []string
	for _, c := range d.Taxonomy.All() {
		if c.Special {
			special = append(special, string(c.Label))
		}
	}
	shown := []Where{showing, toSome, visible}
	return append(d.ropaCounts(),
		Count{ID: "special", Sum: sumValues, By: []string{"flow.to.domain", "levels.label", "levels.level"}, Where: append(slices.Clone(shown), Where{At: "levels.label", Is: special})},
		Count{ID: "limits", Sum: sumValues, By: []string{"flow.purpose", "levels.level", "levels.by"}, Where: []Where{showing, toSome}},
		Count{ID: "unlabelled", Sum: sumValues, By: []string{"flow.to.domain"}, Where: append(slices.Clone(shown), Where{At: "levels.label", Is: []string{string(flow.Unlabelled)}})},
		Count{ID: "freetext", Sum: sumValues, By: []string{"flow.to.domain"}, Where: append(slices.Clone(shown), Where{At: "levels.label", Is: []string{"text/free"}})},
		Count{ID: "raw-abroad", Sum: sumValues, By: []string{"flow.to.domain", "levels.label"}, Where: []Where{showing, toSome, d.outside(), {At: "levels.level", Is: []string{flow.Raw.String()}}}},
		Count{ID: "refusals", Sum: sumEntries, By: []string{"reason"}, Where: refused},
		Count{ID: "erasures", Sum: sumEntries, By: []string{}, Where: []Where{{At: "outcome", Is: []string{string(flow.Erased)}}}},
	)
}

func (d *draft) dpia() {
	const law = "GDPR art. 35(7)"
	d.controller("GDPR art. 35(1), (2)")
	d.activities()
	d.recipients(law + "(a)")
	d.abroad(law + "(a)")
	d.proportionate(law + "(b)")
	d.risks(law + "(c)")
	d.security(law + "(d)")
	d.changes("GDPR art. 35(11)")
	d.retention(law + "(b), art. 5(1)(e)")
	d.data(law + "(a)")
	for _, one := range [][2]string{
		{"(b)", "why the processing is necessary and proportionate to its purposes"},
		{"(c)", "how likely and how severe each risk is for the rights and freedoms of people"},
		{"(d)", "which measures meet which risk, and what risk remains"},
	} {
		d.lacks(law+one[0], "%s", one[1])
	}
	d.lacks("GDPR art. 35(2)", "the advice of the data protection officer")
	d.lacks("GDPR art. 35(9)", "the views of the people concerned, or why they were not asked for")
	d.lacks("GDPR art. 35(3)", "whether people are evaluated or decided about by automated means, and whether public places are watched")
	d.lacks("GDPR art. 36", "whether the supervisory authority has to be consulted")
}

// proportionate shows how much less was shown than was there, and what held it back.
func (d *draft) proportionate(law string) {
	s := Section{ID: "proportionality", Title: "How much was shown, and what limited it", Law: law, Columns: []string{"Purpose", "Level", "Set by", "Values"},
		Text: []string{"“policy” is what policies permit; “need” what the recipient's schema asks for; “tier” the cap of the data's sensitivity; the others are described with the terms of a flow."}}
	c := d.count("limits")
	for i, f := range c.Figures {
		s.Rows = append(s.Rows, append(texts(d.purposed(f.Key[0]), f.Key[1], f.Key[2]), c.cell(i)))
	}
	d.section(s)
}

// risks are indicators that are counted, and no judgement.
func (d *draft) risks(law string) {
	s := Section{ID: "indicators", Title: "Indicators of risk", Law: law, Columns: []string{"Indicator", "Where", "Data", "Count"}}
	add := func(what, id string, cells func(f Figure) (where, data string)) {
		c := d.count(id)
		for i, f := range c.Figures {
			where, data := cells(f)
			s.Rows = append(s.Rows, append(texts(what, where, data), c.cell(i)))
		}
	}
	add("values of special categories that were shown (art. 9, 10)", "special", func(f Figure) (string, string) { return d.named(f.Key[0]), d.labelled(f.Key[1]) + " " + f.Key[2] })
	add("values shown raw to another domain", "raw-abroad", func(f Figure) (string, string) { return d.named(f.Key[0]), d.labelled(f.Key[1]) })
	add("values that nobody labelled and that were shown", "unlabelled", func(f Figure) (string, string) { return d.named(f.Key[0]), "" })
	add("free text that was shown, in which something may have been missed", "freetext", func(f Figure) (string, string) { return d.named(f.Key[0]), "" })
	add("values that passed unchanged in learn mode", "watched", func(f Figure) (string, string) {
		return d.named(f.Key[0]) + ", agent " + f.Key[1] + " for " + d.purposed(f.Key[2]), d.labelled(f.Key[3])
	})
	add("messages that were refused, by rule", "refusals", func(f Figure) (string, string) { return f.Key[0], "" })
	add("people whose data were erased", "erasures", func(Figure) (string, string) { return "", "" })
	d.section(s)
}
