package interop_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// must is one thing that the A2A 1.0 specification demands of an agent and that can be seen from outside.
type must struct {
	section string // of the specification, 1.0
	name    string
	agent   string // which of the scenario agents is asked; "": the one with every capability
	only    string // the binding that it is about; "": every one
	check   func(*checker)
}

// checker looks at one must of one agent by one binding. It keeps what it saw, so that what is seen through a gateway
// can be held against what is seen without.
type checker struct {
	ctx     context.Context
	wire    binding
	base    string // of the agent, as its callers know it
	name    string // of the binding
	key     service
	prefix  string // of ids, so that no two runs share one
	n       int
	wrong   []string
	saw     []string
	webhook *webhook
}

func (c *checker) errorf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *checker) note(format string, args ...any) {
	c.saw = append(c.saw, fmt.Sprintf(format, args...))
}

// with returns the service parameters of an ordinary call and what is added to them; an empty value takes one away.
func (c *checker) with(extra ...string) service {
	s := service{"A2A-Version": "1.0"}
	for name, v := range c.key {
		s[name] = v
	}
	for i := 0; i+1 < len(extra); i += 2 {
		s[extra[i]] = extra[i+1]
	}
	return s
}

// call makes an ordinary call.
func (c *checker) call(method string, params object, extra ...string) reply {
	r := c.wire.call(c.ctx, method, params, c.with(extra...))
	c.look(method, r)
	return r
}

func (c *checker) look(method string, r reply) {
	for _, w := range r.wrong {
		if w == noResult && method == "DeleteTaskPushNotificationConfig" {
			continue // the Go SDK leaves out the member that has nothing to say
		}
		c.errorf("%s: %s", method, w)
	}
	switch {
	case r.fault != nil:
		c.note("%s: error %d %s %s at %d", method, r.fault.code, r.fault.status, r.fault.reason, r.status)
	default:
		c.note("%s: %s", method, shape(r.body))
	}
}

