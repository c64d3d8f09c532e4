package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Hooks are ways in which other gateways ask this one about messages that they carry themselves.
type Hooks struct {
	ExtMCP       *ExtMCP       `yaml:"extmcp" doc:"agentgateway's hook for MCP policy, a gRPC service (mcpGuardrails, kind remote)."`
	Interceptors *Interceptors `yaml:"interceptors" doc:"MCP interceptors (draft SEP-2624), an MCP server at /interceptors."`
}

// ExtMCP is agentgateway's hook.
type ExtMCP struct {
	Listen  string       `yaml:"listen" doc:"Address (host:port) of the hook: HTTP/2 without TLS, so keep it on loopback." default:"127.0.0.1:7073" pattern:"address"`
	Gateway flow.AgentID `yaml:"gateway" doc:"The agent that asks, by its key or token. Absent: anybody on this machine, on a loopback address alone." pattern:"id"`
	Callers []PeerName   `yaml:"callers" doc:"Agents that it may speak for, by the names it has for them." required:"true"`
	Servers []PeerName   `yaml:"servers" doc:"MCP servers that it may carry for, by the names it has for them." required:"true"`
	Keys    PeerKeys     `yaml:"keys" doc:"Names of the hook's metadata that say what belongs to a message."`
}

// Interceptors is the interceptor server.
type Interceptors struct {
	Gateway flow.AgentID `yaml:"gateway" doc:"The agent that asks, by its key or token." required:"true" pattern:"id"`
	Callers []PeerName   `yaml:"callers" doc:"Agents that it may speak for, by the names it has for them." required:"true"`
	Servers []PeerName   `yaml:"servers" doc:"MCP servers that it may carry for, by the names it has for them." required:"true"`
}

// PeerName is what another gateway calls an agent.
type PeerName struct {
	Name  string       `yaml:"name" doc:"Name that the other gateway has for it." required:"true"`
	Agent flow.AgentID `yaml:"agent" doc:"The agent." required:"true" pattern:"id"`
}

// PeerKeys are names of metadata.
type PeerKeys struct {
	Caller      string `yaml:"caller" doc:"Who calls; one of the names under callers." default:"caller"`
	Tool        string `yaml:"tool" doc:"The tool that a result is of. Results do not say it themselves; without it their structured content is undeclared." default:"tool"`
	Purpose     string `yaml:"purpose" doc:"The purpose that is claimed." default:"purpose"`
	Criticality string `yaml:"criticality" doc:"The criticality that is claimed." default:"criticality"`
	Session     string `yaml:"session" doc:"What tells one conversation from others, so that stand-ins come home in it." default:"session"`
}

// names reports whether another gateway carries for the agent, as caller or as server.
func (h Hooks) names(id flow.AgentID) bool {
	var lists [][]PeerName
	if h.ExtMCP != nil {
		lists = append(lists, h.ExtMCP.Callers, h.ExtMCP.Servers)
	}
	if h.Interceptors != nil {
		lists = append(lists, h.Interceptors.Callers, h.Interceptors.Servers)
	}
	for _, list := range lists {
		if slices.ContainsFunc(list, func(p PeerName) bool { return p.Agent == id }) {
			return true
		}
	}
	return false
}

// hooks checks who may ask, and for whom.
func (v *validator) hooks(agents map[flow.AgentID]int) {
	if h := v.c.Hooks.ExtMCP; h != nil {
		const at = "hooks/extmcp"
		v.peer(at, h.Gateway, h.Callers, h.Servers, agents)
		if h.Gateway == "" && isAddress(h.Listen) && !isLoopback(hostOf(h.Listen)) {
			v.wrong(at+"/listen", "name the agent that asks under gateway, or bind it to 127.0.0.1", "anybody who reaches the address could ask")
		} else if isAddress(h.Listen) && !isLoopback(hostOf(h.Listen)) {
			v.warn(at+"/listen", "bind it to 127.0.0.1 and run the other gateway beside this one", "messages and credentials would travel unencrypted")
		}
		if same := h.Listen; same != "" && !strings.HasSuffix(same, ":0") && (same == v.c.Listen || same == v.c.Admin) {
			v.wrong(at+"/listen", "", "listen or admin is the same address")
		}
	}
	if h := v.c.Hooks.Interceptors; h != nil {
		v.peer("hooks/interceptors", h.Gateway, h.Callers, h.Servers, agents)
	}
}

func (v *validator) peer(at string, gateway flow.AgentID, callers, servers []PeerName, agents map[flow.AgentID]int) {
	known(v, at+"/gateway", "agent", gateway, agents)
	if n, ok := agents[gateway]; ok {
		if a := &v.c.Agents[n]; len(a.Keys) == 0 && a.JWT == nil && a.SPIFFE == "" {
			v.wrong(at+"/gateway", "give it keys, jwt or spiffe", "the agent has no credential to ask with")
		}
	}
	for kind, list := range map[string][]PeerName{"callers": callers, "servers": servers} {
		seen := map[string]bool{}
		for i, p := range list {
			at := fmt.Sprintf("%s/%s/%d", at, kind, i)
			known(v, at+"/agent", "agent", p.Agent, agents)
			if seen[p.Name] && p.Name != "" {
				v.wrong(at+"/name", "", "the name is listed twice")
			}
			seen[p.Name] = true
		}
	}
}
