package interceptor

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
)

// invocation is what interceptor/invoke is asked. What the draft does not know is refused: it could be meant to narrow.
type invocation struct {
	Name    string             `json:"name"`
	Event   string             `json:"event"`
	Phase   string             `json:"phase"`
	Payload stdjson.RawMessage `json:"payload"`
	Config  struct {
		Server      string `json:"server"`
		Tool        string `json:"tool"`
		Purpose     string `json:"purpose"`
		Criticality string `json:"criticality"`
		Version     string `json:"version"`
	} `json:"config"`
	Timeout int64 `json:"timeoutMs"`
	Context struct {
		Principal struct {
			Type   string             `json:"type"`
			ID     string             `json:"id"`
			Claims stdjson.RawMessage `json:"claims"` // not believed: configuration says what a principal is granted
		} `json:"principal"`
		Trace     string `json:"traceId"`
		Span      string `json:"spanId"`
		Timestamp string `json:"timestamp"`
	} `json:"context"`
	Meta stdjson.RawMessage `json:"_meta"`
}

// maxTimeout bounds how long an invocation may take.
const maxTimeout = time.Minute

// outcome is a result of either type.
type outcome struct {
	Interceptor string `json:"interceptor"`
	Type        string `json:"type"`
	Phase       string `json:"phase"`

	Valid    *bool     `json:"valid,omitempty"`
	Severity string    `json:"severity,omitempty"`
	Messages []message `json:"messages,omitempty"`

	Modified *bool `json:"modified,omitempty"`

	Duration int64 `json:"durationMs"`
}

type message struct {
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	Severity string `json:"severity"`
}

func (c *call) invoke() (any, *rpcError) {
	began := time.Now()
	var in invocation
	dec := stdjson.NewDecoder(bytes.NewReader(c.params))
	dec.DisallowUnknownFields()
	if c.params == nil || !exact(c.params, c.snap.Limits) || dec.Decode(&in) != nil { // the library's words may repeat what it read
		return nil, malformed("The params have not the form of the method.")
	}
	if err := in.fits(); err != nil {
		return nil, err
	}
	limit := maxTimeout
	if in.Timeout > 0 {
		limit = min(limit, time.Duration(in.Timeout)*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), limit)
	defer cancel()
	out, err := c.decide(ctx, &in)
	if ctx.Err() != nil && c.r.Context().Err() == nil {
		return nil, &rpcError{Code: codeInternal, Message: "Interceptor execution timeout", Data: map[string]any{
			"interceptor": in.Name, "reason": "timeout", "timeoutMs": limit.Milliseconds(), "phase": in.Phase,
		}}
	}
	o := outcome{Interceptor: in.Name, Type: types[in.Name], Phase: in.Phase, Duration: time.Since(began).Milliseconds()}
	if in.Name == Check {
		return o.judged(&in, out, err)
	}
	if err != nil {
		return nil, &rpcError{Code: codeInternal, Message: "Interceptor execution failed", Data: told(in.Name, err)}
	}
	modified := !bytes.Equal(out, in.Payload)
	o.Modified = &modified
	body, err := stdjson.Marshal(o)
	if err != nil {
		return nil, &rpcError{Code: codeInternal, Message: "Interceptor execution failed", Data: told(in.Name, err)}
	}
	return raw(append(append(append(body[:len(body)-1], `,"payload":`...), out...), '}')), nil
}

// members are those of an invocation and of what lies in it, spelled exactly: the decoder would take others for them.
var members = map[string][]string{
	"":                  {"name", "event", "phase", "payload", "config", "timeoutMs", "context", "_meta"},
	"config":            {"server", "tool", "purpose", "criticality", "version"},
	"context":           {"principal", "traceId", "spanId", "timestamp"},
	"context/principal": {"type", "id", "claims"},
}

