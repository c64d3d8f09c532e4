package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// What was disclosed about one person: Regulation (EU) 2016/679, article 15(1) and (2).

func (d *draft) accessCounts() []Count { return nil }

func (d *draft) access() {
	d.controller("GDPR art. 15(1)")
	s := Section{ID: "disclosures", Title: "What was disclosed", Law: "GDPR art. 15(1)(a)–(c)", Columns: disclosureColumns, Text: []string{
		d.whom(), fmt.Sprintf("%d messages showed something about the person. Each is an entry of the log, and its proof is in this report.", len(d.seen)),
	}}
	for i := range d.seen {
		s.Rows = append(s.Rows, d.disclosure(&d.seen[i])...)
	}
	d.section(s)
	d.summary()
	d.where()
	const law = "GDPR art. 15"
	d.lacks(law+"(1)(e), (f)", "that the person may have data corrected, erased or restricted, may object, and may complain to a supervisory authority")
	d.lacks(law+"(1)(h)", "whether decisions are made by automated means alone, by which logic and with which consequences")
	d.lacks(law+"(3)", "a copy of the data themselves, from the sources: the gateway keeps none")
	d.lacks(law+"(1)", "what was disclosed on other ways than through this gateway, under another value that names the person, or in places of messages of which no schema says whom they are about, such as texts")
}

// summary adds disclosures up.
func (d *draft) summary() {
	type key struct {
		domain  flow.DomainID
		agent   flow.AgentID
		purpose flow.Purpose
		label   flow.Label
		level   flow.Level
	}
	type sum struct {
		values, messages int64
		first, last      string
	}
	sums := map[key]*sum{}
	var keys []key
	for i := range d.seen {
		one := &d.seen[i]
		for _, p := range one.shown {
			f := &one.event.Flow
			k := key{f.To.Domain, f.To.Agent, f.Purpose, p.label, p.level}
			if sums[k] == nil {
				sums[k], keys = &sum{first: day(one.event.Time)}, append(keys, k)
			}
			n := sums[k]
			n.values, n.messages, n.last = n.values+p.count, n.messages+1, day(one.event.Time)
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.agent, b.agent), cmp.Compare(a.purpose, b.purpose), cmp.Compare(a.label, b.label), cmp.Compare(b.level, a.level))
	})
	s := Section{ID: "summary", Title: "In short", Law: "GDPR art. 15(1)(b), (c)", Columns: []string{"Domain", "Agent", "Purpose", "Data", "Level", "Values", "Messages", "First", "Last"}}
	for _, k := range keys {
		n := sums[k]
		s.Rows = append(s.Rows, texts(d.named(string(k.domain)), string(k.agent), d.purposed(string(k.purpose)), d.labelled(string(k.label)), k.level.String(), fmt.Sprint(n.values), fmt.Sprint(n.messages), n.first, n.last))
	}
	d.section(s)
}

// where is where the data are from, how long recipients keep them, and where they went to.
func (d *draft) where() {
	s := Section{ID: "sources", Title: "Sources and retention", Law: "GDPR art. 15(1)(d), (g)", Columns: []string{"Data", "Sources", "Recipients keep it", "Categories of recipients"}}
	t := Section{ID: "transfers", Title: "Transfers", Law: "GDPR art. 15(2)", Columns: []string{"Domain", "Country", "Safeguard"}}
	var labels, domains, unsaid []string
	policies := map[string]map[ruling]bool{}
	for i := range d.seen {
		one := &d.seen[i]
		domains = append(domains, string(one.event.Flow.To.Domain))
		for _, p := range one.shown {
			l := string(p.label)
			if policies[l] == nil {
				policies[l], labels = map[ruling]bool{}, append(labels, l)
			}
			for _, id := range p.policies {
				policies[l][ruling{one.event.PolicyHash, string(id)}] = true
			}
		}
	}
	slices.Sort(labels)
	for _, l := range labels {
		_, retain, _ := d.basisOf("", policies[l])
		retain = append(retain, d.statedRetention([]string{l})...)
		sources := d.sourcesOf([]string{l})
		if len(sources) == 0 {
			d.lacks("GDPR art. 15(1)(g)", "where data of class %s are from: no contract has it", l)
		}
		if len(retain) == 0 {
			unsaid = append(unsaid, l)
		}
		s.Rows = append(s.Rows, texts(d.titles([]string{l}), lines(sources), lines(retain), d.recipientsStated(l)))
	}
	if len(unsaid) > 0 {
		d.lacks("GDPR art. 15(1)(d)", "how long recipients keep %s", list(unsaid))
	}
	d.section(s)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(domains))) {
		if name == string(d.Domain) {
			continue
		}
		known := d.Settings.Domains[flow.DomainID(name)]
		if known.Country == "" {
			d.lacks("GDPR art. 15(2)", "the country that domain %q is in, and the safeguard if it is a third one", name)
		}
		t.Rows = append(t.Rows, texts(d.named(name), strings.TrimSpace(known.Country+" "+third(known.Country)), known.Safeguard))
	}
	d.section(t)
}
