package capability

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Options set the bounds of a verifier. The zero value of each field is its default.
type Options struct {
	Skew        time.Duration // how far other clocks may be ahead of this one; default 30 s, at most 5 min
	ProofAge    time.Duration // how old a proof may be; default 60 s, at most 5 min
	MaxDepth    int           // of the deepest token; default 8, at most 32
	MaxLifetime time.Duration // from iat to exp; default 24 h, at most 90 days
	MaxToken    int           // bytes of one token; default 8 KiB, at most 64 KiB
	MaxChain    int           // bytes of a chain; default 32 KiB, at most 256 KiB
	Cache       int           // prefixes of chains that are remembered; default 4096, negative: none
	Clock       func() time.Time
}

func bounded[N int | time.Duration](n, standard, most N) N {
	switch {
	case n <= 0:
		return standard
	case n > most:
		return most
	}
	return n
}

// Verifier verifies chains and proofs. It is safe for concurrent use.
type Verifier struct {
	anchors Anchors
	o       Options
}

// NewVerifier returns a verifier that believes roots of the anchors; without anchors it believes none. Options beyond
// their bounds count as the bound.
func NewVerifier(anchors Anchors, o Options) *Verifier {
	o.Skew = bounded(o.Skew, 30*time.Second, hardSkew)
	o.ProofAge = bounded(o.ProofAge, time.Minute, hardSkew)
	o.MaxDepth = bounded(o.MaxDepth, 8, hardDepth)
	o.MaxLifetime = bounded(o.MaxLifetime, 24*time.Hour, 90*24*time.Hour)
	o.MaxToken = bounded(o.MaxToken, 8<<10, 64<<10)
	o.MaxChain = bounded(o.MaxChain, 32<<10, hardChain)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Verifier{anchors: anchors, o: o}
}

// Verify verifies a chain: form, signatures, linkage, times, depth, and that every token is within the one before.
// Errors are of type *[Error]. Whether a link was revoked, or is used up, is for the caller to ask.
func (v *Verifier) Verify(c Chain) (*Verified, error) {
	if err := v.sizes(c); err != nil {
		return nil, err
	}
	now := v.o.Clock()
	vd, err := v.root(c[0])
	if err != nil {
		return nil, err.at(0)
	}
	for i, t := range c[1:] {
		if err := v.child(vd, t); err != nil {
			return nil, err.at(i + 1)
		}
	}
	for i := range vd.Links {
		if err := v.times(&vd.Links[i], now); err != nil {
			return nil, err.at(i)
		}
	}
	return vd, nil
}

func (v *Verifier) sizes(c Chain) error {
	if len(c) == 0 {
		return broken(RuleForm, "chain")
	}
	if len(c)-1 > v.o.MaxDepth {
		return broken(RuleDepth, "chain")
	}
	total := 0
	for i, t := range c {
		if len(t) > v.o.MaxToken {
			return broken(RuleSize, "token").at(i)
		}
		if total += len(t) + 1; total > v.o.MaxChain {
			return broken(RuleSize, "chain")
		}
	}
	return nil
}

func indexDot(s string) int { return strings.IndexByte(s, '.') }

// checked verifies the signature of a token, and only then reads its claims.
func checked(input, signature string, key ed25519.PublicKey) (*claims, *Error) {
	sig, ok := decode(signature)
	if !ok || len(sig) != ed25519.SignatureSize {
		return nil, broken(RuleForm, "signature")
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, []byte(input), sig) {
		return nil, broken(RuleSignature, "")
	}
	return readClaims(input[indexDot(input)+1:])
}

func (c *claims) link(hash [32]byte) Link {
	return Link{ID: c.id, Hash: hash, Holder: ThumbprintOf(c.holder), HolderKey: c.holder, Depth: c.depth, IssuedAt: time.Unix(c.issued, 0).UTC(), Grant: c.grant}
}

