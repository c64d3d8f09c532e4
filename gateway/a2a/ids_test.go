package a2a_test

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// A conversation of our caller's with agents of two other domains, told with the same ids.
const (
	idMessage  = "9b2f4c1e-0d3a-4e5f-8a6b-7c8d9e0f1a2b"
	idContext  = "c-2026-11"
	idTask     = "0af7651916cd43dd8448eb211c80319c"
	idEarlier  = "task-from-last-week"
	idTrace    = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	idArtifact = "artifact-1"
)

func told(method, id string, tail string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"call-4711","method":%q,"params":{"message":{"messageId":%q,"contextId":%q,"taskId":%q,"referenceTaskIds":[%q],"role":"ROLE_USER","parts":[{"text":"hello"}]}%s}}`,
		method, id, idContext, idTask, idEarlier, tail)
}

// idNames are the members whose values are identifiers.
var idNames = regexp.MustCompile(`"(messageId|contextId|taskId|artifactId|id)":("[^"]*"|\d+)|"referenceTaskIds":\["([^"]*)"\]`)

// idsIn lists the identifiers of a message or stream, but for the JSON-RPC id of calls to other domains.
func idsIn(body string) (all []string) {
	for _, m := range idNames.FindAllStringSubmatch(body, -1) {
		if v := strings.Trim(m[2], `"`) + m[3]; v != "1" {
			all = append(all, v)
		}
	}
	return all
}

// disjoint fails if two parties hold one identifier, or if one holds what is only ours.
func disjoint(t *testing.T, a, b []string, ours ...string) {
	t.Helper()
	if len(a) == 0 || len(b) == 0 {
		t.Fatalf("nothing to compare: %q, %q", a, b)
	}
	for _, v := range a {
		if slices.Contains(b, v) {
			t.Errorf("both hold %q", v)
		}
	}
	for _, v := range append(slices.Clone(a), b...) {
		if slices.Contains(ours, v) {
			t.Errorf("an identifier of our side's was shown: %q", v)
		}
	}
}

// echoing answers with a task that has the ids of the message, in whole or as a stream, and lists tasks.
func echoing(w http.ResponseWriter, body string) {
	var in struct {
		ID     stdjson.RawMessage `json:"id"`
		Method string             `json:"method"`
		Params struct {
			Message stdjson.RawMessage `json:"message"`
		} `json:"params"`
	}
	_ = stdjson.Unmarshal([]byte(body), &in)
	ids := map[string]string{}
	for _, m := range idNames.FindAllStringSubmatch(string(in.Params.Message), -1) {
		ids[m[1]] = strings.Trim(m[2], `"`)
	}
	of := fmt.Sprintf(`"contextId":%q`, ids["contextId"])
	task := fmt.Sprintf(`{"id":%q,%s,"status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":%q,"parts":[{"text":"done"}]}],"history":[%s]}`, ids["taskId"], of, idArtifact, in.Params.Message)
	switch in.Method {
	case "SendMessage":
		answerWith(`{"task":`+task+`}`)(w, body)
	case "ListTasks":
		answerWith(`{"tasks":[{"id":"desk-1","contextId":"desk-c","status":{"state":"TASK_STATE_WORKING"}},{"id":"desk-2","contextId":"desk-c","status":{"state":"TASK_STATE_WORKING"}}],"nextPageToken":"p2","totalSize":2}`)(w, body)
	case "GetTask":
		answerWith(`{"id":"desk-1","contextId":"desk-c","status":{"state":"TASK_STATE_WORKING"}}`)(w, body)
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		for _, result := range []string{
			`{"task":` + strings.Replace(task, "COMPLETED", "WORKING", 1) + `}`,
			fmt.Sprintf(`{"artifactUpdate":{"taskId":%q,%s,"artifact":{"artifactId":%q,"parts":[{"text":"write to a"}]}}}`, ids["taskId"], of, idArtifact),
			fmt.Sprintf(`{"statusUpdate":{"taskId":%q,%s,"status":{"state":"TASK_STATE_COMPLETED"}}}`, ids["taskId"], of),
		} {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", in.ID, result)
		}
	}
}

