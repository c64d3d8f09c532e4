package mcp

import (
	"sync"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// maxTools bounds how many tools are remembered for one server, maxToolBytes how large a schema of one may be,
// maxServerBytes how large all of a server's are together, and maxNamed how long the name of anything that is remembered.
const (
	maxTools       = 1024
	maxToolBytes   = 256 << 10
	maxServerBytes = 16 << 20
	maxNamed       = 256
)

// Tools remembers the schemas that servers gave for their tools. They declare places; labels are this domain's own,
// and a schema from outside can only make them stricter. The zero value is ready; it is safe for concurrent use.
type Tools struct {
	Contracts gateway.Contracts // that policies may ask for; nil: there are none. Set before use

	mu      sync.Mutex
	seen    map[flow.AgentID]map[string]learned
	bytes   map[flow.AgentID]int  // of the schemas that were seen
	whole   map[flow.AgentID]bool // the server's list was seen to its end
	changes int                   // of what servers said of their tools, counted
	merged  [2]generation         // by the configuration in force, and by the one before, which open calls may still have
}

// learned is a tool as its server described it.
type learned struct {
	input, output string // JSON; "" where there is none
	bounds        []bound
}

// generation holds what was compiled under one configuration.
type generation struct {
	snap     *gateway.Snapshot
	schemas  map[toolKey][]*catalog.Schema
	verdicts map[string]verdict // by [verdictKey]
}

type toolKey struct {
	server flow.AgentID
	tool   string
	dir    flow.Direction
}

// learn takes the schemas out of an answer to tools/list, as the server gave it.
func (t *Tools) learn(server flow.AgentID, body []byte, s *gateway.Snapshot) {
	var d json.Doc
	if d.Parse(body, nil, s.Limits) != nil {
		return
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil || rpc.Result < 0 || d.Nodes[rpc.Result].Kind != json.Object {
		return
	}
	list, ok := d.Member(rpc.Result, "tools")
	if !ok || d.Nodes[list].Kind != json.Array {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[flow.AgentID]map[string]learned{}
	}
	if t.seen[server] == nil {
		t.seen[server] = map[string]learned{}
	}
	for tool := range d.Children(list) {
		if d.Nodes[tool].Kind != json.Object {
			continue
		}
		n, ok := d.Member(tool, "name")
		if !ok || d.Nodes[n].Kind != json.String {
			continue
		}
		t.keep(server, d.Text(n), describe(&d, tool))
	}
	if _, more := d.Member(rpc.Result, "nextCursor"); !more {
		if t.whole == nil {
			t.whole = map[flow.AgentID]bool{}
		}
		t.whole[server] = len(t.seen[server]) < maxTools
	}
}

// listed reports whether all tools of the server are known.
func (t *Tools) listed(server flow.AgentID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.whole[server]
}

// keep remembers a tool and forgets what was compiled from another description of it. Lists come in pages.
func (t *Tools) keep(server flow.AgentID, name string, now learned) {
	old, known := t.seen[server][name]
	if !known && len(t.seen[server]) >= maxTools || len(name) > maxNamed {
		return
	}
	size := len(now.input) + len(now.output) - len(old.input) - len(old.output)
	if t.bytes[server]+size > maxServerBytes { // what is beyond declares nothing
		now, size = learned{}, -len(old.input)-len(old.output)
	}
	if t.bytes == nil {
		t.bytes = map[flow.AgentID]int{}
	}
	t.bytes[server] += size
	t.seen[server][name] = now
	if old.input == now.input && old.output == now.output {
		return
	}
	t.changes++
	for _, g := range t.merged {
		delete(g.schemas, toolKey{server, name, flow.Request})
		delete(g.schemas, toolKey{server, name, flow.Response})
		clear(g.verdicts)
	}
}

func describe(d *json.Doc, tool int) learned {
	raw := func(member string) (string, int) {
		n, ok := d.Member(tool, member)
		if !ok || d.Nodes[n].Kind != json.Object || len(d.Raw(n)) > maxToolBytes {
			return "", -1
		}
		return string(d.Raw(n)), n
	}
	var out learned
	var input int
	out.input, input = raw("inputSchema")
	out.output, _ = raw("outputSchema")
	if input >= 0 {
		out.bounds = bindings(d, input, nil, nil)
	}
	return out
}

func (t *Tools) bounds(server flow.AgentID, tool string) []bound {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[server][tool].bounds
}

// schemas returns what may describe a tool's arguments or structured result, and resources. What is compiled is kept
// until the configuration or the server's description changes.
func (t *Tools) schemas(s *gateway.Snapshot, server flow.AgentID, tool string, dir flow.Direction) []*catalog.Schema {
	if tool == "" {
		return s.Catalog.Schemas(catalog.Resource, server, "", dir)
	}
	key := toolKey{server, tool, dir}
	t.mu.Lock()
	gen := t.generation(s).schemas
	list, ok := gen[key]
	seen := t.seen[server][tool]
	t.mu.Unlock()
	if ok {
		return list
	}
	theirs := seen.input
	if dir == flow.Response {
		theirs = seen.output
	}
	list = compile(s, s.Catalog.Schemas(catalog.Tool, server, tool, dir), theirs)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.seen[server][tool]
	same := now.input == seen.input && now.output == seen.output
	if gen := t.generation(s).schemas; same && len(gen) < 4*maxTools {
		gen[key] = list
	}
	return list
}

// Schemas is what may describe a tool's arguments or results, for parts of them that went by reference.
func (t *Tools) Schemas(s *gateway.Snapshot, server flow.AgentID, tool string, dir flow.Direction) []*catalog.Schema {
	return t.schemas(s, server, tool, dir)
}

// generation returns what was compiled under s. It must be called with the mutex held.
func (t *Tools) generation(s *gateway.Snapshot) generation {
	for _, g := range t.merged {
		if g.snap == s {
			return g
		}
	}
	g := generation{snap: s, schemas: map[toolKey][]*catalog.Schema{}, verdicts: map[string]verdict{}}
	t.merged = [2]generation{g, t.merged[0]}
	return g
}

// compile merges the domain's own schemas with the server's. A schema from outside that cannot be read, or merged,
// describes nothing: without it a place could be thought less strict than its server has it.
func compile(s *gateway.Snapshot, own []*catalog.Schema, theirs string) []*catalog.Schema {
	if theirs == "" {
		return own
	}
	foreign, err := catalog.ParseSchema("server", []byte(theirs), catalog.SchemaOptions{Taxonomy: s.Taxonomy, Foreign: true})
	if err != nil {
		return own
	}
	if len(own) == 0 {
		return []*catalog.Schema{foreign}
	}
	merged := make([]*catalog.Schema, 0, len(own))
	for _, sc := range own {
		if m, err := catalog.Merge(sc, foreign); err == nil {
			merged = append(merged, m)
		}
	}
	return merged
}

// known reports whether the server's own list or a schema of this domain names the tool.
func (t *Tools) known(s *gateway.Snapshot, server flow.AgentID, tool string) bool {
	t.mu.Lock()
	_, ok := t.seen[server][tool]
	t.mu.Unlock()
	return ok || s.Catalog.Names(catalog.Tool, server, tool)
}
