package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

func TestReadRPC(t *testing.T) {
	for _, c := range []struct {
		name, src string
		kind      RPCKind
		id        string
		err       error
	}{
		{"a call", `{"jsonrpc":"2.0","id":"a","method":"GetTask","params":{}}`, Call, `"a"`, nil},
		{"a call without params", `{"jsonrpc":"2.0","id": 9007199254740993 ,"method":"ping"}`, Call, `9007199254740993`, nil},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, Notification, "", nil},
		{"a result", `{"jsonrpc":"2.0","id":1,"result":{}}`, Success, "1", nil},
		{"a result of null", `{"jsonrpc":"2.0","id":1,"result":null}`, Success, "1", nil},
		{"a result beside a null error", `{"jsonrpc":"2.0","id":1,"result":{},"error":null}`, Success, "1", nil},
		{"an error", `{"jsonrpc":"2.0","id":null,"error":{"code":1}}`, Failure, "null", nil},
		{"an error beside a null result", `{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1}}`, Failure, "1", nil},
		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"m"}]`, 0, "", ErrBatch},
		{"a string", `"x"`, 0, "", ErrEnvelope},
		{"another version", `{"jsonrpc":"1.0","id":1,"method":"m"}`, 0, "1", ErrEnvelope},
		{"no version", `{"id":1,"method":"m"}`, 0, "1", ErrEnvelope},
		{"a method that is a number", `{"jsonrpc":"2.0","id":1,"method":5}`, 0, "1", ErrEnvelope},
		{"params that are an array", `{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}`, 0, "1", ErrEnvelope},
		{"a fractional id", `{"jsonrpc":"2.0","id":1.5,"method":"m"}`, 0, "", ErrEnvelope},
		{"an id that is prose", `{"jsonrpc":"2.0","id":"Alice is ill","method":"m"}`, 0, "", ErrEnvelope},
		{"a call with null as id", `{"jsonrpc":"2.0","id":null,"method":"m"}`, 0, "null", ErrEnvelope},
		{"a result without id", `{"jsonrpc":"2.0","result":{}}`, 0, "", ErrEnvelope},
		{"a result with null as id", `{"jsonrpc":"2.0","id":null,"result":{}}`, 0, "null", ErrEnvelope},
		{"a method and a result", `{"jsonrpc":"2.0","id":1,"method":"m","result":{}}`, 0, "1", ErrEnvelope},
		{"a result and an error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, 0, "1", ErrEnvelope},
		{"neither", `{"jsonrpc":"2.0","id":1}`, 0, "1", ErrEnvelope},
		{"an error that is text", `{"jsonrpc":"2.0","id":1,"error":"boom"}`, 0, "1", ErrEnvelope},
	} {
		t.Run(c.name, func(t *testing.T) {
			rpc, err := ReadRPC(parse(t, c.src, nil))
			if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
				t.Fatalf("ReadRPC() error = %v, want %v", err, c.err)
			}
			if string(rpc.ID) != c.id || rpc.Kind != c.kind {
				t.Errorf("ReadRPC() = kind %v id %s, want kind %v id %s", rpc.Kind, rpc.ID, c.kind, c.id)
			}
		})
	}
}

func TestReadA2ARefusesBadForms(t *testing.T) {
	for name, result := range map[string]string{
		"a part with two contents":    `{"message":{"parts":[{"text":"a","data":1}]}}`,
		"a part without content":      `{"message":{"parts":[{"filename":"a"}]}}`,
		"a part with null text":       `{"message":{"parts":[{"text":null}]}}`,
		"a part that is text":         `{"message":{"parts":["a"]}}`,
		"parts that are an object":    `{"message":{"parts":{"text":"a"}}}`,
		"text that is a number":       `{"message":{"parts":[{"text":5}]}}`,
		"a message that is text":      `{"message":"hi"}`,
		"two payloads":                `{"message":{"parts":[]},"task":{"id":"t"}}`,
		"an update without artifact":  `{"artifactUpdate":{"taskId":"t"}}`,
		"metadata that is text":       `{"message":{"parts":[],"metadata":"x"}}`,
		"a result that is text":       `"done"`,
		"lastChunk that is text":      `{"artifactUpdate":{"artifact":{"parts":[]},"lastChunk":"yes"}}`,
		"tasks that are not an array": `{"tasks":{}}`,
	} {
		d := parse(t, `{"jsonrpc":"2.0","id":1,"result":`+result+`}`, nil)
		rpc, err := ReadRPC(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadA2A(d, rpc); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: ReadA2A() error = %v, want ErrPayload", name, err)
		}
	}
}

func readA2A(t *testing.T, src string) (*json.Doc, A2A) {
	t.Helper()
	d := parse(t, src, nil)
	rpc, err := ReadRPC(d)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ReadA2A(d, rpc)
	if err != nil {
		t.Fatal(err)
	}
	return d, a
}

func TestReadA2AFindsWhatAGatewayGroupsBy(t *testing.T) {
	d, a := readA2A(t, `{"jsonrpc":"2.0","id":1,"result":{"artifactUpdate":{"taskId":"t","contextId":"c","append":true,"lastChunk":true,"metadata":{"a":1},
		"artifact":{"artifactId":"art","parts":[{"text":"x","metadata":{"k":1}},{"data":null}]}}}}`)
	if a.Kind != ArtifactPayload || !a.Append || !a.LastChunk || d.Text(a.TaskID) != "t" || d.Text(a.Artifact.ID) != "art" || a.Metadata < 0 {
		t.Errorf("artifact update: %+v", a)
	}
	if p := a.Artifact.Parts; len(p) != 2 || p[0].Kind != TextPart || d.Text(p[0].Content) != "x" || p[0].Metadata < 0 || p[1].Kind != DataPart {
		t.Errorf("parts: %+v", a.Artifact.Parts)
	}
	d, a = readA2A(t, `{"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"t","status":{"state":"TASK_STATE_COMPLETED","message":{"parts":[{"text":"done"}]}}}}}`)
	if a.Kind != StatusPayload || !Terminal(a.State) || Pauses(a.State) || d.Text(a.Message.Parts[0].Content) != "done" {
		t.Errorf("status update: %+v", a)
	}
	_, a = readA2A(t, `{"jsonrpc":"2.0","id":1,"result":{"id":"t","status":{"state":"free text"},"history":[{"parts":[]}],"artifacts":[{"parts":[]}]}}`)
	if a.Kind != TaskPayload || len(a.Tasks) != 1 || a.Tasks[0].State != "" || len(a.Tasks[0].History) != 1 || len(a.Tasks[0].Artifacts) != 1 {
		t.Errorf("task: %+v", a)
	}
	d, a = readA2A(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","taskId":"t","contextId":"c","parts":[{"url":"u","mediaType":"text/plain","filename":"f"}]}}}`)
	if a.Kind != MessagePayload || d.Text(a.Message.ID) != "m" || d.Text(a.ContextID) != "c" || a.Message.Parts[0].Kind != URLPart {
		t.Errorf("message: %+v", a)
	}
	d, a = readA2A(t, `{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}}`)
	if a.Kind != OtherPayload || d.Text(a.TaskID) != "t" {
		t.Errorf("question: %+v", a)
	}
}

func TestReadMCPFindsWhatAGatewayNeeds(t *testing.T) {
	read := func(src string) (*json.Doc, MCP, error) {
		d := parse(t, src, nil)
		rpc, err := ReadRPC(d)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ReadMCP(d, rpc)
		return d, m, err
	}
	d, m, err := read(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","arguments":{"a":1},"_meta":{"progressToken":3,"dev.scrim/flow-id":"f","io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
	if err != nil || d.Text(m.Name) != "n" || string(d.Raw(m.Arguments)) != `{"a":1}` || d.Text(m.FlowID) != "f" || d.Text(m.ProtocolVersion) != MCP20260728 || string(d.Raw(m.ProgressToken)) != "3" {
		t.Errorf("call: %+v, %v", m, err)
	}
	d, m, err = read(`{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","isError":true,"structuredContent":null,"ttlMs":5,"cacheScope":"public",
		"content":[{"type":"text","text":"t"},{"type":"resource","resource":{"uri":"u","blob":"AA==","mimeType":"text/plain"}},{"type":"Alice"}]}}`)
	if err != nil || !m.InputRequired || !m.IsError || m.StructuredContent < 0 || m.TTL < 0 || d.Text(m.CacheScope) != "public" {
		t.Errorf("result: %+v, %v", m, err)
	}
	if c := m.Contents; len(c) != 3 || d.Text(c[0].Text) != "t" || d.Text(c[1].URI) != "u" || d.Text(c[1].Data) != "AA==" || c[2].Type != "" {
		t.Errorf("contents: %+v", m.Contents)
	}
	for _, src := range []string{
		`{"jsonrpc":"2.0","id":1,"result":[]}`, `{"jsonrpc":"2.0","id":1,"result":{"content":"x"}}`, `{"jsonrpc":"2.0","id":1,"result":{"isError":"no"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","arguments":[1]}}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}`,
	} {
		if _, _, err := read(src); !errors.Is(err, ErrPayload) {
			t.Errorf("ReadMCP(%s) error = %v, want ErrPayload", src, err)
		}
	}
}

// Whatever JSON comes, each value has one role, reading the method first makes no difference, and what may pass
// unlooked at holds no prose.
func FuzzTables(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"metadata":{"a":[1]}}}}`,
		`{"jsonrpc":"2.0","id":"1","result":{"artifactUpdate":{"taskId":"t","artifact":{"parts":[{"data":{"a":1}}]},"lastChunk":true}}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}],"structuredContent":{"a":[null]},"_meta":{"progressToken":1}}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":[{"@type":"x","reason":"free text here"}]}}`, `[1]`, `{"params":{"\u006dessage":{}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var first, second json.Doc
		if second.Parse(src, nil, json.Limits{}) != nil {
			return
		}
		rpc, err := ReadRPC(&second)
		if err == nil {
			_, _ = ReadA2A(&second, rpc)
			_, _ = ReadMCP(&second, rpc)
		}
		for k, table := range compiled().tables {
			if k.stream || k.version == MCP20251125 {
				continue
			}
			table := table()
			if err := first.Parse(src, table, json.Limits{}); err != nil {
				t.Fatal(err)
			}
			table.Place(&second)
			for n := range first.Nodes {
				checkNode(t, table, &first, &second, n)
			}
		}
	})
}

