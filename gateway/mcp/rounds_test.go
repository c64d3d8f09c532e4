package mcp_test

import (
	"context"
	stdjson "encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

const requestState = "opaque.c3RhdGU-1"

// addRounds gives a server a tool that answers in two rounds.
func addRounds(s *sdk.Server, got *heard) {
	sdk.AddTool(s, &sdk.Tool{Name: "rounds"}, func(_ context.Context, req *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, any, error) {
		if len(req.Params.InputResponses) == 0 {
			return &sdk.CallToolResult{RequestState: requestState, InputRequests: sdk.InputRequestMap{
				"form-1": &sdk.ElicitParams{Mode: "form", Message: "Fill this for " + mail, RequestedSchema: map[string]any{
					"type": "object", "properties": map[string]any{"who": map[string]any{"type": "string", "description": "a friend of " + mail}, "note": map[string]any{"type": "string"}}, "required": []string{"who"},
				}},
				"model-1": &sdk.CreateMessageParams{MaxTokens: 5, Messages: []*sdk.SamplingMessage{{Role: "user", Content: &sdk.TextContent{Text: "Who is " + mail + "?"}}}},
			}}, nil, nil
		}
		got.add("state %s", req.Params.RequestState)
		if form, ok := req.Params.InputResponses["form-1"].(*sdk.ElicitResult); ok {
			got.add("form: %s %v %v", form.Action, form.Content["who"], form.Content["note"])
		}
		model, _ := stdjson.Marshal(req.Params.InputResponses["model-1"])
		got.add("model: %s", model)
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "done with " + mail}}}, nil, nil
	})
}

func roundsSetup(s *gatewaytest.Setup) {
	s.Schemas = append(s.Schemas, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "rounds", Direction: flow.Request, JSON: question})
}

func checkRounds(t *testing.T, s *sdk.ClientSession, client, got *heard) {
	t.Helper()
	res := call(t, s, "rounds", asked{}, sdk.Meta{wire.MetaNote: map[string]string{"criticality": "critical"}})
	if res.IsError || !strings.HasPrefix(texts(res), "done with [email ") {
		t.Fatalf("result = %s", encoded(t, res))
	}
	shown := client.all()
	without(t, "what the client was asked", shown, []string{"jane"})
	if !strings.Contains(shown, "elicited Fill this for [email ") || !strings.Contains(shown, "sampled Who is [email ") {
		t.Errorf("client was asked %q", shown)
	}
	told := strings.ReplaceAll(got.all(), `\u003e`, ">")
	for _, want := range []string{"state " + requestState, "form: accept Ada Lovelace for Fill this for " + mail, "you said: Who is " + mail + "?"} {
		if !strings.Contains(told, want) {
			t.Errorf("server was told %q, want %q in it", told, want)
		}
	}
}

// Questions that stand in an answer are content for the client, and their answers in the next request for the server;
// the state between the two comes back as it was. One task lies over both, so stand-ins come home.
func TestInputRequiredRoundsTakeTheRoad(t *testing.T) {
	got, client := &heard{}, &heard{}
	server := featureServer(got)
	addRounds(server, got)
	u := (&upstream{}).serve(t, sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true}))
	r := newRig(t, u, featureSetup(roundsSetup))
	s := connectWith(t, r.url, "scrim_other", wire.MCP20260728, client.options(), "")
	checkRounds(t, s, client, got)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	checkPrompts(t, ctx, s, got)
}

// The same over standard input and output, in which server and client share one conversation.
func TestFeaturesOverStdio(t *testing.T) {
	for _, version := range append([]string{wire.MCP20260728}, sessionVersions...) {
		t.Run(version, func(t *testing.T) {
			got, client := &heard{}, &heard{}
			server := featureServer(got)
			addRounds(server, got)
			r := newRig(t, newUpstream(t, nil), featureSetup(roundsSetup))
			st, s := stdio(t, r, stranger)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				ended <- server.Run(ctx, &sdk.IOTransport{Reader: io.NopCloser(s.toServer), Writer: s.fromServer})
			}()
			go func() { s.done <- st.Run(context.Background()) }()
			c := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, client.options())
			c.AddRoots(&sdk.Root{URI: "file:///home/notes"})
			cs, err := c.Connect(ctx, &sdk.IOTransport{Reader: io.NopCloser(s.fromGateway), Writer: s.toGateway}, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			if v := cs.InitializeResult().ProtocolVersion; v != version {
				t.Errorf("version = %s, want %s", v, version)
			}
			checkPrompts(t, ctx, cs, nil)
			if version == wire.MCP20260728 {
				checkRounds(t, cs, client, got)
			} else if res := call(t, cs, "asks", asked{}, nil); res.IsError {
				t.Errorf("result = %s", encoded(t, res))
			} else {
				without(t, "what the client was asked", client.all(), []string{"jane"})
				if told := got.all(); !strings.Contains(told, "you said: Who is [email") || !strings.Contains(told, "root file:///home/notes") {
					t.Errorf("server was told %q", told)
				}
			}
			if err := cs.Subscribe(ctx, &sdk.SubscribeParams{URI: "mem://beds"}); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); !strings.Contains(client.all(), "updated") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				_ = server.ResourceUpdated(ctx, &sdk.ResourceUpdatedNotificationParams{URI: "mem://beds"})
			}
			client.wait(t, "updated mem://beds")
			_ = s.toGateway.Close()
			s.ended(t)
		})
	}
}

