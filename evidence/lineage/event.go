package lineage

import (
	"encoding/json"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Name names a dataset or a job: a name within a namespace.
type Name struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Column is a column of a dataset. Without a field it is the dataset as a whole.
type Column struct {
	Dataset Name   `json:"dataset"`
	Field   string `json:"field,omitempty"`
}

// Type is a transition of a run. Events about jobs and datasets have none.
type Type string

// The transitions. The last three but one end a run.
const (
	Start    Type = "START"
	Running  Type = "RUNNING"
	Complete Type = "COMPLETE"
	Abort    Type = "ABORT"
	Fail     Type = "FAIL"
	Other    Type = "OTHER"
)

// Facets are members of a facets object that this package does not know, by name. Each is a JSON object with _producer and
// _schemaURL. [Decode] leaves them out.
type Facets map[string]json.RawMessage

// Event is one event of OpenLineage: about a run (Run and Job), a job (Job alone) or a dataset (Dataset alone).
type Event struct {
	Type     Type // of a run
	Time     time.Time
	Producer string // a URI; also of every facet that is encoded
	Run      *Run
	Job      *Job
	Inputs   []Dataset
	Outputs  []Dataset
	Dataset  *Dataset
}

// Run is one run of a job.
type Run struct {
	ID     string  // a UUID
	Parent *Parent // facet parent
	Facets Facets
}

// Parent is the run that started another one: the previous hop.
type Parent struct {
	Run string
	Job Name
}

// Job is what runs.
type Job struct {
	Name
	Facets Facets
}

// Dataset is a dataset as an event tells of it.
type Dataset struct {
	Name
	Version  string         // facet version
	Symlinks []Name         // facet symlinks: other names of the same data
	Previous *Name          // facet lifecycleStateChange, RENAME: the name it had before
	Schema   []Field        // facet schema
	Columns  *ColumnLineage // facet columnLineage, or lineage of a dataset
	Rows     *int64         // output facet outputStatistics
	Facets   Facets
	IO       Facets // inputFacets or outputFacets
}

// Field is a column that a schema facet lists. Members of structures are fields with their path, "address.city".
type Field struct {
	Name string
	Type string
}

// ColumnLineage says which columns a dataset's columns were made of.
type ColumnLineage struct {
	Fields  []FieldLineage
	Dataset []Input // what all columns depend on: filters, joins, groups
}

// FieldLineage is what one column was made of.
type FieldLineage struct {
	Field  string
	Inputs []Input
}

// Input is a column that others were made of; without a field, a dataset as a whole.
type Input struct {
	Column
	How []Transformation
}

// Transformation is how. A masking one leaves nothing of the value, its producer says.
type Transformation struct {
	Type        string // DIRECT or INDIRECT
	Subtype     string
	Description string // encoded, never decoded: it may hold values
	Masking     bool
}

// Delivery is that somebody received a dataset, or what was asked about it. Deliveries that differ in Flow and At alone are one, with the newest of both.
type Delivery struct {
	Dataset Name          `json:"dataset"`
	Agent   flow.AgentID  `json:"agent"`
	Domain  flow.DomainID `json:"domain"`
	Purpose flow.Purpose  `json:"purpose,omitempty"`
	Policy  string        `json:"policy,omitempty"` // hash of the policies that decided
	Level   string        `json:"level,omitempty"`  // the most revealing level or the technique
	Flow    flow.ID       `json:"flow,omitempty"`   // the newest
	Count   int64         `json:"count"`
	First   time.Time     `json:"first"`
	Last    time.Time     `json:"last"`
}
