package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// Proposal says how an inventory becomes a contract. ID is needed.
type Proposal struct {
	ID       string
	Domain   flow.DomainID
	Taxonomy *flow.Taxonomy // nil: the default
	Sure     uint8          // least confidence, in percent, of a label that is proposed; 0: 50
	Accept   bool           // an update takes note of labels that drifted, and the next scan does not tell of them again
}

func (p Proposal) settled() Proposal {
	if p.Sure == 0 {
		p.Sure = 50
	}
	if p.Taxonomy == nil {
		p.Taxonomy = flow.DefaultTaxonomy()
	}
	return p
}

// Contract returns the inventory as a data contract in draft, for a person to review: each asset a dataset, each column with the label
// that is proposed for it. What was found, with confidences and counts, is in the customProperty scrim.found.
//
// That data are public is never proposed, only noted, nor is what would be internal by a name alone: whoever reviews has to say it. Names that a contract cannot hold are spelled
// otherwise, with the source's own as physicalName. A dataset has a unit column where one names whom a row is about, or refers to one
// that does; where several columns could, it has none.
func (inv *Inventory) Contract(p Proposal) (*catalog.Contract, error) {
	p = p.settled()
	c := catalog.Contract{
		ID: p.ID, Version: "0.1.0", Name: inv.Source, Status: "draft", Domain: p.Domain,
		Servers: inv.servers(),
	}
	c.Datasets = append(c.Datasets, inv.datasets(p)...)
	return catalog.NewContract(c, p.Taxonomy)
}

func (inv *Inventory) servers() []catalog.Server {
	if inv.Server == (catalog.Server{}) {
		return nil
	}
	s := inv.Server
	s.Name = "source"
	return []catalog.Server{s}
}

var kinds = map[Kind]catalog.Asset{Table: catalog.Table, View: catalog.View, File: catalog.File, Tool: catalog.AsTool, Skill: catalog.AsSkill, Resource: catalog.Message}

// datasets are the assets as a contract has them.
func (inv *Inventory) datasets(p Proposal) []catalog.Dataset {
	names := names{}
	byAsset, called := map[string]string{}, make([]string, len(inv.Assets)) // an asset's name → its dataset's, which a tool and a resource may share
	for i := range inv.Assets {
		a := &inv.Assets[i]
		called[i] = names.unique(datasetName(a))
		byAsset[a.Name] = called[i]
	}
	all := make([]catalog.Dataset, 0, len(inv.Assets))
	columns := map[string]string{} // "dataset/physical column" → column
	for i := range inv.Assets {
		a := &inv.Assets[i]
		d := catalog.Dataset{Name: called[i], Kind: kinds[a.Kind], Agent: a.Agent, Custom: a.found()}
		if d.Name != a.Name {
			d.PhysicalName = shownName(a.Name)
		}
		taken := renamed{names: map[string]string{}, taken: map[string]bool{}}
		for j := range a.Columns {
			f := a.Columns[j].field(p, &taken)
			columns[d.Name+"/"+a.Columns[j].Name] = f.Column
			d.Fields = append(d.Fields, f)
		}
		all = append(all, d)
	}
	for i := range inv.Assets {
		for j, c := range inv.Assets[i].Columns {
			if c.refers == (reference{}) {
				continue
			}
			dataset := byAsset[c.refers.asset]
			if column, ok := columns[dataset+"/"+c.refers.column]; ok {
				all[i].Fields[j].References = dataset + "/" + column
			}
		}
	}
	inv.units(all)
	return all
}

// field is the column as a contract has it.
func (c *Column) field(p Proposal, taken *renamed) catalog.Field {
	f := catalog.Field{
		Column: taken.column(c.Name), PhysicalType: shownName(c.Type), Logical: c.Logical, Required: c.Required, Key: c.Key, Unique: c.Unique,
		Label: c.Proposed(p), Custom: c.found(),
	}
	if f.Column != c.Name {
		f.PhysicalName = shownName(c.Name)
	}
	return f
}

