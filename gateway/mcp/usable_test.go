package mcp_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy/contract"
)

// toolNames are the names that an unchanged client is shown.
func toolNames(t *testing.T, r *rig, key, version string) []string {
	t.Helper()
	s := connect(t, r.url, key, version, nil)
	var names []string
	for tool, err := range s.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

const keptBack = `
@id("no-rows") forbid (principal == Agent::"stranger", action in Action::"atleast_masked", resource) when { context.skill == "rows" };
@id("no-extra") forbid (principal == Agent::"records", action in Action::"atleast_masked", resource) when { context.skill == "extra" && context.from == Agent::"stranger" };
@id("no-questions") forbid (principal == Agent::"records", action in Action::"atleast_masked", resource in DataClass::"person") when { context.from == Agent::"third" };
`

// mustName is a question that no call is without.
const mustName = `{"type":"object","required":["who"],"properties":{"who":{"type":"string","x-scrim-label":"person/name"}}}`

func keep(s *gatewaytest.Setup) {
	s.Policy += keptBack
	s.Schemas = slices.DeleteFunc(s.Schemas, func(sc gatewaytest.Schema) bool { return sc.Name == "plain" && sc.Direction == flow.Request })
	s.Schemas = append(s.Schemas, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "plain", Direction: flow.Request, JSON: mustName})
}

func TestListsShowWhatTheCallerMayUse(t *testing.T) {
	all := []string{"asks", "bare", "extra", "fails", "plain", "rows", "talks"}
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(names, n) })
	}
	for _, version := range []string{wire.MCP20260728, wire.MCP20251125} {
		u := newUpstream(t, nil)
		if version == wire.MCP20260728 {
			u = stateless(t)
		}
		r := newRig(t, u, keep)
		for key, want := range map[string][]string{"scrim_own": all, "scrim_other": without("rows", "extra"), "scrim_third": without("plain")} {
			if got := toolNames(t, r, key, version); !slices.Equal(got, want) {
				t.Errorf("%s: %s is shown %v, want %v", version, key, got, want)
			}
		}
		var kept []flow.Event
		for _, ev := range r.Events() {
			if strings.HasPrefix(ev.Reason, "entries left out") {
				kept = append(kept, ev)
			}
		}
		if len(kept) == 0 || !slices.ContainsFunc(kept, func(ev flow.Event) bool {
			return ev.Reason == "entries left out of the list: 2" && slices.Contains(ev.Policies, "no-rows") && slices.Contains(ev.Policies, "no-extra")
		}) {
			t.Errorf("%s: the record has %+v, want two entries left out by no-rows and no-extra", version, kept)
		}
	}
}

func toolCall(name, arguments string) string {
	return strings.NewReplacer(`"name":"plain"`, `"name":"`+name+`"`, `{"text":"hello"}`, arguments).Replace(plainCall)
}

const listTools = `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`

// blur takes out what differs between any two answers.
func blur(s string) string {
	at := strings.Index(s, `"reference":"`)
	if at < 0 {
		return s
	}
	at += len(`"reference":"`)
	end := strings.IndexByte(s[at:], '"')
	return s[:at] + "*" + s[at+end:]
}

func TestWhatIsKeptBackAndWhatIsNotThereAnswerAlike(t *testing.T) {
	for _, listed := range []bool{true, false} {
		u := stateless(t)
		r := newRig(t, u, keep)
		other := []string{"Authorization", "Bearer scrim_other"}
		if listed {
			if status, body := r.send(t, listTools, append(other, "Mcp-Method", "tools/list", "Mcp-Name", "")...); status != http.StatusOK {
				t.Fatalf("tools/list: %d %s", status, body)
			}
		}
		calls := len(u.bodies())
		for _, arguments := range []string{`{"id":"r-17"}`, `{}`} {
			hiddenStatus, hidden := r.send(t, toolCall("rows", arguments), append(other, "Mcp-Name", "rows")...)
			status, unknown := r.send(t, toolCall("Zanzibar", arguments), append(other, "Mcp-Name", "Zanzibar")...)
			if !listed && arguments == `{}` {
				hiddenStatus = status // before anybody listed the tools, the server itself is asked
			}
			if hiddenStatus != status || blur(hidden) != blur(unknown) {
				t.Errorf("listed %v, %s: kept back: %d %s\nnot there: %d %s", listed, arguments, hiddenStatus, hidden, status, unknown)
			}
			if !strings.Contains(hidden, "-32602") || strings.Contains(unknown, "Zanzibar") {
				t.Errorf("answers are %s and %s", hidden, unknown)
			}
		}
		if listed && len(u.bodies()) != calls {
			t.Errorf("the server was asked %d times", len(u.bodies())-calls)
		}
		if status, body := r.send(t, toolCall("rows", `{"id":"r-17"}`), "Mcp-Name", "rows"); status != http.StatusOK || !strings.Contains(body, "r-17") {
			t.Errorf("the own caller got %d %s", status, body)
		}
	}
}

