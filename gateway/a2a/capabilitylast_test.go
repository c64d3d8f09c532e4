package a2a_test

import (
	"bufio"
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// openStream begins a stream by a capability, whose agent calls reached, sends one event and then waits, and returns what comes after it.
func openStream(t *testing.T, g *guarded, h *gatewaytest.Holder, reached func()) <-chan string {
	t.Helper()
	body, over := fmt.Sprintf(streamingMessage, "s-1"), make(chan struct{})
	g.agent.answer = func(w http.ResponseWriter, _ string) {
		reached()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_WORKING"}}}}`+"\n\n")
		w.(http.Flusher).Flush()
		<-over
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	h.Show(t, req, []byte(body))
	for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Scrim-Purpose": "care", "Scrim-Criticality": "routine"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(over); _ = res.Body.Close() })
	in := bufio.NewReader(res.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "TASK_STATE_WORKING") {
		t.Fatalf("first event = %q, %v", line, err)
	}
	rest := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(in)
		rest <- string(b)
	}()
	return rest
}

// An open stream ends with a word, and on record, when what it goes by is revoked, though the agent sends nothing more.
func TestAnOpenStreamEndsWithItsCapability(t *testing.T) {
	t.Parallel()
	for name, expires := range map[string]bool{"link 0: capability is revoked": false, "breaks rule expired": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64 // is the gateway's clock
			g := newGuarded(t, func(s *gatewaytest.Setup) {
				s.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			})
			end := time.Now().Add(time.Hour).Truncate(time.Second)
			h := g.root(t, capability.Grant{Expires: end}).Child(t, capability.Grant{Agent: "caller/sub"})
			rest := openStream(t, g, h, func() {
				if expires { // however long it took to come here, it is time enough for the first event
					ahead.Store(int64(time.Until(end) - 20*time.Second))
				}
			})
			began := time.Now()
			if !expires {
				g.Revoke(t, g.Snapshot(), h.Chain, 0)
			}
			select {
			case got := <-rest:
				if !strings.Contains(got, name) || !strings.Contains(got, "POLICY_DENIED") {
					t.Errorf("the stream ended with %q, want a word about %s", got, name)
				}
			case <-time.After(time.Minute):
				t.Fatal("the stream stays open")
			}
			t.Logf("the stream ended after %s", time.Since(began)) // a revocation within a second, on a machine that is not busy
			for until := time.Now().Add(time.Minute); g.last().Outcome != flow.Closed && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			}
			refused := false
			for _, ev := range g.Events() {
				refused = refused || ev.Outcome == flow.Refused && strings.Contains(ev.Reason, name) && ev.Flow.Capability != nil
			}
			if ev := g.last(); !refused || ev.Outcome != flow.Closed || ev.Reason != "broken off" {
				t.Errorf("on record is %s %q, refused: %v, want the refusal and the end", ev.Outcome, ev.Reason, refused)
			}
		})
	}
}

// Whoever asks to be told later is told by the right that it asked by, and no longer than that holds.
func TestNotificationsComeByTheCapabilityTheyWereAskedBy(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	setup := officeSetup(t, agent.URL, openEgress)
	setup.Domains = d
	setup.Policy += `@id("words") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text");`
	o, seen := openOffice(t, setup), map[string]bool{}
	ask := func(h *gatewaytest.Holder, id string) wireConfig {
		body := `{"jsonrpc":"2.0","id":1,"method":"CreateTaskPushNotificationConfig","params":{"taskId":"t1","id":"` + id + `","url":"` + receiver.URL + `","token":"callers-token"}}`
		req, err := http.NewRequest(http.MethodPost, o.srv.URL+"/a2a/desk", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, []byte(body))
		for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Scrim-Purpose": "care"} {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); !strings.Contains(string(b), `"result"`) {
			t.Fatalf("asking to be told = %d %s", res.StatusCode, b)
		}
		agent.mu.Lock()
		defer agent.mu.Unlock()
		for _, raw := range agent.configs { // under ids of the agent's own
			var c wireConfig
			if stdjson.Unmarshal([]byte(raw), &c) == nil && !seen[c.URL] {
				seen[c.URL] = true
				return c
			}
		}
		t.Fatal("the agent was given nothing")
		return wireConfig{}
	}
	root := d.Root(t, gatewaytest.Other, capability.Grant{Agent: "guest"})
	wide := ask(root, "p1")
	narrow := ask(root.Child(t, capability.Grant{Levels: map[flow.Label]flow.Level{"text": flow.Masked}}), "p2")
	if got := o.notify(t, wide, update("All is well.")); got != http.StatusAccepted {
		t.Fatalf("notification = %d", got)
	}
	if got := o.notify(t, narrow, update("All is well.")); got != http.StatusAccepted {
		t.Fatalf("notification = %d", got)
	}
	told := receiver.wait(t, 2)
	shown := 0
	for _, b := range told {
		if strings.Contains(b, "All is well.") {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("%d of the two notifications show the text, want the wide one alone: %q", shown, told)
	}
	o.Revoke(t, o.Snapshot(), root.Chain, 0)
	if got := o.notify(t, wide, update("And later?")); got != http.StatusNotFound {
		t.Errorf("a notification by a right that was revoked = %d, want 404", got)
	}
}

