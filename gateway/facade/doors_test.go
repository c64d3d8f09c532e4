package facade_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// keyed adds a credential to every request.
type keyed struct{ key string }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	r.Header.Set("Scrim-Purpose", "care")
	r.Header.Set("Scrim-Criticality", "critical")
	return http.DefaultTransport.RoundTrip(r)
}

// TestUnchangedClientsUseAFacade has the official SDK's client list tools and call them.
func TestUnchangedClientsUseAFacade(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: r.url + "/mcp/records", HTTPClient: &http.Client{Transport: keyed{"scrim_lab"}, Timeout: time.Minute}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	list, err := session.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 6 {
		t.Fatalf("%v: %+v", err, list)
	}
	got, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "patients_search", Arguments: map[string]any{"where": map[string]any{"ward": map[string]any{"eq": "icu"}}}})
	if err != nil || got.IsError || len(got.Content) != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	text := got.Content[0].(*sdk.TextContent).Text
	structured, _ := json.Marshal(got.StructuredContent)
	for _, form := range []string{text, string(structured)} {
		if !strings.Contains(form, `"age":64`) || strings.Contains(gatewaytest.Said(form), "Jane") || strings.Contains(gatewaytest.Said(form), "MRN-") || strings.Contains(form, "jane.doe") {
			t.Errorf("the lab sees %s", form)
		}
	}
}

// TestEveryVersionOfMCP asks in each version, also in those that have no structured results.
func TestEveryVersionOfMCP(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	for _, version := range wire.MCPVersions() {
		body := r.send(t, "scrim_lab", version, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"patients_list","arguments":{"columns":["mrn","age"]}}}`, "Mcp-Method", "tools/call", "Mcp-Name", "patients_list")
		if strings.Contains(gatewaytest.Said(body), "MRN-") || !strings.Contains(body, "stk1_") || (version == wire.MCP20260728) != strings.Contains(body, `"resultType":"complete"`) {
			t.Errorf("in %s the lab sees %s", version, body)
		}
		if list := r.send(t, "scrim_lab", version, `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}`, "Mcp-Method", "tools/list"); !strings.Contains(list, "stock_list") || strings.Contains(list, "payroll") {
			t.Errorf("in %s the list is %s", version, list)
		}
	}
	if got := r.send(t, "scrim_lab", wire.MCP20260728, `{"jsonrpc":"2.0","id":3,"method":"server/discover","params":{}}`, "Mcp-Method", "server/discover"); !strings.Contains(got, `"supportedVersions":["`) {
		t.Errorf("it is discovered as %s", got)
	}
}

// TestAFacadeInAGroup asks through the address of several servers.
func TestAFacadeInAGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), func(_ *facade.Options, s *gatewaytest.Setup) {
		s.Fronts = []*gateway.Group{{ID: "all", Servers: []flow.AgentID{"records"}}}
	})
	ask := func(body string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/mcp/all", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Mcp-Protocol-Version", "2025-11-25")
		res, err := (keyed{"scrim_lab"}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	call := func(arguments string) string {
		return ask(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"records__patients_search","arguments":` + arguments + `}}`)
	}
	if got := call(`{"where":{"ward":{"eq":"icu"}}}`); !strings.Contains(got, `"age":64`) || strings.Contains(gatewaytest.Said(got), "Jane") {
		t.Errorf("through a group the lab sees %s", got)
	}
	if got := call(`{"where":{"name":{"eq":"Jane Doe"}}}`); strings.Contains(got, "rows") {
		t.Errorf("through a group a name is asked for: %s", got)
	}
}

// TestARetryIsAnsweredOnceMore sends a call with an id of its own twice; with another filter it is a conflict.
func TestARetryIsAnsweredOnceMore(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	call := func(where string) string {
		return r.send(t, "scrim_lab", "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"patients_search","arguments":{"where":{"ward":{"eq":"`+where+`"}}},"_meta":{"`+wire.MetaFlowID+`":"call-1"}}}`)
	}
	first, again, other := call("icu"), call("icu"), call("er")
	if first != again || !strings.Contains(first, `"age":64`) {
		t.Errorf("first %s, again %s", first, again)
	}
	if strings.Contains(other, "rows") {
		t.Errorf("the same id with another question is answered: %s", other)
	}
}