// shape says what an answer is without what differs from run to run.
func shape(o object) string {
	var names []string
	_, card := o["supportedInterfaces"]
	for name, v := range o {
		if card && (name == "supportedInterfaces" || name == "signatures" || name == "securitySchemes") {
			continue // they are of whoever shows the card
		}
		if name == "artifacts" && underWay(o) {
			continue // how many there are already is a matter of when one looks
		}
		switch v := v.(type) {
		case object:
			switch {
			case name == "status" && underWay(o):
				name += "{under way}"
			case name == "task" || name == "status" || name == "statusUpdate":
				name += "{" + shape(v) + "}"
			}
		case string:
			if name == "state" {
				name += "=" + v
			}
		case []any:
			if name != "history" { // what of it is there may depend on when one looks
				name = fmt.Sprintf("%s[%d]", name, len(v))
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// underWay reports whether a task is submitted or at work: which of the two is a matter of when one looks.
func underWay(task object) bool {
	s := state(task)
	return s == "TASK_STATE_SUBMITTED" || s == "TASK_STATE_WORKING"
}

// open opens a stream.
func (c *checker) open(method string, params object, extra ...string) *stream {
	st := c.wire.stream(c.ctx, method, params, c.with(extra...))
	c.look(method+" opens", st.opened)
	return st
}

// fails holds an answer to one of the protocol's errors.
func (c *checker) fails(r reply, want string) {
	e := errorsOf[want]
	switch {
	case r.fault == nil:
		c.errorf("it succeeded (%s), want %s", shape(r.body), want)
	case c.name == "jsonrpc" && r.fault.code != e.code:
		c.errorf("the error's code is %d (%s), want %d for %s", r.fault.code, r.fault.message, e.code, want)
	case c.name == "rest" && (r.fault.code < 400 || e.http != 0 && r.fault.code != e.http):
		c.errorf("the error's code is %d (%s), want %d for %s", r.fault.code, r.fault.message, e.http, want)
	case e.reason != "" && (r.fault.reason != e.reason || r.fault.domain != "a2a-protocol.org"):
		c.errorf("the details name %s of %s, want %s of a2a-protocol.org", r.fault.reason, r.fault.domain, e.reason)
	case r.fault.message == "":
		c.errorf("the error has no message")
	}
}

// errorsOf are the protocol's errors (3.3.2, 5.4). What has no reason is an error of the binding; the HTTP status is
// checked where the specification and its SDKs agree.
var errorsOf = map[string]struct {
	code   int
	http   int
	reason string
}{
	"ParseError":                          {-32700, 400, ""},
	"InvalidRequestError":                 {-32600, 400, ""},
	"MethodNotFoundError":                 {-32601, 0, ""},
	"InvalidParamsError":                  {-32602, 400, ""},
	"TaskNotFoundError":                   {-32001, 404, "TASK_NOT_FOUND"},
	"TaskNotCancelableError":              {-32002, 0, "TASK_NOT_CANCELABLE"},
	"PushNotificationNotSupportedError":   {-32003, 0, "PUSH_NOTIFICATION_NOT_SUPPORTED"},
	"UnsupportedOperationError":           {-32004, 0, "UNSUPPORTED_OPERATION"},
	"ContentTypeNotSupportedError":        {-32005, 0, "CONTENT_TYPE_NOT_SUPPORTED"},
	"ExtendedAgentCardNotConfiguredError": {-32007, 0, "EXTENDED_AGENT_CARD_NOT_CONFIGURED"},
	"ExtensionSupportRequiredError":       {-32008, 0, "EXTENSION_SUPPORT_REQUIRED"},
	"VersionNotSupportedError":            {-32009, 0, "VERSION_NOT_SUPPORTED"},
}

// message returns params that send a message of a scenario, with what is put into the message besides.
func (c *checker) message(scenario string, extra ...any) object {
	c.n++
	m := object{"messageId": fmt.Sprintf("%s-%s-%d", scenario, c.prefix, c.n), "role": "ROLE_USER", "parts": []any{object{"text": "Please."}}}
	for i := 0; i+1 < len(extra); i += 2 {
		m[extra[i].(string)] = extra[i+1]
	}
	return object{"message": m}
}

// task sends a message and returns the task that it began.
func (c *checker) task(params object) object {
	r := c.call("SendMessage", params)
	t := at(r.body, "task")
	if t == nil {
		c.errorf("no task came of SendMessage: %v", r.fault)
	}
	return t
}

// working begins a task that goes on for a while and does not wait for it.
func (c *checker) working() object {
	p := c.message("scrim-slow")
	p["configuration"] = object{"returnImmediately": true}
	return c.task(p)
}

func (c *checker) get(id any) object {
	return c.call("GetTask", object{"id": id}).body
}

// at follows names into objects; nil where it leads nowhere.
func at(o object, names ...string) object {
	for _, name := range names {
		next, ok := o[name].(object)
		if !ok {
			return nil
		}
		o = next
	}
	return o
}

func text(o object, names ...string) string {
	last := len(names) - 1
	s, _ := at(o, names[:last]...)[names[last]].(string)
	return s
}

func list(o object, names ...string) []object {
	last := len(names) - 1
	raw, _ := at(o, names[:last]...)[names[last]].([]any)
	var out []object
	for _, v := range raw {
		if m, ok := v.(object); ok {
			out = append(out, m)
		}
	}
	return out
}

func state(task object) string { return text(task, "status", "state") }

// ended waits until a task has ended.
func (c *checker) ended(id any) object {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r := c.wire.call(c.ctx, "GetTask", object{"id": id}, c.with())
		switch state(r.body) {
		case "TASK_STATE_COMPLETED", "TASK_STATE_CANCELED", "TASK_STATE_FAILED", "TASK_STATE_REJECTED":
			return r.body
		}
	}
	c.errorf("the task did not end")
	return nil
}

// verdict is what came of one must.
type verdict struct {
	must  must
	wrong []string
	saw   []string
}

// examine runs every must of a binding. where finds an agent by its name.
func examine(t *testing.T, name string, where func(agent string) (base string, b binding, key service), prefix string) (out []verdict) {
	t.Helper()
	hook := newWebhook(t)
	for i, m := range musts {
		if m.only != "" && m.only != name {
			continue
		}
		base, b, key := where(m.agent)
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		c := &checker{ctx: ctx, wire: b, base: base, name: name, key: key, prefix: fmt.Sprintf("%s-%d", prefix, i), webhook: hook}
		m.check(c)
		cancel()
		out = append(out, verdict{m, c.wrong, c.saw})
	}
	return out
}
