package a2a_test

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
)

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("abroad") @reason("a stand-in is enough") permit (principal in Domain::"other", action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" || resource.tier == "internal" };
@id("answers") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "response" };
@id("come-home") permit (principal in Domain::"own", action == Action::"open", resource) when { context.is_supplier && context.same_task };
`

const referral = `{
  "type": "object",
  "properties": {
    "name": {"type": "string", "x-scrim-label": "person/name"},
    "email": {"type": "string", "x-scrim-label": "person/contact/email"},
    "born": {"type": "string", "x-scrim-label": "person/birth-date"},
    "ssn": {"type": "string", "x-scrim-label": "government-id/ssn", "x-scrim-droppable": true},
    "id": {"type": "string", "x-scrim-label": "technical/record-id"}
  },
  "required": ["name"]
}`

// agentStub answers each call with what answer returns, and keeps what it got.
type agentStub struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	header []http.Header
	answer func(w http.ResponseWriter, body string)
}

func newAgent(t *testing.T, answer func(w http.ResponseWriter, body string)) *agentStub {
	s := &agentStub{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, string(b))
		s.header = append(s.header, r.Header.Clone())
		s.mu.Unlock()
		s.answer(w, string(b))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *agentStub) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func answerWith(result string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, body string) {
		var in struct {
			ID stdjson.RawMessage `json:"id"`
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, in.ID, result)
	}
}

var person = regexp.MustCompile(`\[person \d+\]`)

// personIn is what the agent was given to call the person in a message.
func personIn(body string) string { return person.FindString(body) }

type rig struct {
	*gatewaytest.Rig
	url string
}

// newRig puts the agent, of domain other, beyond the outbound face of a gateway of domain own.
func newRig(t *testing.T, agent *agentStub, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	up, err := gateway.NewUpstream(agent.URL, "Authorization", flow.NewSecret("Bearer upstream"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	caller := flow.Party{Agent: "caller", Domain: gatewaytest.Own}
	setup := gatewaytest.Setup{
		Policy:  policies,
		Agents:  []*gateway.Agent{{Party: caller}, {Party: flow.Party{Agent: "partner", Domain: gatewaytest.Other}, A2A: up}},
		Callers: map[string]identity.Grant{"scrim_key": {Party: caller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}},
		Schemas: []gatewaytest.Schema{
			{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: referral},
			{Kind: catalog.Data, Owner: "partner", Direction: flow.Response, JSON: referral},
		},
	}
	if change != nil {
		change(&setup)
	}
	g := gatewaytest.New(t, setup)
	mux := http.NewServeMux()
	mux.Handle("/out/a2a/", &a2a.Handler{Gateway: g.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: &a2a.Cards{Signer: g.Keys.Signer("card"), KeyID: g.Keys.ID()}})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return &rig{g, srv.URL + "/out/a2a/partner"}
}

func (r *rig) send(t *testing.T, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	req.Header.Set("Authorization", "Bearer scrim_key")
	req.Header.Set("Scrim-Purpose", "care")
	req.Header.Set("Scrim-Criticality", "routine")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
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
	return res.StatusCode, string(b)
}

const plainMessage = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"text":"How are the beds today?"}]}}}`

const fullMessage = `{"jsonrpc":"2.0","id":"a","method":"SendMessage","params":{"message":{"messageId":"m-2","role":"ROLE_USER","parts":[
 {"text":"Please look at Jane Doe, reachable at jane.doe@example.org."},
 {"data":{"name":"Jane Doe","email":"jane.doe@example.org","born":"1961-04-12","ssn":"536-90-4399","id":"r-17"}}]}}}`

const okMessage = `{"message":{"messageId":"r-1","contextId":"c-1","role":"ROLE_AGENT","parts":[{"text":"Done."}]}}`

func TestUnchangedMessagePassesByteForByte(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	status, body := newTown(t, agent, nil).to(t, "/a2a/desk", "scrim_key", plainMessage)
	if want := `{"jsonrpc":"2.0","id":1,"result":` + okMessage + `}`; status != 200 || body != want {
		t.Errorf("answer = %d %s\nwant 200 %s", status, body, want)
	}
	if got := agent.received(); len(got) != 1 || got[0] != plainMessage {
		t.Errorf("agent received %q, want the message's own bytes", got)
	}
}

// sealedID is an identifier as another domain sees it, or one of another domain's as ours see it.
var sealedID = regexp.MustCompile(`"sid1_[\w-]{43}"`)

func TestAcrossDomainsNothingButIdentifiersChanges(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	status, body := r.send(t, plainMessage)
	want := `{"jsonrpc":"2.0","id":1,"result":` + strings.NewReplacer(`"r-1"`, `ID`, `"c-1"`, `ID`).Replace(okMessage) + `}`
	if status != 200 || sealedID.ReplaceAllString(body, "ID") != want {
		t.Errorf("answer = %d %s\nwant 200 %s", status, body, want)
	}
	if got := agent.received(); len(got) != 1 || sealedID.ReplaceAllString(got[0], `"m-1"`) != plainMessage || got[0] == plainMessage {
		t.Errorf("agent received %q, want the message's own bytes but for its id", got)
	}
	if got := agent.header[0].Get("Authorization"); got != "Bearer upstream" {
		t.Errorf("upstream credential is not the gateway's own")
	}
}

