package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
)

type asked struct {
	Patient string `json:"patient_id"`
	Since   string `json:"since,omitempty"`
}

type address struct {
	City string `json:"city"`
}

type answered struct {
	Name  string    `json:"name"`
	Mail  string    `json:"mail"`
	Homes []address `json:"homes"`
}

// registry is an MCP server with four tools and some resources. Calls count.
func registry(calls map[string]int) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "registry", Version: "1"}, nil)
	answer := func(name string) sdk.ToolHandlerFor[struct{}, answered] {
		return func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, answered, error) {
			calls[name]++
			return nil, answered{Name: "Canary", Mail: "canary@example.org", Homes: []address{{"Ulm"}, {"Bonn"}}}, nil
		}
	}
	sdk.AddTool(s, &sdk.Tool{Name: "find", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}}, func(context.Context, *sdk.CallToolRequest, asked) (*sdk.CallToolResult, answered, error) {
		calls["find"]++
		return nil, answered{}, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "latest", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}}, answer("latest"))
	sdk.AddTool(s, &sdk.Tool{Name: "purge"}, answer("purge"))
	s.AddTool(&sdk.Tool{Name: "notes", InputSchema: map[string]any{"type": "object"}, Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}},
		func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			calls["notes"]++
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: `{"by":{"canary@example.org":1,"b@example.org":2}}`}, &sdk.TextContent{Text: "Canary was here"}}}, nil
		})
	read := func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) { return nil, nil }
	for i := range 3 {
		s.AddResource(&sdk.Resource{Name: fmt.Sprintf("Canary %d", i), URI: fmt.Sprintf("patient://canary/%d", i), MIMEType: "application/json"}, read)
	}
	s.AddResourceTemplate(&sdk.ResourceTemplate{Name: "record", URITemplate: "patient://{mrn}/{+rest}", MIMEType: "text/plain"}, read)
	return s
}

func served(t *testing.T, s *sdk.Server, token string) Endpoint {
	t.Helper()
	inner := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "canary", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	return Endpoint{URL: web.URL + "/mcp", Credential: flow.NewSecret("Bearer " + token)}
}

func columnNames(a Asset) (names []string) {
	for _, c := range a.Columns {
		names = append(names, c.Name)
	}
	return names
}

func asset(t *testing.T, inv *Inventory, name string) Asset {
	t.Helper()
	i := slices.IndexFunc(inv.Assets, func(a Asset) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("there is no %q among %d assets", name, len(inv.Assets))
	}
	return inv.Assets[i]
}

func TestToolsAreListedByTheirSchemasAndCalledOnlyIfAsked(t *testing.T) {
	calls := map[string]int{}
	src, err := MCP("registry", served(t, registry(calls), "secret-canary"))
	if err != nil {
		t.Fatal(err)
	}
	inv, _ := scan(t, src, Options{})
	if len(calls) > 0 {
		t.Errorf("tools were called: %v", calls)
	}
	find := asset(t, inv, "find")
	want := []string{"arguments", "arguments.patient_id", "arguments.since", "result", "result.homes", "result.homes.city", "result.mail", "result.name"}
	if got := columnNames(find); !slices.Equal(got, want) || find.Kind != Tool || find.Agent != "registry" {
		t.Errorf("find has %q, want %q", got, want)
	}
	if c := find.Columns[1]; !c.Required || c.Type != "string" || find.Columns[2].Required {
		t.Errorf("arguments of find: %+v", find.Columns)
	}
	if a := asset(t, inv, "resources of type application/json"); a.Rows != 3 || !a.Exact {
		t.Errorf("resources: %+v", a)
	}
	if got := columnNames(asset(t, inv, "record")); !slices.Equal(got, []string{"mrn", "rest", "content"}) {
		t.Errorf("the template's columns: %q", got)
	}

	inv, l := scan(t, src, Options{Call: true})
	if calls["latest"] != 1 || calls["notes"] != 1 || calls["purge"] != 0 || calls["find"] != 0 {
		t.Errorf("calls %v, want one of latest and one of notes", calls)
	}
	if v := l["latest/result.homes.city"].Values; !slices.Equal(v, []string{"Ulm", "Bonn"}) {
		t.Errorf("values of a nested place: %q", v)
	}
	if got := columnNames(asset(t, inv, "notes")); !slices.Equal(got, []string{"arguments", "result", "result.by"}) {
		t.Errorf("columns of notes: %q", got)
	}
	if c, err := inv.Contract(Proposal{ID: "registry"}); err != nil {
		t.Error(err)
	} else if f, ok := c.Field("latest/result.homes.city"); !ok || f.PhysicalType != "string" {
		t.Errorf("the contract's field: %+v", f)
	}
	out, _ := json.Marshal(inv)
	if s := string(out); strings.Contains(s, "anary") || strings.Contains(s, "Ulm") || strings.Contains(s, "b@example") {
		t.Error("the inventory holds a value")
	}
}

