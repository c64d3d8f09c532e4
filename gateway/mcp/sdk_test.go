package mcp_test

import (
	"context"
	stdjson "encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// both runs a test over the stateless version and over sessions.
func both(t *testing.T, test func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions)) {
	t.Run("2026-07-28", func(t *testing.T) { test(t, wire.MCP20260728, &sdk.StreamableHTTPOptions{Stateless: true}) })
	t.Run("2025-11-25", func(t *testing.T) { test(t, wire.MCP20251125, nil) })
}

func call(t *testing.T, s *sdk.ClientSession, tool string, args any, meta sdk.Meta) *sdk.CallToolResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := s.CallTool(ctx, &sdk.CallToolParams{Meta: meta, Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return res
}

func texts(res *sdk.CallToolResult) string {
	var b strings.Builder
	for _, c := range res.Content {
		if tc, ok := c.(*sdk.TextContent); ok {
			b.WriteString(tc.Text)
		}
	}
	return b.String()
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := stdjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func without(t *testing.T, what, text string, secrets []string) {
	t.Helper()
	said := gatewaytest.Said(text)
	for _, s := range secrets {
		if strings.Contains(said, s) {
			t.Errorf("%s shows %q: %s", what, s, text)
		}
	}
}

func TestOwnCallerSeesAllButRestricted(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u := newUpstream(t, opt)
		r := newRig(t, u, nil)
		s := connect(t, r.url, "scrim_own", version, nil)
		if got := s.InitializeResult().ProtocolVersion; got != version {
			t.Fatalf("version = %s, want %s", got, version)
		}
		tools, err := s.ListTools(context.Background(), nil)
		if err != nil || len(tools.Tools) != 7 {
			t.Fatalf("tools = %v, %v, want 7", tools, err)
		}
		res := call(t, s, "rows", asked{ID: "r-17"}, nil)
		if got := encoded(t, res.StructuredContent); !strings.Contains(got, `"name":"Jane Doe"`) || !strings.Contains(got, jane.Born) || strings.Contains(got, jane.SSN) {
			t.Errorf("structured content = %s", got)
		}
		if !strings.Contains(texts(res), jane.Email) || strings.Contains(texts(res), jane.SSN) {
			t.Errorf("text = %s", texts(res))
		}
		list, err := s.ListResources(context.Background(), nil)
		if err != nil || len(list.Resources) != 1 || list.Resources[0].URI != "mem://beds" {
			t.Errorf("resources = %+v, %v", list, err)
		}
		read, err := s.ReadResource(context.Background(), &sdk.ReadResourceParams{URI: "mem://beds"})
		if err != nil || read.Contents[0].Text != "Bed 4: jane.doe@example.org" {
			t.Errorf("resource = %+v, %v", read, err)
		}
	})
}

func TestForeignCallerSeesStandIns(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u := newUpstream(t, opt)
		r := newRig(t, u, nil)
		s := connect(t, r.url, "scrim_other", version, nil)
		if _, err := s.ListTools(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		res := call(t, s, "rows", asked{ID: "r-17"}, nil)
		if res.IsError {
			t.Fatalf("result is an error: %s", texts(res))
		}
		structured := encoded(t, res.StructuredContent)
		without(t, "structured content", structured, secrets)
		without(t, "the text twin", texts(res), secrets)
		for _, want := range []string{`"name":"stk1_`, `"born":"1961"`} {
			if !strings.Contains(structured, want) || !strings.Contains(texts(res), want) {
				t.Errorf("%q is not in both: %s\n%s", want, structured, texts(res))
			}
		}
		var a, b any
		_ = stdjson.Unmarshal([]byte(structured), &a)
		if err := stdjson.Unmarshal([]byte(texts(res)), &b); err != nil || encoded(t, a) != encoded(t, b) {
			t.Errorf("twins differ:\n%s\n%s", structured, texts(res))
		}
		if note := encoded(t, res.Meta[wire.MetaNote]); !strings.Contains(note, "person/name") || !strings.Contains(note, `"restricted":`) {
			t.Errorf("note = %s, want names and a count of restricted places", note)
		}
		read, err := s.ReadResource(context.Background(), &sdk.ReadResourceParams{URI: "mem://beds"})
		if err != nil || strings.Contains(gatewaytest.Said(read.Contents[0].Text), "jane") || !strings.HasPrefix(read.Contents[0].Text, "Bed 4: ") {
			t.Errorf("resource = %+v, %v", read, err)
		}
		res = call(t, s, "fails", asked{ID: "r-17"}, nil)
		if !res.IsError || strings.Contains(gatewaytest.Said(texts(res)), "jane") || !strings.Contains(texts(res), "no row for ") {
			t.Errorf("tool error = %+v %s", res, texts(res))
		}
	})
}

func TestUndeclaredMembersAreDroppedFromResultsAndRefusedInRequests(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u := newUpstream(t, opt)
		r := newRig(t, u, nil)
		s := connect(t, r.url, "scrim_own", version, nil)
		res := call(t, s, "extra", asked{}, nil)
		if got := encoded(t, res); strings.Contains(got, "Zanzibar") || !strings.Contains(got, "Jane Doe") {
			t.Errorf("result = %s, want it without the undeclared member", got)
		}
		res = call(t, s, "plain", map[string]string{"Zanzibar": "Zanzibar"}, nil)
		if !res.IsError || strings.Contains(encoded(t, res), "Zanzibar") || !strings.Contains(texts(res), "/params/arguments/*") {
			t.Errorf("result = %s, want a refusal with the place", encoded(t, res))
		}
		if res = call(t, s, "plain", asked{Text: "hello"}, nil); res.IsError {
			t.Errorf("after a refusal the next call failed: %s", texts(res))
		}
	})
}