// TestListsBelongToTheCredential: the same credential is shown the same, whatever a request claims.
func TestListsBelongToTheCredential(t *testing.T) {
	const only = `
@id("critical") forbid (principal in Domain::"other", action in Action::"atleast_masked", resource) when { context.skill == "rows" && context.criticality != "critical" };
@id("audit") forbid (principal in Domain::"other", action in Action::"atleast_masked", resource) when { context.skill == "extra" && context.purpose != Purpose::"audit" };
`
	r := newRig(t, stateless(t), func(s *gatewaytest.Setup) {
		s.Policy += only
		lesser := flow.Party{Agent: "lesser", Domain: gatewaytest.Other}
		s.Agents = append(s.Agents, &gateway.Agent{Party: lesser})
		s.Callers["scrim_low"] = identity.Grant{Party: lesser, Purposes: []flow.Purpose{"care"}}
		s.Callers["scrim_other"] = identity.Grant{Party: stranger, Purposes: []flow.Purpose{"care", "audit"}, Criticality: flow.Critical}
	})
	show := func(key, purpose, criticality string) string {
		_, body := r.send(t, listTools, "Authorization", "Bearer "+key, "Mcp-Method", "tools/list", "Mcp-Name", "", "Scrim-Purpose", purpose, "Scrim-Criticality", criticality)
		return fmt.Sprintf("rows %v, extra %v", strings.Contains(body, `"name":"rows"`), strings.Contains(body, `"name":"extra"`))
	}
	for _, claim := range [][2]string{{"care", "low"}, {"audit", "critical"}, {"", ""}, {"Zanzibar", "routine"}} {
		if got := show("scrim_other", claim[0], claim[1]); got != "rows true, extra true" {
			t.Errorf("claiming %v: %s, want both", claim, got)
		}
		if got := show("scrim_low", claim[0], claim[1]); got != "rows false, extra false" {
			t.Errorf("with the lesser credential, claiming %v: %s, want neither", claim, got)
		}
	}
}

func TestPagesOfAListKeepWorking(t *testing.T) {
	u := (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		page := `{"tools":[{"name":"rows","inputSchema":{"type":"object"}}, {"name":"bare", "inputSchema":{"type":"object"}}],"nextCursor":"two","resultType":"complete"}`
		body := readAll(r)
		if strings.Contains(body, `"cursor":"two"`) {
			page = `{"tools":[{"name":"rows","inputSchema":{"type":"object"}}],"resultType":"complete"}`
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, callID(t, body), page)
	}))
	r := newRig(t, u, keep)
	header := []string{"Authorization", "Bearer scrim_other", "Mcp-Method", "tools/list", "Mcp-Name", ""}
	_, first := r.send(t, listTools, header...)
	if !strings.Contains(first, `"tools":[{"name":"bare", "inputSchema":{"type":"object"}}],"nextCursor":"two"`) {
		t.Errorf("first page = %s", first)
	}
	_, second := r.send(t, strings.Replace(listTools, `"params":{`, `"params":{"cursor":"two",`, 1), header...)
	if !strings.Contains(second, `"tools":[]`) {
		t.Errorf("second page = %s", second)
	}
}

func TestResourcesAreKeptBackWhereNothingOfThemMayBeRead(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Policy += `@id("nothing") forbid (principal == Agent::"stranger", action in Action::"atleast_masked", resource) when { context.skill == "" };`
	})
	list := strings.Replace(listTools, "tools/list", "resources/list", 1)
	read := strings.Replace(strings.Replace(listTools, "tools/list", "resources/read", 1), `"params":{`, `"params":{"uri":"mem://beds",`, 1)
	for key, want := range map[string]bool{"scrim_own": true, "scrim_other": false} {
		_, listed := r.send(t, list, "Authorization", "Bearer "+key, "Mcp-Method", "resources/list", "Mcp-Name", "")
		if strings.Contains(listed, "mem://beds") != want || !strings.Contains(listed, `"resources":[`) {
			t.Errorf("%s: list = %s, want it shown: %v", key, listed, want)
		}
		_, body := r.send(t, read, "Authorization", "Bearer "+key, "Mcp-Method", "resources/read", "Mcp-Name", "mem://beds")
		if strings.Contains(body, `"contents"`) != want || !want && !strings.Contains(body, "-31403") {
			t.Errorf("%s: read = %s", key, body)
		}
	}
}

