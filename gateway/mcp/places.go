package mcp

import (
	"bytes"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// places is one schema that a request of a server brings along: what it declares, and where its data will stand.
type places struct {
	kind   placeKind
	schema string // JSON
}

type placeKind uint8

const (
	form     placeKind = iota // what a form asks for, in the content of its answer
	toolUse                   // what a model calls a tool with
	toolDone                  // what a tool answered
)

// maxPlaces bounds how many schemas one request of a server may bring along, maxPlaceBytes how large they are together.
// What is beyond declares nothing.
const (
	maxPlaces     = 64
	maxPlaceBytes = 64 << 10
)

// asked reads the schemas of a request that a server makes of its client.
func asked(d *json.Doc, rpc wire.RPC) []places {
	if rpc.Params < 0 {
		return nil
	}
	return askedIn(d, rpc.Params, nil)
}

func askedIn(d *json.Doc, params int, out []places) []places {
	if d.Nodes[params].Kind != json.Object {
		return out
	}
	room := maxPlaceBytes
	for _, p := range out {
		room -= len(p.schema)
	}
	take := func(obj int, member string, kind placeKind) {
		n, ok := d.Member(obj, member)
		if ok && d.Nodes[n].Kind == json.Object && len(d.Raw(n)) <= room && len(out) < maxPlaces {
			out = append(out, places{kind, string(d.Raw(n))})
			room -= len(d.Raw(n))
		}
	}
	take(params, "requestedSchema", form)
	if tools, ok := d.Member(params, "tools"); ok && d.Nodes[tools].Kind == json.Array {
		for tool := range d.Children(tools) {
			if d.Nodes[tool].Kind == json.Object {
				take(tool, "inputSchema", toolUse)
				take(tool, "outputSchema", toolDone)
			}
		}
	}
	return out
}

// described says where the data of such schemas stands below a place of the message: "params" of a request, "result" of
// its answer, and so on. A schema from outside declares and never reveals.
func (x *exchange) described(who parties, under string, all []places) gateway.Places {
	at := gateway.Places{}
	x.describe(at, who, under, all)
	return at
}

func (x *exchange) describe(at gateway.Places, who parties, under string, all []places) {
	of := func(kind placeKind, method string) []*catalog.Schema {
		ours := own(who, method, flow.Response)
		var out []*catalog.Schema
		found := false
		for _, p := range all {
			if p.kind == kind {
				found, out = true, append(out, compile(who.snap, ours, p.schema)...)
			}
		}
		if !found {
			return ours
		}
		return out
	}
	at[under+"/content"] = gateway.Described{Schemas: of(form, "elicitation/create")}
	used, done := gateway.Described{Schemas: of(toolUse, "sampling/createMessage")}, gateway.Described{Schemas: of(toolDone, "sampling/createMessage")}
	for _, block := range []string{"/content/", "/content/*/", "/messages/*/content/", "/messages/*/content/*/"} {
		at[under+block+"input"], at[under+block+"structuredContent"] = used, done
	}
}

// requestPlaces are the places of a client's message that other schemas describe than its tool's.
func (x *exchange) requestPlaces(who parties, c *calling, m *message) gateway.Places {
	server := who.agent.Party.Agent
	switch c.method {
	case "completion/complete":
		schemas := x.memory.prompt(who, strings.TrimPrefix(c.ref, "prompt "))
		if !strings.HasPrefix(c.ref, "prompt ") {
			schemas = compile(who.snap, who.snap.Catalog.Schemas(catalog.Prompt, server, "", flow.Request), anyTexts)
		}
		at := gateway.Places{"params/context/arguments": {Schemas: schemas}}
		if name := completes(m); name != "" {
			at["params/argument/value"] = gateway.Described{Schemas: schemas, Member: name}
		}
		return at
	case "tools/call", "prompts/get", "resources/read", "tasks/update":
		at := gateway.Places{}
		x.describe(at, who, "params/inputResponses/{}", x.memory.asked(who))
		return at
	}
	return nil
}

// anyTexts is what the variables of a resource's address are: texts.
const anyTexts = `{"type":"object","additionalProperties":{"type":"string"}}`

// completes is the name of the argument that a completion is for.
func completes(m *message) string {
	if m.rpc.Params < 0 {
		return ""
	}
	arg, ok := m.doc.Member(m.rpc.Params, "argument")
	if !ok || m.doc.Nodes[arg].Kind != json.Object {
		return ""
	}
	n, ok := m.doc.Member(arg, "name")
	if !ok || m.doc.Nodes[n].Kind != json.String {
		return ""
	}
	return m.doc.Text(n)
}

// responsePlaces are those of a server's answer.
func (x *exchange) responsePlaces(who parties, c *calling, body []byte) gateway.Places {
	if c.method == "completion/complete" {
		name, ok := strings.CutPrefix(c.ref, "prompt ")
		if ok && c.argument != "" {
			return gateway.Places{"result/completion/values/*": {Schemas: x.memory.prompt(who, name), Member: c.argument}}
		}
		return nil
	}
	all := requestsIn(body)
	if len(all) == 0 {
		return nil
	}
	return x.described(who, "result/inputRequests/{}/params", all)
}

// noticePlaces are those of a notification.
func (x *exchange) noticePlaces(who parties, method string, body []byte) gateway.Places {
	if method != "notifications/tasks" {
		return nil
	}
	return x.described(who, "params/inputRequests/{}/params", requestsIn(body))
}

// requestsIn reads the schemas of the requests that an answer or a notification of the server holds.
func requestsIn(body []byte) []places {
	if !bytes.Contains(body, []byte(`"inputRequests"`)) {
		return nil
	}
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return nil
	}
	var out []places
	for _, top := range []string{"result", "params"} {
		n, ok := d.Member(0, top)
		if !ok || d.Nodes[n].Kind != json.Object {
			continue
		}
		if n, ok = d.Member(n, "inputRequests"); !ok || d.Nodes[n].Kind != json.Object {
			continue
		}
		for one := range d.Children(n) {
			if d.Nodes[one].Kind != json.Object {
				continue
			}
			if params, ok := d.Member(one, "params"); ok {
				out = askedIn(&d, params, out)
			}
		}
	}
	return out
}

// schemas are what describes arguments and structured content of a call.
func (x *exchange) schemas(who parties, c *calling, dir flow.Direction) []*catalog.Schema {
	if c.method == "prompts/get" && dir == flow.Request {
		return x.memory.prompt(who, c.prompt)
	}
	return x.tools.schemas(who.snap, who.agent.Party.Agent, c.tool, dir)
}
