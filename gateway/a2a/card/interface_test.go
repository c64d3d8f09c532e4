package card

import (
	"slices"
	"testing"

	"github.com/scrimhq/scrim/data/json"
)

func TestInterfaces(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []Interface
	}{
		{"both versions in one card", upstream, []Interface{
			{"grpc://internal:9000", "", GRPC, "1.0"}, {"https://internal.example/old", "", JSONRPC, "0.3"},
			{"https://internal.example/a2a", "north", JSONRPC, "1.0"}, {"https://internal.example/rest", "", HTTPJSON, "1.0"},
			{"https://internal.example/v03", "", JSONRPC, "0.3"},
		}},
		{"a card of 0.3", `{"name":"a","capabilities":{},"url":"https://x/rpc","protocolVersion":"0.3.0","preferredTransport":"HTTP+JSON",
			"additionalInterfaces":[{"url":"https://x/rpc","transport":"HTTP+JSON"},{"url":"https://x/json","transport":"JSONRPC"},{"url":"x:1","transport":"GRPC"},7]}`,
			[]Interface{{"https://x/rpc", "", HTTPJSON, "0.3"}, {"https://x/json", "", JSONRPC, "0.3"}, {"x:1", "", GRPC, "0.3"}}},
		{"a card that says next to nothing", `{"name":"a","capabilities":{},"url":"https://x"}`, []Interface{{"https://x", "", JSONRPC, "0.3"}}},
		{"an older card", `{"name":"a","capabilities":{},"url":"https://x","protocolVersion":"0.2.5"}`, []Interface{{"https://x", "", JSONRPC, "0.2"}}},
		{"patches", `{"name":"a","capabilities":{},"supportedInterfaces":[{"url":"u","protocolBinding":"GRPC","protocolVersion":"1.0.1"}]}`, []Interface{{"u", "", GRPC, "1.0"}}},
		{"entries without a form", `{"name":"a","capabilities":{},"supportedInterfaces":["x",{"url":7,"protocolBinding":"GRPC"},{"url":"u"}]}`, nil},
	} {
		card, err := Parse([]byte(c.src), json.Limits{})
		if err != nil {
			t.Errorf("%s: Parse() error = %v", c.name, err)
			continue
		}
		if got := card.Interfaces(); !slices.Equal(got, c.want) {
			t.Errorf("%s: Interfaces() = %v, want %v", c.name, got, c.want)
		}
	}
}