// rawCodec sends a message that was encoded already: a proof is over the bytes that are sent.
type rawCodec struct{ encoding.Codec }

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error {
	return proto.Unmarshal(b, v.(proto.Message))
}
func (rawCodec) Name() string { return "proto" }

func TestAProofOverGRPCIsAboutTheMessage(t *testing.T) {
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	s := &service{answer: done("Done.")}
	r := s.served(t, "", func(setup *gatewaytest.Setup) { setup.Domains = d })
	conn, err := grpc.NewClient(strings.TrimPrefix(r.base, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := d.Root(t, gatewaytest.Other, capability.Grant{Agent: "guest"})
	try := func(text, signed string) error {
		message, err := proto.Marshal(asking("m-"+text, "a2a/desk", text))
		if err != nil {
			t.Fatal(err)
		}
		about, err := proto.Marshal(asking("m-"+text, "a2a/desk", signed))
		if err != nil {
			t.Fatal(err)
		}
		const path = "/lf.a2a.v1.A2AService/SendMessage"
		req, err := http.NewRequest(http.MethodPost, r.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, about)
		ctx := metadata.AppendToOutgoingContext(context.Background(), "a2a-version", "1.0", "scrim-purpose", "care", "scrim-criticality", "routine",
			"scrim-capability", req.Header.Get(gateway.HeaderCapability), "scrim-proof", req.Header.Get(gateway.HeaderProof))
		return conn.Invoke(ctx, path, message, new(a2apb.SendMessageResponse), grpc.ForceCodec(rawCodec{}))
	}
	if err := try("hello", "hello"); err != nil {
		t.Errorf("a proof for the message: %v", err)
	}
	if err := try("hello-2", "another"); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a proof for another message = %v, want unauthenticated", err)
	}
	if got := len(s.received()); got != 1 {
		t.Errorf("the agent got %d messages, want one", got)
	}
}

// A task ends for everybody when it is revoked by the name that its caller knows, also in the middle of an answer, and also where
// the caller named no task when it asked.
func TestARevokedTaskEndsWhatServesIt(t *testing.T) {
	for name, by := range map[string]func(*testing.T, *guarded, *http.Request, string){
		"by a capability": func(t *testing.T, g *guarded, r *http.Request, body string) {
			g.root(t, capability.Grant{}).Show(t, r, []byte(body))
		},
		"by a credential": func(_ *testing.T, _ *guarded, r *http.Request, _ string) { credential(r) },
	} {
		t.Run(name, func(t *testing.T) {
			g, more := newGuarded(t, nil), make(chan struct{})
			event := `data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_WORKING"}}}}` + "\n\n"
			g.agent.answer = func(w http.ResponseWriter, _ string) {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, event)
				w.(http.Flusher).Flush()
				<-more
				fmt.Fprint(w, event)
			}
			body := fmt.Sprintf(streamingMessage, "s-1")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			by(t, g, req, body)
			for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Scrim-Purpose": "care", "Scrim-Criticality": "routine"} {
				req.Header.Set(k, v)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			in := bufio.NewReader(res.Body)
			line, err := in.ReadString('\n')
			_, after, ok := strings.Cut(line, `"contextId":"`)
			if err != nil || !ok {
				t.Fatalf("first event = %q, %v", line, err)
			}
			task, _, _ := strings.Cut(after, `"`)
			if _, err := g.Ledger.Revoke(t.Context(), []ledger.Denial{{Kind: ledger.OfTask, Name: task, Until: time.Now().Add(time.Hour)}}, nil); err != nil {
				t.Fatal(err)
			}
			close(more)
			rest, _ := io.ReadAll(in)
			if strings.Contains(string(rest), "TASK_STATE_WORKING") || !strings.Contains(string(rest), "capability is revoked: task") {
				t.Errorf("after the revocation came %q, want a refusal", rest)
			}
		})
	}
}

