package mcp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// resumable is a server with one session, whose streams can be taken up again.
func resumable(answer string) http.Handler {
	const notice = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		switch {
		case strings.Contains(string(body), `"initialize"`):
			w.Header().Set("Mcp-Session-Id", "s-1")
			_, _ = fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"p\",\"version\":\"1\"}}}\n\n")
		case r.Method == http.MethodGet:
			_, _ = fmt.Fprintf(w, "id: e-2\ndata: %s\n\n", answer)
		case strings.Contains(string(body), "tools/call") && strings.Contains(string(body), "whole"):
			_, _ = fmt.Fprintf(w, "id: e-1\ndata: %s\n\nid: e-2\ndata: %s\n\n", notice, answer)
		case strings.Contains(string(body), "tools/call"):
			_, _ = fmt.Fprint(w, "id: e-1\nretry: 10\ndata: \n\n") // and it closes, to be asked again
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	})
}

func (p *player) resume(t *testing.T, event string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + p.key, "Mcp-Session-Id": p.session, "Mcp-Protocol-Version": wire.MCP20250618, "Accept": "text/event-stream", "Last-Event-Id": event} {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

var eventID = regexp.MustCompile(`(?m)^id: ?(\S+)`)

// lastEvent is the id of the last event that a client got.
func lastEvent(body string) string {
	all := eventID.FindAllStringSubmatch(body, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// Ids of events hold nothing of the server's, and open for nobody but whom they were given to, in that session.
func TestEventsAreNamedByTheGateway(t *testing.T) {
	var asked atomic.Value
	asked.Store("")
	sessions := 0
	u := (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := readAll(r)
		w.Header().Set("Content-Type", "text/event-stream")
		if strings.Contains(body, `"initialize"`) {
			sessions++
			w.Header().Set("Mcp-Session-Id", fmt.Sprintf("s-%d", sessions))
			_, _ = fmt.Fprint(w, "id: jane.doe@example.org\ndata: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"p\",\"version\":\"1\"}}}\n\n")
			return
		}
		if r.Method == http.MethodGet {
			asked.Store(r.Header.Get("Last-Event-Id"))
			return
		}
		if !strings.Contains(body, `"id"`) {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		_, _ = fmt.Fprint(w, "id: 536-90-4399\rdata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[],\"resultType\":\"complete\"}}\r\r")
	}))
	r := newRig(t, u, nil)
	if _, body := r.send(t, plainCall, "Authorization", "Bearer scrim_other"); !strings.Contains(body, `"content":[]`) || strings.Contains(body, "id: ") {
		t.Errorf("without a session the client got %q", body)
	}
	one, two, other := &player{rig: r, key: "scrim_other"}, &player{rig: r, key: "scrim_other"}, &player{rig: r, key: "scrim_own"}
	for _, p := range []*player{one, two, other} {
		p.begin(t, true)
	}
	_, body := one.send(t, callOf("plain"))
	without(t, "the stream", body, []string{"536-90"})
	id := lastEvent(strings.ReplaceAll(body, "\r", "\n"))
	if !strings.Contains(body, `"content":[]`) || id == "" {
		t.Fatalf("the client got %q", body)
	}
	for name, p := range map[string]*player{"another session": two, "another caller": other} {
		if p.resume(t, id); asked.Load() != "" {
			t.Errorf("%s goes on from %v", name, asked.Load())
		}
	}
	if one.resume(t, "536-90-4399"); asked.Load() != "" {
		t.Errorf("an id that was not given out leads to %v", asked.Load())
	}
	if one.resume(t, id); asked.Load() != "536-90-4399" {
		t.Errorf("the server was asked for what came after %q", asked.Load())
	}
}

// A stream that the server closed before it answered is taken up; what was sent and lost is sent again. Each time the
// caller is decided anew, and each time it is on record.
func TestStreamsAreTakenUpAgain(t *testing.T) {
	answer := `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"write to jane.doe@example.org"}]}}`
	u := (&upstream{}).serve(t, resumable(answer))
	r := newRig(t, u, nil)
	one := &player{rig: r, key: "scrim_other"}
	one.begin(t, true)
	ask := func(text string) string {
		return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"plain","arguments":{"text":"` + text + `"}}}`
	}
	released := func() (n int) {
		for _, ev := range r.Events() {
			if ev.Outcome == flow.Segment && ev.Flow.Method == "tools/call" {
				n++
			}
		}
		return n
	}
	_, body := one.send(t, ask("part"))
	if strings.Contains(body, "write to") || !strings.Contains(body, "id: ") || strings.Contains(body, "error") {
		t.Fatalf("first part = %q", body)
	}
	if got := one.resume(t, ""); strings.Contains(got, "write to") && released() != 1 {
		t.Fatalf("another stream = %q", got)
	}
	// Whoever else has the session's id and the event's gets nothing.
	if got := (&player{rig: r, key: "scrim_own", session: one.session}).resume(t, lastEvent(body)); strings.Contains(got, "write to") {
		t.Errorf("another caller took the stream up: %q", got)
	}
	if status, body := one.send(t, ask("whole")); status != 200 || !strings.Contains(body, "write to [email") {
		t.Fatalf("answer = %d %q", status, body)
	}
	before := released()
	again := one.resume(t, lastEvent(body))
	if !strings.Contains(again, "id: ") || !strings.Contains(again, "write to [email") || strings.Contains(gatewaytest.Said(again), "jane") {
		t.Errorf("resumed stream = %q, want the answer once more", again)
	}
	if n := released(); n != before+1 {
		t.Errorf("%d answers on record, want %d", n, before+1)
	}
	if got := one.resume(t, ""); strings.Contains(got, "write to") {
		t.Errorf("a new stream gave the old answer: %q", got)
	}
}

// The event of a stream is no credential: the server takes every caller for the gateway, so only within a session of its
// own a caller may ask for what came after one.
func TestNoStreamIsTakenUpWithoutASession(t *testing.T) {
	var asked atomic.Int32
	u := (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-Id") != "" {
			asked.Add(1)
		}
		w.Header().Set("Content-Type", "text/event-stream")
	}))
	r := newRig(t, u, nil)
	(&player{rig: r, key: "scrim_other"}).resume(t, "e-1")
	if n := asked.Load(); n != 0 {
		t.Error("the server was asked for the rest of a stream that may be anybody's")
	}
}

// FuzzServerStream holds that whatever a server streams, its caller gets JSON-RPC, one answer to its call and nothing
// of another's, and that nothing leaves that is not on record.
func FuzzServerStream(f *testing.F) {
	var stream []byte
	u := (&upstream{}).serve(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"method":"ping"`) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write(stream)
			return
		}
		newPuppet().ServeHTTP(w, withBody(r, body))
	}))
	r := newRig(f, u, func(s *gatewaytest.Setup) { s.Hooks.Error = func(error) {} })
	one := &player{rig: r, key: "scrim_other"}
	one.begin(f, true)
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":7,"result":{}}`, askRoots, `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}`, `{"jsonrpc":"2.0","id":8,"result":{}}`,
		`{"jsonrpc":"2.0","id":"a","method":"sampling/createMessage","params":{"maxTokens":1,"messages":[{"role":"user","content":{"type":"text","text":"hi"}},{"role":"user","content":[{"type":"tool_use","id":"t","name":"n","input":{"a":1}}]}]}}`,
		`{"jsonrpc":"2.0","id":"b","method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{"a":{"type":"string"}}}}}`,
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"mem://a"}}`, `[1]`, `{`,
	} {
		f.Add([]byte("data: " + s + "\n\n"))
		f.Add([]byte("id: 1\nevent: message\ndata: " + s + "\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n"))
	}
	f.Fuzz(func(t *testing.T, events []byte) {
		stream = events
		seen := len(r.Events())
		_, body := one.send(t, `{"jsonrpc":"2.0","id":7,"method":"ping"}`)
		left := 0
		for _, ev := range r.Events()[seen:] {
			if ev.Flow.To.Agent == "stranger" && (ev.Outcome == flow.Segment || ev.Outcome == flow.Released) {
				left++
			}
		}
		answers, came := 0, 0
		out := wire.NewEventReader(strings.NewReader(body), wire.EventLimits{})
		for {
			ev, err := out.Next()
			if err != nil {
				break
			}
			if len(ev.Data) == 0 {
				continue
			}
			var d json.Doc
			if err := d.Parse(ev.Data, nil, json.Limits{}); err != nil {
				t.Fatalf("the caller got %q", ev.Data)
			}
			rpc, err := wire.ReadRPC(&d)
			if err != nil {
				t.Fatalf("the caller got %q: %v", ev.Data, err)
			}
			if rpc.Kind == wire.Success || rpc.Kind == wire.Failure {
				if string(rpc.ID) != "7" {
					t.Fatalf("the caller got another's answer %q", ev.Data)
				}
				answers++
			}
			if rpc.Kind != wire.Failure {
				came++
			}
		}
		if answers > 1 || came > left {
			t.Fatalf("%d answers, %d messages came, %d are on record: %q", answers, came, left, body)
		}
	})
}

func withBody(r *http.Request, body []byte) *http.Request {
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}
