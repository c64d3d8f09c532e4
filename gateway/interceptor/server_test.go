package interceptor_test

import (
	"bytes"
	stdjson "encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/interceptor"
	"github.com/scrimhq/scrim/gateway/mcp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text");
@id("abroad") @reason("a stand-in is enough") permit (principal in Domain::"other", action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" || resource.tier == "internal" };
@id("questions") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "request" };
@id("no-numbers") @reason("no number leaves") forbid (principal == Agent::"records", action in Action::"atleast_masked", resource in DataClass::"government-id");
`

const (
	question = `{"type":"object","properties":{"who":{"type":"string","x-scrim-label":"person/name"},"ssn":{"type":"string","x-scrim-label":"government-id/ssn"}}}`
	result   = `{"type":"object","properties":{"name":{"type":"string","x-scrim-label":"person/name"},"born":{"type":"string","x-scrim-label":"person/birth-date"}}}`
)

type host struct {
	*gatewaytest.Rig
	url string
}

func newHost(t testing.TB, change func(*gateway.Peer)) *host {
	t.Helper()
	caller, stranger, edge := flow.Party{Agent: "caller", Domain: gatewaytest.Own}, flow.Party{Agent: "stranger", Domain: gatewaytest.Other}, flow.Party{Agent: "edge", Domain: gatewaytest.Own}
	grant := identity.Grant{Party: caller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	r := gatewaytest.New(t, gatewaytest.Setup{
		Policy: policies, NoSync: true, Hooks: gateway.Hooks{Error: func(error) {}},
		Agents:  []*gateway.Agent{{Party: caller}, {Party: stranger}, {Party: edge}, {Party: flow.Party{Agent: "records", Domain: gatewaytest.Own}}},
		Callers: map[string]identity.Grant{"scrim_edge": {Party: edge}, "scrim_caller": grant},
		Schemas: []gatewaytest.Schema{
			{Kind: catalog.Tool, Owner: "records", Name: "rows", Direction: flow.Request, JSON: question},
			{Kind: catalog.Tool, Owner: "records", Name: "rows", Direction: flow.Response, JSON: result},
		},
	})
	snap := *r.Snapshot()
	snap.Interceptor = &gateway.Peer{
		Gateway: "edge",
		Callers: map[string]identity.Grant{"jane@own.example": grant, "bob@other": {Party: stranger, Purposes: []flow.Purpose{"care"}, Criticality: flow.Routine}},
		Servers: map[string]flow.AgentID{"rows-of-patients": "records"},
	}
	if change != nil {
		change(snap.Interceptor)
	}
	snap.Limits.Bytes = 64 << 10
	if err := r.Swap(t.Context(), &snap, "test"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&interceptor.Server{Gateway: r.Gateway, Checker: &mcp.Checker{Gateway: r.Gateway, Tools: &mcp.Tools{}}})
	t.Cleanup(srv.Close)
	return &host{r, srv.URL}
}

func (h *host) post(t testing.TB, key, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, h.url+"/interceptors", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
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
	return res.StatusCode, b
}

func request(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
}

const (
	forBob  = `"config":{"server":"rows-of-patients","tool":"rows"},"context":{"principal":{"type":"user","id":"bob@other"},"timestamp":"2026-11-01T00:00:00Z"}`
	forJane = `"config":{"server":"rows-of-patients","tool":"rows","purpose":"care","criticality":"critical"},"context":{"principal":{"type":"service","id":"jane@own.example"},"timestamp":"2026-11-01T00:00:00Z"}`
	row     = `{"content":[],  "structuredContent":{"name":"Jane <Doe>","born":"1961-04-12"}}`
	ask     = `{"method":"tools/call",  "params":{"name":"rows","arguments":{"who":"Jane Doe"}}}`
	number  = `{"method":"tools/call","params":{"name":"rows","arguments":{"ssn":"536-90-4399"}}}`
)

func invoke(name, phase, payload, rest string) string {
	return request("interceptor/invoke", fmt.Sprintf(`{"name":%q,"event":"tools/call","phase":%q,"payload":%s,%s}`, name, phase, payload, rest))
}

// TestShapesOfTheDraft compares with golden files, which follow the fixtures and examples of SEP-2624: what varies between
// two runs is blanked.
func TestShapesOfTheDraft(t *testing.T) {
	h := newHost(t, nil)
	for name, body := range map[string]string{
		"initialize":                     request("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`),
		"discover":                       request("server/discover", `{}`),
		"list-all":                       `{"jsonrpc":"2.0","id":1,"method":"interceptors/list"}`,
		"list-filtered-by-event":         request("interceptors/list", `{"event":"tools/call"}`),
		"list-filtered-to-none":          request("interceptors/list", `{"event":"llm/completion"}`),
		"list-pattern":                   request("interceptors/list", `{"event":"*"}`),
		"invoke-validation-pass":         invoke(interceptor.Check, "request", ask, forJane),
		"invoke-validation-deny":         invoke(interceptor.Check, "request", number, forJane),
		"invoke-validation-less":         invoke(interceptor.Check, "response", row, forBob),
		"invoke-mutation-modified":       invoke(interceptor.Terms, "response", row, forBob),
		"invoke-mutation-unmodified":     invoke(interceptor.Terms, "response", row, forJane),
		"invoke-mutation-request":        invoke(interceptor.Terms, "request", ask, forJane),
		"invoke-mutation-failed":         invoke(interceptor.Terms, "request", number, forJane),
		"invoke-unknown-name":            request("interceptor/invoke", `{"name":"conf/does-not-exist","event":"tools/call","phase":"request","payload":{}}`),
		"invoke-hook-not-advertised":     strings.Replace(invoke(interceptor.Check, "request", ask, forJane), `"tools/call","phase"`, `"roots/list","phase"`, 1),
		"invoke-of-another-party":        invoke(interceptor.Check, "request", ask, strings.Replace(forJane, "jane@own.example", "caller", 1)),
		"method-of-another-kind-of-host": request("tools/list", `{}`),
	} {
		_, got := h.post(t, "scrim_edge", body)
		var out bytes.Buffer
		if err := stdjson.Indent(&out, got, "", "  "); err != nil {
			t.Fatalf("%s: %v: %s", name, err, got)
		}
		text := volatile.ReplaceAllString(out.String(), `"$1": "*"`) + "\n"
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, text, want)
		}
	}
}

