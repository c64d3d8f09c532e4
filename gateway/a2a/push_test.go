package a2a_test

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	a2agrpc "github.com/a2aproject/a2a-go/v2/a2agrpc/v1"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"github.com/a2aproject/a2a-go/v2/a2asrv/push"
	"google.golang.org/grpc"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/store"
)

// office is a gateway before an own agent, desk, that two foreign callers reach, with push notifications.
type office struct {
	*gatewaytest.Rig
	setup  gatewaytest.Setup
	pushes *a2a.Pushes
	srv    *httptest.Server
	stop   func()
}

var openEgress = egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{0}, Plain: true}

func officeSetup(t testing.TB, agent string, reach egress.Options) gatewaytest.Setup {
	t.Helper()
	up, err := gateway.NewUpstream(agent, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	party := func(id flow.AgentID, d flow.DomainID) flow.Party { return flow.Party{Agent: id, Domain: d} }
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"care", "billing", "payment"}, Criticality: flow.Critical}
	}
	return gatewaytest.Setup{
		Policy: townPolicies, Dir: t.TempDir(), Change: func(s *gateway.Snapshot) { s.Egress = reach },
		Agents: []*gateway.Agent{
			{Party: party("desk", gatewaytest.Own), A2A: up}, {Party: party("guest", gatewaytest.Other)}, {Party: party("visitor", third)},
		},
		Callers: map[string]identity.Grant{"scrim_guest": grant(party("guest", gatewaytest.Other)), "scrim_visitor": grant(party("visitor", third))},
	}
}

func openOffice(t testing.TB, setup gatewaytest.Setup) *office {
	t.Helper()
	o := &office{Rig: gatewaytest.New(t, setup), setup: setup}
	o.pushes = &a2a.Pushes{Gateway: o.Gateway, First: 10 * time.Millisecond, Tries: 20} // too many to be over within a test
	if err := o.pushes.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/a2a/", &a2a.Handler{Gateway: o.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: &a2a.Cards{Push: true, Signer: o.Keys.Signer("card"), KeyID: o.Keys.ID()}, Pushes: o.pushes})
	mux.Handle(a2a.PushPath, o.pushes)
	o.srv = httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { o.pushes.Run(ctx) })
	o.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		o.srv.Close()
		o.Close(t)
	})
	t.Cleanup(o.stop)
	return o
}

func (o *office) call(t testing.TB, key, method, params string) string {
	t.Helper()
	_, body := o.post(t, "/a2a/desk", `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`, "Authorization", "Bearer "+key, "A2A-Version", "1.0", "Scrim-Purpose", "care")
	return body
}

func (o *office) post(t testing.TB, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, o.srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
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
	return res.StatusCode, string(b)
}

// configStub is an agent that keeps push notification configs as they come, and posts nothing by itself.
type configStub struct {
	*agentStub
	mu      sync.Mutex
	configs map[string]string // id to raw config
}

type wireConfig struct {
	ID             string             `json:"id"`
	TaskID         string             `json:"taskId"`
	URL            string             `json:"url"`
	Token          string             `json:"token"`
	Authentication stdjson.RawMessage `json:"authentication"`
}

func newConfigStub(t *testing.T) *configStub {
	s := &configStub{configs: map[string]string{}}
	s.agentStub = newAgent(t, func(w http.ResponseWriter, body string) {
		var in struct {
			Method string
			Params stdjson.RawMessage
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		var c wireConfig
		_ = stdjson.Unmarshal(in.Params, &c)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch in.Method {
		case "CreateTaskPushNotificationConfig":
			s.configs[c.ID] = string(in.Params)
			answerWith(string(in.Params))(w, body)
		case "GetTaskPushNotificationConfig":
			answerWith(s.configs[c.ID])(w, body)
		case "ListTaskPushNotificationConfigs":
			var all []string
			for _, raw := range s.configs {
				all = append(all, raw)
			}
			answerWith(`{"configs":[`+strings.Join(all, ",")+`]}`)(w, body)
		case "DeleteTaskPushNotificationConfig":
			answerWith(`{}`)(w, body)
		default:
			answerWith(`{"task":{"id":"t1","contextId":"c1","status":{"state":"TASK_STATE_WORKING"}}}`)(w, body)
		}
	})
	return s
}

// hook is a caller's webhook.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	header []http.Header
	fail   int           // how many of the next calls fail
	held   chan struct{} // until it is closed, calls wait, and then they fail; nil: they do not
	tries  int
}

