package mcp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
)

// A server that turns out to be the gateway itself ends after so many rounds.
func TestACallThatGoesRoundInACircleEnds(t *testing.T) {
	var hops []string
	srv := httptest.NewUnstartedServer(nil)
	up, err := gateway.NewUpstream("http://"+srv.Listener.Addr().String()+"/mcp/records", "Authorization", flow.NewSecret("Bearer scrim_key"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	caller := flow.Party{Agent: "caller", Domain: gatewaytest.Own}
	g := gatewaytest.New(t, gatewaytest.Setup{
		Policy:  `@id("all") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };`,
		Agents:  []*gateway.Agent{{Party: caller}, {Party: flow.Party{Agent: "records", Domain: gatewaytest.Own}, MCP: up}},
		Callers: map[string]identity.Grant{"scrim_key": {Party: caller, Criticality: flow.Critical}},
	})
	h := &mcp.Handler{Gateway: g.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{}}
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hops = append(hops, r.Header.Get(gateway.HeaderHops))
		h.ServeHTTP(w, r)
	})
	srv.Start()
	defer srv.Close()
	body := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL+"/mcp/records", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer scrim_key"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(hops, " "); got != " 1 2 3 4 5 6 7 8" || !strings.Contains(string(out), "error") {
		t.Errorf("the call came by as %q and ended with %s", got, out)
	}
}
