package identity

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/flow"
)

// algorithms are all that can be configured: no shared secrets, no none.
var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256, jose.PS256}

const minRSA = 2048 // bits

type issuer struct {
	name       string
	audience   string
	resource   bool // the audience is the resource that the request is for
	algorithms []jose.SignatureAlgorithm
	keys       *keySource
	agent      string   // the claim that names the agent
	purpose    string   // the claim that names purposes; "": none does
	scopes     []string // without which a token is not enough
	bound      bool     // a token that is bound to no key is refused
	txn        bool     // its transaction tokens are read by [Authenticator.Token]
	subjects   map[string]Grant
	fallback   *Grant
}

func newIssuer(in Issuer, client *http.Client, now func() time.Time) (*issuer, error) {
	is := &issuer{name: in.Issuer, audience: in.Audience, agent: cmp.Or(in.AgentClaim, "sub"), purpose: in.PurposeClaim, subjects: make(map[string]Grant)}
	is.resource, is.scopes, is.bound, is.txn = in.Resource, slices.Clone(in.Scopes), in.Bound, in.Transaction
	for _, s := range in.Scopes {
		if !isScope(s) {
			return nil, errors.New("a scope is not one")
		}
	}
	if in.Issuer == "" || in.Audience == "" && !in.Resource {
		return nil, errors.New("issuer or audience is empty")
	}
	for _, name := range in.Algorithms {
		if !slices.Contains(algorithms, jose.SignatureAlgorithm(name)) {
			return nil, errors.New("an algorithm is not one of EdDSA, ES256, RS256, PS256")
		}
		is.algorithms = append(is.algorithms, jose.SignatureAlgorithm(name))
	}
	if len(is.algorithms) == 0 {
		is.algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256}
	}
	for sub, g := range in.Subjects {
		if sub == "" || !g.valid() {
			return nil, errors.New("a subject is empty, or its party has no agent or no domain")
		}
		is.subjects[sub] = g.clone()
	}
	if in.Default != nil {
		g := in.Default.clone()
		is.fallback = &g
		if !g.valid() {
			return nil, errors.New("default: the party has no agent or no domain")
		}
	}
	var err error
	is.keys, err = newKeySource(in, client, now)
	return is, err
}

// presented is how a request presents a token.
type presented struct {
	scheme scheme
	method string
	proofs []string // values of the header DPoP
	target *target  // nil: nothing is known of the address
	shown  *shown   // nil: the connection shows no certificate
	within bool     // the token is in the body, for [Authenticator.Token]
}

// Token says whose a JWT is that a request carries in its body, such as the subject token of a token exchange (RFC 8693). It is
// checked as a credential would be, but for its scheme, and a token that is bound to a certificate or key must be brought by
// the holder of both. Transaction tokens of issuers with [Issuer.Transaction] are accepted here and nowhere else, since they
// are no credentials. A certificate that the connection shows must be of the same party, as with [Authenticator.Authenticate].
func (a *Authenticator) Token(ctx context.Context, r *http.Request, token string) (Caller, error) {
	if len(token) > maxToken {
		return Caller{}, fmt.Errorf("%w: it has not the form of a token", ErrBadCredential)
	}
	p := presented{method: r.Method, proofs: r.Header.Values(HeaderDPoP), target: targetOf(ctx), shown: a.shown(r), within: true}
	if len(p.proofs) > 0 {
		p.scheme = dpop
	}
	c, certified, err := a.token(ctx, token, p)
	if err != nil || p.shown == nil {
		return c, err
	}
	return together(c, p.shown, certified)
}