// Proposed is the label that the column is to have, flow.Unlabelled if nothing is sure enough.
func (c *Column) Proposed(p Proposal) flow.Label {
	p = p.settled()
	if len(c.Guesses) == 0 {
		return flow.Unlabelled
	}
	g := c.Guesses[0]
	if g.Confidence < p.Sure || p.onlyNoted(g.Label, c.Looked) {
		return flow.Unlabelled
	}
	return g.Label
}

// onlyNoted reports whether a label is not proposed however sure it is: that data are public, and that they are no secret of anybody
// where a name says so and no value was looked at.
func (p Proposal) onlyNoted(l flow.Label, looked int) bool {
	class, known := p.Taxonomy.Class(l)
	return !known || l == flow.PublicData || looked == 0 && class.Tier >= flow.Internal
}

// FoundProperty is the customProperty that says what an inventory saw.
const FoundProperty = "scrim.found"

// found says what was counted of an asset.
func (a *Asset) found() []catalog.Property {
	v := map[string]any{}
	if a.Exact || a.Rows > 0 {
		v["rows"] = a.Rows
		if !a.Exact {
			v["estimated"] = true
		}
	}
	if a.Sampled > 0 {
		v["sampled"] = a.Sampled
	}
	if a.Why != "" {
		v["unread"] = shownName(a.Why)
	}
	if len(v) == 0 {
		return nil
	}
	return []catalog.Property{{Name: FoundProperty, Value: v}}
}

// found says what speaks for the best guesses.
func (c *Column) found() []catalog.Property {
	v := map[string]any{}
	if len(c.Guesses) > 0 {
		g := c.Guesses[0]
		v["label"], v["confidence"] = string(g.Label), int(g.Confidence)
		if e := Evidence(g.Evidence); len(e) > 0 {
			v["evidence"] = anyOf(e)
		}
		var others []any
		for _, g := range c.Guesses[1:min(len(c.Guesses), 4)] {
			if g.Confidence < 10 {
				continue
			}
			others = append(others, string(g.Label)+" "+strconv.Itoa(int(g.Confidence))+"%")
		}
		if others != nil {
			v["otherwise"] = others
		}
	}
	if c.Looked > 0 {
		v["values"] = c.Looked
	}
	if c.Nulls > 0 {
		v["nulls"] = c.Nulls
	}
	if c.Why != "" {
		v["unread"] = shownName(c.Why)
	}
	if len(v) == 0 {
		return nil
	}
	return []catalog.Property{{Name: FoundProperty, Value: v}}
}

