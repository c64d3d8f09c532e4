package mcp_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// holding shows a capability with every request, and nothing else.
type holding struct {
	t testing.TB
	h *gatewaytest.Holder
}

func (k holding) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	k.h.Show(k.t, r, body)
	r.Header.Set("Scrim-Purpose", "care")
	r.Header.Set("Scrim-Criticality", "critical")
	return http.DefaultTransport.RoundTrip(r)
}

// holds joins an SDK client that has a capability and no credential.
func holds(t testing.TB, endpoint, version string, h *gatewaytest.Holder) (*sdk.ClientSession, error) {
	t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := client.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: &http.Client{Transport: holding{t, h}}}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func withDomains(d *gatewaytest.Domains) func(*gatewaytest.Setup) {
	return func(s *gatewaytest.Setup) { s.Domains = d }
}

func domains(t testing.TB) *gatewaytest.Domains {
	return gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
}

func namesOfTools(t testing.TB, s *sdk.ClientSession) (names []string) {
	t.Helper()
	for tool, err := range s.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, tool.Name)
	}
	return names
}

// A client of the official SDK works by a capability alone, and sees and does what its links admit.
func TestToolsAreBoundedByTheCapability(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u, d := newUpstream(t, opt), domains(t)
		r := newRig(t, u, withDomains(d))
		h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller"}).Child(t, capability.Grant{Tools: map[string]capability.Arguments{
			"records/plain":     {"text": capability.Prefix("ward 4"), "id": capability.Any().Optionally()},
			"records/talks":     {},
			"records/:resource": {"uri": capability.Prefix("mem://be")},
		}})
		s, err := holds(t, r.url, version, h)
		if err != nil {
			t.Fatal(err)
		}
		if got := namesOfTools(t, s); !slices.Equal(got, []string{"plain", "talks"}) {
			t.Errorf("tools = %v, want those of the capability", got)
		}
		list, err := s.ListResources(t.Context(), nil)
		if err != nil || len(list.Resources) != 1 {
			t.Errorf("resources = %v, %v, want the one under the prefix", list, err)
		}
		if _, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "mem://beds"}); err != nil {
			t.Errorf("a resource under the prefix: %v", err)
		}
		if _, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "mem://other"}); err == nil || !strings.Contains(err.Error(), "arguments") {
			t.Errorf("a resource beside the prefix = %v, want a refusal", err)
		}
		if res := call(t, s, "plain", map[string]any{"text": "ward 4, bed 2"}, nil); res.IsError {
			t.Errorf("within the bounds = %s", texts(res))
		}
		for name, args := range map[string]map[string]any{
			"another text": {"text": "ward 5"}, "an argument too many": {"text": "ward 4", "who": "Jane"}, "an argument too few": {"id": "r-1"},
		} {
			if res := call(t, s, "plain", args, nil); !res.IsError || !strings.Contains(texts(res), "not-granted: arguments") {
				t.Errorf("%s = %s, want a refusal that names rule and member", name, texts(res))
			}
		}
		for _, tool := range []string{"rows", "no-such-tool"} { // a tool that is there and one that is not are refused alike
			if res := call(t, s, tool, map[string]any{}, nil); !res.IsError || !strings.Contains(texts(res), "not-granted: tools") {
				t.Errorf("%s = %s, want a refusal that names the member", tool, texts(res))
			}
		}
		for _, got := range u.bodies() {
			if strings.Contains(got, "ward 5") || strings.Contains(got, `"rows"`) {
				t.Errorf("the server got %s", got)
			}
		}
	})
}

// A group's parts are each held to the one capability that the request shows, and its proof is taken once.
func TestAGroupIsBoundedByTheCapability(t *testing.T) {
	for _, version := range []string{wire.MCP20260728, wire.MCP20251125} {
		t.Run(version, func(t *testing.T) {
			d := domains(t)
			r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, options(version)), "lab": serveLab(t, options(version))}, withDomains(d))
			h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Tools: map[string]capability.Arguments{"lab/*": {}, "records/talks": {}}})
			s, err := holds(t, r.url, version, h)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := namesOfTools(t, s), []string{"lab__count", "lab__plain", "records__talks"}; !slices.Equal(got, want) {
				t.Errorf("tools = %v, want %v", got, want)
			}
			if res := call(t, s, "lab__plain", asked{Text: "hi"}, nil); res.IsError {
				t.Errorf("lab__plain = %s", texts(res))
			}
			if res := call(t, s, "records__plain", asked{Text: "hi"}, nil); !res.IsError || !strings.Contains(texts(res), "tools") {
				t.Errorf("records__plain = %s, want a refusal", texts(res))
			}
			only := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Recipients: []string{"own/lab"}})
			s, err = holds(t, r.url, version, only)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := namesOfTools(t, s), []string{"lab__count", "lab__plain"}; !slices.Equal(got, want) {
				t.Errorf("tools of the one recipient = %v, want %v", got, want)
			}
		})
	}
}

