package catalog

import (
	"bytes"
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"go.yaml.in/yaml/v3"
)

// NewContract returns the contract that c describes, as if it had been read: checked, with what narrower places leave
// out taken over from around them. It is how contracts are made that no file holds yet: fill in a Contract, of whose
// fields ID, Version and Status are needed, and of each dataset's fields Column; or take one that was read and change
// a copy, whose file's comments and further members then stay. Labels are those of tax; nil: [flow.DefaultTaxonomy].
//
// The error is [Mistakes], with lines of what [Contract.AppendYAML] writes.
func NewContract(c Contract, tax *flow.Taxonomy) (*Contract, error) {
	c.tax = tax
	return ParseContract(c.ID+".yaml", c.AppendYAML(nil), tax)
}

// AppendYAML appends the contract as a file of the Open Data Contract Standard v3.1, such that [ParseContract] reads
// the same from it. Of a contract that was read it keeps what else its file said, comments included.
func (c *Contract) AppendYAML(dst []byte) []byte {
	e := exporter{tax: cmp.Or(c.tax, flow.DefaultTaxonomy()), old: &Contract{}}
	root := mapping()
	if c.raw != nil {
		root = clone(c.raw)
		p := &contractParser{name: c.ID, tax: e.tax}
		e.old = p.contract(root)
	}
	e.contract(root, c)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil { // nodes of texts, numbers, lists and maps always encode
		panic("catalog: writing a contract: " + err.Error())
	}
	return append(dst, b.Bytes()...)
}

// exporter writes a contract over the nodes of the file that it was read from. What these say already stays as it is.
type exporter struct {
	tax *flow.Taxonomy
	old *Contract // what the nodes say before they are changed
}

func (e *exporter) contract(n *yaml.Node, c *Contract) {
	if member(n, "apiVersion") == nil {
		setText(n, "apiVersion", "v3.1.0")
	}
	setText(n, "kind", "DataContract")
	setText(n, "id", c.ID)
	setText(n, "name", c.Name)
	setText(n, "version", c.Version)
	setText(n, "status", c.Status)
	setText(n, "domain", string(c.Domain))
	if about := member(n, "description"); about != nil {
		setText(about, "purpose", c.Description)
	} else if c.Description != "" {
		about = mapping()
		setText(about, "purpose", c.Description)
		set(n, "description", about)
	}
	e.servers(n, c.Servers)
	quiet := &contractParser{tax: e.tax}
	around := Governance{Owners: quiet.team(n)}
	if member(n, "team") == nil && len(c.Governance.Owners) > 0 && customValue(n, ownersProperty) == nil {
		members := sequence()
		for _, name := range c.Governance.Owners {
			m := mapping()
			setText(m, "username", name)
			setText(m, "role", "owner")
			members.Content = append(members.Content, m)
		}
		team := mapping()
		set(team, "members", members)
		set(n, "team", team)
		around.Owners = c.Governance.Owners
	}
	e.datasets(n, c)
	governance(n, c.Governance, around)
	others(n, e.old.Custom, c.Custom)
}

func (e *exporter) servers(n *yaml.Node, all []Server) {
	if reflect.DeepEqual(all, e.old.Servers) {
		return
	}
	old := member(n, "servers")
	list := sequence()
	for _, s := range all {
		m := mapping()
		if i := slices.IndexFunc(e.old.Servers, func(o Server) bool { return o.Name == s.Name }); i >= 0 {
			m = old.Content[i]
		}
		port := ""
		if s.Port > 0 {
			port = strconv.Itoa(s.Port)
		}
		for _, kv := range [...][2]string{
			{"server", s.Name}, {"type", s.Type}, {"description", s.Description}, {"environment", s.Environment},
			{"location", s.Location}, {"host", s.Host}, {"database", s.Database}, {"schema", s.Schema}, {"path", s.Path}, {"format", s.Format},
		} {
			setText(m, kv[0], kv[1])
		}
		setScalar(m, "port", port, "!!int")
		list.Content = append(list.Content, m)
	}
	setList(n, "servers", list)
}

