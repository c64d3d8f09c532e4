// Package contract is what two domains agree on about the flows between them: an offer that is narrowed in turns until both have
// signed the same bytes.
//
// A contract adds no right. What it admits is met with what policy allows, in both domains, for the purposes that it names; a policy
// may ask for one to be in force. The form is a JWS in JSON serialisation (RFC 7515, section 7.2) over canonical JSON (RFC 8785), with
// one signature for an offer and two for a contract, written down in docs/spec/terms.md. Nothing here keeps state or does I/O.
package contract

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Contract is what is offered, and, once both have signed it, agreed. Treat one that was read as immutable.
type Contract struct {
	Negotiation string         // what offers and counter-offers have in common: 26 random characters
	Version     int            // 1 for the first offer, one more for each that answers another
	Previous    string         // id of the offer that this one answers; "" for the first
	Name        string         // what policies call it, with the other domain's name and a colon before it
	Parties     [2]Party       // in the order of their domains
	Purposes    []flow.Purpose // that flows are for; compared exactly
	NotBefore   time.Time      // in whole seconds, as is Expires
	Expires     time.Time

	payload []byte // as it was read; nil: it was not
	id      string // of the payload
}

// Party is one side, with what may go from it to the other.
type Party struct {
	Domain flow.DomainID
	Agents []flow.AgentID // whose flows are meant; nil: those of all its agents
	Gives  Gives
}

// Gives bounds what a party gives. Members that are nil do not bound.
type Gives struct {
	Levels     map[flow.Label]flow.Level // the most that shows, by label prefix; the longest counts, "*" stands for all; under none: dropped
	Datasets   map[string][]string       // columns by dataset; nil columns: all. For values of other datasets: dropped
	Techniques []string                  // that questions may be answered by
	Cost       *flow.Cost                // what all answers may cost together
	Retain     *time.Duration            // how long the other side keeps it at most, in whole seconds
	Notify     []string                  // whom the other side must notify
}

// The bounds of a contract.
const (
	MaxText   = 64 << 10
	MaxLife   = 2 * 366 * 24 * time.Hour
	maxList   = 256
	maxName   = 128
	maxRounds = 64
)

// idLength is that of a negotiation's id.
const idLength = 26

var b64 = base64.RawURLEncoding.Strict()

// ID stands for exactly this offer or contract: the SHA-256 of the bytes that are signed, in base64url.
func (c *Contract) ID() string {
	if c.id != "" {
		return c.id
	}
	sum := sha256.Sum256(c.bytes())
	return b64.EncodeToString(sum[:])
}

// Payload returns the bytes that are signed.
func (c *Contract) Payload() []byte { return slices.Clone(c.bytes()) }

// Party returns the side of a domain; false if it is none.
func (c *Contract) Party(d flow.DomainID) (*Party, bool) {
	for i := range c.Parties {
		if c.Parties[i].Domain == d {
			return &c.Parties[i], true
		}
	}
	return nil, false
}

// Other returns the side that is not the domain's.
func (c *Contract) Other(d flow.DomainID) *Party {
	if c.Parties[0].Domain == d {
		return &c.Parties[1]
	}
	return &c.Parties[0]
}

// InForce reports whether the contract counts at a time.
func (c *Contract) InForce(at time.Time) bool { return !at.Before(c.NotBefore) && at.Before(c.Expires) }

// Binds reports whether a flow is one that the contract is about, whatever the time.
func (c *Contract) Binds(f *flow.Flow) bool {
	from, ok := c.Party(f.From.Domain)
	to, both := c.Party(f.To.Domain)
	return ok && both && from != to && slices.Contains(c.Purposes, f.Purpose) && from.has(f.From.Agent) && to.has(f.To.Agent)
}

func (p *Party) has(a flow.AgentID) bool { return p.Agents == nil || slices.Contains(p.Agents, a) }

