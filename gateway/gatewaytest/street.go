package gatewaytest

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/gateway/peers/peerstest"
)

// Street is domains that have pinned each other, each with an address where the gateways of the others reach its own over
// TLS 1.3 with certificates on both sides.
type Street struct {
	houses map[flow.DomainID]*house
}

type house struct {
	*peerstest.Domain
	listener net.Listener
	url      string
}

// NewStreet makes the domains. Their gateways are opened one by one with [Street.Open].
func NewStreet(t testing.TB, clock func() time.Time, names ...flow.DomainID) *Street {
	t.Helper()
	s := &Street{houses: map[flow.DomainID]*house{}}
	var all []*peerstest.Domain
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		t.Cleanup(func() { _ = l.Close() })
		h := &house{listener: l, url: "https://" + l.Addr().String()}
		h.Domain = peerstest.New(t, name, peerstest.Options{Clock: clock, Settings: peers.Settings{Gateways: []string{h.url}}})
		s.houses[name], all = h, append(all, h.Domain)
	}
	peerstest.Pin(t, all...)
	return s
}

// URL is where gateways of the others reach the domain's.
func (s *Street) URL(d flow.DomainID) string { return s.houses[d].url }

// Domain is a domain's own keys and peers.
func (s *Street) Domain(d flow.DomainID) *peerstest.Domain { return s.houses[d].Domain }

// TLS returns the options of a connection from one domain's gateway to another's.
func (s *Street) TLS(t testing.TB, from, to flow.DomainID) *tls.Config {
	t.Helper()
	at, err := url.Parse(s.URL(to))
	must(t, err)
	conf, err := s.houses[from].Via(to, at)
	must(t, err)
	return conf
}

// Upstream is the way of a domain's gateway to an address of another's, such as "/a2a/prior-auth".
func (s *Street) Upstream(t testing.TB, from, to flow.DomainID, path string) *gateway.Upstream {
	t.Helper()
	up, err := gateway.NewUpstream(s.URL(to)+path, "", flow.Secret{}, gateway.UpstreamOptions{Dial: time.Minute})
	must(t, err)
	up.Peers, up.Domain = s.houses[from].Peers, to
	return up
}

// Open makes a domain's gateway. Carries are agents of other domains that their gateways may vouch for. Mux returns what it
// serves; the result is the address for the domain's own agents, without TLS.
func (s *Street) Open(t testing.TB, d flow.DomainID, setup Setup, carries []identity.Grant, mux func(*Rig) http.Handler) (*Rig, string) {
	t.Helper()
	h := s.houses[d]
	setup.Domain = d
	before := setup.Change
	setup.Certificates = &identity.Certificates{Domain: d, Domains: h.Peers}
	setup.Change = func(snap *gateway.Snapshot) {
		snap.Peers = h.Peers
		snap.Hops.Callers = map[flow.AgentID]identity.Grant{}
		for _, g := range carries {
			snap.Hops.Callers[g.Party.Agent] = g
		}
		if before != nil {
			before(snap)
		}
	}
	rig := New(t, setup)
	handler := rig.Door(mux(rig))
	srv := &http.Server{Handler: handler, TLSConfig: h.ServerTLS(nil), ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.ServeTLS(h.listener, "", "") }() // ends with Close
	t.Cleanup(func() { _ = srv.Close() })
	near := httptest.NewUnstartedServer(handler)
	near.Config.Protocols = new(http.Protocols)
	near.Config.Protocols.SetHTTP1(true)
	near.Config.Protocols.SetUnencryptedHTTP2(true)
	near.Start()
	t.Cleanup(near.Close)
	return rig, near.URL
}
