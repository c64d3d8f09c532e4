package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// musts are the demands, by section of the specification. Those of clients and of deployments (TLS, key handling) are
// not here: they cannot be seen from where a client stands.
var musts = slices.Concat(sending, tasks, streaming, capabilities, multiTurn, versions, dataModel, pushing, cards, bindingRules)

var sending = []must{
	{section: "3.1.1", name: "SendMessage answers with a task or a message", check: func(c *checker) {
		if t := c.task(c.message("tck-complete-task")); state(t) != "TASK_STATE_COMPLETED" {
			c.errorf("the task is %s", state(t))
		}
		if r := c.call("SendMessage", c.message("tck-message-response")); text(r.body, "message", "messageId") == "" || r.body["task"] != nil {
			c.errorf("the answer is no message: %s", shape(r.body))
		}
	}},
	{section: "3.1.1", name: "a message to a task that has ended is an UnsupportedOperationError", check: func(c *checker) {
		for _, scenario := range []string{"tck-complete-task", "tck-reject-task", "scrim-fail-task"} {
			t := c.task(c.message(scenario))
			c.fails(c.call("SendMessage", c.message("tck-complete-task", "taskId", t["id"])), "UnsupportedOperationError")
		}
	}},
	{section: "3.1.1", name: "a media type that the agent does not take is a ContentTypeNotSupportedError", check: func(c *checker) {
		part := object{"raw": "c2NyaW0=", "mediaType": "application/x-nobody-knows"}
		c.fails(c.call("SendMessage", c.message("tck-complete-task", "parts", []any{part})), "ContentTypeNotSupportedError")
	}},
	{section: "3.2.2", name: "without returnImmediately the answer waits until the task has ended or waits itself", check: func(c *checker) {
		if t := c.task(c.message("tck-delayed-complete")); state(t) != "TASK_STATE_COMPLETED" {
			c.errorf("the task is %s", state(t))
		}
		if t := c.task(c.message("tck-input-required")); state(t) != "TASK_STATE_INPUT_REQUIRED" {
			c.errorf("the task is %s", state(t))
		}
		if t := c.task(c.message("scrim-auth-required")); state(t) != "TASK_STATE_AUTH_REQUIRED" {
			c.errorf("the task is %s", state(t))
		}
	}},
	{section: "3.2.2", name: "with returnImmediately the answer does not wait", check: func(c *checker) {
		t := c.working()
		if s := state(t); s != "TASK_STATE_SUBMITTED" && s != "TASK_STATE_WORKING" {
			c.errorf("the task is %s", s)
		}
		c.ended(t["id"])
	}},
	{section: "3.3.2", name: "params are checked before anything is done", check: func(c *checker) {
		none := c.message("tck-complete-task")
		delete(none["message"].(object), "parts")
		c.fails(c.call("SendMessage", none), "InvalidParamsError")
		c.fails(c.call("SendMessage", object{}), "InvalidParamsError")
	}},
	{section: "3.3.2", name: "an error has a code and says in words what is wrong", check: func(c *checker) {
		r := c.call("GetTask", object{"id": "no-such-task"})
		if r.fault == nil || r.fault.code == 0 || r.fault.message == "" {
			c.errorf("the error is %+v", r.fault)
		}
	}},
}