var volatile = regexp.MustCompile(`"(durationMs|reference|name|born)": ("stk1_[^"]*"|"0[0-9a-v]{25}"|\d+|"\[person [^"]*\]")`)

func TestUnmodifiedPayloadKeepsItsBytes(t *testing.T) {
	h := newHost(t, nil)
	for phase, payload := range map[string]string{"response": row, "request": ask} {
		_, got := h.post(t, "scrim_edge", invoke(interceptor.Terms, phase, payload, forJane))
		if !bytes.Contains(got, []byte(`"modified":false`)) || !bytes.Contains(got, []byte(`"payload":`+payload+`}`)) {
			t.Errorf("%s: %s", phase, got)
		}
	}
}

// TestWhatTermsChangedPassesTheCheck: the two are to be used one after the other.
func TestWhatTermsChangedPassesTheCheck(t *testing.T) {
	h := newHost(t, nil)
	_, got := h.post(t, "scrim_edge", invoke(interceptor.Terms, "response", row, forBob))
	var changed struct {
		Result struct {
			Modified bool
			Payload  stdjson.RawMessage
		}
	}
	if err := stdjson.Unmarshal(got, &changed); err != nil || !changed.Result.Modified || strings.Contains(gatewaytest.Said(string(got)), "Jane") || bytes.Contains(got, []byte("1961-04-12")) {
		t.Fatalf("%s: %v", got, err)
	}
	_, got = h.post(t, "scrim_edge", invoke(interceptor.Check, "response", string(changed.Result.Payload), forBob))
	if !bytes.Contains(got, []byte(`"valid":true`)) {
		t.Errorf("what was changed: %s", got)
	}
	released := 0
	for _, ev := range h.Events() {
		if ev.Outcome == flow.Released && ev.Flow.From.Agent == "records" && ev.Flow.To.Agent == "stranger" {
			released++
		}
	}
	if released != 2 {
		t.Errorf("on record are %d answers to the stranger, want 2", released)
	}
}

