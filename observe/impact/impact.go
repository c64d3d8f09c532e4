// Package impact tells what a change of the rules does before it is made.
//
// [Compare] decides recorded decisions again under two sides and counts which flows and values open, close or change level, for whom, and
// what cannot be decided again, by reason. [Differences] compares two sides without a journal, over a grid of parties, purposes and labels. [Reveals]
// says whether a change can reveal more: it can unless it is known that it cannot.
//
// Nothing here holds a value: sealed inputs have places, labels and references to subjects, and what is told of them are counts.
package impact

import (
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Impact is what becomes of recorded decisions under other rules.
type Impact struct {
	Old   string    `json:"old"` // hashes of policies and what they name
	New   string    `json:"new"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`

	Entries   int64 `json:"entries"`   // of the journal that were read
	Decisions int64 `json:"decisions"` // among them: messages, events of streams, tables, answers given again, what was refused
	Decided   int64 `json:"decided"`   // again, under both sides
	Checked   int64 `json:"checked"`   // of these: also under the rules of their time, which said what was recorded
	Limited   int64 `json:"limited"`   // of these: what shows was limited by more than policy, so that what opens is at most what is told

	Not map[Reason]int64 `json:"not_decided,omitempty"` // decisions that could not be decided again
	Of  map[Reason]int64 `json:"values_not_decided,omitempty"`

	Flows  Change `json:"flows"`
	Values Change `json:"values"`

	Recipients []Recipient  `json:"recipients,omitempty"`
	Labels     []Named      `json:"labels,omitempty"`
	Purposes   []Named      `json:"purposes,omitempty"`
	Policies   []Named      `json:"policies,omitempty"` // that determine values which change: of the new side where they open, of the old one where they close
	Moves      []Move       `json:"moves,omitempty"`    // values by what they showed and would show, most first
	Examples   []Example    `json:"examples,omitempty"` // some flows that change
	Beside     []Difference `json:"beside,omitempty"`   // what else differs between the sides and is not decided again
	Cut        bool         `json:"cut,omitempty"`      // there was more to tell apart than is kept
}

// Change counts flows or values. A flow opens if any of its values shows more, and closes if any shows less; it may do both, and counts then in Mixed alone.
type Change struct {
	Same   int64 `json:"same"`
	Open   int64 `json:"open"`
	Close  int64 `json:"close"`
	Mixed  int64 `json:"mixed,omitempty"`
	Duties int64 `json:"duties,omitempty"` // flows alone: what shows is the same, and recipients may keep it longer, or need to tell fewer
}

// Recipient is what a change does for one agent.
type Recipient struct {
	Domain flow.DomainID `json:"domain"`
	Agent  flow.AgentID  `json:"agent"`
	Flows  Change        `json:"flows"`
	Values Change        `json:"values"`
}

// Named is what a change does to values of a label, purpose or policy.
type Named struct {
	Name   string `json:"name"`
	Values Change `json:"values"`
}

// Move is a number of values of a label that go from one treatment to another for the agents of a domain.
type Move struct {
	Domain flow.DomainID `json:"domain"`
	Label  flow.Label    `json:"label"` // under the new side
	From   string        `json:"from"`
	To     string        `json:"to"`
	Opens  bool          `json:"opens"`
	Values int64         `json:"values"`
}

// Example is a flow that changes, by which the operator finds its story.
type Example struct {
	Flow  flow.ID   `json:"flow"`
	Seq   int64     `json:"seq"`
	Time  time.Time `json:"time"`
	Opens bool      `json:"opens"`
}

// Reason is why a decision, or one of its values, could not be decided again.
type Reason string

// The reasons.
const (
	Pruned      Reason = "pruned"           // the sealed inputs are no longer kept
	Unreadable  Reason = "unreadable"       // they cannot be opened with the keys at hand, or are damaged
	Unknown     Reason = "rules unknown"    // the rules of its time are not kept, so that it cannot be checked what they said
	Otherwise   Reason = "decided unlike"   // the rules of its time, asked again, do not say what was recorded
	Watching    Reason = "learn mode"       // nothing was enforced
	Again       Reason = "answered again"   // the stored answer to an earlier request, which counts there
	Turned      Reason = "refused"          // a refusal keeps nothing of what it was about
	Tables      Reason = "table"            // the guarantee of a table is not kept with its inputs
	Questions   Reason = "question"         // a question about a dataset: its answer depends on the ledger
	OtherSchema Reason = "schema changed"   // of values: the schema that labelled the place is another one now
	Gone        Reason = "field gone"       // of values: the catalog no longer has the field
	StandIn     Reason = "token"            // of values: a token passed or was opened, which is no decision on a level
	Transparent Reason = "declared changed" // of values: what was declared to be public is declared otherwise now
)
