package budget

import (
	"context"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Scope is a node of the tree of budgets. Each member needs those before it, except that Contract needs Domain alone and stands
// beside Workflow and Agent: a charge with all of them passes five.
type Scope struct {
	Dataset  string        `json:"dataset"`
	Domain   flow.DomainID `json:"domain,omitempty"`
	Workflow string        `json:"workflow,omitempty"`
	Agent    string        `json:"agent,omitempty"`
	Contract string        `json:"contract,omitempty"`
}

// Level is how far down a scope lies.
type Level int

// The levels. Only the first carries a claim. The numbers are stored.
const (
	Global Level = iota
	Domain
	Workflow
	Agent
	Contract
)

// String returns the level's name.
func (v Level) String() string {
	names := [...]string{"global", "domain", "workflow", "agent", "contract"}
	if v < 0 || int(v) >= len(names) {
		return "unknown"
	}
	return names[v]
}

// String names the scope with its members, such as "claims/insurer.example/review/a1".
func (s Scope) String() string {
	parts := []string{s.Dataset}
	for _, p := range []string{string(s.Domain), s.Workflow, s.Agent} {
		if p == "" {
			break
		}
		parts = append(parts, p)
	}
	text := strings.Join(parts, "/")
	if s.Contract != "" {
		text += " under " + s.Contract
	}
	return text
}

// Unit is whom one budget protects, for example a patient, or what one patient does in a day.
type Unit struct {
	Name   string        `json:"name"`
	Window time.Duration `json:"window_ns,omitempty"` // of a unit that is bounded in time; 0: it is not
}

// BlockKind says how a dataset is cut into blocks, each with the whole budget for itself.
type BlockKind int

// The kinds. The numbers are stored.
const (
	NoBlocks   BlockKind = iota // one block, 0
	BlocksHash                  // Count blocks, by a hash of the unit: each unit lies in one
	BlocksTime                  // by time, each of Width, from From on; needs a unit that is bounded in time and divides Width
)

// Blocks say how a dataset is cut. A unit must lie in exactly one block.
type Blocks struct {
	Kind  BlockKind     `json:"kind"`
	Count int64         `json:"count,omitempty"` // of hash blocks; by time: how many there will ever be, 0 only with Refresh
	Width time.Duration `json:"width_ns,omitempty"`
	From  time.Time     `json:"from,omitzero"` // where block 0 begins, and a unit's windows
}

// Range names blocks From ≤ b < To. The zero value stands for all blocks, except by time, where it is refused.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Budget is what an owner declares of a dataset.
type Budget struct {
	Dataset string
	Unit    Unit
	Blocks  Blocks
	Plan    Plan
	Refresh bool // new blocks begin as time goes on, each with the plan's whole (ε, δ)
}

// Declare makes the budget of a dataset, or confirms it: the same declaration again changes nothing, and one with another plan is
// a [Ledger.Replan]. Another unit or other blocks are refused with [ErrDeclared].
//
// Time blocks and refresh need a unit that is bounded in time: [ErrUnit], [ErrRefresh].
func (l *Ledger) Declare(ctx context.Context, b Budget) error { return errUnbuilt }

// Range returns the blocks by time that hold any moment from ≤ t < to.
func (b Blocks) Range(from, to time.Time) (Range, error) { return Range{}, errUnbuilt }
