package a2a_test

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/a2aproject/a2a-go/v2/a2acompat/a2av0"
	a2agrpc "github.com/a2aproject/a2a-go/v2/a2agrpc/v1"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// actor is an agent on the official SDK that does what a message's first word says.
type actor struct{}

func (actor) Execute(_ context.Context, ec *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(yield func(sdk.Event, error) bool) {
		word, rest, _ := strings.Cut(ec.Message.Parts[0].Text(), " ")
		switch word {
		case "say":
			msg := sdk.NewMessage(sdk.MessageRoleAgent, ec.Message.Parts...)
			msg.ContextID, msg.ID = "c-say", "r-say"
			yield(msg, nil)
			return
		case "fail":
			yield(nil, sdk.NewError(sdk.ErrUnsupportedContentType, "not like this").WithErrorInfoMeta(map[string]string{"timestamp": "2026-01-01T00:00:00Z"}))
			return
		}
		if ec.StoredTask == nil && !yield(sdk.NewSubmittedTask(ec, ec.Message), nil) {
			return
		}
		if word == "wait" {
			yield(sdk.NewStatusUpdateEvent(ec, sdk.TaskStateInputRequired, nil), nil)
			return
		}
		for i, piece := range strings.SplitAfter(rest, " ") {
			ev := sdk.NewArtifactUpdateEvent(ec, "a-1", sdk.NewTextPart(piece))
			ev.Append = i > 0
			if !yield(ev, nil) {
				return
			}
		}
		yield(sdk.NewStatusUpdateEvent(ec, sdk.TaskStateCompleted, nil), nil)
	}
}

func (actor) Cancel(_ context.Context, ec *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(yield func(sdk.Event, error) bool) {
		yield(sdk.NewStatusUpdateEvent(ec, sdk.TaskStateCanceled, nil), nil)
	}
}

// stage is an actor that can be reached by every binding, and shows in its card those it is asked to.
type stage struct {
	url, grpc string
	shown     []*sdk.AgentInterface
}

