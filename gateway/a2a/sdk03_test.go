package a2a_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/a2aproject/a2a-go/v2/a2acompat/a2av0"
	"google.golang.org/grpc"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// The official SDK's client of 0.3 is told by its agent of 0.3 what it would be told without a gateway.
func TestClientsOf03ReachTheirAgents(t *testing.T) {
	s := newStage(t, "")
	old := &sdk.AgentInterface{URL: s.url + "/old", ProtocolBinding: sdk.TransportProtocolJSONRPC, ProtocolVersion: a2av0.Version}
	s.shown = append(s.shown, old)
	r := at(t, s.url, func(setup *gatewaytest.Setup) {
		open("desk", "/**")(setup)
		setup.Transparent = []gateway.Transparent{{Agent: "*", Path: "/**"}}
	})
	connect := func(url string) *a2aclient.Client {
		c, err := a2aclient.NewFromEndpoints(context.Background(), []*sdk.AgentInterface{{URL: url, ProtocolBinding: sdk.TransportProtocolJSONRPC, ProtocolVersion: a2av0.Version}},
			a2av0.WithJSONRPCTransport(a2av0.JSONRPCTransportConfig{}), a2aclient.WithCallInterceptors(withKey{key: "scrim_key"}))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	direct, got := acts(t, connect(old.URL), "d"), acts(t, connect(r.base+"/a2a/desk"), "g")
	if d, g := strings.Join(direct, "\n"), strings.Join(got, "\n"); d != g {
		t.Errorf("through the gateway:\n%s\ndirect:\n%s", g, d)
	}
}

// Whatever binding carries a stream, and however its text is cut, the text that arrives is the same.
func TestStreamCutAnywhereInEveryBinding(t *testing.T) {
	var cuts []int
	chunks := func() (out []string) {
		from := 0
		for _, to := range append(cuts, len(letter)) {
			out = append(out, letter[from:to])
			from = to
		}
		return out
	}
	rest := newRESTAgent(t, "", func(w http.ResponseWriter, r *http.Request) {
		var events []string
		for i, c := range chunks() {
			events = append(events, fmt.Sprintf(`data: {"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":%s}]},"append":%v}}`+"\n\n", quoted(c), i > 0))
		}
		restEvents(append(events, "data: "+completed+"\n\n")...)(w, r)
	})
	s := &service{stream: func(out grpc.ServerStreamingServer[a2apb.StreamResponse]) error {
		for i, c := range chunks() {
			if err := out.Send(piece(c, i > 0)); err != nil {
				return err
			}
		}
		return out.Send(finished)
	}}
	towns := map[string]*town{"HTTP+JSON": at(t, rest.URL, nil), "gRPC": s.served(t, "", nil)}
	random := rand.New(rand.NewPCG(20261126, 4))
	want := ""
	for i := range 15 {
		cuts = nil
		for at := 0; i > 0; {
			at += 1 + random.IntN(50)
			for at < len(letter) && !utf8.RuneStart(letter[at]) {
				at++
			}
			if at >= len(letter) {
				break
			}
			cuts = append(cuts, at)
		}
		for back, r := range towns {
			for front := range 2 {
				text := ""
				if front == 0 {
					var err error
					if text, err = drain(t, r.dial(t), fmt.Sprint("g-", i)); err != io.EOF {
						t.Fatalf("gRPC to %s, cut at %v: %v", back, cuts, err)
					}
				} else {
					_, body := r.rest(t, http.MethodPost, "/a2a/desk/message:stream", strings.Replace(restMessage, "m-1", fmt.Sprint("r-", i), 1), "Scrim-Criticality", "routine")
					for _, ev := range strings.Split(body, "\n\n") {
						if _, said, ok := strings.Cut(ev, `"parts":[{"text":`); ok {
							text += unquoted(t, said)
						}
					}
				}
				text = strings.ReplaceAll(standIn.ReplaceAllString(text, "[$1]"), "  ", " ")
				if want == "" {
					want = text
					without(t, "the text", text, "4111 1111", "alice@", "555-0132")
				}
				if text != want {
					t.Fatalf("front %d to %s, cut at %v:\n got %q\nwant %q", front, back, cuts, text, want)
				}
			}
		}
	}
}

// Another domain's agent sees neither the caller's JSON-RPC id nor anything of the binding that the caller speaks.
func TestAForeignAgentOverGRPC(t *testing.T) {
	s := &service{answer: done("Done.")}
	r := s.served(t, "", nil)
	call := strings.Replace(plainMessage, `"id":1`, `"id":"caller-7"`, 1)
	if _, body := r.to(t, "/out/a2a/partner", "scrim_key", call); !strings.HasPrefix(body, `{"jsonrpc":"2.0","id":"caller-7","result":`) || !strings.Contains(body, "Done.") {
		t.Errorf("answer = %s", body)
	}
	if got := s.received(); len(got) != 1 || got[0].GetMessage().GetMessageId() == "m-1" {
		t.Errorf("the agent got %v, want another id for another domain", got)
	}
}
