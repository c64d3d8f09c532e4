package mcp

import (
	"bytes"
	"slices"
	"sync"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Bounds of what is remembered.
const (
	maxPrompts = 1024 // of one server
	maxAsked   = 16   // schemas that one server brought along for one caller
	maxTasks   = 4096 // of all servers: which tool a task is of
	maxCallers = 512  // pairs of server and caller

	maxPromptBytes = 16 << 10 // of the arguments of one prompt
)

// memory knows what servers said that later messages are read by: the arguments of their prompts, the forms that they
// asked callers to fill, and which tool a task is of. All of it only declares places; labels are this domain's own. What
// is forgotten is read as undeclared. The zero value is ready; it is safe for concurrent use.
type memory struct {
	mu      sync.Mutex
	prompts map[flow.AgentID]map[string]string // arguments as a JSON Schema
	forms   map[pair][]places
	tasks   map[taskKey]string
	oldest  []taskKey
}

type pair struct {
	server flow.AgentID
	owner  owner
}

type taskKey struct {
	pair
	id string
}

func pairOf(who parties) pair { return pair{who.agent.Party.Agent, who.owner()} }

// prompt returns what describes the arguments of a prompt.
func (m *memory) prompt(who parties, name string) []*catalog.Schema {
	m.mu.Lock()
	theirs := m.prompts[who.agent.Party.Agent][name]
	m.mu.Unlock()
	return compile(who.snap, who.snap.Catalog.Schemas(catalog.Prompt, who.agent.Party.Agent, name, flow.Request), theirs)
}

// knows reports whether the server's own list or a schema of this domain names the prompt.
func (m *memory) knows(who parties, name string) bool {
	m.mu.Lock()
	_, ok := m.prompts[who.agent.Party.Agent][name]
	m.mu.Unlock()
	return ok || who.snap.Catalog.Names(catalog.Prompt, who.agent.Party.Agent, name)
}

// asked returns the schemas of what the server asked this caller for.
func (m *memory) asked(who parties) []places {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.forms[pairOf(who)])
}

// asks remembers them, the newest first.
func (m *memory) asks(who parties, all []places) {
	if len(all) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forms == nil || len(m.forms) >= maxCallers {
		m.forms = map[pair][]places{}
	}
	key := pairOf(who)
	kept := slices.DeleteFunc(m.forms[key], func(p places) bool { return slices.Contains(all, p) })
	kept = append(slices.Clone(all), kept...)
	m.forms[key] = kept[:min(len(kept), maxAsked)]
}