func newStage(t *testing.T, tenant string, shown ...sdk.TransportProtocol) *stage {
	t.Helper()
	handler := a2asrv.NewHandler(actor{}, a2asrv.WithLogger(slog.New(slog.DiscardHandler)))
	mux := http.NewServeMux()
	mux.Handle("/rpc", a2asrv.NewJSONRPCHandler(handler))
	mux.Handle("/old", a2av0.NewJSONRPCHandler(handler))
	rest := a2asrv.NewRESTHandler(handler)
	if tenant != "" {
		rest = a2asrv.NewTenantRESTHandler("/{*}", handler)
	}
	mux.Handle("/rest/", http.StripPrefix("/rest", rest))
	s := &stage{}
	mux.HandleFunc("/.well-known/agent-card.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = stdjson.NewEncoder(w).Encode(&sdk.AgentCard{Name: "actor", Description: "d", Version: "1", SupportedInterfaces: s.shown, Capabilities: sdk.AgentCapabilities{Streaming: true}})
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gs := grpc.NewServer()
	a2agrpc.NewHandler(handler).RegisterWith(gs)
	go func() { _ = gs.Serve(l) }()
	t.Cleanup(gs.Stop)
	s.url, s.grpc = srv.URL, l.Addr().String()
	for _, p := range shown {
		s.shown = append(s.shown, s.iface(p, tenant))
	}
	return s
}

func (s *stage) iface(p sdk.TransportProtocol, tenant string) *sdk.AgentInterface {
	i := sdk.NewAgentInterface(map[sdk.TransportProtocol]string{
		sdk.TransportProtocolJSONRPC: s.url + "/rpc", sdk.TransportProtocolHTTPJSON: s.url + "/rest", sdk.TransportProtocolGRPC: s.grpc,
	}[p], p)
	i.Tenant = tenant
	return i
}

var bindings = []sdk.TransportProtocol{sdk.TransportProtocolJSONRPC, sdk.TransportProtocolHTTPJSON, sdk.TransportProtocolGRPC}

// withKey proves the caller to the gateway.
type withKey struct {
	a2aclient.PassthroughInterceptor
	key string
}

func (k withKey) Before(ctx context.Context, req *a2aclient.Request) (context.Context, any, error) {
	req.ServiceParams.Append("Authorization", "Bearer "+k.key)
	req.ServiceParams.Append("Scrim-Purpose", "care")
	req.ServiceParams.Append("Scrim-Criticality", "critical")
	return ctx, nil, nil
}

func client(t *testing.T, key string, i *sdk.AgentInterface) *a2aclient.Client {
	t.Helper()
	c, err := a2aclient.NewFromEndpoints(context.Background(), []*sdk.AgentInterface{i},
		a2agrpc.WithGRPCTransport(grpc.WithTransportCredentials(insecure.NewCredentials())), a2aclient.WithCallInterceptors(withKey{key: key}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Destroy() })
	return c
}

// through is the interface of an agent of the town in a binding.
func (r *town) through(p sdk.TransportProtocol, agent string) *sdk.AgentInterface {
	if p == sdk.TransportProtocolGRPC {
		i := sdk.NewAgentInterface(strings.TrimPrefix(r.base, "http://"), p)
		i.Tenant = agent
		return i
	}
	return sdk.NewAgentInterface(r.base+"/"+agent, p)
}

// acts makes every kind of call, and tells what came of it in words that hold no id the agent drew.
func acts(t *testing.T, c *a2aclient.Client, id string) []string {
	t.Helper()
	ctx := context.Background()
	var told []string
	tell := func(what string, v any, err error) {
		if err != nil {
			var e *sdk.Error
			if errors.As(err, &e) {
				told = append(told, fmt.Sprintf("%s: %v", what, e.Err))
			} else {
				told = append(told, fmt.Sprintf("%s: other error %v", what, err))
			}
			return
		}
		b, merr := stdjson.Marshal(v)
		if merr != nil {
			t.Fatal(merr)
		}
		told = append(told, what+": "+string(b))
	}
	send := func(n int, parts ...*sdk.Part) *sdk.SendMessageRequest {
		msg := sdk.NewMessage(sdk.MessageRoleUser, parts...)
		msg.ID = fmt.Sprintf("%s-%d", id, n)
		return &sdk.SendMessageRequest{Message: msg}
	}
	data := sdk.NewDataPart(map[string]any{"name": "Jane Doe", "list": []any{1.5, true, nil, "ж"}, "deep": map[string]any{"n": 12345678}})
	data.Metadata = map[string]any{"k": "v"}
	raw := sdk.NewRawPart([]byte{0, 1, 254})
	raw.MediaType, raw.Filename = "application/octet-stream", "x.bin"
	res, err := c.SendMessage(ctx, send(1, sdk.NewTextPart("say <hello> & \"东京\""), data, raw, sdk.NewFileURLPart("https://files.example/1", "text/plain")))
	tell("say", res, err)
	_, err = c.SendMessage(ctx, send(2, sdk.NewTextPart("fail now")))
	tell("fail", nil, err)
	res, err = c.SendMessage(ctx, send(3, sdk.NewTextPart("task one two three")))
	task, _ := res.(*sdk.Task)
	if err != nil || task == nil {
		t.Fatalf("task: %v, %v", res, err)
	}
	tell("task", []any{task.Status.State, task.Artifacts, len(task.History)}, nil)
	got, err := c.GetTask(ctx, &sdk.GetTaskRequest{ID: task.ID})
	if err == nil && got.ID != task.ID {
		t.Errorf("GetTask() = task %s, want %s", got.ID, task.ID)
	}
	tell("get", func() any {
		if got == nil {
			return nil
		}
		return []any{got.Status.State, got.Artifacts}
	}(), err)
	_, err = c.GetTask(ctx, &sdk.GetTaskRequest{ID: "nobody"})
	tell("get nobody", nil, err)
	_, err = c.CancelTask(ctx, &sdk.CancelTaskRequest{ID: task.ID})
	tell("cancel too late", nil, err)
	for n := 100; ; n++ { // the SDK does not cancel a task whose turn is just ending
		res, err = c.SendMessage(ctx, send(n, sdk.NewTextPart("wait")))
		waiting, ok := res.(*sdk.Task)
		if !ok {
			t.Fatalf("wait: %v, %v", res, err)
		}
		canceled, err := c.CancelTask(ctx, &sdk.CancelTaskRequest{ID: waiting.ID})
		if err != nil && n < 1000 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		tell("cancel", func() any {
			if canceled == nil {
				return nil
			}
			return canceled.Status.State
		}(), err)
		break
	}
	text, states := "", ""
	for ev, err := range c.SendStreamingMessage(ctx, send(5, sdk.NewTextPart("task write this down"))) {
		if err != nil {
			tell("stream", nil, err)
			break
		}
		switch ev := ev.(type) {
		case *sdk.TaskArtifactUpdateEvent:
			for _, p := range ev.Artifact.Parts {
				text += p.Text()
			}
		case *sdk.TaskStatusUpdateEvent:
			states += string(ev.Status.State) + " "
		}
	}
	tell("stream", []string{text, states}, nil)
	for _, err := range c.SubscribeToTask(ctx, &sdk.SubscribeToTaskRequest{ID: "nobody"}) {
		tell("subscribe to nobody", nil, err)
		break
	}
	for _, err := range c.SendStreamingMessage(ctx, send(6, sdk.NewTextPart("fail now"))) {
		tell("stream that fails", nil, err)
		break
	}
	return told
}

// unnamed is what was told without its identifiers.
func unnamed(told []string) string {
	return regexp.MustCompile(`"(\w*[iI][dD])":"[^"]*"`).ReplaceAllString(strings.Join(told, "\n"), `"$1":""`)
}

// Whatever binding a caller speaks and whatever its agent does, the caller is told what it would be told without a gateway.
func TestEveryBindingReachesEveryOther(t *testing.T) {
	for _, back := range bindings {
		s := newStage(t, "", back)
		for _, front := range bindings {
			t.Run(fmt.Sprint(front, " to ", back), func(t *testing.T) {
				r := at(t, s.url, func(setup *gatewaytest.Setup) {
					open("desk", "/**")(setup)
					setup.Transparent = []gateway.Transparent{{Agent: "*", Path: "/**"}}
				})
				direct := acts(t, client(t, "none", s.iface(front, "")), "d-"+string(front))
				got := acts(t, client(t, "scrim_key", r.through(front, "a2a/desk")), "g-"+string(front))
				if d, g := strings.Join(direct, "\n"), strings.Join(got, "\n"); d != g {
					t.Errorf("through the gateway:\n%s\ndirect:\n%s", g, d)
				}
				abroad := acts(t, client(t, "scrim_guest", r.through(front, "a2a/desk")), "a-"+string(front))
				if d, g := unnamed(direct), unnamed(abroad); d != g {
					t.Errorf("from another domain:\n%s\ndirect:\n%s", g, d)
				}
			})
		}
	}
}
