package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// How the tables of reports are laid out (docs/spec/reports.md). A figure under another heading, or in a table of the report's own making, would
// say something else than what was counted.

// table is a section that figures stand in.
type table struct {
	title   string
	columns []string
	counts  map[string]stands
	empty   bool // a row may have nothing but zeroes
	prose   bool // names stand among other words
}

// stands says where a count's figures stand in a table.
type stands struct {
	under string            // heading
	of    []string          // headings of what names each part of the key
	says  map[string]string // what else the row says, by heading
}

func columns(list string) []string { return strings.Split(list, "|") }

const atMost = "People, at most"

// tablesOf returns the tables of a kind that figures stand in, and the names of the others; person: of one.
func tablesOf(kind string, person bool) (map[string]table, []string) {
	at := func(under string, of ...string) stands { return stands{under: under, of: of} }
	saying := func(heading, text string, s stands) stands {
		s.says = map[string]string{heading: text}
		return s
	}
	charges := table{"Privacy loss that was charged", columns("Domain|Agent|Dataset|ε|ε given back|δ|δ given back"), map[string]stands{
		"epsilon": at("ε", "Domain", "Agent", "Dataset"), "epsilon-back": at("ε given back", "Domain", "Agent", "Dataset"),
		"delta": at("δ", "Domain", "Agent", "Dataset"), "delta-back": at("δ given back", "Domain", "Agent", "Dataset"),
	}, false, false}
	shown := map[string]table{
		"recipients": {"What was shown to whom", columns("Domain|Agent|Purpose|Data|Level|Values"), map[string]stands{
			"values":  at("Values", "Domain", "Agent", "Purpose", "Data", "Level"),
			"watched": saying("Level", "raw (learn mode)", at("Values", "Domain", "Agent", "Purpose", "Data")),
		}, false, false},
		"tables":  {"Tables that were released", columns("Domain|Agent|Purpose|Table|Day|Rows"), map[string]stands{"tables": at("Rows", "Domain", "Agent", "Purpose", "Table", "Day")}, false, false},
		"answers": {"Answers about datasets", columns("Domain|Agent|Purpose|Dataset|Answers"), map[string]stands{"answers": at("Answers", "Domain", "Agent", "Purpose", "Dataset")}, false, false},
		"charges": charges,
	}
	switch kind {
	case "gdpr-ropa", "dpia":
		ropaTables(shown, at, saying)
		if kind == "dpia" {
			dpiaTables(shown, at, saying)
		}
		return shown, []string{"controller", "retention", "data"}
	case "transfers":
		shown["domains"] = table{"Domains that were shown something", columns("Domain|Role|Country|Safeguard|Contracts|Messages|Values|" + atMost), map[string]stands{
			"messages": at("Messages", "Domain"), "totals": at("Values", "Domain"), "people": at(atMost, "Domain"),
		}, false, false}
		return shown, []string{"controller", "stated"}
	case "hipaa-disclosures":
		exempt := table{"Disclosures that need no accounting", columns("Purpose|Why|Messages to all"), map[string]stands{"exempt": at("Messages to all", "Purpose")}, false, false}
		if person {
			return map[string]table{"exempt": exempt}, []string{"controller", "disclosures"}
		}
		day := at("Values", "To", "Agent", "Purpose", "What", "Day")
		return map[string]table{
			"exempt":      exempt,
			"disclosures": {"Disclosures by day", columns("Day|To|Address|Agent|Purpose|What|Values"), map[string]stands{"disclosed": day, "disclosed-watched": day}, false, false},
			"recipients": {"Recipients", columns("To|Agent|Purpose|Disclosures|" + atMost), map[string]stands{
				"disclosures": at("Disclosures", "To", "Agent", "Purpose"), "people": at(atMost, "To", "Agent", "Purpose"),
			}, false, false},
			"tables": {"Tables that were released", columns("Day|To|Agent|Purpose|Table|Rows"), map[string]stands{"tables": at("Rows", "To", "Agent", "Purpose", "Table", "Day")}, false, false},
		}, []string{"controller"}
	case "ccpa":
		return ccpaTables(at, saying), []string{"controller", "collected"}
	case "budgets":
		return budgetTables(at, charges), []string{"standing", "stated"}
	}
	return nil, []string{"controller", "disclosures", "summary", "sources", "transfers"}
}

func ccpaTables(at func(string, ...string) stands, saying func(string, string, stands) stands) map[string]table {
	return map[string]table{
		"disclosed": {"Disclosed to others", columns("Category|Data|To|Role|Category of recipients|Sold or shared|Purpose|Values"), map[string]stands{
			"disclosed": at("Values", "Data", "To", "Purpose"), "watched": at("Values", "Data", "To", "Purpose"),
		}, false, false},
		"consumers": {"Consumers about whom something was disclosed", columns("To|" + atMost), map[string]stands{"people": at(atMost, "To")}, false, false},
		"requests": {"Requests of consumers", columns("Request|What became of it|Count"), map[string]stands{
			"deletions": saying("What became of it", "carried out at this gateway", at("Count")), "accesses": saying("Request", "to know", at("Count")),
			"deletion-requests": saying("Request", "to delete", at("Count", "What became of it")),
		}, true, false},
	}
}