// task remembers which tool a task is of.
func (m *memory) task(who parties, id, tool string) {
	if len(id) > maxNamed {
		return // no form of the protocol's ids
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := taskKey{pairOf(who), id}
	if m.tasks == nil {
		m.tasks = map[taskKey]string{}
	}
	if _, known := m.tasks[key]; !known {
		if len(m.oldest) >= maxTasks {
			delete(m.tasks, m.oldest[0])
			m.oldest = m.oldest[1:]
		}
		m.oldest = append(m.oldest, key)
	}
	m.tasks[key] = tool
}

func (m *memory) toolOf(who parties, id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks[taskKey{pairOf(who), id}]
}

// learn takes from an answer of the server what later messages are read by.
func (x *exchange) learn(who parties, c *calling, given []byte) {
	server := who.agent.Party.Agent
	switch c.method {
	case "prompts/list":
		x.memory.learn(server, given)
	case "tools/call":
		if c.tool != "" { // a task that it became is of the tool
			if id := taskIn(given); id != "" {
				x.memory.task(who, id, c.tool)
			}
		}
		x.memory.asks(who, requestsIn(given))
	case "prompts/get", "resources/read", "tasks/get":
		x.memory.asks(who, requestsIn(given))
	}
}

// learn takes the arguments of prompts out of an answer to prompts/list, as the server gave it.
func (m *memory) learn(server flow.AgentID, body []byte) {
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return
	}
	list, ok := under(&d, "result", "prompts")
	if !ok || d.Nodes[list].Kind != json.Array {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.prompts == nil {
		m.prompts = map[flow.AgentID]map[string]string{}
	}
	if m.prompts[server] == nil {
		m.prompts[server] = map[string]string{}
	}
	for prompt := range d.Children(list) {
		name := textIn(&d, prompt, "name")
		_, known := m.prompts[server][name]
		if name == "" || len(name) > maxNamed || !known && len(m.prompts[server]) >= maxPrompts {
			continue
		}
		m.prompts[server][name] = argumentsOf(&d, prompt)
	}
}

// argumentsOf writes the arguments of a prompt as a JSON Schema: texts, each by its name.
func argumentsOf(d *json.Doc, prompt int) string {
	props, required := []byte(`{"type":"object","properties":{`), []byte(`},"required":[`)
	list, ok := d.Member(prompt, "arguments")
	seen := map[string]bool{}
	if ok && d.Nodes[list].Kind == json.Array {
		for arg := range d.Children(list) {
			name := textIn(d, arg, "name")
			if name == "" || seen[name] || len(props)+len(required)+2*len(name) > maxPromptBytes {
				continue
			}
			if len(seen) > 0 {
				props = append(props, ',')
			}
			seen[name] = true
			props = append(json.AppendString(props, name), `:{"type":"string"}`...)
			if n, ok := d.Member(arg, "required"); ok && d.Nodes[n].Kind == json.True {
				if required[len(required)-1] != '[' {
					required = append(required, ',')
				}
				required = json.AppendString(required, name)
			}
		}
	}
	return string(append(append(props, required...), "]}"...))
}

// taskIn is the id of the task that a server made of a call, in either of the two forms; "" if it made none.
func taskIn(body []byte) string {
	if !bytes.Contains(body, []byte(`"taskId"`)) {
		return ""
	}
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return ""
	}
	if n, ok := under(&d, "result"); ok {
		return taskOf(&d, n)
	}
	return ""
}

func taskOf(d *json.Doc, result int) string {
	if d.Nodes[result].Kind != json.Object {
		return ""
	}
	if n, ok := d.Member(result, "task"); ok {
		return textIn(d, n, "taskId")
	}
	return textIn(d, result, "taskId")
}

// under follows member names down from the root.
func under(d *json.Doc, names ...string) (int, bool) {
	n := 0
	for _, name := range names {
		if d.Nodes[n].Kind != json.Object {
			return -1, false
		}
		var ok bool
		if n, ok = d.Member(n, name); !ok {
			return -1, false
		}
	}
	return n, true
}

func textIn(d *json.Doc, obj int, member string) string {
	if d.Nodes[obj].Kind != json.Object {
		return ""
	}
	n, ok := d.Member(obj, member)
	if !ok || d.Nodes[n].Kind != json.String {
		return ""
	}
	return d.Text(n)
}

// asksAbout notes which prompt, completion or task a client's message is about.
func (c *calling) asksAbout(x *exchange, m *message) {
	if m.rpc.Params < 0 {
		return
	}
	switch c.method {
	case "prompts/get":
		c.prompt = textIn(m.doc, m.rpc.Params, "name")
		if wire.IsName(c.prompt) {
			c.flow.Subject = "*"
			if x.memory.knows(c.who, c.prompt) {
				c.flow.Subject = c.prompt
			}
		}
	case "completion/complete":
		c.argument = completes(m)
		if ref, ok := m.doc.Member(m.rpc.Params, "ref"); ok && textIn(m.doc, ref, "type") == "ref/prompt" {
			c.ref = "prompt " + textIn(m.doc, ref, "name")
		}
	}
}

// follow notes which tool a call asks after, by the id of its task as the server knows it.
func (c *calling) follow(x *exchange, forward []byte) {
	switch c.method {
	case "tasks/get", "tasks/result":
	default:
		return
	}
	var d json.Doc
	if d.Parse(forward, nil, json.Limits{}) != nil {
		return
	}
	n, ok := under(&d, "params")
	if !ok {
		return
	}
	if tool := x.memory.toolOf(c.who, textIn(&d, n, "taskId")); tool != "" && wire.IsName(tool) {
		c.tool, c.flow.Subject = tool, "*"
		if x.tools.known(c.who.snap, c.who.agent.Party.Agent, tool) {
			c.flow.Subject = tool
		}
	}
}
