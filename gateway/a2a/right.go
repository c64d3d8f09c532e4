package a2a

import (
	"bytes"
	"cmp"
	"context"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Reserved names, which no skill has, for what a capability bounds like a skill and its arguments (docs/spec/capability-checks.md).
const (
	plainSkill = ":message"  // of an agent to whose skill configuration gives no name
	textsArg   = ":text"     // the texts of a message
	filesArg   = ":file"     // that it has files
	metaArg    = ":metadata" // that it has metadata besides the gateway's own
)

// sends are the methods that use a skill. All others ask after what one of them began.
var sends = map[string]bool{"SendMessage": true, "SendStreamingMessage": true, "message/send": true, "message/stream": true}

// asks reports whether the method is about an agent and no task of it, which every capability for the agent covers.
func (c *call) asks() bool { return c.rpc.Method == c.dialect().card }

// proves holds the call to its authority.
func (c *call) proves(ctx context.Context) error {
	in := gateway.Invocation{Body: c.sent, Flow: c.flow}
	if c.authority == nil {
		in.Task, in.Also = c.tasks()
		return c.h.Gateway.Prove(ctx, c.snap, nil, in)
	}
	var err error
	if in.Task, in.Also, err = c.boundTask(ctx); err != nil {
		return err
	}
	switch skill := cmp.Or(c.agent.Skill, plainSkill); {
	case sends[c.rpc.Method]:
		in.Tool, in.Arguments = skill, c.arguments()
	case c.asks():
		in.NoTool = true
	default:
		in.NoTool, in.Of = true, skill
	}
	return c.h.Gateway.Prove(ctx, c.snap, c.authority, in)
}

// tasks are the names by which the caller knows the task: the context first, which a client has from the first answer on.
func (c *call) tasks() (task, also flow.TaskID) {
	ids := c.ids()
	if ids.Context == "" {
		return flow.TaskID(ids.Task), ""
	}
	return flow.TaskID(ids.Context), flow.TaskID(ids.Task)
}

// boundTask are the names by which a capability may bound the task. A context and a task that are not known to belong
// together name none: whoever may use one could reach another's otherwise.
func (c *call) boundTask(ctx context.Context) (task, also flow.TaskID, err error) {
	task, also = c.tasks()
	if also == "" {
		return task, also, nil
	}
	together, err := c.h.Gateway.SameTask(ctx, c.between(), c.ids())
	if err != nil || together {
		return task, also, err
	}
	return "", also, nil
}

// arguments are the message as a skill's arguments: the members of its data, and by reserved names that it has texts,
// files and metadata. A name that comes twice comes twice here too, and no bound on arguments admits that.
func (c *call) arguments() []byte {
	m := c.a2a.Message
	if m == nil {
		return nil
	}
	out := []byte{'{'}
	add := func(name, raw []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), raw...)
	}
	var texts [][]byte
	files, meta := false, c.hasMetadata(m.Metadata) || c.rpc.Params >= 0 && c.hasMetadata(c.paramsMetadata())
	for _, p := range m.Parts {
		meta = meta || c.hasMetadata(p.Metadata)
		switch p.Kind {
		case wire.TextPart:
			texts = append(texts, c.doc.Raw(p.Content))
		case wire.DataPart:
			if c.doc.Nodes[p.Content].Kind != json.Object {
				add([]byte(`":data"`), c.doc.Raw(p.Content))
				continue
			}
			for n := range c.doc.Children(p.Content) {
				add(json.AppendString(nil, string(c.doc.Key(n))), c.doc.Raw(n))
			}
		default:
			files = true
		}
	}
	switch len(texts) {
	case 0:
	case 1:
		add([]byte(`"`+textsArg+`"`), texts[0])
	default:
		add([]byte(`"`+textsArg+`"`), append(append([]byte{'['}, bytes.Join(texts, []byte{','})...), ']'))
	}
	if files {
		add([]byte(`"`+filesArg+`"`), []byte("true"))
	}
	if meta {
		add([]byte(`"`+metaArg+`"`), []byte("true"))
	}
	return append(out, '}')
}

// hasMetadata reports whether an object of metadata says anything to the agent.
func (c *call) hasMetadata(n int) bool {
	if n < 0 || c.doc.Nodes[n].Kind == json.Null {
		return false
	}
	if c.doc.Nodes[n].Kind != json.Object {
		return true // refused on the road
	}
	for m := range c.doc.Children(n) {
		if string(c.doc.Key(m)) != card.PrivacyExtension {
			return true
		}
	}
	return false
}

func (c *call) paramsMetadata() int {
	if n, ok := c.doc.Member(c.rpc.Params, "metadata"); ok {
		return n
	}
	return -1
}