func budgetTables(at func(string, ...string) stands, charges table) map[string]table {
	return map[string]table{
		"answers": {"Answers of this time", columns("Dataset|Technique|Domain|Agent|Purpose|Answers"), map[string]stands{"answers": at("Answers", "Dataset", "Technique", "Domain", "Agent", "Purpose")}, false, false},
		"charges": charges,
		"ledger": {"Entries of the ledger in this time", columns("Dataset|Kind|Entries|ε"), map[string]stands{
			"ledger": at("Entries", "Dataset", "Kind"), "ledger-epsilon": at("ε", "Dataset", "Kind"),
		}, false, false},
		"questions": {"What became of questions", columns("Dataset|Outcome|Entries"), map[string]stands{"asked": at("Entries", "Dataset", "Outcome")}, false, false},
	}
}

func ropaTables(all map[string]table, at func(string, ...string) stands, saying func(string, string, stands) stands) {
	all["activities"] = table{"Processing activities",
		columns("Purpose|Legal basis|Categories of people|Categories of data|Categories of recipients|Recipients keep it|Messages|Values|" + atMost),
		map[string]stands{"activities": at("Messages", "Purpose"), "totals": at("Values", "Purpose"), "people": at(atMost, "Purpose")}, false, false}
	all["transfers"] = table{"Transfers to other domains", columns("Domain|Role|Country|Safeguard|Values"), map[string]stands{"abroad": at("Values", "Domain")}, false, false}
	all["security"] = table{"Security measures", columns("Measure|Count"), map[string]stands{
		"levels": at("Count", "Measure"), "refused": saying("Measure", "messages refused", at("Count")),
	}, true, true}
	all["changes"] = table{"Changes of the rules", columns("Day|Step|By|Count"), map[string]stands{"rules": at("Count", "Step", "By", "Day")}, false, false}
}

func dpiaTables(all map[string]table, at func(string, ...string) stands, saying func(string, string, stands) stands) {
	all["proportionality"] = table{"How much was shown, and what limited it", columns("Purpose|Level|Set by|Values"), map[string]stands{"limits": at("Values", "Purpose", "Level", "Set by")}, false, false}
	indicator := func(text string, of ...string) stands { return saying("Indicator", text, at("Count", of...)) }
	all["indicators"] = table{"Indicators of risk", columns("Indicator|Where|Data|Count"), map[string]stands{
		"special":    indicator("values of special categories that were shown (art. 9, 10)", "Where", "Data", "Data"),
		"raw-abroad": indicator("values shown raw to another domain", "Where", "Data"),
		"unlabelled": indicator("values that nobody labelled and that were shown", "Where"),
		"freetext":   indicator("free text that was shown, in which something may have been missed", "Where"),
		"watched":    indicator("values that passed unchanged in learn mode", "Where", "Where", "Where", "Data"),
		"refusals":   indicator("messages that were refused, by rule", "Where"),
		"erasures":   indicator("people whose data were erased"),
	}, false, true}
}

// Person reports whether the report is about one person. Whether it tells of all entries about them no log shows: it names nobody.
func (r *Report) Person() bool {
	return r.Kind == "subject" || r.Kind == "hipaa-disclosures" && len(r.body.Counts) == 1
}

// laidOut checks that figures stand in the tables of their kind, under the headings that say what they are, and nothing else does there.
func (r *Report) laidOut() error {
	tables, others := tablesOf(r.Kind, r.Person())
	seen := map[string]bool{}
	for i := range r.body.Sections {
		s := &r.body.Sections[i]
		t, ours := tables[s.ID]
		if seen[s.ID] || !ours && !slices.Contains(others, s.ID) {
			return failed(Figures, short(s.ID), "a report of its kind has no such table, or one")
		}
		seen[s.ID] = true
		if ours && (s.Title != t.title || !slices.Equal(s.Columns, t.columns)) {
			return failed(Figures, short(s.ID), "the table has another title or other headings than in reports of its kind")
		}
		for j, row := range s.Rows {
			where := fmt.Sprintf("row %d of %s", j, short(s.ID))
			if len(row) != len(s.Columns) {
				return failed(Figures, where, "it has not a cell for each heading")
			}
			if err := t.row(row); err != nil {
				return at(where, err)
			}
		}
	}
	if r.Person() {
		return r.told()
	}
	return nil
}

