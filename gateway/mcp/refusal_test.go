package mcp_test

import (
	"encoding/base64"
	stdjson "encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
)

const plainCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},"name":"plain","arguments":{"text":"hello"}}}`

func stateless(t testing.TB) *upstream {
	return newUpstream(t, &sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
}

func TestRefusalsNameThePlaceAndNeverTheValue(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, nil)
	read := strings.NewReplacer("tools/call", "resources/read", `"name":"plain","arguments":{"text":"hello"}`, `"uri":"mem://b\u00e4ds"`).Replace(plainCall)
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
		want   string
	}{
		"no credential":       {plainCall, []string{"Authorization", ""}, 401, "credential"},
		"wrong credential":    {plainCall, []string{"Authorization", "Bearer scrim_Zanzibar"}, 401, "credential"},
		"unknown version":     {plainCall, []string{"Mcp-Protocol-Version", "2023-01-01"}, 400, "-32022"},
		"two versions":        {plainCall, []string{"Mcp-Protocol-Version", "2025-11-25"}, 400, "-32020"},
		"unknown method":      {strings.Replace(plainCall, "tools/call", "Zanzibar", 1), []string{"Mcp-Method", "Zanzibar"}, 404, "-32601"},
		"unlisted prompt":     {strings.Replace(plainCall, "tools/call", "prompts/get", 1), []string{"Mcp-Method", "prompts/get"}, 200, "/params/arguments/*"},
		"other prompt":        {strings.Replace(plainCall, "tools/call", "prompts/get", 1), []string{"Mcp-Method", "prompts/get", "Mcp-Name", "Zanzibar"}, 400, "-32020"},
		"other task":          {strings.NewReplacer("tools/call", "tasks/get", `"name":"plain"`, `"taskId":"t-1"`, `,"arguments":{"text":"hello"}`, "").Replace(plainCall), []string{"Mcp-Method", "tasks/get", "Mcp-Name", "Zanzibar"}, 400, "-32020"},
		"other version's":     {strings.Replace(plainCall, "tools/call", "ping", 1), []string{"Mcp-Method", "ping", "Mcp-Name", ""}, 404, "-32601"},
		"batch":               {"[" + plainCall + "]", nil, 400, "batch"},
		"no JSON":             {`{"Zanzibar`, nil, 400, "-32600"},
		"duplicate member":    {strings.Replace(plainCall, `"id":7`, `"id":7,"id":8`, 1), nil, 400, "byte"},
		"other method":        {plainCall, []string{"Mcp-Method", "tools/list"}, 400, "-32020"},
		"no method header":    {plainCall, []string{"Mcp-Method", ""}, 400, "-32020"},
		"other name":          {plainCall, []string{"Mcp-Name", "Zanzibar"}, 400, "-32020"},
		"no name header":      {plainCall, []string{"Mcp-Name", ""}, 400, "-32020"},
		"other encoded name":  {read, []string{"Mcp-Method", "resources/read", "Mcp-Name", "=?base64?" + base64.StdEncoding.EncodeToString([]byte("mem://Zanzibar")) + "?="}, 400, "-32020"},
		"compressed":          {plainCall, []string{"Content-Encoding", "gzip"}, 415, "encoding"},
		"form":                {plainCall, []string{"Content-Type", "text/plain"}, 415, "media type"},
		"another site":        {plainCall, []string{"Origin", "https://Zanzibar.example"}, 403, "origin"},
		"rebound name":        {plainCall, []string{"Host", "Zanzibar.example"}, 403, "origin"},
		"unknown session":     {plainCall, []string{"Mcp-Session-Id", "Zanzibar"}, 404, "session"},
		"answer":              {`{"jsonrpc":"2.0","id":7,"result":{"Zanzibar":1}}`, nil, 400, "not made"},
		"answer of error":     {`{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"Zanzibar"}}`, nil, 400, "not made"},
		"notification":        {`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`, []string{"Mcp-Method", "notifications/roots/list_changed", "Mcp-Name", ""}, 202, ""},
		"undeclared argument": {strings.Replace(plainCall, `"text":"hello"`, `"Zanzibar":"Zanzibar"`, 1), nil, 200, `"isError":true`},
		"text of no text":     {strings.Replace(strings.Replace(strings.Replace(plainCall, `"id":7,`, "", 1), "tools/call", "notifications/cancelled", 1), `"name":"plain","arguments":{"text":"hello"}`, `"requestId":1,"reason":5551234567`, 1), []string{"Mcp-Method", "notifications/cancelled", "Mcp-Name", ""}, 202, ""},
		"oversized":           {strings.Replace(plainCall, "hello", strings.Repeat("Zanzibar", 600_000), 1), nil, 413, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			before, events := len(u.bodies()), len(r.Events())
			status, body := r.send(t, c.body, c.header...)
			if status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("answer = %d %s, want %d with %q", status, body, c.status, c.want)
			}
			if len(body) > 0 && !stdjson.Valid([]byte(body)) {
				t.Errorf("answer is not JSON: %s", body)
			}
			if strings.Contains(body, "Zanzibar") {
				t.Errorf("the answer echoes a value: %s", body)
			}
			if len(u.bodies()) != before {
				t.Errorf("it was forwarded")
			}
			now := r.Events()
			if len(now) != events+1 || now[events].Outcome != flow.Refused {
				t.Errorf("journal = %+v, want one refusal", now[events:])
			}
			for _, ev := range now[events:] {
				if b, _ := stdjson.Marshal(ev); strings.Contains(string(b), "Zanzibar") {
					t.Errorf("the journal holds a value: %s", b)
				}
			}
			if status, body := r.send(t, plainCall); status != 200 || strings.Contains(body, "error") {
				t.Errorf("after a refusal the next call = %d %s, want 200", status, body)
			}
		})
	}
}

