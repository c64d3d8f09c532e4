package mcp

import (
	"bytes"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy"
)

// TestVerdictsFollowWhatTheServerSays: what is kept of an earlier description of a tool must not outlive it.
func TestVerdictsFollowWhatTheServerSays(t *testing.T) {
	caller, server := flow.Party{Agent: "caller", Domain: "other"}, flow.Party{Agent: "records", Domain: "own"}
	load := func(text string) *gateway.Snapshot {
		set, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(text)}}, policy.Options{Entities: policy.Entities{Agents: []flow.Party{caller, server}}})
		if err != nil {
			t.Fatal(err)
		}
		return &gateway.Snapshot{Taxonomy: flow.DefaultTaxonomy(), Policy: set, Catalog: catalog.New(nil, nil)}
	}
	const all = `@id("all") permit (principal, action in Action::"upto_raw", resource); `
	const none = `@id("no") forbid (principal, action in Action::"atleast_masked", resource in DataClass::"unlabelled");`
	snap := load(all + none)
	who := parties{snap: snap, agent: &gateway.Agent{Party: server}, caller: identity.Caller{Party: caller, Criticality: flow.Critical}}
	var tools Tools
	may := func() bool {
		v, err := tools.usable(who, listings["tools/list"], "rows")
		if err != nil {
			t.Fatal(err)
		}
		return v.may
	}
	describe := func(schema string) {
		tools.learn("records", []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"rows","inputSchema":`+schema+`}]}}`), snap)
	}
	describe(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	if !may() {
		t.Fatal("the tool is kept back")
	}
	describe(`{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}`)
	if may() {
		t.Error("the tool can be called, though no call is without what policy forbids")
	}
	describe(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	if !may() {
		t.Error("the tool is kept back, though the place may be left out")
	}
	if who.snap = load(none); may() {
		t.Error("another configuration gets the verdict of the first")
	}
}

// FuzzSelected: whatever a server lists, nothing that is kept back is in what is left, and all else is, with its bytes.
func FuzzSelected(f *testing.F) {
	caller, server := flow.Party{Agent: "caller", Domain: "other"}, flow.Party{Agent: "records", Domain: "own"}
	set, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(`
@id("all") permit (principal, action in Action::"upto_raw", resource);
@id("no") forbid (principal, action in Action::"atleast_masked", resource) when { context.skill == "hidden" };`)}}, policy.Options{Entities: policy.Entities{Agents: []flow.Party{caller, server}}})
	if err != nil {
		f.Fatal(err)
	}
	who := parties{
		snap:  &gateway.Snapshot{Taxonomy: flow.DefaultTaxonomy(), Policy: set, Catalog: catalog.New(nil, nil)},
		agent: &gateway.Agent{Party: server}, caller: identity.Caller{Party: caller, Criticality: flow.Critical},
	}
	for _, list := range []string{`[{"name":"hidden"},{"name":"rows", "x":1}]`, `[]`, `[null,1,{"name":2}]`, `[{"name":"hid\u0064en"}]`, `{}`} {
		f.Add([]byte(list))
	}
	x := &exchange{tools: &Tools{}}
	f.Fuzz(func(t *testing.T, list []byte) {
		body := append(append([]byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":`), list...), `,"ttlMs": 0}}`...)
		var before json.Doc
		if before.Parse(body, nil, json.Limits{}) != nil {
			return
		}
		out, left, err := x.selected(who, "tools/list", body)
		if err != nil {
			return
		}
		if left.Count == 0 && !bytes.Equal(out, body) {
			t.Fatalf("nothing was left out, and %s became %s", body, out)
		}
		var after json.Doc
		if err := after.Parse(out, nil, json.Limits{}); err != nil {
			t.Fatalf("%s is no JSON: %v", out, err)
		}
		entries := func(d *json.Doc) (names, raw []string) {
			n, ok := memberAt(d, "result", "tools")
			if !ok || d.Nodes[n].Kind != json.Array {
				return nil, nil
			}
			for entry := range d.Children(n) {
				name := ""
				if d.Nodes[entry].Kind == json.Object {
					if m, ok := d.Member(entry, "name"); ok && d.Nodes[m].Kind == json.String {
						name = d.Text(m)
					}
				}
				names, raw = append(names, name), append(raw, string(d.Raw(entry)))
			}
			return names, raw
		}
		names, raw := entries(&before)
		var want []string
		for i, name := range names {
			if name != "hidden" {
				want = append(want, raw[i])
			}
		}
		if _, got := entries(&after); !slices.Equal(got, want) {
			t.Fatalf("of %s is left %s", list, got)
		}
	})
}

// BenchmarkUsable is what one call pays for finding out that its tool is not kept from the caller.
func BenchmarkUsable(b *testing.B) {
	caller, server := flow.Party{Agent: "caller", Domain: "other"}, flow.Party{Agent: "records", Domain: "own"}
	set, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(`
@id("all") permit (principal, action in Action::"upto_raw", resource);
@id("no") forbid (principal, action in Action::"atleast_masked", resource) when { context.skill == "hidden" };`)}}, policy.Options{Entities: policy.Entities{Agents: []flow.Party{caller, server}}})
	if err != nil {
		b.Fatal(err)
	}
	sc, err := catalog.ParseSchema("s", []byte(`{"type":"object","required":["who"],"properties":{"who":{"type":"string","x-scrim-label":"person/name"},"id":{"type":"string","x-scrim-label":"technical/record-id"}}}`), catalog.SchemaOptions{})
	if err != nil {
		b.Fatal(err)
	}
	snap := &gateway.Snapshot{Taxonomy: flow.DefaultTaxonomy(), Policy: set, Catalog: catalog.New([]catalog.Binding{{Schema: sc, Kind: catalog.Tool, Owner: "records", Name: "rows", Direction: flow.Request}}, nil)}
	who := parties{snap: snap, agent: &gateway.Agent{Party: server}, caller: identity.Caller{Party: caller, Purposes: nil, Criticality: flow.Critical}}
	var tools Tools
	for name, may := range map[string]bool{"rows": true, "hidden": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v, err := tools.usable(who, listings["tools/list"], name); err != nil || v.may != may {
					b.Fatal(v, err)
				}
			}
		})
	}
}