func newHook(t testing.TB) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.tries++
		h.header = append(h.header, r.Header.Clone())
		held := h.held
		h.mu.Unlock()
		if held != nil {
			<-held
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.fail > 0 {
			h.fail--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.bodies = append(h.bodies, string(b))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) failing(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = n
}

// hold lets calls wait, until release, and then fail.
func (h *hook) hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := make(chan struct{})
	h.held = held
	return sync.OnceFunc(func() {
		h.mu.Lock()
		h.held = nil
		h.mu.Unlock()
		close(held)
	})
}

func (h *hook) tried() (n int, header []http.Header) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tries, append([]http.Header(nil), h.header...)
}

// wait returns what came, once there are so many.
func (h *hook) wait(t testing.TB, n int) []string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		got := append([]string(nil), h.bodies...)
		h.mu.Unlock()
		if len(got) >= n {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("%d notifications came, want %d: %q", len(got), n, got)
		}
	}
}

const pathOf = "/push/"

// create registers a webhook as a caller and returns what the agent was given.
func (o *office) create(t testing.TB, agent *configStub, key, id, url string) wireConfig {
	t.Helper()
	out := o.call(t, key, "CreateTaskPushNotificationConfig", `{"taskId":"t1","id":"`+id+`","url":"`+url+`","token":"callers-token","authentication":{"scheme":"Bearer","credentials":"callers-secret"}}`)
	if !strings.Contains(out, `"url":"`+url+`"`) || strings.Contains(out, pathOf) || strings.Contains(out, "callers-secret") {
		t.Fatalf("the caller is told %s", out)
	}
	for _, raw := range agent.received() {
		without(t, "the agent's request", raw, "callers-token", "callers-secret", url)
	}
	var last wireConfig
	agent.mu.Lock()
	defer agent.mu.Unlock()
	for _, raw := range agent.configs {
		var c wireConfig
		if stdjson.Unmarshal([]byte(raw), &c) == nil {
			last = c
		}
	}
	if !strings.Contains(last.URL, pathOf) || last.Token == "" || last.Authentication != nil {
		t.Fatalf("the agent was given %+v", last)
	}
	return last
}

func (o *office) notify(t testing.TB, c wireConfig, body string) int {
	t.Helper()
	status, _ := o.post(t, c.URL[strings.Index(c.URL, pathOf):], body, "X-A2A-Notification-Token", c.Token)
	return status
}

const working = `{"statusUpdate":{"taskId":"t1","contextId":"c1","status":{"state":"TASK_STATE_WORKING","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"TEXT"}]}}}}`

func update(text string) string { return strings.Replace(working, "TEXT", text, 1) }

func pushedChunk(text string, appends, last bool) string {
	return fmt.Sprintf(`{"artifactUpdate":{"taskId":"t1","contextId":"c1","artifact":{"artifactId":"a1","parts":[{"text":%q}]},"append":%v,"lastChunk":%v}}`, text, appends, last)
}

func TestNotificationsComeToTheCallerWhoAsked(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL+"/hook")
	receiver.failing(2)
	for i, text := range []string{"Ask alice.smith@example.com about it", "second", "third"} {
		if status := o.notify(t, c, update(text)); status != http.StatusAccepted {
			t.Fatalf("notification %d: status %d", i, status)
		}
	}
	got := receiver.wait(t, 3)
	without(t, "the notification", strings.Join(got, "\n"), "alice.smith")
	if !strings.Contains(got[1], "second") || !strings.Contains(got[2], "third") {
		t.Errorf("out of order: %q", got)
	}
	if strings.Contains(strings.Join(got, ""), `"t1"`) {
		t.Errorf("the agent's own task id came to another domain: %q", got[0])
	}
	n, header := receiver.tried()
	if n != 5 || header[0].Get("Idempotency-Key") == "" || header[0].Get("Idempotency-Key") != header[2].Get("Idempotency-Key") || header[2].Get("Idempotency-Key") == header[3].Get("Idempotency-Key") {
		t.Errorf("%d tries, keyed %q %q %q", n, header[0].Get("Idempotency-Key"), header[2].Get("Idempotency-Key"), header[3].Get("Idempotency-Key"))
	}
	if h := header[0]; h.Get("Authorization") != "Bearer callers-secret" || h.Get("X-A2A-Notification-Token") != "callers-token" || h.Get("Content-Type") != "application/a2a+json" {
		t.Errorf("the receiver was shown %v", h)
	}
	released := 0
	for _, ev := range o.Events() {
		if ev.Flow.Method == "PushNotification" && ev.Outcome == flow.Released && ev.Flow.To.Agent == "guest" {
			released++
		}
	}
	if released != 3 {
		t.Errorf("%d rows of released notifications, want 3", released)
	}
}

func TestAValueCutBetweenNotificationsIsFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		bodies []string
	}{
		{"to the last chunk", []string{pushedChunk("Write to alice.sm", false, false), pushedChunk("ith@exam", true, false), pushedChunk("ple.com soon.", true, true)}},
		{"to the end of the task", []string{pushedChunk("Write to alice.sm", false, false), pushedChunk("ith@example.com", true, false), strings.Replace(update("done"), "WORKING", "COMPLETED", 1)}},
	} {
		agent, receiver := newConfigStub(t), newHook(t)
		o := openOffice(t, officeSetup(t, agent.URL, openEgress))
		conf := o.create(t, agent, "scrim_guest", "p1", receiver.URL)
		for _, body := range c.bodies {
			if status := o.notify(t, conf, body); status != http.StatusAccepted {
				t.Fatalf("%s: status %d", c.name, status)
			}
		}
		all := receiver.wait(t, 3)
		if c.name == "to the end of the task" {
			all = receiver.wait(t, 4)
			if !strings.Contains(all[3], "COMPLETED") {
				t.Errorf("%s: the end came before the rest: %q", c.name, all)
			}
		}
		text := ""
		for _, body := range all {
			var u struct {
				ArtifactUpdate struct {
					Artifact struct{ Parts []struct{ Text string } }
				}
			}
			if stdjson.Unmarshal([]byte(body), &u) == nil && len(u.ArtifactUpdate.Artifact.Parts) > 0 {
				text += u.ArtifactUpdate.Artifact.Parts[0].Text
			}
		}
		if without(t, c.name, text, "alice", "ith@", "ple.com"); !strings.HasPrefix(text, "Write to [") {
			t.Errorf("%s: the artifact reads %q", c.name, text)
		}
	}
}

func TestWhatWaitsSurvivesARestart(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	setup := officeSetup(t, agent.URL, openEgress)
	o := openOffice(t, setup)
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL)
	receiver.failing(1000)
	if status := o.notify(t, c, pushedChunk("Write to alice.sm", false, false)); status != http.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	if err := o.Keys.Rotate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if status := o.notify(t, c, update("later")); status != http.StatusAccepted {
		t.Fatalf("status %d after the keys were rotated", status)
	}
	o.stop()
	receiver.failing(0)
	again := openOffice(t, setup)
	got := receiver.wait(t, 2)
	without(t, "what waited", strings.Join(got, ""), "alice.sm")
	if !strings.Contains(got[1], "later") {
		t.Errorf("out of order: %q", got)
	}
	if status := again.notify(t, c, pushedChunk("ith@example.com", true, true)); status != http.StatusBadRequest {
		t.Errorf("a chunk whose beginning was held back before the restart: status %d, want %d", status, http.StatusBadRequest)
	}
	if status := again.notify(t, c, update("after")); status != http.StatusAccepted {
		t.Errorf("after the restart: status %d", status)
	}
	without(t, "what came after", strings.Join(receiver.wait(t, 3), ""), "ith@")
}

func TestStrangersCannotPost(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL)
	other := o.create(t, agent, "scrim_guest", "p1", receiver.URL) // another address for the same id
	path := c.URL[strings.Index(c.URL, pathOf):]
	_, unknown := o.post(t, pathOf+strings.Repeat("A", 24), update("x"), "X-A2A-Notification-Token", c.Token)
	for name, header := range map[string][]string{
		"no token": {}, "an empty token": {"X-A2A-Notification-Token", ""}, "another config's token": {"X-A2A-Notification-Token", other.Token},
		"the caller's token": {"X-A2A-Notification-Token", "callers-token"}, "a caller's key": {"Authorization", "Bearer scrim_guest"},
	} {
		if status, body := o.post(t, path, update("forged"), header...); status != http.StatusNotFound || body != unknown {
			t.Errorf("%s: %d %q, want what an unknown address answers", name, status, body)
		}
	}
	for _, body := range []string{``, `{`, `7`, `[]`, `{}`, `{"task":{}},"x":{"y":1}`, `{"statusUpdate":{"taskId":"t1"},"task":{"id":"t"}}`, `{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}`} {
		if status := o.notify(t, c, body); status != http.StatusBadRequest {
			t.Errorf("%s: status %d, want %d", body, status, http.StatusBadRequest)
		}
	}
	res, err := http.Get(o.srv.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", res.StatusCode)
	}
	if status := o.notify(t, c, update("genuine")); status != http.StatusAccepted {
		t.Errorf("the agent's own: status %d", status)
	}
	if got := receiver.wait(t, 1); len(got) != 1 || !strings.Contains(got[0], "genuine") {
		t.Errorf("delivered: %q", got)
	}
}

