package identity

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/scrimhq/scrim/flow"
)

// Authorities are those whose client certificates are believed, by SPIFFE trust domain. They are asked anew for each
// request, so that trust that ends, ends for connections that stand.
type Authorities interface {
	// ClientCA returns the authorities of a trust domain, false if there are none. A pool that was returned is never changed: what is
	// believed changes by another pool in its place. It must be safe for concurrent use, and must not wait for anything.
	ClientCA(trustDomain string) (*x509.CertPool, bool)
}

// Certificates say whose client certificates are believed, and of whom they speak. A certificate speaks by the one URI
// of its subject alternative names and by nothing else; a common name is not looked at.
type Certificates struct {
	Domain flow.DomainID // this gateway's own; the name of a domain is that of its trust domain

	// Domains are the authorities of this domain and of its peers: spiffe://DOMAIN/gateway/NAME is a gateway of that domain, and
	// spiffe://DOMAIN/agent/ID, from the own authority alone, one of Agents. Nil: none.
	Domains Authorities
	Agents  map[flow.AgentID]Grant

	// SPIFFE are the authorities of workloads, each of which is the agent of its SPIFFE ID, else the one for all of its trust
	// domain, else unknown. Nil: none.
	SPIFFE    Authorities
	Workloads map[string]Grant
	Fallback  map[string]Grant // by trust domain
}

// ErrGateway is the error for a caller that proved to be a gateway and nothing else. A gateway has no rights of its own: it
// speaks for an agent of its domain, and says for which by a credential or a hop statement. It wraps [ErrUnknownCaller].
var ErrGateway = fmt.Errorf("%w: the certificate is a gateway's, which speaks for agents and is none", ErrUnknownCaller)

// Peer is a gateway at the other end of a connection, as its certificate shows.
type Peer struct {
	Domain     flow.DomainID
	Name       string   // of the gateway within its domain
	Thumbprint [32]byte // SHA-256 of the certificate
	Expires    time.Time
}

// Gateway returns the gateway that the connection of a request comes from, if the certificate that it shows is one that the
// authority of this domain or of a peer made for a gateway, and the connection is of TLS 1.3. Whatever else the request
// carries is not looked at. It returns [ErrNoCredential] for a connection that shows no certificate.
func (a *Authenticator) Gateway(r *http.Request) (Peer, error) {
	s := a.shown(r)
	switch {
	case s == nil:
		return Peer{}, ErrNoCredential
	case s.err != nil:
		return Peer{}, s.err
	case s.gateway == "":
		return Peer{}, fmt.Errorf("%w: the certificate is no gateway's", ErrBadCredential)
	}
	return Peer{Domain: s.gateway, Name: s.name, Thumbprint: s.thumbprint, Expires: s.until}, nil
}

// shown is what the certificate of a connection says. Where err is set, nothing else is but the digests: that the caller has the key
// was proven by the handshake, and what it may be taken for was not.
type shown struct {
	thumbprint [32]byte // SHA-256 of the certificate, as x5t#S256 has it
	key        [32]byte // SHA-256 of the SubjectPublicKeyInfo
	err        error
	id         string // SPIFFE ID
	until      time.Time
	gateway    flow.DomainID // set for a gateway
	name       string        // of the gateway
	grant      Grant         // set for an agent
}

func (s *shown) caller() Caller {
	sum := sha256.Sum256([]byte("scrim certificate root\x00" + s.id))
	c := s.grant.caller("x509:"+base64.RawURLEncoding.EncodeToString(sum[:16]), s.until)
	c.Thumbprint = s.thumbprint
	return c
}

const (
	maxChain    = 8       // certificates that a caller may show
	maxVerified = 4 << 10 // chains that are remembered
)

// certificates verify what callers show.
type certificates struct {
	Certificates
	skew time.Duration
	now  func() time.Time

	mu       sync.Mutex // guards verified
	verified map[[32]byte]verifiedChain
}

// verifiedChain is remembered for as long as the authorities are the same.
type verifiedChain struct {
	id          spiffeid.ID
	roots       *x509.CertPool
	spiffe      bool // by the authorities of workloads, otherwise by those of domains
	from, until time.Time
}

