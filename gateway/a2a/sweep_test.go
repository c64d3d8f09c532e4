package a2a_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// Kept answers go when their time is over, and the oldest first when they take too much; then the agent is asked again.
func TestKeptAnswersExpireAndGiveWay(t *testing.T) {
	now := time.Now()
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, func(s *gatewaytest.Setup) {
		s.Retention = gateway.Retention{Answers: time.Hour, AnswerBytes: 4000}
		s.Clock = func() time.Time { return now }
	})
	ask := func(n int) {
		t.Helper()
		if status, body := r.send(t, strings.Replace(plainMessage, "m-1", fmt.Sprintf("m-%d", n), 1)); status != 200 || !strings.Contains(body, "Done.") {
			t.Fatalf("message %d: %d %s", n, status, body)
		}
	}
	calls := func(want int, when string) {
		t.Helper()
		if got := len(agent.received()); got != want {
			t.Errorf("%s: the agent was called %d times, want %d", when, got, want)
		}
	}
	sweep := func() {
		t.Helper()
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask(0)
	ask(0)
	calls(1, "asked twice")
	for n := 1; n <= 40; n++ {
		ask(n)
	}
	sweep()
	ask(40)
	calls(41, "the newest asked again after the cap was applied")
	ask(0)
	calls(42, "the oldest asked again after the cap was applied")
	now = now.Add(2 * time.Hour)
	ask(40)
	calls(43, "asked again after its time")
	sweep()
	ask(40)
	calls(43, "asked again at once")
}
