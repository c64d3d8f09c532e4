package a2a_test

import (
	"bytes"
	"context"
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

// guarded is a rig that takes capabilities of the domains own and other.
type guarded struct {
	*rig
	domains *gatewaytest.Domains
	agent   *agentStub
}

func newGuarded(t *testing.T, change func(*gatewaytest.Setup)) *guarded {
	t.Helper()
	g := &guarded{domains: gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other, "third"), agent: newAgent(t, answerWith(okMessage))}
	g.rig = newRig(t, g.agent, func(s *gatewaytest.Setup) {
		s.Domains = g.domains
		if change != nil {
			change(s)
		}
	})
	return g
}

// root is a capability of the rig's caller that bounds nothing but what the grant says.
func (g *guarded) root(t testing.TB, grant capability.Grant) *gatewaytest.Holder {
	t.Helper()
	if grant.Agent == "" {
		grant.Agent = "caller"
	}
	return g.domains.Root(t, gatewaytest.Own, grant)
}

// try sends a message with what change puts on its request.
func (g *guarded) try(t testing.TB, body string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, g.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	req.Header.Set("Scrim-Purpose", "care")
	req.Header.Set("Scrim-Criticality", "critical")
	change(req)
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

func (g *guarded) shown(t testing.TB, h *gatewaytest.Holder, body string) (*http.Response, string) {
	t.Helper()
	return g.try(t, body, func(r *http.Request) { h.Show(t, r, []byte(body)) })
}

// last is the last event on record.
func (g *guarded) last() flow.Event {
	all := g.Events()
	return all[len(all)-1]
}

func credential(r *http.Request) { r.Header.Set("Authorization", "Bearer scrim_key") }

func TestACapabilityStandsInPlaceOfACredential(t *testing.T) {
	g := newGuarded(t, nil)
	h := g.root(t, capability.Grant{}).Child(t, capability.Grant{Agent: "caller/summary"})
	res, body := g.shown(t, h, plainMessage)
	if res.StatusCode != 200 || !strings.Contains(body, "Done.") {
		t.Fatalf("answer = %d %s, want the agent's", res.StatusCode, body)
	}
	for _, ev := range g.Events() {
		f := ev.Flow
		if f.Capability == nil || f.Capability.Issuer != gatewaytest.Own || len(f.Capability.Tokens) != 2 || len(f.Chain) != 1 || f.Chain[0].Agent != "caller/summary" {
			t.Errorf("the record of the %s has capability %+v and chain %+v, want both tokens and caller/summary", f.Direction, f.Capability, f.Chain)
		}
	}
	for _, h := range g.agent.header {
		if h.Get(gateway.HeaderCapability) != "" || h.Get(gateway.HeaderProof) != "" {
			t.Error("the agent was given the caller's capability")
		}
	}
}

func TestACapabilityBesideACredentialMustBeItsOwn(t *testing.T) {
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		other := flow.Party{Agent: "caller2", Domain: gatewaytest.Own}
		s.Agents = append(s.Agents, &gateway.Agent{Party: other})
		s.Callers["scrim_two"] = identity.Grant{Party: other, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	})
	h := g.root(t, capability.Grant{})
	with := func(h *gatewaytest.Holder, key string) int {
		res, _ := g.try(t, plainMessage, func(r *http.Request) {
			h.Show(t, r, []byte(plainMessage))
			r.Header.Set("Authorization", "Bearer "+key)
		})
		return res.StatusCode
	}
	if got := with(h, "scrim_key"); got != 200 {
		t.Errorf("a capability beside its agent's credential = %d, want 200", got)
	}
	if got := with(h.Child(t, capability.Grant{Agent: "caller/sub"}), "scrim_key"); got != 200 {
		t.Errorf("a sub-agent's capability beside its agent's credential = %d, want 200", got)
	}
	before := len(g.agent.received())
	for name, refused := range map[string]int{
		"another agent's": with(h, "scrim_two"), "a key that is none": with(h, "scrim_none"),
		"of another domain": with(g.domains.Root(t, gatewaytest.Other, capability.Grant{Agent: "caller"}), "scrim_key"),
	} {
		if refused != http.StatusUnauthorized {
			t.Errorf("a capability beside a credential, %s = %d, want 401", name, refused)
		}
	}
	if len(g.agent.received()) != before {
		t.Error("a refused call reached the agent")
	}
	if reason := g.last().Reason; !strings.HasPrefix(reason, "capability") && !strings.HasPrefix(reason, "identity") {
		t.Errorf("the record says %q", reason)
	}
}

