package mcp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/policy/hop"
)

// An MCP session goes through the gateways of two domains. Every request of it, the stream, the answer to what the server
// asks and the end among them, comes with a statement of the first gateway, and no credential.
func TestStatementsGoAlongWithASession(t *testing.T) {
	street := gatewaytest.NewStreet(t, nil, gatewaytest.Own, gatewaytest.Other)
	server := newServer(func(asked) {})
	backend := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil))
	t.Cleanup(backend.Close)
	up, err := gateway.NewUpstream(backend.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	caller, records := flow.Party{Agent: "caller", Domain: gatewaytest.Own}, flow.Party{Agent: "records", Domain: gatewaytest.Other}
	grant := identity.Grant{Party: caller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	schemas := func() (all []gatewaytest.Schema) {
		for _, name := range []string{"rows", "asks"} {
			all = append(all, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: name, Direction: flow.Request, JSON: question})
		}
		return append(all, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "rows", Direction: flow.Response, JSON: wrapped})
	}
	var mu sync.Mutex
	seen := map[string]int{}
	serve := func(d flow.DomainID) func(*gatewaytest.Rig) http.Handler {
		return func(r *gatewaytest.Rig) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/mcp/", &mcp.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{}})
			mux.Handle("/out/mcp/", &mcp.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/mcp/", Tools: &mcp.Tools{}})
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if d == gatewaytest.Other {
					mu.Lock()
					seen[r.Method]++
					if len(r.Header.Values(hop.Header)) != 1 || r.Header.Get("Authorization") != "" || r.TLS == nil {
						seen["bare"]++
					}
					mu.Unlock()
				}
				mux.ServeHTTP(w, r)
			})
		}
	}
	const open = policies + `
@id("all") permit (principal, action in Action::"upto_raw", resource);`
	street.Open(t, gatewaytest.Other, gatewaytest.Setup{
		Policy: open, Agents: []*gateway.Agent{{Party: caller}, {Party: records, MCP: up}}, Schemas: schemas(),
		Callers: map[string]identity.Grant{"scrim_other": {Party: flow.Party{Agent: "nobody", Domain: gatewaytest.Other}, Purposes: []flow.Purpose{"care"}}},
	}, []identity.Grant{grant}, serve(gatewaytest.Other))
	rig, base := street.Open(t, gatewaytest.Own, gatewaytest.Setup{
		Policy: open, Agents: []*gateway.Agent{{Party: caller}, {Party: records, MCP: street.Upstream(t, gatewaytest.Own, gatewaytest.Other, "/mcp/records")}}, Schemas: schemas(),
		Callers: map[string]identity.Grant{"scrim_own": grant},
	}, nil, serve(gatewaytest.Own))

	session := connect(t, base+"/out/mcp/records", "scrim_own", "2025-11-25", &sdk.ClientOptions{
		CreateMessageHandler: func(context.Context, *sdk.CreateMessageRequest) (*sdk.CreateMessageResult, error) {
			return &sdk.CreateMessageResult{Model: "m", Role: "assistant", Content: &sdk.TextContent{Text: "Timbuktu"}}, nil
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "rows", Arguments: map[string]any{"id": "r-1"}})
	if err != nil || res.IsError {
		t.Fatalf("CallTool() = %+v, %v", res, err)
	}
	res, err = session.CallTool(ctx, &sdk.CallToolParams{Name: "asks", Arguments: map[string]any{"id": "r-1"}})
	if err != nil || !strings.Contains(res.Content[0].(*sdk.TextContent).Text, "sampling refused: false") {
		t.Errorf("asks = %+v, %v, want the client's answer to have come through both gateways", res, err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen["bare"] != 0 || seen[http.MethodPost] < 5 || seen[http.MethodGet] == 0 || seen[http.MethodDelete] == 0 {
		t.Errorf("to the other domain came %v, want statements with every POST, GET and DELETE", seen)
	}
	hops := map[int]int{}
	for _, ev := range rig.Events() {
		hops[ev.Flow.Hop]++
	}
	if len(hops) != 1 {
		t.Errorf("the first gateway has hops %v on record, want 0 alone", hops)
	}
}
