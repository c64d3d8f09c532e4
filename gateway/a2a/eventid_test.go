package a2a_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// The id of an event is a text of the agent's that no table describes and that nobody asks for in A2A.
func TestIDsOfEventsDoNotCross(t *testing.T) {
	agent := newAgent(t, func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 536-90-4399\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"message\":{\"messageId\":\"r\",\"role\":\"ROLE_AGENT\",\"parts\":[{\"text\":\"Noted.\"}]}}}\n\n")
	})
	r := newRig(t, agent, nil)
	_, body := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"Go on."}]}}}`)
	if !strings.Contains(body, "Noted.") || strings.Contains(gatewaytest.Said(body), "536") {
		t.Errorf("the stream is %q", body)
	}
}
