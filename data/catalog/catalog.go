package catalog

import (
	"cmp"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Kind says what a schema describes.
type Kind uint8

// The kinds of thing that have schemas.
const (
	Tool     Kind = iota // an MCP tool: arguments or structured content
	Skill                // an A2A skill: data parts of its messages
	Data                 // any A2A data part or metadata of the agent
	Resource             // an MCP resource with JSON content
	Prompt               // an MCP prompt: its arguments
)

var kindNames = [...]string{"tool", "skill", "data", "resource", "prompt"}

// String returns the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Binding says whose data a schema describes.
type Binding struct {
	Schema    *Schema
	Kind      Kind
	Owner     flow.AgentID // the agent or server that takes or gives the data; "*": any
	Name      string       // of the tool, skill, part or resource; "" or "*": any
	Direction flow.Direction
}

// Catalog finds schemas and fields. It is immutable and safe for concurrent use.
type Catalog struct {
	bindings  map[bindingKey][]*Schema
	contracts []*Contract
	governed  map[string]*Governance // by "dataset/column" and by dataset, where anything is said that bounds use
}

type bindingKey struct {
	kind  Kind
	owner flow.AgentID
	name  string
	dir   flow.Direction
}

// New returns a catalog of the bindings and contracts. It copies what it is given.
func New(bindings []Binding, contracts []*Contract) *Catalog {
	c := &Catalog{bindings: make(map[bindingKey][]*Schema, len(bindings)), contracts: slices.Clone(contracts)}
	for _, b := range bindings {
		key := bindingKey{b.Kind, cmp.Or(b.Owner, "*"), cmp.Or(b.Name, "*"), b.Direction}
		c.bindings[key] = append(c.bindings[key], b.Schema)
	}
	for _, k := range contracts {
		for i := range k.Datasets {
			d := &k.Datasets[i]
			c.governs(d.Name, &d.Governance)
			for j := range d.Fields {
				c.governs(d.Fields[j].Name, &d.Fields[j].Governance)
			}
		}
	}
	return c
}

func (c *Catalog) governs(name string, g *Governance) {
	if len(g.Purposes) == 0 && len(g.Techniques) == 0 && g.Retention == 0 {
		return
	}
	if c.governed == nil {
		c.governed = map[string]*Governance{}
	}
	c.governed[name] = g
}

// Governs reports whether any contract bounds what data may be used for, in which ways or for how long.
func (c *Catalog) Governs() bool { return c != nil && len(c.governed) > 0 }

// Governance returns what bounds the use of "dataset/column", or of a dataset; nil if nothing does. A column that the
// dataset's contract does not know is under what is said of the dataset.
func (c *Catalog) Governance(name string) *Governance {
	if c == nil {
		return nil
	}
	if g := c.governed[name]; g != nil {
		return g
	}
	dataset, _, _ := strings.Cut(name, "/")
	return c.governed[dataset]
}

// Schemas returns the schemas bound to the owner's data, most specific binding first: by owner and name, by owner,
// by name, any. Among several, [Select] finds the one that fits a document.
func (c *Catalog) Schemas(kind Kind, owner flow.AgentID, name string, dir flow.Direction) []*Schema {
	var all []*Schema
	for _, key := range [...]bindingKey{{kind, owner, name, dir}, {kind, owner, "*", dir}, {kind, "*", name, dir}, {kind, "*", "*", dir}} {
		for _, s := range c.bindings[key] {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// Names reports whether a schema is bound to the name itself, of the owner or of any.
func (c *Catalog) Names(kind Kind, owner flow.AgentID, name string) bool {
	for _, dir := range []flow.Direction{flow.Request, flow.Response} {
		if c.bindings[bindingKey{kind, owner, name, dir}] != nil || c.bindings[bindingKey{kind, "*", name, dir}] != nil {
			return true
		}
	}
	return false
}

// Fields returns the fields of every contract, in the order of the contracts.
func (c *Catalog) Fields() []Field {
	var all []Field
	for _, k := range c.contracts {
		all = append(all, k.Fields()...)
	}
	return all
}

// Contracts returns the contracts.
func (c *Catalog) Contracts() []*Contract { return slices.Clone(c.contracts) }

// Bindings returns the schemas with what they are bound to, ordered by owner, kind, name and direction.
func (c *Catalog) Bindings() (all []Binding) {
	for key, schemas := range c.bindings {
		for _, s := range schemas {
			all = append(all, Binding{Schema: s, Kind: key.kind, Owner: key.owner, Name: key.name, Direction: key.dir})
		}
	}
	slices.SortStableFunc(all, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Schema.Name(), b.Schema.Name()))
	})
	return all
}

// Kinds returns every kind.
func Kinds() []Kind { return []Kind{Tool, Skill, Data, Resource, Prompt} }
