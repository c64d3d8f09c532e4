package offer_test

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
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/offer"
)

// kinds of value that messages are made of, and a value of each that detection takes for nothing stricter.
var kinds = []struct {
	name  string
	label flow.Label
	value string
}{
	{"name", "person/name", "Zelda Quixwort"},
	{"email", "person/contact/email", "zelda@mail.example"},
	{"born", "person/birth-date", "1961-04-12"},
	{"member", "health/member-number", "HM4418207"},
	{"diagnosis", "health/diagnosis", "M05.9"},
	{"postal", "location/postal", "90417"},
	{"record", "technical/record-id", "rec-4711"},
	{"category", "business/category", "cat-b"},
}

// schema labels a value of each kind; a request may be sent on without any.
func schema() string {
	var props []string
	for _, k := range kinds {
		props = append(props, fmt.Sprintf(`%q:{"x-scrim-label":%q,"x-scrim-droppable":true}`, k.name, k.label))
	}
	return `{"type":"object","properties":{` + strings.Join(props, ",") + `}}`
}

func data() string {
	var members []string
	for _, k := range kinds {
		members = append(members, fmt.Sprintf("%q:%q", k.name, k.value))
	}
	return "{" + strings.Join(members, ",") + "}"
}

var (
	intake  = flow.Party{Agent: "intake", Domain: gatewaytest.Own}
	desk    = flow.Party{Agent: "desk", Domain: gatewaytest.Own}
	partner = flow.Party{Agent: "partner", Domain: gatewaytest.Other, Roles: []flow.Role{"payer"}}
	outside = flow.Party{Agent: "outside", Domain: gatewaytest.Other}
)

type rig struct {
	*gatewaytest.Rig
	url   string
	terms *offer.Terms

	mu   sync.Mutex
	now  time.Time
	sent []string // what the agents were sent

	domains *gatewaytest.Domains
	holder  *gatewaytest.Holder // whose capability callers show; nil: none
}

// newRig has two agents that answer with a value of each kind: desk of the own domain, and partner of the other.
func newRig(t testing.TB, policies string, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	out := &rig{now: time.Now()}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		var in struct {
			ID stdjson.RawMessage `json:"id"`
		}
		b, _ := io.ReadAll(r.Body)
		_ = stdjson.Unmarshal(b, &in)
		out.mu.Lock()
		out.sent = append(out.sent, string(b))
		out.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":%s}]}}}`, in.ID, data())
	}))
	t.Cleanup(agent.Close)
	up, err := gateway.NewUpstream(agent.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
	must(t, err)
	r := out
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"care", "billing", "research"}, Default: "care", Criticality: flow.Critical}
	}
	setup := gatewaytest.Setup{
		Policy: policies, NoSync: true, Domains: gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other),
		Agents:  []*gateway.Agent{{Party: intake}, {Party: outside}, {Party: desk, A2A: up, MCP: up}, {Party: partner, A2A: up, MCP: up}},
		Callers: map[string]identity.Grant{"scrim_intake": grant(intake), "scrim_outside": grant(outside)},
	}
	for _, owner := range []flow.AgentID{"desk", "partner"} {
		for _, dir := range []flow.Direction{flow.Request, flow.Response} {
			setup.Schemas = append(setup.Schemas, gatewaytest.Schema{Kind: catalog.Data, Owner: owner, Direction: dir, JSON: schema()})
		}
	}
	if change != nil {
		change(&setup)
	}
	r.Rig, r.domains = gatewaytest.New(t, setup), setup.Domains
	r.terms = &offer.Terms{Gateway: r.Gateway, Limits: func() offer.Limits { return offer.Limits{Rate: 1 << 20} }, Clock: r.clock}
	own := offer.New(r.terms.Tool())
	cards := &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}
	mux := http.NewServeMux()
	mux.Handle("/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards, Own: own})
	mux.Handle("/out/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards, Own: own})
	mux.Handle("/mcp/scrim", &mcp.Own{Gateway: r.Gateway, Face: gateway.Inbound, Tools: own})
	mux.Handle("/out/mcp/scrim", &mcp.Own{Gateway: r.Gateway, Face: gateway.Outbound, Tools: own})
	srv := httptest.NewServer(r.Door(mux))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *rig) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.sent...)
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }

func (r *rig) wait(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.now = r.now.Add(d) }

func (r *rig) post(t testing.TB, path, key, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if r.holder != nil {
		r.holder.Show(t, req, []byte(body))
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, res.Header, string(b)
}

// askRaw asks at an agent's own address and returns the whole body.
func (r *rig) askRaw(t testing.TB, path, key, params string) string {
	t.Helper()
	_, _, body := r.post(t, path, key, `{"jsonrpc":"2.0","id":7,"method":"scrim/terms","params":`+params+`}`)
	return body
}

func (r *rig) ask(t testing.TB, path, key, params string) offer.Told {
	t.Helper()
	return told(t, r.askRaw(t, path, key, params))
}

func told(t testing.TB, body string) offer.Told {
	t.Helper()
	var out struct {
		Result *offer.Told         `json:"result"`
		Error  *stdjson.RawMessage `json:"error"`
	}
	if err := stdjson.Unmarshal([]byte(body), &out); err != nil || out.Result == nil {
		t.Fatalf("no terms: %v %s", err, body)
	}
	return *out.Result
}

// askMCP asks by the tool at the gateway's own MCP address.
func (r *rig) askMCP(t testing.TB, face, key, arguments string) (offer.Told, string) {
	t.Helper()
	_, _, body := r.post(t, face+"/mcp/scrim", key, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"scrim_terms","arguments":`+arguments+`}}`)
	var out struct {
		Result struct {
			Structured *offer.Told `json:"structuredContent"`
		} `json:"result"`
	}
	if err := stdjson.Unmarshal([]byte(body), &out); err != nil || out.Result.Structured == nil {
		t.Fatalf("no terms: %v %s", err, body)
	}
	return *out.Result.Structured, body
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
