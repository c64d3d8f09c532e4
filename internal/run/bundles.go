package run

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
)

// openBundles opens what was published and what is kept to. The domain's identity is open already.
func (st *State) openBundles(ctx context.Context, c *config.Config) (err error) {
	st.Bundles, err = bundles.Open(ctx, bundles.Options{
		Domain: c.Domain, DB: st.DB, Journal: st.Log, Peers: publishers{st.Peers}, FlowID: gateway.NewFlowID,
	}, bundleSettings(c))
	return err
}

// bundleSettings is what a configuration says of bundles.
func bundleSettings(c *config.Config) bundles.Settings {
	var set bundles.Settings
	for i := range c.Publish {
		p := &c.Publish[i]
		if content, ok := c.Content(p.Name); ok {
			set.Publish = append(set.Publish, bundles.Published{Name: p.Name, Content: *content, Life: time.Duration(p.Life), To: p.To})
		}
	}
	for i := range c.Subscribe {
		s := &c.Subscribe[i]
		set.Subscribe = append(set.Subscribe, bundles.Subscription{
			Domain: s.Domain, Name: s.Bundle, Every: time.Duration(s.Every), MaxAge: time.Duration(s.MaxAge), Late: bundle.ParseStrictness(s.Late), Refuse: s.Refuse,
		})
	}
	return set
}

// publishers are the domain's peers as far as bundles go.
type publishers struct{ peers *peers.Peers }

// Key implements [bundle.Keys].
func (p publishers) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return p.peers.Key(d, kid)
}

// Own implements [bundles.Peers].
func (p publishers) Own() (crypto.Signer, string) { return p.peers.Own() }

// Gateways implements [bundles.Peers]. A peer whose document does not count has none.
func (p publishers) Gateways(d flow.DomainID) ([]string, *http.Client) {
	peer, ok := p.peers.Peer(d)
	if !ok {
		return nil, nil
	}
	return peer.Document.Gateways, p.peers.Client(d)
}

// heldBy is what a configuration is held to. Of a version that was taken by another program, and whose policies this one cannot keep to, the limits
// hold, and nothing shows: what its policies forbid is not known.
func heldBy(all []bundles.Held, by *policy.Set) (out []config.Held) {
	for _, h := range all {
		one := config.Held{ID: h.ID, Bundle: h.Bundle, Late: h.Late}
		if h.Bundle != nil {
			if _, err := by.CheckOutside(h.Bundle.Outside()); err != nil {
				stop := bundle.Stop
				one.Bundle, one.Late = limitsOf(h.Bundle, by), &stop
			}
		}
		out = append(out, one)
	}
	return out
}

// limitsOf is a bundle without its policies; nil if it cannot be kept to without them either.
func limitsOf(b *bundle.Bundle, by *policy.Set) *bundle.Bundle {
	limits := *b
	limits.Policies = ""
	if _, err := by.CheckOutside(limits.Outside()); err != nil {
		return nil
	}
	return &limits
}

// HeldTo returns a configuration as it is held to bundles of others by what the state knows now.
func (st *State) HeldTo(c *config.Config) (*config.Config, error) {
	if len(c.Subscribe) == 0 {
		return c, nil
	}
	set, err := Policies(c)
	if err != nil {
		return nil, err
	}
	settings := bundleSettings(c)
	return c.HeldTo(heldBy(st.Bundles.HeldBy(settings), set)), nil
}

// held returns the configuration and the snapshot as they are held to bundles, for a gateway that begins.
func (r *Gateway) held(c *config.Config, snap *gateway.Snapshot) (*config.Config, *gateway.Snapshot, error) {
	set := bundleSettings(c)
	all := r.Bundles.HeldBy(set)
	r.heldWords = bundles.Words(all)
	r.Bundles.Running(all)
	if len(all) == 0 {
		return c, snap, nil
	}
	c = c.HeldTo(heldBy(all, snap.Policy))
	snap, err := r.build(c)
	return c, snap, err
}

// hold has in force what bundles ask for now. If that fails, it is tried again after a while, and the gateway says that it is not ready.
func (r *Gateway) hold(ctx context.Context) error {
	words := bundles.Words(r.Bundles.Held())
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case words == r.heldWords:
		r.unheld.Store(nil)
		return nil
	case words == r.heldTried.words && time.Since(r.heldTried.at) < holdAgain:
		return nil // it failed a moment ago, and somebody was told
	}
	r.heldTried.words, r.heldTried.at = words, time.Now()
	// Policies are those in force: what was changed on disk meanwhile is for a reload.
	c := r.config.Load().WithPolicies(r.Gateway.Snapshot().Policy.Files())
	if err := r.adopt(ctx, c, "held to bundles: "+told(r.Bundles.Held()), nil); err != nil {
		err = fmt.Errorf("bundles that this domain is held to are not in force: %w", errors.Join(err, r.stricten(ctx)))
		r.unheld.Store(&err)
		return err
	}
	r.unheld.Store(nil)
	return nil
}

