package handles_test

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/handles"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/store"
)

const third flow.DomainID = "third"

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("files") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"file/opaque") when { context.purpose == Purpose::"research" };
@id("links") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical");
@id("care") permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"person") when { context.purpose == Purpose::"care" };
@id("abroad") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");
@id("in") permit (principal in Domain::"own", action in Action::"upto_raw", resource);
`

const record = `{"type":"object","properties":{
	"name":{"type":"string","x-scrim-label":"person/name","x-scrim-subject":"/id"},
	"id":{"type":"string","x-scrim-label":"technical/record-id","x-scrim-subject":"/id"},
	"code":{"type":"string","x-scrim-label":"person/nationality"}}}`

// rig is an agent of domain own behind a gateway, and callers of domains other and third.
type rig struct {
	*gatewaytest.Rig
	t      testing.TB
	url    string
	setup  gatewaytest.Setup
	now    *clock
	mu     sync.Mutex
	answer string
	got    []string
	faults []string
	sent   int
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newRig(t testing.TB, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	r := &rig{t: t, now: &clock{at: time.Now()}}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			http.NotFound(w, req)
			return
		}
		b, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got = append(r.got, string(b))
		answer := r.answer
		r.mu.Unlock()
		var in struct{ ID stdjson.RawMessage }
		_ = stdjson.Unmarshal(b, &in)
		if events, ok := strings.CutPrefix(answer, "stream "); ok {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, ev := range strings.Split(events, "\n") {
				fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", in.ID, ev)
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, in.ID, answer)
	}))
	t.Cleanup(agent.Close)
	up, err := gateway.NewUpstream(agent.URL, "Authorization", flow.NewSecret("Bearer upstream"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	party := func(agent flow.AgentID, domain flow.DomainID) flow.Party {
		return flow.Party{Agent: agent, Domain: domain}
	}
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"billing", "care", "research"}, Criticality: flow.Critical}
	}
	records, insurer, rival, broker := party("records", gatewaytest.Own), party("insurer", gatewaytest.Other), party("rival", gatewaytest.Other), party("broker", third)
	r.setup = gatewaytest.Setup{
		Policy: policies, NoSync: true, Clock: r.now.now,
		Agents:  []*gateway.Agent{{Party: records, A2A: up}, {Party: insurer}, {Party: rival}, {Party: broker}},
		Callers: map[string]identity.Grant{"scrim_insurer": grant(insurer), "scrim_rival": grant(rival), "scrim_broker": grant(broker), "scrim_records": grant(records)},
		Schemas: []gatewaytest.Schema{
			{Kind: catalog.Data, Owner: "records", Direction: flow.Request, JSON: record},
			{Kind: catalog.Data, Owner: "records", Direction: flow.Response, JSON: record},
		},
	}
	r.setup.Hooks.Error = func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.faults = append(r.faults, err.Error())
	}
	if change != nil {
		change(&r.setup)
	}
	r.Rig = gatewaytest.New(t, r.setup)
	mux := http.NewServeMux()
	mux.Handle("/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}})
	mux.Handle(gateway.HandlePath, &handles.Handler{Gateway: r.Gateway, Quantum: time.Millisecond})
	srv := httptest.NewServer(r.Door(gateway.Resources(r.Gateway, mux)))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

// reload puts the setup in force after a change.
func (r *rig) reload(change func(*gatewaytest.Setup)) {
	r.t.Helper()
	setup := r.setup
	change(&setup)
	s := gatewaytest.Snapshot(r.t, setup)
	if err := r.Swap(context.Background(), s, "test"); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) do(method, path, key string, header map[string]string, body string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer scrim_"+key)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(b)
}

// ask sends a message of the insurer to the agent, which answers with these parts, and returns the answer.
func (r *rig) ask(purpose, parts string) string {
	r.t.Helper()
	return r.call(purpose, `{"text":"hello"}`, `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[`+parts+`]}}`)
}

func (r *rig) call(purpose, parts, answer string) string {
	r.t.Helper()
	r.mu.Lock()
	r.answer = answer
	r.sent++
	n := r.sent
	r.mu.Unlock()
	method := "SendMessage"
	if strings.HasPrefix(answer, "stream ") {
		method = "SendStreamingMessage"
	}
	_, body := r.do(http.MethodPost, "/a2a/records", "insurer", map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", identity.HeaderPurpose: purpose, identity.HeaderCriticality: map[string]string{"care": "critical"}[purpose],
	}, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"%s","params":{"message":{"messageId":"m-%d","contextId":"c","role":"ROLE_USER","parts":[%s]}}}`, method, n, parts))
	return body
}

