package a2a_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/budget"
)

var stays = budget.Scope{Dataset: "stays"}

// newBudgetRig puts an agent behind the gateway whose every message is a question of ε = 0.1 to a dataset that allows 1. Say returns
// the result of the n-th call.
func newBudgetRig(t *testing.T, say func(n int64) string) (*rig, *agentStub) {
	t.Helper()
	var n atomic.Int64
	agent := newAgent(t, func(w http.ResponseWriter, body string) { answerWith(say(n.Add(1)))(w, body) })
	return newRig(t, agent, func(s *gatewaytest.Setup) {
		s.Policy += `@id("asking") permit (principal, action == Action::"aggregate", resource);`
		s.Budgets = []budget.Budget{{Dataset: "stays", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1_000_000_000}}}
		q := gatewaytest.Laplace(t, "stays", 10)
		s.Change = func(snap *gateway.Snapshot) {
			snap.Questions = map[flow.AgentID]gateway.Questions{"partner": {Skills: map[string]*gateway.Question{"*": q}}}
		}
	}), agent
}

func dataAsk(id, text string) string {
	return strings.NewReplacer("m-1", id, "How are the beds today?", text).Replace(plainMessage)
}

func drawn(n int64) string {
	return fmt.Sprintf(`{"message":{"messageId":"u-%d","contextId":"theirs","role":"ROLE_AGENT","parts":[{"text":"draw %d"}]}}`, n, n)
}

func TestMessagesThatAskTheSameAreAnsweredFromOneDraw(t *testing.T) {
	t.Parallel()
	r, agent := newBudgetRig(t, drawn)
	_, first := r.send(t, dataAsk("q-1", "How many beds?"))
	if !strings.Contains(first, "draw 1") {
		t.Fatal(first)
	}
	for name, body := range map[string]string{
		"a retry":                    dataAsk("q-1", "How many beds?"),
		"another message":            dataAsk("q-2", "How many beds?"),
		"another purpose in it":      strings.Replace(dataAsk("q-3", "How many beds?"), `"messageId"`, `"metadata":{"https://scrim.dev/ext/privacy/v1":{"purpose":"care","criticality":"low"}},"messageId"`, 1),
		"another JSON-RPC id":        strings.Replace(dataAsk("q-4", "How many beds?"), `"id":1`, `"id":"other"`, 1),
		"its members in other order": `{"params":{"message":{"parts":[{"text":"How many beds?"}],"role":"ROLE_USER","messageId":"q-5"}},"method":"SendMessage","id":1,"jsonrpc":"2.0"}`,
	} {
		_, got := r.send(t, body)
		if !strings.Contains(got, "draw 1") || strings.Contains(got, "theirs") || strings.Contains(gatewaytest.Said(got), "u-1") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n, spent := len(agent.received()), r.Spent(t, stays); n != 1 || spent != 100_000_000 {
		t.Errorf("the agent was called %d times for ε = %d·10⁻⁹", n, spent)
	}
	_, conflict := r.send(t, dataAsk("q-1", "How many wards?"))
	if !strings.Contains(conflict, "used before with another request") || r.Spent(t, stays) != 100_000_000 {
		t.Errorf("an id that was used before: %s", conflict)
	}
	_, other := r.send(t, strings.Replace(dataAsk("q-6", "How many beds?"), `"role"`, `"contextId":"c-1","role"`, 1))
	if !strings.Contains(other, "draw 2") {
		t.Errorf("in a conversation, where it may mean something else: %s", other)
	}
}

func TestWhatAnAgentAnswersBesidesIsNotTold(t *testing.T) {
	t.Parallel()
	const task = `{"task":{"id":"Zanzibar","contextId":"Zanzibar","status":{"state":"TASK_STATE_%s","message":{"messageId":"s","role":"ROLE_AGENT","parts":[{"text":"status"}]}},"artifacts":%s}}`
	for name, c := range map[string]struct{ result, want string }{
		"a task that is done":    {fmt.Sprintf(task, "COMPLETED", `[{"artifactId":"Zanzibar","parts":[{"text":"one"}]},{"artifactId":"b","parts":[{"text":"two"}]}]`), "one"},
		"a task without results": {fmt.Sprintf(task, "COMPLETED", `[]`), "status"},
		"a task at work":         {fmt.Sprintf(task, "WORKING", `[]`), "could not be answered"},
		"a task that failed":     {fmt.Sprintf(task, "FAILED", `[]`), "could not be answered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := newBudgetRig(t, func(int64) string { return c.result })
			_, body := r.send(t, dataAsk("q-1", "How many beds?"))
			if !strings.Contains(body, c.want) || strings.Contains(body, "Zanzibar") || r.Spent(t, stays) != 100_000_000 {
				t.Errorf("%s, ε = %d·10⁻⁹", body, r.Spent(t, stays))
			}
		})
	}
}

func TestQuestionsThatWouldBeAnsweredAtTimesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r, agent := newBudgetRig(t, drawn)
	for name, body := range map[string]string{
		"a stream": strings.Replace(dataAsk("q-1", "How many beds?"), "SendMessage", "SendStreamingMessage", 1),
		"a push":   strings.Replace(dataAsk("q-2", "How many beds?"), `{"message"`, `{"configuration":{"pushNotificationConfig":{"url":"https://example.org/hook"}},"message"`, 1),
	} {
		_, got := r.send(t, body)
		if strings.Contains(got, "draw") || len(agent.received()) != 0 || r.Spent(t, stays) != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}