func TestConfigsAreTheirCallersAlone(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL+"/guest")
	// The agent gives its one config to whoever asks, under the ids that they use.
	for method, params := range map[string]string{"GetTaskPushNotificationConfig": `{"taskId":"t1","id":"p1"}`, "ListTaskPushNotificationConfigs": `{"taskId":"t1"}`} {
		agent.mu.Lock()
		raw := agent.configs[c.ID]
		agent.configs["p1"] = raw
		agent.mu.Unlock()
		out := o.call(t, "scrim_visitor", method, params)
		without(t, method+" by another caller", out, receiver.URL, "callers-token", pathOf, c.Token)
	}
	mine := o.call(t, "scrim_guest", "ListTaskPushNotificationConfigs", `{"taskId":"t1"}`)
	if !strings.Contains(mine, receiver.URL+"/guest") || !strings.Contains(mine, `"scheme":"Bearer"`) || strings.Contains(mine, "callers-secret") || strings.Contains(mine, pathOf) {
		t.Errorf("the caller's own list: %s", mine)
	}
	if out := o.call(t, "scrim_visitor", "DeleteTaskPushNotificationConfig", `{"taskId":"t1","id":"p1"}`); !strings.Contains(out, "result") {
		t.Errorf("delete: %s", out)
	}
	if status := o.notify(t, c, update("still there")); status != http.StatusAccepted {
		t.Errorf("after another caller deleted it: status %d", status)
	}
	receiver.wait(t, 1)
	o.call(t, "scrim_guest", "DeleteTaskPushNotificationConfig", `{"taskId":"t1","id":"p1"}`)
	if status := o.notify(t, c, update("gone")); status != http.StatusNotFound {
		t.Errorf("after its caller deleted it: status %d, want %d", status, http.StatusNotFound)
	}
}

func TestWebhooksWithinAreRefusedAtOnceAndWhenCalled(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	rebound := egress.Options{Plain: true, Ports: []uint16{0}, Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil // what the name meant when it was checked
	}}
	o := openOffice(t, officeSetup(t, agent.URL, rebound))
	for _, address := range []string{"http://169.254.169.254/latest", "http://127.0.0.1:1/", "http://[::1]/", "http://[fd00:ec2::254]/", "http://[::ffff:10.0.0.1]/", "file:///etc/passwd", "https://u:p@hooks.example/"} {
		before := len(agent.received())
		out := o.call(t, "scrim_guest", "CreateTaskPushNotificationConfig", `{"taskId":"t1","id":"p","url":"`+address+`"}`)
		inline := o.call(t, "scrim_guest", "SendMessage", `{"message":{"messageId":"m-`+fmt.Sprint(before)+strings.ReplaceAll(address[:5], ":", "")+`","role":"ROLE_USER","parts":[{"text":"hi"}]},"configuration":{"taskPushNotificationConfig":{"url":"`+address+`"}}}`)
		if !strings.Contains(out, "error") || !strings.Contains(inline, "error") || strings.Contains(out, address) || len(agent.received()) != before {
			t.Errorf("%s: %s %s", address, out, inline)
		}
	}
	c := o.create(t, agent, "scrim_guest", "p1", strings.Replace(receiver.URL, "127.0.0.1", "localhost", 1))
	if status := o.notify(t, c, update("x")); status != http.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		dropped := false
		for _, ev := range o.Events() {
			dropped = dropped || ev.Flow.Method == "PushNotification" && ev.Outcome == flow.Refused && strings.HasPrefix(ev.Reason, string(gateway.RuleUpstream))
		}
		if dropped {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a notification to an address within was not dropped on record")
		}
	}
	if n, _ := receiver.tried(); n != 0 {
		t.Errorf("the address within was called %d times", n)
	}
}

func TestACallerWhoWasTakenOutIsToldNoMore(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	setup := officeSetup(t, agent.URL, openEgress)
	o := openOffice(t, setup)
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL)
	next := setup
	next.Callers = map[string]identity.Grant{"scrim_visitor": setup.Callers["scrim_visitor"]}
	snap := gatewaytest.Snapshot(t, next)
	if err := o.Swap(context.Background(), snap, "taken out"); err != nil {
		t.Fatal(err)
	}
	if status := o.notify(t, c, update("x")); status != http.StatusNotFound {
		t.Errorf("status %d, want %d", status, http.StatusNotFound)
	}
	if n, _ := receiver.tried(); n != 0 {
		t.Errorf("the receiver was called %d times", n)
	}
}

