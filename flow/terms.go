package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limit says what set a leaf's level in the end.
type Limit uint8

// The limits. What is applied later names itself, so that of several the last one is told.
const (
	ByPolicy Limit = iota
	ByNeed
	ByTier
	BySchema     // the level would not fit the recipient's schema
	ByExposure   // what the recipient already holds
	ByHandle     // a reference stands in place of the part that the leaf lies in
	ByContract   // what the two domains agreed on
	ByHop        // a gateway before this one let no more through
	ByCapability // what the caller has the right to, and those before it in its chain
	ByCatalog    // a data contract does not have it used for this purpose, or in this way
)

var limitNames = []string{"policy", "need", "tier", "schema", "exposure", "handle", "contract", "hop", "capability", "catalog"}

// String returns the limit's name.
func (l Limit) String() string {
	return nameOf(limitNames, int(l))
}

// MarshalText implements [encoding.TextMarshaler].
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// LeafTerms is what may be shown of one leaf, and why.
type LeafTerms struct {
	Treatment
	By       Limit         `json:"by"`
	Policies []PolicyID    `json:"policies,omitempty"` // that determined the level
	Reason   string        `json:"reason,omitempty"`   // from @reason of the determining policy, or the rule's own words
	Handle   time.Duration `json:"handle,omitempty"`   // it goes by reference only, which lasts so long, from @handle; 0: it may go as it is
}

// Duties are what a recipient takes on with the data.
type Duties struct {
	Retain time.Duration `json:"retain,omitempty"` // how long it may be kept; 0: for the task only
	Notify []string      `json:"notify,omitempty"`
	Basis  []string      `json:"basis,omitempty"` // legal bases, from @legal_basis
}

// Terms are the conditions of one flow: for each leaf, in the order asked, how much shows. The zero value forbids everything.
type Terms struct {
	Leaves     []LeafTerms `json:"leaves,omitempty"`
	Duties     Duties      `json:"duties"`
	PolicyHash string      `json:"policy_hash"`
	Shadow     []LeafTerms `json:"shadow,omitempty"`    // what shadow policies would have said; never enforced
	Contracts  []string    `json:"contracts,omitempty"` // ids of those in force between the two domains for the flow
}

// Cost is privacy loss, in integers: no floating-point number ever stands for a budget.
type Cost struct {
	EpsilonNano int64 `json:"epsilon_nano,omitempty"` // ε · 10⁹
	DeltaPico   int64 `json:"delta_pico,omitempty"`   // δ · 10¹²
}

// Decimal writes n · 10^−places, n not negative, without rounding and without zeros at its end.
func Decimal(n int64, places int) string {
	s := fmt.Sprintf("%0*d", places+1, n)
	s = strings.TrimRight(s[:len(s)-places]+"."+s[len(s)-places:], "0")
	return strings.TrimSuffix(s, ".")
}

// Plural returns the word for n things, without the number.
func Plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Outcome is how a flow ended.
type Outcome string

// The outcomes. Opened, segment and closed belong to streams.
const (
	Released Outcome = "released"
	Refused  Outcome = "refused"
	Replayed Outcome = "replayed" // the stored answer to an earlier request was given again
	Conflict Outcome = "conflict" // an id was used again with another request
	Opened   Outcome = "opened"
	Segment  Outcome = "segment"
	Closed   Outcome = "closed"
	Watched  Outcome = "watched" // learn mode: passed without enforcement
	Fetched  Outcome = "fetched" // a file is asked for at the address that the flow's message names
	Asked    Outcome = "asked"   // terms were asked for, and nothing was sent
	Issued   Outcome = "issued"  // a capability was given to an agent
	Budgeted Outcome = "budget"  // an entry of the ledger of privacy budgets
	Erased   Outcome = "erased"  // what was kept of a subject is destroyed; the event does not say whose
	Changed  Outcome = "changed" // policy, configuration or keys of the gateway itself
)

// Event says what happened, without data. It is what the journal keeps.
type Event struct {
	Time       time.Time     `json:"time"`
	Flow       Flow          `json:"flow"`
	Outcome    Outcome       `json:"outcome"`
	Reason     string        `json:"reason,omitempty"` // rule and place, never a value
	Levels     []LevelCount  `json:"levels,omitempty"`
	Policies   []PolicyID    `json:"policies,omitempty"`
	PolicyHash string        `json:"policy_hash,omitempty"`
	ConfigHash string        `json:"config_hash,omitempty"`
	Cost       Cost          `json:"cost,omitzero"`
	Bytes      int           `json:"bytes,omitempty"`
	Segment    int           `json:"segment,omitempty"` // of a stream, from 1
	Took       time.Duration `json:"took_ns,omitempty"`
	Shadow     []LevelCount  `json:"shadow,omitempty"` // what shadow policies would have done
	Subjects   int           `json:"subjects,omitempty"`
	NoSubject  int           `json:"no_subject,omitempty"` // leaves about an unknown subject
	Table      *Table        `json:"table,omitempty"`      // of a released table
	Contracts  []string      `json:"contracts,omitempty"`  // ids of the contracts that bound the flow
	Question   *Question     `json:"question,omitempty"`   // of a flow that asks a dataset, or answers
	Rules      *Rules        `json:"rules,omitempty"`      // of a step in the change of the rules that decide
}

