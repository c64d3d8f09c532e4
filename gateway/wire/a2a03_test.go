package wire

import (
	"errors"
	"strings"
	"testing"

	old "github.com/a2aproject/a2a-go/a2a"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

func sample03() *old.Task {
	msg := old.NewMessage(old.MessageRoleUser, old.TextPart{Text: "hello"}, old.DataPart{Data: map[string]any{"patient": "x"}},
		old.FilePart{File: old.FileBytes{FileMeta: old.FileMeta{MimeType: "application/pdf", Name: "report.pdf"}, Bytes: "QUJD"}},
		old.FilePart{File: old.FileURI{FileMeta: old.FileMeta{MimeType: "text/plain"}, URI: "https://files.example/1"}})
	msg.TaskID, msg.ContextID, msg.ReferenceTasks, msg.Extensions = "t-1", "c-1", []old.TaskID{"t-0"}, []string{"https://x.example/e"}
	return &old.Task{
		ID: "t-1", ContextID: "c-1", Status: old.TaskStatus{State: old.TaskStateInputRequired, Message: msg}, History: []*old.Message{msg},
		Artifacts: []*old.Artifact{{ID: "a-1", Name: "report", Description: "d", Parts: msg.Parts}},
	}
}

// Every place of what the official types of 0.3 write is declared, and holds what it may.
func TestTablesOf03KnowTheOfficialTypes(t *testing.T) {
	task := marshal(t, sample03())
	message := marshal(t, sample03().Status.Message)
	for _, c := range []struct {
		method string
		stream bool
		result string
	}{
		{"message/send", false, task}, {"message/send", false, message}, {"tasks/get", false, task}, {"tasks/cancel", false, task}, {"message/stream", true, task}, {"message/stream", true, message},
		{"tasks/resubscribe", true, `{"kind":"status-update","taskId":"t","contextId":"c","status":{"state":"completed"},"final":true}`},
		{"message/stream", true, `{"kind":"artifact-update","taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"kind":"text","text":"x"}]},"append":true,"lastChunk":true}`},
	} {
		table := mustTable(t, "a2a", A2A03, c.method, flow.Response, c.stream)
		d := parse(t, `{"jsonrpc":"2.0","id":1,"result":`+c.result+`}`, table)
		for _, role := range roles(t, table, d) {
			if strange(role) {
				t.Errorf("%s: %s", c.method, role)
			}
		}
	}
	table := mustTable(t, "a2a", A2A03, "message/send", flow.Request, false)
	d := parse(t, `{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":`+message+`,"configuration":{"blocking":true,"historyLength":3,"acceptedOutputModes":["text"]}}}`, table)
	for _, role := range roles(t, table, d) {
		if strange(role) {
			t.Errorf("message/send: %s", role)
		}
	}
	if _, ok := For("a2a", A2A03, "SendMessage", flow.Request, false); ok {
		t.Error("0.3 carries a method of 1.0")
	}
}

func read03(t testing.TB, src string) (A2A, error) {
	t.Helper()
	d := parse(t, src, nil)
	rpc, err := ReadRPC(d)
	if err != nil {
		t.Fatal(err)
	}
	return ReadA2A03(d, rpc)
}

func TestReadA2A03(t *testing.T) {
	a, err := read03(t, `{"jsonrpc":"2.0","id":1,"result":`+marshal(t, sample03())+`}`)
	if err != nil || a.Kind != TaskPayload || len(a.Tasks) != 1 || a.Tasks[0].State != "input-required" || !Pauses(a.Tasks[0].State) || len(a.Tasks[0].Artifacts[0].Parts) != 4 {
		t.Fatalf("ReadA2A03() = %+v, %v", a, err)
	}
	for i, want := range []PartKind{TextPart, DataPart, RawPart, URLPart} {
		if p := a.Tasks[0].History[0].Parts[i]; p.Kind != want || p.Content < 0 {
			t.Errorf("part %d = %+v, want kind %d", i, p, want)
		}
	}
	a, err = read03(t, `{"jsonrpc":"2.0","id":1,"result":{"kind":"status-update","taskId":"t","contextId":"c","status":{"state":"working"},"final":true}}`)
	if err != nil || a.Kind != StatusPayload || !a.Final || a.State != "working" || Terminal(a.State) {
		t.Errorf("a last status = %+v, %v", a, err)
	}
	for name, part := range map[string]string{
		"two contents": `{"kind":"text","text":"x","data":{}}`, "another kind": `{"kind":"data","text":"x"}`, "no kind": `{"text":"x"}`, "no content": `{"kind":"text"}`,
		"a strange kind": `{"kind":"poem","text":"x"}`, "bytes and address": `{"kind":"file","file":{"bytes":"","uri":""}}`, "an empty file": `{"kind":"file","file":{}}`, "a number": `{"kind":"text","text":7}`,
	} {
		if _, err := read03(t, `{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"parts":[`+part+`]}}}`); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: error = %v, want ErrPayload", name, err)
		}
	}
}

// FuzzReadA2A: both readers find only what is there, and what they take for a text is a string.
func FuzzReadA2A(f *testing.F) {
	for _, result := range []string{
		marshal(f, sample03()), marshal(f, sampleTask()), `{"kind":"artifact-update","artifact":{"parts":[{"kind":"file","file":{"uri":"x"}}]}}`, `{"artifactUpdate":{"artifact":{"parts":[{"raw":"QQ=="}]}}}`, `[]`, `null`, `{"kind":7}`,
	} {
		f.Add(`{"jsonrpc":"2.0","id":1,"result":` + result + `}`)
	}
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"message":{"parts":[{"kind":"data","data":null}]}}}`)
	f.Fuzz(func(t *testing.T, src string) {
		var d json.Doc
		if d.Parse([]byte(src), nil, json.Limits{}) != nil {
			return
		}
		rpc, err := ReadRPC(&d)
		if err != nil {
			return
		}
		for version, read := range map[string]func(*json.Doc, RPC) (A2A, error){A2A10: ReadA2A, A2A03: ReadA2A03} {
			a, err := read(&d, rpc)
			if err != nil {
				if strings.Contains(err.Error(), "Zanzibar") || !errors.Is(err, ErrPayload) {
					t.Fatalf("%s: error = %v", version, err)
				}
				continue
			}
			var parts []Part
			if a.Message != nil {
				parts = append(parts, a.Message.Parts...)
			}
			if a.Artifact != nil {
				parts = append(parts, a.Artifact.Parts...)
			}
			for _, p := range parts {
				if p.Content < 0 || p.Kind != DataPart && d.Nodes[p.Content].Kind != json.String {
					t.Fatalf("%s: part %+v is none", version, p)
				}
			}
		}
	})
}
