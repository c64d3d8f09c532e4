package gateway_test

import (
	"context"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

const attackPolicy = `
@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"business/category");
@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical");
permit (principal, action in Action::"upto_masked", resource in DataClass::"person/name");
`

// passTo sends a message from a domain of its own to another one.
func passTo(t *testing.T, rig *gatewaytest.Rig, protocol, version, method string, dir flow.Direction, body string) (string, error) {
	t.Helper()
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	table, ok := wire.For(protocol, version, method, dir, false)
	if !ok {
		t.Fatal("no such table")
	}
	s := rig.Snapshot()
	name := protocol + "/" + version
	if protocol == "a2a" {
		name = "a2a/" + strings.TrimPrefix(version, "v")
	}
	q := policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: name, Method: method, Direction: dir, Task: flow.Task{ID: "t"}}}
	p, err := rig.Pass(context.Background(), &gateway.Message{Snapshot: s, Table: table, Body: []byte(body), Owner: "partner", Query: q, Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", flow.Request)})
	if err != nil {
		return "", err
	}
	return string(p.Body), nil
}

func attackRig(t *testing.T, change func(*gatewaytest.Setup)) *gatewaytest.Rig {
	setup := gatewaytest.Setup{
		Policy: attackPolicy, NoSync: true,
		Agents: []*gateway.Agent{{Party: flow.Party{Agent: "intake", Domain: gatewaytest.Own}}, {Party: flow.Party{Agent: "partner", Domain: gatewaytest.Other}}},
		Schemas: []gatewaytest.Schema{{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: `{"type":"object","properties":{
			"note":{"type":"string","x-scrim-label":"business/category"},
			"name":{"type":"string","x-scrim-label":"person/name","x-scrim-droppable":true}}}`}},
	}
	if change != nil {
		change(&setup)
	}
	return gatewaytest.New(t, setup)
}

// A place of a transparent agent is as its sender wrote it, whatever that is.
func TestATransparentTraceNeedsNoForm(t *testing.T) {
	rig := attackRig(t, func(s *gatewaytest.Setup) {
		s.Policy += `permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
		s.Transparent = []gateway.Transparent{{Agent: "partner", Path: "/**"}}
	})
	for _, v := range []string{`"x"`, `""`, `"00-zz"`, `7`, `null`, `{"a":"b"}`, `["x"]`, `"00-00000000000000000000000000000000-00f067aa0ba902b7-01"`, `"` + strings.Repeat("é", 30) + `"`} {
		out, err := passTo(t, rig, "mcp", "2025-11-25", "tools/call", flow.Request, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{},"_meta":{"traceparent":`+v+`}}}`)
		if err != nil || strings.HasPrefix(v, `"`) && strings.Contains(out, "traceparent") {
			t.Errorf("%s: %s %v", v, out, err)
		}
	}
}

func messageOf(parts string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[` + parts + `]}}}`
}

// A name that prose gave once is found in later messages of the task, the family name alone and in small letters, too.
func TestANameFromProseIsFoundInWhatComesLater(t *testing.T) {
	rig := attackRig(t, nil)
	say := func(text string) string {
		t.Helper()
		raw, _ := stdjson.Marshal(text)
		out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(`{"text":`+string(raw)+`}`))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ToLower(out)
	}
	const later = "the lindqvist invoice is still open"
	if out := say(later); !strings.Contains(out, "lindqvist") {
		t.Fatalf("the tagger alone finds it: %s", out)
	}
	if out := say("Please ask Dr Zelda Lindqvist, who works in Kraków, about the bill."); strings.Contains(out, "lindqvist") {
		t.Fatalf("the name is not found: %s", out)
	}
	if out := say(later); strings.Contains(out, "lindqvist") {
		t.Errorf("the name is forgotten: %s", out)
	}
}

// What JSON in a text names is looked for in the structured values before it, too.
func TestTwinsTeachWhatStandsBeforeThem(t *testing.T) {
	rig := attackRig(t, nil)
	twin, _ := stdjson.Marshal(`{"name":"Zelda Kowalska"}`)
	for _, parts := range []string{
		`{"data":{"note":"Zelda Kowalska"}},{"text":` + string(twin) + `}`,
		`{"text":` + string(twin) + `},{"data":{"note":"for Zelda Kowalska."}}`,
		`{"text":` + string(twin) + `},{"text":"{\"note\":\"of Zelda Kowalska\"}"}`,
		`{"text":"{\"note\":\"of Zelda Kowalska\"}"},{"text":` + string(twin) + `}`,
		`{"raw":"` + base64.StdEncoding.EncodeToString([]byte(`{"name":"Zelda Kowalska"}`)) + `","mediaType":"application/json","filename":"Zelda Kowalska.txt"},{"data":{"note":"Zelda Kowalska"}}`,
	} {
		out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(parts))
		if strings.Contains(out, "Kowalska") {
			t.Errorf("the name left: %s\n%s", parts, out)
		}
		if err != nil {
			t.Errorf("%s: %v", parts, err)
		}
	}
}

// What a file's own reader unfolds, detection must not miss.
func TestFilesThatSpellWordsOtherwise(t *testing.T) {
	rig := attackRig(t, nil)
	for _, f := range []struct{ media, content string }{
		{"application/json", `"Jos\u00e9 \u0052oe is ill"`},
		{"application/json", `  "x José \u0052oe"`},
		{"application/jsonl", "[1,\"Jos\\u00e9 Roe\"]\n[2,\"x\"]\n"},
		{"application/x-ndjson", "1\n\"Jos\\u00e9 Roe\"\n"},
		{"application/yaml", "who: \"Jos\\u00e9 Roe\"\n"},
		{"application/toml", "who = \"Jos\\u00e9 Roe\"\n"},
		{"text/html", "<p>Jos&eacute; Roe</p>"},
		{"text/html", "<p>Jos&#233; Roe</p>"},
		{"application/xml", "<p>Jos&#xe9; Roe</p>"},
		{"application/fhir+xml", "<p>Jos&#xe9; Roe</p>"},
		{"text/markdown", "Jos&eacute; Roe"},
	} {
		out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(
			`{"raw":"`+base64.StdEncoding.EncodeToString([]byte(f.content))+`","mediaType":"`+f.media+`"},{"data":{"name":"José Roe"}}`))
		if strings.Contains(out, `"raw"`) {
			t.Errorf("%s %q left (%v)", f.media, f.content, err)
		}
	}
}

// Such a file is an opaque one: whoever lets those pass lets it pass.
func TestFilesThatSpellWordsOtherwiseAreOpaque(t *testing.T) {
	rig := attackRig(t, func(s *gatewaytest.Setup) {
		s.Policy += `@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"file/opaque");`
	})
	const html = "PHA+Sm9zJmVhY3V0ZTsgUm9lPC9wPg=="
	out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(`{"raw":"`+html+`","mediaType":"text/html"}`))
	if !strings.Contains(out, html) {
		t.Errorf("%v: %s", err, out)
	}
}

// Marks that are no part of a word do not make a file unreadable.
func TestFilesThatOnlySoundSpelledOtherwise(t *testing.T) {
	rig := attackRig(t, nil)
	for _, f := range []struct{ media, content string }{
		{"application/json", `"a plain text"`},
		{"application/json", `[]`},
		{"application/yaml", "a: b\n"},
		{"text/html", "<p>1 &lt; 2 &amp; 3 R&D x?a=1&b=2</p>"},
		{"text/plain", `C:\users\new &eacute;`},
		{"text/x-python", `print("a\n")`},
	} {
		out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(
			`{"raw":"`+base64.StdEncoding.EncodeToString([]byte(f.content))+`","mediaType":"`+f.media+`"}`))
		if !strings.Contains(out, `"raw"`) {
			t.Errorf("%s %q did not arrive: %s %v", f.media, f.content, out, err)
		}
	}
}

// A file's media type is the one that its recipient sees.
func TestAMediaTypeThatIsTakenOutSaysNothing(t *testing.T) {
	rig := attackRig(t, nil)
	content := base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 (J\\141ne)"))
	for dir, body := range map[flow.Direction]string{
		flow.Request:  `{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message","messageId":"m-1","role":"user","parts":[{"kind":"file","file":{"mediaType":"text/plain","mimeType":"application/pdf","bytes":"` + content + `"}}]}}}`,
		flow.Response: `{"jsonrpc":"2.0","id":1,"result":{"kind":"message","messageId":"m-1","role":"agent","parts":[{"kind":"file","file":{"mediaType":"text/plain","mimeType":"application/pdf","bytes":"` + content + `"}}]}}`,
	} {
		out, err := passTo(t, rig, "a2a", wire.A2A03, "message/send", dir, body)
		if strings.Contains(out, content) {
			t.Errorf("an opaque file left: %s", out)
		}
		if dir == flow.Response && !strings.Contains(out, "[removed]") {
			t.Errorf("no placeholder: %s %v", out, err)
		}
	}
}

