package mcp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
)

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("links") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical/url");
@id("names") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"file/name");
@id("abroad") @reason("a stand-in is enough") permit (principal in Domain::"other", action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" || resource.tier == "internal" };
@id("questions") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "request" };
@id("open") permit (principal in Domain::"own", action == Action::"open", resource) when { context.purpose == Purpose::"care" };
`

const patientSchema = `{
  "type": "object",
  "properties": {
    "name": {"type": "string", "x-scrim-label": "person/name"},
    "email": {"type": "string", "x-scrim-label": "person/contact/email"},
    "born": {"type": "string", "x-scrim-label": "person/birth-date"},
    "ssn": {"type": "string", "x-scrim-label": "government-id/ssn"},
    "id": {"type": "string", "x-scrim-label": "technical/record-id"}
  },
  "required": ["name"]
}`

const wrapped = `{"type":"object","properties":{"rows":{"type":"array","items":` + patientSchema + `}},"required":["rows"]}`

const question = `{"type":"object","properties":{"id":{"type":"string","x-scrim-label":"technical/record-id"},"who":{"type":"string","x-scrim-label":"person/name"},"text":{"type":"string","x-scrim-label":"text/free"}}}`

type patient struct {
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
	Born  string `json:"born,omitempty"`
	SSN   string `json:"ssn,omitempty"`
	ID    string `json:"id,omitempty"`
	Extra string `json:"extra,omitempty"`
}

type rows struct {
	Rows []patient `json:"rows"`
}

type asked struct {
	ID   string `json:"id,omitempty"`
	Who  string `json:"who,omitempty"`
	Text string `json:"text,omitempty"`
}

var jane = patient{Name: "Jane Doe", Email: "jane.doe@example.org", Born: "1961-04-12", SSN: "536-90-4399", ID: "r-17"}

// secrets are what a foreign caller must not see of jane.
var secrets = []string{"Jane", "Doe", "jane.doe", "1961-04-12", "536-90-4399"}

// newServer is an MCP server made with the official SDK.
func newServer(got func(asked)) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "records", Version: "1"}, &sdk.ServerOptions{Instructions: "Ask for rows."})
	sdk.AddTool(s, &sdk.Tool{Name: "rows", Description: "Rows of patients."}, func(_ context.Context, _ *sdk.CallToolRequest, in asked) (*sdk.CallToolResult, rows, error) {
		got(in)
		return nil, rows{[]patient{jane, {Name: "Jon Roe"}}}, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "extra"}, func(_ context.Context, _ *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, rows, error) {
		p := jane
		p.Extra = "Zanzibar"
		return nil, rows{[]patient{p}}, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "bare"}, func(_ context.Context, _ *sdk.CallToolRequest, in struct{}) (*sdk.CallToolResult, rows, error) {
		return nil, rows{[]patient{jane}}, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "plain"}, func(_ context.Context, _ *sdk.CallToolRequest, in asked) (*sdk.CallToolResult, any, error) {
		got(in)
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "Nothing to see, write to jane.doe@example.org. " + in.Who + " " + in.Text}}}, nil, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "fails"}, func(_ context.Context, _ *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("no row for jane.doe@example.org")
	})
	sdk.AddTool(s, &sdk.Tool{Name: "talks"}, func(ctx context.Context, req *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, any, error) {
		if token := req.Params.GetProgressToken(); token != nil {
			_ = req.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{ProgressToken: token, Progress: 1, Message: "asking jane.doe@example.org"})
		}
		_ = req.Session.Log(ctx, &sdk.LoggingMessageParams{Level: "error", Data: "wrote to jane.doe@example.org"})
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "Done."}}}, nil, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "asks"}, func(ctx context.Context, req *sdk.CallToolRequest, _ asked) (*sdk.CallToolResult, any, error) {
		_, err := req.Session.CreateMessage(ctx, &sdk.CreateMessageParams{MaxTokens: 5, Messages: []*sdk.SamplingMessage{{Role: "user", Content: &sdk.TextContent{Text: "Zanzibar"}}}})
		_, err2 := req.Session.ListRoots(ctx, nil)
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: fmt.Sprintf("sampling refused: %v, roots refused: %v", err != nil, err2 != nil)}}}, nil, nil
	})
	s.AddResource(&sdk.Resource{URI: "mem://beds", Name: "beds", MIMEType: "text/plain"}, func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: "mem://beds", MIMEType: "text/plain", Text: "Bed 4: jane.doe@example.org"}}}, nil
	})
	return s
}

// upstream is the server over streamable HTTP; it keeps what it got and what it answered.
type upstream struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	header []http.Header
	answer []string
	last   string // id of a call
	args   []asked
}

func (u *upstream) bodies() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.got...)
}

func (u *upstream) arguments() []asked {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]asked(nil), u.args...)
}

// tee keeps what a handler answers.
type tee struct {
	http.ResponseWriter
	b  bytes.Buffer
	id string // of the call that is answered
}

// Write takes what answers call 0 or 7 for the answer to the call that was made: across domains it has another id.
func (t *tee) Write(p []byte) (int, error) {
	n := len(p)
	if t.id != "" && bytes.Contains(p, []byte(`"result"`)) {
		for _, id := range []string{`"id":0,`, `"id":7,`} {
			p = bytes.ReplaceAll(p, []byte(id), []byte(`"id":`+t.id+`,`))
		}
	}
	t.b.Write(p)
	_, err := t.ResponseWriter.Write(p)
	return n, err
}
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }
func (t *tee) Flush()                      { _ = http.NewResponseController(t.ResponseWriter).Flush() }

func newUpstream(t testing.TB, opt *sdk.StreamableHTTPOptions) *upstream {
	u := &upstream{}
	server := newServer(func(a asked) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.args = append(u.args, a)
	})
	return u.serve(t, sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, opt))
}

func (u *upstream) serve(t testing.TB, inner http.Handler) *upstream {
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		if r.Method == http.MethodPost {
			u.mu.Lock()
			u.got, u.header = append(u.got, string(b)), append(u.header, r.Header.Clone())
			u.mu.Unlock()
		}
		tw := &tee{ResponseWriter: w, id: idIn(b)}
		u.mu.Lock()
		if tw.id != "" {
			u.last = tw.id
		} else if r.Method == http.MethodGet {
			tw.id = u.last
		}
		u.mu.Unlock()
		inner.ServeHTTP(tw, r)
		if r.Method == http.MethodPost {
			u.mu.Lock()
			u.answer = append(u.answer, tw.b.String())
			u.mu.Unlock()
		}
	}))
	t.Cleanup(u.CloseClientConnections)
	t.Cleanup(u.Close)
	return u
}

type rig struct {
	*gatewaytest.Rig
	url   string
	setup gatewaytest.Setup
}

var (
	ownCaller = flow.Party{Agent: "caller", Domain: gatewaytest.Own}
	stranger  = flow.Party{Agent: "stranger", Domain: gatewaytest.Other}
)

// newRig puts the server, of domain own, behind the inbound face.
func newRig(t testing.TB, u *upstream, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	up, err := gateway.NewUpstream(u.URL, "Authorization", flow.NewSecret("Bearer upstream"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	setup := gatewaytest.Setup{
		Policy: policies, NoSync: true,
		Agents: []*gateway.Agent{
			{Party: ownCaller}, {Party: stranger}, {Party: flow.Party{Agent: "third", Domain: "third"}},
			{Party: flow.Party{Agent: "records", Domain: gatewaytest.Own}, MCP: up},
		},
		Callers: map[string]identity.Grant{
			"scrim_own":   {Party: ownCaller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical},
			"scrim_other": {Party: stranger, Purposes: []flow.Purpose{"care", "audit"}, Criticality: flow.Critical},
			"scrim_third": {Party: flow.Party{Agent: "third", Domain: "third"}, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical},
		},
	}
	for _, name := range []string{"rows", "extra", "plain", "fails", "talks", "asks"} {
		setup.Schemas = append(setup.Schemas, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: name, Direction: flow.Request, JSON: question})
	}
	for _, name := range []string{"rows", "extra"} {
		setup.Schemas = append(setup.Schemas, gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: name, Direction: flow.Response, JSON: wrapped})
	}
	if change != nil {
		change(&setup)
	}
	g := gatewaytest.New(t, setup)
	mux := http.NewServeMux()
	mux.Handle("/mcp/", &mcp.Handler{Gateway: g.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{Contracts: setup.Contracts}})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	return &rig{g, srv.URL + "/mcp/records", setup}
}

// keyed adds a credential to every request.
type keyed struct{ key string }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	r.Header.Set("Scrim-Purpose", "care")
	r.Header.Set("Scrim-Criticality", "critical")
	return http.DefaultTransport.RoundTrip(r)
}

// connect joins an unchanged SDK client to an endpoint.
func connect(t testing.TB, endpoint, key, version string, opt *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, opt)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	session, err := client.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: &http.Client{Transport: keyed{key}}}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

// send posts one message and returns what came back.
func (r *rig) send(t testing.TB, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Mcp-Protocol-Version", wire.MCP20260728)
	req.Header.Set("Mcp-Method", "tools/call")
	req.Header.Set("Mcp-Name", "plain")
	req.Header.Set("Authorization", "Bearer scrim_own")
	req.Header.Set("Scrim-Purpose", "care")
	req.Header.Set("Scrim-Criticality", "critical")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
