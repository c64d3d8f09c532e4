package a2a_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// reload puts another policy in force.
func (r *town) reload(t *testing.T, policy string) {
	t.Helper()
	setup := r.setup
	setup.Policy = policy
	if err := r.Swap(t.Context(), gatewaytest.Snapshot(t, setup), "test"); err != nil {
		t.Fatal(err)
	}
}

func TestManyAtOnceWithOneIDAreOneCall(t *testing.T) {
	agent := newAgent(t, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		time.Sleep(50 * time.Millisecond)
		answerWith(okMessage)(w, body)
	}
	r := newTown(t, agent, nil)
	answers := make([]string, 24)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			_, answers[i] = r.to(t, "/out/a2a/partner", "scrim_key", message("one", "", "Jane Doe", janeData))
		})
	}
	wg.Wait()
	for i, a := range answers {
		if a != answers[0] || !strings.Contains(a, "Done.") {
			t.Errorf("answer %d = %s\nwant %s", i, a, answers[0])
		}
	}
	if n := len(agent.received()); n != 1 {
		t.Errorf("the agent was called %d times, want once", n)
	}
	released, replayed := 0, 0
	for _, ev := range r.Events() {
		switch {
		case ev.Outcome == flow.Released && ev.Flow.Direction == flow.Request:
			released++
		case ev.Outcome == flow.Replayed:
			replayed++
		}
	}
	if released != 1 || replayed != len(answers)-1 {
		t.Errorf("rows: %d released, %d replayed; want 1 and %d", released, replayed, len(answers)-1)
	}
}

const narrower = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("into") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "request" };
`

const broader = townPolicies + `
@id("all") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name");
@id("all-mail") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");
@id("open-all") permit (principal, action == Action::"open", resource);
`

// What a retry shows is bounded by what was shown before and by what may be shown now, whichever is less.
func TestRetryShowsNoMoreThanBeforeAndNoMoreThanNow(t *testing.T) {
	record := answerWith(`{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":` + janeData + `},{"text":"Jane Doe, jane.doe@example.org"}]}}`)
	stream := func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"artifact\":{\"artifactId\":\"a\",\"parts\":[{\"text\":\"Write to jane.doe@example.org\"}]}}}}\n\n")
		fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"statusUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"status\":{\"state\":\"TASK_STATE_COMPLETED\"}}}}\n\n")
	}
	for name, answer := range map[string]func(http.ResponseWriter, string){"SendMessage": record, "SendStreamingMessage": stream} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t, answer)
			r := newTown(t, agent, nil)
			ask := func() string {
				_, body := r.to(t, "/a2a/desk", "scrim_guest", strings.Replace(fmt.Sprintf(question, "q"), "SendMessage", name, 1))
				if !strings.Contains(body, `"result"`) {
					t.Fatalf("answer = %s", body)
				}
				return body
			}
			first := ask()
			without(t, "the first answer", first, "jane", "doe@")
			r.reload(t, broader)
			without(t, "a retry under a broader policy", ask(), "jane", "doe@")
			r.reload(t, narrower) // the record's name is required, and not even its stand-in may be shown: refused
			_, got := r.to(t, "/a2a/desk", "scrim_guest", strings.Replace(fmt.Sprintf(question, "q"), "SendMessage", name, 1))
			if without(t, "a retry under a narrower policy", got, "jane", "doe@"); strings.Contains(got, "stk1_") {
				t.Errorf("a retry under a narrower policy shows a token: %s", got)
			}
			if name == "SendMessage" {
				r.reload(t, broader) // what is kept is still the first answer
				without(t, "a retry after both", ask(), "jane", "doe@")
			}
			if n := len(agent.received()); n != 1 {
				t.Errorf("the agent was called %d times, want once", n)
			}
		})
	}
}

// A stand-in that stayed closed for the caller stays closed when the answer is given again, whatever policy says by then.
func TestRetryOpensNothing(t *testing.T) {
	agent := newAgent(t, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		answerWith(`{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"text":"It is `+personIn(body)+`."}]}}`)(w, body)
	}
	r := newTown(t, agent, func(s *gatewaytest.Setup) { s.Policy, _, _ = strings.Cut(townPolicies, `@id("come-home")`) })
	_, first := r.to(t, "/out/a2a/partner", "scrim_key", message("one", "", "Jane Doe", janeData))
	without(t, "the first answer", first, "jane")
	r.reload(t, broader)
	_, again := r.to(t, "/out/a2a/partner", "scrim_key", message("one", "", "Jane Doe", janeData))
	if without(t, "the retry", again, "jane"); !strings.Contains(again, `"result"`) {
		t.Errorf("retry = %s", again)
	}
}

// An answer that was decided while the configuration changed is not taken for one of the configuration before.
func TestAnswerDecidedDuringAReloadGoesDownTheRoadAgain(t *testing.T) {
	agent := newAgent(t, nil)
	r := newTown(t, agent, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		r.reload(t, broader)
		answerWith(`{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":`+janeData+`}]}}`)(w, body)
	}
	_, first := r.to(t, "/a2a/desk", "scrim_guest", fmt.Sprintf(question, "q"))
	if !strings.Contains(first, "Jane Doe") {
		t.Fatalf("answer = %s", first)
	}
	r.reload(t, townPolicies)
	_, again := r.to(t, "/a2a/desk", "scrim_guest", fmt.Sprintf(question, "q"))
	without(t, "the retry", again, "jane doe", "doe@") // "jane" alone can stand in a token
}

func TestOtherParametersOrAnotherCallerAreNoRetry(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newTown(t, agent, nil)
	first := message("one", "", "How are you?", janeData)
	r.to(t, "/a2a/desk", "scrim_guest", first)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", strings.Replace(first, "How", "Who", 1))
	if !strings.Contains(body, `"error"`) {
		t.Errorf("the same id with other words = %s, want an error", body)
	}
	if _, body = r.to(t, "/a2a/desk", "scrim_visitor", first); !strings.Contains(body, `"result"`) {
		t.Errorf("the same id of another caller = %s, want an answer of its own", body)
	}
	if n := len(agent.received()); n != 2 {
		t.Errorf("the agent was called %d times, want twice", n)
	}
	conflicts := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Conflict {
			conflicts++
		}
	}
	if conflicts != 1 {
		t.Errorf("%d conflicts on record, want 1", conflicts)
	}
}