// Subscriptions of the stateless version are a stream of their own.
func TestSubscriptionsWithoutASession(t *testing.T) {
	r, server, _ := featureRig(t, &sdk.StreamableHTTPOptions{Stateless: true}, nil)
	client := &heard{}
	s := connectWith(t, r.url, "scrim_other", wire.MCP20260728, client.options(), "")
	if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "mem://beds"}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(client.all(), "updated") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_ = server.ResourceUpdated(t.Context(), &sdk.ResourceUpdatedNotificationParams{URI: "mem://beds"})
	}
	client.wait(t, "updated mem://beds")
	seen := map[string]bool{}
	for _, ev := range r.Events() {
		seen[ev.Flow.Method+" "+string(ev.Outcome)] = true
	}
	for _, want := range []string{"subscriptions/listen released", "notifications/subscriptions/acknowledged segment", "notifications/resources/updated segment"} {
		if !seen[want] {
			t.Errorf("record = %v, want %q", seen, want)
		}
	}
}

// The state between two rounds is the caller's to whom it was given: the server could not tell another's apart.
func TestStateIsNotTakenFromAnother(t *testing.T) {
	u, answer := answering(t)
	r := newRig(t, u, nil)
	*answer = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required","requestState":"st.1"}}`
	if _, body := r.send(t, plainCall); !strings.Contains(body, `"requestState":"st.1"`) {
		t.Fatalf("answer = %s", body)
	}
	second := strings.Replace(plainCall, `"arguments"`, `"requestState":"st.1","arguments"`, 1)
	if status, body := r.send(t, second, "Authorization", "Bearer scrim_other"); status != 400 || !strings.Contains(body, "-32602") {
		t.Errorf("another caller's state = %d %s, want a refusal", status, body)
	}
	if status, body := r.send(t, strings.Replace(second, "st.1", "st.2", 1)); status != 400 {
		t.Errorf("a state that nobody was given = %d %s, want a refusal", status, body)
	}
	before := len(u.bodies())
	if status, body := r.send(t, second); status != 200 || len(u.bodies()) != before+1 || !strings.Contains(u.bodies()[before], `"requestState":"st.1"`) {
		t.Errorf("the caller's own state = %d %s", status, body)
	}
}

// A list of tasks holds the caller's own.
func TestTasksOfOthersAreNotListed(t *testing.T) {
	task := func(id string) string {
		return `{"taskId":"` + id + `","status":"working","createdAt":"2026-11-26T10:00:00Z","lastUpdatedAt":"2026-11-26T10:00:00Z","ttl":60000}`
	}
	u, answer := answering(t)
	r := newRig(t, u, nil)
	ask := strings.NewReplacer(`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},`, `{"task":{"ttl":60000},`).Replace(plainCall)
	header := []string{"Mcp-Protocol-Version", wire.MCP20251125, "Mcp-Method", "", "Mcp-Name", ""}
	*answer = `{"jsonrpc":"2.0","id":7,"result":{"task":` + task("t-1") + `}}`
	if _, body := r.send(t, ask, header...); !strings.Contains(body, `"t-1"`) {
		t.Fatalf("answer = %s", body)
	}
	*answer = `{"jsonrpc":"2.0","id":7,"result":{"tasks":[` + task("t-0") + `,` + task("t-1") + `,` + task("t-2") + `]}}`
	list := `{"jsonrpc":"2.0","id":7,"method":"tasks/list"}`
	if _, body := r.send(t, list, header...); body != `{"jsonrpc":"2.0","id":7,"result":{"tasks":[`+task("t-1")+`]}}` {
		t.Errorf("list = %s, want the caller's own", body)
	}
	if _, body := r.send(t, list, append(header, "Authorization", "Bearer scrim_third")...); body != `{"jsonrpc":"2.0","id":7,"result":{"tasks":[]}}` {
		t.Errorf("another caller's list = %s, want it empty", body)
	}
}
