package run

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// openCapabilities opens what is remembered of capabilities. The domain's identity is open already: its key signs the list of revocations.
func (st *State) openCapabilities(ctx context.Context, c *config.Config) (err error) {
	signer := func() (string, crypto.Signer) {
		key, kid := st.Peers.Own()
		return kid, key
	}
	st.Capabilities, err = ledger.Open(ctx, st.DB, ledger.Options{Domain: c.Domain, Signer: signer})
	if err != nil {
		return err
	}
	st.Capabilities.Believe(believed(c))
	return revocations.Prune(ctx, st.Capabilities, lists{st.Peers}.All())
}

// believed is how long a peer's list counts, and how much its clock may be ahead.
func believed(c *config.Config) (stale, skew time.Duration) {
	return time.Duration(c.Capabilities.StaleAfter), time.Duration(c.Capabilities.Skew)
}

// exchange takes lists of revocations to and from the domain's peers.
func (r *Gateway) exchange() *revocations.Exchange {
	r.metrics.Gauge("scrim_peers_without_revocations", "Peers whose list of revocations is missing or too old, so that their capabilities are refused.", func() float64 {
		return float64(r.unheard())
	})
	return revocations.New(revocations.Options{
		Domain: r.Config().Domain, Ledger: r.Capabilities, DB: r.DB, Journal: r.Log, Peers: lists{r.Peers}, FlowID: gateway.NewFlowID,
		Fault: func(err error) { r.log.Warn("revocations", "error", err) }, Event: r.metrics.Event,
	})
}

// unheard counts the peers whose roots are refused for want of a list.
func (r *Gateway) unheard() int {
	n := len(r.Peers.All())
	for _, s := range r.Capabilities.Statuses() {
		if !s.Stale {
			n--
		}
	}
	return max(n, 0) // one that was just removed may still be counted
}

// lists are the domain's peers as far as their lists of revocations go.
type lists struct{ peers *peers.Peers }

// All implements [revocations.Peers]. A peer whose document does not count has no address.
func (l lists) All() []revocations.Peer {
	var all []revocations.Peer
	for _, s := range l.peers.All() {
		p := revocations.Peer{Domain: s.Domain}
		if s.InForce {
			p.List, p.Client = s.Document.Revocations, l.peers.Client(s.Domain)
			for _, base := range s.Document.Gateways {
				p.Push = append(p.Push, base+revocations.PushPath)
			}
		}
		all = append(all, p)
	}
	return all
}

// Key implements [revocations.Peers].
func (l lists) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) { return l.peers.Key(d, kid) }