// TestWhatACapabilityIsRefusedFor shows every attack on the form at a real gateway.
func TestWhatACapabilityIsRefusedFor(t *testing.T) {
	g := newGuarded(t, nil)
	good := g.root(t, capability.Grant{})
	child := good.Child(t, capability.Grant{Purposes: []flow.Purpose{"care"}})
	show := func(h *gatewaytest.Holder) func(*http.Request) {
		return func(r *http.Request) { h.Show(t, r, []byte(plainMessage)) }
	}
	header := func(h *gatewaytest.Holder, name, value string) func(*http.Request) {
		return func(r *http.Request) {
			h.Show(t, r, []byte(plainMessage))
			r.Header.Set(name, value)
		}
	}
	none := `eyJhbGciOiJub25lIiwidHlwIjoic2NyaW0tY2FwK2p3dCJ9` // {"alg":"none","typ":"scrim-cap+jwt"}
	_, rest, _ := strings.Cut(string(good.Chain[0]), ".")
	rows := []struct {
		name   string
		change func(*http.Request)
		rule   string // on record
	}{
		{"malformed", header(good, gateway.HeaderCapability, "not.a.token!"), "form"},
		{"wrong algorithm", header(good, gateway.HeaderCapability, none+"."+rest), "algorithm"},
		{"oversized", header(good, gateway.HeaderCapability, string(good.Chain[0])+strings.Repeat("A", 9000)), "size"},
		{"too deep", show(deep(t, g)), "depth"},
		{"a forged root", show(gatewaytest.NewDomains(t, gatewaytest.Own).Root(t, gatewaytest.Own, capability.Grant{Agent: "caller"})), "signature"},
		{"another domain's gateway", show(g.root(t, capability.Grant{Audience: []flow.DomainID{"elsewhere"}})), "audience"},
		{"a link left out", show(&gatewaytest.Holder{Chain: capability.Chain{good.Chain[0], child.Child(t, capability.Grant{}).Chain[2]}, Key: child.Key}), "signature"},
		{"no proof", func(r *http.Request) { r.Header.Set(gateway.HeaderCapability, good.Chain.String()) }, "no proof"},
		{"a proof without a capability", func(r *http.Request) { r.Header.Set(gateway.HeaderProof, "x.y.z") }, "no capability"},
		{"proof for another body", func(r *http.Request) { good.Show(t, r, []byte(fullMessage)) }, "proof: body"},
		{"proof for another address", func(r *http.Request) {
			path := r.URL.Path
			r.URL.Path = "/out/a2a/other"
			good.Show(t, r, []byte(plainMessage))
			r.URL.Path = path
		}, "proof: target"},
		{"proof for another method", func(r *http.Request) {
			r.Method = http.MethodPut
			good.Show(t, r, []byte(plainMessage))
			r.Method = http.MethodPost
		}, "proof: method"},
		{"proof for another gateway", show(&gatewaytest.Holder{Chain: good.Chain, Key: good.Key, Audience: "elsewhere"}), "audience"},
		{"proof by the key of another link", show(&gatewaytest.Holder{Chain: child.Chain, Key: good.Key}), "proof: key"},
		{"an old proof", show(&gatewaytest.Holder{Chain: good.Chain, Key: good.Key, Now: time.Now().Add(-10 * time.Minute)}), "proof-time"},
		{"a proof from the future", show(&gatewaytest.Holder{Chain: good.Chain, Key: good.Key, Now: time.Now().Add(10 * time.Minute)}), "proof-time"},
		{"two capabilities", func(r *http.Request) {
			good.Show(t, r, []byte(plainMessage))
			r.Header.Add(gateway.HeaderCapability, good.Chain.String())
		}, "cannot be checked"},
		{"two proofs", func(r *http.Request) {
			good.Show(t, r, []byte(plainMessage))
			r.Header.Add(gateway.HeaderProof, "a.b.c")
		}, "cannot be checked"},
		{"an agent that is not configured", show(g.domains.Root(t, gatewaytest.Own, capability.Grant{Agent: "nobody"})), "cannot be checked"},
		{"another domain's agent of the same name", show(g.domains.Root(t, gatewaytest.Other, capability.Grant{Agent: "caller"})), "cannot be checked"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before := len(g.Events())
			res, body := g.try(t, plainMessage, row.change)
			if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Scrim ") {
				t.Errorf("answer = %d %s, challenge %q, want 401 that says what is missing", res.StatusCode, body, res.Header.Get("WWW-Authenticate"))
			}
			if got := g.last(); len(g.Events()) != before+1 || got.Outcome != flow.Refused || !strings.HasPrefix(got.Reason, "capability") {
				t.Errorf("on record is %s %q, want a refusal by the capability", got.Outcome, got.Reason)
			} else if !strings.Contains(got.Reason, row.rule) && !strings.Contains(row.rule, "no ") {
				t.Errorf("the record says %q, want the rule %q in it", got.Reason, row.rule)
			}
			for _, token := range good.Chain {
				if strings.Contains(body, string(token)) {
					t.Error("the answer repeats the token")
				}
			}
		})
	}
	if got := g.agent.received(); len(got) != 0 {
		t.Errorf("the agent got %d refused calls", len(got))
	}
}