func TestEncodedNamePasses(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, nil)
	read := strings.NewReplacer("tools/call", "resources/read", `"name":"plain","arguments":{"text":"hello"}`, `"uri":"mem://b\u00e4ds"`).Replace(plainCall)
	sentinel := "=?base64?" + base64.StdEncoding.EncodeToString([]byte("mem://bäds")) + "?="
	r.send(t, read, "Mcp-Method", "resources/read", "Mcp-Name", sentinel)
	if len(u.bodies()) != 1 || u.header[0].Get("Mcp-Name") != sentinel {
		t.Errorf("server got %v %v, want the name in the sentinel", u.bodies(), u.header)
	}
}

// Headers that repeat parts of a message are made anew: what was changed in the message does not stay in a header.
func TestHeadersSayWhatTheChangedMessageSays(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, nil)
	r.send(t, plainCall, "Mcp-Param-Region", "Zanzibar", "X-Other", "Zanzibar", "Last-Event-ID", "Zanzibar is not an id")
	for name, v := range u.header[0] {
		if strings.Contains(strings.Join(v, " "), "Zanzibar") {
			t.Errorf("header %s went on", name)
		}
	}
}

// The address of a resource is the question itself: what may not be shown of it cannot be asked.
func TestResourceAddressIsAskedWholeOrNotAtAll(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Policy += `@id("no") forbid (principal, action in Action::"atleast_tokenized", resource in DataClass::"technical/url");`
	})
	read := strings.NewReplacer("tools/call", "resources/read", `"name":"plain","arguments":{"text":"hello"}`, `"uri":"mem://beds"`).Replace(plainCall)
	_, body := r.send(t, read, "Mcp-Method", "resources/read", "Mcp-Name", "mem://beds")
	if !strings.Contains(body, `"error"`) || !strings.Contains(body, "/params/uri") || len(u.bodies()) != 0 {
		t.Errorf("answer = %s, server got %q, want a refusal", body, u.bodies())
	}
}

