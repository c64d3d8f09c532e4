package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// authority signs certificates of one trust domain.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: start.Add(-24 * time.Hour), NotAfter: start.Add(365 * 24 * time.Hour),
	})
	return a
}

// make signs a certificate of a new key, by itself where it has none yet.
func (a *authority) make(template *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	a.t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(a.t)
	return a.makeFor(template, key), key
}

func (a *authority) makeFor(template *x509.Certificate, key crypto.Signer) *x509.Certificate {
	a.t.Helper()
	template.SerialNumber = must(rand.Int(rand.Reader, big.NewInt(1<<62)))(a.t)
	by, signer := a.cert, a.key
	if by == nil {
		by, signer = template, key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, by, key.Public(), signer))(a.t)
	return must(x509.ParseCertificate(der))(a.t)
}

// leaf is a certificate as a workload has it, changed by what a test is about.
func (a *authority) leaf(id string, change ...func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	template := &x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		NotBefore: start.Add(-time.Minute), NotAfter: start.Add(time.Hour), BasicConstraintsValid: true,
	}
	if id != "" {
		template.URIs = []*url.URL{must(url.Parse(id))(a.t)}
	}
	for _, f := range change {
		f(template)
	}
	cert, _ := a.make(template)
	return cert
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// trust is a set of authorities that a test can change.
type trust struct {
	mu    sync.Mutex
	pools map[string]*x509.CertPool
}

func (t *trust) ClientCA(td string) (*x509.CertPool, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.pools[td]
	return p, ok
}

func (t *trust) set(td string, p *x509.CertPool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pools == nil {
		t.pools = map[string]*x509.CertPool{}
	}
	if t.pools[td] = p; p == nil {
		delete(t.pools, td)
	}
}

// town is a domain with its own authority, a peer, and workloads of two trust domains.
type certTown struct {
	own, peer, mesh, other *authority
	domains, spiffe        trust
	now                    time.Time
	auth                   *Authenticator
	key                    string // API key of desk
}

var intake = Grant{Party: flow.Party{Agent: "intake", Domain: "hospital"}, Purposes: []flow.Purpose{"care"}, Criticality: flow.Routine}

func newCertTown(t testing.TB) *certTown {
	t.Helper()
	w := &certTown{own: newAuthority(t, "own"), peer: newAuthority(t, "peer"), mesh: newAuthority(t, "mesh"), other: newAuthority(t, "other"), now: start}
	w.domains.set("hospital", w.own.pool())
	w.domains.set("insurer", w.peer.pool())
	w.spiffe.set("mesh.example", w.mesh.pool())
	w.spiffe.set("other.example", w.other.pool())
	key, digest := NewKey()
	w.key = key.Expose()
	w.auth = must(New(Options{
		Keys: []Key{{ID: "desk", SHA256: digest, Grant: desk}},
		Certificates: &Certificates{
			Domain: "hospital", Domains: &w.domains, Agents: map[flow.AgentID]Grant{"desk": desk, "intake": intake},
			SPIFFE: &w.spiffe, Workloads: map[string]Grant{"spiffe://mesh.example/ns/a/sa/desk": desk}, Fallback: map[string]Grant{"other.example": guest},
		},
		Anonymous: &Grant{Party: flow.Party{Agent: "anybody", Domain: "outside"}},
		Clock:     func() time.Time { return w.now },
	}))(t)
	return w
}

// call authenticates a request over a connection that shows a chain.
func (w *certTown) call(chain []*x509.Certificate, headers ...string) (Caller, error) {
	r := request(headers...)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, PeerCertificates: chain}
	return w.auth.Authenticate(context.Background(), r)
}

func chain(certs ...*x509.Certificate) []*x509.Certificate { return certs }