// deep is a chain of more links than a verifier takes.
func deep(t testing.TB, g *guarded) *gatewaytest.Holder {
	h := g.root(t, capability.Grant{MaxDepth: 8})
	for range 8 {
		h = h.Child(t, capability.Grant{})
	}
	last := h.Chain[len(h.Chain)-1]
	h.Chain = append(h.Chain, last)
	return h
}

func TestAnExpiredOrRevokedLinkEndsTheRight(t *testing.T) {
	g := newGuarded(t, nil)
	soon := g.root(t, capability.Grant{Expires: time.Now().Add(2 * time.Second).Truncate(time.Second)})
	root := g.root(t, capability.Grant{})
	child := root.Child(t, capability.Grant{Agent: "caller/sub"}).Child(t, capability.Grant{})
	if res, body := g.shown(t, child, plainMessage); res.StatusCode != 200 {
		t.Fatalf("before = %d %s", res.StatusCode, body)
	}
	g.Revoke(t, g.Snapshot(), child.Chain, 1)
	if res, body := g.shown(t, child, plainMessage); res.StatusCode != 401 || !strings.Contains(body, "link 1: capability is revoked") {
		t.Errorf("with a link revoked = %d %s, want 401 that names the link", res.StatusCode, body)
	}
	if res, body := g.shown(t, root, messageNo(3)); res.StatusCode != 200 {
		t.Errorf("the root above the revoked link = %d %s, want 200", res.StatusCode, body)
	}
	time.Sleep(time.Until(time.Now().Add(2100 * time.Millisecond)))
	if res, body := g.shown(t, soon, plainMessage); res.StatusCode != 401 || !strings.Contains(body, "link 0 breaks rule expired") {
		t.Errorf("an expired root = %d %s, want 401 that names rule and link", res.StatusCode, body)
	}
}

func messageNo(n int) string {
	return strings.Replace(plainMessage, "m-1", fmt.Sprint("n-", n), 1)
}