func exact(params []byte, limits json.Limits) bool {
	d := new(json.Doc)
	if d.Parse(params, nil, limits) != nil {
		return false
	}
	var check func(n int, path string) bool
	check = func(n int, path string) bool {
		known, ok := members[path]
		if !ok || d.Nodes[n].Kind != json.Object {
			return true
		}
		for child := range d.Children(n) {
			name := string(d.Key(child))
			if !slices.Contains(known, name) || !check(child, strings.TrimPrefix(path+"/"+name, "/")) {
				return false
			}
		}
		return true
	}
	return check(0, "")
}

// fits checks what is asked against what is offered.
func (in *invocation) fits() *rpcError {
	if _, ok := types[in.Name]; !ok {
		return &rpcError{Code: codeParams, Message: "There is no such interceptor.", Data: map[string]any{"name": plain(in.Name)}}
	}
	if !slices.Contains(events, in.Event) || in.Phase != "request" && in.Phase != "response" {
		return &rpcError{Code: codeParams, Message: "Hook not advertised by interceptor", Data: map[string]any{
			"name": in.Name, "event": plain(in.Event), "phase": plain(in.Phase), "advertisedHooks": hooks(),
		}}
	}
	if in.Timeout < 0 || len(in.Payload) == 0 {
		return malformed("The params have not the form of the method.")
	}
	return nil
}

// plain repeats a name only if it is one: anything else could be a value.
func plain(name string) string {
	if !eventName(name) {
		return "*"
	}
	return name
}

// decide takes the payload down the road and returns it as it may pass.
func (c *call) decide(ctx context.Context, in *invocation) ([]byte, error) {
	carried := mcp.Carried{
		Method: in.Event, Version: in.Config.Version, Tool: in.Config.Tool, Purpose: in.Config.Purpose, Criticality: in.Config.Criticality,
		Session: in.Context.Trace,
		Who: func(s *gateway.Snapshot) (identity.Caller, *gateway.Agent, error) {
			peer := s.Interceptor
			if peer == nil || peer.Gateway != c.peer.Gateway {
				return identity.Caller{}, nil, gateway.Refuse(gateway.RuleFace, nil, "The gateway that asks may not ask any more.")
			}
			name := in.Context.Principal.ID
			if in.Context.Principal.Type == "anonymous" {
				name = "" // nobody proved anything
			}
			caller, err := peer.Caller(s, name)
			if err != nil {
				return identity.Caller{}, nil, err
			}
			agent, err := peer.Server(s, in.Config.Server)
			return caller, agent, err
		},
	}
	if in.Phase == "response" {
		carried.Payload = in.Payload
		return c.s.Checker.Response(ctx, carried)
	}
	params, err := in.request(c.snap.Limits)
	if err != nil {
		return nil, c.refused(err)
	}
	carried.Payload = params.raw
	out, err := c.s.Checker.Request(ctx, carried)
	if err != nil {
		return nil, err
	}
	return params.with(out.Payload)
}

// requested is the payload of a request: its method and params.
type requested struct {
	doc *json.Doc
	at  int    // node of params; -1: there are none
	raw []byte // of params
}

// request reads a payload {method, params}. The method is the event's.
func (in *invocation) request(limits json.Limits) (*requested, error) {
	d := new(json.Doc)
	if err := d.Parse(in.Payload, nil, limits); err != nil {
		return nil, err
	}
	wrong := gateway.Refuse(gateway.RuleMalformed, nil, "The payload is not a request of its event: it has method and params.")
	if d.Nodes[0].Kind != json.Object {
		return nil, wrong
	}
	out := &requested{doc: d, at: -1}
	for child := range d.Children(0) {
		switch string(d.Key(child)) {
		case "method":
			if d.Nodes[child].Kind != json.String || d.Text(child) != in.Event {
				return nil, wrong
			}
		case "params":
			out.at, out.raw = child, d.Raw(child)
		default:
			return nil, wrong
		}
	}
	if _, ok := d.Member(0, "method"); !ok {
		return nil, wrong
	}
	return out, nil
}

