package grants_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/grants"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

const deskKey, labKey = "scrim_desk", "scrim_lab"

// office is a gateway with two agents, one of them of another domain, and grants for both names.
func office(t *testing.T) (*gatewaytest.Rig, *httptest.Server, *capability.Verifier) {
	t.Helper()
	party := func(id flow.AgentID, d flow.DomainID) flow.Party { return flow.Party{Agent: id, Domain: d} }
	desk := identity.Grant{Party: party("desk", gatewaytest.Own), Purposes: []flow.Purpose{"treatment", "billing"}, Criticality: flow.Routine}
	lab := identity.Grant{Party: party("lab", gatewaytest.Other), Purposes: []flow.Purpose{"research"}}
	rig := gatewaytest.New(t, gatewaytest.Setup{
		Agents:  []*gateway.Agent{{Party: desk.Party}, {Party: lab.Party}},
		Callers: map[string]identity.Grant{deskKey: desk, labKey: lab},
		Change: func(s *gateway.Snapshot) {
			terms := capability.Grant{
				Recipients: []string{"other/lab"}, Purposes: []flow.Purpose{"treatment", "marketing"},
				Levels: map[flow.Label]flow.Level{"person": flow.Tokenized}, Via: []flow.DomainID{"own"}, MaxDepth: 2,
			}
			s.Grants = gateway.Grants{
				{Name: "referral", Agents: []flow.AgentID{"desk", "lab"}, Terms: terms, Lifetime: 10 * time.Minute},
				{Name: "audit", Agents: []flow.AgentID{"records"}, Terms: terms, Lifetime: time.Minute},
			}
		},
	})
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&grants.Endpoint{Gateway: rig.Gateway, Signer: func() (crypto.Signer, string) { return key, "k1" }})
	t.Cleanup(srv.Close)
	return rig, srv, capability.NewVerifier(anchor{key.Public().(ed25519.PublicKey)}, capability.Options{})
}

type anchor struct{ key ed25519.PublicKey }

func (a anchor) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return a.key, d == gatewaytest.Own && kid == "k1"
}

func client(t *testing.T, url, key string) (*agent.Client, *agent.Key) {
	t.Helper()
	k := agent.NewKey()
	c, err := agent.NewClient(agent.Options{Key: k, Gateways: []agent.Gateway{{URL: url, Domain: gatewaytest.Own}}, Bearer: flow.NewSecret(key)})
	if err != nil {
		t.Fatal(err)
	}
	return c, k
}

