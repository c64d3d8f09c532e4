package mcp

import (
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

func TestMergedSchemasAreKeptUntilSomethingChanges(t *testing.T) {
	own, err := catalog.ParseSchema("own", []byte(`{"type":"object","properties":{"a":{"type":"string","x-scrim-label":"person/name"}}}`), catalog.SchemaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	snapshot := func() *gateway.Snapshot {
		return &gateway.Snapshot{Taxonomy: flow.DefaultTaxonomy(), Catalog: catalog.New([]catalog.Binding{{Schema: own, Kind: catalog.Tool, Owner: "s", Name: "t", Direction: flow.Response}}, nil)}
	}
	s := snapshot()
	var tools Tools
	tools.learn("s", []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","outputSchema":{"type":"object","properties":{"b":{"type":"string"}}}}]}}`), s)
	get := func(s *gateway.Snapshot) *catalog.Schema { return tools.schemas(s, "s", "t", flow.Response)[0] }
	first := get(s)
	if !first.Info(first.Member(first.Root(), []byte("b"))).Declared {
		t.Error("what the server declares is not declared")
	}
	if get(s) != first {
		t.Error("the second call compiled again")
	}
	if get(snapshot()) == first {
		t.Error("another configuration got what was compiled by the first")
	}
	tools.learn("s", []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","outputSchema":{"type":"object","properties":{"c":{"type":"string"}}}}]}}`), s)
	if next := get(s); next.Info(next.Member(next.Root(), []byte("b"))).Declared {
		t.Error("a description that the server took back still declares")
	}
}
