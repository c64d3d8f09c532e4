package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	mcprpc "github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type nobody struct{}

type person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Age   int    `json:"age"`
}

// goServer is a server of every feature, on the official Go SDK. It offers what the scripts in testdata offer.
func goServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "everything", Version: "1.0.0"}, &mcp.ServerOptions{
		Instructions: "Ask for people.", CompletionHandler: goComplete,
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	said := func(text string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
	}
	mcp.AddTool(s, &mcp.Tool{Name: "add", Description: "The sum of two numbers."}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		A int `json:"a"`
		B int `json:"b"`
	}) (*mcp.CallToolResult, struct {
		Sum int `json:"sum"`
	}, error) {
		return nil, struct {
			Sum int `json:"sum"`
		}{in.A + in.B}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "whois", Description: "Somebody, by number."}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		ID string `json:"id"`
	}) (*mcp.CallToolResult, person, error) {
		return nil, person{"Jane Doe", "jane.doe@example.org", 61}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "fails", Description: "Never works."}, func(context.Context, *mcp.CallToolRequest, nobody) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New("nothing works")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "report", Description: "Says how far it is."}, func(ctx context.Context, req *mcp.CallToolRequest, in struct {
		Steps int `json:"steps"`
	}) (*mcp.CallToolResult, any, error) {
		for n := 1; n <= in.Steps; n++ {
			if token := req.Params.GetProgressToken(); token != nil {
				_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: float64(n), Total: float64(in.Steps), Message: fmt.Sprintf("step %d", n)})
			}
			_ = req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: fmt.Sprintf("did step %d", n)})
		}
		return said("reported"), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "sleep", Description: "Takes too long."}, func(ctx context.Context, _ *mcp.CallToolRequest, _ nobody) (*mcp.CallToolResult, any, error) {
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
		return said("awake"), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "touch", Description: "Changes a resource."}, func(ctx context.Context, _ *mcp.CallToolRequest, _ nobody) (*mcp.CallToolResult, any, error) {
		return said("touched"), nil, s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "note://one"})
	})
	goQuestions(s, said)
	note := func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		c := &mcp.ResourceContents{URI: req.Params.URI, MIMEType: "text/plain"}
		switch about, ok := strings.CutPrefix(req.Params.URI, "note://about/"); {
		case ok:
			c.Text = "All about " + about + "."
		case req.Params.URI == "note://picture":
			c.MIMEType, c.Blob = "image/png", []byte("\x89PNG not really")
		default:
			c.Text = "The first note, by jane.doe@example.org."
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{c}}, nil
	}
	s.AddResource(&mcp.Resource{URI: "note://one", Name: "one", MIMEType: "text/plain"}, note)
	s.AddResource(&mcp.Resource{URI: "note://picture", Name: "picture", MIMEType: "image/png"}, note)
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "note://about/{name}", Name: "about"}, note)
	s.AddPrompt(&mcp.Prompt{Name: "greet", Description: "Greets somebody.", Arguments: []*mcp.PromptArgument{{Name: "name", Required: true}}}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "Say hello to " + req.Params.Arguments["name"] + "."}}}}, nil
	})
	return s
}