// Two foreign agents of two domains get the same message in the same task, and nothing that they hold can be joined; our
// caller gets its own ids back, event by event.
func TestTwoDomainsHoldNoIdentifierInCommon(t *testing.T) {
	for _, method := range []string{"SendMessage", "SendStreamingMessage"} {
		t.Run(method, func(t *testing.T) {
			agent := newAgent(t, echoing)
			r := newTown(t, agent, nil)
			for _, to := range []string{"partner", "lab"} {
				status, answer := r.to(t, "/out/a2a/"+to, "scrim_key", told(method, idMessage, ""), "Traceparent", idTrace, "Tracestate", "a=b", "Baggage", "c=d")
				if status != 200 {
					t.Fatalf("%s: %d %s", to, status, answer)
				}
				for _, own := range []string{idMessage, idContext, idTask, idEarlier, "call-4711"} {
					if !strings.Contains(answer, `"`+own+`"`) {
						t.Errorf("%s: our caller does not get its own %s back: %s", to, own, answer)
					}
				}
				if strings.Contains(answer, `"`+idArtifact+`"`) {
					t.Errorf("%s: an id of the foreign side's reached our caller as it was: %s", to, answer)
				}
			}
			got := agent.received()
			disjoint(t, idsIn(got[0]), idsIn(got[1]), idMessage, idContext, idTask, idEarlier, "call-4711")
			if n := len(idsIn(got[0])); n != 4 {
				t.Errorf("the foreign agent holds %d ids, want four: %s", n, got[0])
			}
			a, b := agent.header[0].Get("Traceparent"), agent.header[1].Get("Traceparent")
			if len(a) != 55 || len(b) != 55 || a[3:35] == b[3:35] || a[36:52] == b[36:52] || strings.Contains(a+b, idTrace[3:35]) || strings.Contains(a+b, idTrace[36:52]) {
				t.Errorf("two domains are shown the traces %s and %s", a, b)
			}
			for _, h := range agent.header {
				if h.Get("Tracestate")+h.Get("Baggage") != "" {
					t.Error("tracestate or baggage left the domain")
				}
			}
			var traces []string
			for _, ev := range r.Events() {
				traces = append(traces, string(ev.Flow.Trace))
			}
			if slices.Sort(traces); traces[0] == "" || traces[0] != traces[len(traces)-1] || strings.Contains(idTrace, traces[0]) {
				t.Errorf("the journal calls the flows of one trace %q", traces)
			}
		})
	}
}

// Callers of two domains are shown one task of ours under ids that they cannot join, and each finds it by its own.
func TestCallersOfTwoDomainsCannotJoinATask(t *testing.T) {
	agent := newAgent(t, echoing)
	r := newTown(t, agent, nil)
	list := `{"jsonrpc":"2.0","id":5,"method":"ListTasks","params":{"tenant":"ward-3","contextId":"theirs"}}`
	held := map[string][]string{}
	for _, key := range []string{"scrim_guest", "scrim_visitor"} {
		status, answer := r.to(t, "/a2a/desk", key, list)
		if status != 200 || !strings.Contains(answer, `"id":5`) || !strings.Contains(answer, `"nextPageToken":"p2"`) {
			t.Fatalf("answer = %d %s", status, answer)
		}
		held[key] = slices.DeleteFunc(idsIn(answer), func(s string) bool { return s == "5" })
		if n := len(held[key]); n != 4 || held[key][1] != held[key][3] {
			t.Fatalf("%s holds %q, want two tasks of one context", key, held[key])
		}
	}
	disjoint(t, held["scrim_guest"], held["scrim_visitor"], "desk-1", "desk-2", "desk-c")
	if got := agent.received()[0]; !strings.Contains(got, `"tenant":"ward-3"`) || strings.Contains(got, `"theirs"`) {
		t.Errorf("our agent is asked %s", got)
	}

	get := func(key, id string) string {
		t.Helper()
		before := len(agent.received())
		r.to(t, "/a2a/desk", key, fmt.Sprintf(`{"jsonrpc":"2.0","id":6,"method":"GetTask","params":{"id":%q}}`, id))
		return idsIn(agent.received()[before])[0]
	}
	if got := get("scrim_guest", held["scrim_guest"][0]); got != "desk-1" {
		t.Errorf("the task that the guest was given is %q to our agent", got)
	}
	if got := get("scrim_visitor", held["scrim_guest"][0]); got == "desk-1" || !strings.HasPrefix(got, "sid1_") {
		t.Errorf("the visitor reaches the guest's task by the guest's id: %q", got)
	}
	if got := get("scrim_visitor", "desk-1"); got == "desk-1" || !strings.HasPrefix(got, "sid1_") {
		t.Errorf("a visitor that guesses our own id reaches %q", got)
	}
}

