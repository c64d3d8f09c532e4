package handles_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/handles"
	"github.com/scrimhq/scrim/gateway/identity"
)

// behind puts a gateway of the insurer's domain before the other one, which calls it as the insurer.
func behind(t *testing.T, far *rig, policy string) *rig {
	t.Helper()
	up, err := gateway.NewUpstream(far.url+"/a2a/records", "Authorization", flow.NewSecret("Bearer scrim_insurer"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	near := &rig{t: t, now: far.now}
	claims := flow.Party{Agent: "claims", Domain: gatewaytest.Own}
	near.setup = gatewaytest.Setup{
		Policy: policy, NoSync: true, Clock: far.now.now,
		Agents: []*gateway.Agent{{Party: claims}, {Party: flow.Party{Agent: "records", Domain: gatewaytest.Other}, A2A: up}, {Party: flow.Party{Agent: "desk", Domain: gatewaytest.Own}}},
		Callers: map[string]identity.Grant{
			"scrim_claims": {Party: claims, Purposes: []flow.Purpose{"care", "billing"}, Criticality: flow.Critical},
			"scrim_desk":   {Party: flow.Party{Agent: "desk", Domain: gatewaytest.Own}, Purposes: []flow.Purpose{"care", "billing"}, Criticality: flow.Critical},
		},
	}
	near.Rig = gatewaytest.New(t, near.setup)
	mux := http.NewServeMux()
	mux.Handle("/out/a2a/", &a2a.Handler{Gateway: near.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: &a2a.Cards{Signer: near.Keys.Signer("card"), KeyID: near.Keys.ID()}})
	mux.Handle(gateway.HandlePath, &handles.Handler{Gateway: near.Gateway, Quantum: time.Millisecond})
	srv := httptest.NewServer(gateway.Resources(near.Gateway, mux))
	t.Cleanup(srv.Close)
	near.url = srv.URL
	return near
}

func (r *rig) through(t *testing.T, key, purpose string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+"/out/a2a/records", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hello"}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer scrim_" + key, identity.HeaderPurpose: purpose, identity.HeaderCriticality: "critical"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

const nearPolicy = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.direction == "response" };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
`

// A reference goes on through the recipient's own gateway as one of that gateway, and what is behind it goes down both roads.
func TestAReferenceGoesThroughAnotherGateway(t *testing.T) {
	for _, tt := range []struct{ name, policy, purpose, want string }{
		{"both show it", nearPolicy, "care", secret},
		{"the far one hides", nearPolicy, "billing", "Write to [email"},
		{"the near one hides", strings.Replace(nearPolicy, `"upto_raw", resource) when`, `"upto_masked", resource) when`, 1), "care", "Write to [email] today."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			far := newRig(t, nil)
			far.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + secret + `","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":2}}}},{"text":"beside"}]}}`
			near := behind(t, far, tt.policy)
			out := near.through(t, "claims", tt.purpose)
			if !strings.Contains(out, "beside") || strings.Contains(gatewaytest.Said(out), "jane") || strings.Contains(out, far.url) {
				t.Fatal(out)
			}
			h := near.reference(out)
			if !strings.HasPrefix(h.URL, near.url) || h.Uses != 2 || h.Media != "text/plain" {
				t.Errorf("%+v", h)
			}
			id := map[string]string{handles.HeaderFlow: "one"}
			for range 3 {
				res, got := near.redeem(h, "claims", id)
				if res.StatusCode != http.StatusOK || !strings.HasPrefix(got, tt.want) {
					t.Fatalf("%s %q, want %q", res.Status, got, tt.want)
				}
			}
			if res, _ := near.redeem(h, "desk", nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("another agent of the near domain: %s", res.Status)
			}
			if res, _ := near.redeem(h, "claims", map[string]string{handles.HeaderFlow: "two"}); res.StatusCode != http.StatusOK {
				t.Errorf("the second use: %s", res.Status)
			}
			if res, _ := near.redeem(h, "claims", map[string]string{handles.HeaderFlow: "three"}); res.StatusCode != http.StatusNotFound {
				t.Errorf("a third use: %s", res.Status)
			}
			released := 0
			for _, ev := range far.Events() {
				if ev.Flow.Method == "RedeemHandle" && ev.Outcome == flow.Released {
					released++
				}
			}
			if released != 2 {
				t.Errorf("the far gateway released it %d times, want 2", released)
			}
		})
	}
}

// An address that is not the agent's own is none of a gateway: nothing is fetched from it.
func TestAnAgentNamesNoOtherGateway(t *testing.T) {
	asked := false
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = true }))
	defer trap.Close()
	const id = "0k9d3p1l7fq2r8s4t6v5u0aebichgjmn"
	far := newRig(t, nil)
	near := behind(t, far, nearPolicy)
	for _, address := range []string{trap.URL + "/handles/" + id, strings.Replace(far.url, "http://", "http://x@", 1) + "/handles/" + id, far.url + "/a/../handles/" + id, far.url + "/handles/" + id + "?x=1"} {
		part := `{"url":"` + address + `","mediaType":"text/plain","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"ref":"scrim:ref:` + id + `","url":"` + address + `","expires":"2099-01-01T00:00:00Z"}}}}`
		stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":"1","result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[`+part+`]}}}`)
		}))
		up, err := gateway.NewUpstream(stub.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		near.reload(func(s *gatewaytest.Setup) {
			s.Agents = append([]*gateway.Agent{{Party: flow.Party{Agent: "records", Domain: gatewaytest.Other}, A2A: up}}, s.Agents[0], s.Agents[2])
		})
		if out := near.through(t, "claims", "care"); strings.Contains(out, `{"handle":`) {
			t.Errorf("%s: %s", address, out)
		}
		stub.Close()
	}
	if asked {
		t.Error("the address was asked")
	}
}

// What another gateway gives is a part and no more.
func TestWhatAnotherGatewayGivesStaysInItsPlace(t *testing.T) {
	var part string
	far := http.NewServeMux()
	srv := httptest.NewServer(far)
	defer srv.Close()
	const id = "0k9d3p1l7fq2r8s4t6v5u0aebichgjmn"
	far.HandleFunc("/handles/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", handles.PartMedia)
		_, _ = io.WriteString(w, part)
	})
	far.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		b, _ := io.ReadAll(r.Body)
		rpcID := `"1"`
		if strings.Contains(string(b), `"id":1`) {
			rpcID = "1"
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+rpcID+`,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"url":"`+srv.URL+`/handles/`+id+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"ref":"scrim:ref:`+id+`","url":"`+srv.URL+`/handles/`+id+`","expires":"2099-01-01T00:00:00Z"}}}}]}}}`)
	})
	near := behind(t, &rig{t: t, url: srv.URL, now: &clock{at: time.Now()}}, nearPolicy)
	h := near.reference(near.through(t, "claims", "care"))
	for i, tt := range []struct {
		part string
		ok   bool
	}{
		{`{"text":"fine"}`, true},
		{`{"text":"a"},{"text":"b"}`, false},
		{`{"text":"a"}]},"x":[{"text":"b"}`, false},
		{`[]`, false},
		{`"x"`, false},
		{`{"text":"a","data":{}}`, false},
		{`{"text":"a"`, false},
		{`{"hidden":"jane"}`, false},
		{`{"url":"http://x.example/"}`, false},
	} {
		part = tt.part
		res, got := near.redeem(h, "claims", nil)
		if ok := res.StatusCode == http.StatusOK; ok != tt.ok {
			t.Errorf("%d %s: %s %q", i, tt.part, res.Status, got)
		}
	}
}
