package hop

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Header is the name of the HTTP header that carries a statement. There is at most one.
const Header = "Scrim-Hop"

// Type is the typ of a statement's JOSE header.
const Type = "scrim-hop+jwt"

// Version is the version of the format.
const Version = 1

// Bounds of a statement. What is over one is refused before a signature is checked.
const (
	MaxBytes  = 12 << 10 // of the whole statement
	MaxLevels = 96       // labels with a limit
	MaxTarget = 2 << 10  // bytes of a request's target
	MaxName   = 255      // bytes of an agent, domain, purpose or label
	MaxHop    = 255      // a reader bounds it further

	Lifetime    = 30 * time.Second // of a statement that [Sign] makes
	MaxLifetime = time.Minute      // of a statement that is believed
)

// Statement is what a gateway says of one request. The zero value says nothing and is not signed.
type Statement struct {
	ID       [16]byte      // random; see [NewID]
	Issuer   flow.DomainID // the sender's domain
	Audience flow.DomainID // the one domain whose gateways may believe it
	IssuedAt time.Time     // to the second
	Expires  time.Time     // at most [MaxLifetime] after IssuedAt

	Request Request
	Agent   flow.AgentID // who sends, an agent of the issuer's domain
	Hop     int          // of the issuer's record: 0 where the message began
	Record  Commitment   // to the issuer's record

	Purpose     flow.Purpose     // for which the issuer let it through; "" is none
	Criticality flow.Criticality // likewise, the highest
	Limits      Limits
	Capability  *[32]byte // SHA-256 of the signing input of the last token of the chain that goes along; nil: none goes along
}

// Request is the HTTP request that a statement is for, as it is sent.
type Request struct {
	Method string   // of HTTP
	Target string   // path and query, as in the request line (RFC 9112, section 3.2.1)
	Body   [32]byte // SHA-256 of the body; of no bytes where there is none
}

// RequestOf returns what a statement says of a request.
func RequestOf(method, target string, body []byte) Request {
	return Request{Method: method, Target: target, Body: sha256.Sum256(body)}
}

// NewID returns the id of a new statement.
func NewID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// JTI returns the id as the statement writes it.
func (s *Statement) JTI() string { return base64.RawURLEncoding.EncodeToString(s.ID[:]) }

// Next is the number of the hop that takes the statement in.
func (s *Statement) Next() int { return s.Hop + 1 }

// Commitment hides a record and binds to it: SHA-256 of 32 secret bytes and the flow's id. Two commitments to one flow
// under different salts have nothing in common.
type Commitment [32]byte

// ParentPrefix begins a commitment where a journal has it in place of the id of a flow.
const ParentPrefix = "hop:"

// Parent returns the commitment as the record of the next hop names its parent.
func (c Commitment) Parent() flow.ID {
	return flow.ID(ParentPrefix + base64.RawURLEncoding.EncodeToString(c[:]))
}

// ParseParent reads what [Commitment.Parent] wrote, and reports whether it is that.
func ParseParent(id flow.ID) (c Commitment, ok bool) {
	text := string(id)
	if len(text) != len(ParentPrefix)+43 || text[:len(ParentPrefix)] != ParentPrefix {
		return c, false
	}
	n, err := strict.Decode(c[:], []byte(text[len(ParentPrefix):]))
	return c, err == nil && n == len(c)
}

// Opening shows what a commitment is to. Whoever has it can tell that the record of one domain and that of the next belong
// together, so it is for an auditor and for nobody else.
type Opening struct {
	Salt [32]byte
	Flow flow.ID
}

// Commitment returns what the opening opens.
func (o Opening) Commitment() (c Commitment) {
	h := sha256.New()
	h.Write(o.Salt[:])
	h.Write([]byte(o.Flow))
	h.Sum(c[:0])
	return c
}

var strict = base64.RawURLEncoding.Strict()
