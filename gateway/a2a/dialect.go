package a2a

import (
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// dialect is what the road must know of a version of A2A besides its tables.
type dialect struct {
	read   func(d *json.Doc, rpc wire.RPC) (wire.A2A, error)
	noteIn string // the first of these objects that is there in an answer gets the note's metadata
	card   string // the method that asks for the extended card
	delete string // the method whose answer may lack a result
	stream string // the method whose answers are what push notifications hold
	// names of headers that a version had before they were settled
	extensions string
	chunk      func(b []byte, task, context, artifact string) []byte // the result of an artifact update with an empty text
}

var dialects = map[string]*dialect{
	wire.A2A10: {
		read: wire.ReadA2A, noteIn: "result/task result/message result/statusUpdate result/artifactUpdate result",
		card: "GetExtendedAgentCard", delete: "DeleteTaskPushNotificationConfig", stream: "SendStreamingMessage", extensions: "A2A-Extensions", chunk: chunk10,
	},
	wire.A2A03: {
		read: wire.ReadA2A03, noteIn: "result",
		card: "agent/getAuthenticatedExtendedCard", delete: "tasks/pushNotificationConfig/delete", stream: "message/stream", extensions: "X-A2A-Extensions", chunk: chunk03,
	},
}

// versions are those that are carried, the newest first.
var versions = []string{wire.A2A10, wire.A2A03}

func (c *call) dialect() *dialect { return dialects[c.version] }

func chunk10(b []byte, task, context, artifact string) []byte {
	b = chunkIDs(append(b, `{"artifactUpdate":{`...), task, context, artifact)
	return append(b, `,"parts":[{"text":""}]},"append":true,"lastChunk":true}}`...)
}

func chunk03(b []byte, task, context, artifact string) []byte {
	b = chunkIDs(append(b, `{"kind":"artifact-update",`...), task, context, artifact)
	return append(b, `,"parts":[{"kind":"text","text":""}]},"append":true,"lastChunk":true}`...)
}

func chunkIDs(b []byte, task, context, artifact string) []byte {
	b = json.AppendString(append(b, `"taskId":`...), task)
	if context != "" {
		b = json.AppendString(append(b, `,"contextId":`...), context)
	}
	return json.AppendString(append(b, `,"artifact":{"artifactId":`...), artifact)
}

// describe reads the task and context that an answer or event names, none where it names several, and whether it ends
// its stream's task.
func (l *dialect) describe(data []byte) (ids gateway.IDs, ends bool) {
	d := json.Borrow()
	defer d.Return()
	if d.Parse(data, nil, json.Limits{}) != nil {
		return ids, false
	}
	return l.describeDoc(d)
}

// describeDoc is describe for what is parsed already.
func (l *dialect) describeDoc(d *json.Doc) (ids gateway.IDs, ends bool) {
	rpc, err := wire.ReadRPC(d)
	if err != nil {
		return ids, false
	}
	if rpc.Kind == wire.Failure {
		return ids, true
	}
	a, err := l.read(d, rpc)
	if err != nil || len(a.Tasks) > 1 {
		return ids, false
	}
	if a.TaskID >= 0 {
		ids.Task = d.Text(a.TaskID)
	}
	if a.ContextID >= 0 {
		ids.Context = d.Text(a.ContextID)
	}
	switch a.Kind {
	case wire.StatusPayload:
		ends = a.Final || wire.Terminal(a.State) || wire.Pauses(a.State)
	case wire.TaskPayload:
		ends = len(a.Tasks) == 1 && wire.Terminal(a.Tasks[0].State)
	case wire.MessagePayload:
		ends = true
	}
	return ids, ends
}
