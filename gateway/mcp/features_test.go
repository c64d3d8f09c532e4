package mcp_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// sessionVersions are those whose sessions begin with a handshake.
var sessionVersions = []string{wire.MCP20251125, wire.MCP20250618, wire.MCP20250326, wire.MCP20241105}

const mail = "jane.doe@example.org"

// heard is what an SDK client was asked and told.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "\n")
}

// wait returns what was heard once it holds the text.
func (h *heard) wait(t testing.TB, text string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if all := h.all(); strings.Contains(all, text) {
			return all
		}
	}
	t.Fatalf("client heard %q, want %q in it", h.all(), text)
	return ""
}

// options of a client that answers all that a server may ask. What it is shown comes back in its answers.
func (h *heard) options() *sdk.ClientOptions {
	return &sdk.ClientOptions{
		CreateMessageHandler: func(_ context.Context, req *sdk.CreateMessageRequest) (*sdk.CreateMessageResult, error) {
			text := req.Params.Messages[0].Content.(*sdk.TextContent).Text
			h.add("sampled %s / %s", text, req.Params.SystemPrompt)
			return &sdk.CreateMessageResult{Content: &sdk.TextContent{Text: "you said: " + text}, Model: "m", Role: "assistant"}, nil
		},
		ElicitationHandler: func(_ context.Context, req *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			h.add("elicited %s", req.Params.Message)
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"who": "Ada Lovelace", "note": "for " + req.Params.Message}}, nil
		},
		ResourceUpdatedHandler: func(_ context.Context, req *sdk.ResourceUpdatedNotificationRequest) {
			h.add("updated %s", req.Params.URI)
		},
		PromptListChangedHandler: func(context.Context, *sdk.PromptListChangedRequest) { h.add("prompts changed") },
		ToolListChangedHandler:   func(context.Context, *sdk.ToolListChangedRequest) { h.add("tools changed") },
	}
}

const formSchema = `{"type":"object","properties":{"who":{"type":"string","x-scrim-label":"person/name"},"note":{"type":"string","x-scrim-label":"text/free"}}}`

// featureServer is an SDK server with everything else that MCP has.
func featureServer(got *heard) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "features", Version: "1"}, &sdk.ServerOptions{
		CompletionHandler: func(_ context.Context, req *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
			got.add("complete %s=%s", req.Params.Argument.Name, req.Params.Argument.Value)
			return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{"ask " + mail}}}, nil
		},
		SubscribeHandler: func(_ context.Context, req *sdk.SubscribeRequest) error {
			got.add("subscribe %s", req.Params.URI)
			return nil
		},
		UnsubscribeHandler: func(_ context.Context, req *sdk.UnsubscribeRequest) error {
			got.add("unsubscribe %s", req.Params.URI)
			return nil
		},
		RootsListChangedHandler: func(context.Context, *sdk.RootsListChangedRequest) { got.add("roots changed") },
		ProgressNotificationHandler: func(_ context.Context, req *sdk.ProgressNotificationServerRequest) {
			got.add("progress %s", req.Params.Message)
		},
	})
	sdk.AddTool(s, &sdk.Tool{Name: "asks"}, func(ctx context.Context, req *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, any, error) {
		res, err := req.Session.CreateMessage(ctx, &sdk.CreateMessageParams{MaxTokens: 5, SystemPrompt: "Write to " + mail + ".", Messages: []*sdk.SamplingMessage{{Role: "user", Content: &sdk.TextContent{Text: "Who is " + mail + "?"}}}})
		if err != nil {
			return nil, nil, err
		}
		got.add("model: %s", res.Content.(*sdk.TextContent).Text)
		roots, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		for _, root := range roots.Roots {
			got.add("root %s", root.URI)
		}
		if err := req.Session.Ping(ctx, nil); err != nil {
			return nil, nil, err
		}
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "done"}}}, nil, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "form"}, func(ctx context.Context, req *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, any, error) {
		res, err := req.Session.Elicit(ctx, &sdk.ElicitParams{Message: "Fill this for " + mail, RequestedSchema: map[string]any{
			"type": "object", "properties": map[string]any{"who": map[string]any{"type": "string"}, "note": map[string]any{"type": "string"}}, "required": []string{"who"},
		}})
		if err != nil {
			return nil, nil, err
		}
		got.add("form: %s %v %v", res.Action, res.Content["who"], res.Content["note"])
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "done"}}}, nil, nil
	})
	s.AddPrompt(&sdk.Prompt{Name: "visit", Description: "About " + mail, Arguments: []*sdk.PromptArgument{{Name: "who", Required: true}}}, func(_ context.Context, req *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
		got.add("prompt %s", req.Params.Arguments["who"])
		return &sdk.GetPromptResult{Messages: []*sdk.PromptMessage{{Role: "user", Content: &sdk.TextContent{Text: "Write to " + mail}}}}, nil
	})
	s.AddResource(&sdk.Resource{URI: "mem://beds", Name: "beds"}, func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: "mem://beds", Text: "Bed 4: " + mail}}}, nil
	})
	s.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: "mem://{ward}", Name: "wards"}, func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return nil, sdk.ResourceNotFoundError("mem://x")
	})
	return s
}

