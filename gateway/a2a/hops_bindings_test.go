package a2a_test

import (
	"context"
	"strings"
	"testing"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// In every binding, whole and streamed, a call to a peer goes with a statement that the peer's gateway takes, and so does
// the request for the agent's card. Nothing goes without one.
func TestStatementsGoAlongInEveryBinding(t *testing.T) {
	for _, p := range bindings {
		t.Run(string(p), func(t *testing.T) {
			stage := newStage(t, "", sdk.TransportProtocolJSONRPC)
			w := newRow(t, func(d flow.DomainID, s *gatewaytest.Setup) {
				s.Schemas = nil
				if d != insurer {
					return
				}
				up, err := gateway.NewUpstream(stage.url, "", flow.Secret{}, gateway.UpstreamOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range s.Agents {
					if a.Party.Agent == "prior-auth" {
						a.A2A = up
					}
				}
			})
			i := sdk.NewAgentInterface(w.base[hospital]+"/out/a2a/prior-auth", p)
			if p == sdk.TransportProtocolGRPC {
				i = sdk.NewAgentInterface(strings.TrimPrefix(w.base[hospital], "http://"), p)
				i.Tenant = "out/a2a/prior-auth"
			}
			c, ctx := client(t, "scrim_intake", i), context.Background()
			send := func(id, text string) *sdk.SendMessageRequest {
				msg := sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart(text))
				msg.ID = id
				return &sdk.SendMessageRequest{Message: msg}
			}
			res, err := c.SendMessage(ctx, send("b-1", "task one two"))
			task, ok := res.(*sdk.Task)
			if err != nil || !ok {
				t.Fatalf("SendMessage() = %v, %v", res, err)
			}
			if got, err := c.GetTask(ctx, &sdk.GetTaskRequest{ID: task.ID}); err != nil || got.ID != task.ID {
				t.Errorf("GetTask() = %v, %v", got, err)
			}
			events := 0
			for _, err := range c.SendStreamingMessage(ctx, send("b-2", "task three four")) {
				if err != nil {
					t.Fatal(err)
				}
				events++
			}
			if events < 3 {
				t.Errorf("the stream had %d events", events)
			}
			mime := map[sdk.TransportProtocol]string{sdk.TransportProtocolGRPC: "application/grpc"}[p]
			if mime == "" {
				mime = "application/json"
			}
			calls, cards := 0, 0
			for _, r := range w.came {
				if r.at != insurer {
					continue
				}
				if !r.tls || !r.stated {
					t.Errorf("%s %s came to the insurer without a certificate or a statement", r.method, r.path)
				}
				switch {
				case strings.Contains(r.path, "well-known"):
					cards++
				case r.method == "GET", strings.HasPrefix(r.mime, mime):
					calls++
				}
			}
			if calls != 3 || cards == 0 {
				t.Errorf("%d calls and %d requests for cards came to the insurer, want 3 and some: %v", calls, cards, w.came)
			}
		})
	}
}