func TestAProofIsGoodForOneCall(t *testing.T) {
	g := newGuarded(t, nil)
	h := g.root(t, capability.Grant{})
	var kept http.Header
	if res, body := g.try(t, plainMessage, func(r *http.Request) {
		h.Show(t, r, []byte(plainMessage))
		kept = r.Header.Clone()
	}); res.StatusCode != 200 {
		t.Fatalf("first = %d %s", res.StatusCode, body)
	}
	replay := func(r *http.Request) {
		r.Header.Set(gateway.HeaderCapability, kept.Get(gateway.HeaderCapability))
		r.Header.Set(gateway.HeaderProof, kept.Get(gateway.HeaderProof))
	}
	if res, body := g.try(t, plainMessage, replay); res.StatusCode != 401 || !strings.Contains(body, "taken before") {
		t.Errorf("the same proof again = %d %s, want 401", res.StatusCode, body)
	}
	if res, body := g.shown(t, h, plainMessage); res.StatusCode != 200 || len(g.agent.received()) != 1 {
		t.Errorf("a retry with a proof of its own = %d %s and %d calls of the agent, want the stored answer", res.StatusCode, body, len(g.agent.received()))
	}
}

// TestARetryConsumesNothing also shows that uses are counted over all children together.
func TestARetryConsumesNothing(t *testing.T) {
	g := newGuarded(t, nil)
	three := int64(3)
	root := g.root(t, capability.Grant{Uses: &three, Counted: gatewaytest.Own})
	for range 4 {
		if res, body := g.shown(t, root, messageNo(0)); res.StatusCode != 200 {
			t.Fatalf("retry = %d %s", res.StatusCode, body)
		}
	}
	for n := 1; n <= 2; n++ {
		if res, body := g.shown(t, root.Child(t, capability.Grant{}), messageNo(n)); res.StatusCode != 200 || strings.Contains(body, "error") {
			t.Fatalf("child %d = %d %s", n, res.StatusCode, body)
		}
	}
	if _, body := g.shown(t, root.Child(t, capability.Grant{}), messageNo(9)); !strings.Contains(body, "link 0: capability is used up") {
		t.Errorf("a fourth use, by another child = %s, want the root used up", body)
	}
	if got := len(g.agent.received()); got != 3 {
		t.Errorf("the agent was called %d times, want 3", got)
	}
	vd, err := g.Snapshot().Capability.Verifier.Verify(root.Chain)
	if err != nil {
		t.Fatal(err)
	}
	if uses, _, err := g.Ledger.Spent(t.Context(), vd.Root().Hash); err != nil || uses != 3 {
		t.Errorf("spent = %d, %v, want 3", uses, err)
	}
	if _, body := g.shown(t, root, messageNo(0)); !strings.Contains(body, "Done.") {
		t.Errorf("a retry under a root that is used up = %s, want the stored answer", body)
	}
}

func TestWhatALinkDoesNotAdmitIsRefused(t *testing.T) {
	g := newGuarded(t, nil)
	low := flow.Low
	rows := []struct {
		name, member string
		grant        capability.Grant
	}{
		{"recipient", "recipients", capability.Grant{Recipients: []string{"other/somebody"}}},
		{"purpose", "purposes", capability.Grant{Purposes: []flow.Purpose{"billing"}}},
		{"criticality", "criticality", capability.Grant{Criticality: &low}},
		{"task", "tasks", capability.Grant{Tasks: []flow.TaskID{"c-9"}}},
		{"skill", "tools", capability.Grant{Tools: map[string]capability.Arguments{"partner/triage": {}}}},
		{"texts", "arguments", capability.Grant{Tools: map[string]capability.Arguments{"partner/*": {"name": capability.Any().Optionally()}}}},
		{"counted elsewhere", "counted", capability.Grant{Cost: &flow.Cost{EpsilonNano: 1}, Counted: "elsewhere"}},
		{"counted where no gateway is", "counted", capability.Grant{Cost: &flow.Cost{EpsilonNano: 1}, Counted: gatewaytest.Other}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			h := g.root(t, capability.Grant{}).Child(t, row.grant)
			res, body := g.shown(t, h, plainMessage)
			if res.StatusCode != 200 || !strings.Contains(body, "POLICY_DENIED") || !strings.Contains(body, "not-granted: "+row.member) {
				t.Errorf("answer = %d %s, want a refusal that names %s", res.StatusCode, body, row.member)
			}
			if ev := g.last(); ev.Outcome != flow.Refused || !strings.Contains(ev.Reason, "link 1 breaks rule not-granted: "+row.member) || ev.Flow.Capability == nil {
				t.Errorf("on record is %s %q by %v, want rule, link and tokens", ev.Outcome, ev.Reason, ev.Flow.Capability)
			}
		})
	}
	if got := g.agent.received(); len(got) != 0 {
		t.Errorf("the agent got %q", got)
	}
	for name, grant := range map[string]capability.Grant{
		"texts are named": {Tools: map[string]capability.Arguments{"partner/:message": {":text": capability.Any()}}},
		"all is admitted": {Recipients: []string{"other/partner"}, Purposes: []flow.Purpose{"care"}, Tools: map[string]capability.Arguments{"partner/*": {}}},
	} {
		if _, body := g.shown(t, g.root(t, grant), strings.Replace(plainMessage, "m-1", "ok-"+strings.ReplaceAll(name, " ", "-"), 1)); !strings.Contains(body, "Done.") {
			t.Errorf("%s: %s, want the agent's answer", name, body)
		}
	}
}