// Rules is what an event says of a step in the change of the rules that decide: digests and names, never the rules themselves.
type Rules struct {
	What     string `json:"what"`               // adopted, proposed, approved, rejected, withdrawn, stale, expired, failed, active, ended, reviewed
	Proposal string `json:"proposal,omitempty"` // id
	Version  int64  `json:"version,omitempty"`  // in force after the step; of a proposal to go back, the version that it goes back to
	Digest   string `json:"digest,omitempty"`   // SHA-256 of the rule set, in hexadecimal
	Base     string `json:"base,omitempty"`     // likewise of the rule set that was in force when it was proposed
	By       string `json:"by,omitempty"`       // who took the step, as configuration names them; "operator": whoever has the admin API
}

// Question is what an event says of a question to a dataset: names that configuration declares, never what was asked for.
type Question struct {
	Dataset   string   `json:"dataset"`
	Stream    string   `json:"stream,omitempty"` // what it published is read, or published now
	Technique string   `json:"technique,omitempty"`
	Columns   []string `json:"columns,omitempty"` // that are used, "table.column" where the dataset has several tables; none: not known
}

// Table is what an event says of a table that leaves the domain: hashes, counts and what it guarantees.
type Table struct {
	Plan       string `json:"plan,omitempty"`   // hash of the plan
	Source     string `json:"source,omitempty"` // commitment to the source's fingerprint
	Digest     string `json:"digest,omitempty"` // of what is published
	In         int64  `json:"in,omitempty"`     // rows
	Out        int64  `json:"out,omitempty"`
	Suppressed int64  `json:"suppressed,omitempty"`
	K          int    `json:"k,omitempty"` // promised in the opened row, measured in the closed one
	L          int    `json:"l,omitempty"`
	T          int    `json:"t,omitempty"`    // thousandths
	Risk       int    `json:"risk,omitempty"` // thousandths
}

// LevelCount is how many leaves of a label were shown at a level.
type LevelCount struct {
	Label Label `json:"label"`
	Level Level `json:"level"`
	Param Param `json:"param,omitempty"`
	By    Limit `json:"by"`
	Count int   `json:"count"`
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Limit) UnmarshalText(b []byte) error {
	i := slices.Index(limitNames, string(b))
	if i < 0 {
		return fmt.Errorf("limit is not one of %s", strings.Join(limitNames, ", "))
	}
	*l = Limit(i)
	return nil
}

// Receipt is proof that an event is on record.
type Receipt struct {
	Seq   int64    `json:"seq"`
	Hash  [32]byte `json:"-"` // of the leaf in the log
	Log   string   `json:"-"` // origin of the tree that the leaf goes into
	Index int64    `json:"-"` // of the leaf
}

// Note tells a recipient what was changed in a message, without values.
type Note struct {
	Changes    []Change  `json:"changes,omitempty"`
	Restricted int       `json:"restricted,omitempty"` // changed leaves of restricted labels: a count, never a place
	Delayed    bool      `json:"delayed,omitempty"`    // text was held back to look at it whole
	Reference  ID        `json:"reference"`            // the operator resolves it to the whole story
	Ask        string    `json:"ask,omitempty"`        // how to ask for more
	Missing    []AgentID `json:"missing,omitempty"`    // servers that gave no part of a joint answer
	Earlier    []Note    `json:"earlier,omitempty"`    // what gateways before this one said, the nearest first
	Contract   []string  `json:"contract,omitempty"`   // ids of the contracts that the message is sent under
	Retain     *int64    `json:"retain,omitempty"`     // under a contract, of domains or of data: how long it may be kept, in seconds; 0: for the task only
}

// Change is one leaf that was not passed raw.
type Change struct {
	Path   Path       `json:"path"`
	Label  Label      `json:"label"`
	Level  Level      `json:"level"`
	Param  Param      `json:"param,omitempty"`
	Policy []PolicyID `json:"policy,omitempty"`
	By     Limit      `json:"by"`
	Reason string     `json:"reason,omitempty"`
}

// Handle stands in a message for a part that is fetched on terms of its own. What it says of the part is what the recipient
// would have seen of it anyway; there is no digest, by which guesses could be confirmed.
type Handle struct {
	Ref     string    `json:"ref"`             // HandleScheme and 160 random bits
	URL     string    `json:"url,omitempty"`   // where the recipient redeems it
	Media   string    `json:"media,omitempty"` // media type of the part
	Size    string    `json:"size,omitempty"`  // class of its size, such as "64KiB": at most so much; absent if the recipient would not see all of it
	Uses    int       `json:"uses,omitempty"`  // how often it can be redeemed; 0: until it expires
	Expires time.Time `json:"expires"`
}

// HandleScheme begins the reference of every handle.
const HandleScheme = "scrim:ref:"

// CountLevels sums leaves by label, level and limit, ordered by label.
func CountLevels(leaves []Leaf, terms []LeafTerms) []LevelCount {
	var out []LevelCount
	for i, t := range terms {
		c := LevelCount{Label: leaves[i].Label, Level: t.Level, Param: t.Param, By: t.By, Count: 1}
		at, found := slices.BinarySearchFunc(out, c, LevelCount.Compare)
		if found {
			out[at].Count++
		} else {
			out = slices.Insert(out, at, c)
		}
	}
	return out
}

// Compare orders counts by label, level, parameter and limit.
func (a LevelCount) Compare(b LevelCount) int {
	return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Param, b.Param), cmp.Compare(a.By, b.By))
}
