package mcp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// beginning is a server that says hello in a version, with capabilities, and gives out a session.
func beginning(t testing.TB, name, version, capabilities string) *upstream {
	return (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Mcp-Session-Id", "session-of-"+name)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":7,"result":{"protocolVersion":%q,"capabilities":%s,"serverInfo":{"name":"n","version":"1"},"instructions":"Ask %s."}}`, version, capabilities, name)
	}))
}

const beginGroup = `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`

// TestGroupUnitesWhatItsServersCanDo: what one of them can do can be asked for; a server that settles on another version
// than the first is missing, since versions are not translated.
func TestGroupUnitesWhatItsServersCanDo(t *testing.T) {
	a := beginning(t, "a", wire.MCP20251125, `{"tools":{"listChanged":false},"prompts":{}}`)
	records := beginning(t, "records", wire.MCP20251125, `{"tools":{"listChanged":true},"resources":{"subscribe":true}}`)
	old := beginning(t, "z", wire.MCP20250618, `{"completions":{}}`)
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"a": a, "records": records, "z": old}, func(s *gatewaytest.Setup) {
		s.Transparent = []gateway.Transparent{{Agent: "*", Path: "/**"}}
		s.Policy += `@id("open-traffic") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
	})
	_, body := r.send(t, beginGroup, "Mcp-Protocol-Version", "", "Mcp-Method", "", "Mcp-Name", "")
	for _, want := range []string{
		`"protocolVersion":"2025-11-25"`, `"tools":{"listChanged":true}`, `"prompts":{}`, `"resources":{"subscribe":true}`,
		`"instructions":"a: Ask a.\n\nrecords: Ask records."`, `"missing":["z"]`, `"serverInfo":{"name":"clinic","version":"1"}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("initialize has no %s: %s", want, body)
		}
	}
	if strings.Contains(body, "completions") {
		t.Errorf("what the missing server can do is offered: %s", body)
	}
}

// TestGroupWithoutAServerThatAnswersSaysSo: nothing is made up.
func TestGroupWithoutAServerThatAnswersSaysSo(t *testing.T) {
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": dead()}, nil)
	for method, header := range map[string]string{"initialize": "", "tools/list": "tools/list", "server/discover": "server/discover"} {
		call, version := strings.Replace(listTools, "tools/list", method, 1), wire.MCP20260728
		if method == "initialize" {
			call, version = beginGroup, ""
		}
		if _, body := r.send(t, call, "Mcp-Protocol-Version", version, "Mcp-Method", header, "Mcp-Name", ""); !strings.Contains(body, `"error"`) || !strings.Contains(body, "No server of this group answered") {
			t.Errorf("%s: %s", method, body)
		}
	}
}
