package a2a

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/wire"
)

// The gateway's own agent stands at the address of [offer.Server] on each face, with a skill for each of its tools. It is sent a message with
// one data part, {"skill": …, "arguments": {…}}, and answers at once with a message of one data part. It keeps no tasks.

// ownAgent reports whether the call is for the gateway's own agent.
func (c *call) ownAgent() bool { return c.agentID == offer.Server && len(c.h.Own.Tools()) > 0 }

func (h *Handler) ownParty(s *gateway.Snapshot) flow.Party {
	return flow.Party{Agent: offer.Server, Domain: s.Domain}
}

// readOwn reads a call of the gateway's own agent, whose caller was authenticated.
func (c *call) readOwn() error {
	if c.h.Face == gateway.Outbound && c.caller.Party.Domain != c.snap.Domain {
		return gateway.Refuse(gateway.RuleFace, nil, "There is no such agent at this address for this caller.")
	}
	c.agent = &gateway.Agent{Party: c.h.ownParty(c.snap)}
	c.flow.To = c.agent.Party
	if err := c.readVersion(); err != nil {
		return err
	}
	if err := c.readCall(); err != nil {
		return err
	}
	sends := map[string]string{wire.A2A10: "SendMessage", wire.A2A03: "message/send"}[c.version]
	switch {
	case c.rpc.Method == c.dialect().stream:
		return gateway.Refuse(gateway.RuleMethod, nil, "This agent answers at once and as a whole; send the message without a stream.")
	case c.rpc.Method != sends && c.table(flow.Request, false) != nil:
		return gateway.Refuse(gateway.RuleMethod, nil, "This agent keeps no tasks; it is sent messages alone.")
	case c.rpc.Method != sends:
		return c.unknownMethod()
	}
	var err error
	if c.a2a, err = c.dialect().read(&c.doc, c.rpc); err != nil {
		return gateway.Refuse(gateway.RulePlace, err, "The message has not the form of %s.", c.rpc.Method)
	}
	c.flow.Method = c.rpc.Method
	purpose, criticality := gateway.Claimed(&c.doc, c.a2a.Message.Metadata, card.PrivacyExtension)
	if purpose == "" && criticality == "" {
		c.flow.Purpose, c.flow.Task.Criticality = c.caller.ChooseFrom(c.r.Header)
	} else {
		c.flow.Purpose, c.flow.Task.Criticality = c.caller.Choose(purpose, criticality)
	}
	return c.readSkill()
}

// readSkill finds what of the agent is asked.
func (c *call) readSkill() error {
	wrong := func(text string) error { return gateway.Refuse(gateway.RulePlace, nil, "%s", text) }
	if c.a2a.TaskID >= 0 {
		return wrong("This agent keeps no tasks; leave the task out of the message.")
	}
	if conf, ok := c.doc.Member(c.rpc.Params, "configuration"); ok && c.doc.Nodes[conf].Kind == json.Object {
		for _, name := range []string{"taskPushNotificationConfig", "pushNotificationConfig"} {
			if n, ok := c.doc.Member(conf, name); ok && c.doc.Nodes[n].Kind != json.Null {
				return gateway.Refuse(gateway.RulePush, nil, "This agent answers at once and sends no notifications.")
			}
		}
	}
	parts, ok := c.doc.Member(c.a2a.Node, "parts")
	const form = `The message needs exactly one part, with data {"skill": …, "arguments": {…}}.`
	if !ok || c.doc.Nodes[parts].Kind != json.Array {
		return wrong(form)
	}
	data := -1
	for part := range c.doc.Children(parts) {
		n, ok := c.doc.Member(part, "data")
		if data >= 0 || !ok || c.doc.Nodes[n].Kind != json.Object {
			return wrong(form)
		}
		data = n
	}
	if data < 0 {
		return wrong(form)
	}
	name, ok := c.doc.Member(data, "skill")
	if !ok || c.doc.Nodes[name].Kind != json.String {
		return wrong(form)
	}
	if c.own = c.h.Own.Named(c.doc.Text(name)); c.own == nil {
		return gateway.Refuse(gateway.RuleFace, nil, "This agent has no such skill.")
	}
	c.flow.Subject, c.skillArguments = c.own.Name, []byte("{}")
	if n, ok := c.doc.Member(data, "arguments"); ok {
		if c.doc.Nodes[n].Kind != json.Object {
			return wrong(form)
		}
		c.skillArguments = c.doc.Raw(n)
	}
	return nil
}

