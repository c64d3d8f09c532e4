package capability

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// ErrKey is wrapped by the errors of [Mint], [Derive] and [Prove] where a key is no Ed25519 key, or not the right one.
var ErrKey = errors.New("the key does not fit")

// Mint signs a root token of the issuer, which says that the holder of a key may do what the grant admits.
//
// The signer is an Ed25519 key that verifiers know as the issuer's, under the id. Times are cut to whole seconds.
// An agent, an expiry later than now and a well-formed grant are needed; errors for the grant are of type *[Error].
func Mint(signer crypto.Signer, kid string, issuer flow.DomainID, holder ed25519.PublicKey, g Grant, now time.Time) (Token, error) {
	return mint(signer, kid, issuer, holder, g, now, newID(now))
}

func mint(signer crypto.Signer, kid string, issuer flow.DomainID, holder ed25519.PublicKey, g Grant, now time.Time, id string) (Token, error) {
	if !isWord(string(issuer)) || !isName(kid) {
		return "", broken(RuleForm, "issuer").at(0)
	}
	iss := issuerPrefix + string(issuer)
	var h object
	h.text("alg", "EdDSA")
	h.text("iss", iss)
	h.text("kid", kid)
	h.text("typ", typeToken)
	now = now.Truncate(time.Second)
	g.NotBefore, g.Expires = g.NotBefore.Truncate(time.Second), g.Expires.Truncate(time.Second)
	if err := signable(&g, now, 0); err != nil {
		return "", err
	}
	c := &claims{id: id, issuer: iss, issued: now.Unix(), holder: holder, grant: g}
	return sign(signer, h.bytes(), c)
}

// Derive signs a child of the chain's last token for another holder, and returns the longer chain. The signer is the key
// that the last token confirms.
//
// Members of the grant that are nil, or zero, are taken over from the parent; the others must be within it, or an *[Error] with
// [RuleWidened] is returned. The chain itself is not verified, since a holder need not know the issuer's key. Give a holder
// in another process a key of its own: with the parent's key it could present the parent.
func Derive(parent Chain, signer crypto.Signer, holder ed25519.PublicKey, narrower Grant, now time.Time) (Chain, error) {
	return derive(parent, signer, holder, narrower, now, newID(now))
}

func derive(parent Chain, signer crypto.Signer, holder ed25519.PublicKey, narrower Grant, now time.Time, id string) (Chain, error) {
	links, err := parent.Unverified()
	if err != nil {
		return nil, err
	}
	last, depth := links[len(links)-1], len(links)
	if key, ok := signer.Public().(ed25519.PublicKey); !ok || !key.Equal(last.HolderKey) {
		return nil, fmt.Errorf("deriving a capability: %w: the parent confirms another", ErrKey)
	}
	g := inherit(&last.Grant, narrower)
	now = now.Truncate(time.Second)
	if now.Before(last.IssuedAt) {
		now = last.IssuedAt // the clock lags the issuer's: section 6.2 of the draft, step 2
	}
	if err := signable(&g, now, depth); err != nil {
		return nil, err
	}
	if m := widens(&last.Grant, &g); m != "" {
		return nil, broken(RuleWidened, m).at(depth)
	}
	if depth > g.MaxDepth {
		return nil, broken(RuleDepth, "max_depth").at(depth)
	}
	c := &claims{id: id, issuer: holderPrefix + ThumbprintOf(last.HolderKey).String(), issued: now.Unix(), depth: depth, parent: encode(last.Hash[:]), hasParent: true, holder: holder, grant: g}
	t, err := sign(signer, []byte(childHead), c)
	if err != nil {
		return nil, err
	}
	return append(slices.Clip(parent), t), nil
}

// childHead is the header of every derived token that this package signs.
const childHead = `{"alg":"EdDSA","typ":"` + typeToken + `"}`

func signable(g *Grant, now time.Time, link int) error {
	if m := g.malformed(link == 0); m != "" {
		return broken(RuleForm, m).at(link)
	}
	if !g.Expires.After(now) {
		return broken(RuleLifetime, "exp").at(link)
	}
	return nil
}

// inherit returns the child's grant with what it leaves out taken over from the parent.
func inherit(p *Grant, c Grant) Grant {
	c.Agent = cmp.Or(c.Agent, p.Agent)
	c.Audience = orList(c.Audience, p.Audience)
	c.Recipients = orList(c.Recipients, p.Recipients)
	c.Purposes = orList(c.Purposes, p.Purposes)
	c.Tasks = orList(c.Tasks, p.Tasks)
	c.Criticality = cmp.Or(c.Criticality, p.Criticality)
	c.Levels = orMap(c.Levels, p.Levels)
	c.Datasets = orMap(c.Datasets, p.Datasets)
	c.Techniques = orList(c.Techniques, p.Techniques)
	c.Cost = cmp.Or(c.Cost, p.Cost)
	c.Uses = cmp.Or(c.Uses, p.Uses)
	c.Counted = cmp.Or(c.Counted, p.Counted)
	c.Via = orList(c.Via, p.Via)
	c.Tools = orMap(c.Tools, p.Tools)
	c.NotBefore, c.Expires = c.NotBefore.Truncate(time.Second), c.Expires.Truncate(time.Second)
	if c.NotBefore.IsZero() {
		c.NotBefore = p.NotBefore
	}
	if c.Expires.IsZero() {
		c.Expires = p.Expires
	}
	c.MaxDepth = cmp.Or(c.MaxDepth, p.MaxDepth)
	return c
}

