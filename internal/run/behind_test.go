package run_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

func askingOptions() *mcp.ServerOptions {
	return &mcp.ServerOptions{
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	}
}

// addAsking gives a server a tool that asks its client, and one that changes a resource.
func addAsking(s *mcp.Server) {
	s.AddTool(&mcp.Tool{Name: "asks", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		res, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 5, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "how are you"}}}})
		if err != nil {
			return nil, err
		}
		roots, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, err
		}
		if err := req.Session.Ping(ctx, nil); err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%s, %d roots", res.Content.(*mcp.TextContent).Text, len(roots.Roots))
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
	})
	s.AddTool(&mcp.Tool{Name: "touch", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{}, s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "mem://a"})
	})
	s.AddResource(&mcp.Resource{URI: "mem://a", Name: "a"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{}, nil
	})
}

// behind serves a server that stands behind a bridge, and returns where, and a key.
func behind(t *testing.T, mcpEntry string) (endpoint string, client *http.Client) {
	t.Helper()
	key, digest := identity.NewKey()
	_, addr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}], criticality: critical}
  - {id: tickets, mcp: %s}
transparent: [{agent: tickets, reason: it says nothing}]
`, digest, mcpEntry), nil)), run.Options{})
	return "http://" + addr + "/mcp/tickets", &http.Client{Transport: bearer{key}}
}

// bridgedServers are the two kinds of server that do not speak streamable HTTP.
func bridgedServers(t *testing.T) map[string]string {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	old := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return ticketServer() }, nil))
	t.Cleanup(old.Close)
	t.Cleanup(old.CloseClientConnections)
	return map[string]string{
		"a program":     fmt.Sprintf(`{command: [%q], env: {%s: {value: "1"}}}`, self, serverVariable),
		"an old server": fmt.Sprintf(`{url: %q, transport: sse}`, old.URL),
	}
}

func TestServersBehindTheBridgeAskTheirClients(t *testing.T) {
	for name, entry := range bridgedServers(t) {
		for _, version := range []string{"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"} {
			t.Run(name+" "+version, func(t *testing.T) {
				endpoint, hc := behind(t, entry)
				var updates atomic.Int32
				client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
					CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
						return &mcp.CreateMessageResult{Content: &mcp.TextContent{Text: "well"}, Model: "m", Role: "assistant"}, nil
					},
					ResourceUpdatedHandler: func(context.Context, *mcp.ResourceUpdatedNotificationRequest) { updates.Add(1) },
				})
				client.AddRoots(&mcp.Root{URI: "file:///a"})
				s, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: hc}, &mcp.ClientSessionOptions{ProtocolVersion: version})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				var wg sync.WaitGroup
				for range 8 { // several at once, so that their questions are apart
					wg.Go(func() {
						res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "asks"})
						if err != nil || res.IsError || res.Content[0].(*mcp.TextContent).Text != "well, 1 roots" {
							t.Errorf("asks = %+v, %v", res, err)
						}
					})
				}
				wg.Wait()
				if err := s.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "mem://a"}); err != nil {
					t.Fatal(err)
				}
				if _, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "touch"}); err != nil {
					t.Fatal(err)
				}
				eventually(t, "is told of the change", func() bool { return updates.Load() > 0 })
			})
		}
	}
}

// Without sessions all clients share one process, and each hears of what it subscribed to alone, under its own id.
func TestSubscriptionsToASharedProgramAreApart(t *testing.T) {
	endpoint, hc := behind(t, bridgedServers(t)["a program"])
	var first, second atomic.Int32
	join := func(n *atomic.Int32) *mcp.ClientSession {
		client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
			ResourceUpdatedHandler: func(context.Context, *mcp.ResourceUpdatedNotificationRequest) { n.Add(1) },
		})
		s, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: hc}, &mcp.ClientSessionOptions{ProtocolVersion: "2026-07-28"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	a, b := join(&first), join(&second)
	if err := a.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "mem://a"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "is told of the change", func() bool {
		if _, err := b.CallTool(t.Context(), &mcp.CallToolParams{Name: "touch"}); err != nil {
			t.Fatal(err)
		}
		return first.Load() > 0
	})
	if second.Load() > 0 {
		t.Error("who did not subscribe was told, too")
	}
	if err := b.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "mem://a"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other is told, too", func() bool {
		if _, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: "touch"}); err != nil {
			t.Fatal(err)
		}
		return second.Load() > 0
	})
}

// A stream that names another host gets nothing: not the client's message, not the gateway's credential.
func TestOldServerMayNotNameAnotherHost(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	for name, where := range map[string]string{
		"another host": thief.URL + "/x", "another scheme": "https:///x", "no scheme": "//" + strings.TrimPrefix(thief.URL, "http://") + "/x",
		"a user": "http://u@" + strings.TrimPrefix(thief.URL, "http://") + "/x", "no address": "http://[",
	} {
		t.Run(name, func(t *testing.T) {
			var posted atomic.Int32
			old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					posted.Add(1)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = fmt.Fprintf(w, "event: endpoint\ndata: %s\n\n", where)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Second):
				}
			}))
			defer old.Close()
			defer old.CloseClientConnections()
			endpoint, hc := behind(t, fmt.Sprintf(`{url: %q, transport: sse}`, old.URL))
			client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: hc, MaxRetries: -1}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"}); err == nil {
				t.Error("a session began")
			}
			if stolen.Load()+posted.Load() > 0 {
				t.Error("the message was posted")
			}
		})
	}
}
