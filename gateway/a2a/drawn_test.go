package a2a_test

import (
	"strings"
	"testing"
)

// A UUID is random, so that a short number which the task knows can stand in one by chance. That is nobody's number.
func TestRandomIdentifiersAreNotTakenForWhatTheyHappenToSpell(t *testing.T) {
	agent := newAgent(t, answerWith(`{"task":{"id":"0b5c9a6e-1980-4f0a-9c6e-2f1d1f8e4471","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"}}}`))
	r := newRig(t, agent, nil)
	_, answer := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"6f1c0d52-4471-4b1e-8d1b-2f3c5a7e1980","role":"ROLE_USER","parts":[{"data":{"name":"Jane Doe","ssn":"4471"}}]}}}`)
	if !strings.Contains(answer, "TASK_STATE_COMPLETED") {
		t.Errorf("the message was not carried: %s", answer)
	}
	_, answer = r.send(t, `{"jsonrpc":"2.0","id":2,"method":"SendMessage","params":{"message":{"messageId":"jane.doe@example.org","role":"ROLE_USER","parts":[{"data":{"name":"Jane Doe"}}]}}}`)
	if !strings.Contains(answer, "identifiers must say nothing") {
		t.Errorf("an identifier that says something was carried: %s", answer)
	}
}
