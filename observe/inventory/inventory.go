// Package inventory finds out what data there is: it lists the tables of databases, files, the tools of MCP servers and the skills
// of A2A agents, looks at a sample of each, proposes labels for their columns, and writes that down as a data contract for review.
//
// A sample lives in memory for as long as its table is looked at. What comes out holds names that the source declares, types,
// counts, labels and confidences, never a value; where names themselves can be values, such as the members of an object that is
// used as a map, they are not repeated either. Errors name places.
package inventory

import (
	"context"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// Kind is what an asset is.
type Kind string

// The kinds of asset.
const (
	Table    Kind = "table"
	View     Kind = "view"
	File     Kind = "file"
	Tool     Kind = "tool"
	Skill    Kind = "skill"
	Resource Kind = "resource"
)

// Inventory is what one source holds.
type Inventory struct {
	Source string         `json:"source"` // for people, never with a secret: "PostgreSQL database clinic"
	Server catalog.Server `json:"-"`      // where it is, as contracts say it
	Assets []Asset        `json:"assets"`
}

// Asset is a table, file, tool or skill.
type Asset struct {
	Name    string       `json:"name"` // as the source spells it: "clinic.patients", "visits.csv"
	Kind    Kind         `json:"kind"`
	Agent   flow.AgentID `json:"agent,omitempty"`   // whose tool or skill it is
	Rows    int64        `json:"rows"`              // 0 with Exact false: nobody counted
	Exact   bool         `json:"exact,omitempty"`   // the rows were counted, not estimated
	Sampled int          `json:"sampled,omitempty"` // rows that were looked at
	Columns []Column     `json:"columns"`
	Why     string       `json:"why,omitempty"` // why its values could not be looked at, or not in full; "" if they were
	Failed  bool         `json:"failed,omitempty"`
}

// Column is a column, or a member of a message, with what it may hold.
type Column struct {
	Name       string         `json:"name"`              // nested ones "document.address.city"
	Type       string         `json:"type,omitempty"`    // as the source declares it
	Logical    string         `json:"logical,omitempty"` // the contract standard's word for it, "" if unknown
	Required   bool           `json:"required,omitempty"`
	Key        bool           `json:"key,omitempty"`
	Unique     bool           `json:"unique,omitempty"`
	References string         `json:"references,omitempty"` // "table.column", of a foreign key
	Looked     int            `json:"looked,omitempty"`     // values that were looked at
	Nulls      int64          `json:"nulls,omitempty"`      // among the rows of the sample
	Guesses    []column.Guess `json:"guesses,omitempty"`    // best first; none: nothing was found, so it stays unlabelled
	Why        string         `json:"why,omitempty"`        // why its values were not looked at

	refers reference // what References says, taken apart
}

// reference is a column that another refers to.
type reference struct {
	asset  string
	column string
}

func (c *Column) refer(asset, column string) {
	c.refers, c.References = reference{asset, column}, asset+"."+column
}

// Classifier says what columns hold, by their names and samples: [column.Classifier] is one.
type Classifier interface {
	Table(ctx context.Context, cols []column.Column) [][]column.Guess
}

// Options say how a source is looked at. The zero value is a good choice.
type Options struct {
	Sample int           // rows of each table that are looked at; 0: 2000, at most 10,000
	Seed   uint64        // another one picks other rows; the same one picks the same rows of the same data
	Each   time.Duration // longest time for one asset; 0: 5 minutes
	Views  bool          // look at rows of views and foreign tables too, which runs what their owners wrote
	Call   bool          // call MCP tools that say they only read and need no arguments

	names func() *judge // of an asset's names
}

const (
	defaultSample = 2000
	maxSample     = 10_000
	defaultEach   = 5 * time.Minute
	maxAssets     = 20_000
)

func (o Options) settled() Options {
	if o.Sample <= 0 {
		o.Sample = defaultSample
	}
	o.Sample = min(o.Sample, maxSample)
	if o.Each <= 0 {
		o.Each = defaultEach
	}
	return o
}

// Source is something that holds assets: [Files], [Postgres], [SQLite], [MCP] or [A2A].
type Source interface {
	// Name says what it is, as errors name it.
	Name() string
	// server says where it is, once survey has returned.
	server() catalog.Server
	// survey gives each asset with its sample, which is not used after give returns. An asset that cannot be read is given with the
	// reason; the error is for a source that cannot be read at all.
	survey(ctx context.Context, o Options, give func(*draft) error) error
}

// draft is an asset with the sample of its values, before it was classified.
type draft struct {
	Asset
	values   [][]string // by column, without nulls
	distinct []int64    // by column, of the whole table, estimated; nil: from the sample
	lines    bool       // its columns are the members of objects, whose names nobody may have declared
	at       []int      // where a column's cells lie in rows of the sample, -1: they were not read; nil: in order
	name     string     // of the table for the classifier; "": the asset's
	judge    *judge     // of names that nobody may have declared
}

// Scan lists what the source holds and classifies it. With an error the inventory is nil; assets that could not be read are in it,
// and say why.
func Scan(ctx context.Context, src Source, c Classifier, o Options) (*Inventory, error) {
	o = o.settled()
	o.names = func() *judge { return &judge{ctx: ctx, c: c, left: maxJudged} }
	inv := &Inventory{Source: src.Name(), Assets: []Asset{}}
	err := src.survey(ctx, o, func(d *draft) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(inv.Assets) == maxAssets {
			return fmt.Errorf("%s: has more than %d assets", src.Name(), maxAssets)
		}
		inv.Assets = append(inv.Assets, d.classified(ctx, c))
		return nil
	})
	if err != nil {
		return nil, err
	}
	inv.agree()
	inv.Source, inv.Server = src.Name(), src.server() // a database says its own once it is open
	return inv, nil
}

// classified is the asset with its guesses; its sample is let go.
func (d *draft) classified(ctx context.Context, c Classifier) Asset {
	cols := make([]column.Column, len(d.Columns))
	for i := range d.Columns {
		f := &d.Columns[i]
		cols[i] = column.Column{
			Table: d.name, Name: f.Name, Type: f.Type, Nulls: f.Nulls, Rows: d.Rows,
			Key: f.Key, Unique: f.Unique, References: f.References,
		}
		if cols[i].Table == "" {
			cols[i].Table = d.Asset.Name
		}
		if d.values != nil {
			cols[i].Values, f.Looked = d.values[i], len(d.values[i])
		}
		if d.distinct != nil && d.distinct[i] > 0 {
			cols[i].Distinct = d.distinct[i]
		} else {
			cols[i].Distinct = distinct(cols[i].Values, d.Rows-f.Nulls)
		}
	}
	for i, guesses := range c.Table(ctx, cols) {
		d.Columns[i].Guesses = guesses
	}
	d.values = nil
	return d.Asset
}

// logical is the contract standard's word for a type.
func logical(t table.Type) string {
	switch t {
	case table.String, table.Bytes:
		return "string"
	case table.Integer:
		return "integer"
	case table.Decimal, table.Float:
		return "number"
	case table.Truth:
		return "boolean"
	case table.Date:
		return "date"
	case table.Timestamp:
		return "timestamp"
	}
	return ""
}
