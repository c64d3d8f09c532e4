package mcp

import (
	"sync"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// maxTools bounds how many tools' schemas are remembered for one server.
const maxTools = 1024

// Tools remembers the schemas that servers gave for their tools. They declare places; labels are this domain's own,
// and a schema from outside can only make them stricter. It is safe for concurrent use.
type Tools struct {
	mu   sync.Mutex
	seen map[flow.AgentID]map[string]toolSchemas
}

type toolSchemas struct{ input, output *catalog.Schema }

// learn takes the schemas out of an answer to tools/list, as the server gave it.
func (t *Tools) learn(server flow.AgentID, body []byte, s *gateway.Snapshot) {
	var d json.Doc
	if d.Parse(body, nil, s.Limits) != nil {
		return
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil || rpc.Result < 0 {
		return
	}
	list, ok := d.Member(rpc.Result, "tools")
	if !ok {
		return
	}
	got := map[string]toolSchemas{}
	for tool := range d.Children(list) {
		name, ok := d.Member(tool, "name")
		if !ok || len(got) == maxTools {
			continue
		}
		got[d.Text(name)] = toolSchemas{input: foreign(&d, tool, "inputSchema", s), output: foreign(&d, tool, "outputSchema", s)}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[flow.AgentID]map[string]toolSchemas{}
	}
	if t.seen[server] == nil {
		t.seen[server] = map[string]toolSchemas{}
	}
	for name, sc := range got { // lists come in pages
		if len(t.seen[server]) < maxTools {
			t.seen[server][name] = sc
		}
	}
}

func foreign(d *json.Doc, tool int, member string, s *gateway.Snapshot) *catalog.Schema {
	n, ok := d.Member(tool, member)
	if !ok || d.Nodes[n].Kind != json.Object {
		return nil
	}
	sc, err := catalog.ParseSchema(member, d.Raw(n), catalog.SchemaOptions{Taxonomy: s.Taxonomy, Foreign: true})
	if err != nil {
		return nil // a schema that cannot be read declares nothing
	}
	return sc
}

// schemas returns what may describe a tool's arguments or structured result, and resources.
func (t *Tools) schemas(s *gateway.Snapshot, server flow.AgentID, tool string, dir flow.Direction) []*catalog.Schema {
	if tool == "" {
		return s.Catalog.Schemas(catalog.Resource, server, "", dir)
	}
	own := s.Catalog.Schemas(catalog.Tool, server, tool, dir)
	t.mu.Lock()
	seen, ok := t.seen[server][tool]
	t.mu.Unlock()
	theirs := seen.input
	if dir == flow.Response {
		theirs = seen.output
	}
	if !ok || theirs == nil {
		return own
	}
	if len(own) == 0 {
		return []*catalog.Schema{theirs}
	}
	merged := make([]*catalog.Schema, 0, len(own))
	for _, sc := range own {
		if m, err := catalog.Merge(sc, theirs); err == nil {
			merged = append(merged, m)
		}
	}
	return merged
}
