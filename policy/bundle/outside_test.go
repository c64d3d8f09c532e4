package bundle_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
)

func setOf(t *testing.T, outside ...policy.Outside) *policy.Set {
	t.Helper()
	const all = `@exception("x") permit (principal, action in Action::"upto_raw", resource == DataClass::"health/diagnosis");
permit (principal, action in Action::"upto_raw", resource);
permit (principal, action == Action::"aggregate", resource);`
	s, err := policy.Load(fstest.MapFS{"own.cedar": {Data: []byte(all)}}, policy.Options{Outside: outside, Entities: policy.Entities{
		Datasets: []policy.Dataset{{Name: "claims"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func level(t *testing.T, s *policy.Set, to flow.DomainID, l flow.Label) (flow.Level, []flow.PolicyID) {
	t.Helper()
	q := policy.Query{Flow: flow.Flow{From: flow.Party{Agent: "a", Domain: "own.example"}, To: flow.Party{Agent: "b", Domain: to}, Task: flow.Task{Criticality: flow.Critical}}}
	terms, err := s.Decide(q, []flow.Leaf{{Label: l}})
	if err != nil {
		t.Fatal(err)
	}
	return terms.Leaves[0].Level, terms.Leaves[0].Policies
}

func TestABundleIsKeptToByPolicy(t *testing.T) {
	s := setOf(t, example().Outside())
	if got, by := level(t, s, "other.example", "health/diagnosis"); got != flow.Generalized || !slices.Contains(by, "hospital.example/baseline#health") {
		t.Errorf("shows %s by %v", got, by)
	}
	if ok, by, _ := s.MayAsk(policy.Query{}, "claims", "aggregate"); ok || !slices.Contains(by, "hospital.example/baseline#purposes-asked:claims") {
		t.Errorf("a question for no purpose: %t by %v", ok, by)
	}
}

// TestLateBundlesFailClosed asks for what shows while a bundle does not count, and that each choice is stricter than the one before.
func TestLateBundlesFailClosed(t *testing.T) {
	want := map[bundle.Strictness]string{
		bundle.MaskedAcross:  "across masked, public raw, within raw, asked across false, within true",
		bundle.DroppedAcross: "across dropped, public raw, within raw, asked across false, within true",
		bundle.Stop:          "across dropped, public dropped, within dropped, asked across false, within false",
	}
	for s, text := range want {
		set := setOf(t, bundle.Late("hospital.example/baseline", s))
		across, by := level(t, set, "other.example", "health/diagnosis")
		public, _ := level(t, set, "other.example", flow.PublicData)
		within, _ := level(t, set, "own.example", "health/diagnosis")
		ask := func(to flow.DomainID) bool {
			q := policy.Query{Flow: flow.Flow{From: flow.Party{Domain: "own.example"}, To: flow.Party{Agent: "b", Domain: to}}}
			ok, _, _ := set.MayAsk(q, "claims", "aggregate")
			return ok
		}
		got := fmt.Sprintf("across %s, public %s, within %s, asked across %t, within %t", across, public, within, ask("other.example"), ask("own.example"))
		if got != text || !slices.Contains(by, "hospital.example/baseline#late") {
			t.Errorf("%s: %s by %v\nwant %s", s, got, by, text)
		}
		if bundle.ParseStrictness(s.String()) != s {
			t.Errorf("%s is read as another", s)
		}
	}
	if bundle.ParseStrictness("") != bundle.Stop || bundle.ParseStrictness("none") != bundle.Stop {
		t.Error("a word that is not known is not the strictest")
	}
}

// TestNamesInABundleTakeNothingAway has policies of a bundle with the names that its own limits and its lateness give theirs: each of them holds.
func TestNamesInABundleTakeNothingAway(t *testing.T) {
	const text = `@id("late") forbid (principal, action == Action::"aggregate", resource);
@id("purposes:claims") forbid (principal, action in Action::"atleast_masked", resource == DataClass::"health/diagnosis");
@id("purposes-asked:claims") forbid (principal, action in Action::"atleast_generalized", resource == DataClass::"person/name");`
	b := bundle.Bundle{Issuer: "hospital.example", Name: "baseline", Content: bundle.Content{
		Policies: text, Datasets: []bundle.Dataset{{Name: "claims", Purposes: []flow.Purpose{"care"}}},
	}}
	for name, s := range map[string]*policy.Set{
		"in time": setOf(t, b.Outside()),
		"late":    setOf(t, b.Outside(), bundle.Late(b.ID(), bundle.MaskedAcross)),
	} {
		within := policy.Query{Flow: flow.Flow{From: flow.Party{Domain: "own.example"}, To: flow.Party{Agent: "b", Domain: "own.example"}}}
		if ok, by, _ := s.MayAsk(within, "others", "aggregate"); ok {
			t.Errorf("%s: a question that the bundle forbids is answered, by %v", name, by)
		}
		if got, by := level(t, s, "own.example", "health/diagnosis"); got != flow.Dropped {
			t.Errorf("%s: what the bundle forbids shows %s, by %v", name, got, by)
		}
		if got, by := level(t, s, "own.example", "person/name"); got.Reveals(flow.Tokenized) {
			t.Errorf("%s: what the bundle forbids shows %s, by %v", name, got, by)
		}
	}
}
