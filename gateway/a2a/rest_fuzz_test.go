package a2a

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// FuzzRESTCall: whatever verb, path, query and body say, what the road gets is one envelope of the path's method, with
// the path's own values and the body's own members, or nothing.
func FuzzRESTCall(f *testing.F) {
	f.Add("POST", "a\x9c/tasks/t:cancel", "tenantca=me", `{"id":"t","metadata":{}}`) // no UTF-8 in a path
	f.Add("POST", "message:send", "", `{"message":{"messageId":"m"}}`)
	f.Add("GET", "tasks", "pageSize=3&includeArtifacts=true&status=TASK_STATE_WORKING&x=%22", "")
	f.Add("POST", "acme/tasks/t:cancel", "tenant=acme", `{"id":"t","metadata":{}}`)
	f.Add("POST", "message:send", "A2A-Version=1.0", `{"a":1}},"id":2,"method":"X"`)
	f.Add("GET", "tasks/t", "historyLength=007", "")
	f.Add("DELETE", "tasks/t/pushNotificationConfigs/c", "id=c&taskId=t", "")
	f.Fuzz(func(t *testing.T, verb, path, query, body string) {
		rt, ok, _ := findRoute(verb, path)
		if !ok {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = verb, query
		r.Header.Set("Content-Type", "application/json")
		front := &restFront{w: httptest.NewRecorder(), r: r, route: rt}
		envelope, err := front.open(&call{snap: &gateway.Snapshot{}})
		if err != nil {
			return
		}
		var d json.Doc
		if err := d.Parse(envelope, nil, json.Limits{}); err != nil {
			return // one level or a few values too much: the road refuses it
		}
		rpc, err := wire.ReadRPC(&d)
		if err != nil || rpc.Kind != wire.Call || rpc.Method != rt.method || string(rpc.ID) != restID || len(envelope) > len(body)+4*len(query)+6*len(path)+200 {
			t.Fatalf("%s %s?%s %q became %s, %v", verb, path, query, body, envelope, err)
		}
		for n := range d.Children(0) {
			if key := string(d.Key(n)); key != "jsonrpc" && key != "id" && key != "method" && key != "params" {
				t.Fatalf("%q put a member beside the params: %s", body, envelope)
			}
		}
		for _, p := range rt.params {
			if n, ok := d.Member(rpc.Params, p[0]); !ok || d.Text(n) != p[1] {
				t.Fatalf("%s %s: %s is not what the path says in %s", verb, path, p[0], envelope)
			}
		}
	})
}
