package handles_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// What an agent is sent by reference it redeems itself, for the purpose that its sender has, for as long as that has it.
func TestAnAgentRedeemsWhatItWasSent(t *testing.T) {
	r := newRig(t, nil)
	r.call("care", `{"text":"`+secret+`"`+mark+`}`, `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"ok"}]}}`)
	if len(r.got) != 1 || strings.Contains(gatewaytest.Said(r.got[0]), "jane") {
		t.Fatalf("the agent got %s", r.got)
	}
	h := r.reference(r.got[0])
	if res, got := r.redeem(h, "records", nil); res.StatusCode != http.StatusOK || got != secret {
		t.Errorf("%s %q", res.Status, got)
	}
	if res, _ := r.redeem(h, "insurer", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("its sender: %s", res.Status)
	}
	r.reload(func(s *gatewaytest.Setup) {
		grant := s.Callers["scrim_insurer"]
		grant.Purposes = []flow.Purpose{"billing", "research"}
		callers := map[string]identity.Grant{}
		for k, v := range s.Callers {
			callers[k] = v
		}
		callers["scrim_insurer"] = grant
		s.Callers = callers
	})
	if res, _ := r.redeem(h, "records", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("the purpose is not granted any more: %s", res.Status)
	}
}

// Parts of events go by reference where all of the part is in the event.
func TestPartsOfStreams(t *testing.T) {
	r := newRig(t, nil)
	task := `{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}`
	update := func(more string) string {
		return `{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":"` + secret + `"` + mark + `}]}` + more + `}}`
	}
	status := `{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING","message":{"messageId":"s","role":"ROLE_AGENT","parts":[{"text":"` + secret + `"` + mark + `}]}}}}`
	done := `{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}`
	for _, tt := range []struct {
		name, event string
		want        bool
	}{
		{"of a status", status, true},
		{"the whole artifact", update(`,"lastChunk":true`), true},
		{"a chunk that more may follow", update(""), false},
		{"a chunk that goes on", update(`,"append":true,"lastChunk":true`), false},
	} {
		out := r.call("billing", `{"text":"go"}`, "stream "+strings.Join([]string{task, tt.event, done}, "\n"))
		if !strings.Contains(out, "TASK_STATE_COMPLETED") || strings.Contains(gatewaytest.Said(out), "jane") {
			t.Fatalf("%s: %s", tt.name, out)
		}
		if got := strings.Contains(out, `{"handle":`); got != tt.want {
			t.Errorf("%s: %s", tt.name, out)
			continue
		} else if !got {
			continue
		}
		if res, got := r.redeem(r.reference(out), "insurer", nil); res.StatusCode != http.StatusOK || !strings.Contains(got, "[email") {
			t.Errorf("%s: redeemed %s %q", tt.name, res.Status, got)
		}
	}
}

