package run

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/domain"
)

// openPeers opens the domain's own identity and what it pinned.
func (st *State) openPeers(ctx context.Context, c *config.Config, fault func(error)) error {
	st.Peers = peers.New(c.Domain)
	err := st.Peers.Open(ctx, peers.Options{
		DB: st.DB, Journal: st.Log, Keys: st.Keys, Origin: Origin(c.Domain), FlowID: gateway.NewFlowID, Fault: fault,
	}, peerSettings(c))
	if err != nil {
		return fmt.Errorf("opening the domain's identity: %w", err)
	}
	return nil
}

// peerSettings is what a configuration says of peers. What it cannot say right was refused with the file.
func peerSettings(c *config.Config) peers.Settings {
	set := peers.Settings{
		Gateways: c.GatewayURLs(), Name: c.DomainCA.Gateway, Techniques: techniques(), Egress: egressOptions(c),
		Refresh: time.Duration(c.Peering.Refresh), Life: time.Duration(c.Peering.Document), CertLife: time.Duration(c.DomainCA.Life),
		Lead: time.Duration(c.DomainKeys.Lead), Overlap: time.Duration(c.DomainKeys.Overlap), Every: time.Duration(c.DomainKeys.Every),
	}
	if len(set.Gateways) > 0 {
		set.Revocations = set.Gateways[0] + revocations.ListPath
	}
	if len(set.Egress.Ports) == 0 {
		set.Egress.Ports = []uint16{0} // the operator names a peer, and its document the port
	}
	for _, p := range c.Peers {
		f, err := domain.ParseFingerprint(p.Fingerprint)
		if err != nil {
			continue
		}
		set.Pins = append(set.Pins, peers.Pin{Domain: p.Domain, URL: p.URL, Fingerprint: f})
	}
	return set
}

// techniques are what the domain's gateways can do to what they let through.
func techniques() []string {
	var all []string
	for l := flow.Dropped; l <= flow.Raw; l++ {
		all = append(all, l.String())
	}
	return append(all, "extract")
}

// join gives a snapshot what lives on from one to the next: the domain's peers, and the way to their gateways.
func (r *Gateway) join(s *gateway.Snapshot) {
	s.Peers = r.Peers
	s.Capability.Believe(r.Peers)
	for _, a := range s.Agents {
		for _, u := range []*gateway.Upstream{a.A2A, a.MCP} {
			if u != nil && a.Party.Domain != s.Domain && (u.Peers != r.Peers || u.Domain != a.Party.Domain) { // one that is in use has them
				u.Peers, u.Domain = r.Peers, a.Party.Domain
			}
		}
	}
}

// gateways listens for gateways of peers; nil where that is not configured.
func (r *Gateway) gateways(c *config.Config, calls context.Context) (*http.Server, net.Listener, error) {
	if c.Peering.Listen == "" {
		return nil, nil, nil
	}
	l := r.opt.Peering
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", c.Peering.Listen); err != nil {
			return nil, nil, fmt.Errorf("taking the address of peering: %w", err)
		}
	}
	s := r.server(r.Peers.Door(gateway.AtGateways(func() []string { return r.Config().GatewayURLs() }, r.handler)), calls)
	s.TLSConfig = r.Peers.DoorTLS(r.unknownGateway())
	return s, &bounded{Listener: l, limits: func() config.Limits { return r.Config().Limits }, closed: r.metrics.Closed}, nil
}

// unknownGateway logs gateways that were refused at the door, once a minute: whoever knocks must not fill the log.
func (r *Gateway) unknownGateway() func(error) {
	var mu sync.Mutex
	var last time.Time
	var unsaid int
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= time.Minute {
			r.log.Warn("a gateway was refused", "error", err, "unsaid", unsaid)
			last, unsaid = now, 0
			return
		}
		unsaid++
	}
}
