package plan

import (
	"fmt"
	"slices"
	"strings"
)

// check fills in defaults and finds the mistakes that need no source.
func (p *Plan) check(d *decoder) {
	d.enum("recoding", &p.Recoding, "global", "local")
	d.enum("metric", &p.Metric, "loss", "entropy", "discernibility", "class-size")
	d.enum("uncovered", &p.Uncovered, "error", "suppress")
	d.enum("suppressed", &p.Suppressed, "left-out", "stars")
	if len(p.Columns) == 0 {
		d.at("columns", "columns that are not named are left out", "the plan names no columns")
	}
	names := make([]string, len(p.Columns))
	quasi, leaves := 0, 0
	for i := range p.Columns {
		names[i] = p.Columns[i].Name
		p.checkColumn(d, &p.Columns[i])
		if p.Columns[i].Role == "quasi" {
			quasi++
		}
		if p.Columns[i].Technique != "drop" {
			leaves++
		}
	}
	if len(p.Columns) > 0 && leaves == 0 {
		d.at("columns", "", "every column is dropped")
	}
	p.checkModels(d, names, quasi)
	p.checkRisk(d)
	p.checkStream(d, quasi)
}

func (d *decoder) enum(path string, to *string, words ...string) {
	if *to == "" {
		*to = words[0]
	}
	if !slices.Contains(words, *to) {
		d.at(path, nearHint(*to, words), "one of %s is expected", strings.Join(words, ", "))
	}
}

func (p *Plan) checkColumn(d *decoder, c *Column) {
	at := "columns/" + c.Name
	if c.Name == "" {
		d.at("columns", "", "a column has no name")
		return
	}
	switch c.Role {
	case "quasi":
		p.checkQuasi(d, c, at)
		return
	case "sensitive":
		if c.Technique == "" {
			c.Technique = "keep"
		}
	case "":
	default:
		d.at(at+"/role", nearHint(c.Role, []string{"quasi", "sensitive"}), "a role is quasi or sensitive; other columns have none")
		return
	}
	if c.Technique == "" {
		d.at(at, "such as technique: drop, or role: quasi", "the column has no technique")
		return
	}
	t, ok := techniques[c.Technique]
	if !ok {
		d.at(at+"/technique", nearHint(c.Technique, techniqueNames()), "there is no such technique; there are %s", strings.Join(techniqueNames(), ", "))
		return
	}
	p.onlyKeys(d, at, append([]string{"role", "technique", "label"}, t.keys...), "technique "+c.Technique)
	for _, need := range t.needs {
		if _, ok := d.places[at+"/"+need]; !ok {
			d.at(at, "", "technique %s needs %s", c.Technique, need)
		}
	}
}

// onlyKeys notes keys that say nothing where they stand.
func (p *Plan) onlyKeys(d *decoder, at string, allowed []string, what string) {
	for _, f := range (&Column{}).fields() {
		if _, given := d.places[at+"/"+f.key]; given && !slices.Contains(allowed, f.key) {
			d.at(at+"/"+f.key, "", "%s does not take %s", what, f.key)
		}
	}
}

func (p *Plan) checkQuasi(d *decoder, c *Column, at string) {
	allowed := []string{"role", "label", "least", "most", "weight"}
	sources := 0
	for key, given := range map[string]bool{"hierarchy": c.Hierarchy != "", "intervals": c.Intervals != nil, "prefix": c.Prefix != nil, "dates": c.Dates != nil} {
		allowed = append(allowed, key)
		if given {
			sources++
		}
	}
	if sources > 1 {
		d.at(at, "", "one of hierarchy, intervals, prefix and dates generalises a column, not several")
	}
	if c.Intervals != nil {
		allowed = append(allowed, "origin", "bottom", "top")
	}
	if c.Technique != "" {
		d.at(at+"/technique", "leave it out", "a quasi-identifier is generalised by the privacy models, and has no technique")
		return
	}
	p.onlyKeys(d, at, allowed, "a quasi-identifier so generalised")
	for i := 1; i < len(c.Prefix); i++ {
		if c.Prefix[i] >= c.Prefix[i-1] || c.Prefix[i] < 1 {
			d.at(fmt.Sprintf("%s/prefix/%d", at, i), "such as [5, 4, 3]: how long a code is, and how much of it stays", "a prefix is shorter than the one before it and has a character at least")
		}
	}
	if len(c.Prefix) == 1 {
		d.at(at+"/prefix", "such as [5, 4, 3]: how long a code is, and how much of it stays", "a list of at least two lengths is expected")
	}
	if len(c.Prefix) > 16 || len(c.Intervals) > 16 || len(c.Dates) > 16 {
		d.at(at, "", "at most 16 levels are allowed")
	}
	for i, s := range c.Dates {
		if dateSteps[s] == 0 {
			d.at(fmt.Sprintf("%s/dates/%d", at, i), "", "a step is day, month, quarter, year or decade")
		} else if i > 0 && dateSteps[s] <= dateSteps[c.Dates[i-1]] {
			d.at(fmt.Sprintf("%s/dates/%d", at, i), "finest first", "a step is coarser than the one before it")
		}
	}
	if c.Most > 0 && c.Least > c.Most {
		d.at(at+"/least", "", "the least level is above the most")
	}
}

// modelKeys are the parameters of each model beside its name: those it needs, and those it may have.
var modelKeys = map[string]struct{ needs, may []string }{
	"k-anonymity":    {needs: []string{"k"}},
	"k-map":          {needs: []string{"k"}},
	"l-diversity":    {needs: []string{"column", "l"}, may: []string{"kind", "c"}},
	"t-closeness":    {needs: []string{"column", "t"}, may: []string{"distance", "hierarchy"}},
	"delta-presence": {needs: []string{"most"}, may: []string{"least"}},
}