func newCertificates(in Certificates, skew time.Duration, now func() time.Time, wrong func(string, ...any)) *certificates {
	c := &certificates{Certificates: in, skew: skew, now: now, verified: map[[32]byte]verifiedChain{}}
	c.Agents, c.Workloads, c.Fallback = map[flow.AgentID]Grant{}, map[string]Grant{}, map[string]Grant{}
	for id, g := range in.Agents {
		c.Agents[id] = g.clone()
		if !g.valid() || g.Party.Domain != in.Domain {
			wrong("certificates: an agent has no id, or is not of this domain")
		}
	}
	for id, g := range in.Workloads {
		c.Workloads[id] = g.clone()
		if got, err := spiffeid.FromString(id); err != nil || got.Path() == "" || !g.valid() {
			wrong("certificates: a SPIFFE ID is not of the form spiffe://trust-domain/path, or its party has no agent or no domain")
		}
	}
	for td, g := range in.Fallback {
		c.Fallback[td] = g.clone()
		if got, err := spiffeid.TrustDomainFromString(td); err != nil || got.Name() != td || !g.valid() {
			wrong("certificates: the name of a trust domain is not one, or its party has no agent or no domain")
		}
	}
	return c
}

// shown returns nil for a connection that shows no certificate.
func (a *Authenticator) shown(r *http.Request) *shown {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	leaf := r.TLS.PeerCertificates[0]
	s := &shown{thumbprint: sha256.Sum256(leaf.Raw), key: sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}
	if a.certificates == nil {
		s.err = fmt.Errorf("%w: no certificate is believed here", ErrBadCredential)
	} else if err := a.certificates.read(s, r.TLS); err != nil {
		*s = shown{thumbprint: s.thumbprint, key: s.key, err: err}
	}
	return s
}

// read fills in whose certificate it is.
func (c *certificates) read(s *shown, state *tls.ConnectionState) error {
	v, err := c.verify(state.PeerCertificates)
	if err != nil {
		return err
	}
	s.id, s.until = v.id.String(), v.until
	if v.spiffe {
		g, ok := c.Workloads[s.id]
		if !ok {
			g, ok = c.Fallback[v.id.TrustDomain().Name()]
		}
		if !ok {
			return ErrUnknownCaller
		}
		s.grant = g
		return nil
	}
	kind, name, _ := strings.Cut(strings.TrimPrefix(v.id.Path(), "/"), "/")
	domain := flow.DomainID(v.id.TrustDomain().Name())
	switch {
	case name == "" || strings.Contains(name, "/"):
	case kind == "gateway" && state.Version < tls.VersionTLS13:
		return fmt.Errorf("%w: gateways speak TLS 1.3", ErrBadCredential)
	case kind == "gateway":
		s.gateway, s.name = domain, name
		return nil
	case kind == "agent" && domain == c.Domain:
		g, ok := c.Agents[flow.AgentID(name)]
		if !ok {
			return ErrUnknownCaller
		}
		s.grant = g
		return nil
	}
	return fmt.Errorf("%w: the domain's authority may not name this", ErrBadCredential)
}

// verify returns whose chain it is, by the authorities of this moment.
func (c *certificates) verify(chain []*x509.Certificate) (verifiedChain, error) {
	if len(chain) > maxChain {
		return verifiedChain{}, fmt.Errorf("%w: the chain of certificates is too long", ErrBadCredential)
	}
	at, key := c.now(), digestOf(chain)
	c.mu.Lock()
	v, ok := c.verified[key]
	c.mu.Unlock()
	if ok && at.Add(c.skew).After(v.from) && at.Before(v.until) && c.authorities(v.spiffe, v.id) == v.roots {
		return v, nil
	}
	v, err := c.verifyAnew(chain, at)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.verified, key)
	if err == nil {
		if len(c.verified) >= maxVerified {
			clear(c.verified) // those who call get back in with their next request
		}
		c.verified[key] = v
	}
	return v, err
}

// authorities returns nil where there are none.
func (c *certificates) authorities(spiffe bool, id spiffeid.ID) *x509.CertPool {
	from := c.Domains
	if spiffe {
		from = c.SPIFFE
	}
	if from == nil {
		return nil
	}
	pool, ok := from.ClientCA(id.TrustDomain().Name())
	if !ok {
		return nil
	}
	return pool
}

// verifyAnew checks a chain as the X.509-SVID standard has it (SPIFFE X509-SVID, section 5), first by the authorities of domains,
// then by those of workloads.
func (c *certificates) verifyAnew(chain []*x509.Certificate, at time.Time) (verifiedChain, error) {
	id, err := leafOf(chain[0])
	if err != nil {
		return verifiedChain{}, err
	}
	known := false
	for _, spiffe := range []bool{false, true} {
		roots := c.authorities(spiffe, id)
		if roots == nil {
			continue
		}
		known = true
		if from, until, ok := within(chain, roots, at, c.skew); ok {
			return verifiedChain{id: id, roots: roots, spiffe: spiffe, from: from, until: until}, nil
		}
	}
	now := at.Add(c.skew)
	switch {
	case !known:
		return verifiedChain{}, fmt.Errorf("%w: nobody's certificates are believed for its trust domain", ErrBadCredential)
	case !at.Before(chain[0].NotAfter) || now.Before(chain[0].NotBefore):
		return verifiedChain{}, fmt.Errorf("%w: the certificate", ErrExpired)
	}
	return verifiedChain{}, fmt.Errorf("%w: no authority of its trust domain vouches for the certificate", ErrBadCredential)
}

