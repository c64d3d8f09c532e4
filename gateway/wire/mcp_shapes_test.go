package wire

import (
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// placed parses a document and gives its places their meaning, as the gateway does once it knows the method.
func placed(t testing.TB, src string, table *Table) *json.Doc {
	t.Helper()
	d := parse(t, src, nil)
	table.Place(d)
	return d
}

// Every place that the SDK writes in what both sides ask has a meaning.
func TestTablesKnowWhatBothSidesAsk(t *testing.T) {
	icons := []mcp.Icon{{Source: "https://x.example/i.png", MIMEType: "image/png", Sizes: []string{"48x48", "any"}, Theme: "dark"}}
	tool := &mcp.Tool{Name: "find", InputSchema: map[string]any{"type": "object"}, Icons: icons}
	sampling := mcp.CreateMessageWithToolsParams{
		IncludeContext: "none", MaxTokens: 9, StopSequences: []string{"."}, SystemPrompt: "be kind", Temperature: 0.5,
		Messages: []*mcp.SamplingMessageV2{
			{Role: "user", Content: []mcp.Content{&mcp.TextContent{Text: "hi"}}},
			{Role: "assistant", Content: []mcp.Content{&mcp.TextContent{Text: "a"}, &mcp.ToolUseContent{ID: "u-1", Name: "find", Input: map[string]any{"q": "x"}}}},
			{Role: "user", Content: []mcp.Content{&mcp.ToolResultContent{ToolUseID: "u-1", Content: []mcp.Content{&mcp.ImageContent{Data: []byte("i"), MIMEType: "image/png"}}, StructuredContent: map[string]any{"a": 1}}}},
		},
		ModelPreferences: &mcp.ModelPreferences{CostPriority: 0.5, Hints: []*mcp.ModelHint{{Name: "small"}}}, Tools: []*mcp.Tool{tool}, ToolChoice: &mcp.ToolChoice{Mode: "auto"},
	}
	form := mcp.ElicitParams{Mode: "form", Message: "who?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "string"}}}}
	asks := mcp.InputRequestMap{"form-1": &form, "url-1": &mcp.ElicitParams{Mode: "url", Message: "go", URL: "https://x.example", ElicitationID: "e-1"}, "roots-1": &mcp.ListRootsParams{}, "model-1": &sampling}
	answers := mcp.InputResponseMap{
		"form-1": &mcp.ElicitResult{Action: "accept", Content: map[string]any{"a": "b"}}, "roots-1": &mcp.ListRootsResult{Roots: []*mcp.Root{{URI: "file:///a", Name: "a"}}},
		"model-1": &mcp.CreateMessageResult{Role: "assistant", Model: "m", StopReason: "endTurn", Content: &mcp.TextContent{Text: "t"}},
	}
	filter := &mcp.NotificationSubscriptions{ToolsListChanged: true, ResourceSubscriptions: []string{"mem://a"}}
	task := map[string]any{"taskId": "t-1", "status": "working", "statusMessage": "m", "createdAt": "2026-11-26T10:00:00Z", "lastUpdatedAt": "2026-11-26T10:00:00Z", "ttl": 5, "pollInterval": 5}
	prompt := mcp.GetPromptResult{Description: "d", Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "t"}}}}
	for _, c := range []struct {
		protocol, version, method string
		params, result            any
	}{
		{"mcp", MCP20241105, "prompts/list", mcp.ListPromptsParams{Cursor: "c"}, mcp.ListPromptsResult{Prompts: []*mcp.Prompt{{Name: "p", Title: "t", Description: "d", Icons: icons, Arguments: []*mcp.PromptArgument{{Name: "a", Title: "t", Description: "d", Required: true}}}}}},
		{"mcp", MCP20250618, "prompts/get", mcp.GetPromptParams{Name: "p", Arguments: map[string]string{"a": "b"}}, prompt},
		{"mcp", MCP20260728, "prompts/get", mcp.GetPromptParams{Name: "p", InputResponses: answers, RequestState: "s"}, mcp.GetPromptResult{Messages: []*mcp.PromptMessage{}, InputRequests: asks, RequestState: "s"}},
		{"mcp", MCP20250326, "completion/complete", mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "p"}, Argument: mcp.CompleteParamsArgument{Name: "a", Value: "b"}, Context: &mcp.CompleteContext{Arguments: map[string]string{"x": "y"}}}, mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{"v"}, Total: 1, HasMore: true}}},
		{"mcp", MCP20251125, "resources/subscribe", mcp.SubscribeParams{URI: "mem://a"}, map[string]any{}},
		{"mcp", MCP20260728, "subscriptions/listen", mcp.SubscriptionsListenParams{Notifications: filter}, map[string]any{"resultType": "complete", "_meta": map[string]any{mcp.MetaKeySubscriptionID: 7}}},
		{"mcp", MCP20260728, "tools/call", map[string]any{"name": "t", "inputResponses": answers, "requestState": "s"}, mcp.CallToolResult{Content: []mcp.Content{}, InputRequests: asks, RequestState: "s"}},
		{"mcp", MCP20251125, "tools/call", map[string]any{"name": "t", "task": map[string]any{"ttl": 5}}, map[string]any{"task": task}},
		{"mcp", MCP20251125, "tasks/get", map[string]any{"taskId": "t-1"}, task},
		{"mcp", MCP20251125, "tasks/list", map[string]any{"cursor": "c"}, map[string]any{"tasks": []any{task}, "nextCursor": "n"}},
		{"mcp", MCP20251125, "tasks/result", map[string]any{"taskId": "t-1"}, map[string]any{"content": []any{}, "_meta": map[string]any{"io.modelcontextprotocol/related-task": map[string]any{"taskId": "t-1"}}}},
		{"mcp", MCP20260728, "tasks/get", map[string]any{"taskId": "t-1"}, map[string]any{"resultType": "complete", "taskId": "t-1", "status": "input_required", "ttlMs": nil, "pollIntervalMs": 5, "inputRequests": asks}},
		{"mcp", MCP20260728, "tasks/update", map[string]any{"taskId": "t-1", "inputResponses": answers}, map[string]any{"resultType": "complete"}},
		{MCPClient, MCP20251125, "sampling/createMessage", sampling, mcp.CreateMessageWithToolsResult{Role: "assistant", Model: "m", StopReason: "toolUse", Content: []mcp.Content{&mcp.ToolUseContent{ID: "u", Name: "find", Input: map[string]any{"q": 1}}}}},
		{MCPClient, MCP20241105, "sampling/createMessage", mcp.CreateMessageParams{MaxTokens: 1, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "t"}}}}, mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "t"}}},
		{MCPClient, MCP20250618, "elicitation/create", form, mcp.ElicitResult{Action: "accept", Content: map[string]any{"a": true}}},
		{MCPClient, MCP20241105, "roots/list", mcp.ListRootsParams{}, mcp.ListRootsResult{Roots: []*mcp.Root{{URI: "file:///a", Name: "a"}}}},
		{MCPClient, MCP20250326, "ping", mcp.PingParams{}, map[string]any{}},
		{MCPClient, MCP20251125, "tasks/get", map[string]any{"taskId": "t-1"}, task},
	} {
		t.Run(c.protocol+" "+c.version+" "+c.method, func(t *testing.T) {
			for dir, src := range map[flow.Direction]string{
				flow.Request:  `{"jsonrpc":"2.0","id":1,"method":"` + c.method + `","params":` + marshal(t, c.params) + `}`,
				flow.Response: `{"jsonrpc":"2.0","id":1,"result":` + marshal(t, c.result) + `}`,
			} {
				table := mustTable(t, c.protocol, c.version, c.method, dir, false)
				for _, r := range roles(t, table, placed(t, src, table)) {
					if strange(r) {
						t.Error(r)
					}
				}
			}
		})
	}
}