// Limit returns what a leaf shows at most when it flows from a domain, given what it would show without the contract. It is never
// more than that.
func (c *Contract) Limit(from flow.DomainID, class flow.Class, leaf *flow.Leaf, t flow.Treatment) flow.Treatment {
	p, ok := c.Party(from)
	if !ok || !p.Gives.column(leaf.Field) {
		return flow.Treatment{}
	}
	most := p.Gives.Level(leaf.Label)
	if t.Level == most || most.Reveals(t.Level) {
		return t
	}
	return class.Family.Meet(t, class.Resolve(flow.Treatment{Level: most}))
}

// Level returns the highest level of a label.
func (g *Gives) Level(l flow.Label) flow.Level {
	for a := l; ; {
		if level, ok := g.Levels[a]; ok {
			return level
		}
		i := strings.LastIndexByte(string(a), '/')
		if i < 0 {
			return g.Levels["*"] // absent: dropped
		}
		a = a[:i]
	}
}

// column reports whether values of a field are among what is given. What is of no dataset is not bounded by datasets.
func (g *Gives) column(field string) bool {
	if g.Datasets == nil || field == "" {
		return true
	}
	dataset, column, _ := strings.Cut(field, "/")
	columns, ok := g.Datasets[dataset]
	return ok && (columns == nil || slices.Contains(columns, column))
}

// Technique reports whether questions about data of a domain may be answered by a technique.
func (c *Contract) Technique(from flow.DomainID, technique string) bool {
	p, ok := c.Party(from)
	return ok && (p.Gives.Techniques == nil || slices.Contains(p.Gives.Techniques, technique))
}

// AdmitsQuestion reports whether questions about columns of a dataset of a domain, nil standing for all, may be answered by a technique.
func (c *Contract) AdmitsQuestion(from flow.DomainID, dataset string, columns []string, technique string) bool {
	p, ok := c.Party(from)
	if !ok || !c.Technique(from, technique) {
		return false
	}
	if p.Gives.Datasets == nil {
		return true
	}
	given, ok := p.Gives.Datasets[dataset]
	if !ok || given == nil {
		return ok
	}
	if columns == nil {
		return false
	}
	return !slices.ContainsFunc(columns, func(column string) bool { return !slices.Contains(given, column) })
}

// Duties returns what a recipient of data of a domain takes on: what it would without the contract, and what the contract says.
func (c *Contract) Duties(from flow.DomainID, d flow.Duties) flow.Duties {
	p, ok := c.Party(from)
	if !ok {
		return flow.Duties{}
	}
	if p.Gives.Retain != nil {
		d.Retain = min(d.Retain, *p.Gives.Retain)
	}
	if len(p.Gives.Notify) > 0 {
		d.Notify = slices.Compact(slices.Sorted(slices.Values(slices.Concat(d.Notify, p.Gives.Notify))))
	}
	return d
}

// Unnamed returns the contract as one that bounds flows and that no policy sees.
func (c *Contract) Unnamed() *Contract {
	n := *c
	n.id, n.Name = c.ID(), ""
	return &n
}

// Next returns a copy that answers this offer, to be narrowed and signed.
func (c *Contract) Next() *Contract {
	n := *c
	n.payload, n.id, n.Version, n.Previous = nil, "", c.Version+1, c.ID()
	n.Purposes = slices.Clone(c.Purposes)
	for i := range n.Parties {
		p := &n.Parties[i]
		p.Agents, p.Gives.Levels = slices.Clone(p.Agents), maps.Clone(p.Gives.Levels)
		p.Gives.Datasets, p.Gives.Techniques, p.Gives.Notify = maps.Clone(p.Gives.Datasets), slices.Clone(p.Gives.Techniques), slices.Clone(p.Gives.Notify)
	}
	return &n
}

var negotiations = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewNegotiation returns the id of a new negotiation.
func NewNegotiation() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return negotiations.EncodeToString(b[:])
}