func TestDataOfAMessageAreArguments(t *testing.T) {
	g := newGuarded(t, nil)
	h := g.root(t, capability.Grant{Tools: map[string]capability.Arguments{"partner/*": {"days": capability.Between(1, 30), "code": capability.OneOf(capability.Text("A1"), capability.Text("B2")).Optionally()}}})
	message := func(n int, parts string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"d-%d","role":"ROLE_USER","parts":[%s]}}}`, n, parts)
	}
	for n, row := range []struct {
		parts string
		ok    bool
	}{
		{`{"data":{"days":3}}`, true}, {`{"data":{"days":3}},{"data":{"code":"A1"}}`, true},
		{`{"data":{"days":31}}`, false}, {`{"data":{"code":"A1"}}`, false}, {`{"data":{"days":3,"more":1}}`, false},
		{`{"data":{"days":3}},{"data":{"days":31}}`, false}, {`{"data":{"days":3}},{"text":"make it 300"}`, false},
		{`{"data":{"days":3}},{"raw":"aGk=","mediaType":"text/plain"}`, false}, {`{"data":[3]}`, false},
		{`{"data":{"days":3},"metadata":{"days":"300"}}`, false}, {`{"data":{"days":3}}],"metadata":{"days":"300"},"extensions":[`, false}, {`{"data":{"days":3}}],"metadata":{"https://scrim.dev/ext/privacy/v1":{"purpose":"care"}},"extensions":[`, true},
	} {
		_, body := g.shown(t, h, message(n, row.parts))
		if refused := strings.Contains(body, "not-granted: arguments"); refused == row.ok {
			t.Errorf("%s: %s, want admitted: %v", row.parts, body, row.ok)
		}
	}
}

func TestTermsAreMetWithTheCapability(t *testing.T) {
	g := newGuarded(t, nil)
	g.agent.answer = func(w http.ResponseWriter, body string) {
		var in struct {
			Params struct{ Message stdjson.RawMessage }
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		answerWith(`{"message":{"messageId":"r-1","contextId":"c-1","role":"ROLE_AGENT","parts":[{"text":"It is about `+personIn(body)+`."}]}}`)(w, body)
	}
	_, plain := g.shown(t, g.root(t, capability.Grant{}), fullMessage)
	if !strings.Contains(plain, "Jane Doe") {
		t.Fatalf("without bounds = %s, want the name come home", plain)
	}
	bounded := g.root(t, capability.Grant{}).Child(t, capability.Grant{Levels: map[flow.Label]flow.Level{"*": flow.Raw, "person/contact": flow.Masked, "person/name": flow.Tokenized}})
	_, body := g.shown(t, bounded, strings.Replace(fullMessage, "m-2", "m-3", 1))
	if strings.Contains(body, "Jane Doe") {
		t.Errorf("answer = %s: a name was opened where the capability lets a stand-in be shown", body)
	}
	sent := g.agent.received()
	if got := sent[len(sent)-1]; strings.Contains(got, "[email 1") || strings.Contains(got, "stk1_") && strings.Contains(got, `"email":"stk1_`) || !strings.Contains(got, `"by":"capability"`) {
		t.Errorf("the agent got %s, want the address masked by the capability and a note of it", got)
	}
	if strings.Contains(sent[len(sent)-1], "person/contact\":\"masked") {
		t.Error("the note tells the capability")
	}
	counts := false
	for _, ev := range g.Events() {
		for _, l := range ev.Levels {
			counts = counts || l.By == flow.ByCapability
		}
	}
	if !counts {
		t.Error("the record does not say what the capability set")
	}
}

