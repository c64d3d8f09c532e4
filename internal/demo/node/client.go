package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/a2aproject/a2a-go/v2/a2aclient/agentcard"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
)

// Endpoint is where another agent or server is found: the node itself, or a gateway that fronts it. The zero value is nowhere.
type Endpoint struct {
	URL    string            // the base of an agent's card, or an MCP endpoint
	Bearer flow.Secret       // presented to it; zero: nothing
	Header map[string]string // sent along, such as the purpose that a gateway is told

	// Seen is told of every exchange once the answer was read to its end or given up: the body that was sent and as much
	// of the answer as was read, byte for byte. It may be called at once. Nil: nobody is told.
	Seen func(sent, answer []byte)
}

// IsZero reports whether the endpoint is nowhere.
func (e Endpoint) IsZero() bool { return e.URL == "" }

// Client returns an HTTP client that presents the endpoint's credential. It sets no time limit of its own, since streams may be long.
func (e Endpoint) Client() *http.Client { return &http.Client{Transport: transport{e}} }

// With returns the endpoint with one more header.
func (e Endpoint) With(name, value string) Endpoint {
	e.Header = maps.Clone(e.Header)
	if e.Header == nil {
		e.Header = map[string]string{}
	}
	e.Header[name] = value
	return e
}

type transport struct{ Endpoint }

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, value := range t.Header {
		req.Header.Set(name, value)
	}
	if !t.Bearer.IsZero() {
		req.Header.Set("Authorization", "Bearer "+t.Bearer.Expose())
	}
	if t.Seen == nil || req.Body == nil {
		return http.DefaultTransport.RoundTrip(req)
	}
	sent, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err != nil {
		return nil, err
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		res.Body = &watched{ReadCloser: res.Body, sent: sent, seen: t.Seen}
	}
	return res, err
}

// watched keeps what is read of an answer, and tells of it once.
type watched struct {
	io.ReadCloser
	sent []byte
	seen func(sent, answer []byte)

	mu     sync.Mutex // guards the fields below: clients close while they read
	answer []byte
	told   bool
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.mu.Lock()
	w.answer = append(w.answer, p[:n]...)
	w.mu.Unlock()
	if err != nil {
		w.tell()
	}
	return n, err
}

// Close implements [io.Closer].
func (w *watched) Close() error {
	defer w.tell()
	return w.ReadCloser.Close()
}

func (w *watched) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.told {
		w.told = true
		w.seen(w.sent, w.answer)
	}
}

// Agent fetches the agent's card and returns a client of the official SDK for it. The caller calls Destroy on it in the end.
func (e Endpoint) Agent(ctx context.Context) (*a2aclient.Client, error) {
	client := e.Client()
	card, err := agentcard.NewResolver(client).Resolve(ctx, e.URL)
	if err != nil {
		return nil, fmt.Errorf("fetching the agent's card: %w", err)
	}
	c, err := a2aclient.NewFromCard(ctx, card, a2aclient.WithJSONRPCTransport(client))
	if err != nil {
		return nil, fmt.Errorf("connecting to the agent: %w", err)
	}
	return c, nil
}

// Send sends one message to the agent and returns the task it answers with. An answer that is a message alone comes
// back as a completed task without artifacts.
func (e Endpoint) Send(ctx context.Context, msg *a2a.Message) (*a2a.Task, error) {
	c, err := e.Agent(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Destroy() }()
	result, err := c.SendMessage(ctx, &a2a.SendMessageRequest{Message: msg})
	if err != nil {
		return nil, fmt.Errorf("sending a message: %w", err)
	}
	if task, ok := result.(*a2a.Task); ok {
		return task, nil
	}
	answer, _ := result.(*a2a.Message)
	return &a2a.Task{Status: a2a.TaskStatus{State: a2a.TaskStateCompleted, Message: answer}}, nil
}

// Stream sends one message and yields what the agent streams back.
func (e Endpoint) Stream(ctx context.Context, msg *a2a.Message) iter.Seq2[a2a.Event, error] {
	return func(yield func(a2a.Event, error) bool) {
		c, err := e.Agent(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = c.Destroy() }()
		for ev, err := range c.SendStreamingMessage(ctx, &a2a.SendMessageRequest{Message: msg}) {
			if !yield(ev, err) {
				return
			}
		}
	}
}

// Listen sends one message, follows the stream to its end and returns the text of the artifacts of the given name. It
// returns [ErrNotCompleted] if the task did not end well.
func (e Endpoint) Listen(ctx context.Context, msg *a2a.Message, name string) (string, error) {
	var text strings.Builder
	var state a2a.TaskState
	for ev, err := range e.Stream(ctx, msg) {
		if err != nil {
			return "", fmt.Errorf("following a stream: %w", err)
		}
		switch ev := ev.(type) {
		case *a2a.TaskArtifactUpdateEvent:
			if ev.Artifact.Name == name {
				text.WriteString(Text(ev.Artifact.Parts))
			}
		case *a2a.TaskStatusUpdateEvent:
			state = ev.Status.State
		}
	}
	if state != a2a.TaskStateCompleted {
		return "", ErrNotCompleted
	}
	return text.String(), nil
}

// ErrNotCompleted is returned for a task that was refused, failed or broke off.
var ErrNotCompleted = errors.New("the task did not complete")

// Server connects to an MCP server. The caller closes the session.
func (e Endpoint) Server(ctx context.Context) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "scrim-demo", Version: Version}, nil)
	s, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: e.URL, HTTPClient: e.Client()}, nil)
	if err != nil {
		return nil, fmt.Errorf("connecting to the MCP server: %w", err)
	}
	return s, nil
}

// Version is what the demo's agents and servers say theirs is.
const Version = "1.0.0"

// CallTool calls one tool and decodes its structured result into Out. A result that is an error comes back as
// [ToolError].
func CallTool[Out any](ctx context.Context, e Endpoint, tool string, args any) (Out, error) {
	var out Out
	s, err := e.Server(ctx)
	if err != nil {
		return out, err
	}
	defer func() { _ = s.Close() }()
	res, err := s.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return out, fmt.Errorf("calling %s: %w", tool, err)
	}
	if res.IsError {
		return out, &ToolError{Tool: tool, Text: contentText(res.Content)}
	}
	return out, Decode(res.StructuredContent, &out)
}

// ToolError is a tool's own answer that it would not or could not do it, in the tool's words.
type ToolError struct{ Tool, Text string }

// Error implements error.
func (e *ToolError) Error() string { return e.Tool + ": " + e.Text }

func contentText(content []mcp.Content) string {
	var all []string
	for _, c := range content {
		if t, ok := c.(*mcp.TextContent); ok {
			all = append(all, t.Text)
		}
	}
	return strings.Join(all, " ")
}