// featureRig puts such a server behind a gateway.
func featureRig(t testing.TB, opt *sdk.StreamableHTTPOptions, change func(*gatewaytest.Setup)) (*rig, *sdk.Server, *heard) {
	t.Helper()
	got := &heard{}
	server := featureServer(got)
	u := (&upstream{}).serve(t, sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, opt))
	return newRig(t, u, featureSetup(change)), server, got
}

func featureSetup(change func(*gatewaytest.Setup)) func(*gatewaytest.Setup) {
	return func(s *gatewaytest.Setup) {
		s.Policy += `@id("answers") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "response" };`
		s.Schemas = append(s.Schemas,
			gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "form", Direction: flow.Request, JSON: question},
			gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "elicitation/create", Direction: flow.Response, JSON: formSchema},
			gatewaytest.Schema{Kind: catalog.Prompt, Owner: "records", Name: "visit", Direction: flow.Request, JSON: question})
		if change != nil {
			change(s)
		}
	}
}

// A server's question about a person reaches a foreign client with a stand-in, and comes home opened.
func TestQuestionsOfTheServerTakeTheRoad(t *testing.T) {
	for _, version := range sessionVersions {
		t.Run(version, func(t *testing.T) {
			r, _, got := featureRig(t, nil, nil)
			client := &heard{}
			s := connectWith(t, r.url, "scrim_other", version, client.options(), "file:///home/notes")
			if v := s.InitializeResult().ProtocolVersion; v != version {
				t.Fatalf("version = %s, want %s", v, version)
			}
			if res := call(t, s, "asks", asked{}, nil); res.IsError || texts(res) != "done" {
				t.Fatalf("result = %s", encoded(t, res))
			}
			asked := client.all()
			without(t, "what the client was asked", asked, []string{"jane", "example.org"})
			if !strings.Contains(asked, "sampled Who is [email ") || !strings.Contains(asked, "Write to [email ") {
				t.Errorf("client was asked %q, want stand-ins", asked)
			}
			told := got.all()
			if !strings.Contains(told, "you said: Who is "+mail+"?") || !strings.Contains(told, "root file:///home/notes") {
				t.Errorf("server was told %q, want its own words back and the root", told)
			}
			methods := map[string]int{}
			for _, ev := range r.Events() {
				if ev.Outcome == flow.Released {
					methods[ev.Flow.Method+" "+ev.Flow.Direction.String()+" to "+string(ev.Flow.To.Agent)]++
				}
			}
			for _, want := range []string{"sampling/createMessage request to stranger", "sampling/createMessage response to records", "roots/list request to stranger", "roots/list response to records", "ping request to stranger"} {
				if methods[want] != 1 {
					t.Errorf("record = %v, want one %q", methods, want)
				}
			}
		})
	}
}

