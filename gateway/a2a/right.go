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
	context, task, references := c.tasks()
	in.Names = append(references, context, task)
	if c.authority == nil {
		return c.h.Gateway.Prove(ctx, c.snap, nil, in)
	}
	var err error
	if in.Task, err = c.boundTask(ctx, context, task, references); err != nil {
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

// tasks are the names by which the caller knows the task, and other tasks that its message refers to.
func (c *call) tasks() (context, task flow.TaskID, references []flow.TaskID) {
	ids := c.ids()
	if m := c.a2a.Message; m != nil {
		if n, ok := c.doc.Member(m.Node, "referenceTaskIds"); ok && c.doc.Nodes[n].Kind == json.Array {
			for i := range c.doc.Children(n) {
				if c.doc.Nodes[i].Kind == json.String {
					references = append(references, flow.TaskID(c.doc.Text(i)))
				}
			}
		}
	}
	return flow.TaskID(ids.Context), flow.TaskID(ids.Task), references
}

// boundTask is the name by which a capability may bound the task: the context first, which a client has from the first answer
// on. A context and tasks that are not known to belong together name none: whoever may use one could reach another's otherwise.
func (c *call) boundTask(ctx context.Context, context, task flow.TaskID, references []flow.TaskID) (flow.TaskID, error) {
	for _, one := range append([]flow.TaskID{task}, references...) {
		switch {
		case one == "" || one == task && context == "":
			continue
		case context == "":
			return "", nil
		}
		together, err := c.h.Gateway.SameTask(ctx, c.between(), gateway.IDs{Context: string(context), Task: string(one)})
		if err != nil || !together {
			return "", err
		}
	}
	return cmp.Or(context, task), nil
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