func TestMCPProgramIsAskedOverPipes(t *testing.T) {
	src := MCPProgram("registry", "registry", func(ctx context.Context) (Pipe, error) {
		fromServer, toClient := io.Pipe()
		fromClient, toServer := io.Pipe()
		session, err := registry(map[string]int{}).Connect(ctx, &sdk.IOTransport{Reader: fromClient, Writer: toClient}, nil)
		return Pipe{In: toServer, Out: fromServer, Stop: func() error { return session.Close() }}, err
	})
	inv, _ := scan(t, src, Options{})
	if a := asset(t, inv, "find"); len(a.Columns) != 8 {
		t.Errorf("find: %+v", a)
	}
}

func TestMCPServersThatLie(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "canary canary") },
		"error":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "canary", http.StatusTeapot) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/canary", http.StatusTemporaryRedirect)
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server sees the client go
			<-r.Context().Done()
		},
		"refusal": func(w http.ResponseWriter, r *http.Request) {
			var call struct{ ID any }
			_ = json.NewDecoder(r.Body).Decode(&call)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": call.ID, "error": map[string]any{"code": -32000, "message": "canary"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(answer)
			defer web.Close()
			src, err := MCP("liar", Endpoint{URL: web.URL, Credential: flow.NewSecret("Bearer canary")})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Scan(t.Context(), src, looker{}, Options{Each: time.Second})
			if err == nil || strings.Contains(err.Error(), "canary") || !strings.HasPrefix(err.Error(), "MCP server http") {
				t.Errorf("error = %v, want one that names the server and repeats nothing", err)
			}
			card, err := A2A("liar", Endpoint{URL: web.URL, Credential: flow.NewSecret("Bearer canary")})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Scan(t.Context(), card, looker{}, Options{Each: time.Second})
			if err == nil || strings.Contains(err.Error(), "canary") || !strings.HasPrefix(err.Error(), "A2A agent http") {
				t.Errorf("error = %v, want one that names the agent and repeats nothing", err)
			}
		})
	}
}

// A server that answers what it is asked and takes no leave does not hold the scan.
func TestMCPServerThatDoesNotSayGoodbye(t *testing.T) {
	inner := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return registry(map[string]int{}) }, nil)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			<-r.Context().Done()
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer web.Close()
	src, err := MCP("registry", Endpoint{URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if inv, _ := scan(t, src, Options{}); len(inv.Assets) != 6 {
		t.Errorf("%d assets, want 6", len(inv.Assets))
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A schema may refer to itself, and name a thousand places a thousand times.
func TestSchemasThatExplodeAreCutOff(t *testing.T) {
	bomb := map[string]any{"$ref": "#/$defs/l0", "$defs": map[string]any{}}
	for i := range 30 {
		next := map[string]any{"$ref": fmt.Sprintf("#/$defs/l%d", (i+1)%30)}
		level := map[string]any{"properties": map[string]any{}}
		for j := range 30 {
			level["properties"].(map[string]any)[fmt.Sprint("p", j)] = next
		}
		level["allOf"] = []any{next, next, next, map[string]any{"$ref": "#/$defs/l0"}}
		bomb["$defs"].(map[string]any)[fmt.Sprint("l", i)] = level
	}
	began := time.Now()
	if n := len(schemaColumns(bomb, "arguments")); n > maxPlaces || n < 10 {
		t.Errorf("%d places", n)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, odd := range []any{nil, true, "x", map[string]any{"properties": []any{1}, "items": "x", "$ref": "#/a/b", "type": 7, "allOf": map[string]any{}}} {
		if n := len(schemaColumns(odd, "arguments")); n != 1 {
			t.Errorf("%v declares %d places, want itself alone", odd, n)
		}
	}
}

func TestAddressesHoldNoSecrets(t *testing.T) {
	for _, bad := range []string{"https://user:canary@host/", "https://host/?key=canary", "ftp://host/", "host", "https://host/#canary", ""} {
		if _, err := MCP("x", Endpoint{URL: bad}); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("MCP(%q): %v, want it refused without being repeated", bad, err)
		}
	}
}

func TestSkillsOfAnAgentAreListed(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/agents/triage/.well-known/agent-card.json" || r.Header.Get("X-Key") != "k" {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, `{"name":"triage","description":"d","version":"1","supportedInterfaces":[{"url":"https://x.example/a2a","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],
			"capabilities":{},"defaultInputModes":["text/plain"],"defaultOutputModes":["application/json","not a type canary"],
			"skills":[{"id":"triage","name":"Triage","description":"d","tags":[],"examples":["Canary has a fever"]},{"id":"refer","name":"Refer","description":"d","tags":[],"inputModes":["application/fhir+json"]}]}`)
	}))
	defer web.Close()
	src, err := A2A("triage", Endpoint{URL: web.URL + "/agents/triage", Header: "X-Key", Credential: flow.NewSecret("k")})
	if err != nil {
		t.Fatal(err)
	}
	inv, _ := scan(t, src, Options{})
	a := asset(t, inv, "refer")
	if len(inv.Assets) != 2 || a.Kind != Skill || a.Columns[0].Type != "application/fhir+json" || a.Columns[1].Type != "application/json, unknown" {
		t.Errorf("skills: %+v", inv.Assets)
	}
	if out, _ := json.Marshal(inv); strings.Contains(string(out), "anary") {
		t.Error("the inventory holds an example")
	}
	if _, err := inv.Contract(Proposal{ID: "triage"}); err != nil {
		t.Error(err)
	}
}