// goQuestions are tools that ask the client something: within the call in versions with sessions, and by an answer
// that wants input in the one without.
func goQuestions(s *mcp.Server, said func(string) *mcp.CallToolResult) {
	ask := func(name string, question mcp.InputRequest, old func(context.Context, *mcp.ServerSession) (mcp.InputResponse, error), text func(mcp.InputResponse) string) {
		mcp.AddTool(s, &mcp.Tool{Name: name, Description: "Asks the client."}, func(ctx context.Context, req *mcp.CallToolRequest, _ nobody) (*mcp.CallToolResult, any, error) {
			if p := req.Session.InitializeParams(); p != nil && p.ProtocolVersion >= "2026" {
				answer, ok := req.Params.InputResponses["question"]
				if !ok {
					return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"question": question}, RequestState: "asked"}, nil, nil
				}
				return said(text(answer)), nil, nil
			}
			answer, err := old(ctx, req.Session)
			if err != nil {
				return nil, nil, err
			}
			return said(text(answer)), nil, nil
		})
	}
	opinion := &mcp.CreateMessageParams{MaxTokens: 20, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "What do you think?"}}}}
	ask("think", opinion, func(ctx context.Context, ss *mcp.ServerSession) (mcp.InputResponse, error) {
		return ss.CreateMessage(ctx, opinion)
	}, func(r mcp.InputResponse) string {
		raw, _ := json.Marshal(r) // what cannot be marshalled shows as nothing, and differs
		return "the model said: " + string(raw)
	})
	permission := &mcp.ElicitParams{Message: "May I?", RequestedSchema: map[string]any{
		"type": "object", "properties": map[string]any{"sure": map[string]any{"type": "boolean"}}, "required": []string{"sure"},
	}}
	ask("confirm", permission, func(ctx context.Context, ss *mcp.ServerSession) (mcp.InputResponse, error) {
		return ss.Elicit(ctx, permission)
	}, func(r mcp.InputResponse) string {
		e, _ := r.(*mcp.ElicitResult)
		return fmt.Sprintf("%s: %v", e.Action, e.Content["sure"])
	})
	ask("where", &mcp.ListRootsParams{}, func(ctx context.Context, ss *mcp.ServerSession) (mcp.InputResponse, error) {
		return ss.ListRoots(ctx, nil)
	}, func(r mcp.InputResponse) string {
		var uris []string
		if l, ok := r.(*mcp.ListRootsResult); ok {
			for _, root := range l.Roots {
				uris = append(uris, root.URI)
			}
		}
		return strings.Join(uris, ", ")
	})
}

func goComplete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	res := &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Total: 3, Values: []string{}}}
	for _, n := range []string{"jane", "jon", "ada"} {
		if strings.HasPrefix(n, req.Params.Argument.Value) {
			res.Completion.Values = append(res.Completion.Values, n)
		}
	}
	return res, nil
}

// transcript is what a client saw, line by line.
type transcript struct {
	mu    sync.Mutex
	lines []string
	heard []string
}

func (t *transcript) tell(what string, v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	raw, err := json.Marshal([]any{what, v})
	if err != nil {
		raw = []byte(err.Error())
	}
	t.lines = append(t.lines, string(raw))
}

func (t *transcript) hear(v ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = append(t.heard, fmt.Sprint(v...))
}

// has reports whether something of the kind was heard.
func (t *transcript) has(kind string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.heard, func(h string) bool { return strings.HasPrefix(h, kind) })
}

// attempt tells what a call returned, or its error.
func attempt[R any](t *transcript, what string, call func() (R, error)) {
	v, err := call()
	if rpc, ok := errors.AsType[*mcprpc.Error](err); ok {
		t.tell(what+" fails", []any{rpc.Code, rpc.Message})
		return
	}
	if err != nil {
		t.tell(what+" fails", err.Error())
		return
	}
	t.tell(what, v)
}

