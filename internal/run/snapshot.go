package run

import (
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/detect"
)

// Snapshot builds what a gateway decides by from a checked configuration. It reads policies and credentials, and
// opens no connection; no certificate of a caller is believed by it. Servers that are programs are not reached by it: [Open] starts those.
func Snapshot(c *config.Config, m Models) (*gateway.Snapshot, error) {
	return snapshot(c, m, nil, true, reachable(c, nil, nil, nil))
}

// Offline is a Snapshot that decides alike and reaches nobody, a detection service no more than an agent. No secret is
// read for it.
func Offline(c *config.Config, m Models) (*gateway.Snapshot, error) {
	return snapshot(c, m, nil, false, unreached)
}

func unreached(a *config.Agent) (*gateway.Agent, error) { return &gateway.Agent{Party: a.Party()}, nil }

// snapshot with reach has the detection service that is configured.
func snapshot(c *config.Config, m Models, t *trust, reach bool, agent func(*config.Agent) (*gateway.Agent, error)) (*gateway.Snapshot, error) {
	set, err := Policies(c)
	if err != nil {
		return nil, err
	}
	if err := publishable(c, set); err != nil {
		return nil, err
	}
	detector, err := Detector(c)
	if err != nil {
		return nil, err
	}
	s := &gateway.Snapshot{
		Detector: detector,
		Domain:   c.Domain, PublicURL: c.PublicURL, Taxonomy: c.Taxonomy(), Policy: set, Catalog: c.Catalog(), Hierarchies: c.Trees(),
		Agents:     map[flow.AgentID]*gateway.Agent{},
		Fronts:     map[flow.AgentID]*gateway.Group{},
		Groups:     map[flow.Purpose]string{},
		Limits:     json.Limits{Bytes: int(c.Limits.Body), Depth: c.Limits.Depth, Nodes: c.Limits.Nodes, Number: c.Limits.Number},
		Events:     gateway.EventLimits{Event: int(c.Limits.Event), Events: c.Limits.Events, Idle: time.Duration(c.Timeouts.Idle)},
		Load:       loadLimits(c.Limits),
		ConfigHash: c.Hash(), Learn: c.Mode == config.Learn,
		Proxies: config.Prefixes(c.Proxies), Egress: egressOptions(c), Hops: hopRules(c),
	}
	if s.Beside, err = beside(c, m, reach); err != nil {
		return nil, err
	}
	if c.BehindProxy() {
		s.PublicURL = ""
	}
	if s.Questions, err = questions(c); err != nil {
		return nil, err
	}
	if s.Datasets, err = asked(c); err != nil {
		return nil, err
	}
	heldLabels(c, s)
	s.Workflows = workflows(c)
	for _, g := range c.MCPGroups {
		s.Fronts[g.ID] = &gateway.Group{ID: g.ID, Servers: slices.Clone(g.Servers), Wait: time.Duration(g.Wait)}
	}
	s.ExtMCP, s.Interceptor = askers(c)
	for name, purposes := range c.PurposeGroups {
		for _, p := range purposes {
			s.Groups[p] = name
		}
	}
	for _, t := range c.Transparent {
		s.Transparent = append(s.Transparent, gateway.Transparent{Agent: t.Agent, Path: t.Path})
	}
	s.Fetch = fetch(c)
	s.Handles = gateway.HandleRules{
		URL: c.Handles.URL, Life: time.Duration(c.Handles.Life), Uses: c.Handles.Uses, Bytes: int64(c.Handles.Bytes), TaskBytes: int64(c.Handles.TaskBytes), Unmarked: c.Handles.Unmarked,
	}
	s.Exposure = exposureSettings(c)
	s.Capability = capabilityRules(c)
	for i := range c.Capabilities.Grants {
		g := &c.Capabilities.Grants[i]
		s.Grants = append(s.Grants, gateway.Grant{Name: g.Name, Agents: g.Agents, Terms: g.Terms(c.Domain), Lifetime: time.Duration(g.Lifetime)})
	}
	for i := range c.Agents {
		a, err := agent(&c.Agents[i])
		if err != nil {
			return nil, err
		}
		l := c.Agents[i].Limits
		a.Capability = c.Agents[i].Capability != ""
		a.Limits = gateway.CallerLimits{Rate: l.Rate, Flows: l.Flows, Streams: l.Streams, Events: l.Events, Bytes: int(l.Bytes), Body: int(l.Body)}
		a.ByReference = gateway.ByReference{Over: int(c.Agents[i].ByReference.Over), Media: c.Agents[i].ByReference.Media}
		s.Agents[a.Party.Agent] = a
	}
	if s.Identity, err = authenticator(c, t); err != nil {
		return nil, err
	}
	s.Resource = resource(c, s.Identity)
	return s, nil
}