// Within the domain ids and traces pass byte for byte, the caller's JSON-RPC id too.
func TestWithinTheDomainIdentifiersPass(t *testing.T) {
	agent := newAgent(t, echoing)
	r := newTown(t, agent, nil)
	body := told("SendMessage", idMessage, `,"metadata":null`)
	status, answer := r.to(t, "/a2a/desk", "scrim_key", body, "Traceparent", idTrace)
	if got := agent.received()[0]; status != 200 || got != body {
		t.Errorf("answer = %d, agent received %s", status, got)
	}
	if !strings.Contains(answer, `"`+idArtifact+`"`) || agent.header[0].Get("Traceparent") != idTrace {
		t.Errorf("trace %s, answer %s", agent.header[0].Get("Traceparent"), answer)
	}
}

// A retry after a restart and a new key epoch is the same request to the gateway, and shows the agent the same ids.
func TestIdentifiersStayThroughRestartAndRotation(t *testing.T) {
	agent := newAgent(t, echoing)
	dir := t.TempDir()
	place := func(s *gatewaytest.Setup) { s.Dir = dir }
	first := newTown(t, agent, place)
	_, answer := first.to(t, "/out/a2a/partner", "scrim_key", told("SendMessage", idMessage, ""))
	if err := first.Keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.srv.Close()
	first.Close(t)
	second := newTown(t, agent, place)
	if _, again := second.to(t, "/out/a2a/partner", "scrim_key", told("SendMessage", idMessage, "")); again != answer {
		t.Errorf("the retry is answered\n%s\nwant\n%s", again, answer)
	}
	if n := len(agent.received()); n != 1 {
		t.Fatalf("the agent was called %d times", n)
	}
	second.to(t, "/out/a2a/partner", "scrim_key", told("SendMessage", "m-next", ""))
	a, b := idsIn(agent.received()[0]), idsIn(agent.received()[1])
	if a[0] == b[0] || !slices.Equal(a[1:], b[1:]) {
		t.Errorf("the agent knew the task by %q and now by %q", a, b)
	}
	tasks := map[string]bool{}
	for _, ev := range append(first.Events(), second.Events()...) {
		tasks[string(ev.Flow.Task.ID)] = true
	}
	if len(tasks) != 1 {
		t.Errorf("one task is %d to the journal", len(tasks))
	}
}

func TestAnIdentifierTooLongForAnotherDomainIsRefused(t *testing.T) {
	agent := newAgent(t, echoing)
	r := newTown(t, agent, nil)
	long := strings.Repeat("x", 200)
	_, answer := r.to(t, "/out/a2a/partner", "scrim_key", told("SendMessage", long, ""))
	if !strings.Contains(answer, "/params/message/messageId") || strings.Contains(answer, long) || len(agent.received()) != 0 {
		t.Errorf("answer = %s", answer)
	}
	if status, answer := r.to(t, "/a2a/desk", "scrim_key", told("SendMessage", long, "")); status != 200 || !strings.Contains(answer, long) {
		t.Errorf("within the domain: %d %s", status, answer)
	}
}