func TestForeignAgentSeesStandIns(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	if status, body := r.send(t, fullMessage); status != 200 {
		t.Fatalf("answer = %d %s", status, body)
	}
	got := agent.received()[0]
	for _, secret := range []string{"Jane", "Doe", "jane.doe", "1961-04-12", "536-90-4399"} {
		if strings.Contains(gatewaytest.Said(got), secret) {
			t.Errorf("%q reached the foreign agent: %s", secret, got)
		}
	}
	for _, want := range []string{"[person ", "[email ", `"born":"1961"`, `"messageId":"sid1_`, `"name":"stk1_`} {
		if !strings.Contains(got, want) {
			t.Errorf("agent's view lacks %q: %s", want, got)
		}
	}
	if strings.Contains(gatewaytest.Said(got), "ssn") {
		t.Errorf("a droppable member that policy drops is still there: %s", got)
	}
}

func TestStandInsComeHome(t *testing.T) {
	agent := newAgent(t, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		var in struct {
			Params struct {
				Message struct {
					Parts []struct {
						Data map[string]string `json:"data"`
					} `json:"parts"`
				} `json:"message"`
			} `json:"params"`
		}
		if err := stdjson.Unmarshal([]byte(body), &in); err != nil {
			t.Error(err)
		}
		data, _ := stdjson.Marshal(in.Params.Message.Parts[1].Data)
		answerWith(`{"message":{"messageId":"r-1","contextId":"c-1","role":"ROLE_AGENT","parts":[{"text":"`+personIn(body)+` is approved; ask [person 999]."},{"data":`+string(data)+`}]}}`)(w, body)
	}
	r := newRig(t, agent, nil)
	status, body := r.send(t, fullMessage)
	if status != 200 {
		t.Fatalf("answer = %d %s", status, body)
	}
	for _, want := range []string{"Jane Doe is approved; ask [person 999].", `"name":"Jane Doe"`, `"email":"jane.doe@example.org"`} {
		if !strings.Contains(body, want) {
			t.Errorf("answer lacks %q: %s", want, body)
		}
	}
}

func TestRetryIsAnsweredWithTheSameBytesAndUpstreamIsCalledOnce(t *testing.T) {
	n := 0
	agent := newAgent(t, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		n++
		answerWith(fmt.Sprintf(`{"message":{"messageId":"r-%d","role":"ROLE_AGENT","parts":[{"text":"%s done"}]}}`, n, personIn(body)))(w, body)
	}
	r := newRig(t, agent, nil)
	_, first := r.send(t, fullMessage)
	_, second := r.send(t, fullMessage)
	if first != second {
		t.Errorf("retry = %s\nwant %s", second, first)
	}
	if got := len(agent.received()); got != 1 {
		t.Errorf("upstream was called %d times, want 1", got)
	}
	_, other := r.send(t, strings.Replace(fullMessage, `"id":"a"`, `"id":"b"`, 1))
	if want := strings.Replace(first, `"id":"a"`, `"id":"b"`, 1); other != want {
		t.Errorf("retry under another JSON-RPC id = %s\nwant %s", other, want)
	}
	status, conflict := r.send(t, strings.Replace(fullMessage, "Please", "Kindly", 1))
	if !strings.Contains(conflict, "used before with another request") {
		t.Errorf("the same id with another message = %d %s, want a conflict", status, conflict)
	}
}

func TestRefusalsNameThePlaceAndNeverTheValue(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		header []string
		want   string
	}{
		"no credential":      {plainMessage, []string{"Authorization", ""}, "credential"},
		"wrong credential":   {plainMessage, []string{"Authorization", "Bearer scrim_other"}, "credential"},
		"no version":         {plainMessage, []string{"A2A-Version", ""}, "1.0"},
		"duplicate member":   {strings.Replace(plainMessage, `"id":1`, `"id":1,"id":2`, 1), nil, "byte"},
		"batch":              {"[" + plainMessage + "]", nil, "batch"},
		"unknown method":     {strings.Replace(plainMessage, "SendMessage", "Zanzibar", 1), nil, "not carried"},
		"compressed":         {plainMessage, []string{"Content-Encoding", "gzip"}, "encoding"},
		"undeclared member":  {strings.Replace(fullMessage, `"id":"r-17"`, `"Zanzibar":"Zanzibar"`, 1), nil, "/params/message/parts/1/data/*"},
		"bad role":           {strings.Replace(plainMessage, "ROLE_USER", "Zanzibar", 1), nil, "/params/message/role"},
		"push configuration": {strings.Replace(plainMessage, `"params":{`, `"params":{"configuration":{"taskPushNotificationConfig":{"url":"http://Zanzibar"}},`, 1), nil, "not carried"},
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t, answerWith(okMessage))
			r := newRig(t, agent, nil)
			_, body := r.send(t, c.body, c.header...)
			if !strings.Contains(body, c.want) || !strings.Contains(body, `"error"`) {
				t.Errorf("answer = %s, want an error with %q", body, c.want)
			}
			if strings.Contains(body, "Zanzibar") {
				t.Errorf("the answer echoes a value: %s", body)
			}
			if len(agent.received()) != 0 {
				t.Errorf("the message was forwarded")
			}
			events := r.Events()
			if len(events) != 1 || events[0].Outcome != flow.Refused {
				t.Errorf("journal = %+v, want one refusal", events)
			}
			for _, ev := range events {
				b, _ := stdjson.Marshal(ev)
				if bytes.Contains(b, []byte("Zanzibar")) {
					t.Errorf("the journal holds a value: %s", b)
				}
			}
			if status, body := r.send(t, plainMessage); status != 200 {
				t.Errorf("after a refusal the next message = %d %s, want 200", status, body)
			}
		})
	}
}