func (e *exporter) datasets(n *yaml.Node, c *Contract) {
	old := member(n, "schema")
	list := sequence()
	for _, d := range c.Datasets {
		object, was := mapping(), Dataset{}
		if i := slices.IndexFunc(e.old.Datasets, func(o Dataset) bool { return o.Name == d.Name }); i >= 0 {
			object, was = old.Content[i], e.old.Datasets[i]
		}
		e.dataset(object, was, d, c.Governance)
		list.Content = append(list.Content, object)
	}
	setList(n, "schema", list)
}

func (e *exporter) dataset(n *yaml.Node, was, d Dataset, outer Governance) {
	fresh := was.Name == ""
	setText(n, "name", d.Name)
	setText(n, "physicalName", d.PhysicalName)
	if fresh || was.Kind != d.Kind {
		setText(n, "physicalType", d.Kind.String())
	}
	setText(n, "description", d.Description)
	e.fields(n, was, d)
	if was.Agent != d.Agent {
		setCustom(n, "scrim.agent", textOrNil(string(d.Agent)))
	}
	if was.Formal != d.Formal {
		setCustom(n, "scrim.formal", truthOrNil(d.Formal))
	}
	if was.Budget != d.Budget {
		setCustom(n, "scrim.budget", budgetNode(d.Budget))
	}
	if was.Contribution != d.Contribution {
		setCustom(n, "scrim.contribution", contributionNode(d.Contribution))
	}
	governance(n, d.Governance, outer)
	others(n, was.Custom, d.Custom)
}

func (e *exporter) field(n *yaml.Node, was, f Field, name, unit string, outer Governance) {
	setText(n, "name", name)
	setText(n, "physicalName", f.PhysicalName)
	retyped := was.Column != "" && was.Logical != f.Logical
	if retyped { // what else is said of a type is said of that type alone
		remove(n, "logicalTypeOptions")
		remove(n, "properties")
		remove(n, "items")
	}
	setText(n, "logicalType", f.Logical)
	setText(n, "physicalType", f.PhysicalType)
	setText(n, "description", f.Description)
	for _, t := range [...]struct {
		key      string
		was, now bool
	}{{"primaryKey", was.Key, f.Key}, {"required", was.Required, f.Required}, {"unique", was.Unique, f.Unique}} {
		if t.was != t.now {
			setNode(n, t.key, truthOrNil(t.now))
		}
	}
	if was.Column == "" || was.Label != f.Label {
		e.label(n, f.Label)
	}
	if was.IsUnit != f.IsUnit || was.Unit != unit && f.IsUnit {
		var v *yaml.Node
		switch {
		case f.IsUnit && (unit == "" || unit == f.Column):
			v = truthOrNil(true)
		case f.IsUnit:
			v = textOrNil(unit)
		}
		setCustom(n, "scrim.unit", v)
	}
	if was.Bounds != f.Bounds || retyped {
		bounds(n, f.Bounds)
	}
	if was.References != f.References {
		references(n, f.References)
	}
	governance(n, f.Governance, outer)
	others(n, was.Custom, f.Custom)
}

// label says the label anew, and no longer by tags, which could say another.
func (e *exporter) label(n *yaml.Node, label flow.Label) {
	if tags := member(n, "tags"); tags != nil && tags.Kind == yaml.SequenceNode {
		tags.Content = slices.DeleteFunc(tags.Content, func(t *yaml.Node) bool { return strings.HasPrefix(t.Value, "label:") })
		setList(n, "tags", tags)
	}
	for items := member(n, "items"); items != nil; items = member(items, "items") {
		setCustom(items, "scrim.label", nil)
	}
	if label == "" || label == flow.Unlabelled {
		setCustom(n, "scrim.label", nil)
		setText(n, "classification", flow.Restricted.String())
		return
	}
	class, _ := e.tax.Class(label)
	setText(n, "classification", class.Tier.String())
	setCustom(n, "scrim.label", textOrNil(string(label)))
}