// A form is content both ways: its words for the client, what was filled in for the server.
func TestFormsTakeTheRoad(t *testing.T) {
	for _, version := range sessionVersions[:2] {
		t.Run(version, func(t *testing.T) {
			r, _, got := featureRig(t, nil, nil)
			client := &heard{}
			s := connectWith(t, r.url, "scrim_other", version, client.options(), "")
			if res := call(t, s, "form", asked{}, nil); res.IsError {
				t.Fatalf("result = %s", encoded(t, res))
			}
			without(t, "what the client was asked", client.all(), []string{"jane"})
			if told := got.all(); !strings.Contains(told, "form: accept Ada Lovelace for Fill this for "+mail) {
				t.Errorf("server was told %q", told)
			}
		})
	}
}

func TestPromptsCompletionAndSubscriptions(t *testing.T) {
	for _, version := range sessionVersions {
		t.Run(version, func(t *testing.T) {
			r, server, got := featureRig(t, nil, nil)
			client := &heard{}
			s := connectWith(t, r.url, "scrim_other", version, client.options(), "")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			checkPrompts(t, ctx, s, got)
			if err := s.Subscribe(ctx, &sdk.SubscribeParams{URI: "mem://beds"}); err != nil {
				t.Fatal(err)
			}
			if err := server.ResourceUpdated(ctx, &sdk.ResourceUpdatedNotificationParams{URI: "mem://beds"}); err != nil {
				t.Fatal(err)
			}
			client.wait(t, "updated mem://beds")
			if err := s.Unsubscribe(ctx, &sdk.UnsubscribeParams{URI: "mem://beds"}); err != nil {
				t.Fatal(err)
			}
			server.AddPrompt(&sdk.Prompt{Name: "more"}, nil)
			client.wait(t, "prompts changed")
			if all := got.all(); !strings.Contains(all, "subscribe mem://beds") || !strings.Contains(all, "unsubscribe mem://beds") {
				t.Errorf("server heard %q", all)
			}
			if err := s.Ping(ctx, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func checkPrompts(t *testing.T, ctx context.Context, s *sdk.ClientSession, got *heard) {
	t.Helper()
	list, err := s.ListPrompts(ctx, nil)
	if err != nil || len(list.Prompts) != 1 || list.Prompts[0].Arguments[0].Name != "who" {
		t.Fatalf("prompts = %+v, %v", list, err)
	}
	without(t, "the list of prompts", encoded(t, list), []string{"jane"})
	prompt, err := s.GetPrompt(ctx, &sdk.GetPromptParams{Name: "visit", Arguments: map[string]string{"who": "Ada Lovelace"}})
	if err != nil {
		t.Fatal(err)
	}
	without(t, "the prompt", encoded(t, prompt), []string{"jane"})
	done, err := s.Complete(ctx, &sdk.CompleteParams{Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "visit"}, Argument: sdk.CompleteParamsArgument{Name: "who", Value: "Ada L"}})
	if err != nil || len(done.Completion.Values) != 1 {
		t.Fatalf("completion = %+v, %v", done, err)
	}
	without(t, "the completion", encoded(t, done), []string{"jane"})
	templates, err := s.ListResourceTemplates(ctx, nil)
	if err != nil || len(templates.ResourceTemplates) != 1 {
		t.Fatalf("templates = %+v, %v", templates, err)
	}
	if got == nil {
		return // at this criticality the server is told no names
	}
	if all := got.all(); !strings.Contains(all, "prompt Ada Lovelace") || !strings.Contains(all, "complete who=Ada L") {
		t.Errorf("server heard %q", all)
	}
}

// connectWith is connect with a root.
func connectWith(t testing.TB, endpoint, key, version string, opt *sdk.ClientOptions, root string) *sdk.ClientSession {
	t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, opt)
	if root != "" {
		client.AddRoots(&sdk.Root{URI: root})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	session, err := client.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: &http.Client{Transport: keyed{key}}}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}
