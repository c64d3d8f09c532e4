package policy_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// TestPoliciesMayAskWhatAContractSaysOfUse: purposes, techniques and retention of data contracts are attributes of fields and datasets.
func TestPoliciesMayAskWhatAContractSaysOfUse(t *testing.T) {
	care := policy.Use{Purposes: []flow.Purpose{"care"}, Techniques: []string{"message"}, Retain: time.Hour}
	set, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(`
		@id("kept-short") permit (principal, action in Action::"upto_raw", resource)
		when { resource has retain && resource.retain <= 3600 && context.purpose in resource.purposes && resource.techniques.contains("message") };
		@id("asks") permit (principal, action == Action::"aggregate", resource) when { resource.techniques.isEmpty() };`)}},
		policy.Options{Entities: policy.Entities{
			Agents: []flow.Party{{Agent: "a", Domain: "other"}}, Purposes: map[flow.Purpose][]flow.Purpose{"care": nil, "nursing": {"care"}, "billing": nil},
			Datasets: []policy.Dataset{{Name: "stays", Use: care}, {Name: "free"}},
			Fields:   []policy.Field{{Name: "stays/born", Dataset: "stays", Label: "person/birth-date", Use: care}, {Name: "free/born", Dataset: "free", Label: "person/birth-date"}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		purpose flow.Purpose
		field   string
		want    flow.Level
	}{{"care", "stays/born", flow.Raw}, {"nursing", "stays/born", flow.Raw}, {"billing", "stays/born", flow.Dropped}, {"care", "free/born", flow.Dropped}, {"care", "", flow.Dropped}} {
		q := policy.Query{Flow: flow.Flow{From: flow.Party{Agent: "b", Domain: "own"}, To: flow.Party{Agent: "a", Domain: "other"}, Purpose: c.purpose, Task: flow.Task{Criticality: flow.Critical}}}
		terms, err := set.Decide(q, []flow.Leaf{{Label: "person/birth-date", Field: c.field, Origin: flow.Catalogued}})
		if err != nil || terms.Leaves[0].Level != c.want {
			t.Errorf("%q for %s is %v, %v, want %s", c.field, c.purpose, terms.Leaves, err, c.want)
		}
	}
	for dataset, want := range map[string]bool{"stays": false, "free": true, "unknown": true} {
		if ok, _, why := set.MayAsk(policy.Query{Flow: flow.Flow{To: flow.Party{Agent: "a", Domain: "other"}, Purpose: "care"}}, dataset, "aggregate"); ok != want {
			t.Errorf("asking about %s: %v (%s)", dataset, ok, why)
		}
	}
	for _, c := range []struct {
		p, of flow.Purpose
		want  bool
	}{{"nursing", "care", true}, {"care", "care", true}, {"care", "nursing", false}, {"", "", false}, {"unknown", "care", false}} {
		if got := set.PurposeIn(c.p, c.of); got != c.want {
			t.Errorf("PurposeIn(%q, %q) = %v", c.p, c.of, got)
		}
	}
}
