package run_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/run"
)

// endless is an agent whose streams say something and then nothing for ever.
func endless(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, `data: {"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}}`+"\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

const sendStream = `{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{"messageId":"m1","role":"ROLE_USER","parts":[{"text":"hello"}]}}}`

// TestAnOpenStreamIsEndedWithAWord stops a gateway under an open stream: the stream has its time, then ends with an
// error event that says why, and with a row that it ended.
func TestAnOpenStreamIsEndedWithAWord(t *testing.T) {
	for name, set := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2":   func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			var rows rowLog
			tw := settle(t, http.HandlerFunc(endless), "timeouts: {shutdown: 1s}\n", run.Options{Hooks: gateway.Hooks{Event: rows.add}})
			res, err := speaking(t, set).Do(tw.request(t, "http", "/a2a/scribe", sendStream))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			r := bufio.NewReader(res.Body)
			if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "TASK_STATE_WORKING") {
				t.Fatalf("the stream begins with %q (%v)", line, err)
			}
			began := time.Now()
			ended := make(chan error, 1)
			go func() { ended <- tw.stop() }()
			rest, err := io.ReadAll(r)
			if took := time.Since(began); err != nil || took < 800*time.Millisecond || took > 30*time.Second {
				t.Errorf("the stream ended after %v (%v), want a clean end after its time of a second", took, err)
			}
			if !strings.Contains(string(rest), `"BUSY"`) || !strings.Contains(string(rest), "going away") {
				t.Errorf("the stream ended with %q, want an error that says why", rest)
			}
			if err := <-ended; err != nil {
				t.Errorf("Serve() error = %v", err)
			}
			if got, want := rows.outcomes(), "released opened segment refused closed"; got != want {
				t.Errorf("on record is %q, want %q", got, want)
			}
		})
	}
}

// TestNoticeIsGivenBeforeTheDoorIsShut stops a gateway that has a time of notice: it says that it is not ready, goes on
// taking calls with the word that the connection ends, and then is gone.
func TestNoticeIsGivenBeforeTheDoorIsShut(t *testing.T) {
	t.Parallel()
	tw := settle(t, http.HandlerFunc(pong), "health: true\ntimeouts: {notice: 20s}\n", run.Options{})
	kept := speaking(t, func(p *http.Protocols) { p.SetHTTP1(true) })
	do := func() (*http.Response, error) {
		res, err := kept.Do(tw.request(t, "http", "/mcp/tools", ping))
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		return res, err
	}
	if res, err := do(); err != nil || res.Close {
		t.Fatalf("before: %v, %v; want an answer on a connection that is kept", res, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- tw.stop() }()
	eventually(t, "not ready", func() bool { return tw.Ready(context.Background()) != nil })
	if res, err := do(); err != nil || res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("during the notice: %v, %v; want an answer and the word that the connection ends", res, err)
	}
	if res, err := http.Get("http://" + tw.addr + "/readyz"); err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz during the notice: %v, %v", res, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve() error = %v", err)
	}
	if _, err := do(); err == nil {
		t.Error("a gateway that has gone still answers")
	}
}

// rowLog keeps what was put on record.
type rowLog struct {
	mu   sync.Mutex
	rows []flow.Event
}

func (l *rowLog) add(ev flow.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, ev)
}

// outcomes are those of all rows, in their order.
func (l *rowLog) outcomes() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, ev := range l.rows {
		all = append(all, string(ev.Outcome))
	}
	return strings.Join(all, " ")
}

func (l *rowLog) all() []flow.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows)
}

// TestAnOldClientsStreamIsNoCall holds the stream of the transport of 2024 open, on which nothing is on record by itself.
func TestAnOldClientsStreamIsNoCall(t *testing.T) {
	tw := settle(t, http.HandlerFunc(pong), "limits: {caller: {streams: 1}}\ntimeouts: {shutdown: 1ms}\n", run.Options{})
	open := func() *http.Response {
		t.Helper()
		req := tw.request(t, "http", "/mcp/tools/sse", "")
		req.Method, req.Body, req.ContentLength = http.MethodGet, http.NoBody, 0
		res, err := speaking(t, func(p *http.Protocols) { p.SetHTTP1(true) }).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first := open()
	defer first.Body.Close()
	if line, err := bufio.NewReader(first.Body).ReadString('\n'); err != nil || line != "event: endpoint\n" {
		t.Fatalf("the stream begins with %q (%v)", line, err)
	}
	if flows, streams := tw.Gateway.Gateway.Load(); flows != 0 || streams != 1 {
		t.Errorf("%d calls and %d streams are open, want one stream", flows, streams)
	}
	second := open()
	defer second.Body.Close()
	if second.StatusCode != http.StatusServiceUnavailable || second.Header.Get("Retry-After") == "" {
		t.Errorf("a stream over the limit got %s, want 503 with Retry-After", second.Status)
	}
}