func TestWhatWaitsIsDecidedAnewByNarrowerTerms(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	setup := officeSetup(t, agent.URL, openEgress)
	o := openOffice(t, setup)
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL)
	release := receiver.hold()
	t.Cleanup(release)
	if status := o.notify(t, c, update("the word is plain")); status != http.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	for n := 0; n == 0; n, _ = receiver.tried() {
		time.Sleep(time.Millisecond)
	}
	next := setup
	next.Policy = strings.ReplaceAll(townPolicies, `@id("text") @exception("test") permit`, `@id("text") forbid`)
	next.Policy = strings.ReplaceAll(next.Policy, `forbid (principal, action in Action::"upto_raw"`, `forbid (principal, action in Action::"atleast_masked"`)
	if err := o.Swap(context.Background(), gatewaytest.Snapshot(t, next), "narrower"); err != nil {
		t.Fatal(err)
	}
	release() // the try under way fails, and the next is by the terms in force
	if got := receiver.wait(t, 1); strings.Contains(got[0], "plain") {
		t.Errorf("delivered under terms that no longer hold: %s", got[0])
	}
}

func TestNothingOfAConfigIsPlainOnDisk(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	c := o.create(t, agent, "scrim_guest", "p1", receiver.URL+"/very-own-hook")
	receiver.failing(1000)
	o.notify(t, c, update("Zanzibar"))
	o.stop()
	onDisk(t, o.Dir, "very-own-hook", "callers-token", "callers-secret", "Zanzibar", c.Token, c.URL[strings.Index(c.URL, pathOf)+len(pathOf):])
}

// executor answers with an artifact in two chunks and then completes.
type cutting struct{}

func (cutting) Execute(_ context.Context, ec *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(yield func(sdk.Event, error) bool) {
		if ec.StoredTask == nil && !yield(sdk.NewSubmittedTask(ec, ec.Message), nil) {
			return
		}
		first := sdk.NewArtifactEvent(ec, sdk.NewTextPart("Please write to alice.sm"))
		if !yield(first, nil) {
			return
		}
		rest := sdk.NewArtifactUpdateEvent(ec, first.Artifact.ID, sdk.NewTextPart("ith@example.com by noon."))
		rest.LastChunk = true
		if !yield(rest, nil) {
			return
		}
		yield(sdk.NewStatusUpdateEvent(ec, sdk.TaskStateCompleted, nil), nil)
	}
}

func (cutting) Cancel(_ context.Context, ec *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(yield func(sdk.Event, error) bool) {
		yield(sdk.NewStatusUpdateEvent(ec, sdk.TaskStateCanceled, nil), nil)
	}
}