func bounds(n *yaml.Node, b Bounds) {
	if options := member(n, "logicalTypeOptions"); options != nil {
		remove(options, "minimum")
		remove(options, "maximum")
		if len(options.Content) == 0 {
			remove(n, "logicalTypeOptions")
		}
	}
	if !b.Known {
		setCustom(n, "scrim.bounds", nil)
		return
	}
	v := sequence()
	v.Style = yaml.FlowStyle
	for _, f := range [...]float64{b.Min, b.Max} {
		v.Content = append(v.Content, oneScalar(strconv.FormatFloat(f, 'g', -1, 64), ""))
	}
	setCustom(n, "scrim.bounds", v)
}

// shorthand is how the standard writes a reference to a column, where the names allow it.
var shorthand = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)$`)

func references(n *yaml.Node, to string) {
	setCustom(n, "scrim.references", nil)
	remove(n, "relationships")
	dataset, column, _ := cutField(to)
	if short := dataset + "." + column; shorthand.MatchString(short) {
		r, list := mapping(), sequence()
		setText(r, "type", "foreignKey")
		setText(r, "to", short)
		list.Content = append(list.Content, r)
		set(n, "relationships", list)
		return
	}
	setCustom(n, "scrim.references", textOrNil(to))
}

// cutField cuts "dataset/column".
func cutField(s string) (dataset, column string, ok bool) {
	dataset, column, ok = strings.Cut(s, "/")
	return dataset, column, ok && dataset != "" && column != "" && !strings.Contains(column, "/")
}

// governance says of a place what what is around it does not.
func governance(n *yaml.Node, g, outer Governance) {
	own := g.but(outer)
	quiet := &contractParser{}
	said := quiet.governance(quiet.custom(n, "", slices.Concat(datasetProperties, fieldProperties)...), Governance{})
	purposes := make([]string, len(own.Purposes))
	for i, p := range own.Purposes {
		purposes[i] = string(p)
	}
	for _, t := range [...]struct {
		name string
		same bool
		node *yaml.Node
	}{
		{ownersProperty, slices.Equal(said.Owners, g.Owners), listOrNil(own.Owners)},
		{purposesProperty, slices.Equal(said.Purposes, g.Purposes), listOrNil(purposes)},
		{basisProperty, slices.Equal(said.LegalBasis, g.LegalBasis), listOrNil(own.LegalBasis)},
		{retentionProperty, said.Retention == g.Retention, periodOrNil(own.Retention)},
		{techniquesProperty, slices.Equal(said.Techniques, g.Techniques), listOrNil(own.Techniques)},
		{recipientsProperty, slices.Equal(said.Recipients, g.Recipients), listOrNil(own.Recipients)},
		{transfersProperty, slices.Equal(said.Transfers, g.Transfers), listOrNil(own.Transfers)},
		{reviewProperty, said.Review.Equal(g.Review), dayOrNil(own.Review)},
	} {
		if !t.same {
			setCustom(n, t.name, t.node)
		}
	}
}

func budgetNode(b Budget) *yaml.Node {
	if b == (Budget{}) {
		return nil
	}
	m := mapping()
	m.Style = yaml.FlowStyle
	setScalar(m, "epsilon", fixed(b.Total.EpsilonNano, 9), "")
	if b.Total.DeltaPico != 0 {
		setScalar(m, "delta", fixed(b.Total.DeltaPico, 12), "")
	}
	setNode(m, "per", periodOrNil(b.Per))
	return m
}

func contributionNode(c Contribution) *yaml.Node {
	if c == (Contribution{}) {
		return nil
	}
	m := mapping()
	m.Style = yaml.FlowStyle
	for _, t := range [...]struct {
		key string
		n   int64
	}{{"rows", c.Rows}, {"groups", c.Groups}} {
		if t.n != 0 {
			setScalar(m, t.key, strconv.FormatInt(t.n, 10), "!!int")
		}
	}
	return m
}

// fixed writes n · 10^-places in full.
func fixed(n int64, places int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	s := strconv.FormatInt(n, 10)
	if len(s) <= places {
		s = strings.Repeat("0", places+1-len(s)) + s
	}
	return sign + strings.TrimRight(strings.TrimRight(s[:len(s)-places]+"."+s[len(s)-places:], "0"), ".")
}

// periodText writes what [period] reads.
func periodText(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 && d/day < 1<<15 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return d.String()
}