func TestServersOwnSchemaDeclaresButDoesNotLabel(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u := newUpstream(t, opt)
		r := newRig(t, u, nil)
		s := connect(t, r.url, "scrim_own", version, nil)
		if res := call(t, s, "bare", map[string]any{}, nil); !res.IsError && strings.Contains(encoded(t, res), "Jane") {
			t.Errorf("before the server said what it gives, it gave %s", encoded(t, res))
		}
		if _, err := s.ListTools(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if res := call(t, s, "bare", map[string]any{}, nil); res.IsError || !strings.Contains(encoded(t, res.StructuredContent), `"name":"[value `) {
			t.Errorf("own caller's result = %s, want stand-ins for what nothing labels", encoded(t, res))
		}
		foreign := connect(t, r.url, "scrim_other", version, nil)
		res := call(t, foreign, "bare", map[string]any{}, nil)
		without(t, "foreign caller's result", encoded(t, res), append(secrets, "r-17"))
	})
}

func TestNotificationsOfTheServer(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u := newUpstream(t, opt)
		r := newRig(t, u, nil)
		var mu sync.Mutex
		var progress, logs []string
		s := connect(t, r.url, "scrim_other", version, &sdk.ClientOptions{
			ProgressNotificationHandler: func(_ context.Context, req *sdk.ProgressNotificationClientRequest) {
				mu.Lock()
				defer mu.Unlock()
				progress = append(progress, req.Params.Message)
			},
			LoggingMessageHandler: func(_ context.Context, req *sdk.LoggingMessageRequest) {
				mu.Lock()
				defer mu.Unlock()
				logs = append(logs, encoded(t, req.Params))
			},
		})
		if version == wire.MCP20251125 {
			if err := s.SetLoggingLevel(context.Background(), &sdk.SetLoggingLevelParams{Level: "debug"}); err != nil {
				t.Fatal(err)
			}
		}
		res := call(t, s, "talks", asked{}, sdk.Meta{"progressToken": "p-1", "io.modelcontextprotocol/logLevel": "debug"})
		if res.IsError || texts(res) != "Done." {
			t.Fatalf("result = %s", encoded(t, res))
		}
		deadline := time.Now().Add(time.Minute)
		for {
			mu.Lock()
			n, m := len(progress), len(logs)
			mu.Unlock()
			if n > 0 && m > 0 || time.Now().After(deadline) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(progress) != 1 || !strings.HasPrefix(progress[0], "asking ") {
			t.Errorf("progress = %q", progress)
		}
		if len(logs) != 1 || !strings.Contains(logs[0], "error") {
			t.Errorf("logs = %q", logs)
		}
		without(t, "notifications", strings.Join(append(progress, logs...), " "), []string{"jane"})
	})
}

func TestUnchangedMessagesPassByteForByte(t *testing.T) {
	u := newUpstream(t, &sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
	r := newRig(t, u, nil)
	body := `{"jsonrpc" : "2.0", "id":7, "method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}, "name":"plain","arguments":{"text":"h\u00e9llo \/"}}}`
	status, got := r.send(t, body)
	if status != 200 {
		t.Fatalf("answer = %d %s", status, got)
	}
	if u.got[0] != body {
		t.Errorf("server got %s\nwant %s", u.got[0], body)
	}
	if u.answer[0] != got {
		t.Errorf("client got %s\nwant %s", got, u.answer[0])
	}
	if auth := u.header[0].Get("Authorization"); auth != "Bearer upstream" {
		t.Errorf("the upstream credential is not the gateway's own")
	}
}

func TestSessionsBelongToWhoBeganThem(t *testing.T) {
	u := newUpstream(t, nil)
	r := newRig(t, u, nil)
	s := connect(t, r.url, "scrim_own", wire.MCP20251125, nil)
	id := s.ID()
	if id == "" {
		t.Fatal("there is no session")
	}
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	header := []string{"Mcp-Protocol-Version", wire.MCP20251125, "Mcp-Method", "", "Mcp-Name", "", "Mcp-Session-Id", id}
	if status, body := r.send(t, ping, header...); status != 200 || strings.Contains(body, "error") {
		t.Errorf("owner's ping = %d %s, want 200", status, body)
	}
	before := len(u.bodies())
	if status, body := r.send(t, ping, append(header, "Authorization", "Bearer scrim_other")...); status != 404 || strings.Contains(body, id) {
		t.Errorf("another caller's ping = %d %s, want 404", status, body)
	}
	if len(u.bodies()) != before {
		t.Error("it was forwarded")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if status, _ := r.send(t, ping, header...); status != 404 {
		t.Errorf("ping after DELETE = %d, want 404", status)
	}
	refused := 0
	for _, ev := range r.Events() { // the client's own stream closes meanwhile, and may be asked for again
		if ev.Outcome == flow.Refused && ev.Reason == "face " {
			refused++
		}
	}
	if refused < 2 {
		t.Errorf("%d refusals on record, want the stranger's and the one after the end", refused)
	}
}
