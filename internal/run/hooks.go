package run

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/extmcp"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/internal/config"
)

// askers are the gateways that may ask through hooks, and for whom; nil where none may.
func askers(c *config.Config) (ext, interceptor *gateway.Peer) {
	if h := c.Hooks.ExtMCP; h != nil {
		ext = peer(c, h.Gateway, h.Callers, h.Servers)
		ext.Keys = gateway.PeerKeys{
			Caller: h.Keys.Caller, Tool: h.Keys.Tool, Purpose: h.Keys.Purpose, Criticality: h.Keys.Criticality, Session: h.Keys.Session,
		}
	}
	if h := c.Hooks.Interceptors; h != nil {
		interceptor = peer(c, h.Gateway, h.Callers, h.Servers)
	}
	return ext, interceptor
}

func peer(c *config.Config, id flow.AgentID, callers, servers []config.PeerName) *gateway.Peer {
	p := &gateway.Peer{Gateway: id, Callers: map[string]identity.Grant{}, Servers: map[string]flow.AgentID{}}
	for _, n := range callers {
		for i := range c.Agents {
			if a := &c.Agents[i]; a.ID == n.Agent {
				p.Callers[n.Name] = granted(a)
			}
		}
	}
	for _, n := range servers {
		p.Servers[n.Name] = n.Agent
	}
	return p
}

// granted is an agent and the most it may claim.
func granted(a *config.Agent) identity.Grant {
	return identity.Grant{Party: a.Party(), Purposes: a.Purposes, Default: a.DefaultPurpose, Criticality: a.Criticality}
}

// extMCP listens for agentgateway's hook; nil where it is not configured.
func (r *Gateway) extMCP(c *config.Config, calls context.Context) (*http.Server, net.Listener, error) {
	h := c.Hooks.ExtMCP
	if h == nil {
		return nil, nil, nil
	}
	l, err := net.Listen("tcp", h.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("taking the address of hooks.extmcp: %w", err)
	}
	checker := &mcp.Checker{Gateway: r.Gateway, Tools: r.tools}
	s := r.server(r.guard(r.Gateway.Door(&extmcp.Server{Gateway: r.Gateway, Checker: checker})), calls)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s, l, nil
}

// extMCPAddress is where the hook listens; "" where it is not configured.
func extMCPAddress(c *config.Config) string {
	if c.Hooks.ExtMCP == nil {
		return ""
	}
	return c.Hooks.ExtMCP.Listen
}