// goClient goes through every feature of a server, on the official Go SDK, and returns what it saw.
func goClient(ctx context.Context, version string, transport mcp.Transport) (string, error) {
	t := &transcript{}
	client := mcp.NewClient(&mcp.Implementation{Name: "interop", Version: "1.0.0"}, &mcp.ClientOptions{
		CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			t.tell("asked for an opinion", req.Params.Messages)
			return &mcp.CreateMessageResult{Role: "assistant", Model: "none", Content: &mcp.TextContent{Text: "I think so."}}, nil
		},
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			t.tell("asked for permission", req.Params.Message)
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"sure": true}}, nil
		},
		LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
			t.hear("log ", req.Params.Level, " ", req.Params.Data)
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			t.hear("progress ", req.Params.Progress, " of ", req.Params.Total, " ", req.Params.Message)
		},
		ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
			t.hear("updated ", req.Params.URI)
		},
	})
	client.AddRoots(&mcp.Root{URI: "file:///home/jane", Name: "home"})
	cs, err := client.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		return "", err
	}
	defer cs.Close()
	t.tell("initialized", []any{cs.InitializeResult().ProtocolVersion, cs.InitializeResult().Capabilities, cs.InitializeResult().Instructions})
	names := goTools(ctx, t, cs)
	goNotes(ctx, t, cs, slices.Contains(names, "touch"))
	attempt(t, "greet", func() (*mcp.GetPromptResult, error) {
		return cs.GetPrompt(ctx, &mcp.GetPromptParams{Name: "greet", Arguments: map[string]string{"name": "Jane"}})
	})
	if cs.InitializeResult().Capabilities.Completions != nil {
		attempt(t, "complete", func() (*mcp.CompleteResult, error) {
			return cs.Complete(ctx, &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "greet"}, Argument: mcp.CompleteParamsArgument{Name: "name", Value: "j"}})
		})
	}
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	_, err = cs.CallTool(short, &mcp.CallToolParams{Name: "sleep", Arguments: map[string]any{}})
	cancel()
	t.tell("sleep given up", err != nil)
	attempt(t, "add again", func() (*mcp.CallToolResult, error) {
		return cs.CallTool(ctx, &mcp.CallToolParams{Name: "add", Arguments: map[string]any{"a": 1, "b": 1}})
	})
	time.Sleep(300 * time.Millisecond) // for what comes on other streams
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.heard)
	return strings.Join(append(t.lines, t.heard...), "\n"), nil
}

func goTools(ctx context.Context, t *transcript, cs *mcp.ClientSession) (names []string) {
	for tool, err := range cs.Tools(ctx, nil) {
		if err != nil {
			t.tell("tools fail", err.Error())
			return nil
		}
		t.tell("tool", tool)
		names = append(names, tool.Name)
	}
	call := func(name string, args map[string]any) {
		p := &mcp.CallToolParams{Name: name, Arguments: args}
		if name == "report" {
			p.SetProgressToken("how-far")
		}
		attempt(t, name, func() (*mcp.CallToolResult, error) { return cs.CallTool(ctx, p) })
	}
	if cs.InitializeResult().ProtocolVersion < "2026" && cs.InitializeResult().Capabilities.Logging != nil {
		attempt(t, "level", func() (any, error) { return nil, cs.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "info"}) })
	}
	call("add", map[string]any{"a": 2, "b": 40})
	call("whois", map[string]any{"id": "r-17"})
	call("fails", map[string]any{})
	call("no_such_tool", map[string]any{})
	call("report", map[string]any{"steps": 3})
	for _, name := range []string{"think", "confirm", "where"} {
		if slices.Contains(names, name) {
			call(name, map[string]any{})
		}
	}
	return names
}

func goNotes(ctx context.Context, t *transcript, cs *mcp.ClientSession, touch bool) {
	for r, err := range cs.Resources(ctx, nil) {
		t.tell("resource", []any{r, err})
	}
	for r, err := range cs.ResourceTemplates(ctx, nil) {
		t.tell("template", []any{r, err})
	}
	for p, err := range cs.Prompts(ctx, nil) {
		t.tell("prompt", []any{p, err})
	}
	for _, uri := range []string{"note://one", "note://about/jane", "note://picture", "note://nowhere"} {
		attempt(t, uri, func() (*mcp.ReadResourceResult, error) {
			return cs.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
		})
	}
	resources := cs.InitializeResult().Capabilities.Resources
	if !touch || resources == nil || !resources.Subscribe || cs.InitializeResult().ProtocolVersion >= "2026" {
		return
	}
	time.Sleep(500 * time.Millisecond) // the stream on which news comes is opened beside the calls
	attempt(t, "subscribe", func() (any, error) { return nil, cs.Subscribe(ctx, &mcp.SubscribeParams{URI: "note://one"}) })
	attempt(t, "touch", func() (*mcp.CallToolResult, error) {
		return cs.CallTool(ctx, &mcp.CallToolParams{Name: "touch", Arguments: map[string]any{}})
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && !t.has("updated"); time.Sleep(50 * time.Millisecond) {
		// the notification comes on another stream
	}
	attempt(t, "unsubscribe", func() (any, error) { return nil, cs.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: "note://one"}) })
}
