package mcp

import (
	"bytes"
	"context"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// A server sees the gateway's credential whoever calls, so it cannot tell callers apart: what it hands to one, a task or
// the state between two rounds, it would take from another. The gateway remembers whom it was handed to.

// owned refuses a message that names a task or hands in a state that this caller was not given. Over stdio a client is
// alone with the server. Strangers without a name cannot be told apart, so nothing is known of what they were given; what
// somebody with a name was given is not theirs.
func (x *exchange) owned(ctx context.Context, c *calling, m *message) error {
	if x.stdio || m.rpc.Params < 0 || passing(c.who) != nil {
		return nil
	}
	var named []gateway.IDs
	if id := m.task(); id != "" {
		named = append(named, gateway.IDs{Task: id})
	}
	if state := textIn(m.doc, m.rpc.Params, "requestState"); state != "" {
		named = append(named, gateway.IDs{Context: "state " + state})
	}
	if m.rpc.Method == "subscriptions/listen" {
		for _, id := range m.wanted("taskIds") {
			named = append(named, gateway.IDs{Task: id})
		}
	}
	for _, ids := range named {
		between := x.between(c)
		if c.who.caller.Anonymous {
			between, ids = somebody(between), held(ids)
		}
		ok, err := x.g.Named(ctx, between, ids)
		if err != nil {
			return err
		}
		if ok == c.who.caller.Anonymous {
			return noSuch()
		}
	}
	return nil
}

// somebody stands for every caller that has a name.
func somebody(b gateway.Between) gateway.Between { return gateway.Between{Agent: b.Agent} }

// held is one name of what somebody was given, be it a task or a state.
func held(ids gateway.IDs) gateway.IDs {
	if ids.Task != "" {
		return gateway.IDs{Context: "held task " + ids.Task}
	}
	return gateway.IDs{Context: "held " + ids.Context}
}

// handed is a name of what an answer handed to its recipient, and for whom it is remembered.
type handed struct {
	gateway.Between
	gateway.IDs
}

// given are the names of what an answer hands to its recipient: as the recipient sees them, and a task also as the
// server does, which lists it by that. Beside whom it was given to, it is remembered that it was given to somebody.
func (x *exchange) given(who parties, between gateway.Between, body, out []byte) (names []handed) {
	if who.caller.Anonymous || x.stdio {
		return nil
	}
	ids := namesIn(out)
	if ids == (gateway.IDs{}) {
		return nil
	}
	names = append(names, handed{between, ids})
	theirs := namesIn(body)
	if theirs.Task != "" {
		names = append(names, handed{between, gateway.IDs{Context: "made " + theirs.Task}})
	}
	for _, one := range []gateway.IDs{{Task: ids.Task}, {Context: ids.Context}, {Task: theirs.Task}, {Context: theirs.Context}} {
		if one != (gateway.IDs{}) {
			names = append(names, handed{somebody(between), held(one)})
		}
	}
	return names
}

func namesIn(body []byte) (ids gateway.IDs) {
	if !bytes.Contains(body, []byte(`"requestState"`)) && !bytes.Contains(body, []byte(`"taskId"`)) {
		return ids
	}
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return ids
	}
	if n, ok := under(&d, "result"); ok {
		if state := textIn(&d, n, "requestState"); state != "" {
			ids.Context = "state " + state
		}
		ids.Task = taskOf(&d, n)
	}
	return ids
}

// ownTasks takes the tasks of others out of a list of tasks.
func (x *exchange) ownTasks(ctx context.Context, who parties, c *calling, body []byte) ([]byte, gateway.LeftOut, error) {
	var left gateway.LeftOut
	if c.method != "tasks/list" || x.stdio || passing(who) != nil {
		return body, left, nil
	}
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, who.snap.Limits); err != nil {
		return nil, left, err
	}
	list, ok := under(doc, "result", "tasks")
	if !ok || doc.Nodes[list].Kind != json.Array {
		return body, left, nil
	}
	var kept [][]byte
	for n := range doc.Children(list) {
		id := textIn(doc, n, "taskId")
		ok := false
		if id != "" && !who.caller.Anonymous {
			var err error
			if ok, err = x.g.Named(ctx, x.between(c), gateway.IDs{Context: "made " + id}); err != nil {
				return nil, left, err
			}
		}
		if ok {
			kept = append(kept, doc.Raw(n))
		} else {
			left.Count++
		}
	}
	if left.Count == 0 {
		return body, left, nil
	}
	e := doc.Edit()
	e.Replace(list, append(append([]byte{'['}, bytes.Join(kept, []byte{','})...), ']'))
	out, err := e.Apply(nil)
	return out, left, err
}

// task is the server's task that a client's message asks after; "" if none.
func (m *message) task() string {
	switch m.rpc.Method {
	case "tasks/get", "tasks/update", "tasks/cancel", "tasks/result":
		if m.rpc.Kind == wire.Call && m.rpc.Params >= 0 {
			return textIn(m.doc, m.rpc.Params, "taskId")
		}
	}
	return ""
}