func TestCertificatesSayWhoCalls(t *testing.T) {
	w := newCertTown(t)
	for _, c := range []struct {
		name string
		leaf *x509.Certificate
		want flow.AgentID
	}{
		{"a workload by its SPIFFE ID", w.mesh.leaf("spiffe://mesh.example/ns/a/sa/desk"), "desk"},
		{"any workload of a trust domain", w.other.leaf("spiffe://other.example/anything"), "guest"},
		{"an agent by the domain's own authority", w.own.leaf("spiffe://hospital/agent/intake"), "intake"},
		{"no certificate at all", nil, "anybody"},
	} {
		var shown []*x509.Certificate
		if c.leaf != nil {
			shown = chain(c.leaf)
		}
		for range 2 { // the second time from memory
			got, err := w.call(shown)
			if err != nil || got.Party.Agent != c.want || got.Gateway != "" || (c.leaf == nil) != got.Anonymous {
				t.Errorf("%s: %+v, %v, want %s", c.name, got, err, c.want)
			}
		}
	}
}

func TestCertificatesThatAreNotBelieved(t *testing.T) {
	w := newCertTown(t)
	const desk = "spiffe://mesh.example/ns/a/sa/desk"
	weak := must(rsa.GenerateKey(rand.Reader, 1024))(t)
	small := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))(t)
	below := &authority{t: t}
	below.cert, below.key = w.mesh.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: "below"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
	})
	// A workload that signs certificates with its own key.
	worker := &authority{t: t}
	worker.cert, worker.key = w.mesh.make(&x509.Certificate{
		URIs: []*url.URL{must(url.Parse("spiffe://mesh.example/ns/a/sa/other"))(t)}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
	})
	cn := func(c *x509.Certificate) { c.Subject.CommonName = "desk" }
	from := func(d time.Duration) func(*x509.Certificate) { // the caller's own clock may be ahead by the skew, and by no more
		return func(c *x509.Certificate) { c.NotBefore = start.Add(d) }
	}
	for _, c := range []struct {
		name string
		show []*x509.Certificate
		want error
	}{
		{"the same path in another trust domain's name, by the wrong authority", chain(w.other.leaf(desk)), ErrBadCredential},
		{"not begun, with others that begin one after the other", chain(w.mesh.leaf(desk, from(2*defaultSkew)), w.other.leaf(desk, from(defaultSkew)), w.other.leaf(desk, from(2*defaultSkew))), ErrExpired},
		{"the same path in the name of a trust domain that nobody knows", chain(w.mesh.leaf("spiffe://evil.example/ns/a/sa/desk")), ErrBadCredential},
		{"an authority of workloads names an agent of the domain", chain(w.mesh.leaf("spiffe://hospital/agent/desk")), ErrBadCredential},
		{"a peer's authority names an agent of ours", chain(w.peer.leaf("spiffe://hospital/agent/desk")), ErrBadCredential},
		{"a peer's authority names an agent of its own", chain(w.peer.leaf("spiffe://insurer/agent/desk")), ErrBadCredential},
		{"a peer's authority names a gateway of ours", chain(w.peer.leaf("spiffe://hospital/gateway/edge")), ErrBadCredential},
		{"the domain's authority names an agent that is not there", chain(w.own.leaf("spiffe://hospital/agent/nobody")), ErrUnknownCaller},
		{"a workload that is not there", chain(w.mesh.leaf("spiffe://mesh.example/ns/a/sa/nobody")), ErrUnknownCaller},
		{"a longer path", chain(w.mesh.leaf(desk + "/x")), ErrUnknownCaller},
		{"two URIs, the first one known", chain(w.mesh.leaf(desk, func(c *x509.Certificate) {
			c.URIs = append(c.URIs, must(url.Parse("spiffe://mesh.example/ns/a/sa/other"))(t))
		})), ErrBadCredential},
		{"two URIs, one of them no SPIFFE ID", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.URIs = append(c.URIs, must(url.Parse("https://mesh.example"))(t)) })), ErrBadCredential},
		{"the common name of an agent and no URI", chain(w.mesh.leaf("", cn)), ErrBadCredential},
		{"the common name of an agent and the URI of nobody", chain(w.mesh.leaf("spiffe://mesh.example/x", cn)), ErrUnknownCaller},
		{"a DNS name that looks like one", chain(w.mesh.leaf("", func(c *x509.Certificate) { c.DNSNames = []string{"desk"} })), ErrBadCredential},
		{"an authority's certificate", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign })), ErrBadCredential},
		{"the flag of an authority alone", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.IsCA = true })), ErrBadCredential},
		{"a key that may sign certificates", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign })), ErrBadCredential},
		{"a key that is not for signatures", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement })), ErrBadCredential},
		{"the authority itself", chain(w.mesh.cert), ErrBadCredential},
		{"a certificate for servers alone", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })), ErrBadCredential},
		{"one that signed itself", chain((&authority{t: t}).leaf(desk)), ErrBadCredential},
		{"one that a workload signed", chain(worker.leaf(desk), worker.cert), ErrBadCredential},
		{"an authority below that is not shown", chain(below.leaf(desk)), ErrBadCredential},
		{"ended a second ago", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Second) })), ErrExpired},
		{"begins beyond the skew", chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.NotBefore = start.Add(defaultSkew + time.Second) })), ErrExpired},
		{"a trust domain without a path", chain(w.mesh.leaf("spiffe://mesh.example")), ErrBadCredential},
		{"another scheme", chain(w.mesh.leaf("https://mesh.example/ns/a/sa/desk")), ErrBadCredential},
		{"a query", chain(w.mesh.leaf(desk + "?x=1")), ErrBadCredential},
		{"dots in the path", chain(w.mesh.leaf("spiffe://mesh.example/ns/b/../a/sa/desk")), ErrBadCredential},
		{"a letter in percent code", chain(w.mesh.leaf("spiffe://mesh.example/ns/a/sa/d%65sk")), ErrBadCredential},
		{"a port", chain(w.mesh.leaf("spiffe://mesh.example:443/ns/a/sa/desk")), ErrBadCredential},
		{"a weak RSA key", chain(w.mesh.makeFor(template(t, desk), weak)), ErrBadCredential},
		{"a small curve", chain(w.mesh.makeFor(template(t, desk), small)), ErrBadCredential},
		{"a chain of too many", append(chain(w.mesh.leaf(desk)), make([]*x509.Certificate, maxChain)...), ErrBadCredential},
		{"a gateway of ours by the wrong kind of authority", chain(w.mesh.leaf("spiffe://mesh.example/gateway/edge")), ErrUnknownCaller},
		{"a gateway with a longer path", chain(w.peer.leaf("spiffe://insurer/gateway/edge/x")), ErrBadCredential},
	} {
		got, err := w.call(c.show)
		if !errors.Is(err, c.want) || got.TokenRoot != "" || got.Party.Agent != "" {
			t.Errorf("%s: %+v, %v, want %v", c.name, got, err, c.want)
		}
	}
	if got, err := w.call(chain(below.leaf(desk), below.cert)); err != nil || got.Party.Agent != "desk" {
		t.Errorf("an authority below that is shown: %+v, %v, want desk", got, err)
	}
	if got, err := w.call(chain(w.mesh.leaf(desk, func(c *x509.Certificate) { c.NotBefore = start.Add(defaultSkew - time.Second) }))); err != nil || got.Party.Agent != "desk" {
		t.Errorf("begins within the skew: %+v, %v, want desk", got, err)
	}
}