func TestInvokerIsBelievedAsConfigured(t *testing.T) {
	h := newHost(t, nil)
	anonymous := strings.Replace(forJane, `"service"`, `"anonymous"`, 1)
	for name, rest := range map[string]string{
		"a party by its id here":   strings.Replace(forJane, "jane@own.example", "caller", 1),
		"an anonymous principal":   anonymous,
		"no principal":             `"config":{"server":"rows-of-patients"}`,
		"a server by its id here":  strings.Replace(forJane, "rows-of-patients", "records", 1),
		"no server":                strings.Replace(forJane, `"server":"rows-of-patients",`, "", 1),
		"claims of another":        strings.Replace(forJane, `"id":"jane@own.example"`, `"claims":{"sub":"jane@own.example"}`, 1),
		"an id in another case":    strings.Replace(forJane, `"id"`, `"ID"`, 1),
		"an unknown configuration": strings.Replace(forJane, `"server"`, `"recipient":"jane@own.example","server"`, 1),
	} {
		before := len(h.Events())
		status, got := h.post(t, "scrim_edge", invoke(interceptor.Terms, "request", ask, rest))
		if !bytes.Contains(got, []byte(`"error"`)) || bytes.Contains(got, []byte("payload")) {
			t.Errorf("%s: %d %s", name, status, got)
		}
		for _, ev := range h.Events()[before:] {
			if ev.Outcome == flow.Released {
				t.Errorf("%s: it was let pass: %+v", name, ev)
			}
		}
	}
	for _, key := range []string{"", "scrim_Zanzibar", "scrim_caller"} {
		if status, got := h.post(t, key, invoke(interceptor.Terms, "request", ask, forJane)); status != http.StatusUnauthorized {
			t.Errorf("with the key %q: %d %s", key, status, got)
		}
	}
}

