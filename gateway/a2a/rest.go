package a2a

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// restFront is the HTTP+JSON binding. A body is the params of its call as it stands; what path and query say besides are
// members of them, and what the call's result is stands alone in the answer.
type restFront struct {
	w     http.ResponseWriter
	r     *http.Request
	route route
}

// restID is the id of calls that came in without one.
const restID = "1"

// newRESTFront returns the front for a path below an agent's, or the verbs that the path takes instead, or neither.
func newRESTFront(w http.ResponseWriter, r *http.Request, path string) (f *restFront, allowed string) {
	rt, ok, verbs := findRoute(r.Method, path)
	if !ok {
		return nil, strings.Join(verbs, ", ")
	}
	return &restFront{w: w, r: r, route: rt}, ""
}

var noBody = []byte("{}")

// speaks knows 1.0 alone: the messages of this binding had another form before.
func (f *restFront) speaks(version string) bool { return version == wire.A2A10 }

func (f *restFront) address(*call) error { return nil }

func (f *restFront) open(c *call) ([]byte, error) {
	c.rpc.ID = []byte(restID) // of a refusal
	query, err := url.ParseQuery(f.r.URL.RawQuery)
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The query of the address cannot be read.")
	}
	params := noBody
	if f.r.ContentLength != 0 {
		if f.r.Method != http.MethodPost {
			return nil, gateway.Refuse(gateway.RuleMalformed, nil, "A message with this method of HTTP has no body.")
		}
		if params, err = gateway.ReadRequest(f.w, f.r, c.snap.Limits.Bytes, "application/json", "application/a2a+json"); err != nil {
			return nil, err
		}
		c.sent = params
	}
	if params, err = f.withMembers(c, params, query); err != nil {
		return nil, err
	}
	return wire.AppendCall(make([]byte, 0, len(params)+96), []byte(restID), f.route.method, params), nil
}

// withMembers adds what path and query say to the params.
func (f *restFront) withMembers(c *call, params []byte, query url.Values) ([]byte, error) {
	var d json.Doc
	if err := d.Parse(params, nil, c.snap.Limits); err != nil {
		return nil, err
	}
	if d.Nodes[0].Kind != json.Object {
		return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The message is not a JSON object.")
	}
	e := d.Edit()
	given := map[string]string{}
	add := func(name, value string, raw []byte) error {
		if before, twice := given[name]; twice && before != value {
			return gateway.Refuse(gateway.RuleHeader, nil, "Path and query of the address name different things.")
		} else if twice {
			return nil
		}
		given[name] = value
		if n, there := d.Member(0, name); !there {
			e.Append(0, name, raw)
		} else if d.Nodes[n].Kind != json.String || d.Text(n) != value {
			return gateway.Refuse(gateway.RuleHeader, nil, "The address and the message name different things.")
		}
		return nil
	}
	for _, p := range f.route.params {
		if err := add(p[0], p[1], json.AppendString(nil, p[1])); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(mapKeys(query)) {
		if name == "A2A-Version" {
			continue
		}
		if len(query[name]) != 1 {
			return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The query of the address names something twice.")
		}
		value := query[name][0]
		name, raw := queryMember(name, value)
		if raw == nil {
			continue
		}
		if err := add(name, value, raw); err != nil {
			return nil, err
		}
	}
	if e.Empty() {
		return params, nil
	}
	out, err := e.Apply(nil)
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleMalformed, errors.New("address and message do not go together"), "The address and the message do not go together.")
	}
	return out, nil
}

func mapKeys(v url.Values) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range v {
			if !yield(k) {
				return
			}
		}
	}
}

// queryMember makes a member of the params of what a query says. A value that has not the form of its member is left as
// text, which the place then refuses; an empty one says nothing.
func queryMember(name, value string) (member string, raw []byte) {
	if value == "" {
		return name, nil
	}
	switch name {
	case "lastUpdatedAfter": // what clients of the official SDK for Go call it
		name = "statusTimestampAfter"
	case "historyLength", "pageSize":
		if len(value) <= 9 && strings.Trim(value, "0123456789") == "" && (value == "0" || value[0] != '0') {
			return name, []byte(value)
		}
	case "includeArtifacts":
		if value == "true" || value == "false" {
			return name, []byte(value)
		}
	}
	return name, json.AppendString(nil, value)
}

// media is the media type of an answer: the binding's own to those who use it, JSON to the others.
func (f *restFront) media() string {
	for _, h := range []string{"Content-Type", "Accept"} {
		if strings.HasPrefix(f.r.Header.Get(h), "application/a2a+json") {
			return "application/a2a+json"
		}
	}
	return "application/json"
}

func (f *restFront) whole(c *call, status int, envelope []byte) {
	var d json.Doc
	rpc, err := parsed(&d, envelope)
	if err != nil {
		c.h.Gateway.Fault(err)
		rpc, envelope = wire.RPC{Kind: wire.Failure}, wire.Denial{}.A2A([]byte(restID))
		if rpc, err = parsed(&d, envelope); err != nil {
			return
		}
	}
	if rpc.Kind == wire.Success && streams(c) {
		f.begin(c)
		_ = f.event(&event{}, envelope) // the caller may have gone; the record says released
		return
	}
	body, own := unwrap(&d, rpc, status)
	if own != 0 {
		status = own
	}
	f.reply(c, status, body)
}

// unwrap returns what of an envelope stands in a body of HTTP+JSON, and the status of HTTP that goes with it.
func unwrap(d *json.Doc, rpc wire.RPC, status int) ([]byte, int) {
	if rpc.Kind == wire.Success {
		if d.Nodes[rpc.Result].Kind == json.Null {
			return noBody, http.StatusOK
		}
		return d.Raw(rpc.Result), http.StatusOK
	}
	fault := wire.ReadFault(d, rpc)
	if status < 400 || status > 599 {
		status = fault.HTTP
	}
	return fault.AppendREST(nil, status), status
}

func (f *restFront) reply(c *call, status int, body []byte) {
	setHeader(f.w, c, f.media())
	f.w.WriteHeader(status)
	_, _ = f.w.Write(body) // the caller may have gone; the record says released
}

func (f *restFront) begin(c *call) {
	setHeader(f.w, c, "text/event-stream")
	f.w.WriteHeader(http.StatusOK)
}

func (f *restFront) event(in *event, envelope []byte) error {
	var body []byte
	if envelope != nil {
		var d json.Doc
		rpc, err := parsed(&d, envelope)
		if err != nil {
			return err
		}
		body, _ = unwrap(&d, rpc, 0)
	}
	return send(f.w, in.transcript(nil, body))
}

func (f *restFront) deny(c *call, d wire.Denial) {
	if d.Reason == wire.Unauthenticated || d.Reason == wire.Unauthorized { // not where an agent says so: that is about the gateway's own credential
		f.w.Header().Set("WWW-Authenticate", cmp.Or(d.Challenge, gateway.Challenge(c.snap, c.r)))
	}
	f.whole(&call{h: c.h, version: c.version, active: c.active, rep: new(reply)}, 0, d.A2A([]byte(restID)))
}