// An agent gets what its grant says, within what it may claim itself, for its own key; that is on record before it is given.
func TestAnAgentGetsItsGrantAndNoMore(t *testing.T) {
	rig, srv, verifier := office(t)
	c, key := client(t, srv.URL, deskKey)
	chain, err := c.Obtain(t.Context(), gatewaytest.Own, agent.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	vd, err := verifier.Verify(chain)
	if err != nil {
		t.Fatal(err)
	}
	g := vd.Root().Grant
	if vd.Root().Holder != key.Thumbprint() || g.Agent != "desk" || !slices.Equal(g.Names, []string{"referral"}) {
		t.Errorf("root for %s of %s named %v, want one for desk's key, of referral", vd.Root().Holder, g.Agent, g.Names)
	}
	if !slices.Equal(g.Purposes, []flow.Purpose{"treatment"}) {
		t.Errorf("purposes %v, want treatment: the grant's within the agent's own", g.Purposes)
	}
	if g.Criticality == nil || *g.Criticality != flow.Routine {
		t.Errorf("criticality %v, want the agent's own", g.Criticality)
	}
	less := capability.Grant{Levels: map[flow.Label]flow.Level{"person/name": flow.Masked}}
	chain, err = c.Obtain(t.Context(), gatewaytest.Own, agent.Ask{Grant: "referral", Less: &less})
	if err != nil {
		t.Fatal(err)
	}
	if vd, err = verifier.Verify(chain); err != nil || vd.Level("person/name") != flow.Masked || vd.Level("person/birth-date") != flow.Dropped {
		t.Errorf("asking for less gave %v, %v", vd, err)
	}
	issued := 0
	for _, ev := range rig.Events() {
		if ev.Outcome == flow.Issued {
			issued++
			if ev.Flow.From.Agent != "desk" || ev.Flow.Subject != "referral" || strings.Contains(ev.Reason, string(chain[0][:20])) { // no key begins as all tokens do
				t.Errorf("on record as %+v, want desk and referral, without the token", ev)
			}
		}
	}
	if issued != 2 {
		t.Errorf("%d roots on record, want 2", issued)
	}
}

// Whoever may not have a capability, or asks for more, gets none, and the refusal is on record and repeats nothing.
func TestWhoGetsNone(t *testing.T) {
	rig, srv, _ := office(t)
	key := agent.NewKey()
	proof := keyProof(t, srv.URL, key)
	jwk := `{"jwk":` + string(capability.HolderJWK(key.Public())) + `}`
	good := url.Values{"grant_type": {"client_credentials"}, "req_cnf": {jwk}, "key_proof": {proof}}
	with := func(more ...string) url.Values {
		v := url.Values{}
		for k, x := range good {
			v[k] = x
		}
		for i := 0; i < len(more); i += 2 {
			v[more[i]] = []string{more[i+1]}
		}
		return v
	}
	other := keyProof(t, srv.URL, agent.NewKey())
	for _, tt := range []struct {
		name, bearer string
		form         url.Values
		code         string
	}{
		{"as it should be", deskKey, good, ""},
		{"nobody", "", good, "invalid_client"},
		{"wrong key", "scrim_guess", good, "invalid_client"},
		{"another domain's agent", labKey, good, "unauthorized_client"},
		{"another's grant", deskKey, with("scope", "audit"), "invalid_scope"},
		{"no such grant", deskKey, with("scope", "s3cret"), "invalid_scope"},
		{"no grant type", deskKey, with("grant_type", "password"), "unsupported_grant_type"},
		{"no key", deskKey, with("req_cnf", ""), "invalid_request"},
		{"private key", deskKey, with("req_cnf", strings.TrimSuffix(jwk, "}}")+`,"d":"s3cret"}}`), "invalid_request"},
		{"no proof", deskKey, with("key_proof", ""), "invalid_request"},
		{"proof of another key", deskKey, with("key_proof", other), "invalid_request"},
		{"wider purposes", deskKey, with("authorization_details", details(t, capability.Grant{Purposes: []flow.Purpose{"billing"}})), "invalid_authorization_details"},
		{"longer life", deskKey, with("authorization_details", details(t, capability.Grant{Expires: time.Now().Add(time.Hour).Truncate(time.Second)})), "invalid_authorization_details"},
		{"other agent", deskKey, with("authorization_details", details(t, capability.Grant{Agent: "records"})), "invalid_authorization_details"},
		{"no JSON", deskKey, with("authorization_details", "s3cret"), "invalid_authorization_details"},
		{"twice", deskKey, url.Values{"grant_type": {"client_credentials", "client_credentials"}}, "invalid_request"},
		{"exchange without a token", deskKey, with("grant_type", grants.GrantExchange, "subject_token_type", grants.TypeJWT), "invalid_client"},
		{"exchange of an unknown type", deskKey, with("grant_type", grants.GrantExchange, "subject_token_type", "s3cret"), "invalid_request"},
	} {
		before := len(rig.Events())
		req, _ := http.NewRequest(http.MethodPost, srv.URL+grants.Path, strings.NewReader(tt.form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if tt.bearer != "" {
			req.Header.Set("Authorization", "Bearer "+tt.bearer)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var got struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal(b, &got); err != nil || got.Error != tt.code {
			t.Errorf("%s: %d %s, want error %q", tt.name, res.StatusCode, b, tt.code)
		}
		if strings.Contains(string(b), "s3cret") {
			t.Errorf("%s: the answer repeats what was sent: %s", tt.name, b)
		}
		if tt.code != "" {
			if evs := rig.Events(); len(evs) != before+1 || evs[before].Outcome != flow.Refused {
				t.Errorf("%s: the refusal is not on record", tt.name)
			}
		}
	}
}

// Nothing is given that could not be put on record.
func TestNoRecordNoCapability(t *testing.T) {
	rig, srv, _ := office(t)
	c, _ := client(t, srv.URL, deskKey)
	rig.Close(t)
	if chain, err := c.Obtain(t.Context(), gatewaytest.Own, agent.Ask{}); !errors.Is(err, agent.ErrRefused) || chain != nil {
		t.Errorf("Obtain without a journal = %v, %v, want ErrRefused", chain, err)
	}
}

func details(t *testing.T, g capability.Grant) string {
	t.Helper()
	b, err := json.Marshal([]capability.Grant{g})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keyProof records the proof that the SDK makes of a key.
func keyProof(t *testing.T, base string, key *agent.Key) string {
	t.Helper()
	var proof string
	c, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{{URL: base, Domain: gatewaytest.Own}}, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		proof = r.PostForm.Get("key_proof")
		return nil, context.Canceled
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Obtain(t.Context(), gatewaytest.Own, agent.Ask{}) // it goes nowhere
	return proof
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