func template(t testing.TB, id string) *x509.Certificate {
	return &x509.Certificate{
		URIs: []*url.URL{must(url.Parse(id))(t)}, KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: start.Add(-time.Minute), NotAfter: start.Add(time.Hour), BasicConstraintsValid: true,
	}
}

// Trust that is taken away, and a certificate that ends, end for a connection that stands, also where the chain is remembered.
func TestTrustEndsForConnectionsThatStand(t *testing.T) {
	w := newCertTown(t)
	leaf := chain(w.other.leaf("spiffe://other.example/anything"))
	agree := func(what string, want error) {
		t.Helper()
		if _, err := w.call(leaf); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", what, err, want)
		}
	}
	agree("trusted", nil)
	w.spiffe.set("other.example", nil)
	agree("the bundle is gone", ErrBadCredential)
	w.spiffe.set("other.example", w.mesh.pool())
	agree("the bundle has another authority", ErrBadCredential)
	w.spiffe.set("other.example", w.other.pool())
	agree("trusted again", nil)
	w.now = start.Add(time.Hour + time.Second)
	agree("it ended", ErrExpired)
	w.now = start.Add(-time.Hour)
	agree("the clock was set back", ErrExpired)
}

func TestGatewaysHaveNoRightsOfTheirOwn(t *testing.T) {
	w := newCertTown(t)
	edge := chain(w.peer.leaf("spiffe://insurer/gateway/edge"))
	if got, err := w.call(edge); !errors.Is(err, ErrGateway) || !errors.Is(err, ErrUnknownCaller) || got.Party.Domain != "" {
		t.Errorf("a gateway alone: %+v, %v, want ErrGateway", got, err)
	}
	r := request("Authorization", "whatever")
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: edge}
	if p, err := w.auth.Gateway(r); err != nil || p.Domain != "insurer" || p.Name != "edge" {
		t.Errorf("Gateway() = %+v, %v, want edge of insurer", p, err)
	}
	r.TLS.Version = tls.VersionTLS12
	if p, err := w.auth.Gateway(r); !errors.Is(err, ErrBadCredential) {
		t.Errorf("a gateway over TLS 1.2: %+v, %v", p, err)
	}
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: chain(w.own.leaf("spiffe://hospital/agent/intake"))}
	if p, err := w.auth.Gateway(r); !errors.Is(err, ErrBadCredential) {
		t.Errorf("an agent as a gateway: %+v, %v", p, err)
	}
	if p, err := w.auth.Gateway(request()); !errors.Is(err, ErrNoCredential) {
		t.Errorf("no certificate: %+v, %v", p, err)
	}
}

