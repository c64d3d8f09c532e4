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
