package capability

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
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
	known   *prefixes
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
	if o.Cache == 0 {
		o.Cache = 4096
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Verifier{anchors: anchors, o: o, known: newPrefixes(o.Cache)}
}

// Verify verifies a chain: form, signatures, linkage, times, depth, and that every token is within the one before.
// Errors are of type *[Error]. Whether a link was revoked, or is used up, is for the caller to ask.
func (v *Verifier) Verify(c Chain) (*Verified, error) {
	if err := v.sizes(c); err != nil {
		return nil, err
	}
	now, keys := v.o.Clock(), prefixKeys(c)
	vd, err := v.remembered(keys, now)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(c); i++ {
		if vd != nil && i < len(vd.Links) {
			continue
		}
		next, err := v.link(vd, c[i])
		if err == nil {
			err = v.times(next.Leaf(), now)
		}
		if err != nil {
			return nil, err.at(i)
		}
		v.known.put(keys[i], next)
		vd = next
	}
	return vd, nil
}

// remembered returns the longest beginning of a chain that was verified before and still holds: the anchor has the same
// key, and the clock is within every link's times. It returns nil if there is none.
func (v *Verifier) remembered(keys [][32]byte, now time.Time) (*Verified, error) {
	for i := len(keys) - 1; i >= 0; i-- {
		vd := v.known.get(keys[i])
		if vd == nil {
			continue
		}
		if key, ok := v.anchors.Key(vd.Issuer, vd.kid); !ok || !bytes.Equal(key, vd.anchor) {
			v.known.drop(keys[i])
			continue
		}
		for n := range vd.Links {
			if err := v.times(&vd.Links[n], now); err != nil {
				v.known.drop(keys[i])
				return nil, err.at(n)
			}
		}
		return vd, nil
	}
	return nil, nil
}

// link verifies the next token of a chain, of which nil is the empty one, and returns the longer chain.
func (v *Verifier) link(vd *Verified, t Token) (*Verified, *Error) {
	if vd == nil {
		return v.root(t)
	}
	l, err := v.child(vd, t)
	if err != nil {
		return nil, err
	}
	next := *vd
	next.Links, next.weight = append(slices.Clip(vd.Links), *l), weightOf(t)
	return &next, nil
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
	if !isName(h.kid) {
		return nil, broken(RuleForm, "kid")
	}
	if v.anchors == nil {
		return nil, broken(RuleAnchor, "")
	}
	key, ok := v.anchors.Key(flow.DomainID(domain), h.kid)
	if !ok {
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
	return &Verified{Issuer: flow.DomainID(domain), Links: []Link{l}, kid: h.kid, anchor: bytes.Clone(key), skew: v.o.Skew, weight: weightOf(t)}, nil
}

// child verifies a token that follows a chain.
func (v *Verifier) child(vd *Verified, t Token) (*Link, *Error) {
	parent := vd.Leaf()
	input, signature, ok := t.split()
	if !ok {
		return nil, broken(RuleForm, "token")
	}
	if _, err := readHead(input[:indexDot(input)], typeToken); err != nil {
		return nil, err
	}
	c, err := checked(input, signature, parent.HolderKey)
	if err != nil {
		return nil, err
	}
	switch {
	case c.issuer != holderPrefix+parent.Holder.String():
		return nil, broken(RuleIssuer, "iss")
	case !c.hasParent || c.parent != encode(parent.Hash[:]):
		return nil, broken(RuleParent, "par_hash")
	case c.depth != parent.Depth+1:
		return nil, broken(RuleDepth, "del_depth")
	case c.depth > parent.Grant.MaxDepth, c.depth > c.grant.MaxDepth, c.grant.MaxDepth > parent.Grant.MaxDepth:
		return nil, broken(RuleDepth, "del_max_depth")
	case c.issued < parent.IssuedAt.Unix():
		return nil, broken(RuleLifetime, "iat")
	}
	for i := range vd.Links {
		if vd.Links[i].ID == c.id {
			return nil, broken(RuleRepeated, "jti")
		}
	}
	l := c.link(sha256.Sum256([]byte(input)))
	l.Signer = parent.Holder
	if err := v.lifetime(&l); err != nil {
		return nil, err
	}
	if m := widens(&parent.Grant, &l.Grant); m != "" {
		return nil, broken(RuleWidened, m)
	}
	return &l, nil
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
