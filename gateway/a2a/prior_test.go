package a2a_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// A permit for what nothing labels does not mean the name of a patient whose member says what it is, though no detector could
// tell it by itself.
func TestNamesOfMembersSayWhatAnUnlabelledValueIs(t *testing.T) {
	agent := newAgent(t, answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Done."}]}}`))
	r := newRig(t, agent, func(s *gatewaytest.Setup) {
		s.Policy += `@id("any") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"unlabelled");`
		s.Schemas[0].JSON = `{"type":"object","properties":{"who":{"type":"object","properties":{"name":{"type":"string","x-scrim-droppable":true},"ssn":{"type":["string","null"],"x-scrim-droppable":true},"colour":{"type":"string"}}},
			"contact":{"type":"object","properties":{"person":{"type":"string","x-scrim-droppable":true}}},
			"pairs":{"type":"array","items":{"type":"object","properties":{"key":{"type":"string"},"value":{"type":"string","x-scrim-droppable":true}}}}}}`
	})
	_, answer := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"data":{
		"who":{"name":"zorblatt quux","ssn":"21 909 9999","colour":"zinnober"},"contact":{"person":"vexley plonk"},
		"pairs":[{"key":"mrn","value":"QX-4471"},{"key":"shape","value":"QX-4472"}]}}]}}}`)
	all := agent.received()
	if len(all) == 0 {
		t.Fatalf("nothing arrived: %s", answer)
	}
	for _, value := range []string{"zorblatt", "909 9999", "vexley", "QX-4471"} {
		if strings.Contains(all[0], value) {
			t.Errorf("the agent got %q: %s", value, all[0])
		}
	}
	for _, value := range []string{"zinnober", "QX-4472"} {
		if !strings.Contains(all[0], value) {
			t.Errorf("%q did not arrive: %s", value, all[0])
		}
	}
}