// with returns the payload with other params; all other bytes stay.
func (p *requested) with(params []byte) ([]byte, error) {
	if bytes.Equal(params, p.raw) {
		return p.doc.Src, nil
	}
	if p.at < 0 {
		return nil, gateway.Refuse(gateway.RuleInternal, nil, "The gateway could not decide this flow, so it did not happen.")
	}
	e := p.doc.Edit()
	e.Replace(p.at, params)
	return e.Apply(nil)
}

// told is what an invoker is told of a failure, without a value.
func told(name string, err error) map[string]any {
	data := map[string]any{"interceptor": name, "reason": "The gateway could not decide this flow, so it did not happen."}
	if r, ok := errors.AsType[*gateway.Refusal](err); ok {
		data["reason"], data["rule"], data["reference"] = r.Text(), string(r.Rule), string(r.Ref)
	}
	return data
}

// judged is the answer of the validator: valid is only what may pass as it is.
func (o outcome) judged(in *invocation, out []byte, err error) (any, *rpcError) {
	valid := err == nil && same(in.Payload, out)
	o.Valid = &valid
	if valid {
		return o, nil
	}
	o.Severity = "error"
	if err != nil {
		r, ok := errors.AsType[*gateway.Refusal](err)
		if !ok || r.Rule == gateway.RuleInternal || r.Rule == gateway.RuleRecord {
			return nil, &rpcError{Code: codeInternal, Message: "Interceptor execution failed", Data: told(in.Name, err)} // a crash is no verdict
		}
		o.Messages = []message{{Path: dotted(in.Phase, r.Place), Message: r.Public, Severity: "error"}}
		return o, nil
	}
	note := noteIn(in.Phase, out)
	for _, ch := range note.Changes {
		o.Messages = append(o.Messages, message{Path: dotted(in.Phase, ch.Path), Message: "The recipient's terms allow less here: " + ch.Level.String() + ".", Severity: "error"})
	}
	if len(o.Messages) == 0 || note.Restricted > 0 {
		o.Messages = append(o.Messages, message{Message: "The recipient's terms do not allow all of this.", Severity: "error"})
	}
	return o, nil
}

// dotted is a place as the draft writes it, from the payload's own root.
func dotted(phase string, p flow.Path) string {
	s := strings.Trim(string(p), "/")
	if phase == "response" {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "result"), "/")
	}
	return strings.ReplaceAll(s, "/", ".")
}

// same reports whether nothing of the payload was changed. A note that only carries on what gateways before this one said
// changes nothing.
func same(in, out []byte) bool {
	return bytes.Equal(in, out) || bytes.Equal(withoutNote(in), withoutNote(out))
}

// withoutNote is a payload without the note in it, in one form, to compare.
func withoutNote(raw []byte) []byte {
	var v map[string]stdjson.RawMessage
	if stdjson.Unmarshal(raw, &v) != nil {
		return raw
	}
	if p, ok := v["params"]; ok {
		v["params"] = withoutNote(p)
	}
	var meta map[string]stdjson.RawMessage
	if stdjson.Unmarshal(v["_meta"], &meta) == nil {
		delete(meta, wire.MetaNote)
		if v["_meta"], _ = stdjson.Marshal(meta); len(meta) == 0 {
			delete(v, "_meta")
		}
	}
	out, err := stdjson.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// noteIn reads the note of a payload that was changed.
func noteIn(phase string, payload []byte) flow.Note {
	type noted struct {
		Meta struct {
			Note flow.Note `json:"dev.scrim/privacy"`
		} `json:"_meta"`
	}
	var v struct {
		noted
		Params noted `json:"params"`
	}
	if stdjson.Unmarshal(payload, &v) != nil {
		return flow.Note{}
	}
	if phase == "request" {
		return v.Params.Meta.Note
	}
	return v.Meta.Note
}
