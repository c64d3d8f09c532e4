package a2a_test

import (
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// filesIn returns the contents of the raw parts of a message, and what else its parts hold.
func filesIn(t *testing.T, message string) (files []string, rest string) {
	t.Helper()
	var m struct {
		Params, Result struct {
			Message struct{ Parts []map[string]any }
		}
	}
	if err := stdjson.Unmarshal([]byte(message), &m); err != nil {
		t.Fatalf("%v in %s", err, message)
	}
	for _, p := range append(m.Params.Message.Parts, m.Result.Message.Parts...) {
		if raw, ok := p["raw"].(string); ok {
			b, err := base64.StdEncoding.DecodeString(raw)
			if err != nil {
				t.Fatalf("a file is not base64 any more: %v", err)
			}
			files = append(files, string(b))
			delete(p, "raw")
		}
		b, _ := stdjson.Marshal(p)
		rest += string(b)
	}
	return files, rest
}

func sendFile(t *testing.T, r *rig, n int, part string) (status int, answer string) {
	t.Helper()
	status, answer = r.send(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-%d","role":"ROLE_USER","parts":[%s]}}}`, n, part))
	return status, answer
}

func rawPart(media, content string) string {
	return `{"raw":"` + base64.StdEncoding.EncodeToString([]byte(content)) + `","mediaType":"` + media + `"}`
}

// pdfOf is a document with one line.
func pdfOf(line string) string {
	content := "BT /F1 12 Tf 72 700 Td (" + line + ") Tj ET"
	s, at := "%PDF-1.4\n", ""
	for i, o := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
	} {
		at += fmt.Sprintf("%010d 00000 n \n", len(s))
		s += fmt.Sprintf("%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	return s + fmt.Sprintf("xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", at, len(s))
}

const okAnswer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Noted."}]}}`

// A file of text is read like any text; one that cannot be read shows nothing but that it is there.
func TestFilesAreReadByTheirMediaType(t *testing.T) {
	agent := newAgent(t, answerWith(okAnswer))
	r := newRig(t, agent, nil)
	const csv = "name;mail\nx;jane.doe@example.org\n"
	utf16 := "\xff\xfej\x00a\x00n\x00e\x00"
	for i, tt := range []struct {
		name, part string
		want       string // of the file that arrives; "" if none does
	}{
		{"csv", rawPart("text/csv", csv), "name;mail\n[person"},
		{"csv with a charset", rawPart("text/csv; charset=utf-8", csv), "name;mail\n[person"},
		{"tabs", rawPart("text/tab-separated-values", "id\tfull name\n7\tqq\n"), "id\tfull name\n7\t[person"},
		{"a table within text", rawPart("text/plain", "Here:\n\nid,name\n7,qq\n"), "Here:\n\nid,name\n7,[person"},
		{"no media type", strings.Replace(rawPart("", csv), `,"mediaType":""`, "", 1), ""},
		{"json that a schema declares", rawPart("application/json", `{"name": "Jane Doe", "born": "1980-03-01"}`), `{"name": "stk1_`},
		{"nothing in it", rawPart("text/plain", "The usual.\n"), "The usual.\n"},
		{"a picture", rawPart("image/png", "\x89PNG\r\n\x1a\n jane.doe@example.org"), ""},
		{"a document", rawPart("application/pdf", "%PDF-1.7 jane.doe@example.org"), ""},
		{"a document with nothing in it", rawPart("application/pdf", pdfOf("The usual.")), "%PDF-"},
		{"a document with an address", rawPart("application/pdf", pdfOf("Write to jane.doe@example.org")), ""},
		{"a document with several things", rawPart("application/pdf", pdfOf("jane.doe@example.org, 536-90-4399, 4111 1111 1111 1111")), ""},
		{"a document with two things of which neither is dropped", rawPart("application/pdf", pdfOf("Jane Doe has jane.doe@example.org and +1 415 555 0132")), ""},
		{"a document with more behind it", rawPart("application/pdf", pdfOf("The usual.")+"x"), ""},
		{"a document of an unknown type", rawPart("application/octet-stream", pdfOf("The usual.")), ""},
		{"said to be text and is not", rawPart("text/plain", "\x00\x01\xff jane"), ""},
		{"another encoding", rawPart("text/plain; charset=utf-16", utf16), ""},
		{"an encoding that hides", rawPart("text/plain; charset=utf-7", "+AGo-ane"), ""},
		{"escaped text", rawPart("text/rtf", `{\rtf1 j\'61ne}`), ""},
		{"not base64", `{"raw":"jane doe!","mediaType":"text/plain"}`, ""},
		{"base64 over lines", `{"raw":"` + base64.StdEncoding.EncodeToString([]byte("jane"))[:4] + `\n` + base64.StdEncoding.EncodeToString([]byte("jane"))[4:] + `","mediaType":"text/plain"}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(agent.received())
			status, answer := sendFile(t, r, i, tt.part)
			got := agent.received()
			if len(got) == before {
				if tt.want != "" || strings.HasSuffix(tt.name, "neither is dropped") {
					t.Fatalf("the agent got nothing: %d %s", status, answer)
				}
				return // refused: what is asked about a file cannot be asked without it
			}
			files, rest := filesIn(t, got[len(got)-1])
			if strings.Contains(got[len(got)-1], "jane.doe") || strings.Contains(strings.Join(files, ""), "jane.doe") {
				t.Fatalf("the address arrived: %q, %s", files, rest)
			}
			switch {
			case strings.Count(got[len(got)-1], "[file]") > 1:
				t.Errorf("%s arrived, want one placeholder", got[len(got)-1])
			case tt.want == "" && (len(files) > 0 || !strings.Contains(rest, "[file]")):
				t.Errorf("files %q and %s arrived, want a placeholder", files, rest)
			case tt.want != "" && (len(files) != 1 || !strings.HasPrefix(files[0], tt.want)):
				t.Errorf("files %q arrived, want one that begins with %q", files, tt.want)
			}
			if tt.name == "nothing in it" && !strings.Contains(got[len(got)-1], `"raw":"`+base64.StdEncoding.EncodeToString([]byte(tt.want))+`"`) {
				t.Error("a file without findings did not keep its bytes")
			}
		})
	}
}

// What stands in a file comes home like what stands in a text.
func TestStandInsInFilesComeHome(t *testing.T) {
	agent := newAgent(t, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		files, _ := filesIn(t, body)
		answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[`+rawPart("text/plain", "Seen: "+files[0])+`]}}`)(w, body)
	}
	r := newRig(t, agent, nil)
	_, answer := sendFile(t, r, 1, rawPart("text/plain", "Write to jane.doe@example.org, please."))
	files, _ := filesIn(t, answer)
	if len(files) != 1 || files[0] != "Seen: Write to jane.doe@example.org, please." {
		t.Errorf("the caller got %q", files)
	}
}

// In a stream a file that may go on in the next event is not looked into: a cut could divide what is to be found.
func TestNoCutBetweenFilesShowsMore(t *testing.T) {
	for _, tt := range []struct {
		name, first, second string
		want                int // files that arrive
	}{
		{"one event", `"artifact":{"artifactId":"a","parts":[%s]},"lastChunk":true`, "", 1},
		{"ends by itself", `"artifact":{"artifactId":"a","parts":[%s]}`, "", 1},
		{"cut", `"artifact":{"artifactId":"a","parts":[%s]}`, `"artifact":{"artifactId":"a","parts":[%s]},"append":true,"lastChunk":true`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			texts := []string{"Write to jane.doe@example.org.\n"}
			if tt.second != "" {
				texts = []string{"Write to jane.d", "oe@example.org.\n"}
			}
			agent := newAgent(t, func(w http.ResponseWriter, body string) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i, form := range []string{tt.first, tt.second} {
					if form != "" {
						fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",%s}}}\n\n", fmt.Sprintf(form, rawPart("text/plain", texts[i])))
					}
				}
			})
			r := newRig(t, agent, func(s *gatewaytest.Setup) {
				s.Policy = strings.ReplaceAll(policies, `@id("answers") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "response" };`,
					`@id("answers") permit (principal in Domain::"own", action in Action::"upto_masked", resource);`)
			})
			_, body := r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"Go on."}]}}}`)
			if n := strings.Count(body, `"raw"`); n != tt.want {
				t.Errorf("%d files arrived, want %d: %s", n, tt.want, body)
			}
			for _, text := range texts {
				if enc := base64.StdEncoding.EncodeToString([]byte(text)); strings.Contains(body, enc) {
					t.Errorf("a file arrived as it was sent: %s", body)
				}
			}
		})
	}
}

const payment = `{
  "type": "object",
  "properties": {
    "order": {"type": "object", "x-scrim-signed": true, "x-scrim-label": "public", "properties": {"name": {"type": "string", "x-scrim-label": "person/name"}, "sum": {"type": "number"}}},
    "ap2.mandates.PaymentMandate": {"type": "object", "properties": {"payer": {"type": "string", "x-scrim-label": "person/name"}, "sum": {"type": "number", "x-scrim-label": "public"}}},
    "offer": {"type": "object", "x-scrim-label": "public", "properties": {"payload": {"type": "string"}, "protected": {"type": "string"}, "signature": {"type": "string"}, "header": {"type": "object", "properties": {"who": {"type": "string", "x-scrim-label": "person/name"}}}}}
  }
}`

// What is signed passes as it is or not at all: a changed mandate would be a forgery.
func TestSignedObjectsAreNeverEdited(t *testing.T) {
	const open = `@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
	for name, data := range map[string]string{
		"by schema":  `"order":{"name":%q,"sum":3}`,
		"a mandate":  `"ap2.mandates.PaymentMandate":{"payer":%q,"sum":3}`,
		"a JWS":      `"offer":{"payload":"e30","protected":"e30","signature":"AAAA","header":{"who":%q}}`,
		"in a file":  `file`,
		"in a chunk": `text`,
	} {
		t.Run(name, func(t *testing.T) {
			var answered string
			agent := newAgent(t, nil)
			agent.answer = func(w http.ResponseWriter, body string) {
				answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[`+answered+`]}}`)(w, body)
			}
			r := newRig(t, agent, func(s *gatewaytest.Setup) {
				s.Policy += open
				s.Schemas = []gatewaytest.Schema{
					{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: payment},
					{Kind: catalog.Data, Owner: "partner", Direction: flow.Response, JSON: payment},
				}
				s.Policy = strings.ReplaceAll(s.Policy, `@id("answers") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "response" };`, "")
			})
			part := func(who string) string {
				switch data {
				case "file":
					return rawPart("application/json", fmt.Sprintf(`{"order":{"name":%q,"sum":3}}`, who))
				case "text":
					raw, _ := stdjson.Marshal(fmt.Sprintf(`{"order":{"name":%q,"sum":3}}`, who))
					return `{"text":` + string(raw) + `}`
				}
				return `{"data":{` + fmt.Sprintf(data, who) + `}}`
			}
			answered = `{"text":"Noted."}`
			_, answer := sendFile(t, r, 1, part("Jane Doe"))
			if len(agent.received()) != 0 || !strings.Contains(answer, "signed") {
				t.Fatalf("a request that would have to be changed was sent on: %s", answer)
			}
			if strings.Contains(gatewaytest.Said(answer), "Jane") {
				t.Error("the refusal repeats the value")
			}
			answered = part("Jane Doe")
			_, answer = sendFile(t, r, 2, `{"text":"Show it."}`)
			shown, _, _ := strings.Cut(answer, `"metadata"`) // what follows is the note
			for _, empty := range []string{`{"data":{}}`, `{"text":"{}"}`, `{"raw":"e30=","mediaType":"application/json"}`} {
				shown = strings.Replace(shown, empty, "gone", 1)
			}
			if !strings.Contains(shown, `"parts":[gone]`) {
				t.Errorf("a part of what is signed was shown: %s", answer)
			}
		})
	}
}

// fileServer serves files, and says how often each was asked for.
func fileServer(t *testing.T) (*httptest.Server, func(path string) int) {
	t.Helper()
	var mu sync.Mutex
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		if len(r.Cookies()) > 0 || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
			t.Error("a credential or an address went along")
		}
		switch r.URL.Path {
		case "/list.csv":
			w.Header().Set("Content-Type", "text/csv")
			fmt.Fprint(w, "name;mail\nx;jane.doe@example.org\n")
		case "/scan.png":
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, "\x89PNG\r\n\x1a\n")
		case "/long":
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, strings.Repeat("x", 5000))
		case "/packed":
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "jane.doe@example.org")
		case "/elsewhere":
			http.Redirect(w, r, "/list.csv", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s, func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		return asked[path]
	}
}

// An address is shown, fetched or left out as policy says; what is fetched is decided like any file.
func TestFilesByAddressAreFetchedPassedOrLeftOut(t *testing.T) {
	server, asked := fileServer(t)
	const (
		none      = ""
		tokenized = `@id("link") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"technical/url");`
		raw       = `@id("link") @exception("public links") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical/url");`
		opaque    = `@id("files") @exception("accepted") permit (principal, action in Action::"upto_raw", resource in DataClass::"file/opaque");`
	)
	address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, tt := range []struct {
		name, policy, path string
		hosts              []string
		networks           []netip.Prefix
		member             string // that carries it to the agent; "" none
		file               string // what the file begins with
		asked              int
	}{
		{"shown", raw, "/list.csv", []string{"localhost"}, loopback, "url", "", 0},
		{"fetched and read", tokenized, "/list.csv", []string{"localhost"}, loopback, "raw", "name;mail\n[person", 1},
		{"a picture that may be shown", tokenized + opaque, "/scan.png", []string{"localhost"}, loopback, "raw", "\x89PNG", 1},
		{"a picture that may not", tokenized, "/scan.png", []string{"localhost"}, loopback, "refused", "", 1},
		{"left out", none, "/list.csv", []string{"localhost"}, loopback, "refused", "", 0},
		{"a host that is not configured", tokenized, "/list.csv", []string{"files.example.org", "*.0.0.1.example"}, loopback, "", "", 0},
		{"an address within", tokenized, "/list.csv", []string{"localhost"}, nil, "", "", 0},
		{"too long", tokenized, "/long", []string{"localhost"}, loopback, "", "", 1},
		{"packed", tokenized, "/packed", []string{"localhost"}, loopback, "", "", 1},
		{"led elsewhere", tokenized, "/elsewhere", []string{"localhost"}, loopback, "", "", 1},
		{"not there", tokenized, "/nothing", []string{"localhost"}, loopback, "", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			agent := newAgent(t, answerWith(okAnswer))
			before := asked(tt.path)
			r := newRig(t, agent, func(s *gatewaytest.Setup) {
				s.Policy = strings.ReplaceAll(policies, `resource.tier == "confidential" || resource.tier == "internal"`, `resource.tier == "confidential"`) + tt.policy
				s.Fetch = &gateway.Fetch{
					Client: egress.Client(egress.Options{Allow: tt.networks, Plain: true, Ports: []uint16{0}, Bytes: 4096}), Hosts: tt.hosts, Bytes: 4096,
				}
			})
			_, answer := sendFile(t, r, 1, `{"url":"`+address+tt.path+`"}`)
			got := agent.received()
			if tt.member == "refused" {
				if len(got) != 0 {
					t.Fatalf("it was sent on: %s", got)
				}
			} else if len(got) != 1 {
				t.Fatalf("the agent got %d messages: %s", len(got), answer)
			} else {
				files, rest := filesIn(t, got[0])
				holds := strings.Contains(rest, address)
				switch {
				case holds != (tt.member == "url"):
					t.Errorf("the address arrived: %v, in %s", holds, rest)
				case tt.member == "raw" && (len(files) != 1 || !strings.HasPrefix(files[0], tt.file)):
					t.Errorf("files %q arrived", files)
				case tt.member == "" && !strings.Contains(rest, `"[file]"`):
					t.Errorf("%s arrived, want a placeholder", rest)
				case tt.name == "fetched and read" && !strings.Contains(rest, `"mediaType":"text/csv"`):
					t.Errorf("the media type is lost: %s", rest)
				}
			}
			recorded := 0
			for _, ev := range r.Events() {
				if ev.Outcome == flow.Fetched {
					recorded++
				}
			}
			if n := asked(tt.path) - before; n != tt.asked || recorded != tt.asked && tt.networks != nil {
				t.Errorf("the file was asked for %d times, and %d are on record, want %d", n, recorded, tt.asked)
			}
		})
	}
}
