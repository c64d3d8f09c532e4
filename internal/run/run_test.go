package run_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

// The test program is also the MCP server that bridges start.
const serverVariable = "SCRIM_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		if err := ticketServer().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type lookup struct {
	Number int `json:"number"`
}

type ticket struct {
	Title string `json:"title"`
	Email string `json:"email"`
	Env   string `json:"env"`
}

func ticketServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "tickets", Version: "1"}, askingOptions())
	addAsking(s)
	mcp.AddTool(s, &mcp.Tool{Name: "lookup", Description: "Looks a ticket up"}, func(ctx context.Context, req *mcp.CallToolRequest, in lookup) (*mcp.CallToolResult, ticket, error) {
		if token := req.Params.GetProgressToken(); token != nil {
			if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: 1}); err != nil {
				return nil, ticket{}, err
			}
		}
		if in.Number < 0 {
			os.Exit(3)
		}
		return nil, ticket{Title: fmt.Sprintf("ticket %d", in.Number), Email: "jane@example.com", Env: strings.Join(names(os.Environ()), " ")}, nil
	})
	return s
}

func names(env []string) (out []string) {
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		out = append(out, name)
	}
	return out
}

const policies = `
@id("own") @reason("one domain")
permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
`

// lay writes a configuration and returns its path.
func lay(t *testing.T, yaml string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"scrim.yaml": yaml, "policies/10.cedar": policies}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "scrim.yaml")
}

func load(t *testing.T, file string) *config.Config {
	t.Helper()
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve runs a gateway until the test ends, and returns the address for agents and what stops it.
func serve(t *testing.T, c *config.Config, opt run.Options) (g *run.Gateway, addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if opt.Listen == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		opt.Listen = l
	}
	var err error
	if g, err = run.Open(ctx, c, opt); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, nil, func(net.Addr, net.Addr) { close(ready) }) }()
	<-ready
	var stopped bool
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return g, opt.Listen.Addr().String(), stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not in time", what)
}

func TestAChangedFileIsReadAndAMistakeIsNot(t *testing.T) {
	var log syncBuffer
	file := lay(t, "version: 1\ndomain: clinic\n", nil)
	g, _, _ := serve(t, load(t, file), run.Options{Watcher: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	before := g.Gateway.Snapshot()

	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("scrim.yaml", "version: 1\ndomain: clinic\nagents: [{id: notes, a2a: {url: \"http://127.0.0.1:9\"}}]\n")
	eventually(t, "the new agent is in force", func() bool { return g.Gateway.Snapshot().Agents["notes"] != nil })
	good := g.Gateway.Snapshot()
	if good.ConfigHash == before.ConfigHash {
		t.Error("the configuration's hash stayed the same")
	}

	put(t, filepath.Dir(file), map[string][]byte{"policies/10.cedar": []byte(policies + "permit (principal, action, resorce);\n")}) // half a file might be good
	eventually(t, "the mistake is told", func() bool { return strings.Contains(log.String(), "10.cedar") })
	if g.Gateway.Snapshot() != good {
		t.Error("a mistake was put in force")
	}

	write("policies/10.cedar", policies+`permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`)
	eventually(t, "the new policy is in force", func() bool { return g.Gateway.Snapshot().Policy.Hash() != good.Policy.Hash() })
}

func TestWhatNeedsARestartIsRefused(t *testing.T) {
	file := lay(t, "version: 1\ndomain: clinic\n", nil)
	g, _, _ := serve(t, load(t, file), run.Options{})
	if err := os.WriteFile(file, []byte("version: 1\ndomain: other\nlisten: 127.0.0.1:7777\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := g.Reload(t.Context(), "test")
	if err == nil || !strings.Contains(err.Error(), "domain cannot change") || !strings.Contains(err.Error(), "listen cannot change") {
		t.Errorf("Reload() error = %v, want one that names domain and listen", err)
	}
}

func TestOpenCallsEndBeforeTheGatewayDoes(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-answer
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	}))
	defer upstream.Close()
	key, digest := identity.NewKey()
	g, addr, stop := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}]}
  - {id: tools, mcp: {url: %q}}