// fixed is a server that answers every POST the same.
func fixed(t *testing.T, answer func(w http.ResponseWriter)) *upstream {
	return (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
}

func TestBadAnswersOfTheServer(t *testing.T) {
	sse := func(events string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte(events))
		}
	}
	plain := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		}
	}
	for name, answer := range map[string]func(http.ResponseWriter){
		"no JSON":            plain(`Zanzibar`),
		"another id":         plain(`{"jsonrpc":"2.0","id":8,"result":{"content":[{"type":"text","text":"Zanzibar"}]}}`),
		"a batch":            plain(`[{"jsonrpc":"2.0","id":7,"result":{}}]`),
		"nothing":            plain(``),
		"text of no text":    plain(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":5551234567}]}}`),
		"unknown type":       plain(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"Zanzibar"}]}}`),
		"a name that speaks": plain(`{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required","inputRequests":{"Jane from Zanzibar":{"method":"elicitation/create","params":{"message":"x"}}}}}`),
		"a name that tells":  plain(`{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required","inputRequests":{"zanzibar.Zanzibar@example.org":{"method":"elicitation/create","params":{"message":"x"}}}}}`),
		"unknown question":   plain(`{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"Zanzibar","params":{}}}}}`),
		"a page":             func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>Zanzibar")) },
		"a redirect":         func(w http.ResponseWriter) { w.Header().Set("Location", "http://Zanzibar"); w.WriteHeader(302) },
		"broken stream":      sse("data: {\"jsonrpc\":\"2.0\",\"id\":7,\"resu"),
		"empty stream":       sse(": hello\n\n"),
		"stream of others":   sse("data: {\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"Zanzibar\"}]}}\n\n"),
		"request":            sse("data: {\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"elicitation/create\",\"params\":{\"message\":\"Zanzibar\"}}\n\n"),
		"unknown notice":     sse("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/Zanzibar\"}\n\n"),
		"long event":         sse("data: " + strings.Repeat("Zanzibar", 1<<18) + "\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, fixed(t, answer), nil)
			_, body := r.send(t, plainCall)
			if !strings.Contains(body, `"id":7`) || !strings.Contains(body, `"error"`) && !strings.Contains(body, `"isError":true`) {
				t.Errorf("answer = %s, want an error for call 7", body)
			}
			if strings.Contains(body, "Zanzibar") || strings.Contains(body, "5551234567") {
				t.Errorf("the answer holds what the server sent: %s", body)
			}
			refused := false
			for _, ev := range r.Events() {
				refused = refused || ev.Outcome == flow.Refused
			}
			if !refused {
				t.Error("nothing of it is on record")
			}
		})
	}
}

func TestSharedCachingIsTakenAway(t *testing.T) {
	r := newRig(t, fixed(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":7,"result":{"tools":[],"ttlMs":9,"cacheScope":"public","resultType":"complete"}}`))
	}), nil)
	list := strings.NewReplacer("tools/call", "tools/list", `"name":"plain","arguments":{"text":"hello"}`, `"cursor":"c"`).Replace(plainCall)
	if _, body := r.send(t, list, "Mcp-Method", "tools/list", "Mcp-Name", ""); !strings.Contains(body, `"cacheScope":"private"`) {
		t.Errorf("answer = %s, want it private", body)
	}
}

func retry(id, text string) string {
	return strings.NewReplacer(`"_meta":{`, `"_meta":{"dev.scrim/flow-id":"`+id+`",`, "hello", text).Replace(plainCall)
}

func TestRetryIsAnsweredWithTheSameBytesAndServerIsCalledOnce(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, nil)
	header := []string{"Authorization", "Bearer scrim_other"}
	_, first := r.send(t, retry("f-1", "hello"), header...)
	_, second := r.send(t, retry("f-1", "hello"), header...)
	if first != second || !strings.Contains(first, "[email") {
		t.Errorf("retry = %s\nwant %s", second, first)
	}
	if n := len(u.bodies()); n != 1 {
		t.Errorf("server was called %d times, want 1", n)
	}
	_, other := r.send(t, strings.Replace(retry("f-1", "hello"), `"id":7`, `"id":"x"`, 1), header...)
	if want := strings.Replace(first, `"id":7`, `"id":"x"`, 1); other != want {
		t.Errorf("retry under another id = %s\nwant %s", other, want)
	}
	if _, body := r.send(t, retry("f-1", "howdy"), header...); !strings.Contains(body, "used before with another request") {
		t.Errorf("the same flow id with another request = %s, want a conflict", body)
	}
	if _, body := r.send(t, retry("f-1", "hello")); !strings.Contains(body, `"result"`) || len(u.bodies()) != 2 {
		t.Errorf("another caller's call of the same flow id = %s, want its own answer", body)
	}
	outcomes := map[flow.Outcome]int{}
	for _, ev := range r.Events() {
		outcomes[ev.Outcome]++
	}
	if outcomes[flow.Replayed] != 2 || outcomes[flow.Conflict] != 1 {
		t.Errorf("outcomes = %v, want two replays and a conflict", outcomes)
	}
}