func TestTheOldTransportIsBoundedByTheCapability(t *testing.T) {
	d := domains(t)
	r := newRig(t, newUpstream(t, nil), withDomains(d))
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Tools: map[string]capability.Arguments{"records/plain": {}}})
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, nil)
	s, err := client.Connect(t.Context(), &sdk.SSEClientTransport{Endpoint: r.url + "/sse", HTTPClient: &http.Client{Transport: holding{t, h}}}, &sdk.ClientSessionOptions{ProtocolVersion: wire.MCP20241105})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := namesOfTools(t, s); !slices.Equal(got, []string{"plain"}) {
		t.Errorf("tools = %v, want plain", got)
	}
	if res := call(t, s, "plain", asked{Text: "hi"}, nil); res.IsError {
		t.Errorf("plain = %s", texts(res))
	}
	if res := call(t, s, "rows", asked{}, nil); !res.IsError {
		t.Errorf("rows = %s, want a refusal", texts(res))
	}
}

// What completes an argument tells of what it completes: a reference that seems to be of two kinds must be covered as both.
func TestCompletionsAreBoundedByTheCapability(t *testing.T) {
	d, u := domains(t), newUpstream(t, options(wire.MCP20260728))
	r := newRig(t, u, withDomains(d))
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Tools: map[string]capability.Arguments{"records/:resource": {}}})
	for ref, covered := range map[string]bool{
		`{"type":"ref/resource","uri":"mem://beds"}`: true, `{"type":"ref/prompt","name":"letter"}`: false, `{"type":"ref/prompt","name":"letter","uri":"mem://beds"}`: false,
	} {
		body := `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":` + ref + `,"argument":{"name":"a","value":"b"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
		req, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, []byte(body))
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": wire.MCP20260728, "Mcp-Method": "completion/complete", "Scrim-Purpose": "care"} {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if refused := strings.Contains(string(out), "not-granted: tools"); refused == covered {
			t.Errorf("%s = %s, want covered: %v", ref, out, covered)
		}
	}
}

// A subscription to a resource tells of it, by whatever method it is begun.
func TestSubscriptionsAreBoundedByTheCapability(t *testing.T) {
	d, u := domains(t), newUpstream(t, options(wire.MCP20260728))
	r := newRig(t, u, withDomains(d))
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Tools: map[string]capability.Arguments{"records/:resource": {"uri": capability.Prefix("mem://be")}}})
	for filter, refused := range map[string]bool{
		`"toolsListChanged":true`:                              false,
		`"resourceSubscriptions":["mem://beds"]`:               false,
		`"resourceSubscriptions":["mem://beds","mem://other"]`: true,
	} {
		body := `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{` + filter + `},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, []byte(body))
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": wire.MCP20260728, "Mcp-Method": "subscriptions/listen", "Scrim-Purpose": "care"} {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for in := bufio.NewReader(res.Body); err == nil && !strings.Contains(out, "not-granted: arguments") && !strings.Contains(out, "subscriptions/acknowledged"); {
			var line string
			line, err = in.ReadString('\n')
			out += line
		}
		cancel()
		res.Body.Close()
		if strings.Contains(out, "not-granted: arguments") != refused || strings.Contains(out, "subscriptions/acknowledged") == refused {
			t.Errorf("%s = %s, want refused: %v", filter, out, refused)
		}
	}
}