// One object is read in one way: what answers a form is never read as what a model said, nor the other way round.
func TestAnswersOfFormsAndModelsAreToldApart(t *testing.T) {
	table := mustTable(t, "mcp", MCP20260728, "tools/call", flow.Request, false)
	src := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","inputResponses":{"a":{"action":"accept","content":{"type":"text","text":"y"},"role":"user"},
		"b":{"role":"user","content":{"type":"text","text":"y"}},"c":{"role":"user","content":[{"type":"text","text":"y"},{"input":{"text":"z"}}]}}}}`
	got := strings.Join(roles(t, table, placed(t, src, table)), "\n")
	for _, want := range []string{
		"/params/inputResponses/a/content/text = Data", "/params/inputResponses/a/role = Unknown", "/params/inputResponses/b/content/text = Text",
		"/params/inputResponses/c/content/0/text = Text", "/params/inputResponses/c/content/1/input/text = Data",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("roles:\n%s\nwant %s", got, want)
		}
	}
}

// A name that its sender chose has the form of an identifier, wherever a table lets one be chosen.
func TestChosenNamesAreIdentifiers(t *testing.T) {
	table := mustTable(t, "mcp", MCP20260728, "tools/call", flow.Response, false)
	d := parse(t, `{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"form-1":{},"Jane Doe":{},"`+strings.Repeat("x", 300)+`":{}}}}`, table)
	chosen := 0
	for n := range d.Nodes {
		if !table.AnyName(d.Nodes[n].State) {
			continue
		}
		chosen++
		if ok := table.AllowsName(d, n); ok != (string(d.Key(n)) == "form-1") {
			t.Errorf("the name %q is allowed: %v", d.Key(n), ok)
		}
	}
	if chosen != 3 {
		t.Errorf("%d names were chosen, want 3", chosen)
	}
}

// What passes without a table of its own is content from end to end.
func TestPassingIsContent(t *testing.T) {
	d := parse(t, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":{"b":1}},"other":2}`, Passing())
	for n := range d.Nodes {
		switch role := Passing().Role(d.Nodes[n].State); {
		case d.Nodes[n].Kind == json.Object, role == Data, role == Text, role == Unknown:
		case string(d.Key(n)) == "jsonrpc", string(d.Key(n)) == "id":
		default:
			t.Errorf("%s is %s", d.Pointer(n, nil), role)
		}
	}
}
