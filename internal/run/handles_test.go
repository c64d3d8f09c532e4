package run_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

type critical struct{ bearer }

func (c critical) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(identity.HeaderCriticality, "critical")
	return c.bearer.RoundTrip(r)
}

// A part that configuration sends by reference is redeemed at the address that its link names, and by the gateway's own tool.
func TestPartsGoByReferenceAsConfigured(t *testing.T) {
	key, digest := identity.NewKey()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g, addr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
purposes: {service: {}}
handles: {life: 1m, uses: 3}
agents:
  - {id: client, keys: [{sha256: %s}], purposes: [service], criticality: critical}
  - {id: tickets, by_reference: {media: [text/*]}, mcp: {command: [%q], env: {%s: {value: "1"}}}}
schemas:
  - {file: ticket.json, agent: tickets, tool: lookup, direction: response}
  - {file: number.json, agent: tickets, tool: lookup, direction: request}
`, digest, self, serverVariable), map[string]string{
		"number.json": `{"type":"object","properties":{"number":{"type":"integer","x-scrim-label":"public"}}}`,
		"ticket.json": `{"type":"object","properties":{"title":{"type":"string","x-scrim-label":"public"},"email":{"type":"string","x-scrim-label":"person/contact/email"}},"required":["title"]}`,
	})), run.Options{})
	connect := func(server string) *mcp.ClientSession {
		t.Helper()
		s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{
			Endpoint: "http://" + addr + "/mcp/" + server, HTTPClient: &http.Client{Transport: critical{bearer{key}}}, DisableStandaloneSSE: true,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	tickets := connect("tickets")
	res, err := tickets.CallTool(t.Context(), &mcp.CallToolParams{Name: "lookup", Arguments: lookup{7}})
	if err != nil {
		t.Fatal(err)
	}
	link, ok := res.Content[0].(*mcp.ResourceLink)
	if !ok || gateway.HandleID(link.URI) == "" {
		t.Fatalf("the text did not go by reference: %+v", res.Content[0])
	}
	// The address is the configured listen address; the test listens elsewhere.
	got, err := (&http.Client{Transport: critical{bearer{key}}}).Get("http://" + addr + gateway.HandlePath + gateway.HandleID(link.URI))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK || !strings.Contains(string(body), "ticket 7") || !strings.Contains(string(body), "jane@example.com") || strings.Contains(string(body), "PATH") {
		t.Errorf("%s %s %v", got.Status, body, err)
	}
	// A client reads a link where it found it.
	read, err := tickets.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: link.URI})
	if err != nil || len(read.Contents) != 1 || !strings.Contains(read.Contents[0].Text, "ticket 7") || read.Contents[0].URI != link.URI {
		t.Errorf("%+v %v", read, err)
	}
	if _, err := tickets.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "scrim:ref:" + strings.Repeat("0a", 16)}); err == nil || !strings.Contains(err.Error(), "no such handle") {
		t.Errorf("an unknown one: %v", err)
	}
	own := connect("scrim")
	redeemed, err := own.CallTool(t.Context(), &mcp.CallToolParams{Name: "scrim_redeem", Arguments: map[string]string{"ref": link.URI}})
	if err != nil || redeemed.IsError || !strings.Contains(fmt.Sprint(redeemed.StructuredContent), "ticket 7") {
		t.Errorf("%+v %v", redeemed, err)
	}
	if n, bytes, err := g.Gateway.Handles(t.Context()); n != 1 || bytes == 0 || err != nil {
		t.Errorf("%d handles of %d bytes, %v", n, bytes, err)
	}
}
