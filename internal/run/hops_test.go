package run_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/privacy/vault"
)

// A server of a peer is reached over the HTTP and SSE of 2024-11-05, too, with a statement for each message and no key.
func TestStatementsGoAlongOverTheOldTransport(t *testing.T) {
	server := ticketServer()
	backend := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(backend.Close)
	gateways := loopback.Address(t)
	const all = `@id("all") permit (principal, action in Action::"upto_raw", resource);`
	there, thereAddr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: maker
peering: {listen: %q}
egress: {allow: [127.0.0.0/8], plain_http: true}
agents:
  - {id: client, domain: clinic, criticality: critical}
  - {id: tickets, mcp: {url: %q}}
transparent: [{agent: tickets, reason: it says nothing}]
`, gateways, backend.URL), map[string]string{"policies/10.cedar": all})), run.Options{})
	key, digest := identity.NewKey()
	here, hereAddr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
egress: {allow: [127.0.0.0/8], plain_http: true}
agents:
  - {id: client, keys: [{sha256: %s}], criticality: critical}
  - {id: tickets, domain: maker, mcp: {url: "https://%s/mcp/tickets/sse", transport: sse}}
transparent: [{agent: tickets, reason: it says nothing}]
`, digest, gateways), map[string]string{"policies/10.cedar": all})), run.Options{})
	addr := map[*run.Gateway]string{here: hereAddr, there: thereAddr}
	for _, g := range []*run.Gateway{here, there} {
		if _, err := g.Peers.InitAuthority(context.Background(), 0, false, vault.Rotation{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range [][2]*run.Gateway{{here, there}, {there, here}} {
		print, _, _ := way[1].Peers.Identity()
		if _, err := way[0].Peers.Add(context.Background(), "http://"+addr[way[1]], print); err != nil {
			t.Fatal(err)
		}
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	s, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: "http://" + hereAddr + "/out/mcp/tickets", HTTPClient: &http.Client{Transport: bearer{key}}}, &mcp.ClientSessionOptions{ProtocolVersion: "2024-11-05"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tools, err := s.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) == 0 {
		t.Fatalf("ListTools() = %+v, %v", tools, err)
	}
	carried := 0
	for en, err := range there.Log.Entries(context.Background(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := hop.ParseParent(en.Event.Flow.Parent); ok && en.Event.Flow.From.Agent == "client" && en.Event.Flow.Hop == 1 {
			carried++
		}
	}
	if carried < 2 {
		t.Errorf("%d calls of the client are on record as carried, want initialize and the list at least", carried)
	}
}