func TestBadInvocations(t *testing.T) {
	h := newHost(t, nil)
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"no JSON":                   {`{"jsonrpc"`, "-32600"},
		"a batch":                   {`[` + request("ping", "{}") + `]`, "-32600"},
		"an answer":                 {`{"jsonrpc":"2.0","id":1,"result":{}}`, "-32600"},
		"no params":                 {`{"jsonrpc":"2.0","id":1,"method":"interceptor/invoke"}`, "-32602"},
		"a phase of its own":        {invoke(interceptor.Terms, "both", ask, forJane), "-32602"},
		"no payload":                {request("interceptor/invoke", `{"name":"scrim/terms","event":"tools/call","phase":"request"}`), "-32602"},
		"a payload that is a text":  {invoke(interceptor.Terms, "request", `"Zanzibar"`, forJane), "-32603"},
		"params without a method":   {invoke(interceptor.Terms, "request", `{"params":{"name":"rows"}}`, forJane), "-32603"},
		"another method":            {invoke(interceptor.Terms, "request", `{"method":"tools/list","params":{}}`, forJane), "-32603"},
		"an envelope":               {invoke(interceptor.Terms, "request", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}`, forJane), "-32603"},
		"a result that is an array": {invoke(interceptor.Terms, "response", `[1]`, forJane), "-32603"},
		"a null result":             {invoke(interceptor.Terms, "response", `null`, forJane), "-32603"},
		"a member twice":            {invoke(interceptor.Terms, "request", `{"method":"tools/call","params":{"name":"a","name":"b"}}`, forJane), "-32600"},
		"too deep":                  {invoke(interceptor.Terms, "response", deep, forJane), "-32600"},
		"too large":                 {invoke(interceptor.Terms, "response", `{"a":"`+strings.Repeat("a", 70<<10)+`"}`, forJane), "-32600"},
		"a version of its own":      {invoke(interceptor.Terms, "request", ask, strings.Replace(forJane, `"tool"`, `"version":"1999-01-01","tool"`, 1)), "-32603"},
		"a time before the call":    {strings.Replace(invoke(interceptor.Terms, "request", ask, forJane), `"phase"`, `"timeoutMs":-1,"phase"`, 1), "-32602"},
	} {
		if _, got := h.post(t, "scrim_edge", c.body); !bytes.Contains(got, []byte(c.want)) || bytes.Contains(got, []byte("Zanzibar")) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if status, got := h.post(t, "scrim_edge", `{"jsonrpc":"2.0","method":"notifications/initialized"}`); status != http.StatusAccepted || len(got) != 0 {
		t.Errorf("a notification: %d %s", status, got)
	}
}

func FuzzInvoke(f *testing.F) {
	h := newHost(f, nil)
	for _, body := range []string{invoke(interceptor.Terms, "request", ask, forJane), invoke(interceptor.Check, "response", row, forBob), request("interceptors/list", `{"event":"x"}`), `{}`} {
		f.Add([]byte(body))
	}
	handler := &interceptor.Server{Gateway: h.Gateway, Checker: &mcp.Checker{Gateway: h.Gateway, Tools: &mcp.Tools{}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/interceptors", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer scrim_edge")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Body.Len() > 0 && !stdjson.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer is no JSON: %s", w.Body)
		}
		if bytes.Contains(w.Body.Bytes(), []byte("1961-04-12")) && bytes.Contains(body, []byte(`"id":"bob@other"`)) && !bytes.Contains(body, []byte("jane@own")) && bytes.Contains(w.Body.Bytes(), []byte(`"modified":true`)) {
			t.Fatalf("a protected value came back: %s", w.Body)
		}
	})
}

// TestEveryEventIsCarried: what the host advertises, it can read, both ways.
func TestEveryEventIsCarried(t *testing.T) {
	h := newHost(t, nil)
	_, got := h.post(t, "scrim_edge", request("interceptors/list", `{}`))
	var listed struct {
		Result struct {
			Interceptors []struct {
				Hooks []struct{ Events []string }
			}
		}
	}
	if err := stdjson.Unmarshal(got, &listed); err != nil {
		t.Fatal(err)
	}
	samples := map[string][2]string{
		"tools/list":               {`{}`, `{"tools":[{"name":"rows","description":"Rows.","inputSchema":{"type":"object"}}],"nextCursor":"c"}`},
		"tools/call":               {`{"name":"rows","arguments":{"who":"Jane Doe"}}`, `{"content":[{"type":"text","text":"Three beds are free."}],"structuredContent":{"name":"Jane Doe"},"isError":false}`},
		"prompts/list":             {`{"cursor":"c"}`, `{"prompts":[{"name":"letter","description":"A letter.","arguments":[{"name":"to","required":true}]}]}`},
		"prompts/get":              {`{"name":"letter"}`, `{"messages":[{"role":"user","content":{"type":"text","text":"Write a letter."}}]}`},
		"resources/list":           {`{}`, `{"resources":[{"uri":"mem://beds","name":"beds","mimeType":"text/plain"}]}`},
		"resources/templates/list": {`{}`, `{"resourceTemplates":[{"uriTemplate":"mem://{ward}","name":"wards"}]}`},
		"resources/read":           {`{"uri":"mem://beds"}`, `{"contents":[{"uri":"mem://beds","mimeType":"text/plain","text":"Three beds are free."}]}`},
		"resources/subscribe":      {`{"uri":"mem://beds"}`, `{}`},
		"completion/complete":      {`{"ref":{"type":"ref/prompt","name":"letter"},"argument":{"name":"to","value":""}}`, `{"completion":{"values":[],"hasMore":false}}`},
	}
	for _, event := range listed.Result.Interceptors[0].Hooks[0].Events {
		s, ok := samples[event]
		if !ok {
			t.Errorf("there is no sample of %s", event)
			continue
		}
		for phase, payload := range map[string]string{"request": `{"method":"` + event + `","params":` + s[0] + `}`, "response": s[1]} {
			body := strings.Replace(invoke(interceptor.Terms, phase, payload, forJane), `"event":"tools/call"`, `"event":"`+event+`"`, 1)
			want := `"modified":false`
			if event == "completion/complete" {
				want = `"modified":` // what completes an argument that nothing labels is restricted
			}
			if _, got := h.post(t, "scrim_edge", body); !bytes.Contains(got, []byte(want)) {
				t.Errorf("%s, %s: %s", event, phase, got)
			}
		}
	}
}