// within verifies a chain and returns from when to when it holds. A certificate of the other end's clock may begin up to skew from now;
// none is taken after its end.
func within(chain []*x509.Certificate, roots *x509.CertPool, at time.Time, skew time.Duration) (from, until time.Time, ok bool) {
	between, latest := x509.NewCertPool(), at.Add(skew) // however many certificates there are
	for i, cert := range chain {
		if cert.NotBefore.After(at) && !cert.NotBefore.After(latest) {
			at = cert.NotBefore
		}
		if i > 0 {
			between.AddCert(cert)
		}
	}
	chains, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return time.Time{}, time.Time{}, false
	}
	for _, one := range chains {
		begin, end := one[0].NotBefore, one[0].NotAfter
		for _, cert := range one[1:] {
			if cert.NotBefore.After(begin) {
				begin = cert.NotBefore
			}
			if cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
		if end.After(until) {
			from, until = begin, end
		}
	}
	return from, until, true
}

// leafOf checks what a certificate must be to speak for a workload, before anybody's signature is looked at: no authority, one SPIFFE
// ID with a path, a key that is strong enough.
func leafOf(leaf *x509.Certificate) (spiffeid.ID, error) {
	bad := func(why string) (spiffeid.ID, error) {
		return spiffeid.ID{}, fmt.Errorf("%w: %s", ErrBadCredential, why)
	}
	switch {
	case leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return bad("an authority's certificate is no caller's")
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return bad("the certificate's key is not for signatures")
	case len(leaf.URIs) != 1:
		return bad("the certificate names not exactly one URI")
	case !strongKey(leaf.PublicKey):
		return bad("the certificate's key is of no kind that is accepted here")
	}
	id, err := spiffeid.FromURI(leaf.URIs[0])
	if err != nil || id.Path() == "" {
		return bad("the URI of the certificate is no SPIFFE ID of a workload")
	}
	return id, nil
}

func strongKey(key any) bool {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize >= 256
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA
	}
	return false
}

func digestOf(chain []*x509.Certificate) (sum [32]byte) {
	h := sha256.New()
	for _, cert := range chain {
		_ = binary.Write(h, binary.BigEndian, uint64(len(cert.Raw))) // a hash never fails
		h.Write(cert.Raw)
	}
	h.Sum(sum[:0])
	return sum
}

// together is the caller of a request that shows a certificate and a credential of another kind. The credential says who
// it is, and the certificate may not say somebody else: it is the same party's, or a gateway's that carries for an agent
// of its own domain, or, trusted or not, the one that the credential is bound to (RFC 8705, section 3).
func together(c Caller, s *shown, bound bool) (Caller, error) {
	two := fmt.Errorf("%w: certificate and credential are not of one party", ErrBadCredential)
	switch {
	case s.err != nil && bound:
		c.Thumbprint = s.thumbprint
		return c, nil
	case s.err != nil:
		return Caller{}, s.err
	case s.gateway != "" && s.gateway != c.Party.Domain:
		return Caller{}, two
	case s.gateway != "":
		c.Gateway = s.gateway
	case s.grant.Party.Agent != c.Party.Agent || s.grant.Party.Domain != c.Party.Domain:
		return Caller{}, two
	}
	if c.Expires.IsZero() || s.until.Before(c.Expires) {
		c.Expires = s.until
	}
	c.Thumbprint = s.thumbprint
	return c, nil
}

// WantsCertificates reports whether a certificate can prove anything here, so that callers should be asked for one.
func (a *Authenticator) WantsCertificates() bool {
	for _, is := range a.issuers {
		if is.bound {
			return true
		}
	}
	c := a.certificates
	if c == nil {
		return false
	}
	if c.SPIFFE != nil {
		return true
	}
	if some, ok := c.Domains.(interface{ Any() bool }); ok {
		return some.Any()
	}
	return c.Domains != nil
}

// grants are all that certificates may bring.
func (c *certificates) grants(each func(Grant)) {
	if c == nil {
		return
	}
	for _, m := range []map[string]Grant{c.Workloads, c.Fallback} {
		for g := range maps.Values(m) {
			each(g)
		}
	}
	if c.Domains == nil {
		return
	}
	if _, ok := c.Domains.ClientCA(cmp.Or(string(c.Domain), "-")); !ok {
		return
	}
	for g := range maps.Values(c.Agents) {
		each(g)
	}
}
