package release

import (
	"context"
	"crypto"
	"errors"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// Protocol is the protocol of flows that are tables.
const Protocol = "scrim/table"

// Office decides releases and puts them on record. It is safe for concurrent use.
type Office struct {
	DB       store.DB
	Journal  *audit.Log
	Seal     Sealer        // of the inputs of decisions
	Signer   crypto.Signer // Ed25519, of manifests
	Origin   string        // names the domain's key in signatures
	Snapshot func() *gateway.Snapshot
	Clock    func() time.Time // nil: time.Now
}

// Sealer seals the inputs of a decision under the flow's id.
type Sealer interface {
	Seal(plain, ad []byte) ([]byte, error)
}

// Order is who gets a table, of what, and why.
type Order struct {
	Dataset     string // as contracts name it; "": none, and the plan's labels are all there is
	To          flow.AgentID
	Purpose     flow.Purpose
	Criticality flow.Criticality
	Consent     bool
	Approved    bool
}

// Role is what a column is to the privacy models.
type Role uint8

// The roles. A column of no model is decided by itself.
const (
	Plain     Role = iota // of no model
	Quasi                 // a quasi-identifier, generalised until the models hold
	Sensitive             // a value that a model keeps from being told: l-diversity or t-closeness
)

// Column is a column of the table, and what the plan does to it.
type Column struct {
	Name      string
	From      string         // the source's column, where it has another name
	Label     flow.Label     // the plan's; it can only raise that of the catalog
	Found     flow.Label     // what detection says of the source's column; "": nothing
	Role      Role           // to the models
	Technique string         // by name, for the manifest
	Amounts   flow.Treatment // what at most shows: for a quasi-identifier, at the least level that the plan allows
	Joinable  bool           // equal values have equal stand-ins
	Levels    string         // of the hierarchy, as they came out; for the manifest
}

// Outcome is what came of a table: counts, digests and what was measured. It holds no value.
type Outcome struct {
	Source     string // its name
	SourceHash string // its fingerprint
	Digest     string // of what will be published
	RowsIn     int64
	RowsOut    int64
	Suppressed int64
	Model      policy.Model // measured
	Columns    []Column     // as they came out
}

// Job is a table to be written. Run must call Opened before it writes anything and Before when the table is complete under
// its passing name; an error of either ends it, and only after Before may the table have its final name.
type Job struct {
	Plan    string // its hash
	Columns []Column
	Model   policy.Model // what the plan promises
	Run     func(ctx context.Context, h Hooks) error
}

// Hooks are what a job calls.
type Hooks struct {
	Opened func() error
	Before func(Outcome) error
}

// ErrRefused is what every refusal by policy is.
var ErrRefused = errors.New("the release is refused")
