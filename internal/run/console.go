package run

import (
	"cmp"
	"context"
	"crypto/tls"
	"net/url"
	"reflect"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/console/rules"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/store"
)

// Console returns the handler of the admin port: the admin API, and the console if configuration has one. The token that the API wants is in the data
// directory, made at the first start.
func (r *Gateway) Console() (*console.Console, error) {
	c := r.Config()
	token, err := api.Token(c.Path(c.Data))
	if err != nil {
		return nil, err
	}
	people := &people{salt: r.Keys.Seed("console/session")}
	con := console.New(console.Options{
		Off: !c.HasConsole(), API: r.apiOptions(c, token),
		Rules:      rules.Options{Bench: r.Bench(), Rules: r.APIRules(), Catalog: r.Bench().Catalog, Begin: r.later.begin},
		Playground: playground.Options{Stage: r.Bench(), Bench: r.Bench()},
		After:      console.After{Begin: r.later.begin, Governed: func() bool { return r.Config().Governance.On() }, Verify: r.verifyReport, Fault: r.fault},
		Live:       r.live(c),
		Frame:      page.Options{Domain: string(c.Domain), Version: cmp.Or(r.opt.Version, "devel"), Record: r.recordPageAct},
		Session: session.Options{
			Domain: c.Domain, Token: token, Listen: c.Admin, TLS: c.Console.TLS.On(), Public: func() string { return r.Config().Console.PublicURL },
			Limits: func() session.Limits {
				l := r.Config().Console
				return session.Limits{Link: time.Duration(l.Link), Idle: time.Duration(l.Idle), Life: time.Duration(l.Life)}
			},
			Record:  func(ctx context.Context, a session.Act) error { return r.recordAct(ctx, a.Method, a.Reason) },
			Login:   func() *session.Login { return people.login(r.Config(), r.fault) },
			Refused: func(why string) { r.log.Info("nobody was let in to the console", "why", why) },
		},
	})
	r.console.Store(con)
	return con, nil
}

func (r *Gateway) recordPageAct(ctx context.Context, a page.Act) error {
	what := a.Name
	if a.About != "" {
		what += " " + a.About
	}
	who := a.Who.Name + ", as " + a.Who.Role.String()
	if a.Who.Session != "" {
		who += ", session " + a.Who.Session
	}
	return r.recordAct(ctx, a.Name, what+", by "+who)
}

// recordAct puts on record what somebody did in the console. It is durable when it returns.
func (r *Gateway) recordAct(ctx context.Context, method, reason string) error {
	own := flow.Party{Domain: r.Config().Domain}
	ev := flow.Event{
		Time: time.Now(), Outcome: flow.Changed, Reason: reason,
		Flow: flow.Flow{ID: gateway.NewFlowID(), From: own, To: own, Protocol: "admin", Method: method},
	}
	err := r.DB.Update(ctx, func(tx store.Tx) error {
		_, err := r.Log.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return err
	}
	r.metrics.Event(ev)
	return nil
}

// people is who may log in at a provider, by the configuration of the moment. The provider's keys are kept from one configuration to the next.
type people struct {
	salt [32]byte

	mu       sync.Mutex // guards the fields below
	of       *config.Config
	made     *session.Login
	settings config.ConsoleOIDC
	provider *identity.Provider
}

func (p *people) login(c *config.Config, fault func(error)) *session.Login {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == c {
		return p.made
	}
	p.of, p.made = c, nil
	o := c.Console.OIDC
	if o == nil {
		return nil
	}
	same := *o
	same.Roles, same.People, same.Title, same.Groups = nil, nil, "", ""
	if p.provider == nil || !reflect.DeepEqual(same, p.settings) {
		made, err := identity.NewProvider(identity.ProviderOptions{
			Issuer: o.Issuer, ClientID: o.ClientID, Scopes: o.Scopes, Hosts: o.Hosts, Secret: c.ClientSecret,
		})
		if err != nil {
			fault(err)
			return nil
		}
		p.provider, p.settings = made, same
	}
	l := &session.Login{Provider: p.provider, Issuer: o.Issuer, Shown: o.Title, Groups: o.Groups, Salt: p.salt[:]}
	if u, err := url.Parse(o.Issuer); err == nil && l.Shown == "" {
		l.Shown = u.Hostname()
	}
	for _, g := range o.Roles {
		l.Roles = append(l.Roles, session.Grant{Role: roleOf(g.Role), Groups: g.Groups})
	}
	for _, k := range o.People {
		l.People = append(l.People, session.Known{Subject: k.Subject, Name: k.Name, Role: roleOf(k.Role), Approver: k.Approver})
	}
	p.made = l
	return l
}

// roleOf is none where configuration gives none; it was checked for others.
func roleOf(name string) (r page.Role) {
	if r.UnmarshalText([]byte(name)) != nil {
		return page.None
	}
	return r
}

// adminTLS returns what the admin port needs to speak TLS, nil if it does not.
func (r *Gateway) adminTLS(c *config.Config) (*tls.Config, error) {
	t := c.Console.TLS
	if !t.On() {
		return nil, nil
	}
	if _, err := r.adminCert.renew(c.Path(t.Cert), c.Path(t.Key), time.Now()); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.adminCert.inForce.Load(), nil },
	}, nil
}
