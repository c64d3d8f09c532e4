package budget

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"

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

// longestName bounds each member of a scope, in bytes.
const longestName = 255

// Check refuses a scope that has no dataset, a member without its parents, or a name that is too long or no text, with [ErrScope].
func (s Scope) Check() error {
	for _, m := range []struct{ name, text, parent, of string }{
		{"dataset", s.Dataset, "-", ""},
		{"domain", string(s.Domain), s.Dataset, "dataset"},
		{"workflow", s.Workflow, string(s.Domain), "domain"},
		{"agent", s.Agent, s.Workflow, "workflow"},
		{"contract", s.Contract, string(s.Domain), "domain"},
	} {
		switch {
		case m.text == "" && m.name == "dataset":
			return &Error{Rule: ErrScope, What: "it names no dataset"}
		case m.text != "" && m.parent == "":
			return &Error{Rule: ErrScope, What: m.name + " without " + m.of}
		case len(m.text) > longestName || !utf8.ValidString(m.text) || strings.ContainsFunc(m.text, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return &Error{Rule: ErrScope, What: m.name + " is too long or no text"}
		}
	}
	return nil
}

// node is one scope of a path, without what lies beside or below it.
type node struct {
	Scope
	level Level
	key   scopeKey
}

type scopeKey [sha256.Size]byte

// path returns the scope's ancestors and itself, the dataset first.
func (s Scope) path() []node {
	nodes := make([]node, 0, 5)
	at := Scope{Dataset: s.Dataset}
	nodes = append(nodes, at.node(Global))
	if s.Domain == "" {
		return nodes
	}
	at.Domain = s.Domain
	nodes = append(nodes, at.node(Domain))
	if s.Contract != "" {
		nodes = append(nodes, Scope{Dataset: s.Dataset, Domain: s.Domain, Contract: s.Contract}.node(Contract))
	}
	if s.Workflow == "" {
		return nodes
	}
	at.Workflow = s.Workflow
	nodes = append(nodes, at.node(Workflow))
	if s.Agent == "" {
		return nodes
	}
	at.Agent = s.Agent
	return append(nodes, at.node(Agent))
}

// last returns the node that the scope itself names: the contract if there is one and nothing lower.
func (s Scope) last() node {
	p := s.path()
	return p[len(p)-1]
}

func (s Scope) node(v Level) node { return node{s, v, s.digest("scope", byte(v))} }

// digest hashes the names, each with its length before it, so that no two scopes hash the same bytes.
func (s Scope) digest(what string, v byte, more ...string) scopeKey {
	var room [256]byte
	b := append(room[:0], "scrim budget "...)
	b = append(append(b, what...), " v1\x00"...)
	b = append(b, v)
	for _, t := range [...]string{s.Dataset, string(s.Domain), s.Workflow, s.Agent, s.Contract} {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	for _, t := range more {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return sha256.Sum256(b)
}

// keyDigest is what an idempotency key is stored under. It is the caller's own: dataset, domain and agent are hashed with it.
func (s Scope) keyDigest(key string) [32]byte {
	return Scope{Dataset: s.Dataset, Domain: s.Domain, Agent: s.Agent}.digest("key", 0, key)
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

	Claim Claim // what is claimed of every block; set by the ledger and kept by it, whatever plans follow
}

// Claim is the guarantee that a budget carries: that of its first plan.
type Claim struct {
	Epsilon int64 // nano-ε
	Delta   int64 // femto-δ
}

// mostBlocks bounds how many blocks a dataset is cut into, and how far on time may be.
const mostBlocks = 1 << 24

// check refuses a declaration whose blocks could hold a unit twice.
func (b *Budget) check() error {
	s := Scope{Dataset: b.Dataset}
	if err := s.Check(); err != nil {
		return err
	}
	refuse := func(rule error, what string) error { return &Error{Rule: rule, Scope: s, What: what} }
	switch {
	case b.Unit.Name == "" || len(b.Unit.Name) > longestName || !utf8.ValidString(b.Unit.Name):
		return refuse(ErrUnit, "its name is missing, too long or no text")
	case b.Unit.Window < 0 || b.Unit.Window%time.Microsecond != 0:
		return refuse(ErrUnit, "its window is negative or finer than a microsecond")
	case b.Blocks.Count < 0 || b.Blocks.Count > mostBlocks:
		return refuse(ErrBlocks, "their number is negative or absurd")
	}
	switch b.Blocks.Kind {
	case NoBlocks, BlocksHash:
		return b.checkTimeless(refuse)
	case BlocksTime:
		return b.checkTimed(refuse)
	}
	return refuse(ErrBlocks, "their kind is unknown")
}

func (b *Budget) checkTimeless(refuse func(error, string) error) error {
	switch {
	case b.Refresh && b.Unit.Window == 0:
		return refuse(ErrRefresh, "the unit is not bounded in time: one person would lie in every window and lose more in each")
	case b.Refresh:
		return refuse(ErrRefresh, "the data is not cut by time: a new window would ask about the same records again")
	case b.Blocks.Width != 0 || !b.Blocks.From.IsZero():
		return refuse(ErrBlocks, "they are not by time and have a width or a beginning")
	case b.Blocks.Kind == NoBlocks && b.Blocks.Count != 0:
		return refuse(ErrBlocks, "there are none and they are counted")
	case b.Blocks.Kind == BlocksHash && b.Blocks.Count < 2:
		return refuse(ErrBlocks, "by hash there must be two or more")
	}
	return nil
}

func (b *Budget) checkTimed(refuse func(error, string) error) error {
	switch {
	case b.Unit.Window == 0:
		return refuse(ErrUnit, "blocks by time need a unit that is bounded in time: another would lie in many of them")
	case b.Blocks.Width <= 0 || b.Blocks.Width%b.Unit.Window != 0:
		return refuse(ErrBlocks, "their width must be a whole number of the unit's windows, so that none lies across two")
	case b.Blocks.From.IsZero() || b.Blocks.From.Year() < 1900 || b.Blocks.From.Year() > 2200 || b.Blocks.From.Nanosecond()%1000 != 0:
		return refuse(ErrBlocks, "the beginning of the first is missing, absurd or finer than a microsecond")
	case b.Blocks.Count == 0 && !b.Refresh:
		return refuse(ErrBlocks, "without refresh it must be said how many there will ever be")
	}
	return nil
}

// at returns the block that holds t. Seconds are taken apart first, because a Duration holds 292 years only.
func (b Blocks) at(t time.Time) int64 {
	d := t.UnixMicro() - b.From.UnixMicro()
	w := b.Width.Microseconds()
	n := d / w
	if d%w < 0 {
		n--
	}
	return n
}

// resolve turns the range of a charge into the blocks that it is charged to. now is the latest time that there was.
func (b *Budget) resolve(r Range, most int64, now time.Time) (Range, error) {
	refuse := func(what string) (Range, error) {
		return Range{}, &Error{Rule: ErrBlocks, Scope: Scope{Dataset: b.Dataset}, What: what}
	}
	if r == (Range{}) {
		switch b.Blocks.Kind {
		case NoBlocks:
			return Range{To: 1}, nil
		case BlocksHash:
			r.To = b.Blocks.Count
		default:
			return refuse("by time the charge must name them")
		}
	}
	end := b.Blocks.Count
	switch {
	case b.Blocks.Kind == NoBlocks:
		end = 1
	case b.Blocks.Kind == BlocksTime:
		begun := b.Blocks.at(now) + 1
		if end == 0 {
			end = begun
		}
		end = min(end, begun, mostBlocks)
	}
	switch {
	case r.From < 0 || r.To <= r.From:
		return refuse("the range is empty or negative")
	case r.To > end:
		return refuse("the range holds blocks that do not exist, or have not begun")
	case r.To-r.From > most:
		return refuse("the range holds more blocks than one charge may")
	}
	return r, nil
}
