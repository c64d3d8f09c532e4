package proto

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/scrimhq/scrim/data/json"
)

func find(t testing.TB, name string) Method {
	t.Helper()
	m, ok := Find(name)
	if !ok {
		t.Fatalf("Find(%q) = false", name)
	}
	return m
}

func bytesOf(t testing.TB, m pb.Message) []byte {
	t.Helper()
	b, err := pb.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// extra is a field that no type has.
func extra(text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 9000, protowire.BytesType), text)
}

func sample(t testing.TB) *a2apb.SendMessageRequest {
	t.Helper()
	meta, err := structpb.NewStruct(map[string]any{"k": []any{1.5, "two", nil, true}})
	if err != nil {
		t.Fatal(err)
	}
	zero := int32(0)
	return &a2apb.SendMessageRequest{
		Tenant: "acme",
		Message: &a2apb.Message{MessageId: "m", Role: a2apb.Role_ROLE_USER, Metadata: meta, Extensions: []string{"https://x.example/e"}, Parts: []*a2apb.Part{
			{Content: &a2apb.Part_Text{Text: "東京 <b>"}}, {Content: &a2apb.Part_Raw{Raw: []byte{0, 255}}, Filename: "f", MediaType: "a/b"},
			{Content: &a2apb.Part_Data{Data: structpb.NewStructValue(meta)}}, {Content: &a2apb.Part_Data{Data: structpb.NewNullValue()}},
		}},
		Configuration: &a2apb.SendMessageConfiguration{HistoryLength: &zero, AcceptedOutputModes: []string{"text/plain"}},
	}
}

func TestMessagesGoThereAndBack(t *testing.T) {
	m := find(t, "SendMessage")
	in := bytesOf(t, sample(t))
	params, _, err := m.Params(in, json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"tenant":"acme","message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"東京 <b>"},{"raw":"AP8=","filename":"f","mediaType":"a/b"},` +
		`{"data":{"k":[1.5,"two",null,true]}},{"data":null}],"metadata":{"k":[1.5,"two",null,true]},"extensions":["https://x.example/e"]},` +
		`"configuration":{"acceptedOutputModes":["text/plain"],"historyLength":0}}`
	if string(params) != want {
		t.Errorf("Params() = %s\nwant %s", params, want)
	}
	out, err := m.Request(params)
	if err != nil || !bytes.Equal(out, in) {
		t.Errorf("Request() = %x, %v\nwant %x", out, err, in)
	}
}

func TestUnknownFieldsAreMembersThatNobodyDeclares(t *testing.T) {
	m := find(t, "SendMessage")
	req := sample(t)
	req.ProtoReflect().SetUnknown(extra("top"))
	req.Message.Parts[1].ProtoReflect().SetUnknown(extra("part"))
	in := bytesOf(t, req)
	params, _, err := m.Params(in, json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(params), `"`+Unknown+`":"`); n != 2 || !strings.Contains(string(params), `"mediaType":"a/b","@unknown":`) {
		t.Errorf("Params() = %s, want both places told", params)
	}
	out, err := m.Request(params)
	if err != nil || !pb.Equal(unmarshal(t, out), req) {
		t.Errorf("Request() = %x, %v, want all fields back", out, err)
	}
	hidden := sample(t)
	hidden.Message.Metadata.Fields["k"].ProtoReflect().SetUnknown(extra("hidden"))
	if got, _, err := m.Params(bytesOf(t, hidden), json.Limits{}); !errors.Is(err, ErrHidden) {
		t.Errorf("Params() of fields hidden in data = %s, %v, want ErrHidden", got, err)
	}
}

func unmarshal(t testing.TB, b []byte) *a2apb.SendMessageRequest {
	t.Helper()
	var m a2apb.SendMessageRequest
	if err := pb.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// What a later field overwrites nobody decides on, so it does not travel on.
func TestNothingHidesBehindALaterField(t *testing.T) {
	m := find(t, "SendMessage")
	text := func(number protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), s)
	}
	part := append(text(1, "Zanzibar"), text(3, "https://x.example")...) // a text, then an address in its place
	entry := func(value string) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), append(text(1, "k"), protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), text(3, value))...))
	}
	message := append(text(1, "Zanzibar"), text(1, "m")...)
	message = protowire.AppendBytes(protowire.AppendTag(message, 5, protowire.BytesType), part)
	message = protowire.AppendBytes(protowire.AppendTag(message, 6, protowire.BytesType), append(entry("Zanzibar"), entry("v")...))
	params, plain, err := m.Params(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), message), json.Limits{})
	if err != nil || bytes.Contains(params, []byte("Zanzibar")) || bytes.Contains(plain, []byte("Zanzibar")) {
		t.Errorf("Params() = %s, %q, %v, want nothing of what was overwritten", params, plain, err)
	}
	if got := unmarshal(t, plain).GetMessage(); got.GetMessageId() != "m" || got.GetParts()[0].GetUrl() == "" || got.GetMetadata().AsMap()["k"] != "v" {
		t.Errorf("what is left = %v", got)
	}
}

