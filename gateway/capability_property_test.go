package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/capability"
)

var boundLabels = []flow.Label{"person/name", "person/contact/email", "person/birth-date", "technical/record-id", "text/free", "health/diagnosis", flow.PublicData, flow.Unlabelled}

// randomPolicies writes permits and forbids with conditions on all that a capability could move: names, purpose, direction.
func randomPolicies(r *rand.Rand) string {
	var b strings.Builder
	conditions := []string{
		"", ` when { context.capabilities.contains("desk") }`, ` unless { context.capabilities.contains("desk") }`, ` when { context.capabilities.isEmpty() }`,
		` when { context.purpose == Purpose::"care" }`, ` when { context.direction == "request" }`, ` when { context.criticality == "critical" }`,
		` when { context.capabilities.containsAll(["desk", "night"]) }`, ` when { context.hop == 0 }`,
	}
	scopes := []string{"resource", `resource in DataClass::"person"`, `resource in DataClass::"health"`, `resource in DataClass::"text/free"`, `resource in DataClass::"technical"`}
	up := []string{`action in Action::"upto_raw"`, `action in [Action::"upto_tokenized", Action::"upto_generalized"]`, `action in Action::"upto_masked"`}
	down := []string{`action in Action::"atleast_raw"`, `action in [Action::"atleast_tokenized", Action::"atleast_generalized"]`, `action in Action::"atleast_masked"`}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for i := range 2 + r.IntN(5) {
		fmt.Fprintf(&b, "@id(\"p%d\") permit (principal, %s, %s)%s;\n", i, pick(up), pick(scopes), pick(conditions))
	}
	for i := range r.IntN(3) {
		fmt.Fprintf(&b, "@id(\"f%d\") forbid (principal, %s, %s)%s;\n", i, pick(down), pick(scopes), pick(conditions))
	}
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "@id(\"s\") @shadow permit (principal, %s, %s)%s;\n", pick(up), pick(scopes), pick(conditions))
	}
	return b.String()
}

// randomLevels are levels that may or may not be narrower than others.
func randomLevels(r *rand.Rand) map[flow.Label]flow.Level {
	if r.IntN(4) == 0 {
		return nil
	}
	m := map[flow.Label]flow.Level{}
	keys := append([]flow.Label{"*", "person", "person/contact", "health", "text"}, boundLabels...)
	for range r.IntN(5) {
		m[keys[r.IntN(len(keys))]] = flow.Level(r.IntN(int(flow.Raw) + 1))
	}
	return m
}

// randomChain hands a capability on up to three times, each time narrower, and returns every beginning of the chain.
func randomChain(t testing.TB, r *rand.Rand, d *gatewaytest.Domains) []*gatewaytest.Holder {
	grant := capability.Grant{Agent: "caller", Levels: randomLevels(r)}
	if r.IntN(2) == 0 {
		grant.Names = [][]string{{"desk"}, {"desk", "night"}, {"night"}}[r.IntN(3)]
	}
	all := []*gatewaytest.Holder{d.Root(t, gatewaytest.Own, grant)}
	for range r.IntN(4) {
		last := all[len(all)-1]
		child := capability.Grant{Levels: randomLevels(r)}
		if r.IntN(3) == 0 {
			child.Agent = "caller/sub"
		}
		vd, err := capability.NewVerifier(d, capability.Options{}).Verify(last.Chain)
		if err != nil {
			t.Fatal(err)
		}
		whole := vd.Leaf().Grant
		tried := whole
		tried.Names, tried.Levels = nil, child.Levels
		if child.Levels != nil && capability.Narrower(&whole, &tried) != nil || child.Agent != "" && strings.Contains(whole.Agent, "/") {
			child = capability.Grant{} // as wide as its parent
		}
		all = append(all, last.Child(t, child))
	}
	return all
}

// TestNarrowingNeverOpens decides random leaves by random policies under random chains: a child shows no more than its
// parent, nothing shows more than policy alone or than a link lets, and shadow terms are held to it too.
func TestNarrowingNeverOpens(t *testing.T) {
	const policies, chains = 40, 12
	r := rand.New(rand.NewPCG(6, 2026))
	d := gatewaytest.NewDomains(t, gatewaytest.Own)
	party := flow.Party{Agent: "caller", Domain: gatewaytest.Own}
	partner := flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	setup := gatewaytest.Setup{
		Domains: d, NoSync: true, Agents: []*gateway.Agent{{Party: party}, {Party: partner}},
		Callers: map[string]identity.Grant{"scrim_key": {Party: party, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}},
	}
	rig := gatewaytest.New(t, setup)
	tax := flow.DefaultTaxonomy()
	bit := 0
	for range policies {
		setup.Policy = randomPolicies(r)
		snap := gatewaytest.Snapshot(t, setup)
		for range chains {
			q := policy.Query{Flow: flow.Flow{From: party, To: partner, Purpose: []flow.Purpose{"", "care"}[r.IntN(2)], Task: flow.Task{Criticality: flow.Criticality(r.IntN(3))}}}
			if r.IntN(2) == 0 {
				q.Flow.From, q.Flow.To, q.Flow.Direction = partner, party, flow.Response
			}
			var leaves []flow.Leaf
			for range 1 + r.IntN(6) {
				leaves = append(leaves, flow.Leaf{Label: boundLabels[r.IntN(len(boundLabels))], Origin: flow.Origin(r.IntN(3))})
			}
			var before *flow.Terms
			for _, h := range randomChain(t, r, d) {
				req, err := http.NewRequest(http.MethodPost, "http://gateway/out/a2a/partner", nil)
				if err != nil {
					t.Fatal(err)
				}
				h.Show(t, req, nil)
				_, a, err := rig.Identify(t.Context(), snap, req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := rig.Terms(snap, a, q, leaves)
				if err != nil {
					t.Fatal(err)
				}
				named := q
				named.Capabilities = a.Names()
				alone, err := snap.Policy.Decide(named, leaves)
				if err != nil {
					t.Fatal(err)
				}
				bit += holds(t, tax, leaves, got.Leaves, alone.Leaves, before, a)
				if len(got.Shadow) > 0 {
					holds(t, tax, leaves, got.Shadow, alone.Shadow, nil, a)
				}
				before = &got
			}
		}
	}
	if bit < 100 {
		t.Errorf("the capability set the level of %d leaves; the test says little", bit)
	}
}

// holds checks the terms of one beginning of a chain, and returns how many levels the capability set.
func holds(t *testing.T, tax *flow.Taxonomy, leaves []flow.Leaf, got, alone []flow.LeafTerms, before *flow.Terms, a *gateway.Authority) (bit int) {
	t.Helper()
	for i, l := range leaves {
		class, _ := tax.Class(l.Label)
		if class.Family.Reveals(got[i].Treatment, alone[i].Treatment) {
			t.Fatalf("%s shows %s, and %s by policy alone", l.Label, got[i].Treatment, alone[i].Treatment)
		}
		if limit := a.Chain.Level(l.Label); got[i].Level.Reveals(limit) {
			t.Fatalf("%s shows %s, and the chain lets %s", l.Label, got[i].Treatment, limit)
		}
		if before != nil && class.Family.Reveals(got[i].Treatment, before.Leaves[i].Treatment) {
			t.Fatalf("%s shows %s under the child, and %s under its parent", l.Label, got[i].Treatment, before.Leaves[i].Treatment)
		}
		if got[i].By == flow.ByCapability {
			bit++
			if got[i].Treatment == alone[i].Treatment {
				t.Fatalf("%s is said to be set by the capability, which changed nothing", l.Label)
			}
		}
	}
	return bit
}