// token says whose a JWT is, and whether it is bound to the certificate of the connection.
func (a *Authenticator) token(ctx context.Context, token string, p presented) (c Caller, certified bool, err error) {
	is, err := a.issuerOf(token)
	if err != nil {
		return Caller{}, false, err
	}
	parsed, err := jwt.ParseSigned(token, is.algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return Caller{}, false, fmt.Errorf("%w: the algorithm is not one that this issuer may use", ErrBadCredential)
	}
	if err := is.typed(parsed.Headers[0], p.within); err != nil {
		return Caller{}, false, err
	}
	claims, all, err := is.verify(ctx, parsed)
	if err != nil {
		return Caller{}, false, err
	}
	if err := a.inForce(is, claims, resourceOf(ctx)); err != nil {
		return Caller{}, false, err
	}
	bond, err := confirmationOf(all)
	if err != nil {
		return Caller{}, false, err
	}
	if is.bound && !bond.bound() {
		return Caller{}, false, fmt.Errorf("%w: tokens of this issuer must be bound to a key", ErrProof)
	}
	if c, err = is.caller(claims, all); err != nil {
		return Caller{}, false, err
	}
	// Last of all, since a proof that was taken is not taken again.
	if c.Proof, err = a.holds(bond, p, token); err != nil {
		return Caller{}, false, err
	}
	return c, bond.certificate != nil, nil
}

// typed refuses tokens that are made for something else than to be presented: an explicit type is one of an access token
// (RFC 9068) or of no JWT in particular (RFC 8725, section 3.11).
func (is *issuer) typed(head jose.Header, within bool) error {
	typ, there := head.ExtraHeaders[jose.HeaderType]
	name, _ := typ.(string)
	switch name = strings.TrimPrefix(strings.ToLower(name), "application/"); {
	case !there, name == "jwt", name == "at+jwt":
		return nil
	case name == "txntoken+jwt" && within && is.txn:
		return nil
	}
	return fmt.Errorf("%w: its type is not that of a token to call with", ErrBadCredential)
}

// caller is who calls by a token that holds.
func (is *issuer) caller(claims jwt.Claims, all map[string]any) (Caller, error) {
	act, there := all["act"]
	if there && act == nil {
		act = false // an error
	}
	acting, err := actors(act, is.name)
	if err != nil {
		return Caller{}, err
	}
	name, err := is.agentOf(all, acting)
	if err != nil {
		return Caller{}, err
	}
	grant, err := is.grant(name, all)
	if err != nil {
		return Caller{}, err
	}
	if err := is.scoped(all); err != nil {
		return Caller{}, err
	}
	root := claims.Subject
	if len(acting) > 0 {
		root += "\x00" + name // what one agent does for somebody is not what another does
	}
	c := grant.caller(tokenRoot(is.name, root), claims.Expiry.Time())
	if len(acting) > 0 {
		c.Principal, c.Actors = Principal{Issuer: is.name, Subject: claims.Subject}, acting
	}
	return c, nil
}

// ErrScope is the error for a token without a scope that its issuer's tokens need.
var ErrScope = errors.New("the token lacks a scope that is needed here")

// scoped checks the scope claim (RFC 8693, section 4.2; RFC 9068), words with single spaces between them.
func (is *issuer) scoped(claims map[string]any) error {
	if len(is.scopes) == 0 {
		return nil
	}
	text, _ := claims["scope"].(string)
	has := strings.Split(text, " ")
	for _, s := range is.scopes {
		if !slices.Contains(has, s) {
			return ErrScope
		}
	}
	return nil
}

// isScope reports whether a text is one scope (RFC 6749, section 3.3).
func isScope(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// grant is what configuration grants the agent that a token names, with no purpose that the token does not name too
// where it is the issuer's to name them. A token that names none then has none.
func (is *issuer) grant(name string, claims map[string]any) (Grant, error) {
	grant, ok := is.subjects[name]
	switch {
	case !ok && is.fallback == nil:
		return Grant{}, ErrUnknownCaller
	case !ok:
		grant = *is.fallback
	}
	if is.purpose == "" {
		return grant, nil
	}
	named, err := purposes(claims[is.purpose])
	if err != nil {
		return Grant{}, err
	}
	grant = grant.clone() // the purposes are the issuer's own
	grant.Purposes = slices.DeleteFunc(grant.Purposes, func(p flow.Purpose) bool { return !slices.Contains(named, p) })
	return grant, nil
}

// purposes reads a claim that is a string, an array of strings, or absent.
func purposes(claim any) ([]flow.Purpose, error) {
	switch v := claim.(type) {
	case nil:
		return nil, nil
	case string:
		return []flow.Purpose{flow.Purpose(v)}, nil
	case []any:
		all := make([]flow.Purpose, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				break
			}
			all = append(all, flow.Purpose(s))
		}
		if len(all) == len(v) {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%w: the claim that names purposes is neither a string nor strings", ErrBadCredential)
}

// tokenRoot names an issuer and subject without telling them.
func tokenRoot(iss, sub string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "scrim token root\x00%d\x00%s%s", len(iss), iss, sub))
	return "jwt:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// issuerOf reads, before anything is verified, whose keys are to verify it.
func (a *Authenticator) issuerOf(token string) (*issuer, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a JWT with an algorithm that is accepted here", ErrBadCredential)
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, fmt.Errorf("%w: its claims cannot be read", ErrBadCredential)
	}
	is := a.issuers[claims.Issuer]
	if is == nil {
		return nil, fmt.Errorf("%w: the issuer is not configured", ErrBadCredential)
	}
	return is, nil
}

