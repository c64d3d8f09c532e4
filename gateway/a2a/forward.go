package a2a

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/store"
)

// forward sends what passed, and brings the answer back down the same road.
func (c *call) forward(ctx context.Context, passed *gateway.Passed) {
	ctx, err := c.onward(ctx, passed)
	if err != nil {
		c.refuseAnswer(ctx, err)
		return
	}
	ctx, stop := c.asking.Within(ctx)
	defer stop()
	rep, err := backs[c.to.Binding].call(ctx, c, passed)
	if err != nil {
		c.refuseAnswer(ctx, c.failed(err))
		return
	}
	defer rep.close()
	c.rep = rep
	c.active = activated(c.asked(), rep.used)
	if rep.whole != nil {
		c.answer(c.r.Context(), rep)
		return
	}
	if c.table(flow.Response, true) == nil || c.asking != nil {
		c.refuseAnswer(ctx, c.failed(gateway.Refuse(gateway.RuleUpstream, nil, "The agent answered with a stream where there is none.")))
		return
	}
	c.stream(ctx, rep.events)
}

// onward is [gateway.Gateway.Onward] of the call. Like the other functions of this package that are not to be inlined, it has a copy of the flow, which is
// hundreds of bytes, and which would stay on the stack of its caller for as long as a stream is open.
//
//go:noinline
func (c *call) onward(ctx context.Context, passed *gateway.Passed) (context.Context, error) {
	return c.h.Gateway.Onward(ctx, c.snap, c.authority, c.flow, passed)
}

// refuse puts on record why the call is refused, and tells the caller.
//
//go:noinline
func (c *call) refuse(ctx context.Context, err error) {
	c.deny(c.h.Gateway.Refused(ctx, c.snap, c.flow, err))
}

// refuseAnswer puts on record why the call has no answer, and tells the caller.
//
//go:noinline
func (c *call) refuseAnswer(ctx context.Context, err error) {
	c.deny(c.h.Gateway.Refused(ctx, c.snap, c.responseFlow(), err))
}

// headers are those of a request to the agent besides the protocol's own of the caller.
func (c *call) headers() map[string]string {
	extra := map[string]string{"Accept": "application/json, text/event-stream", "A2A-Version": c.version}
	if asked := c.asked(); len(asked) > 0 {
		extra[c.dialect().extensions] = strings.Join(asked, ", ")
	}
	if c.h.Face == gateway.Outbound {
		// The next domain believes only what it granted; it is told what we settled on.
		if c.flow.Purpose != "" {
			extra[identity.HeaderPurpose] = string(c.flow.Purpose)
		}
		extra[identity.HeaderCriticality] = c.flow.Task.Criticality.String()
	}
	if trace := c.h.Gateway.Traceparent(c.r.Context(), c.snap, c.flow, c.trace); trace != "" {
		extra[gateway.HeaderTrace] = trace
	}
	return extra
}

// answer passes a whole answer, keeps it to be given again, and sends it.
func (c *call) answer(ctx context.Context, rep *reply) {
	doc := json.Borrow()
	defer doc.Return()
	if err := c.sameID(doc, rep.whole); err != nil {
		c.refuseAnswer(ctx, c.failed(err))
		return
	}
	if snap := c.h.Gateway.Snapshot(); snap != c.snap {
		if err := c.renew(ctx, snap); err != nil {
			c.deny(c.h.Gateway.Refused(ctx, snap, c.responseFlow(), err))
			return
		}
	}
	if c.asking != nil {
		if err := c.toQuestion(doc, rep); err != nil {
			c.refuseAnswer(ctx, err)
			return
		}
	}
	if c.rpc.Method == c.dialect().card {
		if err := c.extended(ctx, rep); err != nil {
			c.refuseAnswer(ctx, err)
			return
		}
	}
	c.ticket.By(c.h.Gateway.Pins(c.snap, c.authority, c.flow))
	m := c.responseMessage(c.snap, rep.whole, false)
	m.Doc = doc
	named := func() {}
	ids := c.names(m, doc)
	m.Commit = func(tx store.Tx, out []byte) (err error) {
		if err := c.h.Gateway.Serves(c.authority, &m.Query.Flow, ids); err != nil {
			return err
		}
		if named, err = c.h.Gateway.NameTask(tx, c.between(), ids, c.flow.Task.ID); err != nil {
			return err
		}
		return c.ticket.Store(tx, &gateway.Answer{Status: rep.status, Body: out, Task: c.flow.Task.ID})
	}
	passed, err := c.h.Gateway.Pass(ctx, m)
	if err = c.asking.Told(err); err != nil {
		c.refuseAnswer(ctx, err)
		return
	}
	named()
	out, err := c.pushAnswer(ctx, passed.Body)
	if err != nil {
		c.refuseAnswer(ctx, err)
		return
	}
	c.front.whole(c, rep.status, out)
}

// names returns what a message of the agent calls its task and context, in the words of the caller.
func (c *call) names(m *gateway.Message, doc *json.Doc) gateway.IDs {
	ids, _ := c.dialect().describeDoc(doc)
	ids, err := c.h.Gateway.Across(m, ids)
	if err != nil {
		return gateway.IDs{} // the message does not pass for the same reason
	}
	return ids
}

// foreignCallID is the JSON-RPC id of every call to another domain: a caller's own would tell calls of one caller, and
// how many it makes.
var foreignCallID = []byte("1")

// upstreamID is the id under which the agent gets the call, and under which its answer goes down the road.
func (c *call) upstreamID() []byte {
	if c.flow.CrossesDomain() {
		return foreignCallID
	}
	return c.rpc.ID
}

// callersID is the id to put back into what comes from another domain; nil within the domain, where it is there already.
func (c *call) callersID() []byte {
	if c.flow.CrossesDomain() {
		return c.rpc.ID
	}
	return nil
}

// sameID parses a message of the upstream into d and holds it to the id of the request.
func (c *call) sameID(d *json.Doc, body []byte) error {
	if err := d.Parse(body, nil, c.snap.Limits); err != nil {
		return gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is not acceptable JSON.")
	}
	rpc, err := wire.ReadRPC(d)
	if err != nil || rpc.Kind != wire.Success && rpc.Kind != wire.Failure {
		return gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is not a JSON-RPC 2.0 response.")
	}
	if rpc.Kind == wire.Success && !c.anew && string(rpc.ID) != string(c.upstreamID()) {
		return gateway.Refuse(gateway.RuleUpstream, nil, "The agent answered another request.")
	}
	return nil
}

// activated is which of the extensions that the caller asked for the agent says it used. Nothing else is told: a
// header is no way round the message.
func activated(asked, used []string) string {
	return strings.Join(slices.DeleteFunc(used, func(name string) bool { return !slices.Contains(asked, name) }), ", ")
}

// extensions reads the names in an A2A-Extensions header that have the form of one, each once and at most sixteen.
func extensions(values []string) (all []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = strings.TrimSpace(name)
			if wire.IsExtension(name) && !slices.Contains(all, name) && len(all) < 16 {
				all = append(all, name)
			}
		}
	}
	return all
}

// asked are the extensions that the caller asks for.
func (c *call) asked() []string { return extensions(c.r.Header.Values(c.dialect().extensions)) }

// used are the extensions that the headers of an agent's answer name.
func (c *call) used(h http.Header) []string { return extensions(h.Values(c.dialect().extensions)) }