func anyOf(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// Evidence says in words what speaks for a guess: "form email 397 of 400".
func Evidence(all []column.Evidence) []string {
	var parts []string
	for _, v := range all {
		s := v.What
		if v.Of > 1 {
			s = fmt.Sprintf("%s %d of %d", v.What, v.Matched, v.Of)
		}
		if !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	return parts
}

// units finds the column of each dataset that says whom a row is about: one that the classifier takes for such and that other datasets refer
// to, else the one that refers to another dataset's, else one that the classifier takes for such, best if it is unique. A number of its own that looks like a person's does not make the contacts of a patient
// about somebody else. Of several equally good ones it is none.
func (inv *Inventory) units(all []catalog.Dataset) {
	at := map[string]int{}
	for i := range all {
		at[all[i].Name] = i
	}
	own, unique := make([]int, len(all)), make([]bool, len(all)) // what the classifier says of a table alone, -1: none
	for i := range all {
		own[i], unique[i] = inv.Assets[i].unitColumn()
	}
	settle := func(i int) { unitOf(&all[i], own[i], inv.Assets[i].Columns[own[i]].Guesses[0].Unit) }
	meant, leads := map[int]bool{}, map[int]bool{} // others are about it; it leads to another that may be one
	for i := range all {
		for _, f := range all[i].Fields {
			to, column, _ := strings.Cut(f.References, "/")
			if j, known := at[to]; known && j != i && unique[j] && all[j].Fields[own[j]].Column == column {
				meant[j], leads[i] = true, true
			}
		}
	}
	for i := range all { // a patient who has a physician stays a patient
		if unique[i] && (meant[i] || !leads[i]) {
			settle(i)
		}
	}
	for changed := true; changed; { // each round settles a dataset at least
		changed = false
		for i := range all {
			if all[i].UnitColumn != "" {
				continue
			}
			if j, unit := referring(&all[i], all, at); j >= 0 {
				unitOf(&all[i], j, unit)
				changed = true
			}
		}
	}
	for i := range all {
		if all[i].UnitColumn == "" && own[i] >= 0 && !refersTwice(&all[i], all, at) {
			settle(i)
		}
	}
}

func unitOf(d *catalog.Dataset, column int, unit string) {
	d.UnitColumn, d.Unit = d.Fields[column].Column, unit
	d.Fields[column].IsUnit = true
}

// unitColumn is the one column that the classifier takes for that of the unit, -1 if there is none or more than one.
func (a *Asset) unitColumn() (at int, unique bool) {
	at = -1
	several := false
	for j := range a.Columns {
		c := &a.Columns[j]
		if len(c.Guesses) == 0 || c.Guesses[0].Unit == "" {
			continue
		}
		switch sole := c.Unique; {
		case at < 0 || sole && !unique:
			at, unique, several = j, sole, false
		case sole == unique:
			several = several || !c.Key || !a.Columns[at].Key
			if better := cmp.Compare(c.Guesses[0].Confidence, a.Columns[at].Guesses[0].Confidence); better > 0 {
				at = j
			}
		}
	}
	if several && !unique {
		return -1, false
	}
	return at, unique
}

// referring is the one column that refers to another dataset's unit column, -1 if there is none or more than one.
func referring(d *catalog.Dataset, all []catalog.Dataset, at map[string]int) (column int, unit string) {
	column = -1
	for j := range d.Fields {
		to, name, ok := strings.Cut(d.Fields[j].References, "/")
		if !ok {
			continue
		}
		if i, known := at[to]; known && &all[i] != d && all[i].UnitColumn == name {
			if column >= 0 {
				return -1, ""
			}
			column, unit = j, all[i].Unit
		}
	}
	return column, unit
}

func refersTwice(d *catalog.Dataset, all []catalog.Dataset, at map[string]int) bool {
	n := 0
	for j := range d.Fields {
		to, name, _ := strings.Cut(d.Fields[j].References, "/")
		if i, known := at[to]; known && all[i].UnitColumn == name && name != "" {
			n++
		}
	}
	return n > 1
}

// names are taken names.
type names map[string]bool

func (n names) unique(name string) string {
	for i := 1; ; i++ {
		tried := name
		if i > 1 {
			tried += "_" + strconv.Itoa(i)
		}
		if key := strings.ToLower(tried); !n[key] {
			n[key] = true
			return tried
		}
	}
}

// datasetName is a name for an asset that a contract can hold: that of a table in the schema public without it.
func datasetName(a *Asset) string {
	name := a.Name
	if a.Kind == Table || a.Kind == View {
		name = strings.TrimPrefix(name, "public.")
	}
	if a.Kind == File {
		name = stem(name)
	}
	return cmp.Or(speakable(name), string(a.Kind))
}

// speakable is a name without what a contract's names may not hold.
func speakable(name string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(name, "_") {
		if b.Len() > 200 {
			break
		}
		if r == '/' || r == '"' || r == '\\' || !unicode.IsGraphic(r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// shownName is a text of the source as YAML and a terminal can hold it: what is not plain is escaped, and it is not endless.
func shownName(s string) string {
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
			q := strconv.Quote(s)
			return q[1 : len(q)-1]
		}
	}
	return s
}

// renamed gives the columns of one dataset names that a contract can hold, those within others after them.
type renamed struct {
	names map[string]string // the source's name → ours
	taken names
}

func (r *renamed) column(name string) string {
	parent, own := "", name
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if p, ok := r.names[name[:i]]; ok {
			parent, own = p+".", name[i+1:]
			break
		}
	}
	own = cmp.Or(strings.ReplaceAll(speakable(own), ".", "_"), "column")
	ours := r.taken.unique(parent + own)
	r.names[name] = ours
	return ours
}
