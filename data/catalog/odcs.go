package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"go.yaml.in/yaml/v3"
)

// ParseContract reads a data contract after the Open Data Contract Standard v3.1 (YAML): which datasets there are, and
// what each column is. Name appears in mistakes. With tax nil labels are those of [flow.DefaultTaxonomy].
//
// A column's label is its customProperty scrim.label, or a tag "label:person/name"; its classification, where it is
// one of our tiers, must not be stricter than the label, and "public" without a label means [flow.PublicData].
// Further customProperties are, of a column, scrim.unit (true, or what rows are about, such as "patient", where the
// column says whom) and scrim.bounds ([min, max]; else logicalTypeOptions); of a dataset scrim.budget (epsilon, delta,
// per) and scrim.formal. What else the standard knows is passed over.
//
// The error is [Mistakes].
func ParseContract(name string, raw []byte, tax *flow.Taxonomy) (*Contract, error) {
	if tax == nil {
		tax = flow.DefaultTaxonomy()
	}
	p := &contractParser{name: name, tax: tax}
	root, ok := p.document(raw)
	if !ok {
		return nil, p.mistakes
	}
	c := p.contract(root)
	if len(p.mistakes) > 0 {
		slices.SortStableFunc(p.mistakes, func(a, b Mistake) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
		p.mistakes = slices.Compact(p.mistakes)
		if p.more > 0 {
			p.mistakes = append(p.mistakes, Mistake{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("and %d more", p.more)})
		}
		return nil, p.mistakes
	}
	return c, nil
}

// yamlLine reads the line out of the parser's message, which may hold content and is not shown.
func yamlLine(err error) int {
	_, after, _ := strings.Cut(err.Error(), "line ")
	digits, _, _ := strings.Cut(after, ":")
	n, convErr := strconv.Atoi(digits)
	if convErr != nil {
		return 1
	}
	return n
}

type contractParser struct {
	name     string
	tax      *flow.Taxonomy
	mistakes Mistakes
	more     int             // mistakes beyond those kept
	columns  map[string]bool // of the dataset that is being read
}

func (p *contractParser) wrong(n *yaml.Node, place, hint, format string, args ...any) {
	if len(p.mistakes) >= maxMistakes {
		p.more++
		return
	}
	p.mistakes = append(p.mistakes, Mistake{File: p.name, Place: place, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// member returns the value of a key, or nil. Aliases are not followed.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// text returns the scalar at a key, "" if there is none.
func (p *contractParser) text(n *yaml.Node, place, key string, required bool) string {
	v := member(n, key)
	switch {
	case v == nil && required:
		p.wrong(n, place, "", "%s is missing", key)
		return ""
	case v == nil:
		return ""
	case v.Kind != yaml.ScalarNode || v.Tag == "!!null":
		p.wrong(v, place+"/"+key, "", "a text is expected")
		return ""
	case required && v.Value == "":
		p.wrong(v, place+"/"+key, "", "%s is empty", key)
	}
	return v.Value
}

func (p *contractParser) truth(v *yaml.Node, place string) bool {
	if v == nil {
		return false
	}
	var b bool
	if v.Kind != yaml.ScalarNode || v.Decode(&b) != nil {
		p.wrong(v, place, "", "true or false is expected")
	}
	return b
}

// list returns the elements at a key.
func (p *contractParser) list(n *yaml.Node, place, key string) []*yaml.Node {
	v := member(n, key)
	if v == nil {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		p.wrong(v, place+"/"+key, "", "a list is expected")
		return nil
	}
	return v.Content
}

func (p *contractParser) contract(n *yaml.Node) *Contract {
	if p.structure(n, "", 0); len(p.mistakes) > 0 {
		return &Contract{} // what it says is not known, so there is nothing to say about it
	}
	p.shaped(n, "contract", "")
	custom := p.custom(n, "", governanceProperties...)
	outer := Governance{Owners: p.team(n)}
	c := &Contract{
		ID:          p.text(n, "", "id", true),
		Version:     p.text(n, "", "version", true),
		Name:        p.text(n, "", "name", false),
		Status:      p.text(n, "", "status", true),
		Domain:      flow.DomainID(p.text(n, "", "domain", false)),
		Description: p.text(member(n, "description"), "/description", "purpose", false),
		Governance:  p.governance(custom, outer),
		Servers:     p.servers(n),
		Custom:      p.others(n),
		raw:         n,
		file:        p.name,
		tax:         p.tax,
	}
	if kind := p.text(n, "", "kind", true); kind != "DataContract" && kind != "" {
		p.wrong(member(n, "kind"), "/kind", "", "kind is not DataContract")
	}
	if api := p.text(n, "", "apiVersion", true); api != "" && !strings.HasPrefix(api, "v3.") {
		p.wrong(member(n, "apiVersion"), "/apiVersion", "v3.1.0 is read, and earlier v3", "apiVersion is not supported")
	}
	taken := map[string]bool{}
	for i, object := range p.list(n, "", "schema") {
		place := fmt.Sprintf("/schema/%d", i)
		if object.Kind != yaml.MappingNode {
			p.wrong(object, place, "", "an object is expected")
			continue
		}
		d := p.dataset(object, place, c.Governance)
		if taken[d.Name] {
			p.wrong(object, place, "", "dataset %q is given twice", shortened(d.Name))
			continue
		}
		taken[d.Name] = true
		c.Datasets = append(c.Datasets, d)
	}
	return c
}

func (p *contractParser) dataset(n *yaml.Node, place string, outer Governance) Dataset {
	d := Dataset{
		Name: p.text(n, place, "name", true), Description: p.text(n, place, "description", false),
		PhysicalName: p.text(n, place, "physicalName", false), Kind: assetOf(p.text(n, place, "physicalType", false)),
	}
	if strings.ContainsAny(d.Name, `/"`) {
		p.wrong(member(n, "name"), place+"/name", "", "the name of a dataset holds no slash or quote")
	}
	custom := p.custom(n, place, datasetProperties...)
	d.Governance, d.Custom = p.governance(custom, outer), p.others(n)
	d.Contribution = p.contribution(custom["scrim.contribution"])
	if v := custom["scrim.agent"]; v.node != nil {
		d.Agent = flow.AgentID(v.node.Value)
		if v.node.Kind != yaml.ScalarNode || d.Agent == "" || d.Kind != AsSkill && d.Kind != AsTool && d.Kind != Message {
			p.wrong(v.node, v.place, "", "the agent of a skill, a tool or a message is expected")
		}
	}
	if v := custom["scrim.budget"]; v.node != nil {
		d.Budget = p.budget(v.node, v.place)
	}
	if v := custom["scrim.formal"]; v.node != nil {
		d.Formal = p.truth(v.node, v.place)
	}
	p.columns = map[string]bool{}
	p.fields(&d, n, place, "", 0, d.Governance)
	for i := range d.Fields {
		d.Fields[i].Unit = d.Unit
	}
	return d
}

const maxNesting = 32

// fields reads the columns at n, those within them included.
func (p *contractParser) fields(d *Dataset, n *yaml.Node, place, prefix string, depth int, outer Governance) {
	if depth > maxNesting {
		p.wrong(n, place, "", "properties are nested more than %d deep", maxNesting)
		return
	}
	for i, prop := range p.list(n, place, "properties") {
		at := fmt.Sprintf("%s/properties/%d", place, i)
		if prop.Kind != yaml.MappingNode {
			p.wrong(prop, at, "", "an object is expected")
			continue
		}
		name := p.text(prop, at, "name", true)
		if strings.ContainsAny(name, `/"`) {
			p.wrong(member(prop, "name"), at+"/name", "", "the name of a column holds no slash or quote")
		}
		column := prefix + name
		if p.columns[column] {
			p.wrong(prop, at, "", "column %q is given twice", shortened(column))
			continue
		}
		p.columns[column] = true
		f := p.column(d, prop, at, column, outer)
		d.Fields = append(d.Fields, f)
		p.fields(d, prop, at, column+".", depth+1, f.Governance)
		items, within := member(prop, "items"), at+"/items"
		for deep := depth + 1; items != nil; deep++ {
			p.fields(d, items, within, column+".", deep, f.Governance)
			items, within = member(items, "items"), within+"/items"
		}
	}
}

var (
	datasetProperties = append([]string{"scrim.budget", "scrim.formal", "scrim.contribution", "scrim.agent"}, governanceProperties...)
	fieldProperties   = append([]string{"scrim.label", "scrim.unit", "scrim.bounds", "scrim.references"}, governanceProperties...)
)

var logicalTypes = map[string]Types{
	"string": StringType, "date": StringType, "timestamp": StringType, "time": StringType,
	"number": NumberType, "integer": IntegerType, "object": ObjectType, "array": ArrayType, "boolean": BooleanType,
}

func (p *contractParser) column(d *Dataset, n *yaml.Node, place, column string, outer Governance) Field {
	f := Field{
		Name: d.Name + "/" + column, Dataset: d.Name, Column: column,
		Description: p.text(n, place, "description", false), PhysicalName: p.text(n, place, "physicalName", false),
		PhysicalType: p.text(n, place, "physicalType", false),
		Required:     p.truth(member(n, "required"), place+"/required"), Unique: p.truth(member(n, "unique"), place+"/unique"),
		Key: p.truth(member(n, "primaryKey"), place+"/primaryKey"),
	}
	if logical := p.text(n, place, "logicalType", false); logical != "" {
		types, ok := logicalTypes[logical]
		if !ok {
			p.wrong(member(n, "logicalType"), place+"/logicalType", "", "not a logical type of the standard")
		}
		f.Types, f.Logical = types, logical
	}
	custom := p.custom(n, place, fieldProperties...)
	f.Governance, f.Custom = p.governance(custom, outer), p.others(n)
	f.References = p.reference(n, place, custom["scrim.references"])
	f.Label, f.Tier = p.fieldLabel(n, place, custom["scrim.label"])
	if v := custom["scrim.unit"]; v.node != nil {
		p.unit(d, &f, v.node, v.place)
	}
	f.Bounds = p.bounds(n, place, custom["scrim.bounds"])
	return f
}

// unit notes that the column says whom a row is about.
func (p *contractParser) unit(d *Dataset, f *Field, v *yaml.Node, place string) {
	name := v.Value
	switch {
	case v.Kind != yaml.ScalarNode || name == "":
		p.wrong(v, place, `such as "patient"`, "true, or the name of the unit, is expected")
		return
	case v.Tag == "!!bool" && name == "false":
		return
	case v.Tag == "!!bool":
		name = f.Column
	}
	if d.UnitColumn != "" {
		p.wrong(v, place, "", "the dataset has another unit column, %q", d.UnitColumn)
		return
	}
	d.UnitColumn, d.Unit, f.IsUnit = f.Column, name, true
}