func (v *Verifier) root(t Token) (*Verified, *Error) {
	input, signature, ok := t.split()
	if !ok {
		return nil, broken(RuleForm, "token")
	}
	h, err := readHead(input[:indexDot(input)], typeToken)
	if err != nil {
		return nil, err
	}
	domain, ok := strings.CutPrefix(h.iss, issuerPrefix)
	if !ok || !isWord(domain) {
		return nil, broken(RuleForm, "iss")
	}
	if v.anchors == nil {
		return nil, broken(RuleAnchor, "")
	}
	key, ok := v.anchors.Key(flow.DomainID(domain), h.kid)
	if !ok || h.kid == "" {
		return nil, broken(RuleAnchor, "")
	}
	c, err := checked(input, signature, key)
	if err != nil {
		return nil, err
	}
	switch {
	case c.issuer != h.iss:
		return nil, broken(RuleIssuer, "iss")
	case c.hasParent:
		return nil, broken(RuleParent, "par_hash")
	case c.depth != 0:
		return nil, broken(RuleDepth, "del_depth")
	case c.grant.MaxDepth > v.o.MaxDepth:
		return nil, broken(RuleDepth, "del_max_depth")
	}
	l := c.link(sha256.Sum256([]byte(input)))
	l.Signer = ThumbprintOf(key)
	if err := v.lifetime(&l); err != nil {
		return nil, err
	}
	return &Verified{Issuer: flow.DomainID(domain), Links: []Link{l}, kid: h.kid, anchor: bytes.Clone(key), skew: v.o.Skew}, nil
}

// child verifies the next token and appends it.
func (v *Verifier) child(vd *Verified, t Token) *Error {
	parent := vd.Leaf()
	input, signature, ok := t.split()
	if !ok {
		return broken(RuleForm, "token")
	}
	if _, err := readHead(input[:indexDot(input)], typeToken); err != nil {
		return err
	}
	c, err := checked(input, signature, parent.HolderKey)
	if err != nil {
		return err
	}
	switch {
	case c.issuer != holderPrefix+parent.Holder.String():
		return broken(RuleIssuer, "iss")
	case !c.hasParent || c.parent != encode(parent.Hash[:]):
		return broken(RuleParent, "par_hash")
	case c.depth != parent.Depth+1:
		return broken(RuleDepth, "del_depth")
	case c.depth > parent.Grant.MaxDepth, c.depth > c.grant.MaxDepth, c.grant.MaxDepth > parent.Grant.MaxDepth:
		return broken(RuleDepth, "del_max_depth")
	case c.issued < parent.IssuedAt.Unix():
		return broken(RuleLifetime, "iat")
	}
	for i := range vd.Links {
		if vd.Links[i].ID == c.id {
			return broken(RuleRepeated, "jti")
		}
	}
	l := c.link(sha256.Sum256([]byte(input)))
	l.Signer = parent.Holder
	if err := v.lifetime(&l); err != nil {
		return err
	}
	if m := widens(&parent.Grant, &l.Grant); m != "" {
		return broken(RuleWidened, m)
	}
	vd.Links = append(vd.Links, l)
	return nil
}

func (v *Verifier) lifetime(l *Link) *Error {
	if life := l.Grant.Expires.Sub(l.IssuedAt); life <= 0 || life > v.o.MaxLifetime {
		return broken(RuleLifetime, "exp")
	}
	return nil
}

// times holds a link against the clock. Other clocks may be ahead by the skew; an expiry is never stretched.
func (v *Verifier) times(l *Link, now time.Time) *Error {
	switch {
	case !l.Grant.Expires.After(now):
		return broken(RuleExpired, "exp")
	case l.IssuedAt.After(now.Add(v.o.Skew)):
		return broken(RuleEarly, "iat")
	case l.Grant.NotBefore.After(now.Add(v.o.Skew)):
		return broken(RuleEarly, "nbf")
	}
	return nil
}
