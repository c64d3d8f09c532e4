package mcp_test

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway"
)

const traced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

const talk = `{"jsonrpc":"2.0","id":4711,"method":"tools/call","params":{"name":"talks","arguments":{},"_meta":{"progressToken":77,"dev.scrim/flow-id":"flow-1","traceparent":"` + traced + `","io.modelcontextprotocol/logLevel":"error","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`

// idsOf are what a call to a server says that could be joined.
type idsOf struct {
	ID     stdjson.RawMessage `json:"id"`
	Params struct {
		Meta struct {
			Token stdjson.RawMessage `json:"progressToken"`
			Flow  string             `json:"dev.scrim/flow-id"`
			Trace string             `json:"traceparent"`
		} `json:"_meta"`
	} `json:"params"`
}

// Our server is called by two domains with the same ids, tokens and trace, and is shown nothing of it that it could join; each
// caller gets its own back, also in notifications. Within the domain all of it passes.
func TestIdentifiersAreMappedBothWays(t *testing.T) {
	u := (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in idsOf
		_ = stdjson.Unmarshal([]byte(readAll(r)), &in)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":1}}\n\n", in.Params.Meta.Token)
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%s}}}\n\n", in.ID)
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[],\"resultType\":\"complete\"}}\n\n", in.ID)
	}))
	r := newRig(t, u, nil)
	header := []string{"Mcp-Name", "talks", "Traceparent", traced}
	var seen []idsOf
	for _, key := range []string{"scrim_other", "scrim_third", "scrim_own"} {
		status, body := r.send(t, talk, append([]string{"Authorization", "Bearer " + key}, header...)...)
		if status != 200 || !strings.Contains(body, `"id":4711`) || !strings.Contains(body, `"progressToken":77`) || !strings.Contains(body, `subscriptionId":4711`) || strings.Contains(body, "sid1_") {
			t.Fatalf("%s: answer = %d %s", key, status, body)
		}
		got := u.bodies()
		var in idsOf
		if err := stdjson.Unmarshal([]byte(got[len(got)-1]), &in); err != nil {
			t.Fatal(err)
		}
		if h := u.header[len(u.header)-1].Get("Traceparent"); h != in.Params.Meta.Trace {
			t.Errorf("%s: the header says %s, the message %s", key, h, in.Params.Meta.Trace)
		}
		seen = append(seen, in)
		cancel := strings.Replace(talk[:strings.Index(talk, `"name"`)], `"id":4711,"method":"tools/call"`, `"method":"notifications/cancelled"`, 1) + `"requestId":4711,` + talk[strings.Index(talk, `"_meta"`):]
		if status, body := r.send(t, cancel, "Authorization", "Bearer "+key, "Mcp-Name", "", "Mcp-Method", "notifications/cancelled"); status != 202 {
			t.Errorf("%s: cancelling is answered %d %s", key, status, body)
		}
		if got := u.bodies(); !strings.Contains(got[len(got)-1], `"requestId":`+string(in.ID)+`,`) {
			t.Errorf("%s: the server does not know which call is cancelled, %s: %s", key, in.ID, got[len(got)-1])
		}
	}
	a, b, home := seen[0], seen[1], seen[2]
	if string(a.ID) == string(b.ID) || string(a.Params.Meta.Token) == string(b.Params.Meta.Token) || a.Params.Meta.Flow == b.Params.Meta.Flow ||
		a.Params.Meta.Trace[3:35] == b.Params.Meta.Trace[3:35] || a.Params.Meta.Trace[36:52] == b.Params.Meta.Trace[36:52] {
		t.Errorf("the server can join %+v and %+v", a, b)
	}
	for _, in := range []idsOf{a, b} {
		if string(in.ID) == "4711" || string(in.Params.Meta.Token) == "77" || in.Params.Meta.Flow == "flow-1" || strings.Contains(in.Params.Meta.Trace, traced[3:35]) {
			t.Errorf("the server sees what the caller wrote: %+v", in)
		}
	}
	if string(home.ID) != "4711" || string(home.Params.Meta.Token) != "77" || home.Params.Meta.Flow != "flow-1" || home.Params.Meta.Trace != traced {
		t.Errorf("within the domain the server sees %+v", home)
	}
}

// A trace that comes as a header alone is the trace of the call, one in the message comes first, and a malformed one is none.
func TestTraceOfAHeaderAndOfAMessage(t *testing.T) {
	const other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	u := stateless(t)
	r := newRig(t, u, nil)
	bare := strings.NewReplacer(`"traceparent":"`+traced+`",`, "", `"dev.scrim/flow-id":"flow-1",`, "").Replace(talk)
	named := strings.Replace(talk, `"dev.scrim/flow-id":"flow-1",`, "", 1)
	for _, c := range []struct{ body, header, want string }{
		{bare, traced, traced}, {named, "", traced}, {named, other, traced}, {bare, "", ""}, {bare, "00-zanzibar", ""}, {bare, "00-00000000000000000000000000000000-b7ad6b7169203331-00", ""},
	} {
		if status, body := r.send(t, c.body, "Mcp-Name", "talks", "Traceparent", c.header); status != 200 {
			t.Fatalf("answer = %d %s", status, body)
		}
		if got := u.header[len(u.header)-1].Get("Traceparent"); got != c.want {
			t.Errorf("with %q the server is told of %q, want %q", c.header, got, c.want)
		}
		events := r.Events()
		want := r.TraceOf(r.Snapshot(), "own", c.want)
		if got := events[len(events)-1].Flow.Trace; got != want {
			t.Errorf("with %q the record says %q, want %q", c.header, got, want)
		}
	}
	if gateway.TraceIn(http.Header{"Traceparent": {traced, other}}) != "" {
		t.Error("two traces are one")
	}
}