// verify checks the signature with the issuer's keys, fetching them again where the token names one that is not known,
// and returns the claims that every token has, and all that this one has.
func (is *issuer) verify(ctx context.Context, parsed *jwt.JSONWebToken) (claims jwt.Claims, all map[string]any, err error) {
	head := parsed.Headers[0]
	set, err := is.keys.get(ctx, head.KeyID)
	if err != nil {
		return jwt.Claims{}, nil, err
	}
	for _, k := range set {
		if head.KeyID != "" && k.KeyID != head.KeyID || !fits(k, jose.SignatureAlgorithm(head.Algorithm)) {
			continue
		}
		if parsed.Claims(k.Key, &claims, &all) == nil {
			return claims, all, nil
		}
		claims, all = jwt.Claims{}, nil
	}
	return jwt.Claims{}, nil, fmt.Errorf("%w: no key of the issuer verifies it", ErrBadCredential)
}

// fits reports whether the key is for the algorithm: by its type and strength, and by what it says of itself.
func fits(k jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if k.Algorithm != "" && k.Algorithm != string(alg) || k.Use != "" && k.Use != "sig" {
		return false
	}
	switch key := k.Key.(type) {
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return (alg == jose.RS256 || alg == jose.PS256) && key.N.BitLen() >= minRSA
	default:
		return false
	}
}

// inForce checks the claims that are required: exp, the beginning (nbf or, without it, iat), aud, iss and sub.
func (a *Authenticator) inForce(is *issuer, c jwt.Claims, resource string) error {
	audience := is.audience
	if is.resource {
		audience = resource
	}
	start := c.NotBefore
	if start == nil {
		start = c.IssuedAt
	}
	switch now := a.now(); {
	case c.Issuer != is.name || audience == "" || !c.Audience.Contains(audience):
		return fmt.Errorf("%w: it is for another audience", ErrBadCredential)
	case c.Subject == "" || c.Expiry == nil || start == nil:
		return fmt.Errorf("%w: a claim out of sub, exp and nbf or iat is missing", ErrBadCredential)
	case !now.Before(c.Expiry.Time().Add(a.skew)):
		return ErrExpired
	case now.Add(a.skew).Before(start.Time()):
		return fmt.Errorf("%w: not yet in force", ErrExpired)
	}
	return nil
}

// Tokens is what callers by token must know.
type Tokens struct {
	Issuers         []string // that are believed, sorted
	Scopes          []string // that tokens of one issuer or another need, sorted
	Bound           bool     // every token must be bound to a key or certificate
	ProofAlgorithms []string // of DPoP proofs; empty without issuers
}

// Tokens returns what callers by token must know. It is not secret.
func (a *Authenticator) Tokens() Tokens { return a.tokens }

func (a *Authenticator) describe() (t Tokens) {
	t.Issuers = slices.Sorted(maps.Keys(a.issuers))
	if len(t.Issuers) == 0 {
		return t
	}
	t.Bound = true
	for _, is := range a.issuers {
		t.Scopes = append(t.Scopes, is.scopes...)
		t.Bound = t.Bound && is.bound
	}
	slices.Sort(t.Scopes)
	t.Scopes = slices.Compact(t.Scopes)
	for _, alg := range algorithms {
		t.ProofAlgorithms = append(t.ProofAlgorithms, string(alg))
	}
	return t
}