func checkNode(t *testing.T, table *Table, first, second *json.Doc, n int) {
	node := first.Nodes[n]
	if node.State != second.Nodes[n].State {
		t.Fatalf("node %d: state %d with the matcher, %d placed afterwards", n, node.State, second.Nodes[n].State)
	}
	role := table.Role(node.State)
	if node.Parent >= 0 {
		if above := table.Role(first.Nodes[node.Parent].State); above.subtree() && !table.Rooted(node.State) && role != above {
			t.Fatalf("node %d: a %s inside %s", n, role, above)
		}
	}
	if node.Kind != json.String || role.Content() || !table.Allows(node.State, first, n) {
		return
	}
	switch text := first.Text(n); {
	case role == Structure || role == Refuse:
		t.Fatalf("%s allows text", role)
	case role.checked() && strings.ContainsAny(text, beside(table.Check(node.State))):
		t.Fatalf("%s place %s allows prose", role, table.Path(node.State))
	}
}

// beside is what a checked place never has: white space, and marks that only identifiers and media types may have.
func beside(check string) string {
	switch check {
	case "id", "rpcid":
		return " \t\n"
	case "media", "mediarange":
		return "\t\n@"
	}
	return " \t\n@,"
}

func BenchmarkPlace(b *testing.B) {
	src := `{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"` + strings.Repeat("hello ", 100) + `"},{"data":{"a":1,"b":{"c":[1,2,3]}}}]}}}`
	table := mustTable(b, "a2a", A2A10, "SendMessage", flow.Request, false)
	d := parse(b, src, nil)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		table.Place(d)
	}
}