// TestWhatIsKeptBackIsNotCompletedEither: what completes an argument would tell that there is something to complete.
func TestWhatIsKeptBackIsNotCompletedEither(t *testing.T) {
	u := stateless(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Policy += `@id("no-letter") forbid (principal == Agent::"stranger", action in Action::"atleast_masked", resource) when { context.skill == "letter" };`
	})
	complete := strings.Replace(strings.Replace(listTools, "tools/list", "completion/complete", 1), `"params":{`, `"params":{"ref":{"type":"ref/prompt","name":"letter"},"argument":{"name":"a","value":"b"},`, 1)
	_, body := r.send(t, complete, "Authorization", "Bearer scrim_other", "Mcp-Method", "completion/complete", "Mcp-Name", "")
	if !strings.Contains(body, "nothing of this name") || len(u.bodies()) != 0 {
		t.Errorf("answer = %s, the server was asked %d times", body, len(u.bodies()))
	}
	both := strings.Replace(complete, `"name":"letter"`, `"name":"letter","uri":"mem://beds"`, 1)
	for range 20 { // an address beside the name hides nothing
		if _, body := r.send(t, both, "Authorization", "Bearer scrim_other", "Mcp-Method", "completion/complete", "Mcp-Name", ""); !strings.Contains(body, "nothing of this name") || len(u.bodies()) != 0 {
			t.Fatalf("with an address beside the name, answer = %s", body)
		}
	}
	if r.send(t, complete, "Mcp-Method", "completion/complete", "Mcp-Name", ""); len(u.bodies()) != 1 {
		t.Errorf("for the own caller the server was asked %d times", len(u.bodies()))
	}
}

// TestAServerThatIsForbiddenSaysWhy: where policy forbids all of a server, every call is refused alike, with the reason.
func TestAServerThatIsForbiddenSaysWhy(t *testing.T) {
	r := newRig(t, stateless(t), func(s *gatewaytest.Setup) {
		s.Policy += `@id("closed") @reason("the records answer nobody else") forbid (principal == Agent::"records", action in Action::"atleast_masked", resource) when { context.direction == "request" && !context.same_domain };`
	})
	other := []string{"Authorization", "Bearer scrim_other"}
	if _, body := r.send(t, listTools, append(other, "Mcp-Method", "tools/list", "Mcp-Name", "")...); !strings.Contains(body, `"tools":[]`) {
		t.Errorf("the list is %s, want none", body)
	}
	_, first := r.send(t, toolCall("rows", `{"id":"r-17"}`), append(other, "Mcp-Name", "rows")...)
	if !strings.Contains(first, "the records answer nobody else") || !strings.Contains(first, "POLICY_DENIED") {
		t.Errorf("answer = %s", first)
	}
	for _, name := range []string{"Zanzibar", "extra"} {
		if _, body := r.send(t, toolCall(name, `{"id":"r-17"}`), append(other, "Mcp-Name", name)...); len(body) != len(first) {
			t.Errorf("%s answers otherwise: %s", name, body)
		}
	}
}

func TestNobodyIsToldHowMuchWasLeftOut(t *testing.T) {
	r := newRig(t, stateless(t), keep)
	_, body := r.send(t, listTools, "Authorization", "Bearer scrim_other", "Mcp-Method", "tools/list", "Mcp-Name", "")
	for _, word := range []string{`"name":"rows"`, "left out", "no-rows", "dev.scrim/privacy"} {
		if strings.Contains(body, word) {
			t.Errorf("the answer tells of %q: %s", word, body)
		}
	}
}

func readAll(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// inForce are contracts of the two domains, as a test sets them.
type inForce struct{ list []*contract.Contract }

func (c *inForce) InForce(f *flow.Flow, at time.Time) (out []*contract.Contract) {
	for _, one := range c.list {
		if one.InForce(at) && one.Binds(f) {
			out = append(out, one)
		}
	}
	return out
}

// What policy permits under a contract is listed and can be called while the contract is in force, and no longer.
func TestListsShowWhatAContractLetsACallerUse(t *testing.T) {
	in := &inForce{}
	u := stateless(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Policy = `permit (principal, action in Action::"upto_raw", resource) when { context.contract.contains("other:lab-work") };`
		s.Contracts = in
	})
	all := map[flow.Label]flow.Level{"*": flow.Raw}
	lab := &contract.Contract{
		Negotiation: contract.NewNegotiation(), Version: 1, Name: "lab-work", Purposes: []flow.Purpose{"audit"}, NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour),
		Parties: [2]contract.Party{{Domain: gatewaytest.Other, Gives: contract.Gives{Levels: all}}, {Domain: gatewaytest.Own, Gives: contract.Gives{Levels: all}}},
	}
	for _, c := range []struct {
		when string
		list []*contract.Contract
		any  bool
	}{{"before", nil, false}, {"under it", []*contract.Contract{lab}, true}, {"after", nil, false}} {
		in.list = c.list
		if names := toolNames(t, r, "scrim_other", wire.MCP20260728); (len(names) > 0) != c.any {
			t.Errorf("%s: the list shows %v", c.when, names)
		}
	}
}
