package mcp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// puppet is a server with sessions whose every word the test says. Each GET gets a stream; what is sent to it goes out
// on the stream of the session.
type puppet struct {
	mu       sync.Mutex
	sessions int
	posted   map[string][]string // by session
	streams  map[string]chan string
	initial  func(session string) string // an event before the answer to initialize
}

func newPuppet() *puppet {
	return &puppet{posted: map[string][]string{}, streams: map[string]chan string{}}
}

func (p *puppet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Mcp-Session-Id")
	switch r.Method {
	case http.MethodGet:
		p.listen(w, r, p.stream(id))
	case http.MethodPost:
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"initialize"`) {
			p.mu.Lock()
			p.sessions++
			id = fmt.Sprintf("s-%d", p.sessions)
			p.mu.Unlock()
			w.Header().Set("Mcp-Session-Id", id)
			w.Header().Set("Content-Type", "text/event-stream")
			if p.initial != nil {
				_, _ = fmt.Fprintf(w, "data: %s\n\n", p.initial(id))
			}
			_, _ = fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"p\",\"version\":\"1\"}}}\n\n", idIn(body))
			return
		}
		p.mu.Lock()
		p.posted[id] = append(p.posted[id], string(body))
		p.mu.Unlock()
		if bytes.Contains(body, []byte(`"method"`)) && bytes.Contains(body, []byte(`"id"`)) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{}}`, idIn(body))
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (p *puppet) stream(id string) chan string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams[id] == nil {
		p.streams[id] = make(chan string, 16)
	}
	return p.streams[id]
}

func (p *puppet) listen(w http.ResponseWriter, r *http.Request, events chan string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			_, _ = fmt.Fprint(w, e)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func (p *puppet) got(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.posted[id], "\n")
}

const hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"1"}}}`

// player is a client of the puppet, by hand.
type player struct {
	*rig
	key, session string
}

func (p *player) send(t testing.TB, body string) (int, string) {
	t.Helper()
	return p.rig.send(t, body, "Authorization", "Bearer "+p.key, "Mcp-Session-Id", p.session, "Mcp-Protocol-Version", wire.MCP20250618, "Mcp-Method", "", "Mcp-Name", "")
}

func (p *player) begin(t testing.TB, ready bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url, strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if p.session = res.Header.Get("Mcp-Session-Id"); p.session == "" {
		t.Fatalf("no session: %d %s", res.StatusCode, body)
	}
	if ready {
		if status, body := p.send(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); status != http.StatusAccepted {
			t.Fatalf("initialized = %d %s", status, body)
		}
	}
}

// listen opens the stream and returns what comes on it, event by event.
func (p *player) listen(t testing.TB) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + p.key, "Mcp-Session-Id": p.session, "Mcp-Protocol-Version": wire.MCP20250618, "Accept": "text/event-stream", "Scrim-Purpose": "care", "Scrim-Criticality": "critical"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("stream = %+v, %v", res, err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	out := make(chan string, 64)
	go func() {
		defer close(out)
		events := wire.NewEventReader(res.Body, wire.EventLimits{})
		for {
			ev, err := events.Next()
			if err != nil {
				return
			}
			if len(ev.Data) > 0 {
				out <- string(ev.Data)
			}
		}
	}()
	return out
}

func next(t testing.TB, events <-chan string) string {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
		return ""
	}
}

func puppetRig(t testing.TB, change func(*gatewaytest.Setup)) (*puppet, *rig) {
	t.Helper()
	p := newPuppet()
	u := (&upstream{}).serve(t, p)
	return p, newRig(t, u, change)
}

const askRoots = `{"jsonrpc":"2.0","id":"q-1","method":"roots/list"}`

func asEvent(message string) string { return "data: " + message + "\n\n" }

// An answer counts in the session that was asked, once, and nowhere else.
func TestAnswersAreNotTakenFromAnotherSession(t *testing.T) {
	p, r := puppetRig(t, nil)
	victim, thief, same := &player{rig: r, key: "scrim_own"}, &player{rig: r, key: "scrim_other"}, &player{rig: r, key: "scrim_own"}
	for _, one := range []*player{victim, thief, same} {
		one.begin(t, true)
	}
	events := victim.listen(t)
	p.stream(victim.session) <- asEvent(askRoots)
	if got := next(t, events); got != askRoots {
		t.Fatalf("client was asked %s", got)
	}
	answer := `{"jsonrpc":"2.0","id":"q-1","result":{"roots":[{"uri":"file:///Zanzibar"}]}}`
	for name, one := range map[string]*player{
		"another caller": thief, "another session": same, "another caller in the session": {rig: r, key: "scrim_other", session: victim.session},
	} {
		if status, body := one.send(t, answer); status != 400 && status != 404 {
			t.Errorf("%s answers: %d %s, want a refusal", name, status, body)
		}
	}
	if status, _ := victim.send(t, strings.Replace(answer, `"q-1"`, `"q-2"`, 1)); status != 400 {
		t.Errorf("an answer to another question = %d, want 400", status)
	}
	if status, _ := victim.send(t, strings.Replace(answer, "Zanzibar", "work", 1)); status != http.StatusAccepted {
		t.Errorf("the answer = %d, want 202", status)
	}
	if status, _ := victim.send(t, answer); status != 400 {
		t.Errorf("a second answer = %d, want 400", status)
	}
	all := p.got(victim.session) + p.got(thief.session) + p.got(same.session)
	if strings.Contains(all, "Zanzibar") || strings.Count(all, "file:///work") != 1 {
		t.Errorf("server got %s", all)
	}
	refused := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Refused {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d refusals on record, want 5", refused)
	}
}

// A server may not use an id again for another question while the first waits; the same question again, as on a
// stream that is taken up, is none.
func TestQuestionsKeepTheirIDs(t *testing.T) {
	p, r := puppetRig(t, nil)
	one := &player{rig: r, key: "scrim_own"}
	one.begin(t, true)
	events := one.listen(t)
	s := p.stream(one.session)
	s <- asEvent(askRoots) + asEvent(strings.Replace(askRoots, "roots/list", "ping", 1)) + asEvent(askRoots) +
		asEvent(`{"jsonrpc":"2.0","id":"q-3","method":"Zanzibar/do"}`) + asEvent(`{"jsonrpc":"2.0","id":"q-4","method":"elicitation/create","params":{"message":5}}`) +
		asEvent(`[`+askRoots+`]`) + asEvent(`{"jsonrpc":"2.0","id":"q-5","method":"ping"}`)
	for i, want := range []string{askRoots, askRoots, `{"jsonrpc":"2.0","id":"q-5","method":"ping"}`} {
		if got := next(t, events); got != want {
			t.Errorf("event %d = %s, want %s", i, got, want)
		}
	}
	told := p.got(one.session)
	for _, id := range []string{`"id":"q-1","error":{"code":-32600`, `"id":"q-3","error":{"code":-32601`, `"id":"q-4","error":{"code":-32602`} {
		if !strings.Contains(told, id) {
			t.Errorf("server was told %s, want %s in it", told, id)
		}
	}
	if strings.Contains(told, "Zanzibar") {
		t.Errorf("the refusal repeats the method: %s", told)
	}
}

// Before the client said that it is ready, a server may ask for a sign of life and for nothing else.
func TestNothingIsAskedBeforeTheSessionHasBegun(t *testing.T) {
	p, r := puppetRig(t, nil)
	p.initial = func(string) string { return askRoots }
	one := &player{rig: r, key: "scrim_own"}
	one.begin(t, false)
	if told := p.got(one.session); !strings.Contains(told, `"id":"q-1","error"`) {
		t.Errorf("server was told %q, want an error", told)
	}
	events := one.listen(t)
	s := p.stream(one.session)
	s <- asEvent(askRoots) + asEvent(`{"jsonrpc":"2.0","id":"q-2","method":"ping"}`)
	if got := next(t, events); !strings.Contains(got, "ping") {
		t.Errorf("client was asked %s", got)
	}
	if status, _ := one.send(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); status != http.StatusAccepted {
		t.Fatal("not ready")
	}
	s <- asEvent(askRoots)
	if got := next(t, events); got != askRoots {
		t.Errorf("client was asked %s", got)
	}
}

// The server settles on a version, and the session keeps to it.
func TestASessionKeepsItsVersion(t *testing.T) {
	_, r := puppetRig(t, nil)
	one := &player{rig: r, key: "scrim_own"}
	one.begin(t, true)
	ping := `{"jsonrpc":"2.0","id":7,"method":"ping"}`
	header := func(version string) []string {
		return []string{"Mcp-Session-Id", one.session, "Mcp-Protocol-Version", version, "Mcp-Method", "", "Mcp-Name", ""}
	}
	for version, want := range map[string]int{wire.MCP20250618: 200, "": 200, wire.MCP20251125: 400, wire.MCP20241105: 400} {
		if status, body := r.send(t, ping, header(version)...); status != want {
			t.Errorf("a message in %q = %d %s, want %d", version, status, body, want)
		}
	}
	// Tasks are of 2025-11-25, so a session of 2025-06-18 has none.
	if _, body := r.send(t, `{"jsonrpc":"2.0","id":7,"method":"tasks/list"}`, header("")...); !strings.Contains(body, "-32601") {
		t.Errorf("a method of a later version = %s", body)
	}
	if status, body := r.send(t, hello, header("")...); status != 400 {
		t.Errorf("a second handshake = %d %s, want 400", status, body)
	}
	if status, body := r.send(t, "["+ping+","+ping+"]", header("")...); status != 400 || !strings.Contains(body, "batch") {
		t.Errorf("a batch = %d %s, want 400", status, body)
	}
}

// A server that never stops is cut at the limit of events, and what it asks beyond what is kept is refused.
func TestEndlessNotificationsAreCut(t *testing.T) {
	p, r := puppetRig(t, func(s *gatewaytest.Setup) { s.Hooks.Error = func(error) {} })
	one := &player{rig: r, key: "scrim_own"}
	one.begin(t, true)
	events := one.listen(t)
	s := p.stream(one.session)
	go func() {
		for n := range 200 {
			s <- asEvent(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, n))
		}
		s <- asEvent(askRoots) // once more than may wait
	}()
	n := 0
	for deadline := time.After(time.Minute); n < 128; n++ {
		select {
		case <-events:
		case <-deadline:
			t.Fatalf("%d questions came", n)
		}
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(p.got(one.session), `"id":"q-1","error"`) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if told := p.got(one.session); !strings.Contains(told, `"id":150,"error"`) || !strings.Contains(told, `"id":"q-1","error"`) {
		t.Error("the server was not told that its questions are too many")
	}
	select {
	case e := <-events:
		t.Errorf("client was asked %s", e)
	default:
	}
}