var tasks = []must{
	{section: "3.1.3", name: "GetTask returns the task as it is, with its artifacts", check: func(c *checker) {
		t := c.task(c.message("tck-artifact-text"))
		got := c.get(t["id"])
		if got["id"] != t["id"] || state(got) != "TASK_STATE_COMPLETED" || len(list(got, "artifacts")) != 1 {
			c.errorf("GetTask returned %s", shape(got))
		}
		waits := c.task(c.message("tck-input-required"))
		if got := c.get(waits["id"]); state(got) != "TASK_STATE_INPUT_REQUIRED" {
			c.errorf("the task is %s", state(got))
		}
	}},
	{section: "3.1.3", name: "GetTask of an unknown task is a TaskNotFoundError", check: func(c *checker) {
		c.fails(c.call("GetTask", object{"id": "no-such-task"}), "TaskNotFoundError")
	}},
	{section: "3.1.4", name: "ListTasks lists the tasks of a context, the latest first", check: func(c *checker) {
		context, ids := c.three()
		r := c.call("ListTasks", object{"contextId": context})
		got := list(r.body, "tasks")
		if len(got) != 3 {
			c.errorf("%d tasks are listed, want 3", len(got))
			return
		}
		for i, t := range got {
			if t["id"] != ids[2-i] {
				c.errorf("task %d of the list is not the %d. last", i, i+1)
			}
			if i > 0 && text(t, "status", "timestamp") > text(got[i-1], "status", "timestamp") {
				c.errorf("task %d of the list is later than the one before", i)
			}
		}
	}},
	{section: "3.1.4", name: "ListTasks goes by pages, and its nextPageToken is there to the end, where it is empty", check: func(c *checker) {
		context, _ := c.three()
		first := c.call("ListTasks", object{"contextId": context, "pageSize": 2})
		token, there := first.body["nextPageToken"].(string)
		if !there || token == "" || len(list(first.body, "tasks")) != 2 {
			c.errorf("the first page is %s with token %q", shape(first.body), token)
		}
		second := c.call("ListTasks", object{"contextId": context, "pageSize": 2, "pageToken": token})
		token, there = second.body["nextPageToken"].(string)
		if !there || token != "" || len(list(second.body, "tasks")) != 1 {
			c.errorf("the last page is %s with token %q", shape(second.body), token)
		}
	}},
	{section: "3.1.4", name: "ListTasks leaves artifacts out unless they are asked for", check: func(c *checker) {
		t := c.task(c.message("tck-artifact-text"))
		for _, want := range []bool{false, true} {
			r := c.call("ListTasks", object{"contextId": t["contextId"], "includeArtifacts": want})
			for _, got := range list(r.body, "tasks") {
				if _, there := got["artifacts"]; there != want {
					c.errorf("includeArtifacts %v: artifacts are there: %v", want, there)
				}
			}
		}
	}},
	{section: "3.1.5", name: "CancelTask returns the task, canceled", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		if r := c.call("CancelTask", object{"id": t["id"]}); r.body["id"] != t["id"] || state(r.body) != "TASK_STATE_CANCELED" {
			c.errorf("CancelTask returned %s", shape(r.body))
		}
	}},
	{section: "3.1.5", name: "CancelTask of a task that has ended is a TaskNotCancelableError", check: func(c *checker) {
		t := c.task(c.message("tck-complete-task"))
		c.fails(c.call("CancelTask", object{"id": t["id"]}), "TaskNotCancelableError")
	}},
	{section: "3.1.5", name: "CancelTask of an unknown task is a TaskNotFoundError", check: func(c *checker) {
		c.fails(c.call("CancelTask", object{"id": "no-such-task"}), "TaskNotFoundError")
	}},
	{section: "3.2.4", name: "a history is no longer than historyLength", check: func(c *checker) {
		first := c.task(c.message("tck-input-required"))
		p := c.message("tck-complete-task", "taskId", first["id"])
		p["configuration"] = object{"historyLength": 1}
		if t := c.task(p); len(list(t, "history")) > 1 {
			c.errorf("SendMessage: %d messages, want at most 1", len(list(t, "history")))
		}
		for n := range 3 {
			r := c.call("GetTask", object{"id": first["id"], "historyLength": n})
			if got := len(list(r.body, "history")); got > n {
				c.errorf("GetTask: %d messages, want at most %d", got, n)
			}
		}
	}},
}

// three begins three tasks of one context, one after the other.
func (c *checker) three() (context any, ids []any) {
	first := c.task(c.message("tck-complete-task"))
	context, ids = first["contextId"], append(ids, first["id"])
	for range 2 {
		time.Sleep(5 * time.Millisecond) // the order is told by time
		ids = append(ids, c.task(c.message("tck-complete-task", "contextId", context))["id"])
	}
	return context, ids
}

