package wire

import (
	stdjson "encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

func mustTable(t testing.TB, protocol, version, method string, dir flow.Direction, stream bool) *Table {
	t.Helper()
	table, ok := For(protocol, version, method, dir, stream)
	if !ok {
		t.Fatalf("For(%s, %s, %s, %s, %v) is not carried", protocol, version, method, dir, stream)
	}
	return table
}

func parse(t testing.TB, src string, m json.Matcher) *json.Doc {
	t.Helper()
	var d json.Doc
	if err := d.Parse([]byte(src), m, json.Limits{}); err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return &d
}

// roles lists "path = role" of every scalar of the document, and fails where a value does not fit its place.
func roles(t testing.TB, table *Table, d *json.Doc) []string {
	t.Helper()
	var out []string
	for n, node := range d.Nodes {
		if !table.Allows(node.State, d, n) {
			t.Errorf("%s does not allow what stands there", d.Pointer(n, nil))
		}
		if node.Kind != json.Object && node.Kind != json.Array {
			out = append(out, string(d.Pointer(n, nil))+" = "+table.Role(node.State).String())
		}
	}
	return out
}

// strange reports whether roles says that a value stands where no value belongs.
func strange(role string) bool {
	return strings.HasSuffix(role, "= Unknown") || strings.HasSuffix(role, "= Structure") || strings.HasSuffix(role, "= Refuse")
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := stdjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sampleTask() *a2a.Task {
	when := time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)
	msg := a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart("hello"), a2a.NewDataPart(map[string]any{"patient": map[string]any{"name": "x"}}))
	msg.TaskID, msg.ContextID = "t-1", "c-1"
	msg.Extensions = []string{"https://scrim.dev/ext/privacy/v1"}
	msg.ReferenceTasks = []a2a.TaskID{"t-0"}
	msg.Metadata = map[string]any{"https://scrim.dev/ext/privacy/v1": map[string]any{"reference": "r"}, "k": []any{1, "two"}}
	raw := a2a.NewRawPart([]byte("file"))
	raw.MediaType, raw.Filename = "application/pdf", "report.pdf"
	url := a2a.NewFileURLPart("https://files.example/1", "text/plain; charset=utf-8")
	return &a2a.Task{
		ID: "t-1", ContextID: "c-1", Metadata: map[string]any{"m": true},
		Status:    a2a.TaskStatus{State: a2a.TaskStateCompleted, Message: msg, Timestamp: &when},
		History:   []*a2a.Message{msg},
		Artifacts: []*a2a.Artifact{{ID: "a-1", Name: "report", Description: "the report", Parts: a2a.ContentParts{raw, url}, Extensions: msg.Extensions}},
	}
}