// stricten has the strictest in force of what bundles ask for, where they cannot be put in force themselves: their limits of policy, and what holds
// while they are late. It reads nothing. It is called with r.mu held.
func (r *Gateway) stricten(ctx context.Context) error {
	now, c := r.Gateway.Snapshot(), r.config.Load()
	settings := bundleSettings(c)
	c = c.WithPolicies(now.Policy.Files()).HeldTo(strictly(heldBy(r.Bundles.HeldBy(settings), now.Policy), settings))
	set, err := Policies(c)
	if err != nil {
		return err
	}
	next, base := *now, *r.carried.base
	base.Policy, next.Policy = set, set.Carrying(now.Policy.Carried())
	r.keepRules(ctx, &next)
	if err := r.Gateway.Swap(ctx, &next, "bundles cannot be put in force, and all of them are late"); err != nil {
		return err
	}
	r.carried.base = &base
	r.heldWords = "" // they are tried again
	return nil
}

// strictly is every bundle late, with nothing of it but what is of policy.
func strictly(all []config.Held, set bundles.Settings) (out []config.Held) {
	for i, h := range all {
		if late := &set.Subscribe[i].Late; h.Late == nil || *h.Late < *late {
			h.Late = late
		}
		out = append(out, h)
	}
	return out
}

const holdAgain = 15 * time.Second

// told says what is held in words for the record.
func told(all []bundles.Held) (text string) {
	for i, h := range all {
		if i > 0 {
			text += ", "
		}
		text += h.ID
		if h.Bundle != nil {
			text += fmt.Sprintf(" version %d", h.Bundle.Version)
		}
		if h.Late != nil {
			text += ", late: " + h.Late.String()
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

// keepable says whether a version can be kept to by the policies in force, and what it names that is not known.
func (r *Gateway) keepable(b *bundle.Bundle) (unknown []string, err error) {
	return keepable(r.Gateway.Snapshot().Policy, b)
}

func keepable(set *policy.Set, b *bundle.Bundle) (unknown []string, err error) {
	idle, err := set.CheckOutside(b.Outside())
	for _, m := range idle {
		unknown = append(unknown, m.String())
	}
	return unknown, err
}

// beginBundles gives bundles the running gateway.
func (r *Gateway) beginBundles() {
	r.Bundles.Attach(r.keepable, r.hold)
	r.metrics.Gauge("scrim_bundles_late", "Bundles of peers that this domain is held to and that do not count: none came, or their time is over.", func() float64 { return float64(r.Bundles.Late()) })
	r.metrics.Gauge("scrim_bundle_drift", "Places where what runs is not what was published, or what is subscribed to.", func() float64 { return float64(len(r.Bundles.Drift())) })
}

// bundleDoor serves bundles to gateways of peers. The connection must show the certificate of one, and counts for its domain alone.
func (r *Gateway) bundleDoor() http.Handler {
	return r.Bundles.Handler(func(req *http.Request) (flow.DomainID, error) {
		if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
			return "", errNoCertificate
		}
		name, err := r.Peers.Verify(req.TLS.PeerCertificates, x509.ExtKeyUsageClientAuth)
		return name.Domain, err
	})
}

// BundlesOf is bundles as commands on a stopped gateway use them: c says what is published and subscribed to, and who are peers, whatever the state
// was opened by.
func (st *State) BundlesOf(ctx context.Context, c *config.Config) (*bundles.Exchange, error) {
	set, err := Policies(c)
	if err != nil {
		return nil, err
	}
	if err := st.Peers.Configure(ctx, peerSettings(c)); err != nil {
		return nil, err
	}
	st.Bundles.Configure(bundleSettings(c))
	st.Bundles.Attach(func(b *bundle.Bundle) ([]string, error) { return keepable(set, b) }, nil)
	return st.Bundles, nil
}

// Inherited is what agents and datasets of a configuration have that is not written about them.
func Inherited(c *config.Config) (all []api.Inherited) {
	for _, in := range c.Inherited() {
		all = append(all, api.Inherited(in))
	}
	return all
}
