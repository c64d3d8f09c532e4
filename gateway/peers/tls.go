package peers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/policy/domain"
)

// Places of a [domain.Error] of [domain.RuleCertificate]: what is wrong with the certificate.
const (
	PlaceName      = "it does not name a gateway"
	PlaceDomain    = "it names a gateway of another domain than the one that is meant"
	PlacePeer      = "it names a domain that is no peer, or whose document does not count"
	PlaceAuthority = "the authority in the domain's document did not make it"
	PlaceTime      = "its time is over, or has not begun"
	PlaceNone      = "none is shown"
)

// ErrNotInForce is the error of calls to a peer whose document does not count at this time.
var ErrNotInForce = errors.New("the peer has no document that counts at this time")

// linkLife is how long connections are made by one set of TLS options: a certificate is looked at when a connection is
// made, and must not count for longer than that because calls go on.
const linkLife = 12 * time.Hour

const mostShown = 5 // certificates in a chain

func wrong(place string) error {
	return &domain.Error{Rule: domain.RuleCertificate, Place: place}
}

// ClientCA returns the authorities of a domain: those in the document of a peer that counts at this time, or the own ones.
// A pool is never changed; another takes its place.
func (p *Peers) ClientCA(trustDomain string) (*x509.CertPool, bool) {
	d := flow.DomainID(trustDomain)
	if !p.ready() {
		return nil, false
	}
	if d == p.own {
		if s := p.state.Load(); s.pool != nil {
			return s.pool, true
		}
		return nil, false
	}
	e := p.state.Load().entries[d]
	if _, ok := p.Peer(d); !ok || e == nil || len(e.Document.Authorities) == 0 {
		return nil, false
	}
	return e.pool, e.pool != nil
}

// Any reports whether anybody's certificate could be believed: the domain has an authority or peers.
func (p *Peers) Any() bool {
	return p.ready() && (p.state.Load().pool != nil || len(p.state.Load().entries) > 0)
}

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	if len(certs) == 0 {
		return nil
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// Verify returns the gateway that a chain of certificates is of: the first names it by the URI
// spiffe://DOMAIN/gateway/NAME, and the authority in that domain's pinned document made it. The authorities of the
// system count for nothing. The error is a [*domain.Error] of [domain.RuleCertificate].
func (p *Peers) Verify(chain []*x509.Certificate, usage x509.ExtKeyUsage) (domain.Name, error) {
	if len(chain) == 0 {
		return domain.Name{}, wrong(PlaceNone)
	}
	leaf := chain[0]
	name, ok := domain.NameOf(leaf)
	if !ok || name.Kind != domain.Gateway || leaf.IsCA {
		return domain.Name{}, wrong(PlaceName)
	}
	pool, ok := p.ClientCA(string(name.Domain))
	if !ok {
		return domain.Name{}, wrong(PlacePeer)
	}
	now := p.now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return domain.Name{}, wrong(PlaceTime)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:min(len(chain), mostShown)] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil { // its text may quote the certificate
		return domain.Name{}, wrong(PlaceAuthority)
	}
	return name, nil
}

// TLS returns the options for connections to gateways of a peer: TLS 1.3, this gateway's certificate, and the peer's
// checked against the authority in its document alone. The options are the same until connections made by them must not
// be used any more. It is nil, false for a domain that is no peer whose document counts.
func (p *Peers) TLS(d flow.DomainID) (*tls.Config, bool) {
	if _, ok := p.Peer(d); !ok {
		return nil, false
	}
	return p.link(d).options(), true
}

// Via returns the options for a call to that domain's agents at an address: those of [Peers.TLS] where the address is
// that of one of the gateways in the domain's document, nil where the domain is no peer or the address is another. It
// returns [ErrNotInForce] where such a call must not be made at all: the document does not count, or there is none yet
// and so nobody knows whose the address is.
func (p *Peers) Via(d flow.DomainID, to *url.URL) (*tls.Config, error) {
	if !p.ready() {
		return nil, nil
	}
	e := p.state.Load().entries[d]
	if e == nil {
		return nil, nil
	}
	if e.Document == nil {
		if to.Scheme != "https" {
			return nil, nil // no gateway of a peer is there
		}
		return nil, ErrNotInForce
	}
	if !e.Document.Meets(to) {
		return nil, nil
	}
	conf, ok := p.TLS(d)
	if !ok {
		return nil, ErrNotInForce
	}
	return conf, nil
}

