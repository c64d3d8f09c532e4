package gateway

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

func TestInputsReadBackAsTheyWere(t *testing.T) {
	need := flow.Treatment{Level: flow.Generalized, Param: "year"}
	a := flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Raw}, Policies: []flow.PolicyID{"p"}, Reason: `said "so"`}
	b := flow.LeafTerms{Treatment: need, By: flow.ByTier, Handle: 15 * time.Minute}
	want := Inputs{
		Query: policy.Query{Flow: flow.Flow{ID: "f", From: flow.Party{Agent: "x", Domain: "d"}, Purpose: "care"}, Consent: true},
		Leaves: []flow.Leaf{
			{Path: "/a", Label: "person/name", Origin: flow.Catalogued, Subject: flow.SubjectRef{0xa1, 0xb2, 0xc3, 0xd4, 0xe5}, Field: "t/c"},
			{Path: "/b/*", Label: "time", Origin: flow.Detected, Need: &need},
			{Path: "/b/*", Label: "time", Origin: flow.Detected, Score: 40, Need: &need},
			{Path: "/b/*", Label: "time", Origin: flow.Detected, Score: 41, Need: &need},
			{Path: "/c", Label: "person/name"},
			{Path: "/c/records/0", Label: "person/name", Origin: flow.Catalogued, Subject: flow.SubjectRef{0xa2, 0xb2, 0xc3, 0xd4, 0xe5}, Field: "t/c"},
			{Path: "/c/records/1", Label: "person/name", Origin: flow.Catalogued, Subject: flow.SubjectRef{0xa1, 0xb2, 0xc3, 0xd4, 0xe5}, Field: "t/c"},
			{Label: "person/name"},
		},
		Terms: []flow.LeafTerms{a, b, b, b, a, b, a, a},
	}
	var g grouping
	g.group(want.Leaves, want.Terms)
	want.Salt, want.List = audit.Salt{7}, [][32]byte{{8}, {9}}
	raw, err := appendInputs(nil, want.Query, want.Leaves, &g, want.Salt, want.List)
	if err != nil {
		t.Fatal(err)
	}
	first, second := want.Leaves[0].Subject, want.Leaves[5].Subject
	for i := range want.Leaves { // what is read back points at nobody
		switch l := &want.Leaves[i]; l.Subject {
		case first:
			l.Subject = Ordinal(0)
		case second:
			l.Subject = Ordinal(1)
		}
	}
	got, err := DecodeInputs(raw)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("DecodeInputs() = %+v, %v\nwant %+v\nfrom %s", got, err, want, raw)
	}
	for n := range raw {
		if _, err := DecodeInputs(raw[:n]); err == nil {
			t.Errorf("DecodeInputs() of the first %d bytes error = nil", n)
		}
	}
	if bytes.Contains(raw, first[:5]) || bytes.Contains(raw, second[:5]) {
		t.Error("inputs name a subject by its reference")
	}
	if _, err := DecodeInputs(append(raw, 0)); err == nil {
		t.Error("DecodeInputs() with a byte more error = nil")
	}
	if got, want := g.levels(), flow.CountLevels(want.Leaves, want.Terms); !reflect.DeepEqual(got, want) {
		t.Errorf("levels() = %v, want %v", got, want)
	}
	if got := g.policies(); !reflect.DeepEqual(got, []flow.PolicyID{"p"}) {
		t.Errorf("policies() = %v, want [p]", got)
	}
	for _, bad := range []string{`{}x`, `{"leaves":[{}],"terms":[],"of":[]}`, `{"leaves":[{"origin":"supplied","subject":"unknown"}],"terms":[],"of":[0]}`} {
		if _, err := DecodeInputs([]byte(bad)); err == nil {
			t.Errorf("DecodeInputs(%s) error = nil", bad)
		}
	}
}

// What an earlier version wrote can still be replayed.
func TestInputsOfEarlierVersionsAreRead(t *testing.T) {
	got, err := DecodeInputs([]byte(`{"query":{"Flow":{"id":"f","hop":0,"from":{"agent":"","domain":""},"to":{"agent":"","domain":""},"task":{"criticality":"low"},"direction":"request"}},` +
		`"leaves":[{"path":"/a","label":"person/name","field":"t/c","origin":"catalogued","subject":"unknown","need":{"level":"generalized","param":"year"}},{"path":"/b","label":"time","origin":"detected","subject":"unknown"}],` +
		`"terms":[{"level":"raw","by":"policy","policies":["p"]}],"of":[0,0]}`))
	if err != nil || len(got.Leaves) != 2 || got.Leaves[0].Need.Param != "year" || got.Leaves[1].Origin != flow.Detected || got.Terms[1].Level != flow.Raw {
		t.Errorf("DecodeInputs() = %+v, %v", got, err)
	}
}

// Version 1 named each subject by its reference where it was mentioned first.
func TestInputsOfVersionOneAreRead(t *testing.T) {
	who := flow.SubjectRef{1, 2, 3}
	leaves := []flow.Leaf{{Path: "/a", Label: "person/name", Origin: flow.Catalogued, Subject: who}}
	raw, err := EncodeInputs(Inputs{Leaves: leaves, Terms: make([]flow.LeafTerms, 1)})
	if err != nil {
		t.Fatal(err)
	}
	old := append(append([]byte{1}, raw[1+32+1:]...), who[:]...)
	got, err := DecodeInputs(old)
	if err != nil || got.Leaves[0].Subject != who {
		t.Errorf("DecodeInputs() = %+v, %v, want the reference", got, err)
	}
	if _, ok := OrdinalOf(who); ok {
		t.Error("OrdinalOf() of a reference = true")
	}
	if n, ok := OrdinalOf(Ordinal(5)); n != 5 || !ok {
		t.Errorf("OrdinalOf(Ordinal(5)) = %d, %v", n, ok)
	}
}