// The official SDK on both sides: its client asks, its agent's sender posts.
func TestPushNotificationsBetweenSDKs(t *testing.T) {
	caps := sdk.AgentCapabilities{PushNotifications: true, Streaming: true}
	store := push.NewInMemoryStore()
	agent := httptest.NewServer(a2asrv.NewJSONRPCHandler(a2asrv.NewHandler(cutting{}, a2asrv.WithCapabilityChecks(&caps),
		a2asrv.WithPushNotifications(store, push.NewHTTPPushSender(&push.HTTPSenderConfig{AllowPrivateNetworks: true, FailOnError: true})))))
	defer agent.Close()
	receiver := newHook(t)
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	client, err := a2aclient.NewFromEndpoints(context.Background(), []*sdk.AgentInterface{sdk.NewAgentInterface(o.srv.URL+"/a2a/desk", sdk.TransportProtocolJSONRPC)},
		a2aclient.WithJSONRPCTransport(&http.Client{Transport: keyed("scrim_guest")}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	msg := sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart("Whom do I ask?"))
	res, err := client.SendMessage(ctx, &sdk.SendMessageRequest{Message: msg, Config: &sdk.SendMessageConfig{
		PushConfig: &sdk.PushConfig{ID: "mine", URL: receiver.URL + "/hook", Token: "tok", Auth: &sdk.PushAuthInfo{Scheme: "Basic", Credentials: "dTpw"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	task, ok := res.(*sdk.Task)
	if !ok {
		t.Fatalf("the answer is a %T", res)
	}
	got := receiver.wait(t, 3)
	joined := strings.Join(got, "\n")
	without(t, "the notifications", joined, "alice", "ith@example")
	if !strings.Contains(joined, "Please write to [") && !strings.Contains(joined, "by noon.") {
		t.Errorf("the notifications: %s", joined)
	}
	if _, header := receiver.tried(); header[0].Get("Authorization") != "Basic dTpw" || header[0].Get("A2A-Notification-Token") != "tok" {
		t.Errorf("the receiver was shown %v", header[0])
	}
	if !strings.Contains(joined, string(task.ID)) {
		t.Errorf("the notifications name another task than the answer, %s: %s", task.ID, joined)
	}
	list, err := client.ListTaskPushConfigs(ctx, &sdk.ListTaskPushConfigRequest{TaskID: task.ID})
	if err != nil || len(list) != 1 || list[0].URL != receiver.URL+"/hook" || list[0].Token != "tok" || list[0].Auth == nil || list[0].Auth.Scheme != "Basic" || list[0].Auth.Credentials != "" {
		t.Fatalf("the list: %+v, %v", list, err)
	}
	one, err := client.GetTaskPushConfig(ctx, &sdk.GetTaskPushConfigRequest{TaskID: task.ID, ID: list[0].ID})
	if err != nil || one.URL != receiver.URL+"/hook" {
		t.Errorf("get: %+v, %v", one, err)
	}
	if err := client.DeleteTaskPushConfig(ctx, &sdk.DeleteTaskPushConfigRequest{TaskID: task.ID, ID: list[0].ID}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if list, err := client.ListTaskPushConfigs(ctx, &sdk.ListTaskPushConfigRequest{TaskID: task.ID}); err != nil || len(list) != 0 {
		t.Errorf("after delete: %+v, %v", list, err)
	}
}

// Over gRPC on both sides, within the domain, a message that nothing changes goes on as it came; one that names a webhook
// must not.
func TestAConfigOverGRPCIsTakenOutToo(t *testing.T) {
	caps := sdk.AgentCapabilities{PushNotifications: true}
	store := &keptConfigs{ConfigStore: push.NewInMemoryStore()}
	gs := grpc.NewServer()
	a2agrpc.NewHandler(a2asrv.NewHandler(cutting{}, a2asrv.WithCapabilityChecks(&caps), a2asrv.WithLogger(slog.New(slog.DiscardHandler)),
		a2asrv.WithPushNotifications(store, push.NewHTTPPushSender(&push.HTTPSenderConfig{AllowPrivateNetworks: true})))).RegisterWith(gs)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = gs.Serve(l) }()
	t.Cleanup(gs.Stop)
	agent := newCardServer(t, `{"name":"a","capabilities":{"pushNotifications":true},"supportedInterfaces":[{"url":"`+l.Addr().String()+`","protocolBinding":"GRPC","protocolVersion":"1.0"}]}`)
	setup := officeSetup(t, agent.URL, openEgress)
	colleague := flow.Party{Agent: "colleague", Domain: gatewaytest.Own}
	setup.Agents = append(setup.Agents, &gateway.Agent{Party: colleague})
	setup.Callers["scrim_colleague"] = identity.Grant{Party: colleague, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	o := openOffice(t, setup)
	h := &a2a.Handler{Gateway: o.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: &a2a.Cards{}, Pushes: o.pushes}
	front := httptest.NewUnstartedServer(a2a.NewGRPC(h, &a2a.Handler{Gateway: o.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: &a2a.Cards{}, Pushes: o.pushes}))
	front.Config.Protocols = new(http.Protocols)
	front.Config.Protocols.SetUnencryptedHTTP2(true)
	front.Start()
	defer front.Close()
	receiver := newHook(t)
	o.pushes.URL = o.srv.URL
	c := client(t, "scrim_colleague", &sdk.AgentInterface{URL: strings.TrimPrefix(front.URL, "http://"), ProtocolBinding: sdk.TransportProtocolGRPC, ProtocolVersion: "1.0", Tenant: "a2a/desk"})
	conf := &sdk.PushConfig{URL: receiver.URL + "/hook", Token: "callers-token", Auth: &sdk.PushAuthInfo{Scheme: "Bearer", Credentials: "callers-secret"}}
	msg := sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart("Whom do I ask?"))
	if _, err := c.SendMessage(context.Background(), &sdk.SendMessageRequest{Message: msg, Config: &sdk.SendMessageConfig{PushConfig: conf}}); err != nil {
		t.Fatal(err)
	}
	got := store.all()
	without(t, "what the agent was given", got, "callers-token", "callers-secret", receiver.URL)
	if !strings.Contains(got, o.srv.URL+pathOf) {
		t.Errorf("the agent was given %s", got)
	}
	if all := receiver.wait(t, 2); !strings.Contains(strings.Join(all, ""), "Please write") {
		t.Errorf("the notifications: %q", all)
	}
}

// keptConfigs tells what an agent was given.
type keptConfigs struct {
	push.ConfigStore
	mu    sync.Mutex
	given string
}

func (k *keptConfigs) Save(ctx context.Context, id sdk.TaskID, c *sdk.PushConfig) (*sdk.PushConfig, error) {
	raw, err := stdjson.Marshal(c)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.given += string(raw)
	k.mu.Unlock()
	return k.ConfigStore.Save(ctx, id, c)
}

func (k *keptConfigs) all() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.given
}

func TestConfigsOfTheOldVersion(t *testing.T) {
	receiver := newHook(t)
	var given []string
	var mu sync.Mutex
	agent := newAgent(t, func(w http.ResponseWriter, body string) {
		var in struct {
			Method string
			Params stdjson.RawMessage
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		mu.Lock()
		defer mu.Unlock()
		switch in.Method {
		case "tasks/pushNotificationConfig/set":
			given = append(given, string(in.Params))
			answerWith(string(in.Params))(w, body)
		case "tasks/pushNotificationConfig/list":
			answerWith("["+strings.Join(given, ",")+`,{"taskId":"t1","pushNotificationConfig":{"id":"x","url":"https://elsewhere.example/hook"}}]`)(w, body)
		case "tasks/pushNotificationConfig/delete":
			answerWith("null")(w, body)
		}
	})
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	old := func(method, params string) string {
		_, out := o.post(t, "/a2a/desk", `{"jsonrpc":"2.0","id":1,"method":"tasks/pushNotificationConfig/`+method+`","params":`+params+`}`, "Authorization", "Bearer scrim_guest", "Scrim-Purpose", "care")
		return out
	}
	set := old("set", `{"taskId":"t1","pushNotificationConfig":{"id":"p1","url":"`+receiver.URL+`","token":"callers-token","authentication":{"schemes":["Digest","Bearer"],"credentials":"callers-secret"}}}`)
	if !strings.Contains(set, `"url":"`+receiver.URL+`"`) || !strings.Contains(set, `"schemes":["Bearer"]`) || strings.Contains(set, "callers-secret") {
		t.Fatalf("set: %s", set)
	}
	mu.Lock()
	var conf struct{ PushNotificationConfig wireConfig }
	err := stdjson.Unmarshal([]byte(given[0]), &conf)
	without(t, "what the agent was given", given[0], "callers-token", "callers-secret", receiver.URL)
	mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if list := old("list", `{"id":"t1"}`); strings.Count(list, `"taskId"`) != 1 || !strings.Contains(list, receiver.URL) || strings.Contains(list, "elsewhere") {
		t.Errorf("list: %s", list)
	}
	task := `{"kind":"task","id":"t1","contextId":"c1","status":{"state":"working","message":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"Ask alice.smith@example.com"}]}}}`
	if status := o.notify(t, conf.PushNotificationConfig, task); status != http.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	got := receiver.wait(t, 1)
	without(t, "the notification", got[0], "alice.smith")
	if !strings.Contains(got[0], `"kind":"task"`) {
		t.Errorf("the notification: %s", got[0])
	}
	if out := old("delete", `{"id":"t1","pushNotificationConfigId":"p1"}`); !strings.Contains(out, `"result"`) {
		t.Errorf("delete: %s", out)
	}
	if status := o.notify(t, conf.PushNotificationConfig, task); status != http.StatusNotFound {
		t.Errorf("after it was deleted: status %d", status)
	}
}

// Whatever is posted to an address that somebody knows, the gateway does not fall over, and what it delivers is a payload
// of the protocol without what is to be masked.
func FuzzNotification(f *testing.F) {
	for _, s := range []string{update("Ask alice.smith@example.com"), pushedChunk("x", true, true), pushedChunk("alice.sm", false, false), `{"task":{"id":"t","status":{"state":"TASK_STATE_COMPLETED"}}}`, `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"data":{"a":1}}]}}`, `{}`, `[1`, `{"task":{}},"x":1`} {
		f.Add([]byte(s))
	}
	setup := officeSetup(f, "http://127.0.0.1:1", openEgress)
	setup.Hooks.Error, setup.NoSync = func(error) {}, true
	rig := gatewaytest.New(f, setup)
	p := &gateway.Push{Version: "1.0", Caller: flow.Party{Agent: "guest", Domain: gatewaytest.Other}, Agent: "desk", Task: "fuzz", URL: "http://127.0.0.1:1/"}
	address := rig.NewPush(p)
	if err := rig.DB.Update(context.Background(), func(tx store.Tx) error { return rig.KeepPush(tx, p) }); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		pushes := &a2a.Pushes{Gateway: rig.Gateway}
		if err := pushes.Load(context.Background()); err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, a2a.PushPath+address, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-A2A-Notification-Token", p.Secret)
		w := httptest.NewRecorder()
		pushes.ServeHTTP(w, req)
		if w.Code != http.StatusAccepted && (w.Code < 400 || w.Code > 503) {
			t.Errorf("status %d", w.Code)
		}
		all, err := rig.Notifications(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if there, err := rig.ReadNotification(context.Background(), &all[i]); !there || err != nil {
				t.Fatalf("a notification cannot be read: %v", err)
			}
			var v struct {
				Task, Message, StatusUpdate, ArtifactUpdate stdjson.RawMessage
			}
			if err := stdjson.Unmarshal(all[i].Body, &v); err != nil || bytes.Contains(all[i].Body, []byte("alice.smith@example.com")) {
				t.Errorf("delivered: %s, %v", all[i].Body, err)
			}
			if err := rig.DropNotification(context.Background(), all[i].Seq); err != nil {
				t.Fatal(err)
			}
		}
	})
}

type keyed string

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(k))
	r.Header.Set("Scrim-Purpose", "care")
	return http.DefaultTransport.RoundTrip(r)
}

// onDisk fails if one of the secrets can be read in a file of the gateway's.
func onDisk(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // the log publishes, and renamed it meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		for _, s := range secrets {
			if bytes.Contains(raw, []byte(s)) {
				t.Errorf("%s holds %q", path, s)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d files were looked at: %v", files, err)
	}
}

func TestAnAgentWithoutPushNotificationsIsNotAskedForThem(t *testing.T) {
	agent := newCardServer(t, strings.Replace(plainCard, `,"pushNotifications":true`, "", 1))
	o := openOffice(t, officeSetup(t, agent.URL, egress.Options{}))
	out := o.call(t, "scrim_guest", "CreateTaskPushNotificationConfig", `{"taskId":"t1","id":"p","url":"http://127.0.0.1/hook"}`)
	if !strings.Contains(out, "-32003") || !strings.Contains(out, "PUSH_NOTIFICATION_NOT_SUPPORTED") {
		t.Errorf("the caller is told %s", out)
	}
}

// A config stands where its method has it, whether or not the message it goes with is there.
func TestNoWebhookGoesPastTheGateway(t *testing.T) {
	agent, receiver := newConfigStub(t), newHook(t)
	o := openOffice(t, officeSetup(t, agent.URL, openEgress))
	for version, calls := range map[string][]string{
		"1.0": {
			`"method":"SendMessage","params":{"configuration":{"taskPushNotificationConfig":CONFIG}}`,
			`"method":"SendMessage","params":{"message":null,"configuration":{"taskPushNotificationConfig":CONFIG}}`,
			`"method":"SendStreamingMessage","params":{"configuration":{"taskPushNotificationConfig":CONFIG}}`,
			`"method":"CreateTaskPushNotificationConfig","params":{"taskId":"t1","message":null,"url":"URL","token":"callers-token"}`,
			`"method":"CreateTaskPushNotificationConfig","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[]},"taskId":"t1","url":"URL","token":"callers-token"}`,
		},
		"0.3": {
			`"method":"message/send","params":{"configuration":{"pushNotificationConfig":CONFIG}}`,
			`"method":"message/stream","params":{"message":null,"configuration":{"pushNotificationConfig":CONFIG}}`,
			`"method":"tasks/pushNotificationConfig/set","params":{"message":{"messageId":"m","role":"user","parts":[]},"taskId":"t1","pushNotificationConfig":CONFIG}`,
		},
	} {
		for _, c := range calls {
			c = strings.ReplaceAll(c, "CONFIG", `{"url":"URL","token":"callers-token"}`)
			c = strings.ReplaceAll(c, "URL", receiver.URL)
			o.post(t, "/a2a/desk", `{"jsonrpc":"2.0","id":1,`+c+`}`, "Authorization", "Bearer scrim_guest", "A2A-Version", version, "Scrim-Purpose", "care")
			for _, raw := range agent.received() {
				without(t, "the agent's request", raw, "callers-token", receiver.URL)
			}
		}
	}
}
