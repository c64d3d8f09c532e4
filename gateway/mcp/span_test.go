package mcp_test

import (
	"encoding/hex"
	stdjson "encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/mcp"
)

// A server sees the gateway's span beside the message and in it, whoever calls.
func TestTheSpanIsBesideTheMessageAndInIt(t *testing.T) {
	u := stateless(t)
	calls := make(chan gateway.Called, 8)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Hooks.Sample = func(bool) bool { return true }
		s.Hooks.Call = func(c gateway.Called) { calls <- c }
	})
	srv := httptest.NewServer(r.Door(&mcp.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{}}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/mcp/records"
	for _, key := range []string{"scrim_own", "scrim_other", "scrim_third"} {
		if status, body := r.send(t, talk, "Authorization", "Bearer "+key, "Mcp-Name", "talks", "Traceparent", traced); status != 200 {
			t.Fatalf("%s: answer = %d %s", key, status, body)
		}
		c := <-calls
		got := u.bodies()
		var in idsOf
		if err := stdjson.Unmarshal([]byte(got[len(got)-1]), &in); err != nil {
			t.Fatal(err)
		}
		if h := u.header[len(u.header)-1].Get("Traceparent"); h != in.Params.Meta.Trace || h != "00-"+hex.EncodeToString(c.Trace.Trace[:])+"-"+hex.EncodeToString(c.Trace.Span[:])+"-01" {
			t.Errorf("%s: the header says %s, the message %s, the span is %x in %x", key, h, in.Params.Meta.Trace, c.Trace.Span, c.Trace.Trace)
		}
		if own := key == "scrim_own"; own != (hex.EncodeToString(c.Trace.Trace[:]) == traced[3:35]) || own != (hex.EncodeToString(c.Trace.Parent[:]) == traced[36:52]) {
			t.Errorf("%s: the call is in %x below %x", key, c.Trace.Trace, c.Trace.Parent)
		}
	}
}
