// Package identity says who is calling: it turns the credential of an HTTP request into a party of a flow.
//
// Three kinds of caller are known: the holder of an API key, of which configuration keeps only the SHA-256; the bearer
// of a JWT that a configured issuer signed; and, only where configuration names a party for it, anyone. What a caller
// may claim, purposes and criticality, comes from configuration; a request can only choose among what was granted.
//
// No error, log line or [Caller] of this package holds a credential or a part of one.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Why a caller was not believed. Every error of [Authenticator.Authenticate] wraps one of these.
var (
	ErrNoCredential  = errors.New("the request carries no credential")
	ErrBadCredential = errors.New("the credential is not accepted")
	ErrExpired       = errors.New("the credential is outside its time")
	ErrUnknownCaller = errors.New("the credential is valid but names no configured party")
	ErrUnavailable   = errors.New("the issuer's keys cannot be had at the moment")
)

// Headers in which a request chooses among what its caller was granted.
const (
	HeaderPurpose     = "Scrim-Purpose"
	HeaderCriticality = "Scrim-Criticality"
)

// KeyPrefix begins every API key, so that scanners find one that was left lying about.
const KeyPrefix = "scrim_"

// Grant is a party and the most it may claim.
type Grant struct {
	Party       flow.Party
	Purposes    []flow.Purpose   // that it may name; empty: none
	Default     flow.Purpose     // of requests that name none; empty or not among Purposes: the only one there is, or none
	Criticality flow.Criticality // the highest it may name
}

// Caller is an authenticated caller.
type Caller struct {
	Party       flow.Party
	Purposes    []flow.Purpose   // granted
	Default     flow.Purpose     // as in [Grant]
	Criticality flow.Criticality // the highest granted
	TokenRoot   string           // stable name of the root credential: of a key, or of an issuer and subject; says nothing to others
	Expires     time.Time        // when the credential ends; zero: when configuration says
	Anonymous   bool             // nobody proved anything
	Gateway     flow.DomainID    // whose gateway carried the request, by the certificate of its connection; "": none's
	Thumbprint  [32]byte         // SHA-256 of the certificate that the connection shows; zero: none
	Proof       [32]byte         // JWK thumbprint of the key that the caller proved to have by DPoP (RFC 9449); zero: none
	Principal   Principal        // on whose behalf the caller acts, where its token says that; nothing is granted by it
	Actors      []Principal      // who acts, as the token's act claim has it (RFC 8693, section 4.1): the caller first, then before whom it took over
}

// Principal is a subject as an issuer names it. It is told, and grants nothing.
type Principal struct {
	Issuer  string // whose name it is
	Subject string
}

// Choose returns the purpose and criticality that hold for a request that names these.
//
// What was not granted is not an error: the least privileged holds instead, which is the empty purpose, or low
// criticality. A request that names no purpose gets the default if it is granted, otherwise the only one granted if there
// is exactly one, otherwise none; one that names no criticality gets low. A criticality above the granted one is low, not the granted one: who asks for
// more than they may have is told nothing about how much they may have.
func (c Caller) Choose(purpose, criticality string) (flow.Purpose, flow.Criticality) {
	var p flow.Purpose
	switch {
	case purpose == "" && c.Default != "" && slices.Contains(c.Purposes, c.Default):
		p = c.Default
	case purpose == "" && len(c.Purposes) == 1:
		p = c.Purposes[0]
	case purpose != "" && slices.Contains(c.Purposes, flow.Purpose(purpose)):
		p = flow.Purpose(purpose)
	}
	crit, err := flow.ParseCriticality(criticality)
	if err != nil || crit > c.Criticality {
		crit = flow.Low
	}
	return p, crit
}

// ChooseFrom is [Caller.Choose] with what the request's headers name. A header given twice names nothing.
func (c Caller) ChooseFrom(h http.Header) (flow.Purpose, flow.Criticality) {
	return c.Choose(only(h, HeaderPurpose), only(h, HeaderCriticality))
}