// Detector is the built-in detector with the configuration's rules.
func Detector(c *config.Config) (*detect.Engine, error) {
	d, err := detect.New(detect.Options{Taxonomy: c.Taxonomy(), Rules: c.Rules(), Languages: c.Detection.Languages})
	if err != nil {
		return nil, fmt.Errorf("detection: %w", err)
	}
	return d, nil
}

func loadLimits(l config.Limits) gateway.LoadLimits {
	out := gateway.LoadLimits{
		Flows: l.Flows, Streams: l.Streams, Refusals: l.Address.Refusals,
		Caller: gateway.CallerLimits{
			Rate: l.Caller.Rate, Flows: l.Caller.Flows, Streams: l.Caller.Streams, Events: l.Caller.Events, Bytes: int(l.Caller.Bytes), Body: int(l.Caller.Body),
		},
	}
	if out.Refusals == 0 {
		out.Refusals = -1 // the configuration's word for no limit
	}
	return out
}

// Policies loads the configured policies against the configured taxonomy and entities.
func Policies(c *config.Config) (*policy.Set, error) {
	return policy.Load(PolicyFiles(c), PolicyOptions(c))
}

// PolicyFiles is the directory of policies.
func PolicyFiles(c *config.Config) fs.FS { return c.PolicyFS() }