// What comes without an id is no way around what bounds calls.
func TestACallWithoutAnIDIsBoundedByTheCapability(t *testing.T) {
	d := domains(t)
	u, answer := answering(t)
	*answer = `{"jsonrpc":"2.0","id":7,"result":{}}`
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Domains, s.Transparent = d, []gateway.Transparent{{Agent: "records", Path: "/**"}}
	})
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Tools: map[string]capability.Arguments{"records/plain": {"text": capability.Prefix("ward 4")}}})
	for method, name := range map[string]string{"tools/call": "talks", "prompts/get": "talks", "resources/read": "mem://beds", "secret/method": ""} {
		body := `{"jsonrpc":"2.0","method":"` + method + `","params":{"name":"talks","uri":"mem://beds","arguments":{"text":"all of it"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
		req, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, []byte(body))
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": wire.MCP20260728, "Mcp-Method": method, "Scrim-Purpose": "care"} {
			req.Header.Set(k, v)
		}
		if name != "" {
			req.Header.Set("Mcp-Name", name)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := u.bodies(); len(got) != 0 {
			t.Errorf("%s = %d %s, and the server got %q", method, res.StatusCode, out, got)
		}
	}
}

// A session belongs to the holder who began it: a sub-agent of the same agent has its own.
func TestASessionIsItsHoldersAlone(t *testing.T) {
	d := domains(t)
	r := newRig(t, newUpstream(t, nil), withDomains(d))
	root := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller"})
	s, err := holds(t, r.url, wire.MCP20251125, root)
	if err != nil {
		t.Fatal(err)
	}
	sub := root.Child(t, capability.Grant{Agent: "caller/sub"})
	body := `{"jsonrpc":"2.0","id":9,"method":"tools/list"}`
	as := func(h *gatewaytest.Holder) int {
		req, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Mcp-Session-Id", s.ID())
		req.Header.Set("Mcp-Protocol-Version", wire.MCP20251125)
		h.Show(t, req, []byte(body))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	if got := as(root); got != http.StatusOK {
		t.Errorf("the holder's own session = %d, want 200", got)
	}
	if got := as(sub); got != http.StatusNotFound {
		t.Errorf("a sub-agent in its parent's session = %d, want 404", got)
	}
}

// A peer's root is believed for that peer's agents, and policies see its names under that peer's.
func TestARootOfAPeerIsBelievedForItsOwnAgents(t *testing.T) {
	d := domains(t)
	r := newRig(t, newUpstream(t, options(wire.MCP20260728)), func(s *gatewaytest.Setup) {
		s.Domains = d
		s.Policy += `@id("named") @reason("not for the named") forbid (principal, action in Action::"atleast_masked", resource in DataClass::"text/free") when { context.capabilities.contains("other:desk") };
@id("unprefixed") forbid (principal, action in Action::"atleast_masked", resource) when { context.capabilities.contains("desk") };`
	})
	say := func(grant capability.Grant) (string, error) {
		s, err := holds(t, r.url, wire.MCP20260728, d.Root(t, gatewaytest.Other, grant))
		if err != nil {
			return "", err
		}
		return encoded(t, call(t, s, "plain", asked{Text: "hi"}, nil)), nil
	}
	if got, err := say(capability.Grant{Agent: "stranger"}); err != nil || !strings.Contains(got, "Nothing to see") {
		t.Errorf("without names = %s, %v, want the answer", got, err)
	}
	if got, err := say(capability.Grant{Agent: "stranger", Names: []string{"desk"}}); err != nil || strings.Contains(got, "Nothing to see") || !strings.Contains(got, "not for the named") {
		t.Errorf("with a name = %s, %v, want what policy says of other:desk and of nothing else", got, err)
	}
	if _, err := say(capability.Grant{Agent: "caller"}); err == nil {
		t.Error("a peer's root was believed for an agent of this domain")
	}
}

// Where a caller is heard by a capability alone, the doors that carry none are shut to it.
func TestDoorsThatCarryNoCapability(t *testing.T) {
	d := domains(t)
	r := newRig(t, newUpstream(t, nil), func(s *gatewaytest.Setup) {
		s.Domains = d
		s.Agents[0].Capability = true // the caller
	})
	caller := identity.Caller{Party: ownCaller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	io := func() *mcp.Stdio {
		return &mcp.Stdio{Gateway: r.Gateway, Caller: caller, Server: "records", Client: strings.NewReader(""), ToClient: &bytes.Buffer{}, FromServer: strings.NewReader(""), ToServer: discard{}}
	}
	if err := io().Run(t.Context()); err == nil {
		t.Error("standard input carried a caller that needs a capability")
	}
	p := &gateway.Peer{Callers: map[string]identity.Grant{"them": {Party: ownCaller}}}
	if _, err := p.Caller(r.Snapshot(), "them"); err == nil {
		t.Error("a hook carried a caller that needs a capability")
	}
	req, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr = "127.0.0.1:1"
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller"})
	h.Show(t, req, []byte("{}"))
	hook := &gateway.Peer{Gateway: "caller"}
	if _, err := hook.Admit(t.Context(), r.Gateway, r.Snapshot(), req); err == nil {
		t.Error("a hook's gateway was let in by a capability")
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Close() error                { return nil }

// A session that was revoked gets nothing more on the stream that it has open.
func TestARevokedSessionHearsNothingMore(t *testing.T) {
	d := domains(t)
	r, server, _ := featureRig(t, nil, withDomains(d))
	client := &heard{}
	s := connectWith(t, r.url, "scrim_other", wire.MCP20251125, client.options(), "")
	if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "mem://beds"}); err != nil {
		t.Fatal(err)
	}
	update := func() {
		if err := server.ResourceUpdated(t.Context(), &sdk.ResourceUpdatedNotificationParams{URI: "mem://beds"}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(client.all(), "updated") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		update()
	}
	client.wait(t, "updated mem://beds")
	if _, err := r.Ledger.Revoke(t.Context(), []ledger.Denial{{Kind: ledger.OfTask, Name: s.ID(), Until: time.Now().Add(time.Hour)}}, nil); err != nil {
		t.Fatal(err)
	}
	update()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		passed, refused := 0, false
		for _, ev := range r.Events() {
			switch {
			case ev.Outcome == flow.Refused && strings.Contains(ev.Reason, "capability is revoked: task"):
				refused = true
			case ev.Outcome == flow.Segment && ev.Flow.Method == "notifications/resources/updated":
				if passed++; refused {
					t.Error("an update passed after one was refused")
				}
			}
		}
		if refused {
			if got := strings.Count(client.all(), "updated"); got > passed {
				t.Errorf("the client heard %d updates, want no more than the %d that passed before", got, passed)
			}
			return
		}
	}
	t.Errorf("nothing was refused; the client heard %q", client.all())
}
