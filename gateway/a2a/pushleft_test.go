package a2a_test

import (
	"net/http"
	"testing"

	"github.com/scrimhq/scrim/store"
)

// A config that came to no agent, or that no agent took, does not stay: a caller who tries again would fill its share.
func TestAConfigThatNoAgentTookDoesNotStay(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, body string){
		"nonsense": func(w http.ResponseWriter, _ string) { _, _ = w.Write([]byte("no")) },
		"another id": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":77,"result":{}}`))
		},
		"a refusal": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no"}}`))
		},
		"somebody else": answerWith(`{"taskId":"t1","id":"p","url":"http://elsewhere.example/push/x"}`),
	} {
		t.Run(name, func(t *testing.T) {
			agent, receiver := newAgent(t, answer), newHook(t)
			o := openOffice(t, officeSetup(t, agent.URL, openEgress))
			o.call(t, "scrim_guest", "CreateTaskPushNotificationConfig", `{"taskId":"t1","id":"p","url":"`+receiver.URL+`"}`)
			if len(agent.received()) != 1 {
				t.Fatalf("the agent was called %d times", len(agent.received()))
			}
			if n := o.pushRows(t); n != 0 {
				t.Errorf("%d configs are kept", n)
			}
		})
	}
}

func (o *office) pushRows(t *testing.T) (n int) {
	t.Helper()
	if err := o.DB.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM gateway_pushes").Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}