// PolicyOptions is what policies may name.
func PolicyOptions(c *config.Config) policy.Options {
	e := policy.Entities{Agents: c.Parties(), Purposes: c.PurposeParents(), RoleParents: c.RoleParents()}
	for _, f := range c.Catalog().Fields() {
		e.Fields = append(e.Fields, policy.Field{Name: f.Name, Dataset: f.Dataset, Label: f.Label, Use: useOf(f.Governance)})
	}
	known := map[string]bool{}
	for _, contract := range c.Catalog().Contracts() {
		for _, d := range contract.Datasets {
			known[d.Name] = true
			e.Datasets = append(e.Datasets, policy.Dataset{Name: d.Name, Formal: d.Formal || declaredFormal(c, d.Name), Use: useOf(d.Governance)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		if !known[name] {
			e.Datasets = append(e.Datasets, policy.Dataset{Name: name, Formal: c.FormalDataset(name)})
		}
	}
	return policy.Options{Taxonomy: c.Taxonomy(), Entities: e, Outside: c.Outside()}
}

func useOf(g catalog.Governance) policy.Use {
	return policy.Use{Purposes: g.Purposes, Techniques: g.Techniques, Retain: g.Retention}
}

// declaredFormal reports whether a dataset of a data contract is declared here too, and formal.
func declaredFormal(c *config.Config, name string) bool {
	_, ok := c.Datasets[name]
	return ok && c.FormalDataset(name)
}

// fetch is how files are fetched that messages name by an address; nil where none are.
func fetch(c *config.Config) *gateway.Fetch {
	f := c.LinkedFiles
	if len(f.Fetch) == 0 {
		return nil
	}
	opt := egress.Options{Plain: f.Plain, Timeout: time.Duration(f.Timeout), Bytes: int64(f.Bytes)}
	for _, network := range f.Networks {
		if p, err := netip.ParsePrefix(network); err == nil { // checked with the file
			opt.Allow = append(opt.Allow, p)
		}
	}
	for _, port := range f.Ports {
		opt.Ports = append(opt.Ports, uint16(port))
	}
	return &gateway.Fetch{Client: egress.Client(opt), Hosts: f.Fetch, Bytes: int64(f.Bytes)}
}

// programs finds the way to a server that is a program of this configuration.
type programs func(*config.Agent) (*gateway.Upstream, error)

// inners makes the server of an agent that is a facade.
type inners func(*config.Config, *config.Agent) (gateway.Inner, error)

// reachable makes agents with their upstreams, whose connections are kept in the pool.
func reachable(c *config.Config, program programs, inner inners, pool *gateway.Pool) func(*config.Agent) (*gateway.Agent, error) {
	opt := upstreamOptions(c, pool)
	return func(a *config.Agent) (_ *gateway.Agent, err error) {
		out := &gateway.Agent{Party: a.Party()}
		if a.A2A != nil {
			out.Card = cardRules(c, a)
			if out.A2A, err = upstream(c, a.A2A.URL, a.A2A.Credential, a.A2A.CAFile, a.A2A.HTTP2, opt); err != nil {
				return nil, fmt.Errorf("agent %s, a2a: %w", a.ID, err)
			}
		}
		switch {
		case a.Facade != nil:
			if inner != nil {
				if out.Inner, err = inner(c, a); err == nil {
					out.MCP = gateway.NewInner(out.Inner)
				}
			}
			if err != nil {
				return nil, fmt.Errorf("agent %s, facade: %w", a.ID, err)
			}
		case a.MCP == nil:
		case a.MCP.URL != "" && a.MCP.Transport != config.SSE:
			out.MCP, err = upstream(c, a.MCP.URL, a.MCP.Credential, a.MCP.CAFile, a.MCP.HTTP2, opt)
		case program != nil:
			out.MCP, err = program(a)
		}
		if err != nil {
			return nil, fmt.Errorf("agent %s, mcp: %w", a.ID, err)
		}
		return out, nil
	}
}

func egressOptions(c *config.Config) egress.Options {
	opt := egress.Options{Allow: config.Prefixes(c.Egress.Allow), Plain: c.Egress.PlainHTTP}
	for _, p := range c.Egress.Ports {
		opt.Ports = append(opt.Ports, uint16(p))
	}
	return opt
}

func cardRules(c *config.Config, a *config.Agent) gateway.CardRules {
	in := a.A2A.Card
	out := gateway.CardRules{Keys: c.CardKeys(a), KeyIDs: in.KeyIDs, KeyHosts: in.KeyHosts, Fetch: in.FetchKeys, Original: in.Original}
	switch in.Signature {
	case config.RequireSignature:
		out.Signature = gateway.SignatureRequire
	case config.IgnoreSignature:
		out.Signature = gateway.SignatureIgnore
	}
	return out
}

func upstreamOptions(c *config.Config, pool *gateway.Pool) gateway.UpstreamOptions {
	t := c.Timeouts
	return gateway.UpstreamOptions{
		Dial: time.Duration(t.Dial), Write: time.Duration(t.Write), Headers: time.Duration(t.Upstream), Body: time.Duration(t.Body), Pool: pool,
	}
}

func upstream(c *config.Config, url string, cred *config.Credential, authorities string, plainHTTP2 bool, opt gateway.UpstreamOptions) (_ *gateway.Upstream, err error) {
	if opt.CA, err = c.Authorities(authorities); err != nil {
		return nil, err
	}
	opt.PlainHTTP2 = plainHTTP2 && strings.HasPrefix(url, "http://")
	header, secret := "", flow.Secret{}
	if cred != nil {
		value, err := c.Credential(cred)
		if err != nil {
			return nil, err
		}
		header, secret = cred.Header, value
	}
	return gateway.NewUpstream(url, header, secret, opt)
}