`, digest, upstream.URL), nil)), run.Options{})
	got := make(chan string, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/mcp/tools", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			got <- err.Error()
			return
		}
		req.Header.Set("Authorization", "Bearer "+key.Expose())
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("MCP-Protocol-Version", "2025-11-25")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		got <- res.Status + " " + string(b)
	}()
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	eventually(t, "no longer ready", func() bool { return g.Ready(t.Context()) != nil })
	close(answer)
	if text := <-got; !strings.Contains(text, `200 OK {"jsonrpc":"2.0","id":1,"result":{}}`) {
		t.Errorf("the open call got %q, want its answer", text)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve() error = %v", err)
	}
}

func TestLearnModeIsForOneDomain(t *testing.T) {
	file := lay(t, "version: 1\ndomain: clinic\nagents: [{id: far, domain: far, a2a: {url: \"http://127.0.0.1:9\"}}]\n", nil)
	if _, err := run.Open(t.Context(), load(t, file), run.Options{Learn: true}); err == nil || !strings.Contains(err.Error(), "one domain only") {
		t.Errorf("Open() error = %v, want ErrLearn", err)
	}
}

// bridged serves the ticket server, which is a program, and returns a client's session with it through the gateway.
func bridged(t *testing.T, mode string) (*mcp.ClientSession, *run.Gateway) {
	t.Helper()
	key, digest := identity.NewKey()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SCRIM_TEST_HIDDEN", "1")
	g, addr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
mode: %s
purposes: {service: {}}
agents:
  - {id: client, keys: [{sha256: %s}], purposes: [service], criticality: critical}
  - {id: tickets, mcp: {command: [%q], env: {%s: {value: "1"}}}}
schemas:
  - {file: ticket.json, agent: tickets, tool: lookup, direction: response}
  - {file: number.json, agent: tickets, tool: lookup, direction: request}
`, mode, digest, self, serverVariable), map[string]string{
		"number.json": `{"type":"object","properties":{"number":{"type":"integer","x-scrim-label":"public"}}}`,
		"ticket.json": `{"type":"object","properties":{
		"title":{"type":"string","x-scrim-label":"public"},"email":{"type":"string","x-scrim-label":"person/contact/email"},
		"env":{"type":"string","x-scrim-label":"public"}},"required":["title"]}`})), run.Options{})
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: "http://" + addr + "/mcp/tickets", HTTPClient: &http.Client{Transport: bearer{key}}, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() }) // the gateway may have gone
	return session, g
}

type bearer struct{ key flow.Secret }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key.Expose())
	return http.DefaultTransport.RoundTrip(r)
}

func call(t *testing.T, s *mcp.ClientSession, number int) (string, error) {
	t.Helper()
	res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "lookup", Arguments: lookup{number}})
	if err != nil {
		return "", err
	}
	if res.IsError {
		return "", fmt.Errorf("tool failed: %v", res.Content[0].(*mcp.TextContent).Text)
	}
	return fmt.Sprint(res.StructuredContent), nil
}

func TestAProgramIsFrontedOverHTTP(t *testing.T) {
	s, _ := bridged(t, "enforce")
	for n := range 20 {
		got, err := call(t, s, n)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, fmt.Sprintf("ticket %d", n)) {
			t.Fatalf("call %d got %s", n, got)
		}
		if strings.Contains(got, "SCRIM_TEST_HIDDEN") || !strings.Contains(got, serverVariable) || !strings.Contains(got, "PATH") {
			t.Fatalf("the program's environment is %s, want PATH, HOME and what is configured", got)
		}
	}
}

func TestAProgramThatEndsIsStartedAgain(t *testing.T) {
	s, _ := bridged(t, "enforce")
	if _, err := call(t, s, 1); err != nil {
		t.Fatal(err)
	}
	if got, err := call(t, s, -1); err == nil {
		t.Fatalf("a call that ends the program got %s, want an error", got)
	}
	eventually(t, "answers again", func() bool {
		got, err := call(t, s, 2)
		return err == nil && strings.Contains(got, "ticket 2")
	})
}

// syncBuffer is written by a gateway and read by a test.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestASessionIsOneProcess speaks 2025-11-25 by hand: a session, a call with progress, an end.
func TestASessionIsOneProcess(t *testing.T) {
	key, digest := identity.NewKey()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, addr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
purposes: {service: {}}
agents:
  - {id: client, keys: [{sha256: %s}], purposes: [service], criticality: critical}
  - {id: tickets, mcp: {command: [%q], env: {%s: {value: "1"}}}}
transparent: [{agent: tickets, reason: a test}]
`, digest, self, serverVariable), nil)), run.Options{})
	session := ""
	post := func(body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/mcp/tickets", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer " + key.Expose(), "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": session,
		} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if s := res.Header.Get("Mcp-Session-Id"); s != "" {
			session = s
		}
		return res.StatusCode, string(b)
	}
	status, body := post(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if status != http.StatusOK || session == "" || !strings.Contains(body, `"id":"init"`) {
		t.Fatalf("initialize got %d %s with session %q", status, body, session)
	}
	if status, body = post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); status != http.StatusAccepted {
		t.Fatalf("initialized got %d %s", status, body)
	}
	status, body = post(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"lookup","arguments":{"number":5},"_meta":{"progressToken":"mine"}}}`)
	if status != http.StatusOK || !strings.Contains(body, "ticket 5") || !strings.Contains(body, `"id":7`) {
		t.Fatalf("call got %d %s", status, body)
	}
	if at := strings.Index(body, `"progressToken":"mine"`); at < 0 || at > strings.Index(body, "ticket 5") {
		t.Errorf("call got %s, want its progress under its own token before the answer", body)
	}
	if _, body = post(`{"jsonrpc":"2.0","id":8,"method":"ping"}`); !strings.Contains(body, `"result"`) {
		t.Errorf("ping got %s", body)
	}
}
