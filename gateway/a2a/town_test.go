package a2a_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
)

// third is a second foreign domain.
const third flow.DomainID = "third"

const townPolicies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("abroad") permit (principal, action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" || resource.tier == "internal" };
@id("into") permit (principal in Domain::"own", action in Action::"upto_raw", resource);
@id("come-home") permit (principal in Domain::"own", action == Action::"open", resource) when { context.is_supplier && context.same_task };
@id("desk") permit (principal in Domain::"own", action == Action::"open", resource) when { context.purpose == Purpose::"care" };
`

// town is a gateway with both its faces: an agent of its own, desk, that callers of two foreign domains reach, and
// agents of both domains, partner and lab, that its own caller reaches.
type town struct {
	*gatewaytest.Rig
	setup gatewaytest.Setup
	base  string
	srv   *httptest.Server
}

func newTown(t *testing.T, agent *agentStub, change func(*gatewaytest.Setup)) *town {
	t.Helper()
	up, err := gateway.NewUpstream(agent.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	party := func(id flow.AgentID, d flow.DomainID) flow.Party { return flow.Party{Agent: id, Domain: d} }
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"care", "billing", "payment"}, Criticality: flow.Critical}
	}
	setup := gatewaytest.Setup{
		Policy: townPolicies,
		Agents: []*gateway.Agent{
			{Party: party("caller", gatewaytest.Own)}, {Party: party("desk", gatewaytest.Own), A2A: up},
			{Party: party("partner", gatewaytest.Other), A2A: up}, {Party: party("lab", third), A2A: up},
			{Party: party("guest", gatewaytest.Other)}, {Party: party("visitor", third)},
		},
		Callers: map[string]identity.Grant{
			"scrim_key": grant(party("caller", gatewaytest.Own)), "scrim_guest": grant(party("guest", gatewaytest.Other)), "scrim_visitor": grant(party("visitor", third)),
		},
	}
	for _, owner := range []flow.AgentID{"desk", "partner", "lab"} {
		for _, dir := range []flow.Direction{flow.Request, flow.Response} {
			setup.Schemas = append(setup.Schemas, gatewaytest.Schema{Kind: catalog.Data, Owner: owner, Direction: dir, JSON: referral})
		}
	}
	if change != nil {
		change(&setup)
	}
	r := &town{Rig: gatewaytest.New(t, setup), setup: setup}
	cards := &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}
	mux := http.NewServeMux()
	in := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards}
	out := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards}
	mux.Handle(in.Prefix, in)
	mux.Handle(out.Prefix, out)
	mux.Handle(a2a.GRPCPath, a2a.NewGRPC(in, out))
	r.srv = httptest.NewUnstartedServer(mux)
	r.srv.Config.Protocols = new(http.Protocols)
	r.srv.Config.Protocols.SetHTTP1(true)
	r.srv.Config.Protocols.SetUnencryptedHTTP2(true)
	r.srv.Start()
	t.Cleanup(r.srv.Close)
	r.base = r.srv.URL
	return r
}

// to makes a call; path is "/a2a/desk" or "/out/a2a/partner".
func (r *town) to(t testing.TB, path, key, body string, header ...string) (int, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(r.request(t, path, key, body, header...))
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

func (r *town) request(t testing.TB, path, key, body string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer " + key, "Scrim-Purpose": "care", "Scrim-Criticality": "routine",
	} {
		req.Header.Set(k, v)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

// without fails where got shows one of the secrets, in whatever case. What the gateway draws at random is passed over: a short word turns up in it by chance.
func without(t testing.TB, where, got string, secrets ...string) {
	t.Helper()
	said := strings.ToLower(gatewaytest.Said(got))
	for _, s := range secrets {
		if strings.Contains(said, strings.ToLower(s)) {
			t.Errorf("%s shows %q: %s", where, s, got)
		}
	}
}
