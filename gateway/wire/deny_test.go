package wire

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
)

// The official client must tell our refusals apart as it does an agent's own.
func TestA2AClientUnderstandsDenials(t *testing.T) {
	for reason, want := range map[Reason]error{
		Internal: a2a.ErrInternalError, ParseError: a2a.ErrParseError, InvalidRequest: a2a.ErrInvalidRequest, MethodNotFound: a2a.ErrMethodNotFound,
		InvalidParams: a2a.ErrInvalidParams, Denied: a2a.ErrUnauthorized, Unauthorized: a2a.ErrUnauthorized, NotFound: a2a.ErrTaskNotFound,
		PushNotSupported: a2a.ErrPushNotificationNotSupported, Unsupported: a2a.ErrUnsupportedOperation,
		VersionNotSupported: a2a.ErrVersionNotSupported, InvalidAnswer: a2a.ErrInvalidAgentResponse, Conflict: a2a.ErrInvalidRequest, Unavailable: a2a.ErrInternalError,
	} {
		n := Denial{Reason: reason, Reference: "ref-1", Ask: "ask the hospital", Supported: []string{"1.0"}}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var req struct{ ID stdjson.RawMessage }
			_ = stdjson.NewDecoder(r.Body).Decode(&req)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(n.A2AStatus())
			_, _ = w.Write(n.A2A(req.ID))
		}))
		client, err := a2aclient.NewFromEndpoints(context.Background(), []*a2a.AgentInterface{a2a.NewAgentInterface(srv.URL, a2a.TransportProtocolJSONRPC)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.GetTask(context.Background(), &a2a.GetTaskRequest{ID: "t"})
		if !errors.Is(err, want) {
			t.Errorf("%s: client error = %v, want %v", reason, err, want)
		}
		var full *a2a.Error
		if !errors.As(err, &full) || full.ErrorInfo().Value["metadata"] == nil {
			t.Errorf("%s: no ErrorInfo in %+v", reason, err)
		}
		srv.Close()
	}
}

func TestDenialsHaveTheFormOfTheirProtocol(t *testing.T) {
	for r := Internal; r <= Unavailable; r++ {
		for _, n := range []Denial{{Reason: r}, {Reason: r, Text: `a "quoted" place`, Reference: "ref", Ask: "ask", Supported: []string{"1.0", "2.0"}, Requested: "Alice Smith"}} {
			for _, id := range [][]byte{nil, []byte(`"x"`), []byte("9007199254740993")} {
				table := mustTable(t, "a2a", A2A10, "GetTask", flow.Response, false)
				d := parse(t, string(n.A2A(id)), table)
				for _, role := range roles(t, table, d) {
					if strange(role) {
						t.Errorf("%s: %s", r, role)
					}
				}
				if rpc, err := ReadRPC(d); err != nil || rpc.Kind != Failure || id != nil && string(rpc.ID) != string(id) {
					t.Errorf("%s: %+v, %v", r, rpc, err)
				}
				for _, version := range []string{MCP20251125, MCP20260728} {
					checkMCP(t, mustTable(t, "mcp", version, "tools/list", flow.Response, false), string(n.MCP(version, "tools/list", id)))
					if id != nil {
						checkMCP(t, mustTable(t, "mcp", version, "tools/call", flow.Response, false), string(n.MCP(version, "tools/call", id)))
					}
				}
			}
		}
	}
	if r := Reason(200); r.String() != "INTERNAL_ERROR" || len((Denial{Reason: r}).A2A(nil)) == 0 {
		t.Error("an unknown reason is not told as an internal error")
	}
}

func TestMCPDenials(t *testing.T) {
	denied := Denial{Reason: Denied, Text: "policy does not allow /arguments/name", Reference: "ref", Ask: "Ask the owner"}
	var answer struct {
		Result mcp.CallToolResult
		Error  *struct{ Code int }
	}
	if err := stdjson.Unmarshal(denied.MCP(MCP20260728, "tools/call", []byte("1")), &answer); err != nil {
		t.Fatal(err)
	}
	text, ok := answer.Result.Content[0].(*mcp.TextContent)
	if !ok || !answer.Result.IsError || answer.Error != nil || text.Text != "policy does not allow /arguments/name. Ask the owner (reference ref)" {
		t.Errorf("denied call: %+v", answer)
	}
	denied.Text = "There is no room for this one." // a sentence already
	if b := string(denied.MCP(MCP20260728, "tools/call", []byte("1"))); !strings.Contains(b, "There is no room for this one. Ask the owner (") {
		t.Errorf("a sentence and a way to ask: %s", b)
	}
	for _, c := range []struct {
		reason                  Reason
		version, method         string
		code, status, statusA2A int
	}{
		{Denied, MCP20251125, "tools/call", 0, 200, 200},
		{Denied, MCP20260728, "resources/read", -31403, 200, 200},
		{MethodNotFound, MCP20260728, "prompts/get", -32601, 404, 200},
		{MethodNotFound, MCP20251125, "prompts/get", -32601, 200, 200},
		{InvalidParams, MCP20260728, "tools/call", -32602, 400, 200},
		{VersionNotSupported, MCP20260728, "tools/call", -32022, 400, 200},
		{Unauthenticated, MCP20251125, "tools/call", -31401, 401, 401},
		{TooLarge, MCP20251125, "tools/call", -32600, 413, 413},
		{UnsupportedMedia, MCP20260728, "tools/call", -32602, 415, 415},
		{ParseError, MCP20251125, "", -32700, 400, 200},
	} {
		n := Denial{Reason: c.reason}
		var got struct{ Error struct{ Code int } }
		if err := stdjson.Unmarshal(n.MCP(c.version, c.method, nil), &got); err != nil {
			t.Fatal(err)
		}
		if got.Error.Code != c.code || n.MCPStatus(c.version, c.method) != c.status || n.A2AStatus() != c.statusA2A {
			t.Errorf("%s %s %s: code %d status %d, A2A %d, want %d %d %d", c.reason, c.version, c.method, got.Error.Code, n.MCPStatus(c.version, c.method), n.A2AStatus(), c.code, c.status, c.statusA2A)
		}
	}
	var version struct {
		Error struct {
			Data mcp.UnsupportedProtocolVersionData
		}
	}
	n := Denial{Reason: VersionNotSupported, Supported: []string{MCP20260728}, Requested: "Alice Smith"}
	if err := stdjson.Unmarshal(n.MCP(MCP20260728, "tools/list", nil), &version); err != nil || version.Error.Data.Requested != "0" || version.Error.Data.Supported[0] != MCP20260728 {
		t.Errorf("version: %+v, %v", version, err)
	}
}
