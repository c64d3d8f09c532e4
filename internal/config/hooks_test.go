package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHooksNameWhoMayAskAndForWhom(t *testing.T) {
	const head = groupServers + `
  - {id: edge, keys: [{sha256: "` + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" + `"}]}
hooks:
`
	if c, err := Parse("scrim.yaml", []byte(head+"  extmcp: {gateway: edge, callers: [{name: a@b, agent: talker}], servers: [{name: x, agent: lab}]}\n"), t.TempDir()); err == nil {
		if h := c.Hooks.ExtMCP; h.Listen != "127.0.0.1:7073" || h.Keys.Caller != "caller" || h.Keys.Tool != "tool" {
			t.Errorf("defaults are %+v", h)
		}
	} else if !strings.Contains(err.Error(), "policies") {
		t.Fatal(err)
	}
	const rest = "callers: [{name: a, agent: talker}], servers: [{name: x, agent: lab}]}\n"
	for hook, want := range map[string]string{
		`  extmcp: {listen: "0.0.0.0:7073", ` + rest:                                     "anybody who reaches the address",
		`  extmcp: {listen: "127.0.0.1:7070", gateway: edge, ` + rest:                    "same address",
		`  extmcp: {gateway: nobody, ` + rest:                                            "no agent",
		`  extmcp: {gateway: talker, ` + rest:                                            "no credential",
		`  extmcp: {gateway: edge, servers: [{name: x, agent: lab}]}` + "\n":             "callers",
		`  extmcp: {gateway: edge, callers: [{name: a, agent: zz}], servers: []}` + "\n": "no agent",
		`  interceptors: {` + rest:                                                       "gateway",
		`  interceptors: {gateway: edge, callers: [{name: a, agent: lab}, {name: a, agent: talker}], servers: [{name: x, agent: lab}]}` + "\n": "listed twice",
	} {
		if _, err := Parse("scrim.yaml", []byte(head+hook), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", hook, err, want)
		}
	}
}

// TestAgentsOfHooksNeedNoWayOfTheirOwn: another gateway carries for them.
func TestAgentsOfHooksNeedNoWayOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("scrim.yaml", []byte(`
version: 1
domain: a
agents:
  - {id: intake}
  - {id: records}
  - {id: idle}
hooks:
  extmcp: {callers: [{name: i, agent: intake}], servers: [{name: r, agent: records}]}
`), dir)
	if err != nil {
		t.Fatal(err)
	}
	text := c.Warnings().Error()
	if strings.Count(text, "neither be reached nor call") != 1 {
		t.Errorf("warnings are %s", text)
	}
}