// answerSkill answers a message to the gateway's own agent.
func (c *call) answerSkill(ctx context.Context) error {
	if err := c.h.Gateway.Holds(ctx, c.snap, c.authority, c.sent); err != nil {
		return err
	}
	answer, err := c.own.Call(ctx, &offer.Call{
		Snapshot: c.snap, Face: c.h.Face, Caller: c.caller, Authority: c.authority, Flow: c.flow, ID: c.ids().Message, Arguments: c.skillArguments,
	})
	if err != nil {
		return err
	}
	c.front.whole(c, 0, answer.Pad(c.ownMessage(answer.Body)))
	return nil
}

// ownMessage is an answer of the gateway's own agent as an envelope.
func (c *call) ownMessage(body []byte) []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	b := append([]byte(`{"jsonrpc":"2.0","id":`), c.rpc.ID...)
	if c.version == wire.A2A03 {
		b = append(b, `,"result":{"kind":"message","role":"agent","messageId":"`...)
	} else {
		b = append(b, `,"result":{"message":{"role":"ROLE_AGENT","messageId":"`...)
	}
	b = append(b, hex.EncodeToString(id[:])+`"`...)
	if at := c.ids().Context; at != "" {
		b = json.AppendString(append(b, `,"contextId":`...), at)
	}
	if c.version == wire.A2A03 {
		return append(append(append(b, `,"parts":[{"kind":"data","data":`...), body...), `}]}}`...)
	}
	return append(append(append(b, `,"parts":[{"data":`...), body...), `}]}}}`...)
}

// ownCard shows the card of the gateway's own agent.
func (h *Handler) ownCard(w http.ResponseWriter, r *http.Request, old bool) {
	s := h.Gateway.Snapshot()
	base := gateway.BaseURL(s, r)
	name := h.Prefix[1:] + string(offer.Server)
	parsed, err := card.Parse(h.plainCard(), json.Limits{Bytes: cardBytes})
	if err != nil {
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be shown", http.StatusInternalServerError)
		return
	}
	opt := card.Options{SecuritySchemes: []byte(bearerScheme), Signer: h.Cards.Signer, KeyID: h.Cards.KeyID, JKU: base + KeysPath}
	for _, f := range h.Cards.fronts() {
		at := card.Interface{URL: base + "/" + name, Binding: f.Binding, Version: f.Version}
		if f.Binding == card.GRPC {
			at.URL, at.Tenant = authority(base), name
		}
		opt.Interfaces = append(opt.Interfaces, at)
	}
	rewrite := (*card.Card).Rewrite
	if old {
		rewrite, opt.SecuritySchemes = (*card.Card).RewriteOld, []byte(oldBearerScheme)
	}
	out, err := rewrite(parsed, opt)
	switch {
	case errors.Is(err, card.ErrNoInterface):
		http.NotFound(w, r)
	case err != nil:
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be shown", http.StatusInternalServerError)
	default:
		h.send(w, r, out, s.PublicURL == "")
	}
}

// plainCard is the card before the gateway's addresses are in it.
func (h *Handler) plainCard() []byte {
	b := []byte(`{"name":"Scrim","description":"Answers questions about the datasets of this domain under differential privacy, and tells on which terms data would pass. Send one data part: {\"skill\": the id of a skill, \"arguments\": its arguments}.",` +
		`"version":"1","protocolVersion":"1.0","url":"https://localhost/","preferredTransport":"JSONRPC","supportedInterfaces":[{"url":"https://localhost/","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"capabilities":{"streaming":false,"pushNotifications":false},"defaultInputModes":["application/json"],"defaultOutputModes":["application/json"],"skills":[`)
	for i, t := range h.Own.Tools() {
		if i > 0 {
			b = append(b, ',')
		}
		b = json.AppendString(append(b, `{"id":`...), t.Name)
		b = json.AppendString(append(b, `,"name":`...), t.Title)
		b = json.AppendString(append(b, `,"description":`...), t.Description+" Arguments by JSON Schema: "+t.Input)
		b = append(b, `,"tags":["privacy"],"inputModes":["application/json"],"outputModes":["application/json"]}`...)
	}
	return append(b, `]}`...)
}
