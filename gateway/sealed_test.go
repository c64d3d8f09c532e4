package gateway

import (
	"reflect"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

func TestInputsReadBackAsTheyWere(t *testing.T) {
	need := flow.Treatment{Level: flow.Generalized, Param: "year"}
	a := flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Raw}, Policies: []flow.PolicyID{"p"}, Reason: `said "so"`}
	b := flow.LeafTerms{Treatment: need, By: flow.ByTier}
	want := Inputs{
		Query: policy.Query{Flow: flow.Flow{ID: "f", From: flow.Party{Agent: "x", Domain: "d"}, Purpose: "care"}, Consent: true},
		Leaves: []flow.Leaf{
			{Path: "/a", Label: "person/name", Origin: flow.Catalogued, Subject: flow.SubjectRef{1}, Field: "t/c"},
			{Path: "/b/*", Label: "time", Origin: flow.Detected, Need: &need},
			{Path: "/c", Label: "person/name"},
		},
		Terms: []flow.LeafTerms{a, b, a},
	}
	raw, err := appendInputs(nil, want.Query, want.Leaves, want.Terms)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeInputs(raw)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("DecodeInputs() = %+v, %v\nwant %+v\nfrom %s", got, err, want, raw)
	}
	for _, bad := range []string{`{}x`, `{"leaves":[{}],"terms":[],"of":[]}`, `{"leaves":[{"origin":"supplied","subject":"unknown"}],"terms":[],"of":[0]}`} {
		if _, err := DecodeInputs([]byte(bad)); err == nil {
			t.Errorf("DecodeInputs(%s) error = nil", bad)
		}
	}
}
