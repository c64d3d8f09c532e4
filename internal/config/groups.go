package config

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

const maxGroupServers = 32

// groups checks the addresses that front several servers: names must lead to one server each.
func (v *validator) groups(agents map[flow.AgentID]int) {
	seen := map[flow.AgentID]bool{}
	for i, g := range v.c.MCPGroups {
		at := fmt.Sprintf("mcp_groups/%d", i)
		if _, taken := agents[g.ID]; g.ID != "" && (taken || seen[g.ID]) {
			v.wrong(at+"/id", "", "there is an agent or another group of this id")
		}
		seen[g.ID] = true
		v.reserved(at+"/id", g.ID)
		if len(g.Servers) > maxGroupServers {
			v.wrong(at+"/servers", "make two groups of it", "more than %d servers", maxGroupServers)
		}
		twice := map[flow.AgentID]bool{}
		for j, id := range g.Servers {
			at := fmt.Sprintf("%s/servers/%d", at, j)
			known(v, at, "agent", id, agents)
			if n, ok := agents[id]; ok && !v.c.Agents[n].Serves() {
				v.wrong(at, "give it mcp, or take it out of the group", "the agent is no MCP server")
			}
			if twice[id] {
				v.wrong(at, "", "the server is listed twice")
			}
			twice[id] = true
			if strings.Contains(string(id), "__") || strings.HasSuffix(string(id), "_") {
				v.wrong(at, "tools are named server__tool; give the agent another id", "the id holds two underscores in a row, or ends in one")
			}
		}
	}
}

// reserved keeps the address of the gateway's own MCP server free.
func (v *validator) reserved(at string, id flow.AgentID) {
	if id == "scrim" {
		v.wrong(at, "call it something else", "the gateway's own MCP server has this name")
	}
}