// What the official Go SDK writes must have a place in the tables, each value allowed where it stands.
func TestTablesKnowWhatTheA2ASDKWrites(t *testing.T) {
	task := sampleTask()
	yes := 3
	call := func(method string, params any) string {
		return `{"jsonrpc":"2.0","id":"1","method":"` + method + `","params":` + marshal(t, params) + `}`
	}
	answer := func(result any) string { return `{"jsonrpc":"2.0","id":"1","result":` + marshal(t, result) + `}` }
	event := func(e a2a.Event) string { return answer(a2a.StreamResponse{Event: e}) }
	send := a2a.SendMessageRequest{
		Tenant: "acme", Message: task.History[0], Metadata: map[string]any{"x": 1},
		Config: &a2a.SendMessageConfig{AcceptedOutputModes: []string{"text/plain", "image/*"}, ReturnImmediately: true, HistoryLength: &yes},
	}
	for _, c := range []struct {
		name, method, src string
		dir               flow.Direction
		stream            bool
	}{
		{"a message", "SendMessage", call("SendMessage", send), flow.Request, false},
		{"a streamed message", "SendStreamingMessage", call("SendStreamingMessage", send), flow.Request, false},
		{"a task as answer", "SendMessage", event(task), flow.Response, false},
		{"a message as answer", "SendMessage", event(task.History[0]), flow.Response, false},
		{"a task event", "SendStreamingMessage", event(task), flow.Response, true},
		{"a status event", "SendStreamingMessage", event(&a2a.TaskStatusUpdateEvent{TaskID: "t", ContextID: "c", Status: task.Status, Metadata: task.Metadata}), flow.Response, true},
		{"an artifact event", "SubscribeToTask", event(&a2a.TaskArtifactUpdateEvent{TaskID: "t", ContextID: "c", Artifact: task.Artifacts[0], Append: true, LastChunk: true}), flow.Response, true},
		{"a question for a task", "GetTask", call("GetTask", a2a.GetTaskRequest{ID: "t", Tenant: "acme", HistoryLength: &yes}), flow.Request, false},
		{"a task", "GetTask", answer(task), flow.Response, false},
		{"a question for tasks", "ListTasks", call("ListTasks", a2a.ListTasksRequest{ContextID: "c", Status: a2a.TaskStateWorking, PageSize: 3, PageToken: "p", IncludeArtifacts: true, StatusTimestampAfter: task.Status.Timestamp}), flow.Request, false},
		{"tasks", "ListTasks", answer(a2a.ListTasksResponse{Tasks: []*a2a.Task{task}, TotalSize: 1, PageSize: 1, NextPageToken: "n"}), flow.Response, false},
		{"a cancellation", "CancelTask", call("CancelTask", a2a.CancelTaskRequest{ID: "t", Metadata: task.Metadata}), flow.Request, false},
		{"a cancelled task", "CancelTask", answer(task), flow.Response, false},
		{"a subscription", "SubscribeToTask", call("SubscribeToTask", a2a.SubscribeToTaskRequest{ID: "t"}), flow.Request, false},
		{"an error", "GetTask", `{"jsonrpc":"2.0","id":"1","error":{"code":-32001,"message":"no","data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org","metadata":{"timestamp":"2026-11-22T10:00:00Z"}}]}}`, flow.Response, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := mustTable(t, "a2a", A2A10, c.method, c.dir, c.stream)
			for _, r := range roles(t, table, parse(t, c.src, table)) {
				if strange(r) {
					t.Error(r)
				}
			}
			d := parse(t, c.src, table)
			rpc, err := ReadRPC(d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadA2A(d, rpc); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTablesKnowWhatTheMCPSDKWrites(t *testing.T) {
	size := int64(3)
	meta := mcp.Meta{
		"progressToken": 7, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		mcp.MetaKeyProtocolVersion: MCP20260728, mcp.MetaKeyClientInfo: mcp.Implementation{Name: "c", Version: "1"}, mcp.MetaKeyLogLevel: "info",
		mcp.MetaKeyClientCapabilities: map[string]any{"elicitation": map[string]any{}, "extensions": map[string]any{"x": 1}},
		MetaFlowID:                    "f-1", MetaNote: map[string]any{"reference": "r"}, "com.example/x": "y",
	}
	note := &mcp.Annotations{Audience: []mcp.Role{"user"}, Priority: 0.5, LastModified: "2026-11-22T10:00:00Z"}
	res := &mcp.Resource{URI: "file:///a", Name: "a", Title: "t", Description: "d", MIMEType: "text/plain", Size: 3, Annotations: note, Meta: mcp.Meta{"k": 1}}
	truth := true
	result := &mcp.CallToolResult{
		Meta: mcp.Meta{"k": 1}, StructuredContent: map[string]any{"rows": []any{map[string]any{"name": "x"}}}, IsError: true,
		Content: []mcp.Content{
			&mcp.TextContent{Text: "hi", Annotations: note}, &mcp.ImageContent{Data: []byte("i"), MIMEType: "image/png"},
			&mcp.AudioContent{Data: []byte("a"), MIMEType: "audio/wav"}, &mcp.ResourceLink{URI: "file:///a", Name: "a", Size: &size},
			&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///a", MIMEType: "text/plain", Text: "t"}},
			&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///b", MIMEType: "image/png", Blob: []byte("t")}},
		},
	}
	tool := &mcp.Tool{Name: "look_up", Title: "t", Description: "d", InputSchema: map[string]any{"type": "object"}, OutputSchema: map[string]any{"type": "object"}, Annotations: &mcp.ToolAnnotations{Title: "t", ReadOnlyHint: true, OpenWorldHint: &truth}}
	for _, c := range []struct {
		version, method string
		params, result  any
		notice          bool
	}{
		{version: MCP20251125, method: "initialize", params: mcp.InitializeParams{ProtocolVersion: MCP20251125, ClientInfo: &mcp.Implementation{Name: "c", Title: "the client", Version: "1"}, Capabilities: &mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}}},
			result: mcp.InitializeResult{ProtocolVersion: MCP20251125, ServerInfo: &mcp.Implementation{Name: "s", Version: "1"}, Instructions: "ask", Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{ListChanged: true}, Prompts: &mcp.PromptCapabilities{ListChanged: true}, Resources: &mcp.ResourceCapabilities{Subscribe: true}, Logging: &mcp.LoggingCapabilities{}}}},
		{version: MCP20251125, method: "notifications/initialized", params: mcp.InitializedParams{}},
		{version: MCP20251125, method: "ping", params: mcp.PingParams{}, result: map[string]any{}},
		{version: MCP20251125, method: "logging/setLevel", params: mcp.SetLoggingLevelParams{Level: "error"}, result: map[string]any{}},
		{version: MCP20260728, method: "server/discover", params: mcp.DiscoverParams{Meta: meta}, result: mcp.DiscoverResult{SupportedVersions: []string{MCP20260728}, Instructions: "ask", Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}}, Cacheable: mcp.Cacheable{TTLMs: 3, CacheScope: "private"}}},
		{version: MCP20260728, method: "tools/list", params: mcp.ListToolsParams{Meta: meta, Cursor: "c"}, result: mcp.ListToolsResult{Tools: []*mcp.Tool{tool}, NextCursor: "n", Cacheable: mcp.Cacheable{TTLMs: 3, CacheScope: "public"}}},
		{version: MCP20260728, method: "tools/call", params: mcp.CallToolParams{Meta: meta, Name: "look_up", Arguments: map[string]any{"id": 9}, RequestState: "s"}, result: result},
		{version: MCP20251125, method: "tools/call", params: mcp.CallToolParams{Name: "look_up"}, result: result},
		{version: MCP20260728, method: "resources/list", params: mcp.ListResourcesParams{Cursor: "c"}, result: mcp.ListResourcesResult{Resources: []*mcp.Resource{res}}},
		{version: MCP20260728, method: "resources/templates/list", params: mcp.ListResourceTemplatesParams{}, result: mcp.ListResourceTemplatesResult{ResourceTemplates: []*mcp.ResourceTemplate{{URITemplate: "file:///{x}", Name: "n", Title: "t", Description: "d", MIMEType: "text/plain", Annotations: note}}}},
		{version: MCP20260728, method: "resources/read", params: mcp.ReadResourceParams{URI: "file:///a", Meta: meta}, result: mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "file:///a", MIMEType: "text/plain", Text: "t", Meta: mcp.Meta{"k": "v"}}}}},
		{version: MCP20251125, method: "notifications/progress", params: mcp.ProgressNotificationParams{ProgressToken: "p", Progress: 0.5, Total: 1, Message: "half"}, notice: true},
		{version: MCP20260728, method: "notifications/message", params: mcp.LoggingMessageParams{Level: "info", Logger: "l", Data: map[string]any{"a": 1}}, notice: true},
		{version: MCP20260728, method: "notifications/cancelled", params: mcp.CancelledParams{RequestID: 3, Reason: "tired"}, notice: true},
		{version: MCP20251125, method: "notifications/tools/list_changed", params: mcp.ToolListChangedParams{}, notice: true},
	} {
		t.Run(c.version+" "+c.method, func(t *testing.T) {
			id, dir := `"id":1,`, flow.Request
			if c.result == nil {
				id = ""
			}
			if c.notice {
				dir = flow.Response
			}
			checkMCP(t, mustTable(t, "mcp", c.version, c.method, dir, c.notice), `{"jsonrpc":"2.0",`+id+`"method":"`+c.method+`","params":`+marshal(t, c.params)+`}`)
			if c.result != nil {
				checkMCP(t, mustTable(t, "mcp", c.version, c.method, flow.Response, false), `{"jsonrpc":"2.0","id":1,"result":`+marshal(t, c.result)+`}`)
			}
		})
	}
}

