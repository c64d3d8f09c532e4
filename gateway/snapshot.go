package gateway

import (
	"net/netip"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/exposure"
)

// Snapshot is everything that a reload can change. It is immutable once handed to a gateway: a reload builds
// another and swaps it in, so that each message is decided by one configuration from beginning to end.
type Snapshot struct {
	Domain      flow.DomainID
	PublicURL   string // base of the gateway's own addresses, without a slash at its end; "": see [BaseURL]
	Taxonomy    *flow.Taxonomy
	Detector    *detect.Engine  // nil: that of the gateway
	Beside      []detect.Beside // further detectors of prose
	Policy      *policy.Set
	Catalog     *catalog.Catalog
	Hierarchies deidentify.Hierarchies
	Proxies     []netip.Prefix // of proxies whose word is believed on how a request reached them
	Egress      egress.Options // of clients for addresses that strangers name
	Agents      map[flow.AgentID]*Agent
	Identity    *identity.Authenticator
	Resource    Resource // what everybody is told about the agents and servers as protected resources
	Capability  CapabilityRules
	Fronts      map[flow.AgentID]*Group // MCP servers that share an address, by its name
	ExtMCP      *Peer                   // who asks through agentgateway's hook; nil: nobody
	Interceptor *Peer                   // who asks through MCP interceptors; nil: nobody
	Hops        HopRules
	Peers       *peers.Peers               // the domain's identity and those it pinned; nil: neither. It lives on from snapshot to snapshot
	Grants      Grants                     // what agents of the domain may have capabilities for
	Groups      map[flow.Purpose]string    // purpose → the group whose tokens it shares; absent: the purpose alone
	Questions   map[flow.AgentID]Questions // by who answers them
	Datasets    map[string]*Dataset        // that the gateway answers questions about itself
	Workflows   map[flow.AgentID]string    // of agents that work together, for quotas
	Transparent []Transparent
	Fetch       *Fetch // nil: no file is fetched
	Handles     HandleRules
	Exposure    *exposure.Settings // nil: nothing is remembered of what was shown
	Limits      json.Limits
	Events      EventLimits
	Load        LoadLimits
	ConfigHash  string
	Learn       bool // watch flows inside the domain without enforcing; flows that leave it are still decided
}

// EventLimits bound streams; zero fields have the defaults named.
type EventLimits struct {
	Event  int           // bytes of one event; 1 MiB
	Events int           // events of one stream; 100,000
	Answer int           // bytes of an answer kept to be given again; 1 MiB
	Idle   time.Duration // without an event; 5 min
}

// Group is one address for several MCP servers.
type Group struct {
	ID      flow.AgentID
	Servers []flow.AgentID // in the order in which lists have their entries
	Wait    time.Duration  // for one server's part of a joint answer; 0: 10 s
}

// Agent is a party that the gateway knows, with the ways to reach it.
type Agent struct {
	Party  flow.Party
	A2A    *Upstream    // nil: not reached over A2A
	MCP    *Upstream    // nil: not reached over MCP
	Inner  Inner        // what MCP leads to, where that is part of this process; nil: it is not
	Limits CallerLimits // of its calls; zero fields: those of every caller
	Skill  string       // what policies and schemas call its one skill, where configuration names one
	Card   CardRules

	ByReference ByReference // of what it sends
	Capability  bool        // it calls by a capability or not at all
}

// CardRules say when an agent's card is believed, and how much of it is passed on.
type CardRules struct {
	Signature SignatureRule
	Keys      []byte   // JSON Web Keys that are believed; nil: none
	KeyIDs    []string // of the keys, pinned or fetched, that count; none: all
	KeyHosts  []string // hosts, beside the agent's own, that keys are fetched from where a signature names them
	Fetch     bool     // keys are fetched from the agent's own host
	Original  bool     // callers from outside the agent's domain get the agent's own card along with it
}

// SignatureRule says what a card's signature is worth.
type SignatureRule uint8

// The rules. The zero value tells callers what was found.
const (
	SignatureVerify  SignatureRule = iota // it is checked, and the result told
	SignatureRequire                      // a card that does not verify is none, and its agent is not called
	SignatureIgnore                       // it is not looked at
)

// Group returns the purpose group whose tokens the purpose shares.
func (s *Snapshot) Group(p flow.Purpose) string {
	if g, ok := s.Groups[p]; ok {
		return "group:" + g
	}
	return "purpose:" + string(p)
}

// DomainOf returns the domain of an agent that configuration knows; "" of another one.
func (s *Snapshot) DomainOf(id flow.AgentID) flow.DomainID {
	if a := s.Agents[id]; a != nil {
		return a.Party.Domain
	}
	return ""
}

// Face is a side of the gateway.
type Face uint8

// The faces.
const (
	Inbound  Face = iota // callers from anywhere to the domain's own agents
	Outbound             // the domain's own agents to foreign ones
)

// Reach returns the agent that a caller wants on a face, or the refusal. Unknown agents, agents of the other face and
// callers of the other domain are refused alike, so that names cannot be tried.
func (s *Snapshot) Reach(face Face, caller flow.Party, id flow.AgentID) (*Agent, error) {
	a := s.Agents[id]
	own := a != nil && a.Party.Domain == s.Domain
	ok := a != nil && (face == Inbound) == own
	if face == Outbound && caller.Domain != s.Domain {
		ok = false
	}
	if !ok {
		return nil, refuse(RuleFace, "", nil, noAgentText)
	}
	return a, nil
}