func (p *Plan) checkModels(d *decoder, columns []string, quasi int) {
	if p.Subject != "" && !slices.Contains(columns, p.Subject) {
		d.at("subject", "name it under columns, with technique: drop if it is to be left out", "the subject's column is not in the plan")
	}
	if len(p.Privacy) > 0 && quasi == 0 {
		d.at("privacy", "give columns role: quasi", "a privacy model needs quasi-identifiers")
	}
	if len(p.Privacy) == 0 && quasi > 0 && !p.streams(d) {
		d.at("columns", "such as privacy: [{model: k-anonymity, k: 5}]", "there are quasi-identifiers and no privacy model")
	}
	protected := map[string]bool{}
	for i := range p.Privacy {
		m, at := &p.Privacy[i], fmt.Sprintf("privacy/%d", i)
		protected[m.Column] = true
		p.checkModel(d, m, at)
	}
	for _, c := range p.Columns {
		if c.Role == "sensitive" && !protected[c.Name] && !p.streams(d) {
			d.at("columns/"+c.Name+"/role", "such as {model: l-diversity, column: …, l: 3}, or leave the role out", "no privacy model protects the column")
		}
		if c.Role == "sensitive" && techniques[c.Technique].unsteady {
			d.at("columns/"+c.Name+"/technique", "", "technique %s draws anew, and a model of the column cannot count what it will be", c.Technique)
		}
	}
	if len(p.Privacy) == 0 && p.Suppression != "" {
		d.at("suppression", "", "without a privacy model no rows are suppressed")
	}
}

func (p *Plan) checkModel(d *decoder, m *Model, at string) {
	keys, ok := modelKeys[m.Model]
	if !ok {
		all := []string{"k-anonymity", "k-map", "l-diversity", "t-closeness", "delta-presence"}
		d.at(at+"/model", nearHint(m.Model, all), "one of %s is expected", strings.Join(all, ", "))
		return
	}
	for _, need := range keys.needs {
		if _, given := d.places[at+"/"+need]; !given {
			d.at(at, "", "%s needs %s", m.Model, need)
		}
	}
	for _, f := range m.fields()[1:] {
		if _, given := d.places[at+"/"+f.key]; given && !slices.Contains(keys.needs, f.key) && !slices.Contains(keys.may, f.key) {
			d.at(at+"/"+f.key, "", "%s does not take %s", m.Model, f.key)
		}
	}
	if slices.Contains(keys.needs, "k") && (m.K < 2 || m.K > 1_000_000_000) {
		d.at(at+"/k", "", "k is at least 2: with 1 everybody stands alone")
	}
	if slices.Contains(keys.needs, "column") {
		if c := p.Column(m.Column); c == nil || c.Role != "sensitive" {
			d.at(at+"/column", "give it role: sensitive", "the column is not a sensitive one of the plan")
		}
	}
	switch m.Model {
	case "l-diversity":
		p.checkDiversity(d, m, at)
	case "t-closeness":
		d.enum(at+"/distance", &m.Distance, "equal", "ordered", "hierarchical")
		d.between(at+"/t", m.T, 0, 1)
		if (m.Distance == "hierarchical") != (m.Hierarchy != "") {
			d.at(at, "", "hierarchical distance, and no other, needs a hierarchy")
		}
	case "delta-presence":
		d.between(at+"/least", m.Least, 0, 1)
		d.between(at+"/most", m.Most, 0, 1)
	}
	if (m.Model == "k-map" || m.Model == "delta-presence") && p.Population.File == "" {
		d.at(at, "population: {file: …}", "%s needs a table of the population", m.Model)
	}
}

func (p *Plan) checkDiversity(d *decoder, m *Model, at string) {
	d.enum(at+"/kind", &m.Kind, "distinct", "entropy", "recursive")
	if m.Kind != "entropy" && strings.Contains(string(m.L), ".") {
		d.at(at+"/l", "", "l is a whole number")
	}
	if l := m.L.Float(); m.L != "" && (l <= 1 || l > 1e6) {
		d.at(at+"/l", "", "l is above 1: with 1 everybody in a class may have the same")
	}
	if (m.Kind == "recursive") != (m.C != "") {
		d.at(at, "", "recursive diversity, and no other, needs c")
	}
	if m.C != "" && m.C.Float() <= 0 {
		d.at(at+"/c", "", "c is above 0")
	}
}

func (d *decoder) between(path string, v Decimal, least, most float64) {
	if f := v.Float(); v != "" && (f < least || f > most) {
		d.at(path, "", "a number from %g to %g is expected", least, most)
	}
}

func (p *Plan) checkRisk(d *decoder) {
	r := p.Risk
	if r != (Risk{}) && len(p.Privacy) == 0 {
		d.at("risk", "give columns role: quasi, and a privacy model", "risk is measured by quasi-identifiers")
	}
	if r.AtRisk != "" && r.Threshold == "" {
		d.at("risk/at-risk", "such as threshold: 0.2", "a share of rows at risk needs the threshold from which a row is")
	}
	if r.Journalist != "" && !slices.ContainsFunc(p.Privacy, func(m Model) bool { return m.Model == "k-map" || m.Model == "delta-presence" }) {
		d.at("risk/journalist", "such as {model: k-map, k: 5}", "the risk against the population needs a model that looks at it")
	}
	if r.Unique != "" && p.Population == (Population{}) {
		d.at("risk/unique", "population: {size: …}", "uniqueness in the population needs its size")
	}
}

// Column returns the column of that name, or nil.
func (p *Plan) Column(name string) *Column {
	for i := range p.Columns {
		if p.Columns[i].Name == name {
			return &p.Columns[i]
		}
	}
	return nil
}
