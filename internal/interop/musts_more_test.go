package interop_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// word is one of the protocol's fixed words, such as TASK_STATE_WORKING.
var word = regexp.MustCompile(`^(TASK_STATE|ROLE)_[A-Z_]+$`)

// moment is a time of the protocol: ISO 8601, in UTC, with at most milliseconds of use.
var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`)

// walk calls each with every member of an object and of what it holds, except what an agent's own data holds.
func walk(v any, each func(name string, v any)) {
	switch v := v.(type) {
	case object:
		for name, w := range v {
			each(name, w)
			if name != "data" && name != "metadata" {
				walk(w, each)
			}
		}
	case []any:
		for _, w := range v {
			walk(w, each)
		}
	}
}

// samples are one task with each kind of content.
func (c *checker) samples() (out []object) {
	for _, scenario := range []string{"tck-complete-task", "tck-artifact-text", "tck-artifact-file", "tck-artifact-file-url", "tck-artifact-data", "tck-input-required"} {
		out = append(out, c.task(c.message(scenario)))
	}
	return append(out, at(c.call("SendMessage", c.message("tck-message-response")).body, "message"))
}

var dataModel = []must{
	{section: "4.1.1", name: "a task has an id and a status, and the status a state", check: func(c *checker) {
		t := c.task(c.message("tck-complete-task"))
		if text(t, "id") == "" || !word.MatchString(state(t)) {
			c.errorf("the task is %s", shape(t))
		}
	}},
	{section: "4.1.4", name: "a message has an id, a role and parts", check: func(c *checker) {
		r := c.call("SendMessage", c.message("tck-message-response"))
		if m := at(r.body, "message"); text(m, "messageId") == "" || text(m, "role") != "ROLE_AGENT" || len(list(m, "parts")) == 0 {
			c.errorf("the message is %s", shape(m))
		}
		status := at(c.task(c.message("tck-input-required")), "status", "message")
		if text(status, "messageId") == "" || text(status, "role") != "ROLE_AGENT" || len(list(status, "parts")) == 0 {
			c.errorf("the status' message is %s", shape(status))
		}
	}},
	{section: "4.1.6", name: "a part holds exactly one of text, raw, url and data", check: func(c *checker) {
		for _, want := range []struct{ scenario, member string }{
			{"tck-artifact-text", "text"}, {"tck-artifact-file", "raw"}, {"tck-artifact-file-url", "url"}, {"tck-artifact-data", "data"},
		} {
			for _, a := range list(c.task(c.message(want.scenario)), "artifacts") {
				for _, p := range list(a, "parts") {
					n := 0
					for _, member := range []string{"text", "raw", "url", "data"} {
						if _, ok := p[member]; ok {
							n++
						}
					}
					if _, ok := p[want.member]; !ok || n != 1 {
						c.errorf("%s: the part is %s", want.scenario, shape(p))
					}
				}
			}
		}
	}},
	{section: "4.1.7", name: "an artifact has an id and parts", check: func(c *checker) {
		all := list(c.task(c.message("tck-artifact-text")), "artifacts")
		if len(all) != 1 || text(all[0], "artifactId") == "" || len(list(all[0], "parts")) != 1 {
			c.errorf("the artifacts are %v", len(all))
		}
	}},
	{section: "5.5", name: "names are in camel case, and fixed words are written out", check: func(c *checker) {
		for _, o := range c.samples() {
			walk(o, func(name string, v any) {
				if strings.Contains(name, "_") {
					c.errorf("a member is called %s", name)
				}
				if s, ok := v.(string); (name == "state" || name == "role") && (!ok || !word.MatchString(s)) {
					c.errorf("%s is %v", name, v)
				}
			})
		}
	}},
	{section: "5.6.1", name: "times are of ISO 8601, in UTC", check: func(c *checker) {
		n := 0
		for _, o := range c.samples() {
			walk(o, func(name string, v any) {
				if name == "timestamp" {
					n++
					if s, _ := v.(string); !moment.MatchString(s) {
						c.errorf("a time is %v", v)
					}
				}
			})
		}
		if n == 0 {
			c.errorf("there is no time to look at")
		}
	}},
	{section: "5.7", name: "what is not known is passed over", check: func(c *checker) {
		p := c.message("tck-complete-task", "neverHeardOf", object{"a": []any{1, "two"}})
		p["norThis"] = true
		if r := c.call("SendMessage", p); r.fault != nil {
			c.errorf("it is refused: %s", r.fault.message)
		}
	}},
	{section: "4.1.6", name: "data comes back as it was made", check: func(c *checker) {
		for _, a := range list(c.task(c.message("tck-artifact-data")), "artifacts") {
			data := at(list(a, "parts")[0], "data")
			if data["key"] != "value" || data["count"] != 42.0 {
				c.errorf("the data is %v", data)
			}
		}
		for _, a := range list(c.task(c.message("tck-artifact-file")), "artifacts") {
			if p := list(a, "parts")[0]; p["raw"] != "VGhlIGNvbnRlbnQgb2YgYSBmaWxlLg==" || p["filename"] != "output.txt" || p["mediaType"] != "text/plain" {
				c.errorf("the file is %v", p)
			}
		}
	}},
}

// webhook takes push notifications.
type webhook struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string][]object // by the path that they came to
	auth map[string]string
}

func newWebhook(t *testing.T) *webhook {
	h := &webhook{got: map[string][]object{}, auth: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o object
		raw, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(raw, &o) != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got[r.URL.Path] = append(h.got[r.URL.Path], o)
		h.auth[r.URL.Path] = r.Header.Get("Authorization")
	}))
	t.Cleanup(h.Close)
	return h
}

// until waits for a notification that has come to the path.
func (h *webhook) until(path string, good func(object) bool) (auth string, ok bool) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		h.mu.Lock()
		ok = slices.ContainsFunc(h.got[path], good)
		auth = h.auth[path]
		h.mu.Unlock()
		if ok {
			return auth, true
		}
	}
	return auth, false
}

// hook configures push notifications for a task that waits, and returns what the agent made of it.
func (c *checker) hook(task any, name string) (path string, r reply) {
	path = fmt.Sprintf("/hook/%s/%s", c.prefix, name)
	return path, c.call("CreateTaskPushNotificationConfig", object{
		"taskId": task, "id": name, "url": c.webhook.URL + path, "authentication": object{"scheme": "Bearer", "credentials": "hook-secret"},
	})
}

var pushing = []must{
	{section: "3.1.7", name: "a push configuration is made, and can be read", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		path, made := c.hook(t["id"], "first")
		if text(made.body, "id") == "" || text(made.body, "url") != c.webhook.URL+path {
			c.errorf("it was made as %s", shape(made.body))
		}
		got := c.call("GetTaskPushNotificationConfig", object{"taskId": t["id"], "id": made.body["id"]})
		if text(got.body, "url") != c.webhook.URL+path {
			c.errorf("it is read as %s with another address", shape(got.body))
		}
	}},
	{section: "3.1.8", name: "an unknown push configuration is an error", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		if r := c.call("GetTaskPushNotificationConfig", object{"taskId": t["id"], "id": "no-such-configuration"}); r.fault == nil {
			c.errorf("it is there: %s", shape(r.body))
		}
	}},
	{section: "3.1.9", name: "push configurations of a task are listed", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		want := map[string]bool{}
		for _, name := range []string{"first", "second"} {
			path, _ := c.hook(t["id"], name)
			want[c.webhook.URL+path] = true
		}
		r := c.call("ListTaskPushNotificationConfigs", object{"taskId": t["id"]})
		for _, config := range list(r.body, "configs") {
			delete(want, text(config, "url"))
		}
		if len(want) > 0 {
			c.errorf("%d of two are not listed: %s", len(want), shape(r.body))
		}
	}},
	{section: "3.1.10", name: "a push configuration that was deleted is gone, and can be deleted again", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		_, made := c.hook(t["id"], "first")
		which := object{"taskId": t["id"], "id": made.body["id"]}
		for range 2 {
			if r := c.call("DeleteTaskPushNotificationConfig", which); r.fault != nil {
				c.errorf("deleting it: %s", r.fault.message)
			}
		}
		if r := c.call("GetTaskPushNotificationConfig", which); r.fault == nil {
			c.errorf("it is still there")
		}
	}},
	{section: "4.3", name: "notifications come with the client's own credential and are what a stream would say", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		path, _ := c.hook(t["id"], "deliver")
		c.task(c.message("tck-complete-task", "taskId", t["id"]))
		auth, ok := c.webhook.until(path, func(o object) bool {
			return text(o, "statusUpdate", "status", "state") == "TASK_STATE_COMPLETED" || state(at(o, "task")) == "TASK_STATE_COMPLETED"
		})
		if !ok {
			c.errorf("none said that the task is completed")
			return
		}
		if auth != "Bearer hook-secret" {
			c.errorf("it came without the credential that was configured")
		}
		c.webhook.mu.Lock()
		defer c.webhook.mu.Unlock()
		for _, o := range c.webhook.got[path] {
			n := 0
			for _, member := range []string{"task", "message", "statusUpdate", "artifactUpdate"} {
				if at(o, member) != nil {
					n++
				}
			}
			if n != 1 {
				c.errorf("a notification is %s", shape(o))
			}
			if id := text(o, "statusUpdate", "taskId") + text(o, "task", "id"); id != "" && id != t["id"] {
				c.errorf("a notification names another task")
			}
		}
	}},
}

// card fetches the agent's card as anybody does.
func (c *checker) card() object {
	res, err := send(c.ctx, http.MethodGet, c.base+"/.well-known/agent-card.json", nil, nil)
	if err != nil {
		c.errorf("the card: %v", err)
		return nil
	}
	defer res.Body.Close()
	var card object
	if err := json.NewDecoder(res.Body).Decode(&card); err != nil || res.StatusCode != http.StatusOK {
		c.errorf("the card: status %d, %v", res.StatusCode, err)
	}
	return card
}

var cards = []must{
	{section: "8.2", name: "the agent's card is at its well-known place, with what it must hold", check: func(c *checker) {
		card := c.card()
		for _, name := range []string{"name", "description", "version"} {
			if text(card, name) == "" {
				c.errorf("the card has no %s", name)
			}
		}
		for _, name := range []string{"supportedInterfaces", "skills", "defaultInputModes", "defaultOutputModes"} {
			if all, ok := card[name].([]any); !ok || len(all) == 0 {
				c.errorf("the card has no %s", name)
			}
		}
		if at(card, "capabilities") == nil {
			c.errorf("the card has no capabilities")
		}
	}},
	{section: "8.3", name: "every interface that the card names is there", check: func(c *checker) {
		for _, i := range list(c.card(), "supportedInterfaces") {
			switch binding := text(i, "protocolBinding"); {
			case text(i, "url") == "" || binding == "" || text(i, "protocolVersion") == "":
				c.errorf("an interface is %s", shape(i))
			case binding == "JSONRPC":
				c.fails2(jsonrpc{text(i, "url")}, "jsonrpc")
			case binding == "HTTP+JSON":
				c.fails2(rest{text(i, "url")}, "rest")
			}
		}
	}},
	{section: "8.4.2", name: "a signature's header names its algorithm and key", check: func(c *checker) {
		for _, s := range list(c.card(), "signatures") {
			header := unbase64(text(s, "protected"))
			if text(header, "alg") == "" || text(header, "alg") == "none" || text(header, "kid") == "" || text(s, "signature") == "" {
				c.errorf("a signature's header is %s", shape(header))
			}
		}
	}},
	{section: "3.1.11", name: "whoever shows a credential gets the extended card", check: func(c *checker) {
		r := c.call("GetExtendedAgentCard", object{})
		if text(r.body, "name") == "" || len(list(r.body, "skills")) != 2 {
			c.errorf("the extended card is %s", shape(r.body))
		}
		if r := c.wire.call(c.ctx, "GetExtendedAgentCard", object{}, c.with("Authorization", "")); r.fault == nil {
			c.errorf("it is given to whoever shows none")
		}
	}},
	{section: "3.1.11", name: "an extended card that is declared and not there is an ExtendedAgentCardNotConfiguredError", agent: "halfway", check: func(c *checker) {
		c.fails(c.call("GetExtendedAgentCard", object{}), "ExtendedAgentCardNotConfiguredError")
	}},
}

// fails2 asks an interface for a task that is not there: it answers as its binding has it.
func (c *checker) fails2(b binding, name string) {
	d := *c
	d.name, d.wire, d.wrong = name, b, nil
	d.fails(b.call(c.ctx, "GetTask", object{"id": "no-such-task"}, c.with()), "TaskNotFoundError")
	c.wrong = append(c.wrong, d.wrong...)
}

var bindingRules = []must{
	{section: "9.1", name: "JSON-RPC answers are application/json", only: "jsonrpc", check: func(c *checker) {
		for _, r := range []reply{c.call("SendMessage", c.message("tck-complete-task")), c.call("GetTask", object{"id": "no-such-task"})} {
			if !strings.HasPrefix(r.contentType, "application/json") {
				c.errorf("an answer is %s", r.contentType)
			}
		}
	}},
	{section: "9.5", name: "JSON-RPC's own errors have JSON-RPC's own codes", only: "jsonrpc", check: func(c *checker) {
		c.fails(c.call("NoSuchMethod", object{}), "MethodNotFoundError")
		for _, bad := range [][2]string{
			{`{"jsonrpc":"2.0","id":1,"method":`, "ParseError"},
			{`{"jsonrpc":"1.0","id":1,"method":"GetTask","params":{}}`, "InvalidRequestError"},
			{`{"jsonrpc":"2.0","id":1,"method":"GetTask","params":"id"}`, "InvalidParamsError"},
			{`{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{}}`, "InvalidParamsError"},
		} {
			raw, want := bad[0], bad[1]
			res, err := send(c.ctx, http.MethodPost, c.wire.(jsonrpc).url, []byte(raw), c.with())
			if err != nil {
				c.errorf("%v", err)
				continue
			}
			body, _ := io.ReadAll(res.Body) // what is cut off is no JSON
			res.Body.Close()
			r := fromJSONRPC(body, "")
			r.status = res.StatusCode
			c.note("%s: %d", want, r.status)
			c.fails(r, want)
		}
	}},
	{section: "9.5", name: "an A2A error's code is in the protocol's range", only: "jsonrpc", check: func(c *checker) {
		t := c.task(c.message("tck-complete-task"))
		for _, r := range []reply{c.call("GetTask", object{"id": "no-such-task"}), c.call("CancelTask", object{"id": t["id"]})} {
			if r.fault == nil || r.fault.code > -32001 || r.fault.code < -32099 {
				c.errorf("the error is %+v", r.fault)
			}
		}
	}},
	{section: "9.4.2", name: "a JSON-RPC stream is server-sent events, each a response to the call", only: "jsonrpc", check: func(c *checker) {
		st := c.open("SendStreamingMessage", c.message("tck-stream"))
		if !strings.HasPrefix(st.opened.contentType, "text/event-stream") {
			c.errorf("the stream is %s", st.opened.contentType)
		}
		st.all(20 * time.Second)
	}},
	{section: "11.3", name: "every operation is at its path, by its verb", only: "rest", check: func(c *checker) {
		t := c.task(c.message("tck-input-required"))
		for _, probe := range []struct {
			method string
			params object
		}{{"GetTask", object{"id": t["id"]}}, {"ListTasks", object{}}, {"ListTaskPushNotificationConfigs", object{"taskId": t["id"]}}, {"GetExtendedAgentCard", object{}}, {"CancelTask", object{"id": t["id"]}}} {
			if r := c.call(probe.method, probe.params); r.fault != nil || r.status/100 != 2 {
				c.errorf("%s: status %d", probe.method, r.status)
			}
		}
	}},
	{section: "11.6", name: "an error is of the form of AIP-193, with its details", only: "rest", check: func(c *checker) {
		r := c.call("GetTask", object{"id": "no-such-task"})
		if r.fault == nil || r.fault.status != "NOT_FOUND" || r.fault.code != http.StatusNotFound || r.fault.message == "" {
			c.errorf("the error is %+v", r.fault)
		}
		if !strings.Contains(r.contentType, "json") {
			c.errorf("the error is %s", r.contentType)
		}
		c.fails(r, "TaskNotFoundError")
	}},
	{section: "11.7", name: "a stream is server-sent events, each an event and nothing around it", only: "rest", check: func(c *checker) {
		st := c.open("SendStreamingMessage", c.message("tck-stream"))
		if !strings.HasPrefix(st.opened.contentType, "text/event-stream") {
			c.errorf("the stream is %s", st.opened.contentType)
		}
		evs, _ := st.all(20 * time.Second)
		for _, ev := range evs {
			if at(ev, "task") == nil && at(ev, "statusUpdate") == nil && at(ev, "artifactUpdate") == nil {
				c.errorf("an event is %s", shape(ev))
			}
		}
	}},
}