// What is said to be unknown must be: else a field that policy never saw would ride along.
func TestNoKnownFieldComesAsUnknown(t *testing.T) {
	m := find(t, "SendMessage")
	for name, c := range map[string]string{
		"a tenant":      `{"@unknown":"CgVzb3V0aA=="}`,
		"no bytes":      `{"@unknown":"!"}`,
		"half a field":  `{"@unknown":"wj4"}`,
		"in a message":  `{"message":{"messageId":"m","@unknown":"CgVzb3V0aA=="}}`,
		"in a part":     `{"message":{"parts":[{"text":"x"},{"text":"y","@unknown":"CgVzb3V0aA=="}]}}`,
		"a group's end": `{"@unknown":"DA=="}`,
	} {
		if got, err := m.Request([]byte(c)); !errors.Is(err, ErrHidden) {
			t.Errorf("%s: Request() = %x, %v, want ErrHidden", name, got, err)
		}
	}
	if _, err := m.Request([]byte(`{"message":{"metadata":{"@unknown":"CgVzb3V0aA=="}}}`)); err != nil {
		t.Errorf("a member of data is a member of data: %v", err)
	}
}

func TestNumbersThatADoubleDoesNotHold(t *testing.T) {
	m := find(t, "SendMessage")
	for number, ok := range map[string]bool{
		"9007199254740992": true, "9007199254740993": false, "-9007199254740993": false, "9007199254740994": true, "0.1": true, "-0.0": true, "1e300": true, "1e400": false,
		"0.1234567890123456789": false, "12345678901234567890": false, "18446744073709551616": true, "1.0": true, "100000000000000000000000": false, "3.141592653589793": true,
	} {
		_, err := m.Request([]byte(`{"message":{"parts":[{"data":{"n":` + number + `}}]}}`))
		if ok != (err == nil) || !ok && !errors.Is(err, ErrNumber) && number != "1e400" {
			t.Errorf("%s: error = %v, want carried %v", number, err, ok)
		}
	}
}

// A small message must not ask for much memory.
func TestMessagesThatAreBombs(t *testing.T) {
	m := find(t, "SendMessage")
	part := []byte{0x2a, 0} // an empty part
	message := bytes.Repeat(part, 300_000)
	wide := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), message)
	if _, _, err := m.Params(wide, json.Limits{}); !errors.Is(err, ErrTooMuch) {
		t.Errorf("300,000 parts: error = %v, want ErrTooMuch", err)
	}
	value := []byte{0x08, 0}
	for range 300 { // lists in lists
		list := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), value)
		value = protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), list)
	}
	deep := protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), value)
	deep = protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), deep)
	deep = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), deep)
	if _, _, err := m.Params(deep, json.Limits{}); !errors.Is(err, ErrTooMuch) {
		t.Errorf("300 lists in lists: error = %v, want ErrTooMuch", err)
	}
	for name, b := range map[string][]byte{"cut": {0x12, 9, 1}, "no tag": {0xff}, "text that is none": {0x0a, 1, 0xff}, "a group": {0x13, 0x14, 0x15}} {
		if got, _, err := m.Params(b, json.Limits{}); err == nil {
			t.Errorf("%s: Params() = %s, want an error", name, got)
		}
	}
}

