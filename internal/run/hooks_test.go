package run_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
)

// postTo sends a JSON message with a key.
func postTo(t *testing.T, url, key, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"} {
		req.Header.Set(name, v)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
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
	return res, string(b)
}

// TestFrontsAndHooksOfTheFile: what scrim.yaml names is there, and another gateway can ask.
func TestFrontsAndHooksOfTheFile(t *testing.T) {
	tickets := ticketServer()
	srv := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return tickets }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}))
	t.Cleanup(srv.Close)
	key, digest := identity.NewKey()
	edge, edgeDigest := identity.NewKey()
	hook := loopback.Address(t)
	c := load(t, lay(t, fmt.Sprintf(`
version: 1
domain: a
listen: 127.0.0.1:0
admin: 127.0.0.1:0
identity:
  jwt: [{issuer: "https://login.example", jwks_file: jwks.json, resource_audience: true}]
agents:
  - {id: me, keys: [{sha256: %s}]}
  - {id: edge, keys: [{sha256: %s}]}
  - {id: one, mcp: {url: %q}}
  - {id: two, mcp: {url: %q}}
mcp_groups: [{id: both, servers: [one, two]}]
hooks:
  extmcp: {listen: %q, gateway: edge, callers: [{name: m, agent: me}], servers: [{name: everything, agent: one}]}
  interceptors: {gateway: edge, callers: [{name: m, agent: me}], servers: [{name: everything, agent: one}]}
`, digest, edgeDigest, srv.URL, srv.URL, hook), map[string]string{"jwks.json": `{"keys":[]}`}))
	_, addr, _ := serve(t, c, run.Options{})
	base := "http://" + addr

	res, body := postTo(t, base+"/mcp/both", "", `{}`)
	if challenge := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusUnauthorized || !strings.Contains(challenge, "/.well-known/oauth-protected-resource/mcp/both") {
		t.Errorf("without a credential: %d %s %s", res.StatusCode, challenge, body)
	}
	_, body = postTo(t, base+"/mcp/both", key.Expose(), `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`)
	if !strings.Contains(body, `"one__`) || !strings.Contains(body, `"two__`) {
		t.Errorf("the group lists %s", body)
	}
	invoke := `{"jsonrpc":"2.0","id":1,"method":"interceptor/invoke","params":{"name":"scrim/check","event":"tools/list","phase":"request","payload":{"method":"tools/list","params":{}},"config":{"server":"everything"},"context":{"principal":{"type":"user","id":"m"}}}}`
	if _, body = postTo(t, base+"/interceptors", edge.Expose(), invoke); !strings.Contains(body, `"valid":true`) {
		t.Errorf("the interceptor says %s", body)
	}
	if res, _ = postTo(t, base+"/interceptors", key.Expose(), invoke); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an agent that is no peer: %d", res.StatusCode)
	}
	if got := askHook(t, hook, edge.Expose()); got != 1 {
		t.Errorf("the hook answers with field %d, want 1, pass", got)
	}
}

// askHook asks agentgateway's hook about an empty list request, and returns which result came back.
func askHook(t *testing.T, address, key string) protowire.Number {
	t.Helper()
	text := func(dst []byte, field protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(dst, field, protowire.BytesType), v)
	}
	value := text(nil, 3, "m")                              // string_value
	entry := text(text(nil, 1, "caller"), 2, string(value)) // fields of a Struct
	message := text(text(text(text(nil, 1, "everything"), 2, "tools/list"), 3, string(text(nil, 1, string(entry)))), 4, "{}")
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/agentgateway.dev.ext_mcp.ExtMcp/CheckRequest", bytes.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || len(b) < 6 {
		t.Fatalf("%d bytes, status %s %s, %v", len(b), res.Header.Get("Grpc-Status"), res.Trailer.Get("Grpc-Status"), err)
	}
	num, _, _ := protowire.ConsumeTag(b[5:])
	return num
}
