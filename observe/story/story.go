// Package story tells what became of one flow, step by step: who asked and by what right, what was found, on which terms and by which policies, what
// the recipient may see, what it cost, where it is on record, where the data came from and where the flow went on.
//
// It is made of the journal, of what was sealed with the decision, of the log and of the policies of the time. A reference that a refusal gave
// resolves to the story of that refusal, for those who may see the journal: the operator and those who may look at the console. There
// are labels, counts and names in a story, and no value.
package story

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/policy"
)

// ErrUnknown is the error of a reference that resolves to nothing.
var ErrUnknown = errors.New("no flow has this reference; refusals that are not on record one by one are known for a while, by the running gateway alone")

// Source is where stories come from. Entries is needed; without the others a story leaves out what they tell.
type Source struct {
	Domain   flow.DomainID // whose gateway it is
	Entries  func(context.Context, audit.Query) iter.Seq2[audit.Entry, error]
	Receipts func(context.Context, flow.ID) (proofs.Answer, error)       // promises and proofs of a flow's entries
	Open     func(audit.Entry) ([]flow.Leaf, []flow.LeafTerms, error)    // what was sealed with a decision
	Policies func(ctx context.Context, hash string) (*policy.Set, error) // by which was decided; nil set: they are not kept
	Recent   func(flow.ID) []flow.Event                                  // refusals that are not on record one by one
	Cosigned func() (have, want int)                                     // witnesses of the log's newest checkpoint
}

// Story is what became of a flow.
type Story struct {
	Reference flow.ID      `json:"reference"`
	Recorded  bool         `json:"recorded"` // false: of too many refusals at a time this one has no row of its own
	Began     time.Time    `json:"began"`
	Ended     time.Time    `json:"ended"`
	Outcome   flow.Outcome `json:"outcome"`
	Rule      string       `json:"rule,omitempty"`  // by which it was refused
	Place     string       `json:"place,omitempty"` // where in the message
	Refused   bool         `json:"refused"`
	Highest   string       `json:"highest,omitempty"` // level at which something was shown
	Flow      flow.Flow    `json:"flow"`
	Steps     []Step       `json:"steps"`
	Cut       bool         `json:"cut,omitempty"` // there are more entries than are told
}

// Kind is what a step tells.
type Kind string

// The kinds, in the order of a story.
const (
	Asked    Kind = "asked"    // who, and by what right
	Found    Kind = "found"    // in the message
	Decided  Kind = "decided"  // the terms and what determined them
	Refused  Kind = "refused"  // why
	Shown    Kind = "shown"    // what the recipient may see
	Cost     Kind = "cost"     // of privacy, and of time
	Recorded Kind = "recorded" // where the evidence is
	Came     Kind = "came"     // where the data came from
	Went     Kind = "went"     // flows before and after
)

// Step is one step. Besides its words, which are whole sentences, at most a few of the other fields are filled.
type Step struct {
	Kind  Kind     `json:"kind"`
	Title string   `json:"title"`
	Words []string `json:"words,omitempty"`
	Bad   bool     `json:"bad,omitempty"`

	Who     []Fact    `json:"who,omitempty"`
	Labels  []Label   `json:"labels,omitempty"`
	Terms   []Term    `json:"terms,omitempty"`
	Rules   []Rule    `json:"policies,omitempty"`
	Entries []Entry   `json:"entries,omitempty"`
	Sources []Dataset `json:"sources,omitempty"`
	Flows   []Related `json:"flows,omitempty"`
}

// Fact is a name and what it is.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Href  string `json:"-"` // in the console
}

// Label is what was found of a label.
type Label struct {
	Label  flow.Label `json:"label"`
	Origin string     `json:"origin,omitempty"` // catalogued, detected or supplied; "": not kept any more
	Count  int        `json:"count"`
}

