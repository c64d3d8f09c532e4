package mcp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

var twoServers = []flow.AgentID{"lab", "records.eu-1_a"}

func TestNamesOfAGroupComeBack(t *testing.T) {
	for _, server := range twoServers {
		for _, name := range []string{"rows", "_rows", "__rows", "a__b", "", "scrim:lab:x", "Ä:b"} {
			for _, as := range []spelling{asName, asAddress} {
				if got, rest, ok := as.split(as.join(server, name)); !ok || got != server || rest != name {
					t.Errorf("%q of %s comes back as %q of %s (%v)", name, server, rest, got, ok)
				}
			}
		}
	}
}

func TestRequestsOfAGroupsServersFindTheirWayBack(t *testing.T) {
	for _, id := range []string{`7`, `"7"`, `"a:b"`, `"records:1"`} {
		ask := []byte(`{"jsonrpc":"2.0","id":` + id + `,"method":"roots/list"}`)
		asked, err := joined("lab", "tools/call", ask, json.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var d json.Doc
		if err := d.Parse(asked, nil, json.Limits{}); err != nil {
			t.Fatal(err)
		}
		n, _ := d.Member(0, "id")
		reply := []byte(`{"jsonrpc":"2.0","id":` + string(d.Raw(n)) + `,"result":{"roots":[]}}`)
		var back json.Doc
		if err := back.Parse(reply, nil, json.Limits{}); err != nil {
			t.Fatal(err)
		}
		rpc, err := wire.ReadRPC(&back)
		if err != nil {
			t.Fatal(err)
		}
		server, body, ok := replied(&back, rpc, twoServers)
		if !ok || server != "lab" || string(body) != `{"jsonrpc":"2.0","id":`+id+`,"result":{"roots":[]}}` {
			t.Errorf("id %s: %s gets %s (%v)", id, server, body, ok)
		}
	}
}

func TestProgressAndCancellationOfAServersRequestFindTheirWay(t *testing.T) {
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":7,"method":"roots/list","params":{"_meta":{"progressToken":3}}}`: `{"jsonrpc":"2.0","id":"lab:7","method":"roots/list","params":{"_meta":{"progressToken":"lab:3"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`:         `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"lab:7"}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3}}`:      `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3}}`,
	} {
		if got, err := joined("lab", "", []byte(body), json.Limits{}); err != nil || string(got) != want {
			t.Errorf("%s becomes %s, %v; want %s", body, got, err, want)
		}
	}
	var d json.Doc
	if err := d.Parse([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"lab:3"}}`), nil, json.Limits{}); err != nil {
		t.Fatal(err)
	}
	n, _ := memberAt(&d, "params", "progressToken")
	if server, body, ok := returned(&d, n, twoServers); !ok || server != "lab" || !strings.Contains(string(body), `"progressToken":3}`) {
		t.Errorf("the client's progress goes to %s as %s (%v)", server, body, ok)
	}
}

func TestForgedAnswersReachNoServer(t *testing.T) {
	for _, id := range []string{`7`, `"7"`, `"third:7"`, `"lab:"`, `"lab:{}"`, `"lab:7,\"x\":1"`, `"lab:[1]"`} {
		var d json.Doc
		if err := d.Parse([]byte(`{"jsonrpc":"2.0","id":`+id+`,"result":{}}`), nil, json.Limits{}); err != nil {
			t.Fatal(err)
		}
		rpc, err := wire.ReadRPC(&d)
		if err != nil {
			t.Fatal(err)
		}
		if server, body, ok := replied(&d, rpc, twoServers); ok {
			t.Errorf("an answer with the id %s reaches %s as %s", id, server, body)
		}
	}
}

// FuzzGroup: whatever a client sends, a call goes to a server of the group under a name that the client's leads to; and
// whatever a server answers, names come back to it.
func FuzzGroup(f *testing.F) {
	f.Add("tools/call", []byte(plainGroupCall))
	f.Add("tools/list", []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":1},null]}}`))
	f.Add("prompts/get", []byte(`{"jsonrpc":"2.0","id":1,"result":{"messages":[{"content":{"uri":"x:y","resource":{"uri":"z"}}}]}}`))
	f.Add("resources/read", []byte(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"scrim:lab:file:///a"}}`))
	f.Add("x", []byte(`{"jsonrpc":"2.0","id":"lab:1","method":"roots/list"}`))
	f.Fuzz(func(t *testing.T, method string, body []byte) {
		var d json.Doc
		if d.Parse(body, nil, json.Limits{}) != nil {
			return
		}
		if server, name, out, ok := routed(&d, method, twoServers); ok {
			if server != "lab" && server != twoServers[1] {
				t.Fatalf("routed to %q", server)
			}
			if err := new(json.Doc).Parse(out, nil, json.Limits{}); err != nil {
				t.Fatalf("the call of %q is no JSON: %v", name, err)
			}
		}
		out, err := joined("lab", method, body, json.Limits{})
		if err != nil {
			return
		}
		var back json.Doc
		if err := back.Parse(out, nil, json.Limits{}); err != nil {
			t.Fatalf("joined is no JSON: %v", err)
		}
		for _, p := range answered[method] {
			p.each(&back, func(n int) {
				rpc, _ := wire.ReadRPC(&back)
				if server, _, ok := p.as.split(back.Text(n)); rpc.Kind == wire.Success && (!ok || server != "lab") {
					t.Fatalf("a name does not come back: %q", back.Text(n))
				}
			})
		}
		if len(answered[method]) == 0 && !strings.Contains(string(body), "method") && !bytes.Equal(out, body) {
			t.Fatal("bytes without names were touched")
		}
	})
}

const plainGroupCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"lab__plain","arguments":{"text":"hello"}}}`
