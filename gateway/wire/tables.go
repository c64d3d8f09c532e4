package wire

import (
	"maps"
	"slices"
	"sync"

	"github.com/scrimhq/scrim/flow"
)

// Versions of A2A that are carried.
const (
	A2A10 = "1.0"
	A2A03 = "0.3"
)

// method is a row of a protocol's list: the shapes of its parameters and result. An empty name means that there is
// none: a notification has no result, and one without params goes the other way.
type method struct {
	name   string
	params string // of a request, or of a notification from a client
	result string
	notice string // of a notification from a server
	stream bool   // its result is a stream of events
}

type dialect struct {
	protocol, version string
	failure           string // the shape of an error
	methods           []method
}

// For returns the table of a message. Protocol is "a2a" or "mcp", or "card" for an agent card on its way to a reader. Dir says which way the message goes: a notification
// from a server has direction Response. Stream asks for an event of a stream; over MCP any answer can be one. It is
// false for what is not carried, which a gateway refuses.
func For(protocol, version, method string, dir flow.Direction, stream bool) (*Table, bool) {
	if t, ok := compiled().tables[key{protocol, version, method, dir, stream}]; ok {
		return t(), true
	}
	return nil, false
}

// Methods returns the methods and notifications that are carried, sorted; nil for a protocol or version that is not.
func Methods(protocol, version string) []string {
	return slices.Clone(compiled().methods[[2]string{protocol, version}])
}

type key struct {
	protocol, version, method string
	dir                       flow.Direction
	stream                    bool
}

type tableSet struct {
	tables  map[key]func() *Table // compiled when first asked for: a gateway needs few of the many there are
	methods map[[2]string][]string
}

// compiled lists all tables at the first use.
var compiled = sync.OnceValue(func() tableSet {
	set := tableSet{tables: make(map[key]func() *Table), methods: make(map[[2]string][]string)}
	shapes := parseShapes(envelopeShapes, a2aShapes, a2a03Shapes, cardShapes, pushShapes, mcpShapes)
	for _, d := range slices.Concat(a2aDialects, mcpDialects) {
		name := [2]string{d.protocol, d.version}
		for _, m := range d.methods {
			set.add(shapes, d, m)
			set.methods[name] = append(set.methods[name], m.name)
		}
		slices.Sort(set.methods[name])
	}
	return set
})

func (set tableSet) add(shapes map[string]*shape, d dialect, m method) {
	at := key{protocol: d.protocol, version: d.version, method: m.name}
	rooted := func(rules ...rule) func() *Table {
		return sync.OnceValue(func() *Table {
			own := maps.Clone(shapes)
			own[""] = &shape{role: Structure, rules: rules}
			return compile(own, "")
		})
	}
	named := func(parent, params string) func() *Table {
		return rooted(rule{shape: parent},
			rule{path: []string{"method"}, role: Protocol, check: check{words: []string{m.name}}},
			rule{path: []string{"params"}, shape: params})
	}
	if m.params != "" && m.result != "" {
		set.tables[at] = named("Call", m.params)
	} else if m.params != "" {
		set.tables[at] = named("Notification", m.params)
	}
	at.dir = flow.Response
	if m.notice != "" {
		set.tables[at] = named("Notification", m.notice)
		at.stream = true
		set.tables[at] = set.tables[key{at.protocol, at.version, at.method, at.dir, false}]
	}
	if m.result == "" {
		return
	}
	t := rooted(rule{shape: "Answer"}, rule{path: []string{"result"}, shape: m.result}, rule{path: []string{"error"}, shape: d.failure})
	set.tables[at] = t
	if m.stream || d.protocol != "a2a" {
		at.stream = true
		set.tables[at] = t
	}
}

const envelopeShapes = `
Call
  jsonrpc = Protocol(2.0)
  id = CallID:rpcid
Notification
  jsonrpc = Protocol(2.0)
Answer
  jsonrpc = Protocol(2.0)
  id = CallID:rpcid
`

var a2aDialects = []dialect{
	{protocol: "a2a", version: A2A10, failure: "A2AError", methods: []method{
		{name: "SendMessage", params: "SendMessageParams", result: "SendResult"},
		{name: "SendStreamingMessage", params: "SendMessageParams", result: "StreamResponse", stream: true},
		{name: "GetTask", params: "GetTaskParams", result: "Task"},
		{name: "ListTasks", params: "ListTasksParams", result: "TaskList"},
		{name: "CancelTask", params: "CancelTaskParams", result: "Task"},
		{name: "SubscribeToTask", params: "SubscribeParams", result: "StreamResponse", stream: true},
		{name: "CreateTaskPushNotificationConfig", params: "PushConfig", result: "PushConfig"},
		{name: "GetTaskPushNotificationConfig", params: "PushParams", result: "PushConfig"},
		{name: "ListTaskPushNotificationConfigs", params: "PushListParams", result: "PushConfigList"},
		{name: "DeleteTaskPushNotificationConfig", params: "PushParams", result: "Nothing"},
		{name: "GetExtendedAgentCard", params: "CardParams", result: "AgentCard"},
	}},
	{protocol: "a2a", version: A2A03, failure: "Error03", methods: []method{
		{name: "message/send", params: "SendParams03", result: "SendResult03"},
		{name: "message/stream", params: "SendParams03", result: "StreamResult03", stream: true},
		{name: "tasks/get", params: "TaskParams03", result: "Task03"},
		{name: "tasks/cancel", params: "TaskParams03", result: "Task03"},
		{name: "tasks/resubscribe", params: "TaskParams03", result: "StreamResult03", stream: true},
		{name: "tasks/pushNotificationConfig/set", params: "TaskPush03", result: "TaskPush03"},
		{name: "tasks/pushNotificationConfig/get", params: "PushParams03", result: "TaskPush03"},
		{name: "tasks/pushNotificationConfig/list", params: "TaskParams03", result: "TaskPushList03"},
		{name: "tasks/pushNotificationConfig/delete", params: "PushParams03", result: "Nothing"},
		{name: "agent/getAuthenticatedExtendedCard", params: "CardParams", result: "AgentCard"},
	}},
	{protocol: "card", version: A2A10, failure: "A2AError", methods: []method{{name: "GetAgentCard", result: "ShownCard"}}},
}