// row checks where a row's figures stand.
func (t *table) row(row []reportCell) error {
	figures, places := 0, map[string]bool{}
	for _, p := range t.counts {
		places[p.under] = true
	}
	for i, cell := range row {
		id, _, _ := strings.Cut(cell.Figure, "/")
		p, ours := t.counts[id]
		switch {
		case cell.Figure == "" && t.columns != nil && places[t.columns[i]] && cell.Text != "0":
			return failed(Figures, "", "it shows %q under %q, and nothing was counted", short(cell.Text), t.columns[i])
		case cell.Figure == "":
			continue
		case !ours || p.under != t.columns[i]:
			return failed(Figures, "", "the figure %s does not stand where reports of its kind have it", short(cell.Figure))
		}
		figures++
		for heading, text := range p.says {
			if row[slices.Index(t.columns, heading)].Text != text {
				return failed(Figures, "", "its figure %s is not of what the row says under %q", short(cell.Figure), heading)
			}
		}
	}
	if figures == 0 && len(t.counts) > 0 && !t.empty {
		return failed(Figures, "", "nothing in it was counted")
	}
	return nil
}

// named returns the cells that have to name a part of a figure's key: the one under its heading.
func (t *table) named(row []reportCell, count string, part int) []reportCell {
	p, ok := t.counts[count]
	if !ok || part >= len(p.of) {
		return nil
	}
	i := slices.Index(t.columns, p.of[part])
	return row[i : i+1]
}

// Headings of what a report tells of one person, with the member of the entry that stands there.
var toldColumns = columns("Entry|Time|Domain|Name and address|Agent|Purpose|Data|Level|Values|Policies|Legal basis")

var toldMembers = map[string]string{"Time": "time", "Domain": "flow.to.domain", "Agent": "flow.to.agent", "Purpose": "flow.purpose"}

// sum is what a report about one person adds up.
type sum struct {
	values, messages int64
	first, last      string
}

type sumKey struct{ domain, agent, purpose, data, level string }

// told checks what a report tells of one person: each row is about one entry, and the sums are those of the rows.
func (r *Report) told() error {
	sums, entries := map[sumKey]*sum{}, map[int64]bool{}
	var said, summary *reportSection
	for i := range r.body.Sections {
		switch s := &r.body.Sections[i]; s.ID {
		case "disclosures":
			said = s
		case "summary":
			summary = s
		}
	}
	if said == nil || !slices.Equal(said.Columns, toldColumns) {
		return failed(Figures, "disclosures", "the table is not there, or has other headings than in reports of its kind")
	}
	for j, row := range said.Rows {
		where := fmt.Sprintf("row %d of disclosures", j)
		values := row[slices.Index(toldColumns, "Values")]
		what, isLevel := strings.CutPrefix(values.At, "levels=")
		cut := strings.LastIndexByte(what, ' ')
		seq, err := strconv.ParseInt(row[0].Text, 10, 64)
		n, errN := strconv.ParseInt(values.Text, 10, 64)
		if !isLevel || cut < 0 || err != nil || errN != nil || seq < 1 {
			return failed(Figures, where, "it does not say which entry it is about, or how many values")
		}
		label, level := what[:cut], what[cut+1:]
		for i, heading := range toldColumns {
			member := toldMembers[heading]
			if member != "" && row[i].At != member || (member != "" || heading == "Values") && row[i].Entry != seq {
				return failed(Figures, where, "what it has under %q is not what entry %d says of it", heading, seq)
			}
		}
		data, shown := row[slices.Index(toldColumns, "Data")].Text, row[slices.Index(toldColumns, "Level")].Text
		if !titled(data, label) || shown != level && shown != level+" (at most: with others)" {
			return failed(Figures, where, "its values are of %s %s, which it does not name", short(label), short(level))
		}
		day, _, _ := strings.Cut(row[1].Text, "T")
		k := sumKey{row[2].Text, row[4].Text, row[5].Text, data, level}
		if sums[k] == nil {
			sums[k] = &sum{first: day}
		}
		s := sums[k]
		s.values, s.messages, s.last = s.values+n, s.messages+1, day
		entries[seq] = true
	}
	if r.Kind != "subject" {
		return nil
	}
	if number := fmt.Sprintf("%d messages ", len(entries)); !slices.ContainsFunc(said.Text, func(t string) bool { return strings.HasPrefix(t, number) }) {
		return failed(Figures, "disclosures", "the number of messages that it tells of is another")
	}
	return summary.adds(sums)
}

// adds checks that the table adds up what was told.
func (s *reportSection) adds(sums map[sumKey]*sum) error {
	if s == nil || !slices.Equal(s.Columns, columns("Domain|Agent|Purpose|Data|Level|Values|Messages|First|Last")) || len(s.Rows) != len(sums) {
		return failed(Figures, "summary", "it does not add up what was disclosed")
	}
	for j, row := range s.Rows {
		found := false
		for k, n := range sums {
			if titled(row[0].Text, k.domain) && row[1].Text == k.agent && titled(row[2].Text, k.purpose) && row[3].Text == k.data && row[4].Text == k.level &&
				row[5].Text == strconv.FormatInt(n.values, 10) && row[6].Text == strconv.FormatInt(n.messages, 10) && row[7].Text == n.first && row[8].Text == n.last {
				delete(sums, k)
				found = true
				break
			}
		}
		if !found {
			return failed(Figures, fmt.Sprintf("row %d of summary", j), "it does not add up what was disclosed")
		}
	}
	return nil
}
