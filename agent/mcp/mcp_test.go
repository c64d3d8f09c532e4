package mcp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/agent/mcp"
	"github.com/scrimhq/scrim/flow"
)

// calls is a server of the official SDK that remembers how it was called, and fails the first time where it is told to.
type calls struct {
	mu    sync.Mutex
	heads []http.Header
	ids   []any // the names that calls of a tool gave themselves
	fail  bool
}

func serve(t *testing.T, c *calls) string {
	t.Helper()
	server := sdk.NewServer(&sdk.Implementation{Name: "records", Version: "1"}, nil)
	sdk.AddTool(server, &sdk.Tool{Name: "find"}, func(_ context.Context, req *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, struct{}, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ids = append(c.ids, req.Params.GetMeta()[agent.MetaFlowID])
		return &sdk.CallToolResult{
			Meta:    sdk.Meta{agent.MetaNote: map[string]any{"restricted": 2, "reference": "06h0a7pgdpkmbfokh1vp84m3r0"}},
			Content: []sdk.Content{&sdk.TextContent{Text: "done"}},
		}, struct{}{}, nil
	})
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.heads = append(c.heads, r.Header.Clone())
		c.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.mu.Lock()
		fail := c.fail && bytes.Contains(body, []byte(`"tools/call"`))
		c.mu.Unlock()
		rec := &lost{ResponseWriter: w}
		if fail {
			c.mu.Lock()
			c.fail = false
			c.mu.Unlock()
			h.ServeHTTP(rec, r) // it is done, and its answer gets lost
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// lost swallows an answer.
type lost struct{ http.ResponseWriter }

func (l *lost) Header() http.Header         { return http.Header{} }
func (l *lost) Write(b []byte) (int, error) { return len(b), nil }
func (l *lost) WriteHeader(int)             {}

// Every request of a session says why it is made; a call names itself, and an answer's note is read.
func TestCallsSayWhyAndNameThemselves(t *testing.T) {
	c := &calls{}
	url := serve(t, c)
	self, err := agent.NewClient(agent.Options{Key: agent.NewKey(), Gateways: []agent.Gateway{{URL: url, Domain: "hospital"}}, Bearer: flow.NewSecret("scrim_x")})
	if err != nil {
		t.Fatal(err)
	}
	var notes []flow.Note
	routine := flow.Routine
	session, err := mcp.Dial(t.Context(), self, url, sdk.NewClient(&sdk.Implementation{Name: "desk", Version: "1"}, nil), mcp.Options{
		Purpose: "treatment", Criticality: &routine, Note: func(n flow.Note) { notes = append(notes, n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "find", Arguments: map[string]any{}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.heads {
		if h.Get(agent.HeaderPurpose) != "treatment" || h.Get(agent.HeaderCriticality) != "routine" || h.Get("Authorization") != "Bearer scrim_x" {
			t.Errorf("a request of %q came with purpose %q, criticality %q", h.Get("Mcp-Method"), h.Get(agent.HeaderPurpose), h.Get(agent.HeaderCriticality))
		}
	}
	if len(c.ids) != 2 || c.ids[0] == nil || c.ids[0] == c.ids[1] {
		t.Errorf("calls named themselves %v, want two different names", c.ids)
	}
	if len(notes) != 2 || notes[0].Restricted != 2 || notes[0].Reference == "" {
		t.Errorf("notes %+v, want one for each answer", notes)
	}
}

// A call whose answer got lost is made again under the same name, so that a gateway gives the answer again and asks nobody twice.
func TestALostAnswerIsAskedForUnderTheSameName(t *testing.T) {
	c := &calls{}
	url := serve(t, c)
	self, err := agent.NewClient(agent.Options{Key: agent.NewKey(), Gateways: []agent.Gateway{{URL: url, Domain: "hospital"}}})
	if err != nil {
		t.Fatal(err)
	}
	session, err := mcp.Dial(t.Context(), self, url, sdk.NewClient(&sdk.Implementation{Name: "desk", Version: "1"}, nil), mcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.fail = true
	c.mu.Unlock()
	if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "find", Arguments: map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	_ = session.Close() // whether it ends well is not what this is about
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) != 2 || c.ids[0] == nil || c.ids[0] != c.ids[1] {
		t.Errorf("the call named itself %v, want the same name twice", c.ids)
	}
}
