package mcp_test

import (
	stdjson "encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// What a model calls tools with, and what they answered it, is described by the tools that the question brings along
// and labelled by the domain's own schema: it goes out as stand-ins and comes home.
func TestToolsInSamplingAreDecidedByTheirSchemas(t *testing.T) {
	p, r := puppetRig(t, func(s *gatewaytest.Setup) {
		s.Schemas = append(s.Schemas, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "sampling/createMessage", Direction: flow.Response, JSON: patientSchema})
		s.Policy += `@id("answers") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "response" };`
	})
	one := &player{rig: r, key: "scrim_other"}
	one.begin(t, true)
	events := one.listen(t)
	ask := func(id, input string) string {
		return `{"jsonrpc":"2.0","id":"` + id + `","method":"sampling/createMessage","params":{"maxTokens":9,"messages":[{"role":"user","content":{"type":"text","text":"Who?"}},` +
			`{"role":"assistant","content":[{"type":"tool_use","id":"u-1","name":"find","input":` + input + `}]},` +
			`{"role":"user","content":[{"type":"tool_result","toolUseId":"u-1","content":[{"type":"text","text":"ok"}],"structuredContent":` + input + `}]}],` +
			`"tools":[{"name":"find","inputSchema":{"type":"object","properties":{"name":{"type":"string"},"email":{"type":"string"}},"required":["name"]},"outputSchema":{"type":"object","properties":{"name":{"type":"string"},"email":{"type":"string"}}}}],"toolChoice":{"mode":"auto"}}}`
	}
	jane := `{"name":"Jane Doe","email":"jane.doe@example.org"}`
	p.stream(one.session) <- asEvent(ask("m-1", jane))
	got := next(t, events)
	without(t, "the question", got, whole)
	var q struct {
		Params struct {
			Messages []struct{ Content stdjson.RawMessage }
		}
	}
	if err := stdjson.Unmarshal([]byte(got), &q); err != nil || len(q.Params.Messages) != 3 {
		t.Fatalf("question = %s", got)
	}
	var blocks []struct{ Input, StructuredContent map[string]string }
	if err := stdjson.Unmarshal(q.Params.Messages[1].Content, &blocks); err != nil || blocks[0].Input["name"] == "" {
		t.Fatalf("question = %s", got)
	}
	shown := blocks[0].Input
	if err := stdjson.Unmarshal(q.Params.Messages[2].Content, &blocks); err != nil || blocks[0].StructuredContent["name"] != shown["name"] {
		t.Errorf("what a tool was called with and what it answered differ: %s", got)
	}
	raw, _ := stdjson.Marshal(shown)
	answer := `{"jsonrpc":"2.0","id":` + idIn([]byte(got)) + `,"result":{"role":"assistant","model":"m","stopReason":"toolUse","content":[{"type":"tool_use","id":"u-2","name":"find","input":` + string(raw) + `},{"type":"text","text":"for ` + shown["name"] + `"}]}}`
	if status, body := one.send(t, answer); status != http.StatusAccepted {
		t.Fatalf("answer = %d %s", status, body)
	}
	if told := p.got(one.session); !strings.Contains(told, `"input":{"email":"jane.doe@example.org","name":"Jane Doe"}`) || !strings.Contains(told, "for Jane Doe") {
		t.Errorf("server was told %s, want the originals", told)
	}
	// What no tool of the question declares would be a question nobody decided on.
	p.stream(one.session) <- asEvent(ask("m-2", `{"name":"x","Zanzibar":"Zanzibar"}`)) + asEvent(`{"jsonrpc":"2.0","id":"m-3","method":"ping"}`)
	if got := next(t, events); !strings.Contains(got, "ping") {
		t.Errorf("client was asked %s", got)
	}
	if told := p.got(one.session); !strings.Contains(told, `"id":"m-2","error"`) || strings.Contains(told, "Zanzibar") {
		t.Errorf("server was told %s, want a refusal of m-2", told)
	}
}

// An answer of the client that policy does not let through is a refusal to the server; nothing of it leaves.
func TestAnswersThatMayNotLeaveAreRefusedToTheServer(t *testing.T) {
	p, r := puppetRig(t, func(s *gatewaytest.Setup) {
		s.Policy += `@id("silent") @reason("nothing said here goes there") forbid (principal in Domain::"own", action in Action::"atleast_masked", resource) when { context.direction == "response" };`
	})
	one := &player{rig: r, key: "scrim_other"}
	one.begin(t, true)
	events := one.listen(t)
	p.stream(one.session) <- asEvent(`{"jsonrpc":"2.0","id":4,"method":"sampling/createMessage","params":{"maxTokens":9,"messages":[]}}`)
	asked := idIn([]byte(next(t, events)))
	answer := `{"jsonrpc":"2.0","id":` + asked + `,"result":{"role":"assistant","model":"m","content":{"type":"text","text":"Zanzibar"},"structured":1}}`
	if status, body := one.send(t, answer); status != http.StatusAccepted {
		t.Fatalf("answer = %d %s", status, body)
	}
	told := p.got(one.session)
	if strings.Contains(told, "Zanzibar") || !strings.Contains(told, `"id":4,`) {
		t.Errorf("server was told %s", told)
	}
}