func TestNarrowerTermsWinOnARetry(t *testing.T) {
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		s.Policy += `@id("address") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact");`
	})
	g.agent.answer = answerWith(`{"message":{"messageId":"r-1","contextId":"c-1","role":"ROLE_AGENT","parts":[{"text":"Write to joan.roe@example.org."}]}}`)
	root := g.root(t, capability.Grant{})
	if _, body := g.shown(t, root, plainMessage); !strings.Contains(body, "joan.roe@example.org") {
		t.Fatalf("answer = %s, want the address", body)
	}
	narrow := root.Child(t, capability.Grant{Levels: map[flow.Label]flow.Level{"text": flow.Raw}})
	if _, body := g.shown(t, narrow, plainMessage); strings.Contains(body, "joan.roe") || !strings.Contains(body, "Write to") {
		t.Errorf("a retry by a narrower child = %s, want the address left out", body)
	}
	if got := len(g.agent.received()); got != 1 {
		t.Errorf("the agent was called %d times, want once", got)
	}
	other := g.root(t, capability.Grant{})
	if _, body := g.shown(t, other, plainMessage); !strings.Contains(body, "ID_CONFLICT") {
		t.Errorf("the same id under another root = %s, want a conflict", body)
	}
}

func TestWhoseCallsNeedACapability(t *testing.T) {
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		s.Change = func(s *gateway.Snapshot) { s.Capability.Required = gateway.RequireAlways }
	})
	res, body := g.try(t, plainMessage, credential)
	if res.StatusCode != 401 || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="capability_required"`) {
		t.Errorf("a credential alone = %d %s, want 401 with a challenge", res.StatusCode, body)
	}
	if res, body := g.shown(t, g.root(t, capability.Grant{}), plainMessage); res.StatusCode != 200 {
		t.Errorf("with a capability = %d %s", res.StatusCode, body)
	}
	for _, row := range []struct {
		name string
		rule gateway.Requirement
		own  bool
		want int
	}{{"foreign", gateway.RequireForeign, false, 200}, {"this agent", gateway.RequireNever, true, 401}, {"never", gateway.RequireNever, false, 200}} {
		g := newGuarded(t, func(s *gatewaytest.Setup) {
			s.Agents[0].Capability = row.own
			s.Change = func(s *gateway.Snapshot) { s.Capability.Required = row.rule }
		})
		if res, _ := g.try(t, plainMessage, credential); res.StatusCode != row.want {
			t.Errorf("required %s: a credential of the own domain = %d, want %d", row.name, res.StatusCode, row.want)
		}
	}
}

func TestPoliciesSeeTheRootsNames(t *testing.T) {
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		s.Policy = `
@id("desk") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free") when { context.capabilities.contains("desk") };
@id("theirs") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free") when { context.capabilities.contains("other:desk") && context.direction == "response" };
@id("back") @exception("test") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"text/free") when { context.direction == "response" };`
	})
	if _, body := g.try(t, plainMessage, credential); !strings.Contains(body, "POLICY_DENIED") {
		t.Errorf("without a capability = %s, want a refusal", body)
	}
	named := g.root(t, capability.Grant{Names: []string{"desk"}})
	if _, body := g.shown(t, named, messageNo(1)); !strings.Contains(body, "Done.") {
		t.Errorf("by a root of that name = %s", body)
	}
	if _, body := g.shown(t, named.Child(t, capability.Grant{}), messageNo(2)); !strings.Contains(body, "Done.") {
		t.Errorf("by its child = %s", body)
	}
	if _, body := g.shown(t, g.root(t, capability.Grant{Names: []string{"other:desk"}}), messageNo(3)); !strings.Contains(body, "POLICY_DENIED") {
		t.Errorf("by a root that bears another name = %s, want a refusal", body)
	}
}

func TestANonceIsGivenAndWantedBack(t *testing.T) {
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		s.Change = func(s *gateway.Snapshot) { s.Capability.Nonce = true }
	})
	g.url = g.behindDoor(t)
	h := g.root(t, capability.Grant{})
	res, body := g.shown(t, h, plainMessage)
	nonce := res.Header.Get("Scrim-Nonce")
	if res.StatusCode != 401 || nonce == "" || !strings.Contains(res.Header.Get("WWW-Authenticate"), "nonce_required") {
		t.Fatalf("without a nonce = %d %s, header %v, want 401 and a nonce", res.StatusCode, body, res.Header)
	}
	with := func(nonce string) int {
		res, _ := g.try(t, plainMessage, func(r *http.Request) { h.ShowFor(t, r, []byte(plainMessage), nonce) })
		return res.StatusCode
	}
	if got := with(nonce); got != 200 {
		t.Errorf("with the nonce = %d, want 200", got)
	}
	forged, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil {
		t.Fatal(err)
	}
	forged[len(forged)-1] ^= 1
	if got := with(base64.RawURLEncoding.EncodeToString(forged)); got != 401 {
		t.Errorf("with a forged nonce = %d, want 401", got)
	}
}

func TestACapabilityBoundsStreamsRESTAndGRPC(t *testing.T) {
	g := newGuarded(t, nil)
	h := g.root(t, capability.Grant{}).Child(t, capability.Grant{Purposes: []flow.Purpose{"care"}})
	params := `{"message":{"messageId":"x-1","role":"ROLE_USER","parts":[{"text":"How are the beds today?"}]}}`
	at := g.url
	g.url += "/message:send"
	if res, body := g.shown(t, h, params); res.StatusCode != 200 || !strings.Contains(body, "Done.") {
		t.Errorf("HTTP+JSON = %d %s", res.StatusCode, body)
	}
	if res, body := g.try(t, params, func(r *http.Request) { h.Show(t, r, []byte("{}")) }); res.StatusCode != 401 {
		t.Errorf("HTTP+JSON with a proof for another body = %d %s, want 401", res.StatusCode, body)
	}
	g.url = at + "/tasks/t-1?historyLength=3"
	get := func(target string) (int, string) {
		req, err := http.NewRequest(http.MethodGet, g.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed := req.Clone(t.Context())
		if target != "" {
			signed.URL.RawQuery = target
		}
		h.Show(t, signed, nil)
		req.Header = signed.Header
		req.Header.Set("A2A-Version", "1.0")
		req.Header.Set("Scrim-Purpose", "care")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		return res.StatusCode, b.String()
	}
	if status, body := get(""); status == 401 {
		t.Errorf("a GET with a proof for no body = %d %s", status, body)
	}
	if status, body := get("historyLength=9"); status != 401 || !strings.Contains(body, "target") {
		t.Errorf("a GET with a proof for another query = %d %s, want 401", status, body)
	}
}

// behindDoor serves the rig behind [gateway.Gateway.Door], as a running gateway does.
func (g *guarded) behindDoor(t *testing.T) string {
	t.Helper()
	h := &a2a.Handler{Gateway: g.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: &a2a.Cards{Signer: g.Keys.Signer("card"), KeyID: g.Keys.ID()}}
	srv := httptest.NewServer(g.Door(h))
	t.Cleanup(srv.Close)
	return srv.URL + "/out/a2a/partner"
}
