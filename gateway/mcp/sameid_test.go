package mcp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// latest is a server with one session that sends the answer to an id on the stream which last asked under it, as servers
// do that keep a table of streams by id.
func latest(held chan struct{}) http.Handler {
	const answer = `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"ok"}],"structuredContent":{"rows":[{"name":"Jane Doe","id":"r-17","ssn":"536-90-4399"}]}}}`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		switch {
		case strings.Contains(string(body), `"initialize"`):
			w.Header().Set("Mcp-Session-Id", "s-1")
			_, _ = fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"p\",\"version\":\"1\"}}}\n\n")
		case r.Method == http.MethodGet: // sends again what the first stream brought
			_, _ = fmt.Fprintf(w, "id: e-2\ndata: %s\n\n", strings.ReplaceAll(answer, "r-17", "r-99"))
		case strings.Contains(string(body), `"rows"`) && held != nil:
			_, _ = fmt.Fprint(w, ": working\n\n")
			_ = http.NewResponseController(w).Flush()
			held <- struct{}{}
			<-r.Context().Done()
		case strings.Contains(string(body), `"rows"`):
			_, _ = fmt.Fprintf(w, "id: e-1\ndata: \n\nid: e-2\ndata: %s\n\n", answer)
		case strings.Contains(string(body), `"open"`) && held != nil:
			_, _ = fmt.Fprintf(w, "data: %s\n\n", answer)
		case strings.Contains(string(body), `"open"`):
			_, _ = fmt.Fprint(w, "id: e-3\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[]}}\n\n")
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	})
}

// openTool declares one tool's rows public, beside the one whose rows are a patient's.
func openTool(s *gatewaytest.Setup) {
	s.Hooks.Error = func(error) {}
	s.Policy += `@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
	s.Schemas = append(s.Schemas,
		gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "open", Direction: flow.Request, JSON: question},
		gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "open", Direction: flow.Response, JSON: strings.NewReplacer("person/name", "public", "technical/record-id", "public", "government-id/ssn", "public").Replace(wrapped)})
}

func callOf(tool string) string {
	return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + tool + `","arguments":{"text":"hello"}}}`
}

// A caller that asks two tools under one id gets the answer of the first on the stream of the second from such a
// server. It would be decided by the second's schema, so the second is not asked while the first is unanswered: not
// while its stream is open, and not after the caller hung up.
func TestAnIDIsNotUsedForAnotherCallBeforeItIsAnswered(t *testing.T) {
	for _, hangUp := range []bool{false, true} {
		t.Run(fmt.Sprint(hangUp), func(t *testing.T) {
			held := make(chan struct{}, 1)
			u := (&upstream{}).serve(t, latest(held))
			r := newRig(t, u, openTool)
			one := &player{rig: r, key: "scrim_other"}
			one.begin(t, true)
			stop := one.start(t, callOf("rows"))
			<-held
			if hangUp {
				stop()
				time.Sleep(200 * time.Millisecond)
			}
			status, body := one.send(t, callOf("open"))
			without(t, "the answer", body, []string{"Jane", "536-90"})
			if !strings.Contains(body, "error") {
				t.Errorf("the second call = %d %s, want a refusal", status, body)
			}
			if got := strings.Join(u.bodies(), ""); strings.Contains(got, `"open"`) {
				t.Error("the second call reached the server")
			}
			stop()
		})
	}
}

// What is sent again on a stream that is resumed is the answer to the call that the stream was of, not to a later one
// under the same id.
func TestWhatIsSentAgainIsNotTakenForALaterAnswer(t *testing.T) {
	u := (&upstream{}).serve(t, latest(nil))
	r := newRig(t, u, openTool)
	one := &player{rig: r, key: "scrim_other"}
	one.begin(t, true)
	_, first := one.send(t, callOf("rows"))
	if !strings.Contains(first, "result") {
		t.Fatalf("first answer = %s", first)
	}
	if _, body := one.send(t, callOf("open")); !strings.Contains(body, "result") {
		t.Fatalf("second answer = %s", body)
	}
	without(t, "the resumed stream", one.resume(t, lastEvent(first)), []string{"Jane", "r-99", "536-90"})
}

// An answer that comes on another stream than its call's is kept as any other: a retry gets it, and the server is not
// asked twice.
func TestAnAnswerOnAnotherStreamIsKeptForRetries(t *testing.T) {
	u := (&upstream{}).serve(t, resumable(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"done"}]}}`))
	r := newRig(t, u, nil)
	one := &player{rig: r, key: "scrim_other"}
	one.begin(t, true)
	ask := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"plain","arguments":{"text":"part"},"_meta":{"dev.scrim/flow-id":"f-1"}}}`
	_, part := one.send(t, ask)
	if !strings.Contains(part, "id: ") || strings.Contains(part, "error") {
		t.Fatalf("first part = %q", part)
	}
	if got := one.resume(t, lastEvent(part)); !strings.Contains(got, "done") {
		t.Fatalf("resumed stream = %q", got)
	}
	before := len(u.bodies())
	if _, body := one.send(t, strings.Replace(ask, `"id":7`, `"id":8`, 1)); !strings.Contains(body, "done") || !strings.Contains(body, `"id":8`) {
		t.Errorf("retry = %q, want the answer", body)
	}
	if len(u.bodies()) != before {
		t.Error("the server was asked twice")
	}
}

// start posts a message and leaves its stream open until it is stopped.
func (p *player) start(t *testing.T, body string) (stop func()) {
	t.Helper()
	ctx, cancel := contextOf(t)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "text/event-stream", "Authorization": "Bearer " + p.key, "Mcp-Session-Id": p.session, "Mcp-Protocol-Version": "2025-06-18"} {
		req.Header.Set(k, v)
	}
	go func() {
		if res, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	return cancel
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}
