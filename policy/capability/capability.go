// Package capability is the right to cause some flows, as a chain of signed tokens that only narrows.
//
// A domain mints a root token for one of its agents. Whoever holds a token derives children offline, signed with the key
// that the token confirms, each admitting no more than its parent. A call shows the chain, and a proof that the caller
// holds the last key. Whoever knows the domain's public key verifies all of it, without asking anybody. A capability
// adds no right: what it admits is met with what policy allows.
//
// The format is a profile of draft-niyikiza-oauth-attenuating-agent-tokens-02 (JWS, RFC 7515; Ed25519, RFC 8037; RFC 9396),
// written down in docs/spec/capabilities.md with vectors for other languages. Nothing here keeps state or does I/O:
// revocation, replay and counting are for the caller.
package capability

import (
	"crypto/ed25519"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Token is one link of a chain: a JWS in compact form.
type Token string

// Chain is a root token and the tokens derived from it, root first.
type Chain []Token

// What no verifier's options go beyond.
const (
	hardDepth = 32
	hardChain = 256 << 10
	hardSkew  = 5 * time.Minute
)

// ParseChain reads a chain as the header Scrim-Capability carries it: tokens with "~" between them. It looks at form
// and size only; nothing is believed before [Verifier.Verify]. Errors are of type *[Error].
func ParseChain(header string) (Chain, error) {
	if len(header) > hardChain {
		return nil, broken(RuleSize, "chain")
	}
	if header == "" {
		return nil, broken(RuleForm, "chain")
	}
	if strings.Count(header, "~") > hardDepth {
		return nil, broken(RuleDepth, "chain")
	}
	var c Chain
	for i, t := range strings.Split(header, "~") {
		if _, _, ok := Token(t).split(); !ok {
			return nil, broken(RuleForm, "token").at(i)
		}
		c = append(c, Token(t))
	}
	return c, nil
}

// String returns the chain as the header carries it.
func (c Chain) String() string {
	var b strings.Builder
	for i, t := range c {
		if i > 0 {
			b.WriteByte('~')
		}
		b.WriteString(string(t))
	}
	return b.String()
}

// Grant is what one token admits. A nil member does not bound; one that is empty and not nil admits nothing.
//
// A child has to state every bound that its parent has, so that each token tells alone what it admits.
// A Grant that was verified is shared and must not be changed.
type Grant struct {
	Agent       string                    // who holds it: in a root an agent of the issuer's domain, in a child its parent's, or that and "/" and a word
	Names       []string                  // root only: what policies see as context.capabilities
	Audience    []flow.DomainID           // at whose gateways it may be presented
	Recipients  []string                  // "domain/agent" or "domain/*"
	Purposes    []flow.Purpose            // compared exactly, without the hierarchy that policies know
	Tasks       []flow.TaskID             //
	Criticality *flow.Criticality         // the highest that may be claimed
	Levels      map[flow.Label]flow.Level // the most that may show, by label prefix; the longest counts, "*" stands for all; a label under none is dropped
	Datasets    map[string][]string       // columns by dataset; nil columns: all
	Techniques  []string                  //
	Cost        *flow.Cost                // what all flows under this token may cost together
	Uses        *int64                    // how many flows there may be under this token
	Counted     flow.DomainID             // the domain that counts cost and uses; needed where there is either
	Via         []flow.DomainID           // domains whose gateways may vouch for the holder in place of a proof; nil: none
	Tools       map[string]Arguments      // tools and skills, "agent/tool" or "agent/*", and their arguments; the exact name counts first
	NotBefore   time.Time                 // zero: at once. In whole seconds, as is Expires
	Expires     time.Time                 //
	MaxDepth    int                       // depth of the deepest token that may be derived; the root has depth 0
}

// Thumbprint is the SHA-256 thumbprint of a public key (RFC 7638).
type Thumbprint [32]byte

// Link is one verified token.
type Link struct {
	ID        string   // jti
	Hash      [32]byte // SHA-256 of the signing input: what accounts and deny-lists go by where ids could be made to collide
	Signer    Thumbprint
	Holder    Thumbprint
	HolderKey ed25519.PublicKey
	Depth     int
	IssuedAt  time.Time
	Grant     Grant
}

// Verified is a chain whose every link was verified. It is immutable, and may be shared.
type Verified struct {
	Issuer flow.DomainID
	Links  []Link // root first, never empty

	kid    string            // of the anchor
	anchor ed25519.PublicKey // that verified the root
	skew   time.Duration
	weight int // in the cache
}

// Root returns the first link.
func (vd *Verified) Root() *Link { return &vd.Links[0] }

// Leaf returns the last link. As each link states every bound of its parent, the leaf's grant tells what all of them admit.
func (vd *Verified) Leaf() *Link { return &vd.Links[len(vd.Links)-1] }

// Anchors are the keys that roots may be signed with.
type Anchors interface {
	// Key returns the key of the domain that has the id. It is called for every verification, also of chains that are
	// remembered, so that a key that is withdrawn is withdrawn at once. It must be safe for concurrent use.
	Key(domain flow.DomainID, kid string) (ed25519.PublicKey, bool)
}

// Bound is what a proof is bound to: one call of one gateway.
type Bound struct {
	Audience flow.DomainID // the domain whose gateway is called
	Method   string        // of HTTP
	Target   string        // path that is called, as the caller wrote it; empty: not bound
	Body     [32]byte      // SHA-256 of the body as sent
	Nonce    string        // that the gateway gave; empty: none is asked for
}

// Proof is a proof of possession that was verified. Whoever accepts it must see to it that the pair of Holder and ID is
// not accepted again before Until.
type Proof struct {
	ID       string
	Holder   Thumbprint
	IssuedAt time.Time
	Until    time.Time
}
