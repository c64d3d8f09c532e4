package erasure_test

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/handles"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/store"
)

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("tokens") @token("reversible") @exception("test") permit (principal in Domain::"other", action in Action::"upto_tokenized", resource in DataClass::"person") when { context.purpose == Purpose::"billing" };
@id("care") @exception("test") permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"person") when { context.purpose == Purpose::"care" };
@id("abroad") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("ids") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical");
@id("in") permit (principal in Domain::"own", action in Action::"upto_raw", resource);
`

const record = `{"type":"object","x-scrim-unit":"patient","properties":{
	"name":{"type":"string","x-scrim-label":"person/name","x-scrim-subject":"/id"},
	"mail":{"type":"string","x-scrim-label":"person/contact/email","x-scrim-subject":"/id"},
	"id":{"type":"string","x-scrim-label":"technical/record-id","x-scrim-subject":"/id"}}}`

const mark = `,"metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":true}}`

// rig is an agent of domain own with records of patients behind a gateway, and callers of another domain.
type rig struct {
	*gatewaytest.Rig
	t     testing.TB
	url   string
	now   *clock
	rules erasure.Rules
	*erasure.Office

	mu     sync.Mutex
	answer string
	hold   chan struct{} // nil: the agent answers at once
	asked  chan struct{} // gets one for each call that is held
	calls  int
	sent   int
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, now: &clock{at: time.Now()}, asked: make(chan struct{}, 16)}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			http.NotFound(w, req)
			return
		}
		var in struct{ ID stdjson.RawMessage }
		_ = stdjson.NewDecoder(req.Body).Decode(&in)
		r.mu.Lock()
		r.calls++
		answer, hold := r.answer, r.hold
		r.mu.Unlock()
		if hold != nil {
			r.asked <- struct{}{}
			<-hold
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
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"billing", "care"}, Criticality: flow.Critical}
	}
	records, insurer, rival := party("records", gatewaytest.Own), party("insurer", gatewaytest.Other), party("rival", gatewaytest.Other)
	r.Rig = gatewaytest.New(t, gatewaytest.Setup{
		Policy: policies, NoSync: true, Clock: r.now.now,
		Agents:  []*gateway.Agent{{Party: records, A2A: up}, {Party: insurer}, {Party: rival}},
		Callers: map[string]identity.Grant{"scrim_insurer": grant(insurer), "scrim_rival": grant(rival)},
		Schemas: []gatewaytest.Schema{{Kind: catalog.Data, Owner: "records", Direction: flow.Response, JSON: record}},
	})
	r.Office = r.office()
	mux := http.NewServeMux()
	mux.Handle("/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}})
	mux.Handle(gateway.HandlePath, &handles.Handler{Gateway: r.Gateway, Quantum: time.Millisecond})
	srv := httptest.NewServer(r.Door(gateway.Resources(r.Gateway, mux)))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *rig) office() *erasure.Office {
	return erasure.New(erasure.Options{
		DB: r.DB, Journal: r.Log, Vault: r.Vault, Keys: r.Keys, Domain: gatewaytest.Own, Clock: r.now.now, Rules: func() erasure.Rules { return r.rules },
	})
}

func person(n int) string {
	return fmt.Sprintf(`{"name":"Zelda Kowalska %04d","id":"MRN-%04d","mail":"zelda.%04d@example.org"}`, n, n, n)
}

func named(n int) erasure.Subject {
	return erasure.Subject{Unit: "patient", Value: flow.NewSecret(fmt.Sprintf("MRN-%04d", n))}
}

func (r *rig) ref(n int) flow.SubjectRef {
	return r.Vault.Subject("patient", fmt.Sprintf("MRN-%04d", n))
}

// ask sends a message as the caller, in a context of its own, to the agent, which answers with the parts.
func (r *rig) ask(caller, purpose, parts string) string {
	r.mu.Lock()
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[` + parts + `]}}`
	r.sent++
	n := r.sent
	r.mu.Unlock()
	return r.send(caller, purpose, n)
}

func (r *rig) send(caller, purpose string, n int) string {
	r.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-%d","contextId":"c-%d","role":"ROLE_USER","parts":[{"text":"hello"}]}}}`, n, n)
	_, got := r.do(http.MethodPost, "/a2a/records", caller, map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", identity.HeaderPurpose: purpose, identity.HeaderCriticality: "critical",
	}, body)
	return got
}

func (r *rig) do(method, path, key string, header map[string]string, body string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer scrim_"+key)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Error(err)
		return nil, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Error(err)
	}
	return res, string(b)
}

var tokens = regexp.MustCompile(`stk1_[A-Za-z0-9_-]+`)

// references finds the reference of a part in an answer.
func (r *rig) reference(message string) string {
	r.t.Helper()
	at := strings.Index(message, `{"handle":`)
	if at < 0 {
		r.t.Fatalf("no reference in %s", message)
	}
	var h struct{ Handle flow.Handle }
	if err := stdjson.NewDecoder(strings.NewReader(message[at:])).Decode(&h); err != nil {
		r.t.Fatal(err)
	}
	return h.Handle.Ref
}

// erase asks and confirms as the operator.
func (r *rig) erase(n int) erasure.Done {
	r.t.Helper()
	req, err := r.Ask(r.t.Context(), named(n), flow.Secret{})
	if err != nil {
		r.t.Fatal(err)
	}
	done, err := r.Confirm(r.t.Context(), req.ID, named(n), flow.Secret{})
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

// erased is what goes with a subject, as internal/run has it.
func erased(tx store.Tx, s flow.SubjectRef) error { return gateway.EraseAbout(tx, s) }
