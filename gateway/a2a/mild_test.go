package a2a_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// A member whose label says less than its value is must not teach the gateway to take the value for harmless: it is
// hidden in its own place and in the prose beside it.
func TestMildLabelDoesNotHideWhatAValueIs(t *testing.T) {
	agent := newAgent(t, answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Done."}]}}`))
	r := newRig(t, agent, func(s *gatewaytest.Setup) {
		s.Policy += `@id("mild") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"business/category");`
		s.Schemas[0].Direction = flow.Request
		s.Schemas[0].JSON = `{"type":"object","properties":{"contact":{"type":"string","x-scrim-label":"business/category"},"other":{"type":"string","x-scrim-label":"business/category"},"line":{"type":"string","x-scrim-label":"business/category"},"code":{"type":["number","null"],"x-scrim-label":"business/category","x-scrim-droppable":true},"count":{"type":"number","x-scrim-label":"business/category"}}}`
	})
	status, body := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[
		{"text":"Write to jane.doe77@example.org, call +1 415 555 0132 or see line 4 for jane.doe78@example.org."},
		{"data":{"contact":"jane.doe77@example.org","other":"+1 415 555 0132","line":"line 4 for jane.doe78@example.org","code":4111111111111111,"count":4155550100}}]}}}`)
	if status != 200 {
		t.Fatalf("the message is refused: %s", body)
	}
	got := agent.received()[0]
	for _, value := range []string{"jane.doe", "555 0132", "4111111111111111"} {
		if strings.Contains(got, value) {
			t.Errorf("the agent got %q: %s", value, got)
		}
	}
	if !strings.Contains(got, `"count":4155550100`) {
		t.Errorf("a number that looks like nothing did not arrive: %s", got)
	}
}

// A permit for what nothing labels does not mean an address that happens to stand there: where policy hides addresses, it
// hides that one.
func TestUnlabelledIsHeldToWhatItLooksLike(t *testing.T) {
	agent := newAgent(t, answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Done."}]}}`))
	for _, tt := range []struct {
		name, policy string
		hidden       bool
	}{
		{"addresses are tokenized", "", true},
		{"addresses are forbidden", `@id("no") forbid (principal, action in Action::"atleast_tokenized", resource in DataClass::"person/contact/email");`, true},
		{"addresses are shown", `@id("yes") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, agent, func(s *gatewaytest.Setup) {
				s.Policy += `@id("any") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"unlabelled");` + tt.policy
				s.Schemas[0].JSON = `{"type":"object","properties":{"x":{"type":"string"},"y":{"type":"string"}}}`
			})
			_, answer := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"data":{"x":"jane.doe@example.org","y":"blue, since 2019-05-01"}}]}}}`)
			all := agent.received()
			got := all[len(all)-1]
			if !strings.Contains(got, "blue, since 2019-05-01") {
				t.Fatalf("what looks like nothing did not arrive: %s, %s", got, answer)
			}
			if strings.Contains(got, "jane.doe") == tt.hidden {
				t.Errorf("the address is hidden: %v, want %v: %s", !tt.hidden, tt.hidden, got)
			}
		})
	}
}
