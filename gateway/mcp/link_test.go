package mcp_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// Addresses that policy does not show leave lists that are still lists: a word stands in place of an entry's, and
// pictures go.
func TestAddressesThatMayNotBeShown(t *testing.T) {
	u, answer := answering(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Policy += `@id("no") forbid (principal in Domain::"other", action in Action::"atleast_tokenized", resource in DataClass::"technical/url");`
	})
	ask := func(method string) (int, string) {
		return r.send(t, strings.NewReplacer("tools/call", method, `,"name":"plain","arguments":{"text":"hello"}`, "").Replace(plainCall), "Mcp-Method", method, "Mcp-Name", "", "Authorization", "Bearer scrim_other")
	}
	for _, c := range []struct{ method, result, want string }{
		{"resources/list", `{"resources":[{"uri":"https://x.example/a","name":"a","icons":[{"src":"https://x.example/i.png","sizes":["48x48"]},{"src":"data:image/png;base64,AA=="}]}]}`, `{"resources":[{"uri":"urn:scrim:withheld","name":"a"}]`},
		{"resources/templates/list", `{"resourceTemplates":[{"uriTemplate":"https://x.example/{a}","name":"a"}]}`, `{"resourceTemplates":[{"uriTemplate":"urn:scrim:withheld","name":"a"}]`},
		{"tools/list", `{"tools":[{"name":"t","inputSchema":{"type":"object"},"icons":[{"src":"https://x.example/i.png"}]}]}`, `{"tools":[{"name":"t","inputSchema":{"type":"object"}}]`},
		{"server/discover", `{"supportedVersions":["2026-07-28"],"capabilities":{},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1","websiteUrl":"https://x.example","icons":[{"src":"https://x.example/i.png"}]}}}`, `"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}`},
	} {
		*answer = `{"jsonrpc":"2.0","id":7,"result":` + c.result + `}`
		if status, body := ask(c.method); status != 200 || !strings.Contains(body, c.want) || strings.Contains(body, "x.example") || strings.Contains(body, "data:image") {
			t.Errorf("%s = %d %s, want %s", c.method, status, body, c.want)
		}
	}
	*answer = `{"jsonrpc":"2.0","id":7,"error":{"code":-32042,"message":"go there","data":{"elicitations":[{"mode":"url","elicitationId":"e-1","url":"https://x.example/login","message":"log in"}]}}}`
	if _, body := r.send(t, plainCall, "Authorization", "Bearer scrim_other"); strings.Contains(body, "x.example") {
		t.Errorf("an address to log in at that may not be shown passed: %s", body)
	}
}
