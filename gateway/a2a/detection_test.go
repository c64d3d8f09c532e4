package a2a_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/detect"
)

// TestAListedWordDoesNotPassAsAnIdentifier: identifiers pass as they are, so a word that is always found must not be one.
func TestAListedWordDoesNotPassAsAnIdentifier(t *testing.T) {
	agent := newAgent(t, answerWith(`{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"}}}`))
	r := newRig(t, agent, func(s *gatewaytest.Setup) {
		s.Change = func(snap *gateway.Snapshot) {
			d, err := detect.New(detect.Options{Taxonomy: snap.Taxonomy, Rules: &detect.Rules{
				Lists: []detect.WordList{{Name: "project", Label: "secret/password", Words: []string{"Nightjar"}}},
			}})
			if err != nil {
				t.Error(err)
			}
			snap.Detector = d
		}
	})
	for id, passes := range map[string]bool{"nightjar-7": false, "plan:Nightjar": false, "swallow-7": true} {
		_, answer := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"`+id+`","role":"ROLE_USER","parts":[{"data":{"name":"Jane Doe"}}]}}}`)
		if strings.Contains(answer, "identifiers must say nothing") == passes {
			t.Errorf("the id %s got %s", id, answer)
		}
	}
}