// Term is what was decided of a label.
type Term struct {
	Label    flow.Label      `json:"label"`
	Level    flow.Level      `json:"level"`
	Param    flow.Param      `json:"param,omitempty"`
	By       flow.Limit      `json:"by"`
	Because  string          `json:"because"` // what By means
	Reason   string          `json:"reason,omitempty"`
	Policies []flow.PolicyID `json:"policies,omitempty"`
	Handle   bool            `json:"handle,omitempty"` // it went by reference
	Count    int             `json:"count"`
}

// Rule is a policy that determined something.
type Rule struct {
	ID     flow.PolicyID `json:"id"`
	Reason string        `json:"reason,omitempty"` // its own words
	Basis  []string      `json:"basis,omitempty"`  // legal bases
	Retain string        `json:"retain,omitempty"`
	Notify []string      `json:"notify,omitempty"`
	Gone   bool          `json:"gone,omitempty"` // the policies of the time are not kept
}

// Entry is a row of the journal.
type Entry struct {
	Seq     int64        `json:"seq"`
	Time    time.Time    `json:"time"`
	Outcome flow.Outcome `json:"outcome"`
	Segment int          `json:"segment,omitempty"`
	Hash    string       `json:"hash"` // of its leaf in the log
	InTree  bool         `json:"in_tree"`
	Promise bool         `json:"promised"` // the log promised that it will be
}

// Dataset is one that values came from.
type Dataset struct {
	Name    string   `json:"dataset"`
	Columns []string `json:"columns,omitempty"`
	Count   int      `json:"count"`
}

// Related is a flow before or after this one.
type Related struct {
	ID      flow.ID      `json:"id"`
	How     string       `json:"how"`
	Outcome flow.Outcome `json:"outcome,omitempty"`
	From    string       `json:"from,omitempty"`
	To      string       `json:"to,omitempty"`
	Here    bool         `json:"here"` // this gateway has its story
}

const (
	mostEntries = 500 // of one flow that are told
	mostRelated = 64
)

// Of tells the story of a flow. The error is [ErrUnknown] if there is none of this reference.
func Of(ctx context.Context, src Source, ref flow.ID) (Story, error) {
	t := &teller{ctx: ctx, src: src, s: Story{Reference: ref, Recorded: true}}
	if ref == "" || len(ref) > 128 {
		return Story{}, ErrUnknown
	}
	if err := t.read(ref); err != nil {
		return Story{}, err
	}
	if len(t.entries) == 0 {
		if src.Recent != nil {
			for _, ev := range src.Recent(ref) {
				t.entries = append(t.entries, audit.Entry{Event: ev})
			}
		}
		if t.s.Recorded = false; len(t.entries) == 0 {
			return Story{}, ErrUnknown
		}
	}
	t.facts()
	for _, step := range []func() error{t.asked, t.found, t.refused, t.decided, t.shown, t.cost, t.recorded, t.came, t.went} {
		if err := step(); err != nil {
			return Story{}, err
		}
	}
	return t.s, nil
}

// teller gathers one story.
type teller struct {
	ctx     context.Context
	src     Source
	s       Story
	entries []audit.Entry
	leaves  []flow.Leaf
	terms   []flow.LeafTerms
	opened  bool // the sealed inputs were there
}

func (t *teller) read(ref flow.ID) error {
	for e, err := range t.src.Entries(t.ctx, audit.Query{Flow: ref, Limit: mostEntries + 1}) {
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		if len(t.entries) == mostEntries {
			t.s.Cut = true
			break
		}
		t.entries = append(t.entries, e)
		if e.Sealed == nil || t.src.Open == nil {
			continue
		}
		leaves, terms, err := t.src.Open(e)
		if err != nil || len(leaves) != len(terms) {
			continue // what was sealed is gone with its key; the event tells the counts
		}
		t.opened = true
		t.leaves, t.terms = append(t.leaves, leaves...), append(t.terms, terms...)
	}
	return nil
}

func (t *teller) add(s Step) { t.s.Steps = append(t.s.Steps, s) }

// last is the event that says how the flow ended: of a stream the last, of a refusal that itself.
func (t *teller) last() *flow.Event { return &t.entries[len(t.entries)-1].Event }

func (t *teller) first() *flow.Event { return &t.entries[0].Event }