// Whoever may use one task has no other by referring to it, and a revoked one is not to be had by a second name beside its own.
func TestReferencesToTasksAreBoundedByTheCapability(t *testing.T) {
	g := newGuarded(t, nil)
	root := g.root(t, capability.Grant{})
	n := 0
	begin := func() (task, context string) {
		n++
		g.agent.answer = answerWith(fmt.Sprintf(`{"task":{"id":"t-%d","contextId":"c-%d","status":{"state":"TASK_STATE_INPUT_REQUIRED"}}}`, n, n))
		_, body := g.shown(t, root, messageNo(n))
		var answer struct {
			Result struct {
				Task struct{ ID, ContextID string }
			}
		}
		if err := stdjson.Unmarshal([]byte(body), &answer); err != nil || answer.Result.Task.ID == "" {
			t.Fatalf("answer = %s, %v", body, err)
		}
		return answer.Result.Task.ID, answer.Result.Task.ContextID
	}
	task, context := begin()
	other, elsewhere := begin()
	g.agent.answer = answerWith(okMessage)
	say := func(h *gatewaytest.Holder, members string) string {
		n++
		_, body := g.shown(t, h, strings.Replace(messageNo(n), `"role"`, members+`,"role"`, 1))
		return body
	}
	bound := root.Child(t, capability.Grant{Tasks: []flow.TaskID{flow.TaskID(context)}})
	for members, may := range map[string]bool{
		`"contextId":"` + context + `"`:                                                       true,
		`"contextId":"` + context + `","referenceTaskIds":["` + task + `"]`:                   true,
		`"contextId":"` + context + `","referenceTaskIds":["` + task + `","` + other + `"]`:   false,
		`"contextId":"` + context + `","taskId":"` + other + `"`:                              false,
		`"contextId":"` + context + `","taskId":"` + task + `","referenceTaskIds":["nobody"]`: false,
	} {
		body := say(bound, members)
		if got := strings.Contains(body, "Done."); got != may || !may && !strings.Contains(body, "not-granted: tasks") {
			t.Errorf("%s = %s, want allowed: %v", members, body, may)
		}
	}
	if _, err := g.Ledger.Revoke(t.Context(), []ledger.Denial{{Kind: ledger.OfTask, Name: elsewhere, Until: time.Now().Add(time.Hour)}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, members := range []string{`"contextId":"` + elsewhere + `"`, `"contextId":"` + elsewhere + `","taskId":"nobody"`} {
		if body := say(root, members); !strings.Contains(body, "capability is revoked: task") {
			t.Errorf("%s after the revocation = %s, want a refusal", members, body)
		}
	}
}

// Learn mode lets pass what policy would not; what a capability bounds is not for policy to say.
func TestACapabilityBoundsInLearnMode(t *testing.T) {
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		s.Learn = true
		for _, a := range s.Agents {
			a.Party.Domain = gatewaytest.Own
		}
		s.Agents = append(s.Agents, &gateway.Agent{Party: flow.Party{Agent: "abroad", Domain: gatewaytest.Other}}) // whom policies name
	})
	in := httptest.NewServer(&a2a.Handler{Gateway: g.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: &a2a.Cards{Signer: g.Keys.Signer("card"), KeyID: g.Keys.ID()}})
	t.Cleanup(in.Close)
	g.url = in.URL + "/a2a/partner"
	if _, body := g.shown(t, g.root(t, capability.Grant{Levels: map[flow.Label]flow.Level{"*": flow.Masked}}), messageNo(1)); !strings.Contains(body, `"result"`) {
		t.Fatalf("answer = %s", body)
	}
	if got := g.agent.received(); len(got) != 1 || strings.Contains(got[0], "beds today") {
		t.Errorf("the agent got %q, want no text", got)
	}
	if ev := g.Events()[0]; ev.Outcome != flow.Released {
		t.Errorf("on record is %s, want released", ev.Outcome)
	}
	if _, body := g.try(t, messageNo(2), credential); !strings.Contains(body, `"result"`) {
		t.Fatalf("answer = %s", body)
	}
	if got := g.agent.received(); len(got) != 2 || !strings.Contains(got[1], "beds today") {
		t.Errorf("by a credential alone the agent got %q, want the text", got)
	}
}
