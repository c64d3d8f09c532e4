package trust

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/policy/domain"
)

// Domains are the own domain and those that are known.
type Domains struct {
	Own    *api.DomainView `json:"own,omitempty"` // nil: this gateway has no identity to others
	LogKey string          `json:"log_key,omitempty"`
	Peers  []Peer          `json:"peers"`
	Others []OtherDomain   `json:"others,omitempty"` // that configuration names and nobody pinned
	Owns   []bundles.Own   `json:"bundles,omitempty"`
	Drift  []string        `json:"drift,omitempty"` // where what runs is not what was published or is subscribed to
}

// OtherDomain is one that has agents in the configuration, and no identity that was pinned.
type OtherDomain struct {
	Domain flow.DomainID `json:"domain"`
	Agents int           `json:"agents"`
}

// Peer is a peer with all that hangs on it.
type Peer struct {
	api.PeerView
	Frozen  *freeze.Entry    `json:"frozen,omitempty"`
	List    *ledger.Status   `json:"revocation_list,omitempty"` // nil: none came, so none of its roots counts
	Held    []bundles.Status `json:"bundles,omitempty"`
	Agreed  int              `json:"contracts"` // in force
	Expired bool             `json:"expired,omitempty"`
}

func (p *Pages) domains(ctx context.Context, _ *page.Request) (Domains, error) {
	m := Domains{Peers: []Peer{}}
	if p.Peers != nil {
		v, err := api.ShowDomain(ctx, p.Peers, api.ShowRequest{})
		if err != nil {
			return m, err
		}
		m.Own = &v
		all, err := api.ListPeers(ctx, p.Peers, api.ShowRequest{})
		if err != nil {
			return m, err
		}
		for _, v := range all {
			m.Peers = append(m.Peers, p.peer(v))
		}
	}
	if p.Bundles != nil {
		m.Owns, m.Drift = p.Bundles.Owns(), p.Bundles.Drift()
	}
	if p.Snapshot != nil {
		agents := map[flow.DomainID]int{}
		for _, a := range p.Snapshot().Agents {
			agents[a.Party.Domain]++
		}
		for d, n := range agents {
			if d != p.domain() && !slices.ContainsFunc(m.Peers, func(q Peer) bool { return q.Domain == d }) {
				m.Others = append(m.Others, OtherDomain{d, n})
			}
		}
		slices.SortFunc(m.Others, func(a, b OtherDomain) int { return strings.Compare(string(a.Domain), string(b.Domain)) })
	}
	return m, nil
}

func (p *Pages) peer(v api.PeerView) Peer {
	q := Peer{PeerView: v, Expired: !v.Expires.IsZero() && !v.Expires.After(p.now()), Frozen: p.frozen(v.Domain)}
	if l := p.Ledger.Capabilities; l != nil {
		for _, s := range l.Statuses() {
			if s.Domain == v.Domain {
				q.List = &s
			}
		}
	}
	if p.Bundles != nil {
		for _, s := range p.Bundles.Statuses() {
			if strings.HasPrefix(s.ID, string(v.Domain)+"/") {
				q.Held = append(q.Held, s)
			}
		}
	}
	if p.Contracts != nil {
		for _, e := range p.Contracts.All() {
			if e.Peer == v.Domain && e.State == "agreed" {
				q.Agreed++
			}
		}
	}
	return q
}

func (p *Pages) frozen(d flow.DomainID) *freeze.Entry {
	if p.Ledger.Freezes == nil {
		return nil
	}
	for _, e := range p.Ledger.Freezes.All() {
		if e.Kind == freeze.Domain && e.Name == string(d) {
			return &e
		}
	}
	return nil
}

// Domain is one domain, with its agents.
type Domain struct {
	Domain   flow.DomainID      `json:"domain"`
	Own      bool               `json:"own,omitempty"`
	Peer     *Peer              `json:"peer,omitempty"` // nil: it is none
	StaleAt  string             `json:"list_limit,omitempty"`
	Agents   []AgentView        `json:"agents"`
	Agent    flow.AgentID       `json:"agent,omitempty"` // whose Sees it is
	Purpose  flow.Purpose       `json:"purpose,omitempty"`
	Sees     []Seen             `json:"sees,omitempty"`
	Contract []api.ContractView `json:"contracts,omitempty"`
}

// AgentView is an agent that configuration knows.
type AgentView struct {
	Agent    flow.AgentID   `json:"agent"`
	Roles    []flow.Role    `json:"roles,omitempty"`
	Speaks   []string       `json:"speaks,omitempty"`
	Purposes []flow.Purpose `json:"purposes,omitempty"`
	Frozen   bool           `json:"frozen,omitempty"`
}

