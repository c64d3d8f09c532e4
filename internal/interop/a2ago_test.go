package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/a2aproject/a2a-go/v2/a2aclient/agentcard"
	"github.com/google/uuid"
)

// attemptA2A tells what a call returned, or the protocol's name of its error.
func attemptA2A[R any](t *transcript, what string, call func() (R, error)) R {
	v, err := call()
	if err != nil {
		t.tell(what+" fails", a2a.ErrorReason(err))
		return v
	}
	t.tell(what, v)
	return v
}

func streamA2A(t *transcript, what string, events iter.Seq2[a2a.Event, error]) (last a2a.Event) {
	for ev, err := range events {
		if err != nil {
			t.tell(what+" fails", a2a.ErrorReason(err))
			return last
		}
		t.tell(what, a2a.StreamResponse{Event: ev})
		last = ev
	}
	return last
}

func request(scenario string, change func(*a2a.SendMessageRequest)) *a2a.SendMessageRequest {
	m := a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart("Please, for jane.doe@example.org."))
	m.ID = scenario + "-" + uuid.NewString()
	req := &a2a.SendMessageRequest{Message: m}
	if change != nil {
		change(req)
	}
	return req
}

// goA2AClient goes through every operation of an agent, on the official Go SDK, and returns what it saw.
func goA2AClient(ctx context.Context, binding, url, hook, authorization string) (string, error) {
	client := &http.Client{Transport: authorized{authorization}}
	card, err := agentcard.NewResolver(client).Resolve(ctx, url)
	if err != nil {
		return "", err
	}
	c, err := a2aclient.NewFromCard(ctx, card, a2aclient.WithConfig(a2aclient.Config{PreferredTransports: []a2a.TransportProtocol{a2a.TransportProtocol(binding)}}),
		a2aclient.WithJSONRPCTransport(client), a2aclient.WithRESTTransport(client))
	if err != nil {
		return "", err
	}
	t := &transcript{}
	send := func(what, scenario string, change func(*a2a.SendMessageRequest)) *a2a.Task {
		res := attemptA2A(t, what, func() (a2a.SendMessageResult, error) { return c.SendMessage(ctx, request(scenario, change)) })
		task, _ := res.(*a2a.Task)
		return task
	}
	send("message", "tck-message-response", nil)
	last := streamA2A(t, "stream", c.SendStreamingMessage(ctx, request("tck-stream", nil)))
	if last == nil {
		return "", errors.New("a stream without an event")
	}
	done := last.TaskInfo().TaskID
	get := func(what string, id a2a.TaskID) {
		attemptA2A(t, what, func() (*a2a.Task, error) { return c.GetTask(ctx, &a2a.GetTaskRequest{ID: id}) })
	}
	cancel := func(what string, id a2a.TaskID) {
		attemptA2A(t, what, func() (*a2a.Task, error) { return c.CancelTask(ctx, &a2a.CancelTaskRequest{ID: id}) })
	}
	get("get", done)
	get("get unknown", "no-such-task")
	cancel("cancel done", done)
	send("say more to done", "tck-complete-task", func(r *a2a.SendMessageRequest) { r.Message.TaskID = done })
	waiting := send("wait", "tck-input-required", nil)
	if waiting == nil {
		return "", errors.New("no task that waits")
	}
	attemptA2A(t, "list", func() (*a2a.ListTasksResponse, error) {
		return c.ListTasks(ctx, &a2a.ListTasksRequest{ContextID: waiting.ContextID})
	})
	goA2AHooks(ctx, t, c, waiting, hook, func() {
		send("say more", "tck-complete-task", func(r *a2a.SendMessageRequest) {
			r.Message.TaskID, r.Message.ContextID = waiting.ID, waiting.ContextID
		})
	})
	if other := send("wait again", "tck-input-required", nil); other != nil {
		time.Sleep(300 * time.Millisecond) // agents need a moment before what waits can be canceled
		cancel("cancel", other.ID)
	}
	slow := send("slow", "scrim-late", func(r *a2a.SendMessageRequest) { r.Config = &a2a.SendMessageConfig{ReturnImmediately: true} })
	if slow != nil {
		streamA2A(t, "subscribe", c.SubscribeToTask(ctx, &a2a.SubscribeToTaskRequest{ID: slow.ID}))
	}
	attemptA2A(t, "extended card", func() (*a2a.AgentCard, error) {
		return c.GetExtendedAgentCard(ctx, &a2a.GetExtendedAgentCardRequest{})
	})
	return strings.Join(t.lines, "\n"), nil
}

func goA2AHooks(ctx context.Context, t *transcript, c *a2aclient.Client, task *a2a.Task, hook string, say func()) {
	attemptA2A(t, "push", func() (*a2a.PushConfig, error) {
		return c.CreateTaskPushConfig(ctx, &a2a.PushConfig{TaskID: task.ID, ID: "hook", URL: hook, Auth: &a2a.PushAuthInfo{Scheme: "Bearer", Credentials: "hook-secret"}})
	})
	attemptA2A(t, "push get", func() (*a2a.PushConfig, error) {
		return c.GetTaskPushConfig(ctx, &a2a.GetTaskPushConfigRequest{TaskID: task.ID, ID: "hook"})
	})
	attemptA2A(t, "push list", func() ([]*a2a.PushConfig, error) {
		return c.ListTaskPushConfigs(ctx, &a2a.ListTaskPushConfigRequest{TaskID: task.ID})
	})
	say()
	time.Sleep(time.Second) // agents send notifications after they have answered
	attemptA2A(t, "push delete", func() (any, error) {
		return nil, c.DeleteTaskPushConfig(ctx, &a2a.DeleteTaskPushConfigRequest{TaskID: task.ID, ID: "hook"})
	})
}

// neutral makes transcripts comparable: ids become numbers in the order in which they appear, times disappear, and
// so does what a card says of whoever shows it: addresses, credentials, signatures.
func neutral(transcript string) string {
	ids := map[string]int{}
	var out []string
	for line := range strings.SplitSeq(transcript, "\n") {
		var v []any
		if json.Unmarshal([]byte(line), &v) != nil || len(v) != 2 {
			out = append(out, line)
			continue
		}
		if strings.HasPrefix(v[0].(string), "slow") {
			continue // what is seen of a task under way depends on when one looks
		}
		if v[0] == "extended card" {
			if card, ok := v[1].(object); ok {
				delete(card, "supportedInterfaces")
				delete(card, "signatures")
				delete(card, "securitySchemes")
				delete(card, "securityRequirements")
				delete(at(card, "capabilities"), "extensions")
			}
		}
		renumber(v[1], ids)
		raw, err := json.Marshal(v)
		if err != nil {
			raw = []byte(err.Error())
		}
		out = append(out, string(raw))
	}
	return strings.Join(out, "\n")
}

// idNames are the members that hold ids, in the order in which they are numbered.
var idNames = []string{"id", "taskId", "contextId", "messageId", "artifactId"}

func renumber(v any, ids map[string]int) {
	switch v := v.(type) {
	case object:
		for _, name := range idNames {
			if s, ok := v[name].(string); ok && s != "" {
				if ids[s] == 0 {
					ids[s] = len(ids) + 1
				}
				v[name] = ids[s]
			}
		}
		if _, ok := v["timestamp"]; ok {
			v["timestamp"] = "(a time)"
		}
		delete(v, "credentials") // of a webhook: what was sealed is not told again
		for _, name := range slices.Sorted(maps.Keys(v)) {
			renumber(v[name], ids)
		}
	case []any:
		for _, w := range v {
			renumber(w, ids)
		}
	}
}
