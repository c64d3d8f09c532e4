package config

import (
	"strings"
	"testing"
	"time"
)

const groupServers = `
version: 1
domain: a
agents:
  - {id: records, mcp: {url: "https://a.example/mcp"}}
  - {id: lab, mcp: {url: "https://b.example/mcp"}}
  - {id: a__b, mcp: {url: "https://c.example/mcp"}}
  - {id: a_, mcp: {url: "https://d.example/mcp"}}
  - {id: talker, a2a: {url: "https://e.example"}}
`

func TestGroupsNameServersThatCanBeToldApart(t *testing.T) {
	c, err := Parse("scrim.yaml", []byte(groupServers+"mcp_groups: [{id: clinic, servers: [records, lab]}]\n"), t.TempDir())
	if err != nil && !strings.Contains(err.Error(), "policies") {
		t.Fatal(err)
	}
	if err == nil && time.Duration(c.MCPGroups[0].Wait) != 10*time.Second {
		t.Errorf("wait = %v", c.MCPGroups[0].Wait)
	}
	for group, want := range map[string]string{
		"{id: records, servers: [lab]}":                           "agent or another group of this id",
		"{id: g, servers: [lab, lab]}":                            "listed twice",
		"{id: g, servers: [nobody]}":                              "no agent",
		"{id: g, servers: [talker]}":                              "no MCP server",
		"{id: g, servers: [a__b]}":                                "two underscores",
		"{id: g, servers: [a_]}":                                  "two underscores",
		"{id: g}":                                                 "servers",
		"{id: g, servers: [lab]}, {id: g, servers: [records]}":    "another group",
		"{id: g, servers: [" + strings.Repeat("lab, ", 33) + "]}": "more than 32",
		`{id: g, servers: [lab], wait: "1ms"}`:                    "100ms",
		"{id: scrim, servers: [lab]}":                             "own MCP server",
	} {
		if _, err := Parse("scrim.yaml", []byte(groupServers+"mcp_groups: ["+group+"]\n"), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", group, err, want)
		}
	}
}