func only(h http.Header, name string) string {
	if v := h.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// Key is one API key as configuration keeps it.
type Key struct {
	ID     string // names the key in the journal; not secret
	SHA256 string // of the whole key, in hexadecimal
	Grant  Grant
	Until  time.Time // zero: no end
}

// NewKey makes an API key of 256 random bits, and the digest that configuration keeps.
func NewKey() (key flow.Secret, digest string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	text := KeyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return flow.NewSecret(text), Digest(text)
}

// Digest returns what configuration keeps of an API key.
func Digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Issuer is one whose JWTs are believed. Exactly one of File, URL and Discover is set.
type Issuer struct {
	Issuer       string           // the iss claim, exactly
	Audience     string           // what the aud claim must contain
	Resource     bool             // it must contain the resource that the request is for instead (RFC 8707), see [WithResource]
	Scopes       []string         // that the scope claim must contain, all of them; empty: none
	Bound        bool             // a token must be bound to a certificate or key; otherwise only one that says that it is
	Transaction  bool             // it issues transaction tokens, which [Authenticator.Token] reads
	Algorithms   []string         // out of EdDSA, ES256, RS256, PS256; empty: EdDSA and ES256
	File         string           // path of a JWKS file, read again when it changes
	URL          string           // https address of a JWKS; http only for loopback
	Discover     bool             // the issuer's discovery document says where its JWKS is (OpenID Connect Discovery 1.0)
	KeyHosts     []string         // hosts, with a port where there is one, where a discovered JWKS may be beside the issuer's own
	AgentClaim   string           // the claim, a string, that names the agent, or act.sub: who acts (RFC 8693); empty: sub
	PurposeClaim string           // the claim, a string or strings, without whose purposes none is granted; empty: configuration grants alone
	Subjects     map[string]Grant // by the agent claim
	Default      *Grant           // for agents not listed; nil: refused
}

// Options are what may be left out.
type Options struct {
	Keys         []Key
	Issuers      []Issuer
	Certificates *Certificates    // nil: no certificate is believed
	Attestor     Attestor         // verifies evidence about callers' runtimes; nil: nobody is attested
	Replay       *Replay          // that remembers proofs; nil: one of its own
	Nonces       *Nonces          // that evidence must be made for; nil: of its own, which no other authenticator knows
	Anonymous    *Grant           // who a caller without a credential is; nil: refused
	Skew         time.Duration    // allowed between clocks; 0: 30 s, at most 5 min
	Clock        func() time.Time // nil: time.Now
	Client       *http.Client     // fetches JWKS; nil: one of its own. Redirects are not followed, and 5 s are the most it gets
}

// ErrConfig is wrapped by the errors of [New].
var ErrConfig = errors.New("identity configuration is not valid")

// Authenticator authenticates requests. It is safe for concurrent use.
type Authenticator struct {
	keys         []apiKey
	issuers      map[string]*issuer
	certificates *certificates // nil: none is believed
	tokens       Tokens
	attestor     Attestor
	replay       *Replay
	nonces       *Nonces
	anonymous    *Grant
	skew         time.Duration
	now          func() time.Time
}

type apiKey struct {
	digest [sha256.Size]byte
	id     string
	grant  Grant
	until  time.Time
}

const (
	defaultSkew = 30 * time.Second
	maxSkew     = 5 * time.Minute
)

// New checks the options and returns an authenticator. It opens no connection and reads no file. The error wraps
// [ErrConfig] and tells of every mistake.
func New(opt Options) (*Authenticator, error) {
	a := &Authenticator{issuers: make(map[string]*issuer), skew: opt.Skew, now: opt.Clock}
	if a.now == nil {
		a.now = time.Now
	}
	if a.skew == 0 {
		a.skew = defaultSkew
	}
	if a.attestor, a.nonces = opt.Attestor, opt.Nonces; a.nonces == nil {
		a.nonces = NewNonces(0, a.now)
	}
	if a.replay = opt.Replay; a.replay == nil {
		a.replay = NewReplay(a.now)
	}
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if a.skew < 0 || a.skew > maxSkew {
		wrong("skew is not between 0 and %s", maxSkew)
	}
	ids, digests := make(map[string]bool), make(map[[sha256.Size]byte]bool)
	for i, k := range opt.Keys {
		var digest [sha256.Size]byte
		if n, err := hex.Decode(digest[:], []byte(k.SHA256)); len(k.SHA256) != 2*sha256.Size || err != nil || n != sha256.Size {
			wrong("keys[%d]: sha256 is not 64 hexadecimal digits", i)
		} else if digests[digest] {
			wrong("keys[%d]: the key is listed twice", i)
		}
		if k.ID == "" || ids[k.ID] {
			wrong("keys[%d]: id is empty or used twice", i)
		}
		if !k.Grant.valid() {
			wrong("keys[%d]: the party has no agent or no domain", i)
		}
		ids[k.ID], digests[digest] = true, true
		a.keys = append(a.keys, apiKey{digest, k.ID, k.Grant.clone(), k.Until})
	}
	for i, in := range opt.Issuers {
		is, err := newIssuer(in, opt.Client, a.now)
		if err != nil {
			wrong("issuers[%d]: %w", i, err)
			continue
		}
		if a.issuers[in.Issuer] != nil {
			wrong("issuers[%d]: the issuer is listed twice", i)
		}
		a.issuers[in.Issuer] = is
	}
	if opt.Certificates != nil {
		a.certificates = newCertificates(*opt.Certificates, a.skew, a.now, wrong)
	}
	if opt.Anonymous != nil {
		g := opt.Anonymous.clone()
		a.anonymous = &g
		if !g.valid() {
			wrong("anonymous: the party has no agent or no domain")
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	a.tokens = a.describe()
	return a, nil
}

func (g Grant) valid() bool { return g.Party.Agent != "" && g.Party.Domain != "" }

func (g Grant) clone() Grant {
	g.Purposes = slices.Clone(g.Purposes)
	g.Party.Roles = slices.Clone(g.Party.Roles)
	return g
}

func (g Grant) caller(root string, expires time.Time) Caller {
	g = g.clone()
	g.Party.Attested = false // no grant can say so
	return Caller{Party: g.Party, Purposes: g.Purposes, Default: g.Default, Criticality: g.Criticality, TokenRoot: root, Expires: expires}
}

// Authenticate says who sent the request. It returns a zero Caller with every error, and never echoes the credential.
//
// The credential is a client certificate of the connection, an API key or JWT in one Authorization header of scheme
// Bearer or, with a proof of possession, DPoP, or an API key in one X-API-Key header. More than one is refused, since it is not clear whose request it is, but
// for a certificate beside another credential of the same party, or beside one of an agent whose gateway the certificate
// names. A credential that is not accepted is never taken for the absence of one, so that it does not become the
// anonymous caller. A gateway's certificate alone is nobody's: [ErrGateway].
//
// Whether the caller's party is attested is set by [Authenticator.Attested], and by nothing else.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (Caller, error) {
	c, err := a.attested(ctx, r)
	targetOf(ctx).fail(err)
	return c, err
}

func (a *Authenticator) attested(ctx context.Context, r *http.Request) (Caller, error) {
	c, err := a.authenticate(ctx, r)
	if err != nil {
		return Caller{}, err
	}
	switch {
	case c.Anonymous:
	case c.Gateway != "" && a.attestor != nil && len(r.Header.Values(HeaderAttestation)) > 0:
		return Caller{}, fmt.Errorf("%w: it would be the gateway's, not the caller's", ErrAttestation)
	case c.Gateway == "":
		if c.Party.Attested, err = a.Attested(ctx, r, c.Proof); err != nil {
			return Caller{}, err
		}
	}
	return c, nil
}

func (a *Authenticator) authenticate(ctx context.Context, r *http.Request) (Caller, error) {
	token, kind, as, err := credential(r.Header)
	if err != nil {
		return Caller{}, err
	}
	s := a.shown(r)
	if kind == none {
		return a.bare(s)
	}
	var c Caller
	certified := false // the token is bound to the certificate
	if kind == jsonWebToken {
		c, certified, err = a.token(ctx, token, presented{scheme: as, method: r.Method, proofs: r.Header.Values(HeaderDPoP), target: targetOf(ctx), shown: s})
	} else {
		c, err = a.key(token)
	}
	if err != nil || s == nil {
		return c, err
	}
	return together(c, s, certified)
}

// bare is the caller of a request with a certificate and nothing else, or with nothing.
func (a *Authenticator) bare(s *shown) (Caller, error) {
	switch {
	case s != nil && s.err != nil:
		return Caller{}, s.err
	case s != nil && s.gateway != "":
		return Caller{}, ErrGateway
	case s != nil:
		return s.caller(), nil
	case a.anonymous == nil:
		return Caller{}, ErrNoCredential
	}
	c := a.anonymous.caller("anonymous", time.Time{})
	c.Anonymous = true
	return c, nil
}

// Known returns the caller that an agent still is where it asked for something and is not there to prove it again. It is
// false if nothing configured lets the agent in any more; what is granted is the least of what its credentials grant.
func (a *Authenticator) Known(p flow.Party) (Caller, bool) {
	var found *Grant
	meet := func(g Grant) {
		switch {
		case g.Party.Agent != p.Agent || g.Party.Domain != p.Domain:
		case found == nil:
			g = g.clone()
			found = &g
		default:
			found.Purposes = slices.DeleteFunc(found.Purposes, func(q flow.Purpose) bool { return !slices.Contains(g.Purposes, q) })
			found.Criticality = min(found.Criticality, g.Criticality)
		}
	}
	now := a.now()
	for i := range a.keys {
		if k := &a.keys[i]; k.until.IsZero() || now.Before(k.until) {
			meet(k.grant)
		}
	}
	for _, is := range a.issuers {
		for _, g := range is.subjects {
			meet(g)
		}
	}
	a.certificates.grants(meet)
	if found == nil {
		return Caller{}, false
	}
	return found.caller("known", time.Time{}), true
}

// Stranger reports whether the party is that of callers without a credential, and of nobody else.
func (a *Authenticator) Stranger(p flow.Party) bool {
	if a.anonymous == nil || a.anonymous.Party.Agent != p.Agent || a.anonymous.Party.Domain != p.Domain {
		return false
	}
	_, known := a.Known(p)
	return !known
}

// key compares with every key there is, so that the time taken says nothing.
func (a *Authenticator) key(token string) (Caller, error) {
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range a.keys {
		if subtle.ConstantTimeCompare(sum[:], a.keys[i].digest[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Caller{}, ErrBadCredential
	}
	k := a.keys[found]
	if !k.until.IsZero() && !a.now().Before(k.until) {
		return Caller{}, ErrExpired
	}
	return k.grant.caller("key:"+k.id, k.until), nil
}

type credentialKind uint8

const (
	none credentialKind = iota
	opaqueKey
	jsonWebToken
)

// scheme is how a credential is presented in the Authorization header.
type scheme uint8

const (
	bearer scheme = iota
	dpop
)

const maxToken = 8 << 10 // bytes of a credential

// credential finds the one credential of the headers.
func credential(h http.Header) (token string, kind credentialKind, as scheme, err error) {
	bad := func(why string) (string, credentialKind, scheme, error) {
		return "", none, bearer, fmt.Errorf("%w: %s", ErrBadCredential, why)
	}
	auth, keys := h.Values("Authorization"), h.Values("X-API-Key")
	switch len(auth) + len(keys) {
	case 0:
		return "", none, bearer, nil
	case 1:
	default:
		return bad("there is more than one")
	}
	if len(keys) == 1 {
		token = keys[0]
	} else {
		name, rest, _ := strings.Cut(auth[0], " ")
		switch {
		case strings.EqualFold(name, "DPoP"):
			as = dpop
		case !strings.EqualFold(name, "Bearer"):
			return bad("the scheme is neither Bearer nor DPoP")
		}
		token = strings.TrimLeft(rest, " ")
	}
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return bad("it has not the form of a token")
	}
	if len(keys) == 0 && strings.Count(token, ".") == 2 && !strings.HasPrefix(token, KeyPrefix) {
		return token, jsonWebToken, as, nil
	}
	if as == dpop {
		return bad("a key is presented as one that is bound to a proof")
	}
	return token, opaqueKey, bearer, nil
}