func TestACertificateBesideACredential(t *testing.T) {
	w := newCertTown(t)
	for _, c := range []struct {
		name    string
		leaf    *x509.Certificate
		want    error
		gateway flow.DomainID
	}{
		{"of the same party", w.own.leaf("spiffe://hospital/agent/desk"), nil, ""},
		{"of the same party by its workload", w.mesh.leaf("spiffe://mesh.example/ns/a/sa/desk"), nil, ""},
		{"of another party", w.own.leaf("spiffe://hospital/agent/intake"), ErrBadCredential, ""},
		{"of the agent's own gateway", w.own.leaf("spiffe://hospital/gateway/edge"), nil, "hospital"},
		{"of a gateway of another domain", w.peer.leaf("spiffe://insurer/gateway/edge"), ErrBadCredential, ""},
		{"of nobody who is known", w.mesh.leaf("spiffe://mesh.example/nobody"), ErrUnknownCaller, ""},
		{"that is not believed", w.mesh.leaf("spiffe://evil.example/x"), ErrBadCredential, ""},
	} {
		got, err := w.call(chain(c.leaf), "X-API-Key", w.key)
		if !errors.Is(err, c.want) || got.Gateway != c.gateway || (err == nil) != (got.Party.Agent == "desk") {
			t.Errorf("a certificate %s: %+v, %v, want %v", c.name, got, err, c.want)
		}
		if err == nil && (got.Thumbprint == [32]byte{} || !got.Expires.Equal(c.leaf.NotAfter) || got.TokenRoot != "key:desk") {
			t.Errorf("a certificate %s: %+v, want the key's caller until the certificate ends", c.name, got)
		}
	}
	if _, err := w.call(chain(w.own.leaf("spiffe://hospital/agent/desk")), "X-API-Key", "wrong"); !errors.Is(err, ErrBadCredential) {
		t.Errorf("a wrong key beside a good certificate: %v, want ErrBadCredential", err)
	}
}

func TestKnownByCertificate(t *testing.T) {
	w := newCertTown(t)
	party := flow.Party{Agent: "intake", Domain: "hospital"}
	if c, ok := w.auth.Known(party); !ok || c.Party.Agent != "intake" {
		t.Errorf("Known() = %+v, %t, want intake", c, ok)
	}
	w.domains.set("hospital", nil)
	if c, ok := w.auth.Known(party); ok {
		t.Errorf("without an authority Known() = %+v, want nobody", c)
	}
}

func TestErrorsOfCertificatesHoldNothingOfThem(t *testing.T) {
	w := newCertTown(t)
	for _, id := range []string{"spiffe://mesh.example/Zanzibar", "https://Zanzibar", "spiffe://Zanzibar/x"} {
		_, err := w.call(chain(w.mesh.leaf(id)))
		if err == nil || strings.Contains(err.Error(), "anzibar") {
			t.Errorf("%s: %v", id, err)
		}
	}
}