// ServerTLS returns options for a server that gateways of peers and of the own domain call, and nobody else: TLS 1.3,
// this gateway's certificate, and theirs checked as with [Peers.Verify]. Refused is told of those that are refused.
func (p *Peers) ServerTLS(refused func(error)) *tls.Config {
	return p.serverTLS(tls.RequireAnyClientCert, refused) // what the certificate must be is looked at by hand
}

// DoorTLS is ServerTLS for a server behind [Peers.Door], which lets in who shows no certificate for the domain's
// document alone, so that a peer can be added at the one address that gateways meet at.
func (p *Peers) DoorTLS(refused func(error)) *tls.Config {
	return p.serverTLS(tls.RequestClientCert, refused)
}

// Door refuses every request but one for the domain's document that does not come from a gateway of a peer or of the own
// domain, as trust is when it comes.
func (p *Peers) Door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == domain.Path {
			p.ServeHTTP(w, r)
			return
		}
		if r.TLS == nil || r.TLS.Version < tls.VersionTLS13 {
			http.Error(w, "gateways alone are let in here", http.StatusForbidden)
			return
		}
		if _, err := p.Verify(r.TLS.PeerCertificates, x509.ExtKeyUsageClientAuth); err != nil {
			http.Error(w, "gateways alone are let in here: "+err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *Peers) serverTLS(auth tls.ClientAuthType, refused func(error)) *tls.Config {
	conf := &tls.Config{
		MinVersion: tls.VersionTLS13,
		ClientAuth: auth,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return p.Certificate()
		},
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 && auth == tls.RequestClientCert {
				return nil
			}
			_, err := p.Verify(cs.PeerCertificates, x509.ExtKeyUsageClientAuth)
			if err != nil && refused != nil {
				refused(err)
			}
			return err
		},
		SessionTicketsDisabled: true, // each connection is looked at anew
	}
	return &tls.Config{
		MinVersion: conf.MinVersion,
		ClientAuth: conf.ClientAuth,
		// Whatever certificate a server adds to these options is not shown: the ones made here count.
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return conf, nil },
		GetCertificate:     conf.GetCertificate,
	}
}

// link is the way to one peer.
type link struct {
	peers  *Peers
	domain flow.DomainID

	mu    sync.Mutex // guards the fields below
	made  time.Time
	roots *x509.CertPool
	name  string // of this gateway
	tls   *tls.Config
	http  *http.Client
}

func (p *Peers) link(d flow.DomainID) *link {
	l, _ := p.links.LoadOrStore(d, &link{peers: p, domain: d})
	return l.(*link)
}

// unlink lets go of the ways to peers, so that what is called next goes by the settings in force.
func (p *Peers) unlink() {
	p.links.Range(func(_, v any) bool {
		v.(*link).reset()
		return true
	})
}

func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.http != nil {
		l.http.CloseIdleConnections()
	}
	l.tls, l.http, l.roots = nil, nil, nil
}

func (l *link) options() *tls.Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current()
}

// current is with l.mu held.
func (l *link) current() *tls.Config {
	pool, _ := l.peers.ClientCA(string(l.domain))
	now, name := l.peers.now(), l.peers.conf.Load().Name
	if l.tls != nil && l.roots == pool && l.name == name && now.Sub(l.made) < linkLife && !now.Before(l.made) {
		return l.tls
	}
	if l.http != nil {
		l.http.CloseIdleConnections()
	}
	l.made, l.roots, l.name, l.http = now, pool, name, nil
	l.tls = &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return l.peers.Certificate()
		},
		InsecureSkipVerify: true, // names and authorities of the web count for nothing; the next line is what counts
		VerifyConnection:   l.verify,
	}
	return l.tls
}

func (l *link) verify(cs tls.ConnectionState) error {
	name, err := l.peers.Verify(cs.PeerCertificates, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	if name.Domain != l.domain {
		return wrong(PlaceDomain)
	}
	return nil
}

func (l *link) client() *http.Client {
	return &http.Client{
		Transport: l, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip implements [http.RoundTripper]: each call is made by what is in force when it is made.
func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, ok := l.peers.Peer(l.domain); !ok {
		return nil, ErrNotInForce
	}
	l.mu.Lock()
	conf := l.current()
	if l.http == nil {
		opt := l.peers.conf.Load().Egress
		opt.Plain, opt.TLS, opt.Bytes = false, conf, maxAnswer
		l.http = egress.Client(opt)
	}
	tr := l.http.Transport
	l.mu.Unlock()
	return tr.RoundTrip(req)
}

// maxAnswer bounds what a peer answers to a call of [Peers.Client].
const maxAnswer = 8 << 20