const mark = `,"metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":true}}`

// reference finds the one reference in a message.
func (r *rig) reference(message string) flow.Handle {
	r.t.Helper()
	at := strings.Index(message, `{"handle":`)
	if at < 0 {
		r.t.Fatalf("no reference in %s", message)
	}
	var h struct{ Handle flow.Handle }
	if err := stdjson.NewDecoder(strings.NewReader(message[at:])).Decode(&h); err != nil {
		r.t.Fatal(err)
	}
	return h.Handle
}

func (r *rig) redeem(h flow.Handle, key string, header map[string]string) (*http.Response, string) {
	r.t.Helper()
	return r.do(http.MethodGet, gateway.HandlePath+gateway.HandleID(h.Ref), key, header, "")
}

// A marked part goes by reference, and is redeemed as it would have been shown beside the rest.
func TestAMarkedPartIsRedeemedAsItWouldHaveBeenShown(t *testing.T) {
	for _, tt := range []struct{ name, part, media, want string }{
		{"text", `"text":"Write to jane.doe@example.org today."`, "text/plain; charset=utf-8", "Write to j***@e***.org today."},
		{"data", `"data":{"name":"Zelda Kowalska","id":"7"}`, "application/json", `{"name":"Z*** K***","id":"7"}`},
		{"a file", `"raw":"V3JpdGUgdG8gamFuZS5kb2VAZXhhbXBsZS5vcmcu","mediaType":"text/markdown"`, "text/markdown", "Write to j***@e***.org."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			inline := r.ask("billing", `{`+tt.part+`}`)
			out := r.ask("billing", `{`+tt.part+mark+`},{"text":"beside"}`)
			if strings.Contains(out, "***") || strings.Contains(gatewaytest.Said(out), "jane") || strings.Contains(gatewaytest.Said(out), "Zelda") || !strings.Contains(out, "beside") {
				t.Fatalf("the part did not go by reference: %s", out)
			}
			h := r.reference(out)
			if h.URL != r.url+"/handles/"+strings.TrimPrefix(h.Ref, flow.HandleScheme) || len(h.Ref) != len(flow.HandleScheme)+32 {
				t.Errorf("reference %+v", h)
			}
			if h.Size != "" {
				t.Errorf("the size of what is not shown is told: %s", h.Size)
			}
			res, got := r.redeem(h, "insurer", nil)
			if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != tt.media {
				t.Fatalf("%s %s: %s", res.Status, res.Header.Get("Content-Type"), got)
			}
			if strings.Contains(got, "jane.doe") || strings.Contains(gatewaytest.Said(got), "Zelda") {
				t.Errorf("redeemed %q, which is more than shown inline: %s", got, inline)
			}
			if !strings.Contains(tt.name, "file") && !strings.Contains(strings.ReplaceAll(inline, `\"`, `"`), strings.Trim(got, "{}")) {
				t.Errorf("redeemed %q, inline %s", got, inline)
			}
			if note := res.Header.Get(handles.HeaderNote); !strings.Contains(note, `"level":"masked"`) {
				t.Errorf("note %s", note)
			}
			res, part := r.redeem(h, "insurer", map[string]string{"Accept": handles.PartMedia})
			if res.Header.Get("Content-Type") != handles.PartMedia || !stdjson.Valid([]byte(part)) || !strings.HasPrefix(part, `{"`) {
				t.Errorf("the whole part is %s", part)
			}
		})
	}
}

func countForms(n *int) func(store.Tx) error {
	return func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM gateway_handle_forms").Scan(n) }
}
