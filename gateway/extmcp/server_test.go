package extmcp_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	stdjson "encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/extmcp"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
)

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text");
@id("abroad") @reason("a stand-in is enough") permit (principal in Domain::"other", action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" || resource.tier == "internal" };
@id("questions") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "request" };
@id("no-secret-tool") forbid (principal, action in Action::"atleast_masked", resource) when { context.skill == "secret" && context.from == Agent::"stranger" };
@id("no-numbers") @reason("no number leaves") forbid (principal == Agent::"records", action in Action::"atleast_masked", resource in DataClass::"government-id");
`

const (
	question = `{"type":"object","properties":{"who":{"type":"string","x-scrim-label":"person/name"},"ssn":{"type":"string","x-scrim-label":"government-id/ssn"}}}`
	result   = `{"type":"object","properties":{"name":{"type":"string","x-scrim-label":"person/name"},"email":{"type":"string","x-scrim-label":"person/contact/email"}}}`
)

// hook is a gateway that answers the hook, and a peer of it that speaks as agentgateway does.
type hook struct {
	*gatewaytest.Rig
	address string
	conn    *grpc.ClientConn
	types   *protoregistry.Files
	key     string
}

func newHook(t testing.TB, change func(*gateway.Peer)) *hook {
	t.Helper()
	caller, stranger := flow.Party{Agent: "caller", Domain: gatewaytest.Own}, flow.Party{Agent: "stranger", Domain: gatewaytest.Other}
	edge := flow.Party{Agent: "edge", Domain: gatewaytest.Own}
	grant := identity.Grant{Party: caller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	setup := gatewaytest.Setup{
		Policy: policies, NoSync: true, Hooks: gateway.Hooks{Error: func(error) {}},
		Agents:  []*gateway.Agent{{Party: caller}, {Party: stranger}, {Party: edge}, {Party: flow.Party{Agent: "records", Domain: gatewaytest.Own}}, {Party: flow.Party{Agent: "lab", Domain: gatewaytest.Own}}},
		Callers: map[string]identity.Grant{"scrim_edge": {Party: edge}, "scrim_caller": grant},
		Schemas: []gatewaytest.Schema{
			{Kind: catalog.Tool, Owner: "records", Name: "rows", Direction: flow.Request, JSON: question},
			{Kind: catalog.Tool, Owner: "records", Name: "rows", Direction: flow.Response, JSON: result},
		},
	}
	r := gatewaytest.New(t, setup)
	peer := &gateway.Peer{
		Gateway: "edge",
		Callers: map[string]identity.Grant{
			"jane@own.example": grant,
			"bob@other":        {Party: stranger, Purposes: []flow.Purpose{"care"}, Criticality: flow.Routine},
		},
		Servers: map[string]flow.AgentID{"everything": "records", "lab": "lab"},
		Keys:    gateway.PeerKeys{Caller: "caller", Tool: "tool", Purpose: "purpose", Criticality: "criticality", Session: "session"},
	}
	if change != nil {
		change(peer)
	}
	snap := *r.Snapshot()
	snap.ExtMCP = peer
	snap.Limits.Bytes = 64 << 10
	if err := r.Swap(t.Context(), &snap, "test"); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: &extmcp.Server{Gateway: r.Gateway, Checker: &mcp.Checker{Gateway: r.Gateway, Tools: &mcp.Tools{}}}, Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	raw, err := os.ReadFile("testdata/ext_mcp.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	types, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	return &hook{Rig: r, address: l.Addr().String(), conn: conn, types: types, key: "scrim_edge"}
}

func (h *hook) message(t testing.TB, name protoreflect.FullName) *dynamicpb.Message {
	t.Helper()
	d, err := h.types.FindDescriptorByName("agentgateway.dev.ext_mcp." + name)
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
}

// said is what a peer says of a message.
type said struct {
	services []string
	method   string
	context  map[string]any
	payload  string
	headers  [][2]string
}

var byJane = map[string]any{"caller": "jane@own.example", "purpose": "care", "criticality": "critical"}
var byBob = map[string]any{"caller": "bob@other", "tool": "rows"}

// verdict is what a peer is told.
type verdict struct {
	kind    string // pass, mutated or error
	payload string
	code    string
	reason  string
	rpc     string
	set     map[string]string // headers
	remove  []string
}

// check asks as agentgateway does.
func (h *hook) check(t testing.TB, response bool, s said) (verdict, error) {
	t.Helper()
	name, rpc := protoreflect.FullName("McpRequest"), "CheckRequest"
	field := protoreflect.Name("mcp_request")
	if response {
		name, rpc, field = "McpResponse", "CheckResponse", "mcp_response"
	}
	m := h.message(t, name)
	fields := m.Descriptor().Fields()
	services := m.Mutable(fields.ByName("service_names")).List()
	for _, one := range s.services {
		services.Append(protoreflect.ValueOfString(one))
	}
	m.Set(fields.ByName("method"), protoreflect.ValueOfString(s.method))
	meta, err := structpb.NewStruct(s.context)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(raw, m.Mutable(fields.ByName("metadata_context")).Message().Interface()); err != nil {
		t.Fatal(err)
	}
	if s.payload != "" {
		m.Set(fields.ByName(field), protoreflect.ValueOfBytes([]byte(s.payload)))
	}
	for _, pair := range s.headers {
		one := m.Mutable(fields.ByName("headers")).List().AppendMutable().Message()
		one.Set(one.Descriptor().Fields().ByName("key"), protoreflect.ValueOfString(pair[0]))
		one.Set(one.Descriptor().Fields().ByName("value"), protoreflect.ValueOfBytes([]byte(pair[1])))
	}
	ctx := context.Background()
	if h.key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+h.key)
	}
	out := h.message(t, name+"Result")
	if err := h.conn.Invoke(ctx, "/agentgateway.dev.ext_mcp.ExtMcp/"+rpc, m, out); err != nil {
		return verdict{}, err
	}
	set := out.WhichOneof(out.Descriptor().Oneofs().ByName("result"))
	if set == nil {
		t.Fatal("the result says nothing")
	}
	v := verdict{kind: string(set.Name()), set: map[string]string{}}
	if f := out.Descriptor().Fields().ByName("header_mutation"); f != nil && out.Has(f) {
		m := out.Get(f).Message()
		of := m.Descriptor().Fields()
		for i := range m.Get(of.ByName("set")).List().Len() {
			h := m.Get(of.ByName("set")).List().Get(i).Message()
			v.set[h.Get(h.Descriptor().Fields().ByName("key")).String()] = string(h.Get(h.Descriptor().Fields().ByName("value")).Bytes())
		}
		for i := range m.Get(of.ByName("remove")).List().Len() {
			v.remove = append(v.remove, m.Get(of.ByName("remove")).List().Get(i).String())
		}
	}
	switch v.kind {
	case "mutated":
		v.payload = string(out.Get(set).Bytes())
	case "error":
		e := out.Get(set).Message()
		of := e.Descriptor().Fields()
		v.code = string(of.ByName("code").Enum().Values().ByNumber(e.Get(of.ByName("code")).Enum()).Name())
		v.reason, v.rpc = e.Get(of.ByName("reason")).String(), string(e.Get(of.ByName("mcp_error")).Bytes())
	}
	return v, nil
}

func (h *hook) must(t testing.TB, response bool, s said) verdict {
	t.Helper()
	v, err := h.check(t, response, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const row = `{"content":[{"type":"text","text":"write to jane.doe@example.org"}],"structuredContent":{"name":"Jane Doe","email":"jane.doe@example.org"}}`

func TestPeerOfTheHookGetsTheRecipientsTerms(t *testing.T) {
	h := newHook(t, nil)
	one := []string{"everything"}
	if v := h.must(t, false, said{services: one, method: "tools/call", context: byJane, payload: `{"name":"rows","arguments":{"who":"Jane Doe"}}`}); v.kind != "pass" {
		t.Errorf("the own caller's question: %+v", v)
	}
	own := h.must(t, true, said{services: one, method: "tools/call", context: map[string]any{"caller": "jane@own.example", "tool": "rows", "purpose": "care", "criticality": "critical"}, payload: row})
	if own.kind != "pass" {
		t.Errorf("the own caller's answer: %+v", own)
	}
	v := h.must(t, true, said{services: one, method: "tools/call", context: byBob, payload: row})
	if v.kind != "mutated" || strings.Contains(v.payload, "jane.doe") || strings.Contains(gatewaytest.Said(v.payload), "Jane") || !strings.Contains(v.payload, `"content":[`) || !strings.Contains(v.payload, "dev.scrim/privacy") {
		t.Errorf("the stranger's answer: %+v", v)
	}
	if !stdjson.Valid([]byte(v.payload)) {
		t.Errorf("it is no JSON: %s", v.payload)
	}
	var to, from int
	for _, ev := range h.Events() {
		if ev.Flow.From.Agent == "caller" && ev.Flow.To.Agent == "records" && ev.Outcome == flow.Released {
			to++
		}
		if ev.Flow.From.Agent == "records" && ev.Flow.To.Agent == "stranger" && ev.Flow.Subject == "rows" && ev.Outcome == flow.Released {
			from++
		}
	}
	if to != 1 || from != 1 {
		t.Errorf("on record are %d questions and %d answers, want one each", to, from)
	}
}

func TestPeerOfTheHookIsRefusedInTheHooksWords(t *testing.T) {
	h := newHook(t, nil)
	one := []string{"everything"}
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for name, c := range map[string]struct {
		s    said
		code string
	}{
		"a forbidden place":      {said{services: one, method: "tools/call", context: byJane, payload: `{"name":"rows","arguments":{"ssn":"536-90-4399"}}`}, "PERMISSION_DENIED"},
		"a tool kept back":       {said{services: one, method: "tools/call", context: byBob, payload: `{"name":"secret"}`}, "PERMISSION_DENIED"},
		"another party":          {said{services: one, method: "tools/call", context: map[string]any{"caller": "caller"}, payload: `{"name":"rows"}`}, "PERMISSION_DENIED"},
		"nobody":                 {said{services: one, method: "tools/call", payload: `{"name":"rows"}`}, "PERMISSION_DENIED"},
		"a caller that is a map": {said{services: one, method: "tools/call", context: map[string]any{"caller": map[string]any{"caller": "jane@own.example"}}, payload: `{"name":"rows"}`}, "PERMISSION_DENIED"},
		"another server":         {said{services: []string{"records"}, method: "tools/call", context: byJane, payload: `{"name":"rows"}`}, "PERMISSION_DENIED"},
		"no server":              {said{method: "tools/call", context: byJane, payload: `{"name":"rows"}`}, "PERMISSION_DENIED"},
		"one of two servers":     {said{services: []string{"everything", "other"}, method: "tools/list", context: byJane, payload: `{}`}, "PERMISSION_DENIED"},
		"no JSON":                {said{services: one, method: "tools/call", context: byJane, payload: `{"name"`}, "INVALID"},
		"no object":              {said{services: one, method: "tools/call", context: byJane, payload: `[1]`}, "INVALID"},
		"a Struct, as of old":    {said{services: one, method: "tools/call", context: byJane, payload: "\n\x0e\n\x04name\x12\x06\x1a\x04rows"}, "INVALID"},
		"more than the payload":  {said{services: one, method: "tools/call", context: byJane, payload: `{},"method":"ping"`}, "INVALID"},
		"a member twice":         {said{services: one, method: "tools/call", context: byJane, payload: `{"name":"rows","name":"secret"}`}, "INVALID"},
		"no method of MCP":       {said{services: one, method: "Zanzibar", context: byJane, payload: `{}`}, "INVALID"},
		"no version of MCP":      {said{services: one, method: "tools/list", context: byJane, payload: `{}`, headers: [][2]string{{"MCP-Protocol-Version", "1999-01-01"}}}, "INVALID"},
		"too deep":               {said{services: one, method: "tools/call", context: byJane, payload: deep}, "RESOURCE_EXHAUSTED"},
		"too large":              {said{services: one, method: "tools/call", context: byJane, payload: `{"name":"` + strings.Repeat("a", 70<<10) + `"}`}, "RESOURCE_EXHAUSTED"},
	} {
		before := len(h.Events())
		v := h.must(t, false, c.s)
		if v.kind != "error" || v.code != c.code {
			t.Errorf("%s: %+v, want %s", name, v, c.code)
		}
		for _, secret := range []string{"536-90", "Zanzibar", "secret"} {
			if strings.Contains(v.reason+v.rpc, secret) {
				t.Errorf("%s: the refusal says %q: %+v", name, secret, v)
			}
		}
		if v.rpc == "" || !stdjson.Valid([]byte(v.rpc)) {
			t.Errorf("%s: the client is to see %q", name, v.rpc)
		}
		if evs := h.Events(); len(evs) == before || evs[len(evs)-1].Outcome != flow.Refused {
			t.Errorf("%s: it is not on record", name)
		}
	}
}

// TestHeadersThatRepeatTheMessageSayNoMoreThanIt: what is changed in the message must not stand beside it.
func TestHeadersThatRepeatTheMessageSayNoMoreThanIt(t *testing.T) {
	h := newHook(t, nil)
	one := []string{"everything"}
	list := `{"tools":[{"name":"rows","inputSchema":{"type":"object","properties":{"who":{"type":"string","x-mcp-header":"Who"},"text":{"type":"string"}}}}]}`
	if v := h.must(t, true, said{services: one, method: "tools/list", context: byJane, payload: list}); v.kind != "pass" {
		t.Fatalf("%+v", v)
	}
	ask := said{services: one, method: "tools/call", context: map[string]any{"caller": "jane@own.example"}, payload: `{"name":"rows","arguments":{"who":"Jane Doe"}}`}
	ask.headers = [][2]string{{"mcp-name", "rows"}, {"mcp-param-who", "Jane Doe"}, {"mcp-param-else", "Zanzibar"}, {"mcp-param-twice", "a"}, {"Mcp-Param-Twice", "b"}, {"accept", "x"}}
	v := h.must(t, false, ask)
	if v.kind != "mutated" || strings.Contains(gatewaytest.Said(v.payload), "Jane") {
		t.Fatalf("at a task of low criticality: %+v", v)
	}
	if who := v.set["Mcp-Param-Who"]; who == "" || strings.Contains(gatewaytest.Said(who), "Jane") || !strings.Contains(v.payload, who) {
		t.Errorf("the header is set to %q beside %s", who, v.payload)
	}
	if len(v.set) != 1 || strings.Join(v.remove, " ") != "Mcp-Param-Else Mcp-Param-Twice" {
		t.Errorf("headers: set %v, remove %v", v.set, v.remove)
	}
	ask.headers = [][2]string{{"mcp-param-who", "Zanzibar"}}
	if v := h.must(t, false, ask); v.kind != "error" || strings.Contains(v.reason, "Zanzibar") {
		t.Errorf("a header that says something else: %+v", v)
	}
}

func TestHookAsksForACredential(t *testing.T) {
	h := newHook(t, nil)
	ask := said{services: []string{"everything"}, method: "tools/call", context: byJane, payload: `{"name":"rows"}`}
	for _, key := range []string{"", "scrim_Zanzibar", "scrim_caller"} {
		h.key = key
		if v, err := h.check(t, false, ask); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with %q: %+v, %v", key, v, err)
		}
	}
	open := newHook(t, func(p *gateway.Peer) { p.Gateway = "" })
	open.key = ""
	if v := open.must(t, false, ask); v.kind != "pass" {
		t.Errorf("on this machine, without a credential: %+v", v)
	}
}

// TestWithoutTheToolsNameNothingStructuredPasses: a result does not say which call it answers.
func TestWithoutTheToolsNameNothingStructuredPasses(t *testing.T) {
	h := newHook(t, nil)
	v := h.must(t, true, said{services: []string{"everything"}, method: "tools/call", context: map[string]any{"caller": "bob@other"}, payload: row})
	if v.kind == "pass" || strings.Contains(gatewaytest.Said(v.payload), "Jane") || strings.Contains(v.payload, "jane.doe") {
		t.Errorf("%+v", v)
	}
}

func TestListsOfTheHookAreFiltered(t *testing.T) {
	h := newHook(t, nil)
	list := said{services: []string{"everything"}, method: "tools/list", payload: `{"tools":[{"name":"rows","inputSchema":{"type":"object"}},{"name":"secret","inputSchema":{"type":"object"}}]}`}
	list.context = byBob
	if v := h.must(t, true, list); v.kind != "mutated" || strings.Contains(v.payload, "secret") || !strings.Contains(v.payload, "rows") {
		t.Errorf("the stranger: %+v", v)
	}
	list.context = byJane
	if v := h.must(t, true, list); v.kind != "pass" {
		t.Errorf("the own caller: %+v", v)
	}
}

// TestMessageForSeveralServersIsDecidedForEach: every one of them is a flow of its own.
func TestMessageForSeveralServersIsDecidedForEach(t *testing.T) {
	h := newHook(t, nil)
	if v := h.must(t, false, said{services: []string{"everything", "lab"}, method: "tools/list", context: byJane, payload: `{}`}); v.kind != "pass" {
		t.Errorf("%+v", v)
	}
	to := map[flow.AgentID]int{}
	for _, ev := range h.Events() {
		if ev.Outcome == flow.Released {
			to[ev.Flow.To.Agent]++
		}
	}
	if to["records"] != 1 || to["lab"] != 1 {
		t.Errorf("on record: %v", to)
	}
}

// TestReplayedAskIsDecidedAnew: nothing is answered from memory, and narrower terms win.
func TestReplayedAskIsDecidedAnew(t *testing.T) {
	h := newHook(t, nil)
	ask := said{services: []string{"everything"}, method: "tools/call", context: byJane, payload: `{"name":"rows","arguments":{"who":"Jane Doe"},"_meta":{"dev.scrim/flow-id":"one"}}`}
	for range 2 {
		if v := h.must(t, false, ask); v.kind != "pass" {
			t.Fatalf("%+v", v)
		}
	}
	snap := *h.Snapshot()
	peer := *snap.ExtMCP
	peer.Callers = map[string]identity.Grant{"bob@other": peer.Callers["bob@other"]}
	snap.ExtMCP = &peer
	if err := h.Swap(t.Context(), &snap, "test"); err != nil {
		t.Fatal(err)
	}
	if v := h.must(t, false, ask); v.kind != "error" || v.code != "PERMISSION_DENIED" {
		t.Errorf("after the caller was taken out: %+v", v)
	}
}

// raw posts bytes as a gRPC call and returns the status.
func (h *hook) raw(t testing.TB, path, contentType string, body []byte) string {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+h.address+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer scrim_edge")
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		return res.Status
	}
	return res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status")
}

func TestBrokenCallsOfTheHook(t *testing.T) {
	h := newHook(t, nil)
	const path = "/agentgateway.dev.ext_mcp.ExtMcp/CheckRequest"
	frame := func(size int, b string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(size)), b...)
	}
	for name, c := range map[string]struct {
		path, kind string
		body       []byte
		want       string
	}{
		"no gRPC":            {path, "application/json", []byte("{}"), "415 Unsupported Media Type"},
		"another method":     {"/agentgateway.dev.ext_mcp.ExtMcp/CheckResponseStream", "application/grpc", frame(0, ""), "12"},
		"nothing":            {path, "application/grpc", nil, "3"},
		"a lie about length": {path, "application/grpc+proto", frame(50, "abc"), "3"},
		"a huge length":      {path, "application/grpc", frame(1<<31, "abc"), "3"},
		"compressed":         {path, "application/grpc", append([]byte{1}, frame(0, "")[1:]...), "3"},
	} {
		if got := h.raw(t, c.path, c.kind, c.body); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := h.raw(t, path, "application/grpc", frame(3, "\xff\xff\xff")); got != "0" { // answered, with a refusal
		t.Errorf("no message: status %s", got)
	}
}

// FuzzAsk: whatever a peer sends, the answer says one of three things, and what it lets pass was believed to be of the
// caller and server that configuration names.
func FuzzAsk(f *testing.F) {
	h := newHook(f, nil)
	seed := func(response bool, s said) {
		name := protoreflect.FullName("McpRequest")
		field := protoreflect.Name("mcp_request")
		if response {
			name, field = "McpResponse", "mcp_response"
		}
		m := h.message(f, name)
		fields := m.Descriptor().Fields()
		m.Mutable(fields.ByName("service_names")).List().Append(protoreflect.ValueOfString("everything"))
		m.Set(fields.ByName("method"), protoreflect.ValueOfString(s.method))
		m.Set(fields.ByName(field), protoreflect.ValueOfBytes([]byte(s.payload)))
		meta, _ := structpb.NewStruct(s.context)
		raw, _ := proto.Marshal(meta)
		_ = proto.Unmarshal(raw, m.Mutable(fields.ByName("metadata_context")).Message().Interface())
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(response, raw)
	}
	seed(false, said{method: "tools/call", context: byJane, payload: `{"name":"rows"}`})
	seed(true, said{method: "tools/call", context: byBob, payload: row})
	seed(true, said{method: "tools/list", context: byBob, payload: `{"tools":[{"name":"secret"}]}`})
	f.Add(false, []byte("\x1a\x02\x0a\x00"))
	handler := &extmcp.Server{Gateway: h.Gateway, Checker: &mcp.Checker{Gateway: h.Gateway, Tools: &mcp.Tools{}}}
	f.Fuzz(func(t *testing.T, response bool, message []byte) {
		path, result := "CheckRequest", protoreflect.FullName("McpRequestResult")
		if response {
			path, result = "CheckResponse", "McpResponseResult"
		}
		body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/agentgateway.dev.ext_mcp.ExtMcp/"+path, bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Authorization", "Bearer scrim_edge")
		w := httptest.NewRecorder()
		before := len(h.Events())
		handler.ServeHTTP(w, r)
		if w.Body.Len() == 0 {
			return
		}
		d, err := h.types.FindDescriptorByName("agentgateway.dev.ext_mcp." + result)
		if err != nil {
			t.Fatal(err)
		}
		out := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
		if err := proto.Unmarshal(w.Body.Bytes()[5:], out); err != nil {
			t.Fatalf("the answer is no message: %v", err)
		}
		set := out.WhichOneof(out.Descriptor().Oneofs().ByName("result"))
		if set == nil {
			t.Fatal("the answer says nothing")
		}
		if set.Name() == "error" {
			return
		}
		for _, ev := range h.Events()[before:] {
			if ev.Outcome == flow.Released && (ev.Flow.From.Agent == "" || ev.Flow.To.Agent == "") {
				t.Fatalf("a flow of nobody passed: %+v", ev.Flow)
			}
		}
	})
}

// The peer carries progress notifications without asking, so the token that pairs them with their call stays as it is. What
// the caller calls a call pairs with nothing, and is mapped.
func TestTokensOfTheHookStay(t *testing.T) {
	h := newHook(t, nil)
	ask := func(response bool, method, payload string) string {
		t.Helper()
		v := h.must(t, response, said{services: []string{"everything"}, method: method, context: byBob, payload: payload})
		if v.kind == "error" {
			t.Fatalf("%s: %+v", method, v)
		}
		return cmp.Or(v.payload, payload)
	}
	const call = `{"name":"rows","arguments":{},"_meta":{"progressToken":77}}`
	if got := ask(false, "tools/call", call); got != call {
		t.Errorf("the server gets %s", got)
	}
	named := ask(false, "tools/call", `{"name":"rows","arguments":{},"_meta":{"dev.scrim/flow-id":"flow-of-bob"}}`)
	if strings.Contains(named, "flow-of-bob") || !strings.Contains(named, `"dev.scrim/flow-id":"sid1_`) {
		t.Errorf("the server is asked %s", named)
	}
}
