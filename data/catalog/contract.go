package catalog

import (
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"go.yaml.in/yaml/v3"
)

// Contract is a data contract: the datasets it describes, with their fields. It is immutable.
type Contract struct {
	ID          string
	Version     string
	Name        string
	Status      string // draft, active, deprecated, retired or a word of one's own
	Description string // what the data are for
	Domain      flow.DomainID
	Governance  Governance
	Servers     []Server
	Custom      []Property
	Datasets    []Dataset

	file string         // that it was read under
	raw  *yaml.Node     // the file, for writing it back; nil: the contract was not read from one
	tax  *flow.Taxonomy // nil: the default
}

// Dataset is one object of a contract's schema: a table, view, topic or file, or what a skill, tool or message holds.
type Dataset struct {
	Name         string
	Kind         Asset
	Agent        flow.AgentID // whose skill or tool it is; "" for other kinds
	Description  string
	PhysicalName string // what the source calls it; "": by its name
	Governance   Governance
	UnitColumn   string // the column that says whom a row is about; "" if none
	Unit         string // what kind of thing that is, "patient"; the unit column's name unless the contract says otherwise
	Formal       bool   // rows are only released through the ledger
	Budget       Budget
	Contribution Contribution
	Custom       []Property
	Fields       []Field
}

// Budget is how much privacy loss a dataset allows. The zero value allows none.
type Budget struct {
	Total flow.Cost
	Per   time.Duration // the period after which it is allowed again; 0: once and for all
}

// Field is a column of a dataset.
type Field struct {
	Name         string // "dataset/column"; nested properties "dataset/column.member"
	Dataset      string
	Column       string
	Description  string
	PhysicalName string // what the source calls it; "": by its name
	PhysicalType string // the source's own word for the type
	Governance   Governance
	Key          bool   // it is the primary key, or part of it
	Unique       bool   // no two rows share a value
	References   string // "dataset/column" that its values come from; "" if none
	Custom       []Property

	Label    flow.Label // [flow.Unlabelled] if the contract gives none
	Tier     flow.Tier  // by classification, else that of the label
	Types    Types
	Logical  string `json:"-"` // the standard's own word for the type, such as "date"; "" if the contract gives none
	Required bool
	IsUnit   bool // the column is the dataset's unit column
	Unit     string
	Bounds   Bounds
}

// Bounds are the least and greatest value of a numeric field, as the contract clamps them. Without Known there are none.
type Bounds struct {
	Min, Max float64
	Known    bool
}

// Fields returns every field of the contract, in its order.
func (c *Contract) Fields() []Field {
	var all []Field
	for _, d := range c.Datasets {
		all = append(all, d.Fields...)
	}
	return all
}

// Field returns the field called "dataset/column".
func (c *Contract) Field(name string) (Field, bool) {
	for _, d := range c.Datasets {
		if i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.Name == name }); i >= 0 {
			return d.Fields[i], true
		}
	}
	return Field{}, false
}

// Dataset returns the dataset of the name.
func (c *Contract) Dataset(name string) (Dataset, bool) {
	if i := slices.IndexFunc(c.Datasets, func(d Dataset) bool { return d.Name == name }); i >= 0 {
		return c.Datasets[i], true
	}
	return Dataset{}, false
}