func orList[S any](a, b []S) []S {
	if a != nil {
		return a
	}
	return b
}

func orMap[K comparable, V any](a, b map[K]V) map[K]V {
	if a != nil {
		return a
	}
	return b
}

// sign writes and signs a token.
func sign(signer crypto.Signer, header []byte, c *claims) (Token, error) {
	if len(c.holder) != ed25519.PublicKeySize {
		return "", fmt.Errorf("signing a capability: %w: the holder's", ErrKey)
	}
	input := encode(header) + "." + encode(c.payload())
	signature, err := signInput(signer, input)
	if err != nil {
		return "", fmt.Errorf("signing a capability: %w", err)
	}
	return Token(input + "." + signature), nil
}

func signInput(signer crypto.Signer, input string) (string, error) {
	if _, ok := signer.Public().(ed25519.PublicKey); !ok {
		return "", ErrKey
	}
	signature, err := signer.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	if err != nil {
		return "", err
	}
	return encode(signature), nil
}

func (c *claims) payload() []byte {
	var jwk, cnf, o object
	jwk.text("kty", "OKP")
	jwk.text("crv", "Ed25519")
	jwk.text("x", encode(c.holder))
	cnf.put("jwk", jwk.bytes())
	o.text("jti", c.id)
	o.text("iss", c.issuer)
	o.number("iat", c.issued)
	o.number("exp", c.grant.Expires.Unix())
	if !c.grant.NotBefore.IsZero() {
		o.number("nbf", c.grant.NotBefore.Unix())
	}
	o.put("cnf", cnf.bytes())
	if c.grant.Audience != nil {
		o.put("aud", texts(c.grant.Audience))
	}
	o.number("ver", version)
	o.number("del_depth", int64(c.depth))
	o.number("del_max_depth", int64(c.grant.MaxDepth))
	if c.hasParent {
		o.text("par_hash", c.parent)
	}
	o.put("authorization_details", c.grant.details())
	return o.bytes()
}

// newID returns a UUID of version 7 (RFC 9562).
func newID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// details writes authorization_details.
func (g *Grant) details() []byte {
	entry := g.entry()
	entry.text("type", entryScrim)
	list := append([]byte{'['}, entry.bytes()...)
	if g.Tools != nil {
		var tools object
		tools.put("tools", g.toolsRaw())
		tools.text("type", entryTools)
		list = append(append(list, ','), tools.bytes()...)
	}
	return append(list, ']')
}

func (g *Grant) toolsRaw() []byte {
	var tools object
	for name, args := range g.Tools {
		var o object
		for arg, c := range args {
			o.put(arg, c.raw())
		}
		tools.put(name, o.bytes())
	}
	return tools.bytes()
}

// entry writes the bounds of the profile's own entry.
func (g *Grant) entry() object {
	var o object
	if g.Agent != "" {
		o.text("agent", g.Agent)
	}
	putTexts(&o, "names", g.Names)
	putTexts(&o, "recipients", g.Recipients)
	putTexts(&o, "purposes", g.Purposes)
	putTexts(&o, "tasks", g.Tasks)
	putTexts(&o, "techniques", g.Techniques)
	putTexts(&o, "via", g.Via)
	if g.Criticality != nil {
		o.text("criticality", g.Criticality.String())
	}
	if g.Levels != nil {
		var levels object
		for l, level := range g.Levels {
			levels.text(string(l), level.String())
		}
		o.put("levels", levels.bytes())
	}
	if g.Datasets != nil {
		var sets object
		for name, columns := range g.Datasets {
			if columns == nil {
				sets.text(name, allColumns)
			} else {
				sets.put(name, texts(columns))
			}
		}
		o.put("datasets", sets.bytes())
	}
	if g.Cost != nil {
		var cost object
		cost.number("epsilon_nano", g.Cost.EpsilonNano)
		cost.number("delta_pico", g.Cost.DeltaPico)
		o.put("cost", cost.bytes())
	}
	if g.Uses != nil {
		o.number("uses", *g.Uses)
	}
	if g.Counted != "" {
		o.text("counted", string(g.Counted))
	}
	return o
}

func putTexts[S ~string](o *object, name string, list []S) {
	if list != nil {
		o.put(name, texts(list))
	}
}

// Unverified reads a chain without believing it: what it says of its holder, for showing it to a person or deriving from
// one's own. No signature, time or rule is checked. Errors are of type *[Error].
func (c Chain) Unverified() ([]Link, error) {
	if len(c) == 0 {
		return nil, broken(RuleForm, "chain")
	}
	var links []Link
	for i, t := range c {
		input, _, ok := t.split()
		if !ok {
			return nil, broken(RuleForm, "token").at(i)
		}
		claims, err := readClaims(input[indexDot(input)+1:])
		if err != nil {
			return nil, err.at(i)
		}
		links = append(links, claims.link(sha256.Sum256([]byte(input))))
	}
	return links, nil
}