func checkMCP(t *testing.T, table *Table, src string) {
	t.Helper()
	d := parse(t, src, table)
	for _, r := range roles(t, table, d) {
		if strange(r) {
			t.Error(r)
		}
	}
	rpc, err := ReadRPC(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMCP(d, rpc); err != nil {
		t.Fatal(err)
	}
}

func TestPlacesOfAMessage(t *testing.T) {
	src := `{"jsonrpc":"2.0","id":7,"method":"SendMessage","extra":"x","params":{"message":{"messageId":"m","taskId":"t","contextId":"c",
		"role":"ROLE_USER","TEXT":"y","message_id":"z","parts":[{"text":"hi","filename":"f"},{"data":{"text":"d","parts":[{"text":1}]}},{"raw":"AA=="},{"url":"u"}],
		"metadata":{"https://scrim.dev/ext/privacy/v1":{"a":{"b":1}},"metadata":{"x":"y"}}},
		"configuration":{"taskPushNotificationConfig":null}}}`
	table := mustTable(t, "a2a", A2A10, "SendMessage", flow.Request, false)
	got := roles(t, table, parse(t, src, table))
	want := []string{
		"/jsonrpc = Protocol", "/id = CallID", "/method = Protocol", "/extra = Unknown", "/params/message/messageId = MessageID",
		"/params/message/taskId = TaskID", "/params/message/contextId = ContextID", "/params/message/role = Protocol",
		"/params/message/TEXT = Unknown", "/params/message/message_id = Unknown", "/params/message/parts/0/text = Text",
		"/params/message/parts/0/filename = FileName", "/params/message/parts/1/data/text = Data", "/params/message/parts/1/data/parts/0/text = Data",
		"/params/message/parts/2/raw = Bytes", "/params/message/parts/3/url = FileURL", "/params/message/metadata/https:~1~1scrim.dev~1ext~1privacy~1v1/a/b = Note",
		"/params/message/metadata/metadata/x = Metadata", "/params/configuration/taskPushNotificationConfig = Structure",
	}
	if !slices.Equal(got, want) {
		t.Errorf("roles:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatIsNotCarriedHasNoTable(t *testing.T) {
	for _, c := range []struct{ protocol, version, method string }{
		{"a2a", A2A10, "tasks/pushNotificationConfig/set"}, {"a2a", A2A03, "CreateTaskPushNotificationConfig"},
		{"a2a", A2A10, "message/send"}, {"a2a", "0.3", "SendMessage"}, {"a2a", "", "SendMessage"}, {"mcp", MCP20260728, "initialize"},
		{"mcp", MCP20260728, "ping"}, {"mcp", MCP20260728, "resources/subscribe"}, {"mcp", MCP20260728, "logging/setLevel"},
		{"mcp", MCP20260728, "notifications/roots/list_changed"}, {"mcp", MCP20260728, "tasks/list"}, {"mcp", MCP20260728, "tasks/result"},
		{"mcp", MCP20251125, "server/discover"}, {"mcp", MCP20251125, "subscriptions/listen"}, {"mcp", MCP20251125, "sampling/createMessage"},
		{"mcp", MCP20251125, "elicitation/create"}, {"mcp", MCP20251125, "roots/list"}, {"mcp", MCP20250618, "tasks/get"}, {"mcp", MCP20241105, "tasks/get"},
		{MCPClient, MCP20260728, "sampling/createMessage"}, {MCPClient, MCP20250326, "elicitation/create"}, {MCPClient, MCP20251125, "tools/call"},
		{"mcp", "2023-01-01", "tools/call"}, {"acp", "1", "x"}, {"a2a", A2A10, ""},
	} {
		for _, dir := range []flow.Direction{flow.Request, flow.Response} {
			for _, stream := range []bool{false, true} {
				if _, ok := For(c.protocol, c.version, c.method, dir, stream); ok {
					t.Errorf("For(%v, %s, %v) is carried", c, dir, stream)
				}
			}
		}
		if slices.Contains(Methods(c.protocol, c.version), c.method) {
			t.Errorf("Methods lists %v", c)
		}
	}
	if _, ok := For("a2a", A2A10, "SendMessage", flow.Response, true); ok {
		t.Error("SendMessage does not stream")
	}
	if _, ok := For("mcp", MCP20260728, "notifications/progress", flow.Request, false); ok {
		t.Error("without sessions a client reports no progress")
	}
}

// everyTable calls f for each table there is.
func everyTable(f func(name string, table *Table)) {
	for k, table := range compiled().tables {
		f(k.protocol+" "+k.version+" "+k.method+" "+k.dir.String(), table())
	}
}

// No place of fixed vocabulary and no id takes prose, whatever the protocol.
func TestNoPlaceOfTheProtocolCarriesProse(t *testing.T) {
	prose := []string{"Alice Smith has diabetes", "alice@example.com, 555-1234", "привет мир", "x\u0000y z", strings.Repeat("a b", 90)}
	other := []string{`{"name":"Alice"}`, `["Alice"]`, `1e400`, `12345678901234567890123`}
	var proseDocs, otherDocs []*json.Doc
	for _, p := range prose {
		proseDocs = append(proseDocs, parse(t, string(json.AppendString(nil, p)), nil))
	}
	for _, o := range other {
		otherDocs = append(otherDocs, parse(t, o, nil))
	}
	everyTable(func(name string, table *Table) {
		for s := range json.State(table.States()) {
			role := table.Role(s)
			if !role.checked() && role != Structure {
				continue
			}
			for _, d := range proseDocs {
				if table.Allows(s, d, 0) {
					t.Errorf("%s: %s (%s) allows prose", name, table.Path(s), role)
				}
			}
			for _, d := range otherDocs {
				if role != Structure && table.Allows(s, d, 0) && (table.Check(s) != "number" || len(d.Src) > 20) {
					t.Errorf("%s: %s (%s:%s) allows %s", name, table.Path(s), role, table.Check(s), d.Src)
				}
			}
		}
	})
}

func TestChecks(t *testing.T) {
	for _, c := range []struct {
		check    string
		yes, not []string
	}{
		{"time", []string{`"2026-11-22T10:00:00Z"`, `"2026-11-22T10:00:00.123456789+01:00"`, `"2025-01-12"`, `null`}, []string{`"now"`, `"2026-13-01T00:00:00Z"`, `1`, `"2026-11-22 10:00"`}},
		{"media", []string{`"text/plain"`, `"application/vnd.a+json; charset=utf-8"`, `""`}, []string{`"text"`, `"text/plain; patient=alice"`, `"alice/smith"`, `"text/alice smith"`}},
		{"mediarange", []string{`"*/*"`, `"image/*"`, `"text"`, `"text/html;q=0.5"`}, []string{`"alice/*"`, `"*"`}},
		{"extension", []string{`"https://scrim.dev/ext/privacy/v1"`, `"urn:a:b"`}, []string{`"https://x/?q=alice"`, `"https://a@b/"`, `"https://x/%41"`, `"privacy"`, `"https://"`}},
		{"version", []string{`"2026-07-28"`, `"1.0"`}, []string{`"one"`, `""`, `"1.0 beta"`}},
		{"traceparent", []string{`"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`}, []string{`"00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01"`, `"x"`}},
		{"name", []string{`"look_up.v2/x-1"`}, []string{`""`, `"look up"`, `"a:b"`}},
		{"rpcid", []string{`"a"`, `-1`, `9007199254740993`}, []string{`1.5`, `1e3`, `"a b"`, `true`}},
		{"bool", []string{`true`, `false`}, []string{`"true"`, `1`}},
		{"int", []string{`0`, `-7`}, []string{`"1"`, `1.0`}},
		{"unit", []string{`0`, `1`, `0.25`}, []string{`2`, `-1`, `0.1234567890`, `"0"`}},
		{"id", []string{`"\u0061"`, `""`}, []string{`"\u0020"`, `1`}},
	} {
		for _, v := range append(c.yes, c.not...) {
			d := parse(t, v, nil)
			want := slices.Contains(c.yes, v)
			table := &Table{places: []place{{}, {role: Protocol, check: check{name: c.check}, root: true}}}
			if got := table.Allows(rootState, d, 0); got != want {
				t.Errorf("%s allows %s = %v, want %v", c.check, v, got, want)
			}
		}
	}
}
