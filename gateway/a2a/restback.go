package a2a

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// restBack calls agents over HTTP+JSON.
type restBack struct{}

func (restBack) call(ctx context.Context, c *call, passed *gateway.Passed) (*reply, error) {
	req, err := c.restRequest(passed.Body)
	if err != nil {
		return nil, err
	}
	res, err := c.agent.A2A.SendTo(ctx, req.verb, req.address, c.r.Header, c.headers(), req.body)
	if err != nil {
		return nil, err
	}
	rep := &reply{used: c.used(res.Header), body: res.Body}
	if res.StatusCode == http.StatusOK && gateway.IsStream(res) {
		body := gateway.Idle(res.Body, c.snap.Events.Idle)
		rep.body, rep.events = body, c.sse(body, c.restEvent)
		return rep, nil
	}
	defer rep.close()
	rep.whole, rep.status, err = c.restAnswer(res)
	return rep, err
}

type restRequest struct {
	verb, address string
	body          []byte
}

// restRequest makes a request of an envelope that passed. What the path says is in neither query nor body again.
func (c *call) restRequest(envelope []byte) (restRequest, error) {
	op, ok := operationOf(c.rpc.Method)
	if !ok {
		return restRequest{}, gateway.Refuse(gateway.RuleMethod, nil, "The agent's binding has no such method.")
	}
	var d json.Doc
	rpc, err := parsed(&d, envelope)
	if err != nil {
		return restRequest{}, err
	}
	value := func(name string) string {
		if rpc.Params < 0 {
			return ""
		}
		n, ok := d.Member(rpc.Params, name)
		if !ok || d.Nodes[n].Kind != json.String {
			return ""
		}
		return d.Text(n)
	}
	tenant := c.to.Tenant
	if tenant == "" {
		tenant = value("tenant")
	}
	address, ok := op.build(c.to.URL, tenant, value)
	if !ok {
		return restRequest{}, gateway.Refuse(gateway.RulePlace, nil, "An id in this message cannot stand in an address, and the agent is called by address.")
	}
	req := restRequest{verb: op.verbs[0], address: address}
	switch {
	case rpc.Params < 0:
	case req.verb == http.MethodPost:
		req.body, err = restBody(&d, rpc.Params, op)
	default:
		query, fits := restQuery(&d, rpc.Params, op)
		if !fits {
			return restRequest{}, gateway.Refuse(gateway.RulePlace, nil, "A value in this message cannot stand in an address, and the agent is called by address.")
		}
		if query != "" {
			req.address += "?" + query
		}
	}
	return req, err
}

// restBody is the params without what the path says.
func restBody(d *json.Doc, params int, op operation) ([]byte, error) {
	var all json.Doc
	raw := d.Raw(params)
	if err := all.Parse(raw, nil, wide(raw)); err != nil {
		return nil, err
	}
	e := all.Edit()
	for n := range all.Children(0) {
		if key := string(all.Key(n)); key == "tenant" || op.inPath(key) {
			e.Remove(n)
		}
	}
	if e.Empty() {
		return raw, nil
	}
	return e.Apply(nil)
}

// restQuery writes the other params as a query: only plain values can stand there.
func restQuery(d *json.Doc, params int, op operation) (string, bool) {
	query := url.Values{}
	for n := range d.Children(params) {
		key := string(d.Key(n))
		if key == "tenant" || op.inPath(key) {
			continue
		}
		if key == "A2A-Version" {
			return "", false // no member of params says what is spoken
		}
		switch d.Nodes[n].Kind {
		case json.Null:
		case json.String:
			query.Set(key, d.Text(n))
		case json.Object, json.Array:
			return "", false
		default:
			query.Set(key, string(d.Raw(n)))
		}
	}
	return query.Encode(), true
}

// restAnswer makes an envelope of a whole answer.
func (c *call) restAnswer(res *http.Response) (envelope []byte, status int, err error) {
	good := res.StatusCode >= 200 && res.StatusCode < 300
	if good && (res.StatusCode == http.StatusNoContent || res.ContentLength == 0) {
		return wire.AppendSuccess(nil, c.upstreamID(), noBody), 0, nil
	}
	if !good && !strings.Contains(res.Header.Get("Content-Type"), "json") {
		return nil, 0, gateway.Refuse(gateway.RuleUpstream, fmt.Errorf("status %d", res.StatusCode), "The agent behind the gateway answered with HTTP status %d.", res.StatusCode)
	}
	body, err := gateway.ReadJSON(res, c.snap.Limits.Bytes)
	if err != nil {
		return nil, 0, agentsFault(err)
	}
	if good {
		if envelope, err = c.wrap(body); err != nil {
			return nil, 0, err
		}
		return envelope, 0, nil
	}
	var d json.Doc
	if err := d.Parse(body, nil, c.snap.Limits); err != nil || d.Nodes[0].Kind != json.Object {
		return nil, 0, gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is not acceptable JSON.")
	}
	n, ok := d.Member(0, "error")
	if !ok {
		n = -1
	}
	return wire.AppendRESTFailure(nil, c.upstreamID(), res.StatusCode, &d, n), res.StatusCode, nil
}

// wrap makes an envelope of a result. It must be whole JSON by itself: it stands beside others' members.
func (c *call) wrap(result []byte) ([]byte, error) {
	var d json.Doc
	if err := d.Parse(result, nil, c.snap.Limits); err != nil {
		return nil, gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is not acceptable JSON.")
	}
	return wire.AppendSuccess(make([]byte, 0, len(result)+48), c.upstreamID(), result), nil
}

// restEvent makes an envelope of an event: an error in a stream is an object with the member "error".
func (c *call) restEvent(data []byte) ([]byte, error) {
	var d json.Doc
	if err := d.Parse(data, nil, c.snap.Limits); err != nil || d.Nodes[0].Kind != json.Object {
		return nil, gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is not acceptable JSON.")
	}
	if n, ok := d.Member(0, "error"); ok && d.Nodes[n].Kind == json.Object {
		return wire.AppendRESTFailure(nil, c.upstreamID(), 0, &d, n), nil
	}
	return wire.AppendSuccess(make([]byte, 0, len(data)+48), c.upstreamID(), data), nil
}