// redeemIn sends one message through the road without a door, and redeems the reference in it.
func (r *rig) redeemIn(protocol, version, method, body string) (passed string, out *gateway.Redeemed) {
	r.t.Helper()
	s := r.Snapshot()
	table, ok := wire.For(protocol, version, method, flow.Response, false)
	if !ok {
		r.t.Fatal("no such table")
	}
	f := flow.Flow{ID: gateway.NewFlowID(), From: r.setup.Agents[0].Party, To: r.setup.Agents[1].Party, Protocol: protocol + "/" + version, Direction: flow.Response, Purpose: "billing", Task: flow.Task{ID: "t", Criticality: flow.Routine}}
	ctx := gateway.WithBase(context.Background(), "https://gateway.example")
	p, err := r.Pass(ctx, &gateway.Message{Snapshot: s, Query: policy.Query{Flow: f}, Table: table, Body: []byte(body), Owner: "records"})
	if err != nil {
		r.t.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Authorization", "Bearer scrim_insurer")
	caller, err := s.Identity.Authenticate(ctx, req)
	if err != nil {
		r.t.Fatal(err)
	}
	out, err = r.Redeem(ctx, &gateway.Redemption{Snapshot: s, Flow: flow.Flow{ID: gateway.NewFlowID(), From: caller.Party}, Caller: caller, ID: gateway.HandleID(r.reference(string(p.Body)).Ref)})
	if err != nil {
		r.t.Fatalf("%s: %v", p.Body, err)
	}
	return string(p.Body), out
}

// Each protocol has a reference in a part of its own kind.
func TestReferencesOfEachProtocol(t *testing.T) {
	const meta = `,"_meta":{"dev.scrim/privacy":{"handle":true}}`
	result := func(block string) string {
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[` + block + `,{"type":"text","text":"beside"}]}}`
	}
	for _, tt := range []struct{ name, protocol, version, method, body, reference, want string }{
		{"a file of A2A 0.3", "a2a", wire.A2A03, "message/send", `{"jsonrpc":"2.0","id":1,"result":{"kind":"message","messageId":"r","role":"agent","parts":[{"kind":"file","file":{"bytes":"` + "V3JpdGUgdG8gamFuZS5kb2VAZXhhbXBsZS5vcmcu" + `","mimeType":"text/plain"}` + mark + `}]}}`, `{"kind":"file","file":{"uri":"https://gateway.example/handles/`, "Write to [email"},
		{"a text of A2A 0.3", "a2a", wire.A2A03, "message/send", `{"jsonrpc":"2.0","id":1,"result":{"kind":"message","messageId":"r","role":"agent","parts":[{"kind":"text","text":"` + secret + `"` + mark + `}]}}`, `{"kind":"file","file":{"uri":"https://gateway.example/handles/`, "Write to [email"},
		{"a text of MCP", "mcp", "2025-11-25", "tools/call", result(`{"type":"text","text":"` + secret + `"` + meta + `}`), `{"type":"resource_link","uri":"https://gateway.example/handles/`, "Write to [email"},
		{"a text of the newest MCP", "mcp", "2026-07-28", "tools/call", result(`{"type":"text","text":"` + secret + `"` + meta + `}`), `{"type":"resource_link","uri":"https://gateway.example/handles/`, "Write to [email"},
		{"a text of an old MCP", "mcp", "2024-11-05", "tools/call", result(`{"type":"text","text":"` + secret + `"` + meta + `}`), `{"type":"text","text":"scrim:ref:`, "Write to [email"},
		{"a resource of MCP", "mcp", "2025-11-25", "tools/call", result(`{"type":"resource","resource":{"uri":"file:///x","mimeType":"text/plain","text":"` + secret + `"}` + meta + `}`), `{"type":"resource_link","uri":"https://gateway.example/handles/`, "Write to [email"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			passed, out := r.redeemIn(tt.protocol, tt.version, tt.method, tt.body)
			if !strings.Contains(passed, tt.reference) || strings.Contains(gatewaytest.Said(passed), "jane") {
				t.Errorf("%s, want %s", passed, tt.reference)
			}
			if !strings.HasPrefix(string(out.Body), tt.want) || strings.Contains(gatewaytest.Said(string(out.Part)), "jane") {
				t.Errorf("redeemed %q, %s", out.Body, out.Part)
			}
		})
	}
}

// What nobody known stands behind is not kept for anybody.
func TestStrangersMakeNoHandles(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Anonymous = &identity.Grant{Party: flow.Party{Agent: "stranger", Domain: third}}
		s.Agents = append(s.Agents, &gateway.Agent{Party: s.Anonymous.Party})
	})
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + secret + `"` + mark + `}]}}`
	_, out := r.do(http.MethodPost, "/a2a/records", "", map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0"},
		`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hello"`+mark+`}]}}}`)
	if len(r.got) != 1 || strings.Contains(r.got[0], "scrim:ref:") || strings.Contains(out, "scrim:ref:") {
		t.Errorf("%s, %s", r.got, out)
	}
}

// One sender does not fill all the room there is, nor does one task.
func TestRoomForHandles(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Change = func(s *gateway.Snapshot) { s.Handles.TaskBytes = 5 << 10 }
	})
	made := 0
	for range 4 {
		if strings.Contains(r.ask("billing", `{"text":"`+secret+`"`+mark+`}`), "scrim:ref:") {
			made++
		}
	}
	if made != 2 {
		t.Errorf("%d went by reference, want 2 and the rest as they are", made)
	}
	r.reload(func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(policies, `@id("abroad")`, `@handle("PT1M") @id("abroad")`, 1)
	})
	if out := r.ask("billing", `{"text":"`+secret+`"}`); strings.Contains(out, "[email") || !strings.Contains(out, "no room") {
		t.Errorf("what may go by reference only went as it is: %s", out)
	}
}

// A handle that is used once is redeemed once, however many ask at the same time.
func TestManyRedeemAtOnce(t *testing.T) {
	r := newRig(t, nil)
	h := r.reference(r.ask("billing", `{"text":"`+secret+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":3}}}}`))
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for range 12 {
		wg.Go(func() {
			req, _ := http.NewRequest(http.MethodGet, r.url+gateway.HandlePath+gateway.HandleID(h.Ref), nil)
			req.Header.Set("Authorization", "Bearer scrim_insurer")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			if res.StatusCode == http.StatusOK {
				got++
			}
		})
	}
	wg.Wait()
	if got != 3 {
		t.Errorf("redeemed %d times, want 3", got)
	}
}