// Seen is what an agent would be shown of one label by policy, as "scrim policy explain" has it.
type Seen struct {
	Label    flow.Label      `json:"label"`
	Tier     string          `json:"tier"`
	Level    string          `json:"level"`
	Param    string          `json:"param,omitempty"`
	Policies []flow.PolicyID `json:"policies,omitempty"`
	Reason   string          `json:"reason,omitempty"`
}

const mostLabels = 200

func (p *Pages) domainPage(ctx context.Context, r *page.Request) (Domain, error) {
	m := Domain{Domain: flow.DomainID(r.PathValue("domain")), Agents: []AgentView{}}
	known := false
	if p.Peers != nil {
		all, err := api.ListPeers(ctx, p.Peers, api.ShowRequest{})
		if err != nil {
			return m, err
		}
		for _, v := range all {
			if v.Domain == m.Domain {
				q := p.peer(v)
				m.Peer, known = &q, true
			}
		}
	}
	if l := p.Ledger.Capabilities; l != nil {
		m.StaleAt = l.StaleAfter().String()
	}
	if p.Snapshot == nil {
		return m, page.ErrNotFound
	}
	s := p.Snapshot()
	m.Own = m.Domain == s.Domain
	for _, a := range s.Agents {
		if a.Party.Domain == m.Domain {
			m.Agents = append(m.Agents, p.agent(s, a))
		}
	}
	slices.SortFunc(m.Agents, func(a, b AgentView) int { return strings.Compare(string(a.Agent), string(b.Agent)) })
	if !known && !m.Own && len(m.Agents) == 0 {
		return m, page.ErrNotFound
	}
	if p.Contracts != nil {
		all, err := api.ListContracts(ctx, p.Contracts, api.ContractRequest{})
		if err != nil {
			return m, err
		}
		for _, c := range all {
			if c.Peer == m.Domain {
				m.Contract = append(m.Contract, c)
			}
		}
	}
	return m, p.sees(&m, s, flow.AgentID(r.Q("agent")), flow.Purpose(r.Q("purpose")))
}

func (p *Pages) agent(s *gateway.Snapshot, a *gateway.Agent) AgentView {
	v := AgentView{Agent: a.Party.Agent, Roles: a.Party.Roles}
	if a.A2A != nil {
		v.Speaks = append(v.Speaks, "A2A")
	}
	if a.MCP != nil {
		v.Speaks = append(v.Speaks, "MCP")
	}
	if s.Identity != nil {
		if c, ok := s.Identity.Known(a.Party); ok {
			v.Purposes = c.Purposes
		}
	}
	if p.Ledger.Freezes != nil {
		v.Frozen = p.Ledger.Freezes.Party(a.Party)
	}
	return v
}

// sees asks policy about each label, for one agent and one purpose.
func (p *Pages) sees(m *Domain, s *gateway.Snapshot, agent flow.AgentID, purpose flow.Purpose) error {
	if agent == "" {
		return nil
	}
	a := s.Agents[agent]
	if a == nil || a.Party.Domain != m.Domain {
		return page.ErrNotFound
	}
	if s.Policy == nil || s.Taxonomy == nil {
		return nil
	}
	m.Agent, m.Purpose = agent, purpose
	if purpose == "" {
		for _, v := range m.Agents {
			if v.Agent == agent && len(v.Purposes) > 0 {
				m.Purpose = v.Purposes[0]
			}
		}
	}
	q := policy.Query{Flow: flow.Flow{ID: "explain", From: flow.Party{Domain: s.Domain}, To: a.Party, Purpose: m.Purpose}}
	for i, c := range s.Taxonomy.All() {
		if i == mostLabels {
			break
		}
		ex, err := s.Policy.Explain(q, flow.Leaf{Path: "/", Label: c.Label, Origin: flow.Catalogued})
		if err != nil {
			return page.Wrong("purpose: policy cannot be asked about it")
		}
		m.Sees = append(m.Sees, Seen{Label: c.Label, Tier: c.Tier.String(), Level: ex.Result.Level.String(), Param: string(ex.Result.Param), Policies: ex.Result.Policies, Reason: ex.Result.Reason})
	}
	return nil
}

// LookRequest is the address of a domain's document.
type LookRequest struct {
	URL string `json:"url"`
}

// Looked is a document that was fetched. Nothing is believed by it.
type Looked struct {
	api.PeerView
	At string `json:"at"`
}

// PinRequest pins what was looked at.
type PinRequest struct {
	URL         string `json:"url"`
	Fingerprint string `json:"fingerprint"`
	Compared    bool   `json:"compared"` // with what the other domain's operator says, over another channel
}

// PeerName names a peer.
type PeerName struct {
	Domain flow.DomainID `json:"domain"`
}

// About names the domain.
func (n *PeerName) About() string { return string(n.Domain) }