var streaming = []must{
	{section: "3.1.2", name: "SendStreamingMessage opens a stream that begins with the task and closes when it has ended", check: func(c *checker) {
		st := c.open("SendStreamingMessage", c.message("tck-stream"))
		evs, ended := st.all(30 * time.Second)
		if !ended || len(evs) < 2 {
			c.errorf("%d events; closed: %v", len(evs), ended)
			return
		}
		if at(evs[0], "task") == nil {
			c.errorf("the stream begins with %s", shape(evs[0]))
		}
		if last := evs[len(evs)-1]; text(last, "statusUpdate", "status", "state") != "TASK_STATE_COMPLETED" {
			c.errorf("the stream ends with %s", shape(last))
		}
		for _, ev := range evs {
			c.note("event %s", shape(ev))
		}
	}},
	{section: "3.1.2", name: "a stream that answers with a message holds that alone", check: func(c *checker) {
		evs, ended := c.open("SendStreamingMessage", c.message("tck-message-response")).all(20 * time.Second)
		if !ended || len(evs) != 1 || at(evs[0], "message") == nil {
			c.errorf("%d events; closed: %v", len(evs), ended)
		}
	}},
	{section: "3.1.2", name: "a stream ends when the task waits for its caller", check: func(c *checker) {
		evs, ended := c.open("SendStreamingMessage", c.message("tck-input-required")).all(20 * time.Second)
		if !ended || len(evs) == 0 || !strings.Contains(shape(evs[len(evs)-1]), "INPUT_REQUIRED") {
			c.errorf("%d events; closed: %v", len(evs), ended)
		}
	}},
	{section: "3.1.6", name: "SubscribeToTask begins with the task as it is and closes when it has ended", check: func(c *checker) {
		t := c.working()
		evs, ended := c.open("SubscribeToTask", object{"id": t["id"]}).all(30 * time.Second)
		if !ended || len(evs) < 2 || text(evs[0], "task", "id") != t["id"] {
			c.errorf("%d events; closed: %v", len(evs), ended)
			return
		}
		if last := evs[len(evs)-1]; !strings.Contains(shape(last), "TASK_STATE_COMPLETED") {
			c.errorf("the stream ends with %s", shape(last))
		}
	}},
	{section: "3.1.6", name: "SubscribeToTask of a task that has ended is an UnsupportedOperationError", check: func(c *checker) {
		t := c.task(c.message("tck-complete-task"))
		c.fails(c.open("SubscribeToTask", object{"id": t["id"]}).opened, "UnsupportedOperationError")
	}},
	{section: "3.1.6", name: "SubscribeToTask of an unknown task is a TaskNotFoundError", check: func(c *checker) {
		c.fails(c.open("SubscribeToTask", object{"id": "no-such-task"}).opened, "TaskNotFoundError")
	}},
	{section: "3.5.2", name: "events come in the order in which they were made", check: func(c *checker) {
		evs, _ := c.open("SendStreamingMessage", c.message("scrim-slow")).all(30 * time.Second)
		c.counted(evs, 0)
	}},
	{section: "3.5.2", name: "every stream of a task gets the same events in the same order, and one that closes takes no other with it", check: func(c *checker) {
		t := c.working()
		one, two, three := c.open("SubscribeToTask", object{"id": t["id"]}), c.open("SubscribeToTask", object{"id": t["id"]}), c.open("SubscribeToTask", object{"id": t["id"]})
		<-three.events
		three.close()
		a, endedA := one.all(30 * time.Second)
		b, endedB := two.all(30 * time.Second)
		if !endedA || !endedB {
			c.errorf("closed: %v and %v", endedA, endedB)
		}
		c.counted(a, -1)
		c.counted(b, -1)
	}},
}

// counted holds the events of scenario scrim-slow to their order; from is the first number that must be there, and -1
// allows a later one.
func (c *checker) counted(evs []object, from int) {
	next := from
	for _, ev := range evs {
		for _, p := range list(ev, "artifactUpdate", "artifact", "parts") {
			if next == -1 {
				_, _ = fmt.Sscan(text(p, "text"), &next) // anything but a number fails below
			}
			if got := text(p, "text"); got != fmt.Sprint(next) {
				c.errorf("number %s comes where %d should", got, next)
				return
			}
			next++
		}
	}
	if next != 12 {
		c.errorf("the numbers end before %d, want 12", next)
	}
	if len(evs) > 0 && !strings.Contains(shape(evs[len(evs)-1]), "TASK_STATE_COMPLETED") {
		c.errorf("the last event is %s", shape(evs[len(evs)-1]))
	}
}