// An open stream is decided again by each event: a caller that lost its credential gets nothing more.
func TestOpenStreamIsDecidedAgainAfterReload(t *testing.T) {
	for name, change := range map[string]func(*gatewaytest.Setup){
		"credential gone": func(s *gatewaytest.Setup) { delete(s.Callers, "scrim_own") },
		"server gone":     func(s *gatewaytest.Setup) { s.Agents = s.Agents[:3] },
		"terms stricter": func(s *gatewaytest.Setup) {
			s.Policy = strings.Replace(s.Policy, `@id("text")`, `@id("no") forbid (principal, action in Action::"atleast_tokenized", resource in DataClass::"person/contact/email"); @id("text")`, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			entered, reloaded := make(chan bool), make(chan bool)
			u := (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.(interface{ Flush() }).Flush()
				entered <- true
				<-reloaded
				_, _ = w.Write([]byte(`data: {"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"jane.doe@example.org"}]}}` + "\n\n"))
			}))
			r := newRig(t, u, nil)
			go func() {
				<-entered
				next := r.setup
				next.Callers = map[string]identity.Grant{}
				for k, v := range r.setup.Callers {
					next.Callers[k] = v
				}
				change(&next)
				if err := r.Swap(t.Context(), gatewaytest.Snapshot(t, next), "test"); err != nil {
					t.Error(err)
				}
				close(reloaded)
			}()
			_, body := r.send(t, plainCall)
			if strings.Contains(body, "jane.doe") || !strings.Contains(body, `"id":7`) {
				t.Errorf("after the reload the stream said %s", body)
			}
		})
	}
}

// FuzzPost holds that whatever is posted is answered with JSON-RPC, and that what is refused is not forwarded.
func FuzzPost(f *testing.F) {
	forwarded := 0
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		forwarded++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"ok"}]}}`))
	}))
	f.Cleanup(up.Close)
	r := newRig(f, &upstream{Server: up}, func(s *gatewaytest.Setup) {
		s.Hooks.Error = func(error) {}
		s.Schemas = append(s.Schemas, gatewaytest.Schema{Kind: catalog.Resource, Owner: "records", JSON: question})
	})
	h := &mcp.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{}}
	for _, s := range []string{plainCall, retry("f-1", "x"), "[]", "{}", `{"jsonrpc":"2.0","id":null,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
		`{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"mem://beds"}}`, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}`} {
		f.Add([]byte(s), "", "tools/call", "plain", "")
		f.Add([]byte(s), "2025-11-25", "", "", "2025-11-25")
	}
	f.Fuzz(func(t *testing.T, body []byte, version, method, name, session string) {
		forwarded = 0
		req := httptest.NewRequest(http.MethodPost, "/mcp/records", strings.NewReader(string(body)))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer scrim_own")
		for k, v := range map[string]string{"Mcp-Protocol-Version": version, "Mcp-Method": method, "Mcp-Name": name, "Mcp-Session-Id": session} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		events := len(r.Events())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		out := w.Body.Bytes()
		if len(out) == 0 {
			if w.Code != http.StatusAccepted {
				t.Fatalf("status %d without a body", w.Code)
			}
		} else {
			var d json.Doc
			if err := d.Parse(out, nil, json.Limits{}); err != nil {
				t.Fatalf("answer is not JSON: %v", err)
			}
		}
		released := 0
		for _, ev := range r.Events()[events:] {
			if ev.Outcome == flow.Released && ev.Flow.Direction == flow.Request {
				released++
			}
		}
		if forwarded != released {
			t.Fatalf("%d forwarded, %d released on record", forwarded, released)
		}
	})
}

// What a server says of a call in HTTP's words reaches the client in them, and a version is named back to who named it.
func TestStatusOfErrorsIsTheServers(t *testing.T) {
	r := newRig(t, fixed(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":7,"error":{"code":-32021,"message":"no","data":{"requiredCapabilities":{"elicitation":{}}}}}`))
	}), nil)
	if status, body := r.send(t, plainCall); status != 400 || !strings.Contains(body, `{"requiredCapabilities":{"elicitation":{}}}`) {
		t.Errorf("answer = %d %s, want the server's", status, body)
	}
	unknown := strings.Replace(plainCall, `protocolVersion":"2026-07-28`, `protocolVersion":"v999.0.0`, 1)
	if status, body := r.send(t, unknown, "Mcp-Protocol-Version", "v999.0.0"); status != 400 || !strings.Contains(body, `"requested":"v999.0.0"`) {
		t.Errorf("answer = %d %s, want the version that was asked for in it", status, body)
	}
	hello := strings.Replace(plainCall, "tools/call", "initialize", 1)
	if status, body := r.send(t, hello, "Mcp-Method", "initialize", "Mcp-Name", ""); status != 404 || !strings.Contains(body, "-32601") {
		t.Errorf("a handshake in 2026-07-28 = %d %s, want 404", status, body)
	}
}