func (p *Pages) peerError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return page.Wrong("the document is not believed: %v", e)
	}
	return told(err, peers.ErrURL, peers.ErrFetch, peers.ErrOwn, peers.ErrPinned, peers.ErrConfigured, peers.ErrUnknown, peers.ErrNotInForce, domain.ErrFingerprint)
}

func (p *Pages) look(ctx context.Context, _ *page.Request, in LookRequest) (Looked, error) {
	if p.Peers == nil {
		return Looked{}, errAbsent
	}
	v, err := api.LookAtPeer(ctx, p.Peers, api.PeerRequest{URL: strings.TrimSpace(in.URL)})
	return Looked{v, v.URL}, p.peerError(err)
}

func (p *Pages) pin(ctx context.Context, _ *page.Request, in PinRequest) (api.PeerView, error) {
	if p.Peers == nil {
		return api.PeerView{}, errAbsent
	}
	if !in.Compared {
		return api.PeerView{}, page.Wrong("compared: compare the fingerprint with the other domain's operator first, over another channel than this address")
	}
	v, err := api.AddPeer(ctx, p.Peers, api.PeerRequest{URL: strings.TrimSpace(in.URL), Fingerprint: in.Fingerprint})
	return v, p.peerError(err)
}

func (p *Pages) endPeer(ctx context.Context, _ *page.Request, in PeerName) (PeerName, error) {
	if p.Peers == nil {
		return in, errAbsent
	}
	_, err := api.RemovePeer(ctx, p.Peers, api.DomainRequest{Domain: in.Domain})
	return in, p.peerError(err)
}

func (p *Pages) fetchPeer(ctx context.Context, _ *page.Request, in PeerName) (api.PeerView, error) {
	if p.Peers == nil {
		return api.PeerView{}, errAbsent
	}
	v, err := api.RefreshPeer(ctx, p.Peers, api.DomainRequest{Domain: in.Domain})
	return v, p.peerError(err)
}

func (p *Pages) rotate(ctx context.Context, _ *page.Request, _ struct{}) (api.DomainView, error) {
	if p.Peers == nil {
		return api.DomainView{}, errAbsent
	}
	return api.RotateKey(ctx, p.Peers, api.RotateRequest{})
}

func (p *Pages) addDomains(g *page.Group) {
	page.Add(g, page.Page[Domains]{
		Path: "/domains", Title: "Domains", Summary: "What this domain is to others, the domains that it pinned, and how each stands.",
		Template: "domains.html", Role: page.Viewer, Model: p.domains,
	})
	page.Add(g, page.Page[Domain]{
		Path: "/domains/{domain}", Title: "Domain", Summary: "One domain: its keys and lists, its agents, and what one of them may see by policy.",
		Template: "domain.html", Role: page.Viewer, Model: p.domainPage,
		Query: []page.Param{{Name: "agent", What: "whose view by policy is told"}, {Name: "purpose", What: "for which purpose; absent: the agent's first"}},
	})
	page.Do(g, page.Action[LookRequest, Looked]{
		Path: "/domains/look", Name: "console/look-at-peer", Title: "Compare the fingerprint", ReadOnly: true, Role: page.Admin, Template: "looked.html", Do: p.look,
		Summary: "Fetches a domain's document to show its fingerprint. Nothing is believed by it.",
	})
	page.Do(g, page.Action[PinRequest, api.PeerView]{
		Path: "/domains/pin", Name: "console/pin-peer", Title: "Pin a domain", Role: page.Admin, Do: p.pin,
		Summary: "Pins a domain by its fingerprint, which was compared over another channel.",
		Then:    func(_ PinRequest, v api.PeerView) string { return "/domains/" + string(v.Domain) },
	})

	page.Do(g, page.Action[PeerName, PeerName]{
		Path: "/domains/end", Name: "console/end-peer", Title: "End a peer", Role: page.Admin, Do: p.endPeer, Then: func(PeerName, PeerName) string { return "/domains" },
		Summary: "Ends a peer that was pinned by command or here.",
	})
	page.Do(g, page.Action[PeerName, api.PeerView]{
		Path: "/domains/fetch", Name: "console/fetch-peer", Title: "Look at a peer's document now", Role: page.Steward, Do: p.fetchPeer,
		Summary: "Fetches a peer's document anew. It is believed where it follows the last one.",
		Then:    func(_ PeerName, v api.PeerView) string { return "/domains/" + string(v.Domain) },
	})
	page.Do(g, page.Action[struct{}, api.DomainView]{
		Path: "/domains/rotate", Name: "console/rotate-key", Title: "Rotate the signing key", Role: page.Admin, Do: p.rotate,
		Summary: "Makes another signing key of this domain. It signs after the configured lead, and the old one counts until the overlap is over.",
		Then:    func(struct{}, api.DomainView) string { return "/domains" },
	})
}