// A call passes two gateways, each of which maps for the other's domain: our caller and the agent at the far end both
// keep their own ids, whatever is asked by them later, and nobody in between sees either's.
func TestIdentifiersThroughTwoGateways(t *testing.T) {
	agent := newAgent(t, echoing)
	far := newTown(t, agent, nil)
	var between []string
	wire := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		between = append(between, string(b))
		r.URL.Path, r.RequestURI, r.Body = "/a2a/desk"+r.URL.Path, "", io.NopCloser(strings.NewReader(string(b)))
		far.srv.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(wire.Close)
	up, err := gateway.NewUpstream(wire.URL, "Authorization", flow.NewSecret("Bearer scrim_guest"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	near := newTown(t, newAgent(t, echoing), func(s *gatewaytest.Setup) {
		for _, a := range s.Agents {
			if a.Party.Agent == "partner" {
				a.A2A = up
			}
		}
	})
	for _, method := range []string{"SendMessage", "SendStreamingMessage"} {
		status, answer := near.to(t, "/out/a2a/partner", "scrim_key", told(method, idMessage+method, ""))
		if status != 200 {
			t.Fatalf("answer = %d %s", status, answer)
		}
		for _, own := range []string{idMessage + method, idContext, idTask, idEarlier} {
			if !strings.Contains(answer, `"`+own+`"`) {
				t.Errorf("%s: our caller does not get its own %s back: %s", method, own, answer)
			}
		}
		got := agent.received()
		disjoint(t, idsIn(between[len(between)-1]), idsIn(got[len(got)-1]), idMessage+method, idContext, idTask, idEarlier, idArtifact)
	}
	_, answer := near.to(t, "/out/a2a/partner", "scrim_key", `{"jsonrpc":"2.0","id":5,"method":"ListTasks","params":{}}`)
	ours := slices.DeleteFunc(idsIn(answer), func(s string) bool { return s == "5" })
	near.to(t, "/out/a2a/partner", "scrim_key", fmt.Sprintf(`{"jsonrpc":"2.0","id":6,"method":"GetTask","params":{"id":%q}}`, ours[2]))
	got := agent.received()
	if last := idsIn(got[len(got)-1]); len(last) != 1 || last[0] != "desk-2" {
		t.Errorf("the task that our caller calls %s is %q to the agent, want its own desk-2", ours[2], last)
	}
}

// Programs repeat ids in their words, errors above all. Our agent's own id does not reach another domain so, nor does a
// caller's reach the agent; words that are no id stay.
func TestIdentifiersInWords(t *testing.T) {
	const own = "0193e0a4-7c1e-7b3a-9f00-5a1c2d3e4f50"
	agent := newAgent(t, func(w http.ResponseWriter, body string) {
		var in struct {
			ID     stdjson.RawMessage `json:"id"`
			Method string             `json:"method"`
			Params struct {
				ID string `json:"id"`
			} `json:"params"`
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		if in.Method == "CancelTask" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32002,"message":"Task not cancelable: %s"}}`, in.ID, in.Params.ID)
			return
		}
		answerWith(fmt.Sprintf(`{"task":{"id":%q,"contextId":"desk","status":{"state":"TASK_STATE_WORKING","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"Started %[1]s at the desk. See x%[1]s, caf\u00e9 \"%[1]s\"."}]}}}}`, own))(w, body)
	})
	r := newTown(t, agent, nil)
	held := map[string]string{}
	for _, key := range []string{"scrim_guest", "scrim_visitor"} {
		body := told("SendMessage", idMessage, "")
		_, answer := r.to(t, "/a2a/desk", key, strings.Replace(body, "hello", "hello about "+idTask+", "+idMessage, 1))
		id := idsIn(answer)[1]
		if id == own || !strings.Contains(answer, "Started "+id+` at the desk. See x`+own) || !strings.Contains(answer, `caf\u00e9 \"`+id+`\"`) {
			t.Errorf("%s is told %s", key, answer)
		}
		got := agent.received()[len(agent.received())-1]
		for _, theirs := range []string{idTask, idMessage} {
			if strings.Contains(got, theirs) {
				t.Errorf("our agent sees %s of another domain's: %s", theirs, got)
			}
		}
		_, refused := r.to(t, "/a2a/desk", key, fmt.Sprintf(`{"jsonrpc":"2.0","id":6,"method":"CancelTask","params":{"id":%q}}`, id))
		if !strings.Contains(refused, "Task not cancelable: "+id+`"`) {
			t.Errorf("%s is refused with %s", key, refused)
		}
		held[key] = id
	}
	if held["scrim_guest"] == held["scrim_visitor"] {
		t.Error("both domains hold one id")
	}
}

// What an agent of another domain calls a task and context is known to be our caller's task when the caller comes back
// with what it was told they are called.
func TestTaskNamedAcrossTheBorderGoesOn(t *testing.T) {
	for _, member := range []string{"contextId", "taskId"} {
		t.Run(member, func(t *testing.T) {
			r := newTown(t, newAgent(t, answerWith(`{"task":{"id":"desk-1","contextId":"desk-c","status":{"state":"TASK_STATE_WORKING"}}}`)), nil)
			send := func(message, more string) string {
				t.Helper()
				status, answer := r.to(t, "/out/a2a/partner", "scrim_key", fmt.Sprintf(`{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"hello"}]%s}}}`, message, more))
				if status != 200 {
					t.Fatalf("%d %s", status, answer)
				}
				return answer
			}
			var told struct {
				Result struct {
					Task struct{ ID, ContextID string }
				}
			}
			if err := stdjson.Unmarshal([]byte(send("m-1", "")), &told); err != nil || told.Result.Task.ID == "desk-1" {
				t.Fatalf("%+v, %v", told, err)
			}
			name := told.Result.Task.ID
			if member == "contextId" {
				name = told.Result.Task.ContextID
			}
			send("m-2", fmt.Sprintf(`,%q:%q`, member, name))
			tasks := map[flow.TaskID]int{}
			for _, ev := range r.Events() {
				tasks[ev.Flow.Task.ID]++
			}
			if len(tasks) != 1 {
				t.Errorf("the journal has flows of %d tasks, want one: %v", len(tasks), tasks)
			}
		})
	}
}
