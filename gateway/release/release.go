package release

import (
	"context"
	"crypto"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/store"
)

// Protocol is the protocol of flows that are tables.
const Protocol = "scrim/table"

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the table of releases that were begun.
func Schema() store.Schema { return store.Schema{Name: "gateway/release", FS: migrations} }

// Office decides releases and puts them on record. All fields without a default named are needed. It is safe for concurrent use.
type Office struct {
	DB      store.DB
	Journal gateway.Journal
	Seal    Sealer        // of the inputs of decisions: the one of the gateway's own
	Secrets Sealer        // of what only the domain may know of its sources
	Signer  crypto.Signer // Ed25519, of manifests
	Clock   func() time.Time

	Contracts gateway.Contracts // nil: there are none
}

// Sealer encrypts and authenticates, and authenticates ad.
type Sealer interface {
	Seal(plain, ad []byte) ([]byte, error)
}

// Order is who gets a table, of what, and why.
type Order struct {
	Dataset     string // as contracts name it; "": none, and the plan's labels are all there is
	To          flow.AgentID
	Purpose     flow.Purpose
	Criticality flow.Criticality
	Consent     bool // verified consent of the subjects
	Approved    bool // a person approved this release

	bound func(*flow.Flow) gateway.Agreed // the contracts in force for a flow; nil: none
}

// Role is what a column is to the privacy models.
type Role uint8

// The roles. A column of no model is decided by itself.
const (
	Plain     Role = iota // of no model
	Quasi                 // a quasi-identifier, generalised until the models hold
	Sensitive             // a value that a model keeps from being told: l-diversity or t-closeness
)

// String returns the role as the manifest writes it.
func (r Role) String() string { return [...]string{"", "quasi", "sensitive"}[min(r, Sensitive)] }

// Column is a column of the table, and what the plan does to it.
type Column struct {
	Name  string     // as contracts, plan and table name it
	Label flow.Label // the plan's; it can only raise that of the catalog
	Found flow.Label // what detection says of the source's column; "": nothing
	Role  Role
	Least int             // of a quasi-identifier: the least level of its hierarchy that the plan allows; 0: the value itself
	Says  deidentify.Says // of the technique; of a quasi-identifier not looked at
}

// Outcome is what came of a table: counts, digests and what was measured. It holds no value.
type Outcome struct {
	Plan        string // hash of what was carried out
	Fingerprint string // of the source; it goes nowhere but sealed
	Digest      string // of what will be published
	In          int64  // rows
	Out         int64
	Suppressed  int64
	Model       policy.Model   // measured
	Broken      bool           // of a stream: it ended by an error, behind what is counted here
	Levels      map[string]int // by quasi-identifier: the level of its hierarchy, where all rows have the same
}

// Job is a table to be written.
type Job struct {
	Plan    string // hash of the plan and of all files that it refers to
	Columns []Column
	Model   policy.Model // what the plan promises
	Source  string       // the source's name, without a password
	Target  string       // what the table will be called, whole, so that two destinations have two names
	Resume  bool
	// Run writes the table. When it stands complete under its passing name, Run calls before, and only if that returns nil
	// does the table get its final name. Run returns [table.ErrExists] where something has the final name already.
	Run func(ctx context.Context, before func(Outcome) error) error
	// Stream says that rows leave one by one while Run runs. Then Run calls before in any case, when the last has left.
	Stream bool
	// Beside keeps a file beside the table, durable when it returns; suffix is such as ".release.json". A stream may do without: nil.
	Beside func(suffix string, content []byte) error
	// Mint writes what the table's stand-ins need to be opened, in the transaction that closes the release; nil: nothing.
	Mint func(store.Tx) error
}

// Errors that callers act on.
var (
	ErrRefused  = errors.New("the release is refused")
	ErrAgent    = errors.New("no such agent in the configuration")
	ErrDataset  = errors.New("no contract describes the dataset")
	ErrWeaker   = errors.New("the table guarantees less than its plan promised")
	ErrContract = errors.New("a contract with the recipient's domain began or ended while the table was written")
	ErrPlan     = errors.New("the plan that was carried out is not the one that was decided")
)

// Excess is a column of which a plan reveals more than the terms allow.
type Excess struct {
	Column string
	Label  flow.Label
	Plan   string          // what the plan amounts to
	Terms  flow.LeafTerms  // what may show
	Hint   string          // what would do
	Ids    []flow.PolicyID // that determined the terms
}

// Refused is a refusal by policy. Its error is [ErrRefused].
type Refused struct {
	Flow    flow.ID // of the row in the journal; "": it was only asked
	Reason  string  // why no rows may leave; "": columns reveal too much
	Columns []Excess
}

// Error says why, one column a line.
func (r *Refused) Error() string {
	var b strings.Builder
	b.WriteString(ErrRefused.Error())
	if r.Reason != "" {
		b.WriteString(": " + r.Reason)
	}
	for _, x := range r.Columns {
		fmt.Fprintf(&b, "\n  column %s (%s): the plan reveals %s, the terms allow %s: %s", x.Column, x.Label, x.Plan, x.Terms.Treatment, x.Terms.Reason)
		if x.Hint != "" {
			b.WriteString("; " + x.Hint)
		}
	}
	if r.Flow != "" {
		fmt.Fprintf(&b, "\n  on record as %s", r.Flow)
	}
	return b.String()
}

// Unwrap returns [ErrRefused].
func (r *Refused) Unwrap() error { return ErrRefused }
