package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/loopback"
)

// a2aAgents are agents on official SDKs.
var a2aAgents = []struct {
	name string
	argv func(t *testing.T) []string // the port is added; nil: Go
}{
	{"go", nil},
	{"python", func(t *testing.T) []string { return []string{python(t), script(t, "a2a_agent.py")} }},
	{"javascript", func(t *testing.T) []string { return []string{node(t), script(t, "a2a_agent.mjs")} }},
}

// a2aClients are clients on official SDKs.
var a2aClients = []struct {
	name string
	argv func(t *testing.T) []string // binding, URL and webhook are added; nil: Go
}{
	{"go", nil},
	{"python", func(t *testing.T) []string { return []string{python(t), script(t, "a2a_client.py")} }},
	{"javascript", func(t *testing.T) []string { return []string{node(t), script(t, "a2a_client.mjs")} }},
}

// serveA2A starts an agent and returns its URL.
func serveA2A(t *testing.T, argv []string) string {
	t.Helper()
	if argv == nil {
		return play(t)[""]
	}
	addr := loopback.Address(t)
	_, port, _ := strings.Cut(addr, ":")
	start(t, addr, exec.Command(argv[0], append(argv[1:], port)...))
	return "http://" + addr
}

// talkA2A lets a client go through an agent, and returns what it saw in a form that can be compared.
func talkA2A(t *testing.T, argv []string, binding, url, hook, authorization string) string {
	t.Helper()
	if argv == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		out, err := goA2AClient(ctx, binding, url, hook, authorization)
		if err != nil {
			t.Fatal(err)
		}
		return neutral(out)
	}
	cmd := exec.Command(argv[0], append(argv[1:], binding, url, hook)...)
	cmd.Env = append(os.Environ(), "AUTHORIZATION="+authorization)
	out, err := runClient(t, cmd, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return neutral(strings.TrimSpace(out))
}

// a2aPairs runs each client with each agent by each binding.
func a2aPairs(t *testing.T, each func(t *testing.T, binding string, agentArgv, clientArgv []string)) {
	kits(t)
	for _, binding := range []string{"JSONRPC", "HTTP+JSON"} {
		for _, agent := range a2aAgents {
			for _, client := range a2aClients {
				t.Run(fmt.Sprintf("%s/%s-client/%s-agent", binding, client.name, agent.name), func(t *testing.T) {
					t.Parallel()
					var agentArgv, clientArgv []string
					if agent.argv != nil {
						agentArgv = agent.argv(t)
					}
					if client.argv != nil {
						clientArgv = client.argv(t)
					}
					each(t, binding, agentArgv, clientArgv)
				})
			}
		}
	}
}

var named = regexp.MustCompile(`(" ?[a-z ]+ fails"),"[A-Z_]+"`)

// Every official client sees through the gateway what it sees without, of every agent on an official SDK, and the
// notifications that it asked for reach it.
func TestA2AClientsAndAgentsSeeNoGateway(t *testing.T) {
	a2aPairs(t, func(t *testing.T, binding string, agentArgv, clientArgv []string) {
		url := serveA2A(t, agentArgv)
		base := gate(t, "egress: {allow: [127.0.0.0/8], ports: [0], plain_http: true}"+mcpCaller+fmt.Sprintf("  - {id: player, a2a: {url: %q, credential: {env: SCENARIO_CREDENTIAL}}}\n", url)+transparent, nil)
		hook := newWebhook(t)
		direct := talkA2A(t, clientArgv, binding, url, hook.URL+"/direct", "Bearer agents-own")
		through := talkA2A(t, clientArgv, binding, base+"/a2a/player", hook.URL+"/through", "Bearer "+callerKey)
		for try := 0; try < 6 && strings.ReplaceAll(direct, hook.URL+"/direct", "") != strings.ReplaceAll(through, hook.URL+"/through", ""); try++ {
			// Whoever subscribes sees how far the agent is by then, which on a busy machine is now here, now there.
			direct = talkA2A(t, clientArgv, binding, url, hook.URL+"/direct", "Bearer agents-own")
			through = talkA2A(t, clientArgv, binding, base+"/a2a/player", hook.URL+"/through", "Bearer "+callerKey)
		}
		// Some agents send the last ones when the client has deleted the configuration already.
		auth, ok := hook.until("/through", func(o object) bool { return at(o, "statusUpdate") != nil || at(o, "task") != nil })
		if !ok || auth != "Bearer hook-secret" {
			t.Errorf("no notification came with the credential that was configured: %v", ok)
		}
		direct, through = strings.ReplaceAll(direct, hook.URL+"/direct", "(hook)"), strings.ReplaceAll(through, hook.URL+"/through", "(hook)")
		if strings.Contains(direct, `["push delete fails`) {
			// Go's agents answer with neither result nor error, JavaScript's with a status that others do not expect.
			direct, through = without(direct, `["push delete`), without(through, `["push delete`)
		}
		if clientArgv == nil && agentArgv != nil && binding == "HTTP+JSON" {
			// Agents on other SDKs leave out of an error what this client reads, and answer with a status that it does
			// not expect when a configuration is made or deleted; the gateway answers as the specification has it.
			direct, through = without(direct, `["push`), without(through, `["push`)
			direct, through = named.ReplaceAllString(direct, `$1,"(an error)"`), named.ReplaceAllString(through, `$1,"(an error)"`)
		}
		same(t, direct, through)
		if n := strings.Count(through, " fails"); n > 3 {
			t.Errorf("%d operations failed", n)
		}
	})
}