func TestTenantIsSplicedAndNothingElse(t *testing.T) {
	for _, m := range methods {
		req := m.request()
		b := append(bytesOf(t, req), extra("x")...)
		for _, tenant := range []string{"a2a/desk", "", "other"} {
			var err error
			if b, err = m.WithTenant(b, tenant); err != nil {
				t.Fatalf("%s: WithTenant() error = %v", m.Name, err)
			}
			if got, err := m.Tenant(b); got != tenant || err != nil {
				t.Errorf("%s: Tenant() = %q, %v, want %q", m.Name, got, err, tenant)
			}
		}
		if !bytes.Contains(b, extra("x")) {
			t.Errorf("%s: another field was lost", m.Name)
		}
	}
	m := find(t, "GetTask")
	twice, _ := m.WithTenant(nil, "first")
	more, _ := m.WithTenant(nil, "second")
	twice = append(twice, more...)
	if got, _ := m.Tenant(twice); got != "second" {
		t.Errorf("Tenant() of two = %q, want the last", got)
	}
	if b, _ := m.WithTenant(twice, ""); len(b) != 0 {
		t.Errorf("WithTenant(none) left %x", b)
	}
}

func TestStatusDetailsGoThereAndBack(t *testing.T) {
	const details = `[{"reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org","metadata":{"k":"v"},"@type":"type.googleapis.com/google.rpc.ErrorInfo"},` +
		`{"fieldViolations":[{"field":"a","description":"b"}],"@type":"type.googleapis.com/google.rpc.BadRequest"},{"x":1,"@type":"type.googleapis.com/google.protobuf.Struct"}]`
	b, err := Status(5, "no such task", []byte(details))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Details(b)
	if err != nil || strings.ReplaceAll(string(got), " ", "") != strings.ReplaceAll(details, " ", "") {
		t.Errorf("Details() = %s, %v\nwant %s", got, err, details)
	}
	other, _ := Status(5, "x", []byte(`[{"@type":"type.googleapis.com/google.rpc.DebugInfo","detail":"Zanzibar"},7,{"reason":"no type"}]`))
	if got, err := Details(other); got != nil || err != nil {
		t.Errorf("Details() of other types = %s, %v, want none", got, err)
	}
	if _, err := Details(bytes.Repeat([]byte{0x1a, 0}, 10_000)); !errors.Is(err, ErrTooMuch) {
		t.Errorf("a status of 20,000 bytes: error = %v, want ErrTooMuch", err)
	}
}

// FuzzMessage: what a stranger's bytes become is JSON that stands for them, and comes back as a message that reads alike.
func FuzzMessage(f *testing.F) {
	f.Add(0, bytesOf(f, sample(f)))
	f.Add(1, append(bytesOf(f, sample(f)), extra("x")...))
	task := &a2apb.Task{Id: "t", Status: &a2apb.TaskStatus{State: a2apb.TaskState_TASK_STATE_WORKING}}
	f.Add(2, bytesOf(f, task))
	f.Add(5, bytesOf(f, &a2apb.StreamResponse{Payload: &a2apb.StreamResponse_Task{Task: task}}))
	f.Add(10, bytesOf(f, &a2apb.AgentCard{Name: "a", SecuritySchemes: map[string]*a2apb.SecurityScheme{"s": {}}}))
	f.Fuzz(func(t *testing.T, which int, b []byte) {
		m := methods[uint(which)%uint(len(methods))]
		for _, way := range []struct {
			read  func([]byte, json.Limits) ([]byte, []byte, error)
			write func([]byte) ([]byte, error)
		}{{m.Params, m.Request}, {m.Result, m.Answer}} {
			first, plain, err := way.read(b, json.Limits{})
			if err != nil {
				continue
			}
			if same, _, err := way.read(plain, json.Limits{}); err != nil || !bytes.Equal(same, first) {
				t.Fatalf("%s\nreads otherwise once it is written: %s, %v", first, same, err)
			}
			var d json.Doc
			if err := d.Parse(first, nil, json.Limits{}); err != nil {
				continue // too deep or too much for the road, which refuses it
			}
			again, err := way.write(first)
			if errors.Is(err, ErrNumber) || errors.Is(err, ErrHidden) {
				continue // a number that JSON spells with more digits than are carried
			}
			if err != nil {
				t.Fatalf("%s cannot be written again: %v", first, err)
			}
			second, _, err := way.read(again, json.Limits{})
			if err != nil || !bytes.Equal(first, second) {
				t.Fatalf("%s\nbecame %s, %v", first, second, err)
			}
		}
	})
}