// A cursor passes as it is, so one that only looks like a sealed id is looked at.
func TestACursorThatLooksSealedIsLookedAt(t *testing.T) {
	rig := attackRig(t, nil)
	name := strings.Repeat("Zeld", 10) + "Abs" // in base64url, 32 bytes
	if _, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(`{"data":{"name":"`+name+`"}}`)); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "sid1_"} {
		if out, err := passTo(t, rig, "a2a", wire.A2A10, "ListTasks", flow.Request, `{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{"pageToken":"`+prefix+name+`"}}`); err == nil {
			t.Errorf("a name left: %s", out)
		}
	}
}

// used is the time that this process spent at work: a busy machine does not make it longer.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Whoever repeats ids in a long text does not keep the gateway busy.
func TestManyMentionsTakeLinearTime(t *testing.T) {
	rig := attackRig(t, nil)
	took := func(n int) time.Duration {
		var refs, text []string
		for i := range 60 {
			refs = append(refs, fmt.Sprintf(`"task-%012d"`, i))
		}
		for i := range n {
			text = append(text, fmt.Sprintf("task-%012d", i%60))
		}
		body := `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","referenceTaskIds":[` + strings.Join(refs, ",") + `],"parts":[{"text":"` + strings.Join(text, " ") + `"}]}}}`
		began, start := used(t), time.Now()
		out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, body)
		if err != nil || strings.Contains(out, "task-0000") {
			t.Fatal(err)
		}
		return min(time.Since(start), used(t)-began) // the collector may work beside it
	}
	took(100)
	few, many := time.Hour, time.Hour
	for range 5 { // what is fast enough once is
		few, many = min(few, took(4000)), min(many, took(48_000))
		if many <= 60*max(few, 5*time.Millisecond) {
			return
		}
	}
	t.Errorf("4,000 ids took %v, 48,000 took %v", few, many)
}

// A fault of our own refuses the message, on record, and takes nothing down: not every caller of Pass has a guard above it.
func TestAFaultRefusesTheMessageAlone(t *testing.T) {
	rig := attackRig(t, nil)
	q := policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Agent: "intake", Domain: gatewaytest.Own}, To: flow.Party{Agent: "partner", Domain: gatewaytest.Other}}}
	_, err := rig.Pass(t.Context(), &gateway.Message{Snapshot: rig.Snapshot(), Query: q, Body: []byte(`{"a":"Jane Doe"}`)}) // without a table
	r, ok := errors.AsType[*gateway.Refusal](err)
	if !ok || r.Rule != gateway.RuleInternal || r.Ref == "" {
		t.Fatalf("Pass() = %v, want a refusal on record", err)
	}
	if p, ok := errors.AsType[*store.PanicError](err); !ok || !strings.Contains(p.Place, ".go:") || strings.Contains(gatewaytest.Said(err.Error()), "Jane") {
		t.Errorf("the operator is told %v", err)
	}
	if _, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]}}}`); err != nil {
		t.Errorf("the next message: %v", err)
	}
}
