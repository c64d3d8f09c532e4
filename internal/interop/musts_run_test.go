package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/interop/scenario"
)

func unbase64(s string) (o object) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// agentKinds are the scenario agents that the musts ask, by name.
var agentKinds = map[string]scenario.Options{
	"":          {Everything: true, Credential: "Bearer agents-own"},
	"bare":      {},
	"demanding": {Everything: true, Required: requiredExtension},
	"halfway":   {Everything: true, NoExtended: true},
}

// play starts the scenario agents and returns their addresses.
func play(t *testing.T) map[string]string {
	at := map[string]string{}
	for name, opt := range agentKinds {
		srv := httptest.NewUnstartedServer(nil)
		srv.Start()
		opt.URL, opt.Pause = srv.URL, 40*time.Millisecond
		srv.Config.Handler = scenario.New(opt).Handler()
		t.Cleanup(srv.Close)
		t.Cleanup(srv.CloseClientConnections)
		at[name] = srv.URL
	}
	return at
}

func idOf(agent string) string {
	if agent == "" {
		return "full"
	}
	return agent
}

// speaks makes a binding for an agent that is known at base.
func speaks(t *testing.T, name, base string) binding {
	t.Helper()
	c := checker{ctx: t.Context(), base: base}
	want := map[string]string{"jsonrpc": "JSONRPC", "rest": "HTTP+JSON"}[name]
	for _, i := range list(c.card(), "supportedInterfaces") {
		if text(i, "protocolBinding") != want || !strings.HasPrefix(text(i, "protocolVersion"), "1.") {
			continue
		}
		if name == "jsonrpc" {
			return jsonrpc{text(i, "url")}
		}
		return rest{strings.TrimSuffix(text(i, "url"), "/")}
	}
	t.Fatalf("the card at %s names no interface of %s: %v", base, want, c.wrong)
	return nil
}

// What an agent must do by the specification it does through the gateway as it does without, by every binding.
func TestA2AMustsHoldThroughTheGatewayAsWithoutIt(t *testing.T) {
	long(t)
	agents := play(t)
	var yaml strings.Builder
	yaml.WriteString("\negress: {allow: [127.0.0.0/8], ports: [0], plain_http: true}\npurposes: {test: {}}\nagents:\n  - {id: caller, default_purpose: test, keys: [{sha256: " + callerDigest + "}]}\n")
	for name, url := range agents {
		fmt.Fprintf(&yaml, "  - {id: %s, a2a: {url: %q, credential: {env: SCENARIO_CREDENTIAL}}}\n", idOf(name), url)
	}
	base := gate(t, yaml.String()+transparent, nil)

	var table strings.Builder
	table.WriteString("| binding | demands | hold of the agent alone | hold through the gateway |\n|---|---|---|---|\n")
	for _, name := range bindings {
		t.Run(name, func(t *testing.T) {
			direct := examine(t, name, func(agent string) (string, binding, service) {
				return agents[agent], speaks(t, name, agents[agent]), service{"Authorization": "Bearer agents-own"}
			}, "direct-"+name)
			for _, d := range direct {
				if len(d.wrong) > 0 {
					t.Errorf("%s %s: the agent alone: %s", d.must.section, d.must.name, strings.Join(d.wrong, "; "))
				}
			}
			through := examine(t, name, func(agent string) (string, binding, service) {
				at := base + "/a2a/" + idOf(agent)
				return at, speaks(t, name, at), service{"Authorization": "Bearer " + callerKey}
			}, "through-"+name)
			good, alone := 0, 0
			for i, d := range direct {
				g := through[i]
				if len(d.wrong) == 0 {
					alone++
				}
				if len(g.wrong) > 0 {
					t.Errorf("%s %s: through the gateway: %s", d.must.section, d.must.name, strings.Join(g.wrong, "; "))
				} else {
					good++
				}
				if len(d.wrong) == 0 && len(g.wrong) == 0 && !slices.Equal(d.saw, g.saw) {
					t.Errorf("%s %s: it looks otherwise through the gateway:\n\t%s\n\t%s", d.must.section, d.must.name, strings.Join(d.saw, "\n\t"), strings.Join(g.saw, "\n\t"))
				}
			}
			t.Logf("%d of %d hold through the gateway", good, len(direct))
			fmt.Fprintf(&table, "| %s | %d | %d | %d |\n", name, len(direct), alone, good)
		})
	}
	if strings.Count(table.String(), "\n") == len(bindings)+2 { // all of them ran
		page(t, "musts", table.String())
	}
}

// bindings are those that the musts are checked by.
var bindings = []string{"jsonrpc", "rest"}

// The key of the caller, and its SHA-256.
const (
	callerKey    = "scrim_interop"
	callerDigest = "89a2f5aae816711ca3c3489b922ef56228471427087c2a483ef4cba67f74a560"
)