var capabilities = []must{
	{section: "3.3.4", name: "push notifications of an agent without them are a PushNotificationNotSupportedError", agent: "bare", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		config := object{"taskId": t["id"], "id": "one", "url": "https://example.com/hook"}
		c.fails(c.call("CreateTaskPushNotificationConfig", config), "PushNotificationNotSupportedError")
		for _, method := range []string{"GetTaskPushNotificationConfig", "DeleteTaskPushNotificationConfig"} {
			c.fails(c.call(method, object{"taskId": t["id"], "id": "one"}), "PushNotificationNotSupportedError")
		}
		c.fails(c.call("ListTaskPushNotificationConfigs", object{"taskId": t["id"]}), "PushNotificationNotSupportedError")
	}},
	{section: "3.3.4", name: "streams of an agent without them are an UnsupportedOperationError", agent: "bare", check: func(c *checker) {
		c.fails(c.open("SendStreamingMessage", c.message("tck-complete-task")).opened, "UnsupportedOperationError")
		t := c.task(c.message("tck-input-required"))
		c.fails(c.open("SubscribeToTask", object{"id": t["id"]}).opened, "UnsupportedOperationError")
	}},
	{section: "3.3.4", name: "the extended card of an agent without one is an UnsupportedOperationError", agent: "bare", check: func(c *checker) {
		c.fails(c.call("GetExtendedAgentCard", object{}), "UnsupportedOperationError")
	}},
	{section: "3.3.4", name: "whoever does not know a required extension gets an ExtensionSupportRequiredError", agent: "demanding", check: func(c *checker) {
		c.fails(c.call("SendMessage", c.message("tck-complete-task")), "ExtensionSupportRequiredError")
		if r := c.call("SendMessage", c.message("tck-complete-task"), "A2A-Extensions", requiredExtension); r.fault != nil {
			c.errorf("whoever knows it is refused: %s", r.fault.message)
		}
		if r := c.call("SendMessage", c.message("tck-complete-task"), "A2A-Extensions", "urn:scrim:other, "+requiredExtension); r.fault != nil {
			c.errorf("whoever knows two is refused: %s", r.fault.message)
		}
	}},
}

const requiredExtension = "urn:scrim:required"

var multiTurn = []must{
	{section: "3.4.1", name: "a context that the agent made is told", check: func(c *checker) {
		if t := c.task(c.message("tck-complete-task")); text(t, "contextId") == "" {
			c.errorf("the task has no context")
		}
		if r := c.call("SendMessage", c.message("tck-message-response")); text(r.body, "message", "contextId") == "" {
			c.errorf("the message has no context")
		}
	}},
	{section: "3.4.1", name: "a context that the client made is kept, or refused, and never replaced", check: func(c *checker) {
		mine := "context-" + c.prefix
		r := c.call("SendMessage", c.message("tck-complete-task", "contextId", mine))
		if r.fault == nil && text(r.body, "task", "contextId") != mine {
			c.errorf("the context became %q", text(r.body, "task", "contextId"))
		}
	}},
	{section: "3.4.2", name: "every new task has an id of its own", check: func(c *checker) {
		ids := map[string]bool{}
		for range 5 {
			ids[text(c.task(c.message("tck-complete-task")), "id")] = true
		}
		if len(ids) != 5 || ids[""] {
			c.errorf("5 tasks have %d ids", len(ids))
		}
	}},
	{section: "3.4.2", name: "a message to an unknown task is a TaskNotFoundError", check: func(c *checker) {
		c.fails(c.call("SendMessage", c.message("tck-complete-task", "taskId", "no-such-task")), "TaskNotFoundError")
	}},
	{section: "3.4.3", name: "the context of a message to a task is the task's", check: func(c *checker) {
		first := c.task(c.message("tck-input-required"))
		second := c.task(c.message("tck-complete-task", "taskId", first["id"]))
		if second["id"] != first["id"] || second["contextId"] != first["contextId"] || state(second) != "TASK_STATE_COMPLETED" {
			c.errorf("the answer is of another task or context: %s", shape(second))
		}
	}},
	{section: "3.4.3", name: "a message whose context is not its task's is refused", check: func(c *checker) {
		first := c.task(c.message("tck-input-required"))
		if r := c.call("SendMessage", c.message("tck-complete-task", "taskId", first["id"], "contextId", "another-"+c.prefix)); r.fault == nil {
			c.errorf("it was taken")
		}
	}},
}

var versions = []must{
	{section: "3.6.2", name: "a version that is not spoken is a VersionNotSupportedError", check: func(c *checker) {
		for _, v := range []string{"9.9", "2.0", "0.2"} {
			c.fails(c.call("SendMessage", c.message("tck-complete-task"), "A2A-Version", v), "VersionNotSupportedError")
		}
	}},
	{section: "3.6.2", name: "no version means 0.3, which this agent does not speak", check: func(c *checker) {
		c.fails(c.call("SendMessage", c.message("tck-complete-task"), "A2A-Version", ""), "VersionNotSupportedError")
	}},
	{section: "3.6", name: "a patch number does not count", check: func(c *checker) {
		if r := c.call("SendMessage", c.message("tck-complete-task"), "A2A-Version", "1.0.1"); r.fault != nil {
			c.errorf("1.0.1 is refused: %s", r.fault.message)
		}
	}},
}
