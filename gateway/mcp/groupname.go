package mcp

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// How a group tells its servers' things apart. A server's id holds no "__" and does not end in "_" (configuration holds
// that), nor a colon, so that every name and address belongs to one server alone.
const (
	nameMark   = "__"     // server__tool
	addressFor = "scrim:" // scrim:server:address
	idMark     = ":"      // server:id, of requests and events
)

// spelling is how a kind of name is told apart.
type spelling uint8

const (
	asName spelling = iota
	asAddress
)

func (s spelling) join(server flow.AgentID, name string) string {
	if s == asAddress {
		return addressFor + string(server) + idMark + name
	}
	return string(server) + nameMark + name
}

func (s spelling) split(name string) (flow.AgentID, string, bool) {
	mark := nameMark
	if s == asAddress {
		var ok bool
		if name, ok = strings.CutPrefix(name, addressFor); !ok {
			return "", "", false
		}
		mark = idMark
	}
	server, rest, ok := strings.Cut(name, mark)
	return flow.AgentID(server), rest, ok && server != ""
}

// named is a place that names a thing of one server: a path in which * stands for any element or member.
type named struct {
	path []string
	as   spelling
}

func namesAt(list ...string) []named {
	var out []named
	for _, p := range list {
		as := asName
		if strings.HasSuffix(p, "uri") || strings.HasSuffix(p, "uriTemplate") {
			as = asAddress
		}
		out = append(out, named{strings.Split(p, "/"), as})
	}
	return out
}

// routes are where a call says which server it is for. The first that is there holds.
var routes = map[string][]named{
	"tools/call":            namesAt("params/name"),
	"prompts/get":           namesAt("params/name"),
	"resources/read":        namesAt("params/uri"),
	"resources/subscribe":   namesAt("params/uri"),
	"resources/unsubscribe": namesAt("params/uri"),
	"completion/complete":   namesAt("params/ref/uri", "params/ref/name"),
	"tasks/get":             namesAt("params/taskId"),
	"tasks/result":          namesAt("params/taskId"),
	"tasks/cancel":          namesAt("params/taskId"),
	"tasks/update":          namesAt("params/taskId"),
}

// answered are the places of an answer, by the method of the call.
var answered = map[string][]named{
	"tools/list":               namesAt("result/tools/*/name"),
	"prompts/list":             namesAt("result/prompts/*/name"),
	"resources/list":           namesAt("result/resources/*/uri"),
	"resources/templates/list": namesAt("result/resourceTemplates/*/uriTemplate"),
	"resources/read":           namesAt("result/contents/*/uri"),
	"tools/call":               namesAt("result/content/*/uri", "result/content/*/resource/uri", "result/task/taskId", "result/taskId"),
	"prompts/get":              namesAt("result/messages/*/content/uri", "result/messages/*/content/resource/uri", "result/messages/*/content/*/uri", "result/messages/*/content/*/resource/uri"),
	"tasks/get":                namesAt("result/taskId"),
	"tasks/result":             namesAt("result/content/*/uri", "result/content/*/resource/uri"),
	"tasks/list":               namesAt("result/tasks/*/taskId"),
	"tasks/cancel":             namesAt("result/taskId"),
}

// told are the places of notifications.
var told = map[string][]named{
	"notifications/resources/updated": namesAt("params/uri"),
	"notifications/tasks/status":      namesAt("params/taskId"),
	"notifications/tasks":             namesAt("params/taskId"),
	"notifications/subscriptions/acknowledged": {
		{[]string{"params", "notifications", "resourceSubscriptions", "*"}, asAddress}, {[]string{"params", "notifications", "taskIds", "*"}, asName},
	},
}

// each calls fn for the strings at the place.
func (p named) each(d *json.Doc, fn func(n int)) { follow(d, 0, p.path, fn) }

func follow(d *json.Doc, n int, path []string, fn func(int)) {
	if len(path) == 0 {
		if d.Nodes[n].Kind == json.String {
			fn(n)
		}
		return
	}
	switch {
	case path[0] == "*" && d.Nodes[n].Kind == json.Array:
		for child := range d.Children(n) {
			follow(d, child, path[1:], fn)
		}
	case path[0] != "*" && d.Nodes[n].Kind == json.Object:
		if child, ok := d.Member(n, path[0]); ok {
			follow(d, child, path[1:], fn)
		}
	}
}

// routed finds the server that a call is for, and the call as that server knows it.
func routed(d *json.Doc, method string, members []flow.AgentID) (server flow.AgentID, name string, body []byte, ok bool) {
	for _, p := range routes[method] {
		at := -1
		p.each(d, func(n int) { at = n })
		if at < 0 {
			continue
		}
		server, name, ok = p.as.split(d.Text(at))
		if !ok || !slices.Contains(members, server) {
			return "", "", nil, false
		}
		e := d.Edit()
		e.ReplaceText(at, name)
		body, err := e.Apply(nil)
		return server, name, body, err == nil
	}
	return "", "", nil, false
}

// joined returns a server's message with its names spelled as the group spells them. All other bytes stay.
func joined(server flow.AgentID, method string, body []byte, limits json.Limits) ([]byte, error) {
	d := new(json.Doc)
	if err := d.Parse(body, nil, limits); err != nil {
		return nil, err
	}
	rpc, err := wire.ReadRPC(d)
	if err != nil {
		return nil, err
	}
	e := d.Edit()
	list := answered[method]
	switch rpc.Kind {
	case wire.Notification:
		list = told[rpc.Method]
		if n, ok := memberAt(d, "params", "requestId"); ok && rpc.Method == "notifications/cancelled" {
			e.ReplaceText(n, string(server)+idMark+string(d.Raw(n)))
		}
	case wire.Call: // its answer must find back to this server, and so must news of how it goes
		list = nil
		e.ReplaceText(rpc.IDNode, string(server)+idMark+string(rpc.ID))
		if n, ok := memberAt(d, "params", "_meta", "progressToken"); ok {
			e.ReplaceText(n, string(server)+idMark+string(d.Raw(n)))
		}
	}
	for _, p := range list {
		p.each(d, func(n int) { e.ReplaceText(n, p.as.join(server, d.Text(n))) })
	}
	if e.Empty() {
		return body, nil
	}
	return e.Apply(nil)
}

// replied finds the server whose request an answer of the client is to, and the answer under that server's own id.
func replied(d *json.Doc, rpc wire.RPC, members []flow.AgentID) (flow.AgentID, []byte, bool) {
	return returned(d, rpc.IDNode, members)
}

// returned takes the server's name off an id that came from a server, and finds out which one that is.
func returned(d *json.Doc, at int, members []flow.AgentID) (flow.AgentID, []byte, bool) {
	if at < 0 || d.Nodes[at].Kind != json.String {
		return "", nil, false
	}
	server, id, ok := strings.Cut(d.Text(at), idMark)
	if !ok || !slices.Contains(members, flow.AgentID(server)) || !isID(id) {
		return "", nil, false
	}
	e := d.Edit()
	e.Replace(at, []byte(id))
	body, err := e.Apply(nil)
	return flow.AgentID(server), body, err == nil
}

// isID reports whether s is a JSON string or number on its own.
func isID(s string) bool {
	var d json.Doc
	return d.Parse([]byte(s), nil, json.Limits{Bytes: 1 << 10, Depth: 1}) == nil && (d.Nodes[0].Kind == json.String || d.Nodes[0].Kind == json.Number)
}
