package a2a_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
)

func TestAnswerIsNotGivenToACallerWhoWasTakenOutMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		callers map[string]identity.Grant
		want    string
	}{
		"key taken out": {nil, "not accepted any more"},
		"key of another": {map[string]identity.Grant{"scrim_key": {Party: flow.Party{Agent: "other", Domain: gatewaytest.Own}}},
			"not accepted any more"},
		"unchanged": {map[string]identity.Grant{"scrim_key": {Party: flow.Party{Agent: "caller", Domain: gatewaytest.Own}}}, "Done."},
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t, nil)
			var setup gatewaytest.Setup
			r := newRig(t, agent, func(s *gatewaytest.Setup) { setup = *s })
			setup.Callers = c.callers
			agent.answer = func(w http.ResponseWriter, body string) {
				if err := r.Swap(t.Context(), gatewaytest.Snapshot(t, setup), "test"); err != nil {
					t.Error(err)
				}
				answerWith(okMessage)(w, body)
			}
			if _, body := r.send(t, plainMessage); !strings.Contains(body, c.want) || c.want != "Done." && strings.Contains(body, "Done.") {
				t.Errorf("answer = %s, want %q", body, c.want)
			}
		})
	}
}
