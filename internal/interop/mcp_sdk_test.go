package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/internal/loopback"
)

// asServer makes the test's own program a server on standard input and output, so that there is one in Go.
const asServer = "SCRIM_INTEROP_SERVE"

func serveStdio() int {
	if err := goServer().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		return 1
	}
	return 0
}

// authorized shows a credential with each request.
type authorized struct{ value string }

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.value != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", a.value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// script is a program of testdata in a directory where Node.js finds the packages of the kits.
func script(t *testing.T, name string) string {
	t.Helper()
	if strings.HasSuffix(name, ".py") {
		abs, err := filepath.Abs(filepath.Join("testdata", "python", name))
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	dir := t.TempDir()
	raw, err := os.ReadFile(filepath.Join("testdata", "node", name))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), raw, 0o644)
	}
	if err == nil {
		err = os.Symlink(present(t, "node", "node_modules"), filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// mcpServers are servers on official SDKs, each with the versions that it serves and how it is started.
var mcpServers = []struct {
	name string
	eras []string
	argv func(t *testing.T) []string // on standard input and output; a port is added for HTTP
}{
	{"go", []string{"2025-11-25", "2026-07-28"}, func(t *testing.T) []string { return []string{os.Args[0]} }},
	{"python", []string{"2025-11-25", "2026-07-28"}, func(t *testing.T) []string { return []string{python(t), script(t, "mcp_server.py")} }},
	{"typescript-v1", []string{"2025-11-25"}, func(t *testing.T) []string { return []string{node(t), script(t, "mcp_server.mjs"), "v1"} }},
	{"typescript-v2", []string{"2025-11-25", "2026-07-28"}, func(t *testing.T) []string { return []string{node(t), script(t, "mcp_server.mjs"), "v2"} }},
}

// mcpClients are clients on official SDKs.
var mcpClients = []struct {
	name string
	eras []string
	argv func(t *testing.T, era string) []string // the server's URL or command is added; nil: Go
}{
	{"go", []string{"2025-11-25", "2026-07-28"}, nil},
	{"python", []string{"2025-11-25", "2026-07-28"}, func(t *testing.T, era string) []string {
		return []string{python(t), script(t, "mcp_client.py"), mode(era)}
	}},
	{"typescript-v1", []string{"2025-11-25"}, func(t *testing.T, _ string) []string {
		return []string{node(t), script(t, "mcp_client.mjs"), "v1", "legacy"}
	}},
	{"typescript-v2", []string{"2025-11-25", "2026-07-28"}, func(t *testing.T, era string) []string {
		return []string{node(t), script(t, "mcp_client.mjs"), "v2", mode(era)}
	}},
}

// mode is what the SDKs call a way to begin.
func mode(era string) string {
	if era == "2025-11-25" {
		return "legacy"
	}
	return "auto"
}

// serveMCP starts a server over HTTP and returns its URL.
func serveMCP(t *testing.T, name string, argv []string, era string) string {
	t.Helper()
	if name == "go" {
		server := goServer()
		srv := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: era == "2026-07-28"}))
		t.Cleanup(srv.Close)
		t.Cleanup(srv.CloseClientConnections)
		return srv.URL
	}
	addr := loopback.Address(t)
	_, port, _ := strings.Cut(addr, ":")
	start(t, addr, exec.Command(argv[0], append(argv[1:], port)...))
	return "http://" + addr + "/mcp"
}

// talkMCP lets a client go through a server, at a URL or on standard input and output, and returns what it saw.
func talkMCP(t *testing.T, argv []string, era, authorization string, target ...string) string {
	t.Helper()
	if argv == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var transport mcp.Transport = &mcp.StreamableClientTransport{Endpoint: target[0], HTTPClient: &http.Client{Transport: authorized{authorization}}}
		if len(target) > 1 || !strings.HasPrefix(target[0], "http") {
			cmd := exec.Command(target[0], target[1:]...)
			cmd.Env = append(os.Environ(), asServer+"=1")
			transport = &mcp.CommandTransport{Command: cmd}
		}
		out, err := goClient(ctx, era, transport)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	cmd := exec.Command(argv[0], append(argv[1:], target...)...)
	cmd.Env = append(os.Environ(), "AUTHORIZATION="+authorization, asServer+"=1")
	out, err := runClient(t, cmd, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// same fails with the lines that differ.
func same(t *testing.T, direct, through string) {
	t.Helper()
	if direct == "" {
		t.Error("the client saw nothing")
	}
	a, b := strings.Split(direct, "\n"), strings.Split(through, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "(nothing)", "(nothing)"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("line %d\n\tdirect:  %.500s\n\tthrough: %.500s", i+1, x, y)
			if len(a) != len(b) {
				return // from here on everything is shifted
			}
		}
	}
}

// pairs runs each client with each server in each version that both speak.
func pairs(t *testing.T, each func(t *testing.T, era, server string, serverArgv, clientArgv []string)) {
	kits(t)
	for _, server := range mcpServers {
		for _, client := range mcpClients {
			for _, era := range server.eras {
				if !slices.Contains(client.eras, era) {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s-client/%s-server", era, client.name, server.name), func(t *testing.T) {
					t.Parallel()
					var argv []string
					if client.argv != nil {
						argv = client.argv(t, era)
					}
					each(t, era, server.name, server.argv(t), argv)
				})
			}
		}
	}
}

const mcpCaller = `
purposes: {test: {}}
agents:
  - {id: caller, default_purpose: test, keys: [{sha256: ` + callerDigest + `}]}
`

// Every official client sees through the gateway what it sees without, of every official server.
func TestMCPClientsAndServersSeeNoGateway(t *testing.T) {
	pairs(t, func(t *testing.T, era, server string, serverArgv, clientArgv []string) {
		url := serveMCP(t, server, serverArgv, era)
		base := gate(t, mcpCaller+fmt.Sprintf("  - {id: everything, mcp: {url: %q}}\n", url)+transparent, nil)
		direct := talkMCP(t, clientArgv, era, "", url)
		through := talkMCP(t, clientArgv, era, "Bearer "+callerKey, base+"/mcp/everything")
		same(t, direct, through)
	})
}

// On standard input and output, too: "scrim mcp" in the place of the server's program is all that a client's configuration needs.
func TestMCPProgramsSeeNoGateway(t *testing.T) {
	kits(t)
	scrim := build(t, "github.com/scrimhq/scrim/cmd/scrim")
	pairs(t, func(t *testing.T, era, _ string, serverArgv, clientArgv []string) {
		argv, err := json.Marshal(serverArgv)
		if err != nil {
			t.Fatal(err)
		}
		file := lay(t, "127.0.0.1:1", mcpCaller+fmt.Sprintf("  - {id: everything, mcp: {command: %s, env: {%s: {value: \"1\"}}}}\n", argv, asServer)+transparent, nil)
		direct := talkMCP(t, clientArgv, era, "", serverArgv...)
		through := talkMCP(t, clientArgv, era, "", scrim, "mcp", "--server", "everything", "--config", file)
		if strings.Contains(t.Name(), "typescript-v1-client") || strings.Contains(t.Name(), "typescript-v2-client") {
			// These forget who wants to hear of progress when the answer comes, and notifications wait behind it.
			direct, through = without(direct, `["heard",["progress"`), without(through, `["heard",["progress"`)
		}
		same(t, direct, through)
	})
}

// without leaves out the lines that begin so.
func without(transcript, prefix string) string {
	var out []string
	for line := range strings.SplitSeq(transcript, "\n") {
		if !strings.HasPrefix(line, prefix) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
