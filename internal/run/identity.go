package run

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/identity/svid"
	"github.com/scrimhq/scrim/internal/config"
)

// trust is whose word counts about who calls, beside what a configuration says. It outlives reloads. Nil stands for nobody's.
type trust struct {
	workload *svid.Workload // nil: no Workload API
	domains  domainAuthorities
	nonces   *identity.Nonces
	replay   *identity.Replay
	attestor identity.Attestor // nil: nobody is attested
	log      *slog.Logger
}

// domainAuthorities are those of this domain and of its peers, known once the state is open. None are believed until then.
type domainAuthorities struct {
	of atomic.Pointer[identity.Authorities]
}

// ClientCA implements [identity.Authorities].
func (d *domainAuthorities) ClientCA(trustDomain string) (*x509.CertPool, bool) {
	if of := d.of.Load(); of != nil {
		return (*of).ClientCA(trustDomain)
	}
	return nil, false
}

// Any reports whether there are any.
func (d *domainAuthorities) Any() bool {
	of := d.of.Load()
	if of == nil {
		return false
	}
	some, ok := (*of).(interface{ Any() bool })
	return !ok || some.Any()
}

// believe takes the authorities of this domain and of its peers, once they are open.
func (t *trust) believe(of identity.Authorities) {
	if t != nil {
		t.domains.of.Store(&of)
	}
}

func newTrust(c *config.Config, opt Options) (*trust, error) {
	t := &trust{nonces: identity.NewNonces(0, nil), replay: identity.NewReplay(nil), attestor: opt.Attestor, log: opt.Logger}
	address := c.Identity.SPIFFE.WorkloadAPI
	if address == "" {
		return t, nil
	}
	var err error
	t.workload, err = svid.NewWorkload(address, func(err error) {
		if err != nil {
			t.log.Error("SPIFFE", "error", err)
		} else {
			t.log.Info("SPIFFE: the Workload API answers")
		}
	})
	return t, err
}

// firstSVID is how long the first certificate of the Workload API is waited for.
const firstSVID = 30 * time.Second

// begin follows the Workload API until ctx is done. Where the gateway's own certificate comes from it, it returns once there is one.
func (t *trust) begin(ctx context.Context, own bool, spawn func(func())) error {
	if t == nil || t.workload == nil {
		return nil
	}
	spawn(func() { t.workload.Run(ctx) })
	if !own {
		return nil
	}
	first, cancel := context.WithTimeout(ctx, firstSVID)
	defer cancel()
	if err := t.workload.Wait(first); err != nil {
		return err
	}
	_, err := t.workload.Certificate()
	return err
}

// given are the nonces that are given out; nil: the gateway's own.
func (t *trust) given() *identity.Nonces {
	if t == nil {
		return nil
	}
	return t.nonces
}

// bundles are the files of a configuration, and what the Workload API says.
func (t *trust) bundles(c *config.Config) identity.Authorities {
	names := c.SPIFFEBundles()
	if len(names) == 0 && t.workload == nil {
		return nil
	}
	told := func(td string, err error) {
		if err != nil {
			t.log.Error("nobody of a trust domain is believed until its bundle can be read", "trust_domain", td, "error", err)
		} else {
			t.log.Info("the bundle of a trust domain can be read again", "trust_domain", td)
		}
	}
	return svid.Both{Files: svid.NewFiles(names, told), Workload: t.workload}
}

func (t *trust) certificates(c *config.Config, grants map[flow.AgentID]identity.Grant) *identity.Certificates {
	out := &identity.Certificates{
		Domain: c.Domain, Domains: &t.domains, SPIFFE: t.bundles(c),
		Agents: map[flow.AgentID]identity.Grant{}, Workloads: map[string]identity.Grant{}, Fallback: map[string]identity.Grant{},
	}
	for i := range c.Agents {
		a := &c.Agents[i]
		if c.Own(*a) {
			out.Agents[a.ID] = grants[a.ID]
		}
		if a.SPIFFE != "" {
			out.Workloads[a.SPIFFE] = grants[a.ID]
		}
	}
	for _, td := range c.Identity.SPIFFE.TrustDomains {
		if td.Agent != "" {
			out.Fallback[td.Name] = grants[td.Agent]
		}
	}
	return out
}

func authenticator(c *config.Config, t *trust) (*identity.Authenticator, error) {
	var opt identity.Options
	issuers := map[string]*identity.Issuer{}
	for _, j := range c.Identity.JWT {
		issuers[j.Issuer] = &identity.Issuer{
			Issuer: j.Issuer, Audience: j.Audience, Resource: j.PerResource, File: c.Path(j.JWKSFile), URL: j.JWKSURL,
			Discover: j.Discover, KeyHosts: j.KeyHosts, Scopes: j.Scopes, Bound: j.Bound, Transaction: j.Transaction,
			AgentClaim: j.AgentClaim, PurposeClaim: j.PurposeClaim, Subjects: map[string]identity.Grant{},
		}
	}
	grants := map[flow.AgentID]identity.Grant{}
	for i := range c.Agents {
		a := &c.Agents[i]
		grant := grantOf(a)
		grants[a.ID] = grant
		for n, k := range a.Keys {
			opt.Keys = append(opt.Keys, identity.Key{ID: fmt.Sprintf("%s/%d", a.ID, n), SHA256: k.SHA256, Grant: grant, Until: k.Expires})
		}
		if a.JWT != nil {
			issuers[a.JWT.Issuer].Subjects[a.JWT.Subject] = grant
		}
		if a.ID == c.Identity.Anonymous && a.ID != "" {
			opt.Anonymous = &grant
		}
	}
	for _, j := range c.Identity.JWT {
		opt.Issuers = append(opt.Issuers, *issuers[j.Issuer])
	}
	if t != nil {
		opt.Certificates, opt.Nonces, opt.Attestor = t.certificates(c, grants), t.nonces, t.attestor
		opt.Replay = t.replay
	}
	return identity.New(opt)
}

// resource is what is told of the agents and servers as protected resources.
func resource(c *config.Config, a *identity.Authenticator) gateway.Resource {
	asks := c.TLS.On() && (c.TLS.ClientCertificates == config.AskAlways || c.TLS.ClientCertificates != config.AskNever && a.WantsCertificates())
	return gateway.Resource{Name: c.Identity.Resource.Name, Documentation: c.Identity.Resource.Documentation, Certificates: asks}
}
